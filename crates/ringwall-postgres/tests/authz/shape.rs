//! How tenants, subjects and rows are known: by texts, by UUIDs, rows also by numbers. Each combination has tables of
//! its own.

use crate::dice::Dice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Text,
    Uuid,
    Integer,
}

impl Key {
    /// As a policy names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Integer => "integer",
        }
    }

    /// The type of a column in PostgreSQL.
    pub(crate) const fn postgres(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Integer => "bigint",
        }
    }

    /// The type of a column in SQLite.
    pub(crate) const fn sqlite(self) -> &'static str {
        match self {
            Self::Text | Self::Uuid => "text",
            Self::Integer => "integer",
        }
    }
}

/// Which types the keys of one policy and its tables have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) tenant: Key,
    pub(crate) subject: Key,
    pub(crate) id: Key,
}

/// Who acts. Each has an id of its own, so that all can be known at once.
pub(crate) const SUBJECTS: [&str; 8] = ["u1", "u2", "U1", "o'x", "ü", "u 1", "%", "a"];
const SUBJECT_UUIDS: [&str; 8] = [
    "5ba1e000-0000-4000-8000-00000000000a",
    "5ba1e000-0000-4000-8000-00000000000b",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "5ba1e000-0000-4000-8000-00000000000c",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "5ba1e000-0000-4000-8000-00000000000d",
    "00000000-0000-0000-0000-000000000000",
    "5ba1e000-0000-4000-8000-00000000000e",
];

impl Shape {
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let keys = [Key::Text, Key::Uuid];
        keys.into_iter().flat_map(move |tenant| {
            keys.into_iter().flat_map(move |subject| {
                [Key::Text, Key::Uuid, Key::Integer].map(move |id| Self {
                    tenant,
                    subject,
                    id,
                })
            })
        })
    }

    pub(crate) fn random(dice: &mut Dice) -> Self {
        Self {
            tenant: *dice.of(&[Key::Text, Key::Uuid]),
            subject: *dice.of(&[Key::Text, Key::Uuid]),
            id: *dice.of(&[Key::Text, Key::Uuid, Key::Integer]),
        }
    }

    fn suffix(self) -> String {
        let (tenant, subject, id) = (self.tenant.name(), self.subject.name(), self.id.name());
        format!("{tenant}_{subject}_{id}")
    }

    pub(crate) fn cases(self) -> String {
        format!("cases_{}", self.suffix())
    }

    pub(crate) fn departments(self) -> String {
        format!("departments_{}", self.suffix())
    }

    pub(crate) fn assignments(self) -> String {
        format!("assignments_{}", self.suffix())
    }

    pub(crate) fn probe(self) -> String {
        format!("probe_{}", self.suffix())
    }

    /// The organisation of all callers, and another one.
    pub(crate) const fn orgs(self) -> [&'static str; 2] {
        match self.tenant {
            Key::Uuid => [
                "0a6b0000-0000-4000-8000-0000000000a1",
                "0a6b0000-0000-4000-8000-0000000000a2",
            ],
            Key::Text | Key::Integer => ["o1", "o2"],
        }
    }

    pub(crate) const fn projects(self) -> [&'static str; 2] {
        match self.tenant {
            Key::Uuid => [
                "0a6b0000-0000-4000-8000-0000000000b1",
                "0a6b0000-0000-4000-8000-0000000000b2",
            ],
            Key::Text | Key::Integer => ["p1", "p2"],
        }
    }

    pub(crate) const fn subjects(self) -> [&'static str; 8] {
        match self.subject {
            Key::Uuid => SUBJECT_UUIDS,
            Key::Text | Key::Integer => SUBJECTS,
        }
    }

    /// A tenant as a table holds it: in SQLite, UUIDs stand in lower-case letters.
    pub(crate) fn stored_tenant(self, text: &str) -> String {
        stored(self.tenant, text)
    }

    pub(crate) fn stored_subject(self, text: &str) -> String {
        stored(self.subject, text)
    }

    /// The id of a row.
    pub(crate) fn id_of(self, number: usize) -> String {
        match self.id {
            Key::Text => format!("c{number}"),
            Key::Uuid => format!("c45e0000-0000-4000-8000-{number:012}"),
            Key::Integer => (i64::try_from(number).expect("it fits") - 2).to_string(),
        }
    }
}

fn stored(key: Key, text: &str) -> String {
    match key {
        Key::Uuid => text.to_lowercase(),
        Key::Text | Key::Integer => text.to_owned(),
    }
}
