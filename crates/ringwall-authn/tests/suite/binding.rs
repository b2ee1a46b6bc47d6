//! Tokens that are bound to a key or a certificate, whose possession each request shows.

mod certificates;
mod downgrades;
mod nonces;
mod possession;
mod proofs;
mod properties;
mod replays;
mod service;
mod vectors;
