//! The values that attributes have, and their types.

use core::cmp::Ordering;
use core::fmt;

use ringwall_core::classification::Sensitivity;
use ringwall_core::clock::Timestamp;

/// What a service tells about a resource, a subject or the circumstances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Known to be absent. For a policy the same as an attribute that nobody gave.
    Null,
    /// A text, a UUID or the name of a level, as the attribute's type demands.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// A time.
    Timestamp(Timestamp),
    /// A UUID in its sixteen bytes.
    Uuid([u8; 16]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(time: Timestamp) -> Self {
        Self::Timestamp(time)
    }
}

impl From<Sensitivity> for Value<'_> {
    fn from(level: Sensitivity) -> Self {
        Self::Text(level.as_str())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Type {
    Text,
    Integer,
    Boolean,
    Timestamp,
    Uuid,
    /// The place of the level among the policy's.
    Level(u16),
    TextSet,
}

impl Type {
    /// Whether `<` means something.
    pub(crate) const fn is_ordered(self) -> bool {
        match self {
            Self::Text | Self::Integer | Self::Timestamp | Self::Level(_) => true,
            Self::Boolean | Self::Uuid | Self::TextSet => false,
        }
    }
}

/// The names of one level, from the least to the greatest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Level {
    pub(crate) name: Box<str>,
    pub(crate) members: Box<[Box<str>]>,
}

impl Level {
    pub(crate) fn place_of(&self, name: &str) -> Option<u8> {
        let place = self.members.iter().position(|member| &**member == name)?;
        u8::try_from(place).ok()
    }
}

/// A value of a known type, as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Datum<'a> {
    Unknown,
    Text(&'a str),
    Integer(i64),
    Boolean(bool),
    Timestamp(i64),
    Uuid(u128),
    Level(u8),
}

/// A value that its attribute may not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    Type,
    /// PostgreSQL holds no such text, so no database could agree.
    Nul,
    /// More values than a subject may have.
    TooMany,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "is of another type than the policy says",
            Self::Nul => "holds the character NUL",
            Self::TooMany => "has too many values",
        })
    }
}

impl<'a> Datum<'a> {
    /// `value` as one of the type `kind`. A text that is no UUID, or no member of its level, is unknown, as it
    /// is in a row.
    pub(crate) fn new(value: Value<'a>, kind: Type, levels: &[Level]) -> Result<Self, Mismatch> {
        Ok(match (kind, value) {
            (_, Value::Null) => Self::Unknown,
            (Type::Text, Value::Text(text)) => {
                if text.contains('\0') {
                    return Err(Mismatch::Nul);
                }
                Self::Text(text)
            }
            (Type::Integer, Value::Integer(number)) => Self::Integer(number),
            (Type::Boolean, Value::Boolean(value)) => Self::Boolean(value),
            (Type::Timestamp, Value::Timestamp(time)) => Self::Timestamp(time.unix_micros()),
            (Type::Uuid, Value::Uuid(bytes)) => Self::Uuid(u128::from_be_bytes(bytes)),
            (Type::Uuid, Value::Text(text)) => parse_uuid(text).map_or(Self::Unknown, Self::Uuid),
            (Type::Level(level), Value::Text(text)) => levels
                .get(usize::from(level))
                .and_then(|level| level.place_of(text))
                .map_or(Self::Unknown, Self::Level),
            (
                Type::Text
                | Type::Integer
                | Type::Boolean
                | Type::Timestamp
                | Type::Uuid
                | Type::Level(_)
                | Type::TextSet,
                _,
            ) => return Err(Mismatch::Type),
        })
    }

    /// What somebody told to be known so.
    pub(crate) fn told<'b>(self, kind: Type, levels: &'b [Level]) -> Value<'b>
    where
        'a: 'b,
    {
        match self {
            Self::Unknown => Value::Null,
            Self::Text(text) => Value::Text(text),
            Self::Integer(number) => Value::Integer(number),
            Self::Boolean(value) => Value::Boolean(value),
            Self::Timestamp(micros) => Value::Timestamp(Timestamp::from_unix_micros(micros)),
            Self::Uuid(uuid) => Value::Uuid(uuid.to_be_bytes()),
            Self::Level(place) => match kind {
                Type::Level(level) => levels
                    .get(usize::from(level))
                    .and_then(|level| level.members.get(usize::from(place)))
                    .map_or(Value::Null, |name| Value::Text(name)),
                Type::Text
                | Type::Integer
                | Type::Boolean
                | Type::Timestamp
                | Type::Uuid
                | Type::TextSet => Value::Null,
            },
        }
    }

    /// The order of two values of one type. `None` when either is unknown.
    pub(crate) fn compare(self, other: Datum<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(left), Datum::Text(right)) => Some(left.cmp(right)),
            (Self::Integer(left), Datum::Integer(right)) => Some(left.cmp(&right)),
            (Self::Boolean(left), Datum::Boolean(right)) => Some(left.cmp(&right)),
            (Self::Timestamp(left), Datum::Timestamp(right)) => Some(left.cmp(&right)),
            (Self::Uuid(left), Datum::Uuid(right)) => Some(left.cmp(&right)),
            (Self::Level(left), Datum::Level(right)) => Some(left.cmp(&right)),
            (
                Self::Unknown
                | Self::Text(_)
                | Self::Integer(_)
                | Self::Boolean(_)
                | Self::Timestamp(_)
                | Self::Uuid(_)
                | Self::Level(_),
                _,
            ) => None,
        }
    }

    /// The value, if it is known.
    pub(crate) fn known(self) -> Option<Self> {
        self.is_known().then_some(self)
    }

    pub(crate) const fn is_known(self) -> bool {
        !matches!(self, Self::Unknown)
    }

    pub(crate) fn to_owned(self) -> OwnedDatum {
        match self {
            Self::Unknown => OwnedDatum::Unknown,
            Self::Text(text) => OwnedDatum::Text(text.into()),
            Self::Integer(number) => OwnedDatum::Integer(number),
            Self::Boolean(value) => OwnedDatum::Boolean(value),
            Self::Timestamp(micros) => OwnedDatum::Timestamp(micros),
            Self::Uuid(uuid) => OwnedDatum::Uuid(uuid),
            Self::Level(place) => OwnedDatum::Level(place),
        }
    }
}

/// A [`Datum`] that holds its text.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum OwnedDatum {
    Unknown,
    Text(Box<str>),
    Integer(i64),
    Boolean(bool),
    Timestamp(i64),
    Uuid(u128),
    Level(u8),
}

impl OwnedDatum {
    pub(crate) const fn get(&self) -> Datum<'_> {
        match self {
            Self::Unknown => Datum::Unknown,
            Self::Text(text) => Datum::Text(text),
            Self::Integer(number) => Datum::Integer(*number),
            Self::Boolean(value) => Datum::Boolean(*value),
            Self::Timestamp(micros) => Datum::Timestamp(*micros),
            Self::Uuid(uuid) => Datum::Uuid(*uuid),
            Self::Level(place) => Datum::Level(*place),
        }
    }
}

/// Reads a UUID in its one text with hyphens (RFC 9562 §4), in either case of letters.
pub(crate) fn parse_uuid(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    if bytes.len() != 36 {
        return None;
    }
    let mut uuid = 0_u128;
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 8 | 13 | 18 | 23) {
            if *byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(*byte).to_digit(16)?;
        uuid = (uuid << 4) | u128::from(digit);
    }
    Some(uuid)
}

/// The text of a UUID (RFC 9562 §4).
pub(crate) fn uuid_text(uuid: u128) -> String {
    let hex = format!("{uuid:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_uuid_in_its_one_form() {
        let text = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
        let uuid = parse_uuid(text).expect("RFC 9562 §4");
        assert_eq!(uuid_text(uuid), text);
        assert_eq!(parse_uuid(&text.to_uppercase()), Some(uuid));
        for wrong in [
            "",
            "f81d4fae7dec11d0a76500a0c91e6bf6",
            "{f81d4fae-7dec-11d0-a765-00a0c91e6bf6}",
            "f81d4fae-7dec-11d0-a765-00a0c91e6bfg",
            "f81d4fae-7dec-11d0-a765_00a0c91e6bf6",
            "+81d4fae-7dec-11d0-a765-00a0c91e6bf6",
        ] {
            assert_eq!(parse_uuid(wrong), None, "{wrong}");
        }
    }
}
