//! From a body to a request.

use super::error::{InvalidRequest, RequestFault};
use super::json::{self, JsonObject, JsonValue, Place};

/// The longest request in bytes: 1 MiB, which is also what a gate's route takes unless told otherwise.
pub const MAX_REQUEST_BYTES: usize = 1024 * 1024;

/// A request that can be read from JSON, within bounds.
///
/// Reading it by [`Deserialize`](serde::Deserialize) holds the same bounds but the length of the document, which whoever
/// has the text knows.
pub trait RequestDocument: Sized {
    /// Reads a body of [`MAX_REQUEST_BYTES`] at most.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the first thing that is wrong, and its place.
    fn from_json(body: &[u8]) -> Result<Self, InvalidRequest> {
        if body.len() > MAX_REQUEST_BYTES {
            return Err(InvalidRequest::at(
                "",
                RequestFault::TooLong(MAX_REQUEST_BYTES),
            ));
        }
        Self::from_value(json::read(body)?)
    }

    /// Reads a value.
    ///
    /// # Errors
    ///
    /// [`InvalidRequest`] with the first thing that is wrong, and its place.
    fn from_value(value: JsonValue) -> Result<Self, InvalidRequest>;
}

/// An object that is being taken apart. What is left in it is unknown, and ignored (§10.1.1).
pub(super) struct Members<'a> {
    pub(super) place: Place<'a>,
    object: JsonObject,
}

impl<'a> Members<'a> {
    pub(super) fn new(value: JsonValue, place: Place<'a>) -> Result<Self, InvalidRequest> {
        Ok(Self {
            object: object(value, place)?,
            place,
        })
    }

    pub(super) fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(JsonValue, Place<'_>) -> Result<T, InvalidRequest>,
    ) -> Result<Option<T>, InvalidRequest> {
        let place = Place::Member(&self.place, key);
        self.object
            .remove(key)
            .map(|value| read(value, place))
            .transpose()
    }

    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(JsonValue, Place<'_>) -> Result<T, InvalidRequest>,
    ) -> Result<T, InvalidRequest> {
        self.optional(key, read)?.ok_or_else(|| {
            InvalidRequest::at(Place::Member(&self.place, key), RequestFault::Missing)
        })
    }
}

pub(super) fn object(value: JsonValue, place: Place<'_>) -> Result<JsonObject, InvalidRequest> {
    match value {
        JsonValue::Object(object) => Ok(object),
        JsonValue::Null
        | JsonValue::Boolean(_)
        | JsonValue::Integer(_)
        | JsonValue::Number(_)
        | JsonValue::Text(_)
        | JsonValue::Array(_) => Err(wrong(place, "an object")),
    }
}

pub(super) fn text(value: JsonValue, place: Place<'_>) -> Result<String, InvalidRequest> {
    match value {
        JsonValue::Text(text) => Ok(text),
        JsonValue::Null
        | JsonValue::Boolean(_)
        | JsonValue::Integer(_)
        | JsonValue::Number(_)
        | JsonValue::Object(_)
        | JsonValue::Array(_) => Err(wrong(place, "a text")),
    }
}

pub(super) fn array(value: JsonValue, place: Place<'_>) -> Result<Vec<JsonValue>, InvalidRequest> {
    match value {
        JsonValue::Array(values) => Ok(values),
        JsonValue::Null
        | JsonValue::Boolean(_)
        | JsonValue::Integer(_)
        | JsonValue::Number(_)
        | JsonValue::Object(_)
        | JsonValue::Text(_) => Err(wrong(place, "an array")),
    }
}

pub(super) fn wrong(place: Place<'_>, expected: &'static str) -> InvalidRequest {
    InvalidRequest::at(place, RequestFault::WrongType(expected))
}
