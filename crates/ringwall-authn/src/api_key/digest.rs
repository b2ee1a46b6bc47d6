//! What is stored of a secret.

use core::fmt;
use core::str::FromStr;

use constant_time_eq::constant_time_eq_32;
use hmac::{Hmac, KeyInit as _, Mac as _};
use ringwall_core::secret::SecretBytes;
use sha2::{Digest as _, Sha256};

use super::text::SECRET;
use crate::hex;

/// The fewest bytes of a pepper: the output of the hash (RFC 2104 §3).
pub const MIN_PEPPER_BYTES: usize = 32;

/// The most peppers that are known at once.
const MAX_PEPPERS: usize = 16;

/// The name of a pepper, which is stored beside each hash that was made with it: 1 to 32 lower-case
/// ASCII letters, digits and hyphens, such as `2026-11`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PepperId(Box<str>);

impl PepperId {
    /// Checks `text` once.
    ///
    /// # Errors
    ///
    /// [`PepperError::Id`].
    pub fn new(text: &str) -> Result<Self, PepperError> {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(text.into()))
        } else {
            Err(PepperError::Id)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why peppers cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PepperError {
    /// The name of a pepper is not 1 to 32 lower-case letters, digits and hyphens.
    #[error("the name of a pepper is 1 to 32 lower-case ASCII letters, digits and hyphens")]
    Id,
    /// The pepper is shorter than [`MIN_PEPPER_BYTES`].
    #[error("a pepper has at least 32 bytes")]
    Short,
    /// Two peppers have one name, or there are more than 16.
    #[error("two peppers have one name, or there are more than 16")]
    Several,
}

/// How secrets are hashed before they are stored.
///
/// A secret of 256 random bits needs no slow hash: nobody can try them all, however fast the hash is,
/// and a slow one would let every request with a wrong key cost the server what it costs the attacker.
/// (Passwords are another matter; they are not random.)
///
/// | | what a thief of the table can do |
/// |---|---|
/// | [`sha256`](Self::sha256) | nothing with the hashes; whoever can *write* the table can add a hash of a key of their own |
/// | [`peppered`](Self::peppered) | that too only with the pepper, which is not in the table (HMAC-SHA-256, RFC 2104) |
///
/// Neither keeps whoever can *write* the table, and holds a key already, from changing what that key may do,
/// or from giving its hash a row of another organisation: what is hashed is the secret alone.
///
/// A pepper is replaced by adding another as the current one and keeping the old one among the earlier
/// ones until the last key that was stored with it has been rotated. A service that had none says
/// [`accept_unpeppered`](Self::accept_unpeppered) for as long.
pub struct SecretHasher {
    current: Option<Pepper>,
    earlier: Vec<Pepper>,
    /// Whether hashes that were made without a pepper count.
    unpeppered: bool,
}

struct Pepper {
    id: PepperId,
    /// The state after the key, so that a hash costs what its message costs.
    state: Hmac<Sha256>,
}

impl Pepper {
    fn new(id: PepperId, pepper: &SecretBytes) -> Result<Self, PepperError> {
        if pepper.len() < MIN_PEPPER_BYTES {
            return Err(PepperError::Short);
        }
        let state = Hmac::new_from_slice(pepper.expose()).map_err(|_| PepperError::Short)?;
        Ok(Self { id, state })
    }

    fn hash(&self, secret: &[u8]) -> [u8; 32] {
        #[cfg(test)]
        tests::HASHES.with(|hashes| hashes.set(hashes.get().wrapping_add(1)));
        let mut state = self.state.clone();
        state.update(secret);
        state.finalize().into_bytes().into()
    }
}

impl SecretHasher {
    /// Plain SHA-256 (FIPS 180-4).
    #[must_use]
    pub const fn sha256() -> Self {
        Self {
            current: None,
            earlier: Vec::new(),
            unpeppered: true,
        }
    }

    /// HMAC-SHA-256 with `pepper`, which is kept outside the table: in a secret store, an environment
    /// variable, a key-management service.
    ///
    /// # Errors
    ///
    /// [`PepperError::Short`].
    pub fn peppered(id: PepperId, pepper: &SecretBytes) -> Result<Self, PepperError> {
        Ok(Self {
            current: Some(Pepper::new(id, pepper)?),
            earlier: Vec::new(),
            unpeppered: false,
        })
    }

    /// Keys that were stored without a pepper are accepted still, for a service that had none. Until it is
    /// taken away again, whoever can write the table can add a hash of a key of their own.
    #[must_use]
    pub fn accept_unpeppered(mut self) -> Self {
        self.unpeppered = true;
        self
    }

    /// Keys that were stored with this pepper are accepted still; new ones are stored with the current
    /// one.
    ///
    /// # Errors
    ///
    /// [`PepperError::Short`], [`PepperError::Several`].
    pub fn earlier(mut self, id: PepperId, pepper: &SecretBytes) -> Result<Self, PepperError> {
        if self.pepper(&id).is_some() || self.earlier.len() >= const { MAX_PEPPERS - 1 } {
            return Err(PepperError::Several);
        }
        self.earlier.push(Pepper::new(id, pepper)?);
        Ok(self)
    }

    fn pepper(&self, id: &PepperId) -> Option<&Pepper> {
        self.peppers().find(|pepper| pepper.id == *id)
    }

    /// The current one first.
    fn peppers(&self) -> impl Iterator<Item = &Pepper> {
        self.current.iter().chain(&self.earlier)
    }

    /// What is stored of `secret`.
    pub(crate) fn hash(&self, secret: &[u8]) -> SecretDigest {
        match &self.current {
            None => SecretDigest {
                pepper: None,
                bytes: sha256(secret),
            },
            Some(pepper) => SecretDigest {
                pepper: Some(pepper.id.clone()),
                bytes: pepper.hash(secret),
            },
        }
    }

    /// What a secret is compared with, so that names of peppers are not compared with each request.
    pub(crate) fn expects(&self, stored: &SecretDigest) -> Expected {
        let method = match &stored.pepper {
            // Anybody can make such a hash: accepted beside a pepper, it would undo what that is for.
            None => self.unpeppered.then_some(Method::Plain),
            Some(id) => self
                .peppers()
                .position(|pepper| pepper.id == *id)
                .and_then(|place| u8::try_from(place).ok())
                .map(Method::Pepper),
        };
        Expected {
            bytes: stored.bytes,
            method,
        }
    }

    /// Whether `secret` is the one that is expected: one hash and one comparison in constant time,
    /// whatever comes out. `None` when the pepper is not known here, or there is none and there has to be
    /// one.
    pub(crate) fn matches(&self, expected: &Expected, secret: &[u8]) -> Option<bool> {
        let bytes = match expected.method {
            Some(Method::Plain) => sha256(secret),
            Some(Method::Pepper(place)) => self.peppers().nth(usize::from(place))?.hash(secret),
            None => {
                self.matches_nothing(secret);
                return None;
            }
        };
        Some(constant_time_eq_32(&bytes, &expected.bytes))
    }

    /// As much work as [`matches`](Self::matches) for a key that is not there: who asks cannot tell a
    /// wrong id from a wrong secret by the time it takes.
    pub(crate) fn matches_nothing(&self, secret: &[u8]) {
        let bytes = match &self.current {
            None => sha256(secret),
            Some(pepper) => pepper.hash(secret),
        };
        core::hint::black_box(constant_time_eq_32(&bytes, core::hint::black_box(&[0; 32])));
    }
}

impl fmt::Debug for SecretHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretHasher")
            .field("current", &self.current.as_ref().map(|pepper| &pepper.id))
            .field("earlier", &self.earlier.len())
            .finish()
    }
}

/// What a presented secret is compared with, by the [`SecretHasher`] that made this of what is stored.
#[derive(Clone)]
pub(crate) struct Expected {
    bytes: [u8; 32],
    /// `None` when no secret can be judged by it here.
    method: Option<Method>,
}

#[derive(Clone, Copy)]
enum Method {
    Plain,
    /// The place of the pepper, the current one's first.
    Pepper(u8),
}

/// SHA-256. A secret that was made here fits into one block with its padding, which is put together
/// without the buffer that texts of any length need.
#[inline]
fn sha256(secret: &[u8]) -> [u8; 32] {
    #[cfg(test)]
    tests::HASHES.with(|hashes| hashes.set(hashes.get().wrapping_add(1)));
    secret
        .try_into()
        .map_or_else(|_| Sha256::digest(secret).into(), sha256_of_own)
}

/// FIPS 180-4 §5.1.1 and §5.3.3: the message, one bit, zeros, and the length in bits; the first 32 bits of
/// the fractional parts of the square roots of the first eight primes.
#[inline]
fn sha256_of_own(secret: &[u8; SECRET]) -> [u8; 32] {
    const INITIAL: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    const PADDING: [u8; 64 - SECRET] = {
        let mut padding = [0; 64 - SECRET];
        padding[0] = 0x80;
        let [.., high, low] = (SECRET * 8).to_be_bytes();
        padding[62 - SECRET] = high;
        padding[63 - SECRET] = low;
        padding
    };
    // Where it is read from, and not copied there: a copy would wait for what was just written.
    let mut blocks = [[0; 64]];
    let [block] = &mut blocks;
    let (message, padding) = block.split_at_mut(SECRET);
    message.copy_from_slice(secret);
    padding.copy_from_slice(&PADDING);
    let mut state = INITIAL;
    sha2::block_api::compress256(&mut state, &blocks);
    let mut digest = [0; 32];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

/// What is stored of a secret. As text, which is what stores keep,
/// `sha256:` or `hmac-sha256:PEPPER:`, and 64 lower-case hexadecimal digits.
///
/// It cannot be turned back into the key, and is not shown by `Debug` all the same.
#[derive(Clone)]
pub struct SecretDigest {
    pepper: Option<PepperId>,
    bytes: [u8; 32],
}

impl SecretDigest {
    /// The name of the pepper that it was made with.
    #[must_use]
    pub const fn pepper(&self) -> Option<&PepperId> {
        self.pepper.as_ref()
    }

    /// The text to store.
    #[must_use]
    pub fn to_stored(&self) -> String {
        let digits = hex::encode(&self.bytes);
        match &self.pepper {
            None => format!("sha256:{digits}"),
            Some(id) => format!("hmac-sha256:{}:{digits}", id.as_str()),
        }
    }
}

/// In constant time.
impl PartialEq for SecretDigest {
    fn eq(&self, other: &Self) -> bool {
        self.pepper == other.pepper && constant_time_eq_32(&self.bytes, &other.bytes)
    }
}

impl Eq for SecretDigest {}

/// The stored text is none of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored text is not that of a secret's hash")]
pub struct InvalidDigest;

impl FromStr for SecretDigest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (pepper, digits) = if let Some(digits) = text.strip_prefix("sha256:") {
            (None, digits)
        } else {
            let rest = text.strip_prefix("hmac-sha256:").ok_or(InvalidDigest)?;
            let (id, digits) = rest.split_once(':').ok_or(InvalidDigest)?;
            (Some(PepperId::new(id).map_err(|_| InvalidDigest)?), digits)
        };
        let bytes = hex::decode(digits).ok_or(InvalidDigest)?;
        Ok(Self { pepper, bytes })
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretDigest")
            .field("pepper", &self.pepper)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    thread_local! {
        /// How many hashes this thread made.
        pub(crate) static HASHES: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
    }

    fn fits(hasher: &SecretHasher, stored: &SecretDigest, secret: &[u8]) -> Option<bool> {
        hasher.matches(&hasher.expects(stored), secret)
    }

    fn pepper(byte: u8) -> SecretBytes {
        SecretBytes::new(vec![byte; 32])
    }

    fn id(text: &str) -> PepperId {
        PepperId::new(text).unwrap()
    }

    #[test]
    fn a_plain_hash_is_sha_256() {
        // FIPS 180-4's example "abc".
        let digest = SecretHasher::sha256().hash(b"abc");
        assert_eq!(
            digest.to_stored(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_secret_of_any_length_is_hashed_as_the_standard_says() {
        for length in 0..200 {
            for fill in [0, 0x80, 0xff, b'a'] {
                let mut secret = vec![fill; length];
                if let Some(last) = secret.last_mut() {
                    *last = u8::try_from(length).unwrap();
                }
                let expected: [u8; 32] = Sha256::digest(&secret).into();
                assert_eq!(sha256(&secret), expected, "{length}");
            }
        }
    }

    #[test]
    fn a_peppered_hash_is_hmac_sha_256() {
        // RFC 4231 §4.8, test case 7: a key that is longer than the block.
        let key = SecretBytes::new(vec![0xaa; 131]);
        let hasher = SecretHasher::peppered(id("p"), &key).unwrap();
        let data = b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
        assert_eq!(
            hasher.hash(data).to_stored(),
            "hmac-sha256:p:9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"
        );
    }

    #[test]
    fn a_pepper_is_replaced_without_a_key_being_lost() {
        let old = SecretHasher::peppered(id("old"), &pepper(1)).unwrap();
        let stored = old.hash(b"secret");
        let new = SecretHasher::peppered(id("new"), &pepper(2))
            .unwrap()
            .earlier(id("old"), &pepper(1))
            .unwrap();
        assert_eq!(fits(&new, &stored, b"secret"), Some(true));
        assert_eq!(fits(&new, &stored, b"other"), Some(false));
        assert_eq!(new.hash(b"secret").pepper(), Some(&id("new")));
        // And without the old one it is not known whether it fits, which is not the same as no.
        let alone = SecretHasher::peppered(id("new"), &pepper(2)).unwrap();
        assert_eq!(fits(&alone, &stored, b"secret"), None);
        // One that was stored without a pepper can be anybody's, so it has to be asked for.
        let plain = SecretHasher::sha256().hash(b"secret");
        assert_eq!(fits(&alone, &plain, b"secret"), None);
        let both = alone.accept_unpeppered();
        assert_eq!(fits(&both, &plain, b"secret"), Some(true));
        assert_eq!(fits(&both, &plain, b"other"), Some(false));
        assert_eq!(both.hash(b"secret").pepper(), Some(&id("new")));
    }

    #[test]
    fn the_same_secret_with_another_pepper_does_not_fit() {
        let one = SecretHasher::peppered(id("p"), &pepper(1)).unwrap();
        let two = SecretHasher::peppered(id("p"), &pepper(2)).unwrap();
        assert_eq!(fits(&two, &one.hash(b"secret"), b"secret"), Some(false));
    }

    #[test]
    fn peppers_are_long_named_and_few() {
        let short = SecretBytes::new(vec![1; 31]);
        assert_eq!(
            SecretHasher::peppered(id("p"), &short).err(),
            Some(PepperError::Short)
        );
        let mut hasher = SecretHasher::peppered(id("p"), &pepper(1)).unwrap();
        assert_eq!(
            SecretHasher::peppered(id("p"), &pepper(1))
                .unwrap()
                .earlier(id("p"), &pepper(2))
                .err(),
            Some(PepperError::Several)
        );
        for n in 1..MAX_PEPPERS {
            hasher = hasher.earlier(id(&format!("p{n}")), &pepper(3)).unwrap();
        }
        assert_eq!(
            hasher.earlier(id("more"), &pepper(3)).err(),
            Some(PepperError::Several)
        );
        for text in ["", "A", "a:b", "a b", &"a".repeat(33)] {
            assert_eq!(PepperId::new(text), Err(PepperError::Id), "{text}");
        }
    }

    #[test]
    fn what_is_stored_is_read_back_and_nothing_else_is() {
        for digest in [
            SecretHasher::sha256().hash(b"s"),
            SecretHasher::peppered(id("2026-11"), &pepper(1))
                .unwrap()
                .hash(b"s"),
        ] {
            assert_eq!(digest.to_stored().parse::<SecretDigest>().unwrap(), digest);
        }
        let digits = "0".repeat(64);
        for text in [
            String::new(),
            digits.clone(),
            format!("sha256:{}", digits.get(1..).unwrap()),
            format!("sha256:{digits}0"),
            format!("sha512:{digits}"),
            format!("hmac-sha256:{digits}"),
            format!("hmac-sha256::{digits}"),
            format!("hmac-sha256:a:b:{digits}"),
            format!("SHA256:{digits}"),
        ] {
            assert!(text.parse::<SecretDigest>().is_err(), "{text}");
        }
    }

    #[test]
    fn neither_peppers_nor_hashes_are_shown() {
        let hasher = SecretHasher::peppered(id("p"), &SecretBytes::new(b"x".repeat(32))).unwrap();
        let digest = hasher.hash(b"s");
        let shown = format!("{hasher:?} {digest:?}");
        assert!(
            !shown.contains("xxxx") && !shown.contains(digest.to_stored().get(14..).unwrap()),
            "{shown}"
        );
    }
}
