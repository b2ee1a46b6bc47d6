#![doc = include_str!("../README.md")]

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod generations;
mod key;
pub mod memory;
mod store;

pub use error::Error;
pub use key::ClaimKey;
pub use memory::{MemoryReplay, Restart};
pub use store::{Claim, ClaimRequest, ReplayStore, ReplayUnavailable};
