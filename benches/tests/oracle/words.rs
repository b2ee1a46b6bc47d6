//! What policies and requests are made of: types, the attributes of each, and their values.

use ringwall_core::clock::Timestamp;

use crate::dice::Dice;

/// The types that both engines can compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// Ordered by its place; to Cedar a number.
    Level,
    Integer,
    Boolean,
    /// To Cedar a number of microseconds.
    Time,
    /// To Cedar a text.
    Uuid,
}

pub(crate) const KINDS: [Kind; 6] = [
    Kind::Text,
    Kind::Level,
    Kind::Integer,
    Kind::Boolean,
    Kind::Time,
    Kind::Uuid,
];

impl Kind {
    /// Its name in a policy of ours.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Level => "sensitivity",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
            Self::Time => "timestamp",
            Self::Uuid => "uuid",
        }
    }

    /// Whether less and greater are compared. Cedar orders no texts.
    pub(crate) const fn is_ordered(self) -> bool {
        matches!(self, Self::Level | Self::Integer | Self::Time)
    }
}

/// A value, as the requests state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(&'static str),
    Level(&'static str),
    Integer(i64),
    Boolean(bool),
    Time(&'static str),
    Uuid(&'static str),
}

pub(crate) const TEXTS: [&str; 8] = ["a", "b", "B", "ä", "", "a b", "o'x\"", "\\*"];
pub(crate) const LEVELS: [&str; 4] = ["public", "internal", "confidential", "restricted"];
pub(crate) const SUBJECTS: [&str; 3] = ["u1", "u2", "a"];
pub(crate) const ROLES: [&str; 4] = ["admin", "manager", "analyst", "viewer"];
pub(crate) const SCOPES: [&str; 4] = ["cases:read", "cases:write", "reports:read", "x"];
pub(crate) const IDS: [&str; 5] = ["c1", "c2", "c3", "a", "b"];

const NUMBERS: [i64; 6] = [i64::MIN, -1, 0, 1, 7, i64::MAX];
const TIMES: [&str; 4] = [
    "1969-12-31T23:59:59.999999Z",
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.000001Z",
    "2030-06-01T12:00:00Z",
];
const UUIDS: [&str; 4] = [
    "00000000-0000-0000-0000-000000000000",
    "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    // The same as the one before.
    "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
];

impl Value {
    pub(crate) fn random(dice: &mut Dice, kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text(dice.of(&TEXTS)),
            Kind::Level => Self::Level(dice.of(&LEVELS)),
            Kind::Integer => Self::Integer(dice.of(&NUMBERS)),
            Kind::Boolean => Self::Boolean(dice.chance(50)),
            Kind::Time => Self::Time(dice.of(&TIMES)),
            Kind::Uuid => Self::Uuid(dice.of(&UUIDS)),
        }
    }
}

/// An attribute by its path, and its type.
pub(crate) type Attribute = (&'static str, Kind);

/// Attributes that every request states.
const SUBJECT: [Attribute; 6] = [
    ("subject.team", Kind::Text),
    ("subject.clearance", Kind::Level),
    ("subject.limit", Kind::Integer),
    ("subject.trusted", Kind::Boolean),
    ("subject.since", Kind::Time),
    ("subject.device", Kind::Uuid),
];
const CONTEXT: [Attribute; 2] = [
    ("context.purpose", Kind::Text),
    ("context.amount", Kind::Integer),
];
const CASE: [Attribute; 8] = [
    ("resource.owner", Kind::Text),
    ("resource.department", Kind::Text),
    ("resource.region", Kind::Text),
    ("resource.sensitivity", Kind::Level),
    ("resource.amount", Kind::Integer),
    ("resource.flag", Kind::Boolean),
    ("resource.opened", Kind::Time),
    ("resource.device", Kind::Uuid),
];
const REPORT: [Attribute; 3] = [
    ("resource.owner", Kind::Text),
    ("resource.amount", Kind::Integer),
    ("resource.flag", Kind::Boolean),
];
/// What the engines know without being told.
const GIVEN: [Attribute; 4] = [
    ("subject.id", Kind::Text),
    ("subject.kind", Kind::Text),
    ("resource.id", Kind::Text),
    ("context.now", Kind::Time),
];

/// Attributes that some requests leave out: all that is asked of them is whether they are there.
pub(crate) const MAY_BE_ABSENT: [&str; 3] = ["subject.nickname", "resource.note", "context.ticket"];

/// The attributes that requests state of subjects, or of the context.
pub(crate) const fn of_subject() -> &'static [Attribute] {
    &SUBJECT
}

pub(crate) const fn of_context() -> &'static [Attribute] {
    &CONTEXT
}

/// A type of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Case,
    Report,
}

impl Type {
    pub(crate) const ALL: [Self; 2] = [Self::Case, Self::Report];

    /// Its name in a policy of ours.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Report => "report",
        }
    }

    pub(crate) const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Case => &["read", "create", "update", "delete"],
            Self::Report => &["read", "export"],
        }
    }

    pub(crate) const fn attributes(self) -> &'static [Attribute] {
        match self {
            Self::Case => &CASE,
            Self::Report => &REPORT,
        }
    }

    /// The paths that a rule for it may name where a value of the type `kind` stands.
    pub(crate) fn paths(self, kind: Kind) -> Vec<&'static str> {
        let all = [&SUBJECT[..], &CONTEXT, self.attributes(), &GIVEN];
        let all = all.into_iter().flatten();
        let all = all.filter(|(_, own)| *own == kind);
        all.map(|(path, _)| *path).collect()
    }
}

/// The type of an attribute, by its path.
pub(crate) fn kind_of(path: &str) -> Option<Kind> {
    let all = [&SUBJECT[..], &CONTEXT, &CASE, &REPORT, &GIVEN];
    let mut all = all.into_iter().flatten();
    all.find(|(own, _)| *own == path).map(|(_, kind)| *kind)
}

/// A path without its first word.
pub(crate) fn name_of(path: &'static str) -> &'static str {
    path.split_once('.').expect("a path").1
}

/// The time of all decisions.
pub(crate) fn now() -> Timestamp {
    time("2026-01-01T00:00:00Z")
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}
