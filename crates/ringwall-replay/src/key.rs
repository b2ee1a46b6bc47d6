//! What is claimed.

use core::fmt;

use sha2::{Digest as _, Sha256};

/// Keeps these hashes apart from every other use of SHA-256 over similar input.
const DOMAIN: &[u8] = b"ringwall claim key v1";

/// What is claimed: SHA-256 over the domain, the purpose and the parts, each with its length before
/// it (64 bits, big endian), so that no two different lists of parts are hashed as the same bytes.
///
/// Its `Debug` form shows nothing: a one-time code has too few digits for its hash to hide it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClaimKey([u8; 32]);

impl ClaimKey {
    /// The key of one thing that may happen once. `purpose` names the kind of credential (`dpop`,
    /// `totp`): two kinds never meet in one key. `parts` are all that make it unique, in a fixed
    /// order: for a DPoP proof the thumbprint of its key and its `jti`.
    #[must_use]
    pub fn new(purpose: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for field in [DOMAIN, purpose.as_bytes()].iter().chain(parts) {
            // A length fits: no machine has more than 2^64 bytes of memory.
            let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
            hash.update(length.to_be_bytes());
            hash.update(field);
        }
        Self(hash.finalize().into())
    }

    /// The bytes under which stores remember the claim.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ClaimKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(key: ClaimKey) -> String {
        key.as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn is_the_same_for_ever() {
        // Claims outlive a release in Redis: another hash would admit each of them once more.
        // From Python's hashlib.
        assert_eq!(
            hex(ClaimKey::new("dpop", &[b"thumbprint", b"jti"])),
            "593cfef011460a88769295db02bd95e2d0918680a7e95ec4f9cf58429919f429"
        );
    }

    #[test]
    fn parts_that_are_cut_elsewhere_are_other_keys() {
        let lists: [(&str, &[&[u8]]); 8] = [
            ("a", &[b"bc", b"d"]),
            ("a", &[b"b", b"cd"]),
            ("a", &[b"bcd"]),
            ("ab", &[b"c", b"d"]),
            ("a", &[b"bc", b"d", b""]),
            ("a", &[b"", b"bc", b"d"]),
            ("a", &[b"d", b"bc"]),
            ("", &[b"a", b"bc", b"d"]),
        ];
        for (index, (purpose, parts)) in lists.iter().enumerate() {
            let key = ClaimKey::new(purpose, parts);
            assert_eq!(key, ClaimKey::new(purpose, parts));
            for (purpose, parts) in lists.iter().skip(index + 1) {
                assert_ne!(key, ClaimKey::new(purpose, parts));
            }
        }
    }

    #[test]
    fn a_purpose_is_not_taken_for_a_part() {
        assert_ne!(ClaimKey::new("a", &[]), ClaimKey::new("", &[b"a"]));
    }

    #[test]
    fn never_shows_itself() {
        let key = ClaimKey::new("totp", &[b"alice", b"123456"]);
        assert_eq!(format!("{key:?}"), "ClaimKey(..)");
    }
}
