//! Conditions as they are evaluated.

use core::cmp::Ordering;

use crate::truth::Truth;
use crate::value::{Datum, OwnedDatum};

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Comparison {
    pub(crate) const fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Eq => order.is_eq(),
            Self::Ne => order.is_ne(),
            Self::Lt => order.is_lt(),
            Self::Le => order.is_le(),
            Self::Gt => order.is_gt(),
            Self::Ge => order.is_ge(),
        }
    }

    /// The operator as SQL and people write it.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        }
    }

    /// The comparison with its sides exchanged.
    pub(crate) const fn turned(self) -> Self {
        match self {
            Self::Eq => Self::Eq,
            Self::Ne => Self::Ne,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Term {
    Constant(OwnedDatum),
    Attribute(Attribute),
}

/// Something that is known only when it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Attribute {
    ResourceId,
    Resource(u16),
    SubjectId,
    SubjectKind,
    OnBehalfOf,
    Subject(u16),
    Context(u16),
    Now,
}

impl Attribute {
    pub(crate) const fn is_of_resource(self) -> bool {
        match self {
            Self::ResourceId | Self::Resource(_) => true,
            Self::SubjectId
            | Self::SubjectKind
            | Self::OnBehalfOf
            | Self::Subject(_)
            | Self::Context(_)
            | Self::Now => false,
        }
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Known(Truth),
    Compare(Comparison, Term, Term),
    /// Sorted, without doubles.
    OneOf(Term, Box<[OwnedDatum]>),
    /// A member of a set of the subject.
    Member(Term, u16),
    IsSet(Attribute),
    Related(u16, Term),
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
}

/// What conditions are asked about.
pub(crate) trait Facts {
    fn value(&self, attribute: Attribute) -> Datum<'_>;
    /// Whether the attribute has a value.
    fn is_set(&self, attribute: Attribute) -> Truth;
    /// Whether `value`, which is known, is a member of the subject's set. `None` when nobody told the set.
    fn is_member(&self, set: u16, value: Datum<'_>) -> Option<bool>;
    /// Whether the subject stands in the relation to `value`, which is known. `None` when nobody told.
    fn is_related(&self, relation: u16, value: Datum<'_>) -> Option<bool>;
}

impl Term {
    pub(crate) fn value<'a>(&'a self, facts: &'a impl Facts) -> Datum<'a> {
        match self {
            Self::Constant(value) => value.get(),
            Self::Attribute(attribute) => facts.value(*attribute),
        }
    }

    pub(crate) const fn attribute(&self) -> Option<Attribute> {
        match self {
            Self::Constant(_) => None,
            Self::Attribute(attribute) => Some(*attribute),
        }
    }
}

impl Node {
    /// The answer, if it depends on nothing.
    pub(crate) const fn answer(&self) -> Option<Truth> {
        if let Self::Known(truth) = self {
            Some(*truth)
        } else {
            None
        }
    }

    /// Calls `visit` for the condition and each part of it.
    pub(crate) fn walk(&self, visit: &mut dyn FnMut(&Self)) {
        visit(self);
        match self {
            Self::All(nodes) | Self::Any(nodes) => {
                for node in nodes {
                    node.walk(visit);
                }
            }
            Self::Not(node) => node.walk(visit),
            Self::Known(_)
            | Self::Compare(..)
            | Self::OneOf(..)
            | Self::Member(..)
            | Self::IsSet(_)
            | Self::Related(..) => {}
        }
    }

    /// Whether it holds. Conditions are at most 32 deep, so this ends.
    pub(crate) fn evaluate(&self, facts: &impl Facts) -> Truth {
        match self {
            Self::Known(truth) => *truth,
            Self::Compare(comparison, left, right) => {
                let order = left.value(facts).compare(right.value(facts));
                Truth::from(order.map(|order| comparison.holds(order)))
            }
            Self::OneOf(term, members) => {
                let value = term.value(facts).known();
                Truth::from(value.map(|value| is_among(members, value)))
            }
            Self::Member(term, set) => {
                let value = term.value(facts).known();
                Truth::from(value.and_then(|value| facts.is_member(*set, value)))
            }
            Self::IsSet(attribute) => facts.is_set(*attribute),
            Self::Related(relation, term) => {
                let value = term.value(facts).known();
                Truth::from(value.and_then(|value| facts.is_related(*relation, value)))
            }
            Self::All(nodes) => {
                let mut all = Truth::True;
                for node in nodes {
                    all = all.min(node.evaluate(facts));
                    if all == Truth::False {
                        break;
                    }
                }
                all
            }
            Self::Any(nodes) => {
                let mut any = Truth::False;
                for node in nodes {
                    any = any.max(node.evaluate(facts));
                    if any == Truth::True {
                        break;
                    }
                }
                any
            }
            Self::Not(node) => node.evaluate(facts).negated(),
        }
    }

    /// The same condition with the parts that no fact can change already answered.
    pub(crate) fn folded(self) -> Self {
        match self {
            Self::All(nodes) => connect(nodes, Truth::True, Truth::False, Self::All),
            Self::Any(nodes) => connect(nodes, Truth::False, Truth::True, Self::Any),
            Self::Not(node) => {
                let node = node.folded();
                match node.answer() {
                    Some(truth) => Self::Known(truth.negated()),
                    None => Self::Not(Box::new(node)),
                }
            }
            Self::Compare(comparison, Term::Constant(left), Term::Constant(right)) => {
                let order = left.get().compare(right.get());
                Self::Known(Truth::from(order.map(|order| comparison.holds(order))))
            }
            // Constants stand on the right.
            Self::Compare(comparison, left @ Term::Constant(_), right) => {
                Self::Compare(comparison.turned(), right, left)
            }
            Self::OneOf(Term::Constant(value), members) => {
                let value = value.get().known();
                Self::Known(Truth::from(value.map(|value| is_among(&members, value))))
            }
            other @ (Self::Known(_)
            | Self::Compare(..)
            | Self::OneOf(..)
            | Self::Member(..)
            | Self::IsSet(_)
            | Self::Related(..)) => other,
        }
    }
}

/// Folds the parts of a connective: `neutral` parts fall away, a `decisive` one decides.
fn connect(
    nodes: Box<[Node]>,
    neutral: Truth,
    decisive: Truth,
    whole: impl Fn(Box<[Node]>) -> Node,
) -> Node {
    let mut left = Vec::with_capacity(nodes.len());
    let mut is_unknown = false;
    for node in nodes {
        let node = node.folded();
        match node.answer() {
            Some(truth) if truth == neutral => {}
            Some(truth) if truth == decisive => return Node::Known(decisive),
            Some(_) => is_unknown = true,
            None => left.push(node),
        }
    }
    if left.is_empty() {
        return Node::Known(if is_unknown { Truth::Unknown } else { neutral });
    }
    if is_unknown {
        left.push(Node::Known(Truth::Unknown));
    }
    match left.pop() {
        Some(only) if left.is_empty() => only,
        Some(last) => {
            left.push(last);
            whole(left.into())
        }
        None => Node::Known(neutral),
    }
}

fn is_among(members: &[OwnedDatum], value: Datum<'_>) -> bool {
    members
        .binary_search_by(|member| {
            // All are of one type, so there is an order.
            member.get().compare(value).unwrap_or(Ordering::Less)
        })
        .is_ok()
}
