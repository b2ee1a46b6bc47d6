//! What a rule asks about the subject, the resource and the context.

use core::fmt;

use ringwall_core::clock::Timestamp;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A question that is true, false or unknown.
///
/// An attribute that is null, and one that nobody gave, are the same: unknown. So is every comparison with
/// one, and [`IsSet`](Condition::IsSet) is the only question that such an attribute answers. The connectives
/// are those of SQL (Kleene's): *all* is false when any is false, *any* is true when any is true, and the
/// negation of what is unknown is unknown.
///
/// A permit needs a condition that is true. A forbid acts when its condition is true **or unknown**.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Condition {
    /// Every one of these. An empty list is refused when the policy is loaded: it would be true for all.
    All(Vec<Condition>),
    /// At least one of these. An empty list is false.
    Any(Vec<Condition>),
    /// The contrary.
    Not(Box<Condition>),
    /// Both are the same, byte for byte where they are texts.
    Eq(Operand, Operand),
    /// They differ.
    Ne(Operand, Operand),
    /// The first is less than the second. Texts are compared by their bytes in UTF-8, levels by their order.
    Lt(Operand, Operand),
    /// The first is at most the second.
    Le(Operand, Operand),
    /// The first is greater than the second.
    Gt(Operand, Operand),
    /// The first is at least the second.
    Ge(Operand, Operand),
    /// The first is one of the second.
    In(Operand, SetOperand),
    /// The attribute is there and is not null: the one question that null answers. It is unknown where something is there
    /// that is no value: one that is not of its type, or of a subject's attribute several at once.
    IsSet(Operand),
    /// The subject stands in this relation, by its name in the policy, to the value.
    Related(String, Operand),
}

/// What is compared: an attribute by its path, or a constant.
///
/// In a document a bare text is always a path; a constant text is written `{ text = "eu" }`, so that a slip in
/// a path is never taken for a constant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operand {
    /// `subject.…`, `resource.…` or `context.…`.
    Path(String),
    /// A constant text: also a level, a UUID, as its partner in the comparison demands.
    Text(String),
    /// A constant number.
    Integer(i64),
    /// A constant truth value.
    Boolean(bool),
    /// A constant time.
    Timestamp(Timestamp),
}

/// What something may be a member of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a set is the path of one (\"subject.regions\"), or a list of constants"
)]
pub enum SetOperand {
    /// An attribute that holds a set: `subject.…` or `context.…`.
    Path(String),
    /// Constants of one type.
    Constants(Vec<Constant>),
}

/// A member of a set of constants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "a constant is a text, a whole number or a truth value"
)]
pub enum Constant {
    /// A truth value.
    Boolean(bool),
    /// A number.
    Integer(i64),
    /// A text, a level, a UUID, or a time in RFC 3339, as the other side demands.
    Text(String),
}

impl Condition {
    /// Every one of these.
    #[must_use]
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::All(conditions.into_iter().collect())
    }

    /// At least one of these.
    #[must_use]
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::Any(conditions.into_iter().collect())
    }

    /// The contrary of `condition`.
    #[must_use]
    #[expect(
        clippy::should_implement_trait,
        reason = "it makes a condition of one, beside `all` and `any`; it is no operator"
    )]
    pub fn not(condition: Self) -> Self {
        Self::Not(Box::new(condition))
    }

    /// Both are the same.
    #[must_use]
    pub fn eq(left: impl Into<Operand>, right: impl Into<Operand>) -> Self {
        Self::Eq(left.into(), right.into())
    }

    /// They differ.
    #[must_use]
    pub fn ne(left: impl Into<Operand>, right: impl Into<Operand>) -> Self {
        Self::Ne(left.into(), right.into())
    }

    /// The first is less than the second.
    #[must_use]
    pub fn lt(left: impl Into<Operand>, right: impl Into<Operand>) -> Self {
        Self::Lt(left.into(), right.into())
    }

    /// The first is at most the second.
    #[must_use]
    pub fn le(left: impl Into<Operand>, right: impl Into<Operand>) -> Self {
        Self::Le(left.into(), right.into())
    }

    /// The first is greater than the second.
    #[must_use]
    pub fn gt(left: impl Into<Operand>, right: impl Into<Operand>) -> Self {
        Self::Gt(left.into(), right.into())
    }

    /// The first is at least the second.
    #[must_use]
    pub fn ge(left: impl Into<Operand>, right: impl Into<Operand>) -> Self {
        Self::Ge(left.into(), right.into())
    }

    /// The operand is one of these constants.
    #[must_use]
    pub fn one_of(
        operand: impl Into<Operand>,
        constants: impl IntoIterator<Item: Into<Constant>>,
    ) -> Self {
        let constants = constants.into_iter().map(Into::into).collect();
        Self::In(operand.into(), SetOperand::Constants(constants))
    }

    /// The operand is a member of the set at `path`.
    #[must_use]
    pub fn member(operand: impl Into<Operand>, path: impl Into<String>) -> Self {
        Self::In(operand.into(), SetOperand::Path(path.into()))
    }

    /// The attribute at `path` is there and not null.
    #[must_use]
    pub fn is_set(path: impl Into<String>) -> Self {
        Self::IsSet(Operand::Path(path.into()))
    }

    /// The subject stands in `relation` to `operand`.
    #[must_use]
    pub fn related(relation: impl Into<String>, operand: impl Into<Operand>) -> Self {
        Self::Related(relation.into(), operand.into())
    }
}

impl Operand {
    /// The attribute at `path`, such as `resource.owner`.
    #[must_use]
    pub fn path(path: impl Into<String>) -> Self {
        Self::Path(path.into())
    }

    /// A constant text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// A path: constants are made with [`Operand::text`].
impl From<&str> for Operand {
    fn from(path: &str) -> Self {
        Self::Path(path.to_owned())
    }
}

impl From<i64> for Operand {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Operand {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<Timestamp> for Operand {
    fn from(time: Timestamp) -> Self {
        Self::Timestamp(time)
    }
}

impl From<&str> for Constant {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Constant {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl Serialize for Operand {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (name, text) = match self {
            Self::Path(path) => return serializer.serialize_str(path),
            Self::Integer(number) => return serializer.serialize_i64(*number),
            Self::Boolean(value) => return serializer.serialize_bool(*value),
            Self::Text(text) => ("text", text.clone()),
            Self::Timestamp(time) => ("timestamp", time.to_string()),
        };
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(name, &text)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Operand {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OperandVisitor)
    }
}

struct OperandVisitor;

impl<'de> Visitor<'de> for OperandVisitor {
    type Value = Operand;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a path such as \"resource.owner\", a whole number, true or false, { text = \"…\" } or { timestamp = \"…\" }",
        )
    }

    fn visit_bool<E>(self, value: bool) -> Result<Operand, E> {
        Ok(Operand::Boolean(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Operand, E> {
        Ok(Operand::Integer(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Operand, E> {
        let number = i64::try_from(number).map_err(|_| E::custom("the number is too large"))?;
        Ok(Operand::Integer(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Operand, E> {
        Ok(Operand::Path(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Operand, A::Error> {
        let Some((kind, text)) = map.next_entry::<String, String>()? else {
            return Err(A::Error::custom("a constant is empty"));
        };
        if map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom("a constant has one type"));
        }
        match kind.as_str() {
            "text" => Ok(Operand::Text(text)),
            "timestamp" => text
                .parse()
                .map(Operand::Timestamp)
                .map_err(A::Error::custom),
            other => Err(A::Error::unknown_variant(other, &["text", "timestamp"])),
        }
    }
}
