//! What is counted: a key is hashed once, under a key of the process.

use core::fmt;
use core::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// A bucket's name: 128 bits of a keyed hash of what is counted.
///
/// Nobody who does not know the hasher's key can find two texts with one key, or aim at another's
/// bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey(u128);

impl LimitKey {
    /// The 128 bits, as a store of your own needs them. They tell nothing of the text, to whoever does not
    /// know the hasher's key.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        self.0
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitKey({:032x})", self.0)
    }
}

/// Makes keys: SipHash-1-3 with 128 bits of output, under a secret key.
///
/// Each part is hashed with its length before it, so `a:b` and `c` are another key than `a` and `b:c`.
#[derive(Clone)]
pub struct KeyHasher {
    key: [u8; 16],
}

impl KeyHasher {
    /// The longest part of a key, in bytes. Names of principals and tenants are far below it.
    pub const MAX_PART_BYTES: usize = 1024;

    /// Keys of one process: its buckets are nobody else's, and the hasher's key is made by the operating system's
    /// random numbers.
    #[must_use]
    pub fn random() -> Self {
        use core::hash::BuildHasher as _;
        // The standard library seeds each of these from the operating system, and differently for each.
        let half = || {
            std::collections::hash_map::RandomState::new()
                .hash_one(0_u8)
                .to_le_bytes()
        };
        let mut key = [0; 16];
        let (low, high) = key.split_at_mut(8);
        low.copy_from_slice(&half());
        high.copy_from_slice(&half());
        Self { key }
    }

    /// Keys that several processes have in common, because they share a store: the same `secret` on all of
    /// them. Whoever knows it can find texts that share a bucket.
    #[must_use]
    pub const fn shared(secret: [u8; 16]) -> Self {
        Self { key: secret }
    }

    /// The key of these parts, such as the policy's name and the organisation's.
    ///
    /// # Errors
    ///
    /// [`KeyError`], when there is no part, or one of them is empty or longer than
    /// [`MAX_PART_BYTES`](Self::MAX_PART_BYTES): "nobody" is not somebody to be counted.
    pub fn key<'a>(
        &self,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<LimitKey, KeyError> {
        let mut framed = self.begin();
        for part in parts {
            framed.part(part)?;
        }
        framed.finish()
    }

    pub(crate) fn begin(&self) -> Framed {
        Framed {
            hasher: SipHasher13::new_with_key(&self.key),
            count: 0,
        }
    }
}

/// Parts on their way into a key.
pub(crate) struct Framed {
    hasher: SipHasher13,
    count: u64,
}

impl Framed {
    #[inline]
    pub(crate) fn part(&mut self, part: &[u8]) -> Result<(), KeyError> {
        if part.is_empty() {
            return Err(KeyError::Empty);
        }
        if part.len() > KeyHasher::MAX_PART_BYTES {
            return Err(KeyError::TooLong);
        }
        self.count = self.count.saturating_add(1);
        // Its length before each part, and the number of parts at the end: no text of one part reads as
        // two.
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.hasher.write_u64(length);
        self.hasher.write(part);
        Ok(())
    }

    #[inline]
    pub(crate) fn finish(mut self) -> Result<LimitKey, KeyError> {
        if self.count == 0 {
            return Err(KeyError::Empty);
        }
        self.hasher.write_u64(self.count);
        Ok(LimitKey(self.hasher.finish128().as_u128()))
    }
}

/// Shows nothing of the hasher's key.
impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHasher").finish_non_exhaustive()
    }
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Nothing to count by.
    #[error("a part of the key is empty, or there is none")]
    Empty,
    /// See [`KeyHasher::MAX_PART_BYTES`].
    #[error("a part of the key is longer than 1024 bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(hasher: &KeyHasher, parts: &[&str]) -> Result<LimitKey, KeyError> {
        hasher.key(parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn a_delimiter_in_a_part_makes_no_other_parts() {
        let hasher = KeyHasher::random();
        let all: &[&[&str]] = &[
            &["a:b", "c"],
            &["a", "b:c"],
            &["a", "b", "c"],
            &["abc"],
            &["a:b:c"],
            &["ab", "c"],
            &["a", "bc"],
            &["a\0b", "c"],
            &["a", "b\0c"],
        ];
        for (n, one) in all.iter().enumerate() {
            for other in &all[n + 1..] {
                assert_ne!(key(&hasher, one), key(&hasher, other), "{one:?} {other:?}");
            }
            assert_eq!(key(&hasher, one), key(&hasher, one));
        }
    }

    #[test]
    fn nothing_and_a_megabyte_are_no_keys() {
        let hasher = KeyHasher::random();
        assert_eq!(key(&hasher, &[]), Err(KeyError::Empty));
        assert_eq!(key(&hasher, &[""]), Err(KeyError::Empty));
        assert_eq!(key(&hasher, &["org", ""]), Err(KeyError::Empty));
        assert_eq!(key(&hasher, &[&"x".repeat(1 << 20)]), Err(KeyError::TooLong));
        assert_eq!(key(&hasher, &[&"x".repeat(1025)]), Err(KeyError::TooLong));
        assert!(key(&hasher, &[&"x".repeat(1024)]).is_ok());
    }

    #[test]
    fn processes_agree_only_when_they_share_a_secret() {
        let one = key(&KeyHasher::random(), &["a"]);
        assert_ne!(one, key(&KeyHasher::random(), &["a"]));
        let shared = key(&KeyHasher::shared([7; 16]), &["a"]);
        assert_eq!(shared, key(&KeyHasher::shared([7; 16]), &["a"]));
        assert_ne!(shared, key(&KeyHasher::shared([8; 16]), &["a"]));
    }

    #[test]
    fn the_hashers_key_is_not_shown() {
        assert_eq!(format!("{:?}", KeyHasher::shared([7; 16])), "KeyHasher { .. }");
    }
}
