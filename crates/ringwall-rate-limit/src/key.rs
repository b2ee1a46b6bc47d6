//! What is counted: a key is hashed once, under a key of the process.

use core::fmt;
use core::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// A bucket's name: 128 bits of a keyed hash of what is counted.
///
/// Nobody who does not know the hasher's key can find two texts with one key, or aim at another's
/// bucket.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LimitKey([u64; 2]);

impl LimitKey {
    /// The 128 bits, as a store of your own needs them. They tell nothing of the text, to whoever does not
    /// know the hasher's key.
    #[must_use]
    pub const fn to_bits(self) -> u128 {
        let [low, high] = self.0;
        ((high as u128) << 64) | low as u128
    }

    /// Its halves, the lower one first.
    pub(crate) const fn to_words(self) -> [u64; 2] {
        self.0
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LimitKey({:032x})", self.to_bits())
    }
}

/// Makes keys: SipHash-1-3 with 128 bits of output, under a secret key.
///
/// The lengths of the parts are hashed with them, so `a:b` and `c` are another key than `a` and `b:c`.
#[derive(Clone)]
pub struct KeyHasher {
    key: [u8; 16],
    is_shared: bool,
}

impl KeyHasher {
    /// The longest part of a key, in bytes. Names of principals and tenants are far below it.
    pub const MAX_PART_BYTES: usize = 1024;

    /// The most parts of a key.
    pub const MAX_PARTS: usize = 6;

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
        Self {
            key,
            is_shared: false,
        }
    }

    /// Keys that several processes have in common, because they share a store: the same `secret` on all of
    /// them. Whoever knows it can find texts that share a bucket.
    #[must_use]
    pub const fn shared(secret: [u8; 16]) -> Self {
        Self {
            key: secret,
            is_shared: true,
        }
    }

    /// Whether other processes can make the same keys.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// A hasher whose keys nobody else's are: under a key that is made from this one and `name`.
    pub(crate) fn derive(&self, name: &str) -> Self {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(name.as_bytes());
        Self {
            key: hasher.finish128().as_u128().to_le_bytes(),
            is_shared: self.is_shared,
        }
    }

    /// The key of these parts, such as an organisation's name and a project's.
    ///
    /// # Errors
    ///
    /// [`KeyError`], when there is no part or more than [`MAX_PARTS`](Self::MAX_PARTS), or one of them is
    /// empty or longer than [`MAX_PART_BYTES`](Self::MAX_PART_BYTES): "nobody" is not somebody to be counted.
    #[inline]
    pub fn key<'a>(&self, parts: impl IntoIterator<Item = &'a [u8]>) -> Result<LimitKey, KeyError> {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        // The parts, then their lengths and their number: read from its end, it is one list of parts and no
        // other.
        let (mut first, mut second, mut count) = (0_u64, 0_u64, 0_u32);
        for part in parts {
            let length = u16::try_from(part.len()).map_err(|_| KeyError::TooLong)?;
            if length == 0 {
                return Err(KeyError::Empty);
            }
            if part.len() > Self::MAX_PART_BYTES {
                return Err(KeyError::TooLong);
            }
            let lengths = match count {
                0..=2 => &mut first,
                3..=5 => &mut second,
                _ => return Err(KeyError::TooManyParts),
            };
            *lengths = (*lengths << 16) | u64::from(length);
            count = count.saturating_add(1);
            hasher.write(part);
        }
        if count == 0 {
            return Err(KeyError::Empty);
        }
        if count > 3 {
            hasher.write_u64(second);
        }
        hasher.write_u64((first << 16) | u64::from(count));
        let hash = hasher.finish128();
        Ok(LimitKey([hash.h1, hash.h2]))
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
    /// See [`KeyHasher::MAX_PARTS`].
    #[error("a key has at most six parts")]
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
        assert_eq!(
            key(&hasher, &[&"x".repeat(1 << 20)]),
            Err(KeyError::TooLong)
        );
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
    fn no_list_of_parts_has_the_key_of_another() {
        // All ways to cut one text into parts.
        let hasher = KeyHasher::shared([7; 16]);
        let text = b"abcdefghijkl";
        let mut seen = std::collections::HashSet::new();
        let mut lists = 0;
        for cuts in 0_u32..1 << (text.len() - 1) {
            if cuts.count_ones() >= 6 {
                continue;
            }
            let mut parts = Vec::new();
            let mut start = 0;
            for end in 1..text.len() {
                if cuts & (1 << (end - 1)) != 0 {
                    parts.push(&text[start..end]);
                    start = end;
                }
            }
            parts.push(&text[start..]);
            lists += 1;
            seen.insert(hasher.key(parts).unwrap());
        }
        assert!(lists > 1000);
        assert_eq!(seen.len(), lists);
        // Nor one whose last part looks like the lengths that follow it.
        let lengths = |count: u64| (1_u64 << 16 | count).to_le_bytes();
        let key = |parts: &[&[u8]]| hasher.key(parts.iter().copied()).unwrap();
        let one = [b"a", &lengths(1)[..]].concat();
        assert_ne!(key(&[b"a"]), key(&[&one]));
        assert_ne!(key(&[b"a", &lengths(1)]), key(&[&one]));
    }

    #[test]
    fn seven_parts_are_too_many() {
        let hasher = KeyHasher::random();
        assert_eq!(key(&hasher, &["x"; 7]), Err(KeyError::TooManyParts));
        assert!(key(&hasher, &["x"; 6]).is_ok());
    }

    #[test]
    fn hashers_that_were_derived_agree_only_by_name_and_secret() {
        let shared = KeyHasher::shared([7; 16]);
        let of = |hasher: KeyHasher| key(&hasher, &["a"]).unwrap();
        assert_eq!(of(shared.derive("x")), of(shared.derive("x")));
        assert_ne!(of(shared.derive("x")), of(shared.derive("y")));
        assert_ne!(of(shared.derive("x")), of(shared.clone()));
        assert_ne!(
            of(shared.derive("x")),
            of(KeyHasher::shared([8; 16]).derive("x"))
        );
    }

    #[test]
    fn the_hashers_key_is_not_shown() {
        assert_eq!(
            format!("{:?}", KeyHasher::shared([7; 16])),
            "KeyHasher { .. }"
        );
    }
}
