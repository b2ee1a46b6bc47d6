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

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves of 128 bits, each of which is kept"
    )]
    pub(crate) const fn to_words(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    pub(crate) const fn from_words([low, high]: [u64; 2]) -> Self {
        Self(((high as u128) << 64) | low as u128)
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
    /// [`KeyError`], when there is no part or more than 254, or one of them is empty or longer than
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
            is_streaming: false,
            count: 0,
            used: 0,
            buffer: [0; BUFFER_BYTES],
        }
    }
}

/// Parts that are shorter than this together are hashed in one go, for half the price.
const BUFFER_BYTES: usize = 120;

/// Parts on their way into a key.
pub(crate) struct Framed {
    hasher: SipHasher13,
    is_streaming: bool,
    count: u8,
    used: usize,
    buffer: [u8; BUFFER_BYTES],
}

impl Framed {
    #[inline]
    pub(crate) fn part(&mut self, part: &[u8]) -> Result<(), KeyError> {
        if part.is_empty() {
            return Err(KeyError::Empty);
        }
        let length = u16::try_from(part.len()).map_err(|_| KeyError::TooLong)?;
        if part.len() > KeyHasher::MAX_PART_BYTES {
            return Err(KeyError::TooLong);
        }
        self.count = self.count.checked_add(1).ok_or(KeyError::TooManyParts)?;
        // Its length before each part, and the number of parts at the end: no text of one part reads as
        // two.
        self.write(&length.to_le_bytes());
        self.write(part);
        Ok(())
    }

    #[inline]
    pub(crate) fn finish(mut self) -> Result<LimitKey, KeyError> {
        if self.count == 0 {
            return Err(KeyError::Empty);
        }
        self.write(&[self.count]);
        let hash = if self.is_streaming {
            self.hasher.finish128()
        } else {
            let bytes = self.buffer.get(..self.used).unwrap_or(&self.buffer);
            self.hasher.hash(bytes)
        };
        Ok(LimitKey(hash.as_u128()))
    }

    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        if !self.is_streaming
            && let Some(place) = self.buffer.get_mut(self.used..end)
        {
            place.copy_from_slice(bytes);
            self.used = end;
            return;
        }
        self.stream(bytes);
    }

    #[cold]
    fn stream(&mut self, bytes: &[u8]) {
        if !self.is_streaming {
            self.is_streaming = true;
            let held = self.buffer.get(..self.used).unwrap_or(&self.buffer);
            self.hasher.write(held);
        }
        self.hasher.write(bytes);
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
    /// More than 254 parts.
    #[error("a key has at most 254 parts")]
    TooManyParts,
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
    fn parts_of_every_length_are_framed_alike() {
        // Around the length up to which they are hashed in one go, and beyond.
        let hasher = KeyHasher::shared([7; 16]);
        for length in 1..300 {
            let text = "x".repeat(length);
            let split = "x".repeat(length - 1);
            let whole = key(&hasher, &[&text, "y"]).unwrap();
            assert_eq!(whole, key(&hasher, &[&text, "y"]).unwrap());
            let mut expected = SipHasher13::new_with_key(&[7; 16]);
            expected.write(&u16::try_from(length).unwrap().to_le_bytes());
            expected.write(text.as_bytes());
            expected.write(&[1, 0, b'y', 2]);
            assert_eq!(whole.to_bits(), expected.finish128().as_u128(), "{length}");
            if length > 1 {
                assert_ne!(whole, key(&hasher, &[&split, "xy"]).unwrap());
            }
        }
        let many = ["x"; 256];
        assert_eq!(key(&hasher, &many), Err(KeyError::TooManyParts));
        assert!(key(&hasher, &many[..254]).is_ok());
    }

    #[test]
    fn the_hashers_key_is_not_shown() {
        assert_eq!(format!("{:?}", KeyHasher::shared([7; 16])), "KeyHasher { .. }");
    }
}
