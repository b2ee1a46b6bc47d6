//! What a policy can permit where no row is known.

use crate::document::Effect;
use crate::node::{Attribute, Node, Term};
use crate::policy::Policy;
use crate::truth::Truth;

/// Which truths a condition can have, whoever asks.
#[derive(Clone, Copy)]
struct Possible {
    is_true: bool,
    is_false: bool,
}

impl Possible {
    const ANY: Self = Self {
        is_true: true,
        is_false: true,
    };
    /// Unknown, for everybody.
    const NEITHER: Self = Self {
        is_true: false,
        is_false: false,
    };

    const fn known(is_known: bool) -> Self {
        if is_known { Self::ANY } else { Self::NEITHER }
    }
}

impl Policy {
    /// Whether there could be somebody who is permitted `action` on a resource of which nothing is known but its tenant,
    /// under circumstances of which nothing is known but the time: as where a route demands a permission before its handler
    /// reads a row.
    ///
    /// A permit whose condition asks for the row, also whether one of its attributes is set, cannot apply there, and a
    /// forbid that does acts. So a route for which each permit asks, or one forbid for everybody, refuses everybody. Where
    /// the policy has no such type or action the answer is `false` as well.
    #[must_use]
    pub fn can_permit_without_row(&self, resource_type: &str, action: &str) -> bool {
        let compiled = self.compiled();
        let found = compiled.find_type(resource_type).and_then(|number| {
            let resource = compiled.resource_type(number)?;
            Some((number, resource.action(action)?))
        });
        let Some((number, action)) = found else {
            return false;
        };
        let mut is_permitted = false;
        for rule in compiled.rules_of(number, action) {
            let when = possible(&rule.when);
            match rule.effect {
                Effect::Permit => is_permitted |= when.is_true,
                // It acts upon everybody who asks.
                Effect::Forbid
                    if rule.roles.is_empty() && rule.scopes.is_empty() && !when.is_false =>
                {
                    return false;
                }
                Effect::Forbid => {}
            }
        }
        is_permitted
    }
}

fn is_told(attribute: Attribute) -> bool {
    !attribute.is_of_resource() && !matches!(attribute, Attribute::Context(_))
}

fn is_term_told(term: &Term) -> bool {
    term.attribute().is_none_or(is_told)
}

fn possible(node: &Node) -> Possible {
    match node {
        Node::Known(truth) => Possible {
            is_true: *truth == Truth::True,
            is_false: *truth == Truth::False,
        },
        Node::Compare(_, left, right) => Possible::known(is_term_told(left) && is_term_told(right)),
        Node::OneOf(term, _) | Node::Member(term, _) | Node::Related(_, term) => {
            Possible::known(is_term_told(term))
        }
        Node::IsSet(attribute) if attribute.is_of_resource() => Possible::NEITHER,
        // What nobody told of the circumstances is not set.
        Node::IsSet(attribute) => Possible {
            is_true: is_told(*attribute),
            is_false: true,
        },
        // Each part is looked at once: conditions are nested.
        Node::All(nodes) => nodes.iter().map(possible).fold(
            Possible {
                is_true: true,
                is_false: false,
            },
            |all, one| Possible {
                is_true: all.is_true && one.is_true,
                is_false: all.is_false || one.is_false,
            },
        ),
        Node::Any(nodes) => nodes.iter().map(possible).fold(
            Possible {
                is_true: false,
                is_false: true,
            },
            |any, one| Possible {
                is_true: any.is_true || one.is_true,
                is_false: any.is_false && one.is_false,
            },
        ),
        Node::Not(node) => {
            let inner = possible(node);
            Possible {
                is_true: inner.is_false,
                is_false: inner.is_true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ready;

    const HEAD: &str = r#"
        version = 1
        name = "routes"
        context.purpose = "text"
        roles.admin = {}
        resources.case = { actions = ["read"], attributes = { owner = "text" } }
        [[rules]]
        id = "one"
        effect = "permit"
        resource = "case"
        actions = ["read"]
        roles = ["admin"]
    "#;

    fn can(more: &str) -> bool {
        let policy = Policy::from_toml(&format!("{HEAD}\n{more}")).expect("a policy");
        policy.can_permit_without_row("case", "read")
    }

    #[test]
    fn a_permit_that_asks_for_the_row_permits_nobody_without_it() {
        assert!(can(""));
        assert!(can(r#"when = { is_set = "subject.id" }"#));
        assert!(!can(r#"when = { not = { is_set = "resource.owner" } }"#));
        assert!(can(r#"when = { not = { is_set = "context.purpose" } }"#));
        assert!(can(
            r#"when = { any = [{ eq = ["resource.owner", "subject.id"] }, { is_set = "subject.id" }] }"#
        ));
        assert!(!can(r#"when = { eq = ["resource.owner", "subject.id"] }"#));
        assert!(!can(
            r#"when = { not = { eq = ["resource.owner", "subject.id"] } }"#
        ));
        assert!(!can(r#"when = { is_set = "resource.owner" }"#));
        assert!(!can(
            r#"when = { eq = ["context.purpose", { text = "audit" }] }"#
        ));
        assert!(!can(
            r#"when = { all = [{ eq = ["resource.owner", "subject.id"] }, { is_set = "subject.id" }] }"#
        ));
    }

    #[test]
    fn a_forbid_that_asks_for_the_row_acts_without_it() {
        let forbid = |more: &str| {
            can(&format!(
                "[[rules]]\nid = \"two\"\neffect = \"forbid\"\nresource = \"case\"\nactions = [\"read\"]\n{more}"
            ))
        };
        assert!(!forbid(
            r#"when = { eq = ["resource.owner", "subject.id"] }"#
        ));
        assert!(!forbid(r#"when = { is_set = "resource.owner" }"#));
        assert!(!forbid(r#"when = { not = { is_set = "resource.owner" } }"#));
        // Whoever does not hold the role is not forbidden.
        assert!(forbid(
            "roles = [\"admin\"]\nwhen = { eq = [\"resource.owner\", \"subject.id\"] }"
        ));
        assert!(forbid(
            r#"when = { all = [{ eq = ["resource.owner", "subject.id"] }, { eq = ["subject.id", { text = "u1" }] }] }"#
        ));
    }

    #[test]
    fn conditions_that_are_nested_are_looked_at_once() {
        // Each part twice, this would take hours.
        let mut when = r#"{ is_set = "subject.id" }"#.to_owned();
        for _ in 0..15 {
            when = format!(
                r#"{{ all = [{{ any = [{when}, {{ is_set = "subject.kind" }}] }}, {{ is_set = "subject.id" }}] }}"#
            );
        }
        assert!(can(&format!("when = {when}")));
    }

    #[test]
    fn what_there_is_not_is_permitted_to_nobody() {
        let rows = ready::rows().expect("a policy");
        assert!(rows.can_permit_without_row("case", "delete"));
        assert!(!rows.can_permit_without_row("case", "share"));
        assert!(!rows.can_permit_without_row("file", "read"));
    }
}
