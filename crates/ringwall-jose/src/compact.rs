//! Compact JWS (RFC 7515 §3.1), strictly.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::CompactError;
use crate::json::{Document, Limits};
use crate::key::{KeyId, VerificationKey};
use crate::provider::SignatureMismatch;

/// Bounds on a compact JWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompactLimits {
    /// The longest token in bytes. 8 KiB is what common servers take for a whole header line.
    pub token_bytes: usize,
    /// The longest decoded header in bytes. A header names an algorithm and a key; those that
    /// carry certificate chains are refused anyway.
    pub header_bytes: usize,
}

impl Default for CompactLimits {
    fn default() -> Self {
        Self {
            token_bytes: 8 * 1024,
            header_bytes: 1024,
        }
    }
}

/// The longest signature: RSA with 8192 bits.
pub(crate) const MAX_SIGNATURE_BYTES: usize = 1024;

/// A compact JWS whose form and header were checked, and whose signature was **not**.
///
/// The header's `alg` is one that is accepted; it brings no key of its own and asks for no
/// extension.
pub struct CompactJws<'t> {
    header: Arc<Header>,
    /// `header.payload`, over which the signature is made.
    signing_input: &'t str,
    payload: &'t str,
    signature: &'t str,
}

/// A header that was checked.
struct Header {
    /// As it stood in the token.
    encoded: Box<str>,
    document: Document,
    algorithm: Algorithm,
}

/// Parses tokens, and remembers the headers of good ones.
///
/// All tokens that one key signs have the same header as a rule, byte for byte, and what a text
/// was parsed into once is what it is parsed into again. Only headers that a valid signature covers
/// are remembered, so outsiders cannot push them out.
pub struct CompactParser {
    limits: CompactLimits,
    remembered: [Slot; SLOTS],
}

/// Keys in use at the same time whose headers are remembered; with more of them, some are parsed
/// anew each time.
const SLOTS: usize = 16;

/// How many tokens with another header it takes until a remembered one makes room: headers that
/// alternate must not cost a replacement each.
const PATIENCE: u32 = 64;

#[derive(Default)]
struct Slot {
    header: ArcSwapOption<Header>,
    /// Good tokens with another header of the same slot.
    others: AtomicU32,
}

impl CompactParser {
    /// Remembers nothing yet.
    #[must_use]
    pub fn new(limits: CompactLimits) -> Self {
        Self {
            limits,
            remembered: core::array::from_fn(|_| Slot::default()),
        }
    }

    /// The bounds.
    #[must_use]
    pub const fn limits(&self) -> CompactLimits {
        self.limits
    }

    /// As [`CompactJws::parse`].
    ///
    /// # Errors
    ///
    /// [`CompactError`].
    pub fn parse<'t>(&self, token: &'t str) -> Result<CompactJws<'t>, CompactError> {
        CompactJws::parse_with(token, self.limits, |encoded| {
            let header = self.slot(encoded)?.header.load();
            header
                .as_ref()
                .filter(|header| *header.encoded == *encoded)
                .cloned()
        })
    }

    /// Remembers the header of a token whose signature is valid.
    pub fn remember(&self, jws: &CompactJws<'_>, _signature: &SignatureValid) {
        let Some(slot) = self.slot(&jws.header.encoded) else {
            return;
        };
        let present = slot.header.load();
        if let Some(present) = &*present {
            if Arc::ptr_eq(present, &jws.header) {
                return;
            }
            let others = slot.others.fetch_add(1, Ordering::Relaxed);
            if !others.is_multiple_of(PATIENCE) {
                return;
            }
        }
        slot.header.store(Some(Arc::clone(&jws.header)));
    }

    fn slot(&self, encoded: &str) -> Option<&Slot> {
        // FNV-1a, eight bytes at a time: it only has to spread the headers of honest issuers.
        let hash = encoded.as_bytes().chunks(8).fold(0, |hash: u64, chunk| {
            let mut word = [0; 8];
            word.iter_mut()
                .zip(chunk)
                .for_each(|(to, from)| *to = *from);
            (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x0100_0000_01b3)
        });
        let index = usize::try_from(hash.wrapping_shr(56)).unwrap_or(0) % SLOTS;
        self.remembered.get(index)
    }
}

/// The proof that a signature was verified. Only [`CompactJws::verify`] and [`ProofJws::verify`] make
/// it.
///
/// [`ProofJws::verify`]: crate::ProofJws::verify
#[derive(Debug)]
pub struct SignatureValid(());

impl SignatureValid {
    /// For whoever has just verified one.
    pub(crate) const fn of_a_proof() -> Self {
        Self(())
    }
}

impl<'t> CompactJws<'t> {
    /// Checks the form of `token` and its header.
    ///
    /// # Errors
    ///
    /// [`CompactError`], which repeats nothing of the token.
    pub fn parse(token: &'t str, limits: CompactLimits) -> Result<Self, CompactError> {
        Self::parse_with(token, limits, |_| None)
    }

    fn parse_with(
        token: &'t str,
        limits: CompactLimits,
        remembered: impl FnOnce(&str) -> Option<Arc<Header>>,
    ) -> Result<Self, CompactError> {
        let Segments {
            signing_input,
            header,
            payload,
            signature,
        } = Segments::split(token, limits)?;
        let header = match remembered(header) {
            Some(known) => known,
            None => Arc::new(Header::parse(header, limits.header_bytes)?),
        };
        Ok(Self {
            header,
            signing_input,
            payload,
            signature,
        })
    }

    /// The algorithm that the header claims. A key decides whether that is the right one.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    /// The key id, if the header names one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.document.root().get("kid")?.as_str()
    }

    /// The `typ` of the header, if it has one.
    #[must_use]
    pub fn token_type(&self) -> Option<&str> {
        self.header.document.root().get("typ")?.as_str()
    }

    /// The payload, which nobody has vouched for yet. Until [`CompactJws::verify`] has answered,
    /// it may be used to choose the key and for nothing else.
    ///
    /// # Errors
    ///
    /// [`CompactError::Encoding`].
    pub fn unverified_payload(&self) -> Result<Vec<u8>, CompactError> {
        base64url::decode(self.payload).ok_or(CompactError::Encoding)
    }

    /// Verifies the signature under `key`, whose algorithm must be the header's.
    ///
    /// # Errors
    ///
    /// [`SignatureMismatch`], whatever the reason.
    pub fn verify(&self, key: &VerificationKey) -> Result<SignatureValid, SignatureMismatch> {
        if key.algorithm() != self.header.algorithm {
            return Err(SignatureMismatch);
        }
        let mut buffer = [0; MAX_SIGNATURE_BYTES];
        let signature =
            base64url::decode_into(self.signature, &mut buffer).ok_or(SignatureMismatch)?;
        key.verify(self.signing_input.as_bytes(), signature)?;
        Ok(SignatureValid(()))
    }
}

/// The parts of a compact JWS, none of which is empty.
pub(crate) struct Segments<'t> {
    /// `header.payload`, over which the signature is made.
    pub(crate) signing_input: &'t str,
    pub(crate) header: &'t str,
    pub(crate) payload: &'t str,
    pub(crate) signature: &'t str,
}

impl<'t> Segments<'t> {
    pub(crate) fn split(token: &'t str, limits: CompactLimits) -> Result<Self, CompactError> {
        // Before anything looks at the text: a megabyte of dots costs one comparison.
        if token.len() > limits.token_bytes {
            return Err(CompactError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(CompactError::Segments)?;
        let (header, payload) = signing_input
            .split_once('.')
            .ok_or(CompactError::Segments)?;
        if payload.contains('.') || header.is_empty() || payload.is_empty() || signature.is_empty()
        {
            return Err(CompactError::Segments);
        }
        Ok(Self {
            signing_input,
            header,
            payload,
            signature,
        })
    }
}

/// The JSON of a header.
pub(crate) fn parse_header(encoded: &str, max_bytes: usize) -> Result<Document, CompactError> {
    let bytes = base64url::decode(encoded).ok_or(CompactError::Encoding)?;
    let limits = Limits {
        bytes: max_bytes,
        depth: 8,
        members: 32,
        nodes: 256,
    };
    Document::parse(bytes, limits).map_err(|_| CompactError::Header)
}

impl Header {
    fn parse(encoded: &str, max_bytes: usize) -> Result<Self, CompactError> {
        let document = parse_header(encoded, max_bytes)?;
        let algorithm = check_header(&document, OwnKey::Refused)?;
        Ok(Self {
            encoded: encoded.into(),
            document,
            algorithm,
        })
    }
}

/// Shows nothing of the token: whoever holds it is its subject.
impl fmt::Debug for CompactJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws")
            .field("algorithm", &self.algorithm())
            .field("payload_bytes", &self.payload.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CompactParser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactParser")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Whether a header may bring the key that its signature is verified under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OwnKey {
    Refused,
    /// As `jwk`, in a proof of possession.
    Permitted,
}

pub(crate) fn check_header(header: &Document, own_key: OwnKey) -> Result<Algorithm, CompactError> {
    let mut algorithm = None;
    for (name, value) in header.root().as_object().ok_or(CompactError::Header)? {
        match name {
            "alg" => algorithm = value.as_str().and_then(Algorithm::from_name),
            "kid" => {
                value
                    .as_str()
                    .filter(|id| KeyId::is_valid(id))
                    .ok_or(CompactError::KeyId)?;
            }
            "typ" => {
                value.as_str().ok_or(CompactError::Type)?;
            }
            // `cty` tells that the payload is a token in turn (RFC 7519 §5.2), or something else
            // that is not claims.
            "cty" => return Err(CompactError::Type),
            // RFC 7515 §4.1.11: whoever does not understand a critical extension must refuse. We
            // understand none. RFC 7797: `b64` changes what is signed. RFC 7516: `zip`.
            "crit" | "b64" | "zip" => return Err(CompactError::Extension),
            "jwk" if own_key == OwnKey::Permitted => {}
            // RFC 8725 §3.10: a token must not choose the key that vouches for it.
            "jwk" | "jku" | "x5u" | "x5c" => return Err(CompactError::OwnKey),
            // RFC 7515 §4: members that are not understood are ignored.
            _ => {}
        }
    }
    algorithm.ok_or(CompactError::Algorithm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::RingProvider;
    use crate::secret_key::HmacSecret;
    use ring::hmac;
    use ringwall_core::profile::Profile;

    const SECRET: [u8; 32] = [7; 32];

    fn token(header: &str) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
        let signed = format!("{}.{}", base64url::encode(header), base64url::encode("{}"));
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", base64url::encode(tag))
    }

    fn key() -> VerificationKey {
        let secret = HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
        VerificationKey::symmetric(None, Algorithm::Hs256, &secret, &RingProvider).unwrap()
    }

    #[test]
    fn a_remembered_header_says_what_it_said() {
        let (parser, key) = (CompactParser::new(CompactLimits::default()), key());
        // More headers than there are slots, in turns, so that some are replaced.
        let tokens: Vec<_> = (0..40)
            .map(|n| token(&format!(r#"{{"alg":"HS256","kid":"k{n}","typ":"t{n}"}}"#)))
            .collect();
        for _ in 0..PATIENCE {
            for (n, token) in tokens.iter().enumerate() {
                let jws = parser.parse(token).unwrap();
                assert_eq!(jws.key_id(), Some(&*format!("k{n}")));
                assert_eq!(jws.token_type(), Some(&*format!("t{n}")));
                parser.remember(&jws, &jws.verify(&key).unwrap());
            }
        }
        let slots = parser.remembered.iter();
        assert!(slots.filter(|slot| slot.header.load().is_some()).count() > 1);
    }

    #[test]
    fn shows_nothing_of_the_token() {
        let (parser, key) = (CompactParser::new(CompactLimits::default()), key());
        let good = token(r#"{"alg":"HS256","kid":"a"}"#);
        let jws = parser.parse(&good).unwrap();
        parser.remember(&jws, &jws.verify(&key).unwrap());
        let shown = format!("{jws:?} {jws:#?} {parser:?}");
        assert!(
            good.split('.').all(|segment| !shown.contains(segment)),
            "{shown}"
        );
        assert!(!shown.contains("kid"), "{shown}");
    }

    #[test]
    fn a_header_is_parsed_once_and_only_for_its_very_text() {
        let (parser, key) = (CompactParser::new(CompactLimits::default()), key());
        let good = token(r#"{"alg":"HS256","kid":"a"}"#);
        let first = parser.parse(&good).unwrap();
        // Nothing is remembered before the signature is known to be valid.
        assert!(!Arc::ptr_eq(
            &first.header,
            &parser.parse(&good).unwrap().header
        ));
        parser.remember(&first, &first.verify(&key).unwrap());
        let again = parser.parse(&good).unwrap();
        assert!(Arc::ptr_eq(&first.header, &again.header));
        // A remembered header does not vouch for what follows it.
        let forged = format!("{good}A");
        assert!(parser.parse(&forged).unwrap().verify(&key).is_err());
        let padded = good.replacen('.', "=.", 1);
        assert_eq!(parser.parse(&padded).unwrap_err(), CompactError::Encoding);
    }
}
