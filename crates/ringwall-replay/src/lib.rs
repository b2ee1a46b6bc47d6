#![doc = include_str!("../README.md")]

mod key;
mod store;

pub use key::ClaimKey;
pub use store::{Claim, ClaimRequest, ReplayStore, ReplayUnavailable};
