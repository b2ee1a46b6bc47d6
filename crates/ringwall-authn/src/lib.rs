#![doc = include_str!("../README.md")]

mod allowed_grants;
pub mod api_key;
mod authenticator;
mod bearer;
mod cache;
mod certificate;
mod claim_path;
mod confirmation;
mod digest;
mod dpop;
mod error;
mod evaluate;
mod hex;
pub mod introspection;
mod issuer;
mod issuer_table;
mod policy;
mod profile;
mod protected_resource;
pub mod revocation;
mod signing_key;
mod token;
mod url;
mod verifier;

pub use ringwall_jose as jose;
pub use ringwall_transport as transport;

pub use api_key::{
    AllowedNetwork, ApiKeyAuthenticator, ApiKeyAuthenticatorBuilder, ApiKeyError, ApiKeyErrorKind,
    ApiKeyId, ApiKeyPrefix, ApiKeyRequest, ApiKeys, ApiKeysBuilder, MemoryApiKeys, SecretHasher,
};
pub use authenticator::{TokenAuthenticator, TokenAuthenticatorBuilder};
pub use bearer::BearerSource;
pub use cache::CacheUsage;
pub use certificate::{
    CertificateAuthenticator, CertificateAuthenticatorBuilder, CertificateMapping,
    CertificatePolicyError,
};
pub use claim_path::ClaimPath;
pub use confirmation::{
    BoundToken, CertificateBinding, CertificateBindingBuilder, CertificateFault, Confirmation,
    Possession, ShownCertificate,
};
pub use dpop::{
    DEFAULT_PROOF_AGE, DEFAULT_PROOF_LEAD, DpopError, DpopNonces, DpopPolicy, DpopPolicyBuilder,
    DpopPolicyError, MAX_PROOF_AGE, MAX_PROOF_LEAD, OriginFault, ProofFault, ProvenKey,
};
pub use error::{PolicyError, Refusal, TokenError, TokenErrorKind};
pub use issuer::{IssueError, IssuedToken, TokenIssuer, TokenRequest};
pub use issuer_table::MAX_ISSUERS;
pub use policy::{
    DEFAULT_CLOCK_SKEW, DEFAULT_MAX_LIFETIME, IssuerPolicy, IssuerPolicyBuilder, MAX_CLOCK_SKEW,
    PrincipalMapping,
};
pub use profile::TokenProfile;
pub use protected_resource::{ProtectedResource, ProtectedResourceBuilder, ProtectedResourceError};
pub use revocation::{
    MemoryRevocations, NoRevocations, Revocation, Revocations, RevocationsFull,
    RevocationsUnavailable, Revoked, Revoker, SyncedRevocations, TokenFacts,
};
pub use signing_key::{SigningKey, SigningKeyError};
pub use token::{Claims, VerifiedToken};
pub use url::UrlFault;
pub use verifier::{DEFAULT_CACHE_BYTES, TokenVerifier, TokenVerifierBuilder};
