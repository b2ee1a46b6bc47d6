//! Typed reading of a parsed document through serde.

use core::fmt;

use serde::de::value::{BorrowedStrDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{
    self, DeserializeOwned, EnumAccess, Expected, IntoDeserializer, Unexpected, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Node, Value};

/// The document does not have the shape that a type asks for.
///
/// The text names what the *type* expected, never what the document holds: documents carry
/// personal data, and errors end in logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError(Box<str>);

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for ShapeError {}

impl de::Error for ShapeError {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self("a value is not acceptable".into())
    }

    fn invalid_type(_unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("a value is not {expected}").into())
    }

    fn invalid_value(_unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self(format!("a value is not {expected}").into())
    }

    fn invalid_length(_length: usize, expected: &dyn Expected) -> Self {
        Self(format!("a sequence is not {expected}").into())
    }

    fn unknown_variant(_variant: &str, _expected: &'static [&'static str]) -> Self {
        Self("a value is none of the known variants".into())
    }

    fn unknown_field(_field: &str, _expected: &'static [&'static str]) -> Self {
        Self("there is a member that is not expected".into())
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("the member {field} is missing").into())
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(format!("the member {field} stands there twice").into())
    }
}

impl Value<'_> {
    /// Reads the value into `T`.
    ///
    /// # Errors
    ///
    /// [`ShapeError`] when it does not fit.
    pub fn deserialize<T: DeserializeOwned>(self) -> Result<T, ShapeError> {
        T::deserialize(self)
    }
}

impl<'de> IntoDeserializer<'de, ShapeError> for Value<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> de::Deserializer<'de> for Value<'de> {
    type Error = ShapeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.node() {
            Node::Null => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(value),
            Node::Unsigned(number) => visitor.visit_u64(number),
            Node::Signed(number) => visitor.visit_i64(number),
            Node::Float(number) => visitor.visit_f64(number),
            Node::Text {
                start,
                end,
                escaped,
                ..
            } => visitor.visit_borrowed_str(self.document.slice(start, end, escaped)),
            Node::Array { .. } => {
                let mut sequence = SeqDeserializer::new(self.as_array().into_iter().flatten());
                let value = visitor.visit_seq(&mut sequence)?;
                sequence.end()?;
                Ok(value)
            }
            Node::Object { .. } => {
                let mut map = MapDeserializer::new(
                    self.as_object()
                        .into_iter()
                        .flatten()
                        .map(|(name, value)| (BorrowedStrDeserializer::new(name), value)),
                );
                let value = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ShapeError> {
        match self.node() {
            Node::Null => visitor.visit_none(),
            Node::Bool(_)
            | Node::Unsigned(_)
            | Node::Signed(_)
            | Node::Float(_)
            | Node::Text { .. }
            | Node::Array { .. }
            | Node::Object { .. } => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        if self.as_str().is_some() {
            return visitor.visit_enum(Variant {
                name: self,
                content: None,
            });
        }
        let mut members = self
            .as_object()
            .ok_or_else(|| <ShapeError as de::Error>::custom(""))?;
        match (members.0.next(), members.0.next(), members.0.next()) {
            (Some(name), Some(content), None) => visitor.visit_enum(Variant {
                name,
                content: Some(content),
            }),
            _ => Err(<ShapeError as de::Error>::custom("")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// An enum in the usual form: `"Name"`, or `{"Name": content}`.
struct Variant<'de> {
    name: Value<'de>,
    content: Option<Value<'de>>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = ShapeError;
    type Variant = Self;

    fn variant_seed<V: de::DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), ShapeError> {
        Ok((seed.deserialize(self.name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = ShapeError;

    fn unit_variant(self) -> Result<(), ShapeError> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(<ShapeError as de::Error>::custom("")),
        }
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ShapeError> {
        seed.deserialize(
            self.content
                .ok_or_else(|| <ShapeError as de::Error>::custom(""))?,
        )
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let content = self
            .content
            .ok_or_else(|| <ShapeError as de::Error>::custom(""))?;
        de::Deserializer::deserialize_any(content, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ShapeError> {
        let content = self
            .content
            .ok_or_else(|| <ShapeError as de::Error>::custom(""))?;
        de::Deserializer::deserialize_any(content, visitor)
    }
}
