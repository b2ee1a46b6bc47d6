//! What the rules for rows of a database ask for.

use super::Parts;
use super::rules::CompiledRule;
use super::shapes::Table;
use crate::bits::Bits;
use crate::node::{Attribute, Node, Term};

/// The attributes that rules about commands on a table ask for, by their places: what a database has to know to decide as
/// the process does.
#[derive(Debug, Default)]
pub(crate) struct AskedOfRows {
    /// Of the subject, in whatever way.
    pub(crate) subject: Bits<1>,
    /// Of the subject, whether it is set.
    pub(crate) subject_is_set: Bits<1>,
    /// Of the context, whether it is set.
    pub(crate) context_is_set: Bits<1>,
}

impl AskedOfRows {
    pub(super) fn of(parts: &Parts, rules: &[CompiledRule]) -> Self {
        let mut asked = Self::default();
        for rule in rules {
            let resource = parts.types.get(usize::from(rule.resource));
            let table = resource.and_then(|resource| resource.table.as_ref());
            // An action that is no command is decided in the process alone.
            let is_for_rows = |table: &Table| {
                let mut commands = table.commands.iter().flatten();
                commands.any(|action| rule.actions.contains(action))
            };
            if table.is_some_and(is_for_rows) {
                rule.when.walk(&mut |node| asked.take(node));
            }
        }
        asked
    }

    fn take(&mut self, node: &Node) {
        match node {
            Node::Compare(_, left, right) => {
                self.term(left);
                self.term(right);
            }
            Node::OneOf(term, _) | Node::Related(_, term) => self.term(term),
            Node::Member(term, set) => {
                self.term(term);
                self.subject.insert(*set);
            }
            Node::IsSet(Attribute::Subject(place)) => {
                self.subject.insert(*place);
                self.subject_is_set.insert(*place);
            }
            Node::IsSet(Attribute::Context(place)) => self.context_is_set.insert(*place),
            Node::IsSet(_) | Node::Known(_) | Node::All(_) | Node::Any(_) | Node::Not(_) => {}
        }
    }

    fn term(&mut self, term: &Term) {
        if let Some(Attribute::Subject(place)) = term.attribute() {
            self.subject.insert(place);
        }
    }
}
