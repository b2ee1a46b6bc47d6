//! Answering what depends on the subject and the context, and leaving what each row answers.

use crate::compile::Parts;
use crate::compile::shapes::ResourceType;
use crate::context::Context;
use crate::decide::told_is_set;
use crate::node::{Attribute, Node, Term};
use crate::subject::{Known, Related};
use crate::truth::Truth;
use crate::value::{Datum, OwnedDatum};

/// What is known before any row is looked at.
pub(super) struct Partial<'a> {
    pub(super) subject: &'a Known,
    pub(super) context: &'a Context<'a>,
    pub(super) now: i64,
    pub(super) resource: &'a ResourceType,
    pub(super) parts: &'a Parts,
}

impl Partial<'_> {
    /// The condition in which only attributes of rows are left. The error says what no column holds.
    pub(super) fn answer(&self, node: &Node) -> Result<Node, String> {
        Ok(self.replace(node)?.folded())
    }

    fn replace(&self, node: &Node) -> Result<Node, String> {
        Ok(match node {
            Node::Known(truth) => Node::Known(*truth),
            Node::Compare(comparison, left, right) => {
                let (left, right) = (self.term(left)?, self.term(right)?);
                if is_unknown(&left) || is_unknown(&right) {
                    Node::Known(Truth::Unknown)
                } else {
                    Node::Compare(*comparison, left, right)
                }
            }
            Node::OneOf(term, members) => self.one_of(self.term(term)?, members.clone()),
            Node::Member(term, set) => {
                let term = self.term(term)?;
                match self.subject.values(*set, self.now) {
                    None => Node::Known(Truth::Unknown),
                    Some(values) => {
                        let mut members: Vec<OwnedDatum> = values.cloned().collect();
                        members.sort_unstable();
                        members.dedup();
                        self.one_of(term, members.into())
                    }
                }
            }
            Node::IsSet(attribute) if attribute.is_of_resource() => {
                self.column(*attribute)?;
                Node::IsSet(*attribute)
            }
            Node::IsSet(attribute) => Node::Known(told_is_set(
                *attribute,
                self.subject,
                self.context,
                self.now,
            )),
            Node::Related(relation, term) => self.related(*relation, self.term(term)?)?,
            Node::All(parts) => Node::All(self.each(parts)?),
            Node::Any(parts) => Node::Any(self.each(parts)?),
            Node::Not(part) => Node::Not(Box::new(self.replace(part)?)),
        })
    }

    fn each(&self, parts: &[Node]) -> Result<Box<[Node]>, String> {
        parts.iter().map(|part| self.replace(part)).collect()
    }

    #[expect(clippy::unused_self, reason = "it reads like its siblings")]
    fn one_of(&self, term: Term, members: Box<[OwnedDatum]>) -> Node {
        if is_unknown(&term) {
            Node::Known(Truth::Unknown)
        } else {
            Node::OneOf(term, members)
        }
    }

    fn related(&self, relation: u16, term: Term) -> Result<Node, String> {
        if is_unknown(&term) {
            return Ok(Node::Known(Truth::Unknown));
        }
        let told = self.subject.relations.get(usize::from(relation));
        if let Some(Related::All(members)) = told {
            return Ok(Node::OneOf(term, members.iter().cloned().collect()));
        }
        if let Term::Constant(value) = &term
            && let Some(is_related) = self.subject.is_related(relation, value.get())
        {
            return Ok(Node::Known(Truth::from(is_related)));
        }
        if !self.subject.has_pairs_in_database(relation) {
            // As it is decided in the process.
            return Ok(Node::Known(Truth::Unknown));
        }
        let definition = self.parts.relations.get(usize::from(relation));
        match definition {
            Some(definition) if definition.table.is_none() => Err(format!(
                "the relation {}, which has no table",
                definition.name
            )),
            Some(_) | None => Ok(Node::Related(relation, term)),
        }
    }

    fn term(&self, term: &Term) -> Result<Term, String> {
        Ok(match term {
            Term::Constant(value) => Term::Constant(value.clone()),
            Term::Attribute(attribute) if attribute.is_of_resource() => {
                self.column(*attribute)?;
                Term::Attribute(*attribute)
            }
            Term::Attribute(attribute) => Term::Constant(self.value(*attribute).to_owned()),
        })
    }

    /// Refuses what stands in no column.
    fn column(&self, attribute: Attribute) -> Result<(), String> {
        let Attribute::Resource(place) = attribute else {
            return Ok(());
        };
        match self.resource.attributes.get(usize::from(place)) {
            Some(attribute) if attribute.column.is_none() => {
                Err(format!("resource.{}, which is computed", attribute.name))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn value(&self, attribute: Attribute) -> Datum<'_> {
        match attribute {
            Attribute::SubjectId => self.subject.id(),
            Attribute::SubjectKind => Datum::Text(self.subject.kind().as_str()),
            Attribute::OnBehalfOf => self.subject.on_behalf_of(),
            Attribute::Subject(place) => self.subject.value(place, self.now),
            Attribute::Context(place) => self.context.value(place),
            Attribute::Now => Datum::Timestamp(self.now),
            Attribute::ResourceId | Attribute::Resource(_) => Datum::Unknown,
        }
    }
}

const fn is_unknown(term: &Term) -> bool {
    matches!(term, Term::Constant(OwnedDatum::Unknown))
}

/// What makes a permit apply: where it is unknown it does not, as where it is false.
pub(super) fn permitting(node: Node) -> Node {
    settled(node, Truth::False).folded()
}

/// What makes a forbid apply: where it is unknown it does, as where it is true.
pub(super) fn forbidding(node: Node) -> Node {
    settled(node, Truth::True).folded()
}

/// Takes what is unknown for `truth`, as far as no negation stands around it.
fn settled(node: Node, truth: Truth) -> Node {
    let each = |parts: Box<[Node]>| parts.into_iter().map(|part| settled(part, truth)).collect();
    match node {
        Node::Known(Truth::Unknown) => Node::Known(truth),
        Node::All(parts) => Node::All(each(parts)),
        Node::Any(parts) => Node::Any(each(parts)),
        other @ (Node::Known(_)
        | Node::Compare(..)
        | Node::OneOf(..)
        | Node::Member(..)
        | Node::IsSet(_)
        | Node::Related(..)
        | Node::Not(_)) => other,
    }
}
