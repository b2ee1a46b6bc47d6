//! What this crate refuses and what it accepts, through its public API.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "a test that panics has failed, as it should"
)]

mod algorithms;
mod ecdsa;
mod ed25519;
mod file_keys;
mod headers;
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
mod key_ids;
mod key_sets;
mod keys;
mod proofs;
mod properties;
mod public_keys;
mod rsa;
mod segments;
mod static_keys;
mod vectors;
