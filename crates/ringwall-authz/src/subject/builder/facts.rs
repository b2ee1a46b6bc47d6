//! What a directory knows of a subject, taken over.

use ringwall_core::clock::Timestamp;

use super::{Attribute, MAX_SUBJECT_VALUES, SubjectBuilder};
use crate::compile::shapes::find;
use crate::directory::SubjectFacts;
use crate::value::{OwnedDatum, Type, Value};

impl SubjectBuilder {
    /// Takes over what a [directory](crate::PolicyInformationPoint) knows: its roles, the attributes that the policy
    /// has, all of which are known then, and its departments where the policy has a relation `user_departments`. The
    /// database is [asked](Self::in_directory_as) for the attributes of the credential's subject, unless another name is
    /// stated or its issuer is [foreign](Self::of_foreign_issuer).
    #[must_use]
    pub fn facts(mut self, facts: &SubjectFacts) -> Self {
        let policy = self.policy.clone();
        let parts = &policy.compiled().parts;
        for place in (0_u16..).take(parts.subject.attributes.len()) {
            self.complete(place);
        }
        for stored in &facts.attributes {
            // A directory serves more policies than this one.
            if let Some((place, kind)) = find(&parts.subject.attributes, &stored.key) {
                let value = stored_value(kind, &stored.value);
                if value == Value::Null {
                    self.push_unreadable(place, stored.expires_at);
                } else {
                    self = self.tell(place, kind, &stored.key, value, stored.expires_at);
                }
            }
        }
        if let Some((place, Type::Text)) = self.relation(DEPARTMENTS) {
            self = self.related(DEPARTMENTS, facts.departments.iter().map(|name| &**name));
            self.of_directory = Some(place);
        }
        self.has_facts = true;
        self.roles(&facts.roles).version(facts.version)
    }

    /// Something is there, and nobody knows what.
    fn push_unreadable(&mut self, place: u16, expires_at: Option<Timestamp>) {
        let until = expires_at.map_or(i64::MAX, Timestamp::unix_micros);
        self.values = self.values.saturating_add(1);
        if let Some(slot) = self.attributes.get_mut(usize::from(place)) {
            if self.values > MAX_SUBJECT_VALUES {
                *slot = Attribute::Broken;
            } else {
                slot.push(OwnedDatum::Unknown, until);
            }
        }
    }
}

/// The relation in which a directory's departments are told.
const DEPARTMENTS: &str = "user_departments";

/// A stored text in the type that the policy demands; null when it is none of it, as it is for a database.
fn stored_value(kind: Type, text: &str) -> Value<'_> {
    match kind {
        Type::Text | Type::TextSet | Type::Uuid | Type::Level(_) => Value::Text(text),
        Type::Integer => {
            let number = text.parse::<i64>().ok();
            let number = number.filter(|number| number.to_string() == text);
            number.map_or(Value::Null, Value::Integer)
        }
        Type::Boolean => match text {
            "true" => Value::Boolean(true),
            "false" => Value::Boolean(false),
            _ => Value::Null,
        },
        Type::Timestamp => stored_time(text).map_or(Value::Null, Value::Timestamp),
    }
}

/// A stored time, when it is one that PostgreSQL reads too: it has no year 0, and no offset of sixteen hours.
fn stored_time(text: &str) -> Option<Timestamp> {
    let ending = text.get(text.len().checked_sub(6)?..)?;
    let is_far = ending
        .strip_prefix(['+', '-'])
        .is_some_and(|offset| offset >= "16:");
    if is_far || text.starts_with("0000") {
        return None;
    }
    text.parse().ok()
}
