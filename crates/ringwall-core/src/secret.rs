//! Bytes and text that must never reach a log.

use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret bytes: wiped when dropped, compared in constant time, never shown.
///
/// There is deliberately no `Display`, `Serialize`, `Clone`, `Deref` or `AsRef`: reading the
/// bytes takes a call to [`SecretBytes::expose`], which can be searched for.
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over `bytes`. A vector with spare capacity keeps it, so no unwiped copy is left
    /// behind by a reallocation here.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. Do not keep a copy that is not wiped.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The number of bytes. A secret's length is not treated as secret.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with `other` in a time that depends on the lengths alone.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.ct_eq(other).into()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes([redacted])")
    }
}

impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

/// Secret text: wiped when dropped, compared in constant time, never shown.
pub struct SecretString(Zeroizing<String>);

impl SecretString {
    /// Takes over `text`.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Do not keep a copy that is not wiped.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The length in bytes. A secret's length is not treated as secret.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the text is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares with `other` in a time that depends on the lengths alone.
    #[must_use]
    pub fn matches(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }

    /// Turns the text into its bytes without a copy.
    #[must_use]
    pub fn into_bytes(mut self) -> SecretBytes {
        SecretBytes::new(core::mem::take::<String>(&mut self.0).into_bytes())
    }
}

impl fmt::Debug for SecretString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretString([redacted])")
    }
}

impl From<String> for SecretString {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_shows_itself() {
        let bytes = SecretBytes::new(b"hunter2".to_vec());
        let text = SecretString::new("hunter2".to_owned());
        for shown in [
            format!("{bytes:?}"),
            format!("{text:?}"),
            format!("{bytes:#?}"),
            format!("{text:#?}"),
        ] {
            assert!(!shown.contains("hunter2"), "{shown}");
            assert!(!shown.contains("104"), "{shown}");
        }
    }

    #[test]
    fn compares_by_value() {
        let secret = SecretBytes::new(vec![1, 2, 3]);
        assert!(secret.matches(&[1, 2, 3]));
        for other in [&[1, 2][..], &[1, 2, 4], &[1, 2, 3, 0], &[]] {
            assert!(!secret.matches(other), "{other:?}");
        }
        let secret = SecretString::new("abc".to_owned());
        assert!(secret.matches("abc") && !secret.matches("abd") && !secret.matches("ab"));
        assert!(secret.into_bytes().matches(b"abc"));
    }
}
