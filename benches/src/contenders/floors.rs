//! What no verifier, or no cache, can do without: reading the text, or hashing it.

use ahash::RandomState;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::materials::Claims;

/// The members of a header.
#[derive(Debug, Deserialize)]
pub struct Header {
    pub alg: String,
    pub kid: Option<String>,
    pub typ: Option<String>,
}

/// Decodes header, claims and signature, and parses the first two into types; checks nothing.
///
/// # Panics
///
/// When the token cannot be read.
#[must_use]
pub fn base64_and_serde(token: &str) -> (Header, Claims, Vec<u8>) {
    let (signed, signature) = token.rsplit_once('.').expect("three segments");
    let (header, claims) = signed.split_once('.').expect("three segments");
    let decode = |text| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    (
        serde_json::from_slice(&decode(header)).expect("a header"),
        serde_json::from_slice(&decode(claims)).expect("claims"),
        decode(signature),
    )
}

/// SHA-256 of the text: the key under which many caches of tokens keep them.
#[must_use]
pub fn sha256(token: &str, library: Library) -> [u8; 32] {
    let bytes = token.as_bytes();
    match library {
        Library::Ring => to_array(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref()),
        Library::AwsLc => {
            to_array(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref())
        }
        Library::Sha2 => Sha256::digest(bytes).into(),
    }
}

fn to_array(digest: &[u8]) -> [u8; 32] {
    digest.try_into().expect("32 bytes")
}

/// Whose SHA-256.
#[derive(Clone, Copy, Debug)]
pub enum Library {
    Ring,
    AwsLc,
    Sha2,
}

impl Library {
    /// All.
    pub const ALL: [Self; 3] = [Self::Ring, Self::AwsLc, Self::Sha2];

    /// The name of the contender.
    #[must_use]
    pub fn contender(self) -> &'static str {
        match self {
            Self::Ring => "sha256-of-token by=ring",
            Self::AwsLc => "sha256-of-token by=aws-lc",
            Self::Sha2 => "sha256-of-token by=sha2",
        }
    }
}

/// A keyed, non-cryptographic hash of the text: what finds an entry of our cache.
#[must_use]
pub fn keyed_hash(token: &str, hasher: &RandomState) -> u64 {
    hasher.hash_one(token.as_bytes())
}
