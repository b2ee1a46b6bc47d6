//! What is known of one subject.

use ringwall_core::clock::Timestamp;

/// The most facts of one subject: roles, values of attributes and departments together.
pub const MAX_FACTS: usize = 1000;

/// The longest name of a role, an attribute or a department, and the longest value, in bytes.
pub const MAX_FACT_BYTES: usize = 256;

/// What is known of one subject in one organisation, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubjectFacts {
    /// Grows with each change of the subject.
    pub version: u64,
    /// The roles that it holds.
    pub roles: Vec<Box<str>>,
    /// The values of its attributes.
    pub attributes: Vec<StoredAttribute>,
    /// The departments that it is one of.
    pub departments: Vec<Box<str>>,
}

/// A value of an attribute, as a text: what it means is said by the policy's type. A whole number is written in decimal
/// digits without a sign of plus or leading zeros, a truth value as `true` or `false`, a time as in RFC 3339 (of the year
/// 0001 or later, with an offset of less than 16 hours, as PostgreSQL reads it), a UUID with hyphens, a level by its name.
/// What is none of the type is unknown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct StoredAttribute {
    /// The attribute.
    pub key: Box<str>,
    /// The value.
    pub value: Box<str>,
    /// From when on it does not hold.
    pub expires_at: Option<Timestamp>,
}

/// A text is no name or no value: it is empty (for a name), longer than 256 bytes, or holds a control character.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is empty, longer than 256 bytes, or holds a control character")]
pub struct InvalidFact;

impl SubjectFacts {
    /// What is known at `version`: nothing yet.
    #[must_use]
    pub fn new(version: u64) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }

    /// How many facts there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.roles
            .len()
            .saturating_add(self.attributes.len())
            .saturating_add(self.departments.len())
    }
}

impl StoredAttribute {
    /// A value that holds until `expires_at`.
    #[must_use]
    pub fn new(
        key: impl Into<Box<str>>,
        value: impl Into<Box<str>>,
        expires_at: Option<Timestamp>,
    ) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
            expires_at,
        }
    }

    /// Whether a directory may keep it.
    ///
    /// # Errors
    ///
    /// [`InvalidFact`].
    pub fn check(&self) -> Result<(), InvalidFact> {
        check_name(&self.key)?;
        check_value(&self.value)
    }
}

/// Whether a directory may keep a role or a department of this name.
///
/// # Errors
///
/// [`InvalidFact`].
pub fn check_name(name: &str) -> Result<(), InvalidFact> {
    if name.is_empty() {
        return Err(InvalidFact);
    }
    check_value(name)
}

fn check_value(value: &str) -> Result<(), InvalidFact> {
    if value.len() > MAX_FACT_BYTES || value.chars().any(char::is_control) {
        return Err(InvalidFact);
    }
    Ok(())
}
