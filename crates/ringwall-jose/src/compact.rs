//! Compact JWS (RFC 7515 §3.1), strictly.

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
const MAX_SIGNATURE_BYTES: usize = 1024;

/// A compact JWS whose form and header were checked, and whose signature was **not**.
///
/// The header's `alg` is one that is accepted; it brings no key of its own and asks for no
/// extension.
#[derive(Debug)]
pub struct CompactJws<'t> {
    header: Document,
    algorithm: Algorithm,
    /// `header.payload`, over which the signature is made.
    signing_input: &'t str,
    payload: &'t str,
    signature: &'t str,
}

/// The proof that a signature was verified. Only [`CompactJws::verify`] makes it.
#[derive(Debug)]
pub struct SignatureValid(());

impl<'t> CompactJws<'t> {
    /// Checks the form of `token` and its header.
    ///
    /// # Errors
    ///
    /// [`CompactError`], which repeats nothing of the token.
    pub fn parse(token: &'t str, limits: CompactLimits) -> Result<Self, CompactError> {
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
        let header = base64url::decode(header).ok_or(CompactError::Encoding)?;
        let limits = Limits {
            bytes: limits.header_bytes,
            depth: 8,
            members: 32,
            nodes: 256,
        };
        let header = Document::parse(header, limits).map_err(|_| CompactError::Header)?;
        let algorithm = check_header(&header)?;
        Ok(Self {
            header,
            algorithm,
            signing_input,
            payload,
            signature,
        })
    }

    /// The algorithm that the header claims. A key decides whether that is the right one.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key id, if the header names one.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.header.root().get("kid")?.as_str()
    }

    /// The `typ` of the header, if it has one.
    #[must_use]
    pub fn token_type(&self) -> Option<&str> {
        self.header.root().get("typ")?.as_str()
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
        if key.algorithm() != self.algorithm {
            return Err(SignatureMismatch);
        }
        let mut buffer = [0; MAX_SIGNATURE_BYTES];
        let signature =
            base64url::decode_into(self.signature, &mut buffer).ok_or(SignatureMismatch)?;
        key.verify(self.signing_input.as_bytes(), signature)?;
        Ok(SignatureValid(()))
    }
}

fn check_header(header: &Document) -> Result<Algorithm, CompactError> {
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
            // RFC 8725 §3.10: a token must not choose the key that vouches for it.
            "jwk" | "jku" | "x5u" | "x5c" => return Err(CompactError::OwnKey),
            // RFC 7515 §4: members that are not understood are ignored.
            _ => {}
        }
    }
    algorithm.ok_or(CompactError::Algorithm)
}
