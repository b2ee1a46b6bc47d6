//! Symmetric token secrets, for development.

use core::fmt;

use ring::hmac;
use ringwall_core::profile::Profile;
use ringwall_core::secret::SecretBytes;
use zeroize::Zeroizing;

use crate::base64url;
use crate::error::KeyError;

/// A secret for HS256, HS384 or HS512. Development profile only: every service that can verify
/// such a token can also issue one, in anybody's name.
///
/// At least 32 bytes, for each of the three (RFC 7518 §3.2 asks for as many as the hash has, and
/// 32 random bytes are out of anybody's reach).
pub struct HmacSecret(SecretBytes);

impl HmacSecret {
    /// The shortest secret in bytes.
    pub const MIN_BYTES: usize = 32;

    /// Takes `bytes` as they are. The length that is judged is the length of `bytes`: a base64
    /// text passed in here counts its characters, not what they encode; see
    /// [`HmacSecret::from_base64`].
    ///
    /// # Errors
    ///
    /// - [`KeyError::DevelopmentOnly`] in [`Profile::Production`];
    /// - [`KeyError::Strength`] below 32 bytes;
    /// - [`KeyError::NotASecret`] for PEM, DER, base64 of DER, JWK and SSH texts, with or without
    ///   white space around them: an HMAC keyed with a public key is the classic algorithm
    ///   confusion.
    pub fn new(bytes: Vec<u8>, profile: Profile) -> Result<Self, KeyError> {
        let secret = SecretBytes::new(bytes);
        if !profile.is_development() {
            return Err(KeyError::DevelopmentOnly);
        }
        if secret.len() < Self::MIN_BYTES {
            return Err(KeyError::Strength);
        }
        if looks_published(secret.expose()) {
            return Err(KeyError::NotASecret);
        }
        Ok(Self(secret))
    }

    /// Decodes base64 or base64url, padded or not (the usual outputs of `openssl rand -base64
    /// 32`), and judges the *decoded* length.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] when the text is neither; otherwise as [`HmacSecret::new`].
    pub fn from_base64(text: &str, profile: Profile) -> Result<Self, KeyError> {
        let bytes = decode_either(text).ok_or(KeyError::Malformed)?;
        Self::new(bytes, profile)
    }

    /// The secret bytes, for a provider.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// Tells secrets apart without revealing them: an HMAC under the secret itself.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.expose());
        let tag = hmac::sign(&key, b"ringwall key fingerprint");
        let mut fingerprint = [0; 32];
        fingerprint
            .iter_mut()
            .zip(tag.as_ref())
            .for_each(|(to, from)| *to = *from);
        fingerprint
    }
}

impl fmt::Debug for HmacSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacSecret([redacted])")
    }
}

/// Whether the bytes are a public key or a key document rather than a secret.
fn looks_published(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    let contains = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
    let is_pem = contains(b"-----BEGIN ");
    // DER may end in a byte that looks like white space, and DER read from a file may be followed
    // by some.
    let is_der = is_der(start) || is_der(start.trim_ascii_end());
    let is_json = start.first() == Some(&b'{') && contains(b"\"kty\"");
    let is_ssh = start.starts_with(b"ssh-") || start.starts_with(b"ecdsa-sha2-");
    is_pem || is_der || is_pem_body(bytes) || is_json || is_ssh
}

/// Whether this is a DER SEQUENCE that covers exactly the bytes and begins with a SEQUENCE or an
/// INTEGER: a SubjectPublicKeyInfo, an RSAPublicKey, a certificate or a private key. Random bytes
/// satisfy this once in 2^23.
fn is_der(bytes: &[u8]) -> bool {
    let (length, content) = match bytes {
        [0x30, 0x82, high, low, content @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), content)
        }
        [0x30, 0x81, length, content @ ..] => (usize::from(*length), content),
        [0x30, length, content @ ..] if *length < 0x80 => (usize::from(*length), content),
        _ => return false,
    };
    length == content.len() && matches!(content, [0x30 | 0x02, ..])
}

/// Whether this is the inner text of a PEM block: configuration often keeps a key on one line
/// without its frame.
fn is_pem_body(bytes: &[u8]) -> bool {
    // SEQUENCE in base64.
    if bytes.trim_ascii_start().first() != Some(&b'M') {
        return false;
    }
    str::from_utf8(bytes)
        .ok()
        .and_then(decode_either)
        .is_some_and(|bytes| is_der(&Zeroizing::new(bytes)))
}

/// base64 or base64url, padded or not, on one line or several.
fn decode_either(text: &str) -> Option<Vec<u8>> {
    // A copy of the secret, which no allocator shall hand to somebody else.
    let url_safe: Zeroizing<String> = text
        .trim_ascii_end()
        .trim_end_matches('=')
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect::<String>()
        .into();
    base64url::decode(&url_safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEVELOPMENT: Profile = Profile::Development;

    #[test]
    fn refuses_short_and_empty_secrets() {
        for length in [0, 1, 16, 31] {
            assert_eq!(
                HmacSecret::new(vec![7; length], DEVELOPMENT).unwrap_err(),
                KeyError::Strength
            );
        }
        assert!(HmacSecret::new(vec![7; 32], DEVELOPMENT).is_ok());
    }

    #[test]
    fn exists_in_development_only() {
        let error = HmacSecret::new(vec![7; 32], Profile::Production).unwrap_err();
        assert_eq!(error, KeyError::DevelopmentOnly);
    }

    #[test]
    fn judges_a_base64_secret_by_its_decoded_length() {
        // 32 characters of base64 are 24 bytes.
        let text = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB";
        assert_eq!(
            HmacSecret::from_base64(text, DEVELOPMENT).unwrap_err(),
            KeyError::Strength
        );
        assert!(HmacSecret::new(text.as_bytes().to_vec(), DEVELOPMENT).is_ok());
        for text in [
            "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/8=",
            "-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_8",
        ] {
            assert!(HmacSecret::from_base64(text, DEVELOPMENT).is_ok(), "{text}");
        }
        assert_eq!(
            HmacSecret::from_base64("not base64!", DEVELOPMENT).unwrap_err(),
            KeyError::Malformed
        );
    }

    #[test]
    fn refuses_published_keys_as_secrets() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----\n";
        let mut der = vec![0x30, 0x82, 0x01, 0x22];
        der.extend([0x30; 0x122]);
        let jwk = br#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx","e":"AQAB"}"#;
        for key in [pem.as_bytes(), &der, jwk] {
            for prefix in ["", " ", "\n\t "] {
                let bytes = [prefix.as_bytes(), key].concat();
                assert_eq!(
                    HmacSecret::new(bytes, DEVELOPMENT).unwrap_err(),
                    KeyError::NotASecret,
                    "{prefix:?}"
                );
            }
        }
    }

    #[test]
    fn never_shows_itself() {
        let secret =
            HmacSecret::new(b"hunter2-hunter2-hunter2-hunter2-".to_vec(), DEVELOPMENT).unwrap();
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
