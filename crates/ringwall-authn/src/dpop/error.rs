//! Why a proof is refused.

use core::fmt;
use core::time::Duration;

use ringwall_jose::json::JsonError;
use ringwall_jose::{CompactError, KeyError, ProofJwsError};

use super::target::OriginFault;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)+) => {
        /// The precise cause of a refused proof (RFC 9449 §4.3), for logs and metrics. Its texts are
        /// fixed and hold no input.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ProofFault {
            $($(#[$doc])* $name,)+
            /// The text is not an acceptable compact JWS.
            Form(CompactError),
            /// The key in the header cannot be used.
            Key(KeyError),
            /// The payload is not acceptable JSON.
            Json(JsonError),
        }

        impl ProofFault {
            /// The fixed text of the cause.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Form(_) => "the proof is not an acceptable signed text",
                    Self::Key(_) => "the key of the proof is not acceptable",
                    Self::Json(_) => "the proof's claims are not acceptable JSON",
                }
            }
        }
    };
}

faults! {
    /// There is no `DPoP` field.
    Missing => "the request has no DPoP proof",
    /// There are several `DPoP` fields.
    Several => "the request has several DPoP proofs",
    /// The header brings no key.
    KeyMissing => "the proof brings no key",
    /// The algorithm is symmetric, or not one of the policy's.
    Algorithm => "the algorithm of the proof is not accepted",
    /// The RSA key is larger than 4096 bits.
    KeyTooLarge => "the key of the proof is larger than is safe to verify with",
    /// `typ` is not `dpop+jwt`.
    Type => "the type of the proof is not dpop+jwt",
    /// The payload is not a JSON object.
    NotClaims => "the proof's claims are not an object",
    /// `jti` is missing, empty, longer than 256 bytes, or holds control characters.
    IdMalformed => "the id of the proof is missing or malformed",
    /// `htm` is not the method of the request.
    MethodMismatch => "the proof is for another method",
    /// `htu` is missing or no absolute URI.
    TargetMalformed => "the target of the proof is missing or malformed",
    /// `htu` is not the URI of the request.
    TargetMismatch => "the proof is for another target",
    /// Scheme or host of the request are not known, so that nothing can be compared.
    TargetUnknown => "the scheme or the host of the request is not known",
    /// `iat` is missing or not a non-negative integer in range.
    IssuedAtMalformed => "the issue time of the proof is missing or malformed",
    /// `iat` is too long ago.
    TooOld => "the proof is too old",
    /// `iat` lies in the future.
    IssuedInFuture => "the issue time of the proof lies in the future",
    /// `ath` is missing or not the digest of the access token.
    TokenMismatch => "the proof is not for this access token",
    /// A nonce of the server is demanded and missing, or is over.
    NonceMissing => "the proof has no nonce, or one that is over",
    /// The proof is signed by another key than the token is bound to.
    KeyMismatch => "the proof is of another key than the token is bound to",
    /// The signature does not verify.
    Signature => "the signature of the proof does not verify",
    /// The proof was used before.
    Repeated => "the proof was used before",
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for ProofFault {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Form(cause) = self {
            Some(cause)
        } else if let Self::Key(cause) = self {
            Some(cause)
        } else if let Self::Json(cause) = self {
            Some(cause)
        } else {
            None
        }
    }
}

impl From<ProofJwsError> for ProofFault {
    fn from(error: ProofJwsError) -> Self {
        if let ProofJwsError::Form(cause) = error {
            Self::Form(cause)
        } else if let ProofJwsError::Key(cause) = error {
            Self::Key(cause)
        } else if error == ProofJwsError::KeyMissing {
            Self::KeyMissing
        } else {
            Self::Algorithm
        }
    }
}

impl From<CompactError> for ProofFault {
    fn from(error: CompactError) -> Self {
        Self::Form(error)
    }
}

impl From<JsonError> for ProofFault {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

/// What the sender of a proof can do about its refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopError {
    /// The proof is not acceptable, and will not be: make another.
    #[error("the proof is not acceptable")]
    Rejected(#[source] ProofFault),
    /// The proof has to contain a nonce of this server: take the one that comes with the answer, and
    /// try again.
    #[error("the proof has to contain a nonce of this server")]
    NonceDemanded,
    /// Whether the proof was used before cannot be told. Answer 503, and never allow.
    #[error("whether the proof was used before cannot be told")]
    Unavailable {
        /// When to try again, with another proof.
        retry_after: Duration,
    },
}

impl DpopError {
    /// Whether another proof may be accepted later where this one was not.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Rejected(_) => false,
            Self::NonceDemanded | Self::Unavailable { .. } => true,
        }
    }
}

impl From<ProofFault> for DpopError {
    fn from(fault: ProofFault) -> Self {
        if fault == ProofFault::NonceMissing {
            Self::NonceDemanded
        } else {
            Self::Rejected(fault)
        }
    }
}

/// A policy that cannot be sound. Told to operators at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DpopPolicyError {
    /// Nobody said what the targets of proofs are compared with.
    #[error(
        "name the public origins that proofs are made for, or take the host from the request by name"
    )]
    NoOrigin,
    /// A public origin is not `scheme://host` or `scheme://host:port`.
    #[error("a public origin is not acceptable: {0}")]
    Origin(OriginFault),
    /// Public origins were named, and the host of the request was to be taken too.
    #[error("public origins and the host of the request contradict each other")]
    ContradictoryOrigins,
    /// More public origins than 64.
    #[error("there are more than 64 public origins")]
    TooManyOrigins,
    /// No algorithm, or a symmetric one.
    #[error("the algorithms of proofs are none, or one is symmetric")]
    Algorithms,
    /// The age is outside 1 … 300 seconds.
    #[error("the age of a proof is not 1 to 300 seconds")]
    Age,
    /// The lead is above 60 seconds.
    #[error("the lead of a proof's clock is above 60 seconds")]
    Lead,
    /// The step of nonces is outside 10 … 3600 seconds.
    #[error("the step of nonces is not 10 seconds to an hour")]
    NonceStep,
    /// The secret of nonces is shorter than 32 bytes.
    #[error("the secret of nonces is shorter than 32 bytes")]
    NonceSecret,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}
