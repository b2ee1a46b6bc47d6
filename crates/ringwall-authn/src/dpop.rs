//! Proofs of possession by the application's own means (RFC 9449, DPoP).

mod error;
mod nonce;
mod policy;
mod proof;
mod target;

pub use error::{DpopError, DpopPolicyError, ProofFault};
pub use nonce::DpopNonces;
pub use policy::{
    DEFAULT_PROOF_AGE, DEFAULT_PROOF_LEAD, DpopPolicy, DpopPolicyBuilder, MAX_PROOF_AGE,
    MAX_PROOF_LEAD,
};
pub use proof::ProvenKey;
pub use target::OriginFault;

pub(crate) use proof::Proof;
