//! JSON that means one thing to every reader (RFC 7493), within bounds.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::error::{InvalidRequest, RequestFault};

/// How deep objects and arrays may stand within one another. Requests of the specification need five, and the rest is for
/// properties.
pub const MAX_DEPTH: usize = 32;

/// The most members of one object, and so the most properties.
pub const MAX_MEMBERS: usize = 256;

/// The most values of one document, of all its objects and arrays together: a short text can hold half a million, each of
/// which takes more memory than its two bytes.
pub const MAX_VALUES: usize = 32_768;

/// A JSON object: in it no key stands twice, and the order of its members says nothing.
pub type JsonObject = BTreeMap<String, JsonValue>;

/// A JSON value. Reading one refuses what two readers could read differently: a key that stands twice, a number beyond
/// the range of double precision, an unpaired surrogate.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number that was written as a whole one and fits.
    Integer(i64),
    /// Any other number. It is finite.
    Number(f64),
    /// A text.
    Text(String),
    /// An array.
    Array(Vec<JsonValue>),
    /// An object.
    Object(JsonObject),
}

impl From<&str> for JsonValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl Serialize for JsonValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Boolean(value) => serializer.serialize_bool(*value),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Array(values) => values.serialize(serializer),
            Self::Object(members) => members.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let budget = Budget::default();
        let read = Value::root(&budget).deserialize(deserializer);
        read.map_err(|error| match budget.fault.take() {
            Some(fault) => D::Error::custom(fault),
            None => error,
        })
    }
}

/// Reads a whole document.
pub(super) fn read(bytes: &[u8]) -> Result<JsonValue, InvalidRequest> {
    let budget = Budget::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = Value::root(&budget)
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    read.map_err(|error| {
        budget.fault.take().unwrap_or_else(|| {
            let (line, column) = (error.line(), error.column());
            InvalidRequest::at("", RequestFault::Syntax { line, column })
        })
    })
}

/// What one document has used, and why it was refused: a deserializer's own error holds no place.
#[derive(Default)]
struct Budget {
    values: Cell<usize>,
    fault: RefCell<Option<InvalidRequest>>,
}

/// The way to a value.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    Element(&'a Place<'a>, usize),
}

/// A JSON Pointer (RFC 6901).
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Member(parent, key) => {
                fmt::Display::fmt(parent, f)?;
                write!(f, "/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            Place::Element(parent, index) => {
                fmt::Display::fmt(parent, f)?;
                write!(f, "/{index}")
            }
        }
    }
}

/// Reads one value at its place.
#[derive(Clone, Copy)]
struct Value<'a> {
    budget: &'a Budget,
    place: Place<'a>,
    depth: usize,
}

impl<'a> Value<'a> {
    const fn root(budget: &'a Budget) -> Self {
        Self {
            budget,
            place: Place::Root,
            depth: 0,
        }
    }

    fn refuse<E: serde::de::Error>(self, fault: RequestFault) -> E {
        self.budget
            .fault
            .replace(Some(InvalidRequest::at(self.place, fault)));
        E::custom("refused")
    }

    /// Goes into an object or an array.
    fn enter<E: serde::de::Error>(self) -> Result<usize, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.refuse(RequestFault::TooDeep(MAX_DEPTH)));
        }
        Ok(self.depth.saturating_add(1))
    }

    /// Counts a value.
    fn count<E: serde::de::Error>(self) -> Result<(), E> {
        let values = self.budget.values.get().saturating_add(1);
        self.budget.values.set(values);
        if values > MAX_VALUES {
            return Err(self.refuse(RequestFault::TooMany(MAX_VALUES)));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = JsonValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<JsonValue, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = JsonValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<JsonValue, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonValue, E> {
        Ok(JsonValue::Boolean(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<JsonValue, E> {
        Ok(JsonValue::Integer(number))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "what is beyond a whole number of ours is no attribute, and I-JSON has doubles there"
    )]
    fn visit_u64<E>(self, number: u64) -> Result<JsonValue, E> {
        Ok(i64::try_from(number).map_or(JsonValue::Number(number as f64), JsonValue::Integer))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<JsonValue, E> {
        if number.is_finite() {
            Ok(JsonValue::Number(number))
        } else {
            Err(self.refuse(RequestFault::WrongType("a finite number")))
        }
    }

    fn visit_str<E>(self, text: &str) -> Result<JsonValue, E> {
        Ok(JsonValue::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<JsonValue, E> {
        Ok(JsonValue::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<JsonValue, A::Error> {
        let depth = self.enter()?;
        let mut values = Vec::new();
        loop {
            let seed = Value {
                place: Place::Element(&self.place, values.len()),
                depth,
                ..self
            };
            match elements.next_element_seed(seed)? {
                Some(value) => values.push(value),
                None => return Ok(JsonValue::Array(values)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonValue, A::Error> {
        let depth = self.enter()?;
        let mut object = JsonObject::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.len() >= MAX_MEMBERS {
                return Err(self.refuse(RequestFault::TooMany(MAX_MEMBERS)));
            }
            match object.entry(key) {
                Entry::Occupied(entry) => {
                    let place = Place::Member(&self.place, entry.key());
                    return Err(Value { place, ..self }.refuse(RequestFault::DuplicateKey));
                }
                Entry::Vacant(entry) => {
                    let place = Place::Member(&self.place, entry.key());
                    let value = members.next_value_seed(Value {
                        place,
                        depth,
                        ..self
                    })?;
                    entry.insert(value);
                }
            }
        }
        Ok(JsonValue::Object(object))
    }
}
