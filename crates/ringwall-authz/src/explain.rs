//! Why a decision is what it is, for people.

use core::fmt;

use crate::context::Context;
use crate::decide::{Request, applies};
use crate::decision::Decision;
use crate::document::Effect;
use crate::node::{Attribute, Facts, Node, Term};
use crate::policy::Policy;
use crate::resource::Resource;
use crate::subject::Subject;
use crate::truth::Truth;
use crate::value::{Datum, Level, Type, uuid_text};

/// The longest text of a value in an explanation, in characters.
const MAX_SHOWN: usize = 64;
/// The most members of a set that are shown.
const MAX_MEMBERS: usize = 8;

/// A decision, and what each rule for the action said. It shows attributes of the resource and of the subject: for
/// operators and tests, never for the caller.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Each rule for this action on this type of resource, in the order of the policy.
    pub rules: Vec<RuleExplanation>,
}

/// What one rule said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuleExplanation {
    /// The rule.
    pub rule: String,
    /// What it does when it applies.
    pub effect: Effect,
    /// Whether its demands are met.
    pub truth: Truth,
    /// Whether it applies: a permit when they are met, a forbid also when nobody can tell.
    pub applies: bool,
    /// What decided it, such as `resource.region = "eu" is not in {"us"}`.
    pub because: String,
}

impl Policy {
    /// Decides as [`decide`](Self::decide) does, and says of every rule why it does or does not apply. It looks at all
    /// of them and makes text: not for each request.
    #[must_use]
    pub fn explain(
        &self,
        subject: &Subject,
        action: &str,
        resource: &Resource<'_>,
        context: &Context<'_>,
    ) -> Explanation {
        let decision = self.decide(subject, action, resource, context);
        let request = Request {
            subject: subject.known(),
            resource,
            context,
            now: context.now().unix_micros(),
        };
        let compiled = self.compiled();
        let is_one =
            subject.policy().is(self) && resource.policy().is(self) && context.policy().is(self);
        let number = resource.number();
        let action = compiled
            .resource_type(number)
            .filter(|_| is_one)
            .and_then(|resource| resource.action(action));
        let rules = action.map(|action| {
            let rules = compiled.rules_of(number, action);
            rules
                .map(|rule| {
                    let truth = applies(rule, &request);
                    let own = request.subject.roles_for(rule.effect);
                    let because = if !rule.is_for(own) {
                        let names: Vec<&str> = rule
                            .roles
                            .iter()
                            .map(|role| compiled.parts.roles.name(role))
                            .collect();
                        format!("the subject uses none of the roles {}", names.join(", "))
                    } else if request.subject.is_beyond_limit(rule) {
                        "it demands no scope, and the credential is limited to scopes".to_owned()
                    } else if !request.subject.meets_scopes(rule) {
                        let held = request.subject.scopes_for(rule.effect);
                        let missing: Vec<&str> = rule
                            .scopes
                            .iter()
                            .filter(|scope| !held.contains(*scope))
                            .map(|scope| compiled.parts.scopes.name(scope))
                            .collect();
                        format!("the subject lacks the scope {}", missing.join(", "))
                    } else if rule.when == Node::Known(Truth::True) {
                        "it demands nothing else".to_owned()
                    } else {
                        self.reason(&rule.when, truth, &request)
                    };
                    RuleExplanation {
                        rule: rule.id.to_string(),
                        effect: rule.effect,
                        truth,
                        applies: match rule.effect {
                            Effect::Permit => truth == Truth::True,
                            Effect::Forbid => truth >= Truth::Unknown,
                        },
                        because,
                    }
                })
                .collect()
        });
        Explanation {
            decision,
            rules: rules.unwrap_or_default(),
        }
    }

    /// The parts of a condition that made it what it is.
    fn reason(&self, node: &Node, truth: Truth, request: &Request<'_>) -> String {
        let deciding = |nodes: &[Node], by: &str| {
            let parts: Vec<String> = nodes
                .iter()
                .filter(|node| node.evaluate(request) == truth)
                .map(|node| self.reason(node, truth, request))
                .collect();
            parts.join(by)
        };
        match node {
            // One false part makes all false; for all to be true every part is needed.
            Node::All(nodes) if truth == Truth::True => deciding(nodes, " and "),
            Node::Any(nodes) if truth == Truth::False => deciding(nodes, " and "),
            Node::All(nodes) | Node::Any(nodes) => nodes
                .iter()
                .find(|node| node.evaluate(request) == truth)
                .map_or_else(String::new, |node| self.reason(node, truth, request)),
            Node::Not(inner) => self.reason(inner, truth.negated(), request),
            Node::Known(_) => "it is so for everything".to_owned(),
            leaf @ (Node::Compare(..)
            | Node::OneOf(..)
            | Node::Member(..)
            | Node::IsSet(_)
            | Node::Related(..)) => self.leaf(leaf, truth, request),
        }
    }

    fn leaf(&self, node: &Node, truth: Truth, request: &Request<'_>) -> String {
        let is = match truth {
            Truth::True => "",
            Truth::False => "not ",
            Truth::Unknown => "perhaps ",
        };
        // A constant is of the type of what it is compared with.
        let term = |term: &Term, other: Option<Attribute>| self.term(term, other, request);
        match node {
            Node::Compare(comparison, left, right) => {
                let sign = comparison.sign();
                let (one, other) = (term(left, right.attribute()), term(right, left.attribute()));
                match truth {
                    Truth::True => format!("{one} {sign} {other}"),
                    Truth::False => format!("{one} {sign} {other} is false"),
                    Truth::Unknown => format!("{one} {sign} {other} is unknown"),
                }
            }
            Node::OneOf(left, members) => {
                let mut shown: Vec<String> = members
                    .iter()
                    .take(MAX_MEMBERS)
                    .map(|member| self.shown(member.get(), left.attribute(), request))
                    .collect();
                if members.len() > MAX_MEMBERS {
                    shown.push("…".to_owned());
                }
                format!("{} is {is}in {{{}}}", term(left, None), shown.join(", "))
            }
            Node::Member(left, set) => {
                let name = self.name(Attribute::Subject(*set), request);
                let values = request.subject.values(*set, request.now);
                let values = values.map(|values| {
                    let shown: Vec<String> = values
                        .take(MAX_MEMBERS)
                        .map(|value| self.shown(value.get(), None, request))
                        .collect();
                    format!("{{{}}}", shown.join(", "))
                });
                let values = values.unwrap_or_else(|| "which is unknown".to_owned());
                format!("{} is {is}in {name} {values}", term(left, None))
            }
            Node::IsSet(attribute) => format!("{} is {is}set", self.name(*attribute, request)),
            Node::Related(relation, value) => {
                let parts = &self.compiled().parts;
                let relation = parts.relations.get(usize::from(*relation));
                let name = relation.map_or("", |relation| &*relation.name);
                format!(
                    "the subject is {is}in the relation {name} to {}",
                    term(value, None)
                )
            }
            Node::Known(_) | Node::All(_) | Node::Any(_) | Node::Not(_) => String::new(),
        }
    }

    fn term(&self, term: &Term, other: Option<Attribute>, request: &Request<'_>) -> String {
        match term {
            Term::Constant(value) => self.shown(value.get(), other, request),
            Term::Attribute(attribute) => {
                let value = self.shown(request.value(*attribute), Some(*attribute), request);
                format!("{} = {value}", self.name(*attribute, request))
            }
        }
    }

    /// The level that an attribute has its values of.
    fn level(&self, attribute: Attribute, request: &Request<'_>) -> Option<&Level> {
        let parts = &self.compiled().parts;
        let kind = match attribute {
            Attribute::Resource(place) => {
                let resource = request.resource.resource_type()?;
                resource.attributes.get(usize::from(place))?.kind
            }
            Attribute::Subject(place) => parts.subject.attributes.get(usize::from(place))?.kind,
            Attribute::Context(place) => parts.context.get(usize::from(place))?.kind,
            Attribute::ResourceId
            | Attribute::SubjectId
            | Attribute::SubjectKind
            | Attribute::OnBehalfOf
            | Attribute::Now => return None,
        };
        match kind {
            Type::Level(level) => parts.levels.get(usize::from(level)),
            Type::Text
            | Type::Integer
            | Type::Boolean
            | Type::Timestamp
            | Type::Uuid
            | Type::TextSet => None,
        }
    }

    fn name(&self, attribute: Attribute, request: &Request<'_>) -> String {
        let parts = &self.compiled().parts;
        let named = |whose: &str, all: &[crate::compile::shapes::Named], place: u16| {
            let name = all.get(usize::from(place)).map_or("", |one| &*one.name);
            format!("{whose}.{name}")
        };
        match attribute {
            Attribute::ResourceId => "resource.id".to_owned(),
            Attribute::Resource(place) => {
                let attributes = request
                    .resource
                    .resource_type()
                    .map(|kind| &kind.attributes);
                let attribute = attributes.and_then(|all| all.get(usize::from(place)));
                format!(
                    "resource.{}",
                    attribute.map_or("", |attribute| &*attribute.name)
                )
            }
            Attribute::SubjectId => "subject.id".to_owned(),
            Attribute::SubjectKind => "subject.kind".to_owned(),
            Attribute::OnBehalfOf => "subject.on_behalf_of".to_owned(),
            Attribute::Subject(place) => named("subject", &parts.subject.attributes, place),
            Attribute::Context(place) => named("context", &parts.context, place),
            Attribute::Now => "context.now".to_owned(),
        }
    }

    /// A value as text; that of a level by its name.
    fn shown(&self, value: Datum<'_>, of: Option<Attribute>, request: &Request<'_>) -> String {
        match value {
            Datum::Unknown => "unknown".to_owned(),
            Datum::Text(text) => {
                let mut shown: String = text.chars().take(MAX_SHOWN).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                format!("{shown:?}")
            }
            Datum::Integer(number) => number.to_string(),
            Datum::Boolean(value) => value.to_string(),
            Datum::Timestamp(micros) => {
                ringwall_core::clock::Timestamp::from_unix_micros(micros).to_string()
            }
            Datum::Uuid(uuid) => uuid_text(uuid),
            Datum::Level(place) => of
                .and_then(|attribute| self.level(attribute, request))
                .and_then(|level| level.members.get(usize::from(place)))
                .map_or_else(|| format!("level {place}"), ToString::to_string),
        }
    }
}

/// One line for the decision, and one for each rule.
impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.decision, f)?;
        for rule in &self.rules {
            let effect = match rule.effect {
                Effect::Permit => "permit",
                Effect::Forbid => "forbid",
            };
            let applies = if rule.applies {
                "applies"
            } else {
                "does not apply"
            };
            write!(f, "\n  {effect} {} {applies}: {}", rule.rule, rule.because)?;
        }
        for error in self.decision.errors() {
            write!(f, "\n  {error}")?;
        }
        Ok(())
    }
}
