//! Who, what, and upon what (§5).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::document::{Members, object, text};
use super::error::{InvalidRequest, RequestFault};
use super::json::{JsonObject, JsonValue, Place};

/// The longest type, id or name in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// About whom is asked (§5.1). **Its properties decide nothing**: see the [module](super).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SubjectEntity {
    /// `user`, `service`, `agent` or `api_key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id, within the organisation of whoever asks.
    pub id: String,
    /// What the enforcement point says of it: ignored.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub properties: JsonObject,
}

/// Upon what (§5.2).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ResourceEntity {
    /// The type, as the policy names it.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its attributes, in the policy's types, and its tenant. Others are ignored.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub properties: JsonObject,
}

/// What is to be done (§5.3).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ActionEntity {
    /// The action, as the policy names it.
    pub name: String,
    /// What the enforcement point says of it: ignored.
    #[serde(skip_serializing_if = "JsonObject::is_empty")]
    pub properties: JsonObject,
}

/// What is searched for: subjects (§8.4.1) or resources (§8.5.1) of one type. An id is ignored, and so are properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EntityType {
    /// The type.
    #[serde(rename = "type")]
    pub kind: String,
}

impl SubjectEntity {
    /// A subject.
    #[must_use]
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
            properties: JsonObject::new(),
        }
    }

    pub(super) fn read(value: JsonValue, place: Place<'_>) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, place)?;
        Ok(Self {
            kind: members.required("type", name)?,
            id: members.required("id", name)?,
            properties: members.optional("properties", object)?.unwrap_or_default(),
        })
    }
}

impl ResourceEntity {
    /// A resource of which nothing but its id is told.
    #[must_use]
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            id: id.into(),
            properties: JsonObject::new(),
        }
    }

    /// With a property.
    #[must_use]
    pub fn property(mut self, name: impl Into<String>, value: impl Into<JsonValue>) -> Self {
        self.properties.insert(name.into(), value.into());
        self
    }

    pub(super) fn read(value: JsonValue, place: Place<'_>) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, place)?;
        Ok(Self {
            kind: members.required("type", name)?,
            id: members.required("id", name)?,
            properties: members.optional("properties", object)?.unwrap_or_default(),
        })
    }
}

impl ActionEntity {
    /// An action.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            properties: JsonObject::new(),
        }
    }

    pub(super) fn read(value: JsonValue, place: Place<'_>) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, place)?;
        Ok(Self {
            name: members.required("name", name)?,
            properties: members.optional("properties", object)?.unwrap_or_default(),
        })
    }
}

impl EntityType {
    /// This type.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into() }
    }

    pub(super) fn read(value: JsonValue, place: Place<'_>) -> Result<Self, InvalidRequest> {
        let mut members = Members::new(value, place)?;
        Ok(Self {
            kind: members.required("type", name)?,
        })
    }
}

/// A text of bounded length.
pub(super) fn name(value: JsonValue, place: Place<'_>) -> Result<String, InvalidRequest> {
    let text = text(value, place)?;
    if text.len() > MAX_NAME_BYTES {
        return Err(InvalidRequest::at(
            place,
            RequestFault::TooLong(MAX_NAME_BYTES),
        ));
    }
    Ok(text)
}

macro_rules! deserialized {
    ($($entity:ident)+) => {$(
        impl<'de> Deserialize<'de> for $entity {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = JsonValue::deserialize(deserializer)?;
                Self::read(value, Place::Root).map_err(D::Error::custom)
            }
        }
    )+};
}

deserialized! { SubjectEntity ResourceEntity ActionEntity EntityType }
