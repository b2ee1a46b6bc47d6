#![doc = include_str!("../README.md")]

pub mod json;

pub mod base64url;

mod algorithm;
mod compact;
mod error;
mod file;
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
mod jwk;
mod key;
mod proof;
mod provider;
mod public_key;
mod secret_key;
mod set;
mod source;

pub use algorithm::Algorithm;
pub use compact::{CompactJws, CompactLimits, CompactParser, SignatureValid};
pub use error::{CompactError, KeyError, KeySetError};
pub use file::{FileKeys, FileKeysBuilder, WatchHandle};
pub use key::{KeyId, VerificationKey};
pub use proof::{ProofJws, ProofJwsError};
#[cfg(feature = "aws-lc-rs")]
pub use provider::AwsLcProvider;
pub use provider::{RingProvider, SignatureMismatch, SignatureProvider, VerifySignature};
pub use public_key::{Curve, PublicKey, PublicKeyParts};
pub use secret_key::HmacSecret;
pub use set::{KeySet, KeySetBuilder, RefusedKey};
pub use source::{Health, KeySetRef, KeySource, KeysUnavailable, StaticKeys};
