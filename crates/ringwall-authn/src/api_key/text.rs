//! The text of a key: what clients hold and secret scanners find.

use core::fmt;
use core::str::FromStr;

use ring::rand::{SecureRandom, SystemRandom};
use ringwall_core::secret::SecretString;
use sha2::{Digest as _, Sha256};

use super::id::{ApiKeyId, ID, IMPORTED_ID};

/// The characters of ids, secrets and checksums.
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The characters of a secret: 43 of 62 are 256 bits.
pub(crate) const SECRET: usize = 43;

/// The characters of a checksum: six of 62 hold the 32 bits of a CRC.
pub(crate) const CHECKSUM: usize = 6;

/// The fewest and the most hexadecimal digits of a key that can be imported: 128 to 512 bits.
const IMPORTED_DIGITS: core::ops::RangeInclusive<usize> = 32..=128;

/// The text is no key, for a reason that its owner may hear: it holds nothing secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyTextError {
    /// A prefix is 2 to 16 lower-case letters and digits, a letter first.
    #[error("a prefix is 2 to 16 lower-case ASCII letters and digits, a letter first")]
    Prefix,
    /// A look-up id is 16 letters and digits, or the 32 lower-case hexadecimal digits of an imported
    /// key.
    #[error("a look-up id is 16 ASCII letters and digits, or 32 lower-case hexadecimal digits")]
    Id,
    /// The text does not have the form of a key.
    #[error("the text does not have the form of a key")]
    Form,
    /// The checksum does not fit: the text was cut off or mistyped, or made up.
    #[error("the checksum of the key does not fit its text")]
    Checksum,
    /// An imported key has too few digits, too many, or always the same ones.
    #[error(
        "a key to import is the prefix, _ and 32 to 128 lower-case hexadecimal digits that vary"
    )]
    Weak,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

/// What all keys of a service begin with, so that people and secret scanners know one when they see
/// it: 2 to 16 lower-case ASCII letters and digits, a letter first. `pak` unless set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ApiKeyPrefix(Box<str>);

impl ApiKeyPrefix {
    /// Checks `text` once.
    ///
    /// # Errors
    ///
    /// [`ApiKeyTextError::Prefix`].
    pub fn new(text: &str) -> Result<Self, ApiKeyTextError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts = text.starts_with(|first: char| first.is_ascii_lowercase());
        if (2..=16).contains(&text.len()) && starts && text.bytes().all(is_plain) {
            Ok(Self(text.into()))
        } else {
            Err(ApiKeyTextError::Prefix)
        }
    }

    /// The text, without the underscore.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A regular expression that finds the keys of this prefix, for a secret scanner. The checksum
    /// tells real ones from look-alikes.
    ///
    /// ```
    /// use ringwall_authn::ApiKeyPrefix;
    ///
    /// assert_eq!(ApiKeyPrefix::default().pattern(), r"\bpak_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}\b");
    /// ```
    #[must_use]
    pub fn pattern(&self) -> String {
        let tail = SECRET.saturating_add(CHECKSUM);
        format!(
            r"\b{}_[0-9A-Za-z]{{{ID}}}_[0-9A-Za-z]{{{tail}}}\b",
            self.as_str()
        )
    }

    /// Makes a new key from the system's random bytes.
    pub(crate) fn generate(&self) -> Result<NewApiKey, ApiKeyTextError> {
        let id = ApiKeyId::new(random_text::<ID>()?.expose())?;
        let secret = random_text::<SECRET>()?;
        let mut text =
            String::with_capacity(self.0.len().saturating_add(2 + ID + SECRET + CHECKSUM));
        for part in [self.as_str(), "_", id.as_str(), "_", secret.expose()] {
            text.push_str(part);
        }
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.iter().copied().map(char::from));
        Ok(NewApiKey {
            id,
            text: SecretString::new(text),
        })
    }

    /// The parts of a text that has the outline of a key that was made here.
    pub(crate) fn outline<'a>(&self, text: &'a [u8]) -> Option<Outline<'a>> {
        let rest = text.strip_prefix(self.0.as_bytes())?.strip_prefix(b"_")?;
        let (id, rest) = rest.split_first_chunk::<ID>()?;
        let (secret, checksum) = rest.strip_prefix(b"_")?.split_first_chunk::<SECRET>()?;
        let checksum = *<&[u8; CHECKSUM]>::try_from(checksum).ok()?;
        Some(Outline {
            id,
            secret,
            checksum,
        })
    }

    /// The id of a presented text, once its characters and its checksum were looked at.
    pub(crate) fn parse(&self, text: &[u8]) -> Result<ApiKeyId, ApiKeyTextError> {
        let form = ApiKeyTextError::Form;
        let Some(own) = self.outline(text) else {
            let rest = text.strip_prefix(self.0.as_bytes());
            let digits = rest.and_then(|rest| rest.strip_prefix(b"_")).ok_or(form)?;
            return imported(digits, text);
        };
        own.check(text)?;
        ApiKeyId::new(core::str::from_utf8(own.id).map_err(|_| form)?)
    }

    /// Takes a key of the time before look-up ids: `pak_` and hexadecimal digits.
    pub(crate) fn parse_imported(&self, text: &str) -> Result<ApiKeyId, ApiKeyTextError> {
        let digits = text
            .strip_prefix(self.as_str())
            .and_then(|rest| rest.strip_prefix('_'))
            .ok_or(ApiKeyTextError::Form)?;
        // Random digits, 32 of them, show fewer than eight different ones once in a hundred million
        // keys; `aaaa…` and `12341234…` always do.
        let mut seen = [false; 256];
        for byte in digits.bytes() {
            if let Some(seen) = seen.get_mut(usize::from(byte)) {
                *seen = true;
            }
        }
        if seen.iter().filter(|seen| **seen).count() < 8 {
            return Err(ApiKeyTextError::Weak);
        }
        imported(digits.as_bytes(), text.as_bytes()).map_err(|_| ApiKeyTextError::Weak)
    }
}

impl Default for ApiKeyPrefix {
    fn default() -> Self {
        Self("pak".into())
    }
}

impl FromStr for ApiKeyPrefix {
    type Err = ApiKeyTextError;

    fn from_str(text: &str) -> Result<Self, ApiKeyTextError> {
        Self::new(text)
    }
}

/// A key that was just made. Its text can be had here and nowhere else: what is stored is a hash.
pub struct NewApiKey {
    id: ApiKeyId,
    text: SecretString,
}

impl NewApiKey {
    /// The public part.
    #[must_use]
    pub const fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// The whole key, to be shown to its owner once.
    #[must_use]
    pub const fn text(&self) -> &SecretString {
        &self.text
    }

    /// The part that is hashed.
    pub(crate) fn secret(&self) -> &[u8] {
        let text = self.text.expose().as_bytes();
        let end = text.len().saturating_sub(CHECKSUM);
        text.get(end.saturating_sub(SECRET)..end).unwrap_or(text)
    }
}

impl fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewApiKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The parts of a text that has the prefix, the length and the underscores of a key that was made here.
/// Nothing else was looked at yet.
pub(crate) struct Outline<'a> {
    pub(crate) id: &'a [u8; ID],
    pub(crate) secret: &'a [u8; SECRET],
    pub(crate) checksum: [u8; CHECKSUM],
}

impl Outline<'_> {
    /// Looks at the characters and the checksum of `text`, of which these are the parts.
    pub(crate) fn check(&self, text: &[u8]) -> Result<(), ApiKeyTextError> {
        let form = ApiKeyTextError::Form;
        if !is_base62(self.id) || !is_base62(self.secret) || !is_base62(&self.checksum) {
            return Err(form);
        }
        let end = text.len().saturating_sub(CHECKSUM);
        let (checked, _) = text.split_at_checked(end).ok_or(form)?;
        if checksum(checked) == self.checksum {
            Ok(())
        } else {
            Err(ApiKeyTextError::Checksum)
        }
    }
}

/// The id of an imported key with these digits.
fn imported(digits: &[u8], text: &[u8]) -> Result<ApiKeyId, ApiKeyTextError> {
    if !IMPORTED_DIGITS.contains(&digits.len()) || !digits.iter().copied().all(is_hex) {
        return Err(ApiKeyTextError::Form);
    }
    let mut hash = Sha256::new();
    hash.update(b"ringwall: the look-up id of an imported API key\0");
    hash.update(text);
    let digest: [u8; 32] = hash.finalize().into();
    let (head, _) = digest.split_at(IMPORTED_ID / 2);
    ApiKeyId::new(&crate::hex::encode(head))
}

pub(crate) const fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Without an early exit, so that the bytes are judged in vectors.
pub(crate) fn is_base62(text: &[u8]) -> bool {
    text.iter()
        .fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
}

/// CRC-32 (ISO 3309, as in zlib) in six digits, the highest first. It finds typing errors and tells
/// scanners a key from a look-alike; it proves nothing, since anybody can compute it.
fn checksum(text: &[u8]) -> [u8; CHECKSUM] {
    let mut rest = crc32fast::hash(text);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        let index = usize::try_from(rest % 62).unwrap_or(0);
        *digit = BASE62.get(index).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

/// `LENGTH` characters, each of the 62 with the same probability.
fn random_text<const LENGTH: usize>() -> Result<SecretString, ApiKeyTextError> {
    let random = SystemRandom::new();
    let mut text = String::with_capacity(LENGTH);
    let mut bytes = zeroize::Zeroizing::new([0_u8; 64]);
    while text.len() < LENGTH {
        random
            .fill(&mut *bytes)
            .map_err(|_| ApiKeyTextError::Random)?;
        // 248 is four times 62: a byte above it would make the first characters likelier.
        let characters = bytes
            .iter()
            .filter(|byte| **byte < 248)
            .filter_map(|byte| BASE62.get(usize::from(byte % 62)));
        for character in characters.take(LENGTH.saturating_sub(text.len())) {
            text.push(char::from(*character));
        }
    }
    Ok(SecretString::new(text))
}

/// The checksum of what stands before it.
#[cfg(test)]
pub(crate) fn checksum_of(body: &str) -> String {
    checksum(body.as_bytes())
        .into_iter()
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix() -> ApiKeyPrefix {
        ApiKeyPrefix::default()
    }

    #[test]
    fn a_new_key_is_read_back() {
        let key = prefix().generate().unwrap();
        let text = key.text().expose();
        assert_eq!(text.len(), 4 + 16 + 1 + 43 + 6);
        assert_eq!(prefix().parse(text.as_bytes()), Ok(key.id().clone()));
        let prefix = prefix();
        let own = prefix.outline(text.as_bytes()).unwrap();
        assert_eq!(own.id, key.id().as_str().as_bytes());
        assert_eq!(own.secret, key.secret());
        assert_eq!(own.checksum, text.as_bytes()[64..]);
    }

    #[test]
    fn two_keys_have_nothing_in_common() {
        let (one, two) = (prefix().generate().unwrap(), prefix().generate().unwrap());
        assert_ne!(one.id(), two.id());
        assert_ne!(one.secret(), two.secret());
    }

    #[test]
    fn every_character_comes_up_as_often_as_the_others() {
        let mut counts = [0_u32; 256];
        for _ in 0..4000 {
            for byte in prefix().generate().unwrap().secret() {
                counts[usize::from(*byte)] += 1;
            }
        }
        // 172,000 characters of 62: 2,774 each, with a standard deviation of 52. A byte too many among
        // those that are taken would make seven of them a quarter likelier.
        for character in BASE62 {
            let count = counts[usize::from(*character)];
            assert!((2440..3110).contains(&count), "{count}");
        }
    }

    #[test]
    fn other_characters_are_refused_also_under_a_checksum_that_fits() {
        let key = prefix().generate().unwrap();
        let text = key.text().expose().as_bytes();
        let (body, _) = text.split_at(text.len() - CHECKSUM);
        for place in (4..20).chain(21..64) {
            for other in [b'-', b'_', b'/', b' ', 0, 0xe9] {
                let mut changed = body.to_vec();
                changed[place] = other;
                let check = checksum(&changed);
                changed.extend(check);
                let answer = prefix().parse(&changed).err();
                assert_eq!(answer, Some(ApiKeyTextError::Form), "{place} {other}");
            }
        }
    }

    #[test]
    fn line_41_refuses_a_wrong_checksum_and_every_changed_character() {
        let key = prefix().generate().unwrap();
        let text = key.text().expose().as_bytes().to_vec();
        for place in 0..text.len() {
            for other in [b'0', b'z', b'_', b' ', 0xff] {
                let mut changed = text.clone();
                if changed[place] == other {
                    continue;
                }
                changed[place] = other;
                assert!(prefix().parse(&changed).is_err(), "{place} {other}");
            }
        }
        for cut in 0..text.len() {
            assert!(prefix().parse(&text[..cut]).is_err(), "{cut}");
        }
        let longer = [&text[..], b"0"].concat();
        assert!(prefix().parse(&longer).is_err());
    }

    #[test]
    fn the_checksum_is_that_of_zlib() {
        // The check value of CRC-32/ISO-HDLC: 0xcbf43926 of "123456789".
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(&checksum(b"123456789"), b"3jZRME");
    }

    #[test]
    fn an_old_key_has_an_id_that_leads_nowhere_back() {
        let old = "pak_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        let id = prefix().parse_imported(old).unwrap();
        assert!(id.is_imported() && !old.contains(id.as_str()));
        assert_eq!(prefix().parse(old.as_bytes()), Ok(id.clone()));
        assert_eq!(ApiKeyId::new(id.as_str()), Ok(id));
    }

    #[test]
    fn whatever_can_be_imported_is_read_as_an_imported_key() {
        for length in IMPORTED_DIGITS {
            let digits: String = "0123456789abcdef".chars().cycle().take(length).collect();
            let text = format!("pak_{digits}");
            let id = prefix().parse_imported(&text).unwrap();
            assert!(id.is_imported(), "{length}");
            assert_eq!(prefix().parse(text.as_bytes()), Ok(id), "{length}");
        }
    }

    #[test]
    fn weak_old_keys_are_not_imported() {
        for text in [
            "pak_",
            "pak_0123456789abcdef",
            "pak_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "pak_12341234123412341234123412341234",
            "pak_0123456789ABCDEF0123456789ABCDEF",
            "pak_your_api_key_here",
            "pak_a1b2c3d4e5f6",
            &format!("pak_{}", "0123456789abcdef".repeat(9)),
        ] {
            assert_eq!(
                prefix().parse_imported(text),
                Err(ApiKeyTextError::Weak),
                "{text}"
            );
        }
        assert_eq!(
            prefix().parse_imported("0123456789abcdef0123456789abcdef"),
            Err(ApiKeyTextError::Form)
        );
    }

    #[test]
    fn a_prefix_is_a_short_plain_word() {
        for text in ["", "p", "1ab", "PAK", "pa_k", "pak-", "pä", &"a".repeat(17)] {
            assert!(ApiKeyPrefix::new(text).is_err(), "{text}");
        }
        let other = ApiKeyPrefix::new("acme1").unwrap();
        let key = other.generate().unwrap();
        assert!(key.text().expose().starts_with("acme1_"));
        assert!(prefix().parse(key.text().expose().as_bytes()).is_err());
    }

    #[test]
    fn a_new_key_shows_its_id_alone() {
        let key = prefix().generate().unwrap();
        let secret = core::str::from_utf8(key.secret()).unwrap();
        let shown = format!("{key:?}");
        assert!(
            shown.contains(key.id().as_str()) && !shown.contains(secret),
            "{shown}"
        );
    }
}
