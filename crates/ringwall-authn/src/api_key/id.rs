//! The public part of a key.

use core::fmt;
use core::str::FromStr;

use super::text::{ApiKeyTextError, is_base62, is_hex};

/// The characters of a look-up id: 95 bits, so that two never meet and nobody guesses one.
pub(crate) const ID: usize = 16;

/// The characters of the look-up id of an imported key: 128 bits in hexadecimal digits.
pub(crate) const IMPORTED_ID: usize = ID * 2;

/// The public part of a key, by which it is found, listed, logged and revoked. It is no secret.
///
/// 16 ASCII letters and digits; of an imported key 32 lower-case hexadecimal digits, which are made
/// from its text by a hash and lead nowhere back.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyId(Box<str>);

impl ApiKeyId {
    /// The longest id in bytes.
    pub const MAX_BYTES: usize = IMPORTED_ID;

    /// Checks `text` once.
    ///
    /// # Errors
    ///
    /// [`ApiKeyTextError::Id`].
    pub fn new(text: &str) -> Result<Self, ApiKeyTextError> {
        let is_own = text.len() == ID && is_base62(text.as_bytes());
        let is_imported = text.len() == IMPORTED_ID && text.bytes().all(is_hex);
        if is_own || is_imported {
            Ok(Self(text.into()))
        } else {
            Err(ApiKeyTextError::Id)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is that of an imported key.
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.0.len() == IMPORTED_ID
    }
}

impl core::borrow::Borrow<str> for ApiKeyId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApiKeyId {
    type Err = ApiKeyTextError;

    fn from_str(text: &str) -> Result<Self, ApiKeyTextError> {
        Self::new(text)
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeyId({})", self.0)
    }
}

/// An id in sixteen bytes, without a pointer: the characters of an own one, or the value of the digits of
/// an imported one. Two ids are equal if and only if these are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CompactId {
    bytes: [u8; ID],
    /// The digits of an imported one may have the value of somebody's characters.
    is_imported: bool,
}

impl CompactId {
    /// That of characters which may be an id or not. What is none is no key's.
    pub(crate) const fn own(characters: &[u8; ID]) -> Self {
        Self {
            bytes: *characters,
            is_imported: false,
        }
    }

    /// That of an id.
    #[expect(
        clippy::expect_used,
        reason = "an id that is not 16 characters is 32 digits"
    )]
    pub(crate) fn of(id: &ApiKeyId) -> Self {
        if let Ok(characters) = id.as_str().as_bytes().try_into() {
            return Self::own(characters);
        }
        Self {
            bytes: crate::hex::decode(id.as_str()).expect("digits"),
            is_imported: true,
        }
    }

    /// What it is found by, and nearly always tells it from all others. A number is hashed faster than
    /// bytes of any length.
    pub(crate) const fn number(&self) -> u128 {
        u128::from_ne_bytes(self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_letters_and_digits() {
        for text in [
            "",
            "abc",
            "0123456789abcde_",
            "0123456789ABCDEF0123456789ABCDEF",
            "é123456789abcde",
        ] {
            assert_eq!(ApiKeyId::new(text), Err(ApiKeyTextError::Id), "{text}");
        }
    }

    #[test]
    fn an_imported_id_is_not_the_own_one_whose_characters_its_digits_spell() {
        let own = ApiKeyId::new("0123456789abcdef").unwrap();
        let imported = ApiKeyId::new(&crate::hex::encode(own.as_str().as_bytes())).unwrap();
        let (own, imported) = (CompactId::of(&own), CompactId::of(&imported));
        assert_eq!(own.number(), imported.number());
        assert_ne!(own, imported);
        assert_eq!(own, CompactId::own(b"0123456789abcdef"));
    }

    #[test]
    fn ids_that_differ_differ_in_sixteen_bytes_too() {
        for text in ["0123456789abcdef", "0123456789abcdef0123456789abcdef"] {
            let of = |text: &str| CompactId::of(&ApiKeyId::new(text).unwrap());
            for place in 0..text.len() {
                let mut other = text.to_owned();
                let with = if text.as_bytes()[place] == b'0' {
                    "1"
                } else {
                    "0"
                };
                other.replace_range(place..=place, with);
                assert_ne!(of(text), of(&other), "{place}");
            }
        }
    }
}
