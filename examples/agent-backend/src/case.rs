//! A case: what people and agents of a tenant work on.

use core::fmt;
use core::str::FromStr;

use ring::rand::{SecureRandom as _, SystemRandom};
use ringwall_core::classification::Sensitivity;
use ringwall_core::clock::Timestamp;
use ringwall_jose::base64url;
use serde::de::{self, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// The random bytes of an id: too many to guess or to count.
const ID_BYTES: usize = 16;

/// The text is not what it was to become. It does not repeat the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Invalid(pub(crate) &'static str);

/// The id of a case: 128 random bits as 22 characters that need no escape in a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CaseId(String);

impl CaseId {
    /// An id that nobody had before. `None` when the system gives no random bytes.
    pub(crate) fn random() -> Option<Self> {
        let mut bytes = [0; ID_BYTES];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(base64url::encode(bytes)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CaseId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match base64url::decode(text) {
            Some(bytes) if bytes.len() == ID_BYTES => Ok(Self(text.to_owned())),
            _ => Err(Invalid("the id is not one of a case")),
        }
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One line of text, 1 to 200 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Title(String);

/// Text, at most 16 KiB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body(String);

/// The name of a department, as the directory takes it: 1 to 100 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Department(String);

impl Title {
    const MAX_BYTES: usize = 200;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Body {
    const MAX_BYTES: usize = 16 * 1024;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Department {
    const MAX_BYTES: usize = 100;

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Department {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        let is_long = text.len() > Self::MAX_BYTES;
        if is_long || text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(Invalid("the department is no name of 1 to 100 bytes"));
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Title {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        if text.trim().is_empty() || text.len() > Self::MAX_BYTES {
            return Err(Invalid("the title is empty or longer than 200 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid("the title holds a control character"));
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Body {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        if text.len() > Self::MAX_BYTES {
            return Err(Invalid("the body is longer than 16384 bytes"));
        }
        if text.contains('\0') {
            return Err(Invalid("the body holds a NUL character"));
        }
        Ok(Self(text))
    }
}

/// Whether a case is being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Open,
    Closed,
}

impl Status {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

impl FromStr for Status {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "open" => Ok(Self::Open),
            "closed" => Ok(Self::Closed),
            _ => Err(Invalid("the status is neither open nor closed")),
        }
    }
}

/// A stored case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Case {
    #[serde(serialize_with = "as_text")]
    pub(crate) id: CaseId,
    pub(crate) title: String,
    pub(crate) body: String,
    #[serde(serialize_with = "status")]
    pub(crate) status: Status,
    #[serde(
        serialize_with = "sensitivity",
        skip_serializing_if = "Option::is_none"
    )]
    pub(crate) sensitivity: Option<Sensitivity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) department: Option<String>,
    pub(crate) created_by: String,
    #[serde(serialize_with = "as_text")]
    pub(crate) created_at: Timestamp,
    #[serde(serialize_with = "as_text")]
    pub(crate) updated_at: Timestamp,
    pub(crate) version: i64,
}

/// What a caller says of a new case. Whose it is and who made it are not among it: those come from
/// the verified caller.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCase {
    #[serde(deserialize_with = "through_string")]
    pub(crate) title: Title,
    #[serde(deserialize_with = "through_string")]
    pub(crate) body: Body,
    #[serde(default, deserialize_with = "some_parsed")]
    pub(crate) sensitivity: Option<Sensitivity>,
    #[serde(default, deserialize_with = "some_through_string")]
    pub(crate) department: Option<Department>,
}

/// What a caller wants to be different. What is not said stays; `null` says nothing and is refused.
///
/// Whose the case is and in whose department, by which the policy decides, is not among it: who could change that could
/// give a case to somebody who may not have it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CaseChange {
    #[serde(default, deserialize_with = "some_through_string")]
    pub(crate) title: Option<Title>,
    #[serde(default, deserialize_with = "some_through_string")]
    pub(crate) body: Option<Body>,
    #[serde(default, deserialize_with = "some_parsed")]
    pub(crate) status: Option<Status>,
    #[serde(default, deserialize_with = "some_parsed")]
    pub(crate) sensitivity: Option<Sensitivity>,
}

impl CaseChange {
    pub(crate) const fn is_empty(&self) -> bool {
        self.title.is_none()
            && self.body.is_none()
            && self.status.is_none()
            && self.sensitivity.is_none()
    }
}

fn through_string<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String, Error = Invalid>,
{
    T::try_from(String::deserialize(deserializer)?).map_err(de::Error::custom)
}

fn some_through_string<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String, Error = Invalid>,
{
    through_string(deserializer).map(Some)
}

fn some_parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(de::Error::custom)
}

fn as_text<S: Serializer>(value: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields over by reference"
)]
fn status<S: Serializer>(status: &Status, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.as_str())
}

fn sensitivity<S: Serializer>(
    level: &Option<Sensitivity>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match level {
        Some(level) => serializer.serialize_str(level.as_str()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_22_characters_and_nothing_else_is_one() {
        let id = CaseId::random().expect("random bytes");
        assert_eq!(id.as_str().len(), 22);
        assert_eq!(id.as_str().parse(), Ok(id.clone()));
        for text in [
            "",
            "1",
            "../../etc/passwd",
            "' OR 1=1 --",
            &format!("{id}A"),
        ] {
            assert!(text.parse::<CaseId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_new_case_is_exactly_what_it_should_be() {
        let read = |text: &str| serde_json::from_str::<NewCase>(text);
        assert!(read(r#"{"title":"t","body":"b"}"#).is_ok());
        assert!(read(r#"{"title":"t","body":"","sensitivity":"restricted"}"#).is_ok());
        let long = "x".repeat(201);
        for text in [
            r#"{"title":"t"}"#.to_owned(),
            r#"{"title":"","body":"b"}"#.to_owned(),
            r#"{"title":" ","body":"b"}"#.to_owned(),
            r#"{"title":"a\nb","body":"b"}"#.to_owned(),
            r#"{"title":"t","body":"a\u0000"}"#.to_owned(),
            r#"{"title":"t","body":"b","org":"other"}"#.to_owned(),
            r#"{"title":"t","title":"u","body":"b"}"#.to_owned(),
            r#"{"title":"t","body":"b","sensitivity":null}"#.to_owned(),
            r#"{"title":"t","body":"b","sensitivity":"secret"}"#.to_owned(),
            format!(r#"{{"title":"{long}","body":"b"}}"#),
            format!(r#"{{"title":"t","body":"{}"}}"#, "x".repeat(16 * 1024 + 1)),
        ] {
            assert!(read(&text).is_err(), "{text:.80}");
        }
    }

    #[test]
    fn a_change_says_what_it_changes() {
        let read = |text: &str| serde_json::from_str::<CaseChange>(text);
        assert!(read("{}").is_ok_and(|change| change.is_empty()));
        assert!(read(r#"{"status":"closed"}"#).is_ok_and(|change| !change.is_empty()));
        for text in [
            r#"{"status":null}"#,
            r#"{"status":"CLOSED"}"#,
            r#"{"created_by":"root"}"#,
            r#"{"version":9}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
