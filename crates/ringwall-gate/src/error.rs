//! Why a gate cannot be built.

/// Why a gate cannot be built. Every variant is a fault of the program, found at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No authenticator was given, and none was declined by name.
    #[error(
        "the gate has no authenticator: give one, or call `without_authenticators` to refuse everybody"
    )]
    NoAuthenticator,
    /// Authenticators were given, and declined too.
    #[error("the gate was given authenticators and told to have none")]
    ContradictoryAuthenticators,
    /// A token verifier of the development profile was given to a gate of the production profile.
    #[error("a token verifier of the development profile cannot guard production")]
    DevelopmentVerifier,
    /// No audit sink was given, and none was declined by name.
    #[error("the gate has no audit sink: give one, or call `without_audit` to keep no trail")]
    AuditUndecided,
    /// The realm is empty, longer than 128 bytes, or holds more than visible ASCII characters and
    /// spaces.
    #[error("the realm is empty, longer than 128 bytes, or not printable ASCII without quotes")]
    InvalidRealm,
}
