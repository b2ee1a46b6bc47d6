//! Why a token is refused.

use core::fmt;
use core::time::Duration;

use ringwall_jose::CompactError;
use ringwall_jose::json::JsonError;

/// Why a token was not accepted, in terms of what the *caller* can do.
///
/// Bad signature, unknown key and wrong audience are all the same to a caller on purpose: what
/// an attacker could probe with collapses into [`TokenErrorKind::Rejected`]. The precise cause is
/// the error's [`source`](core::error::Error::source) and [`TokenError::refusal`], for logs only;
/// it holds no byte of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenError {
    kind: TokenErrorKind,
    refusal: Refusal,
}

/// What the caller can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenErrorKind {
    /// The token was good and is over: get a new one.
    Expired,
    /// The token is not acceptable, and will not be.
    Rejected,
    /// No decision was reached, since the keys, the revocations or the time cannot be had. Answer
    /// 503, never allow, and never 401: the token may be perfectly good.
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
}

impl TokenError {
    pub(crate) const fn rejected(refusal: Refusal) -> Self {
        let kind = if matches!(refusal, Refusal::Expired) {
            TokenErrorKind::Expired
        } else {
            TokenErrorKind::Rejected
        };
        Self { kind, refusal }
    }

    pub(crate) const fn unavailable(refusal: Refusal, retry_after: Duration) -> Self {
        Self {
            kind: TokenErrorKind::Unavailable { retry_after },
            refusal,
        }
    }

    /// What the caller can do.
    #[must_use]
    pub const fn kind(&self) -> TokenErrorKind {
        self.kind
    }

    /// The precise cause, for logs and tests, never for the caller.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        self.refusal
    }

    /// Whether the same token may be accepted later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self.kind, TokenErrorKind::Unavailable { .. })
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            TokenErrorKind::Expired => "the token has expired",
            TokenErrorKind::Rejected => "the token is not acceptable",
            TokenErrorKind::Unavailable { .. } => "the token cannot be judged now",
        })
    }
}

impl core::error::Error for TokenError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.refusal)
    }
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        Self::rejected(refusal)
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)+) => {
        /// The precise cause of a refusal. Its texts are fixed, so that they can be counted and
        /// alerted on, and hold no input.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$doc])* $name,)+
            /// The text is not an acceptable compact JWS.
            Form(CompactError),
            /// The claims are not acceptable JSON.
            Json(JsonError),
        }

        impl Refusal {
            /// The fixed text of the cause.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Form(_) => "the token is not an acceptable signed token",
                    Self::Json(_) => "the claims are not acceptable JSON",
                }
            }
        }
    };
}

refusals! {
    /// The claims are not a JSON object.
    NotClaims => "the claims are not an object",
    /// `iss` is missing or not a string.
    IssuerMalformed => "the issuer is missing or not a string",
    /// No such issuer is configured.
    IssuerUnknown => "the issuer is not configured",
    /// The issuer has no key of this id.
    KeyUnknown => "the issuer has no key of this id",
    /// The token names no key, and the issuer has several.
    KeyUnnamed => "the token names no key and the issuer has several",
    /// The header's algorithm is not the one the key is pinned to.
    AlgorithmMismatch => "the algorithm is not the key's",
    /// An HMAC in the production profile.
    SymmetricKey => "symmetric algorithms are for the development profile only",
    /// The signature does not verify.
    Signature => "the signature does not verify",
    /// `typ` is not that of an access token of this profile.
    TokenType => "the type of the token is not one of the profile",
    /// The claims say that the token is of another kind: an ID token, a logout token.
    TokenKind => "the claims are those of another kind of token",
    /// A claim that the profile requires is missing or has the wrong type.
    RequiredClaim => "a required claim is missing or malformed",
    /// `exp` is missing or not a non-negative integer in range.
    ExpiryMalformed => "the expiry is missing or malformed",
    /// `exp` has passed.
    Expired => "the token has expired",
    /// `nbf` is there and not a non-negative integer in range.
    NotBeforeMalformed => "the not-before time is malformed",
    /// `nbf` is yet to come.
    NotYetValid => "the token is not yet valid",
    /// `iat` is there and not a non-negative integer in range.
    IssuedAtMalformed => "the issue time is malformed",
    /// `iat` lies in the future.
    IssuedInFuture => "the issue time lies in the future",
    /// `auth_time` is there and not a non-negative integer in range.
    AuthenticationTimeMalformed => "the authentication time is malformed",
    /// `auth_time` lies in the future.
    AuthenticatedInFuture => "the authentication time lies in the future",
    /// `acr` is there and no string that RFC 9470 §3 could ask for.
    ContextClassMalformed => "the authentication context class is malformed",
    /// `amr` is there and not an array of method names.
    MethodsMalformed => "the authentication methods are malformed",
    /// The token lives longer than the issuer's policy permits.
    LifetimeTooLong => "the token lives longer than permitted",
    /// `aud` is missing or neither a string nor an array of strings.
    AudienceMalformed => "the audience is missing or malformed",
    /// The token is for somebody else.
    AudienceMismatch => "the token is for another audience",
    /// The subject claim is missing or not acceptable as a name.
    SubjectMalformed => "the subject is missing or malformed",
    /// A scope claim has the wrong type or holds what is no scope.
    ScopesMalformed => "the scopes are malformed",
    /// A role claim has the wrong type or holds what is no role.
    RolesMalformed => "the roles are malformed",
    /// A tenant claim has the wrong type or holds what is no tenant, or a project stands there
    /// without its organisation.
    TenantMalformed => "the tenant is malformed",
    /// The token names an actor (RFC 8693 §4.1), which the policy does not accept or which is
    /// malformed.
    Delegation => "the delegation is malformed or not accepted",
    /// The token is bound to a key of its holder (`cnf`, RFC 7800), and possession was not shown.
    SenderConstrained => "the token is bound to a key whose possession was not shown",
    /// `cnf` is there and not an object of the methods it may hold, each of them well-formed.
    ConfirmationMalformed => "the confirmation is malformed",
    /// `cnf` has a member that is not understood.
    ConfirmationUnknown => "the confirmation names a method that is not known",
    /// The token is bound to another key or certificate than the one that was shown.
    PossessionMismatch => "the token is bound to another key or certificate than was shown",
    /// The token is bound to nothing, and has to be bound.
    NotBound => "the token is not bound to a key or a certificate, and has to be",
    /// A token came under the scheme `Bearer` where each has to come with a proof.
    BearerScheme => "a token was presented without a proof where each needs one",
    /// The token was revoked.
    Revoked => "the token was revoked",
    /// The issuer's keys are not available.
    KeysUnavailable => "the keys of the issuer are not available",
    /// The revocations are not available.
    RevocationsUnavailable => "the revocations are not available",
    /// The wall clock is not available.
    ClockUnavailable => "the wall clock is not available",
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl core::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        if let Self::Form(cause) = self {
            Some(cause)
        } else if let Self::Json(cause) = self {
            Some(cause)
        } else {
            None
        }
    }
}

impl From<CompactError> for Refusal {
    fn from(error: CompactError) -> Self {
        Self::Form(error)
    }
}

impl From<JsonError> for Refusal {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

/// A policy that cannot be sound. Told to operators at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The issuer is empty, longer than 512 bytes, or holds white space or control characters.
    #[error("the issuer is not 1 to 512 visible ASCII characters")]
    Issuer,
    /// An audience is empty, longer than 512 bytes, or holds control characters.
    #[error("an audience is not 1 to 512 printable characters")]
    Audience,
    /// The clock skew is above [`MAX_CLOCK_SKEW`](crate::MAX_CLOCK_SKEW).
    #[error("the clock skew is above 300 seconds")]
    ClockSkew,
    /// The lifetime is zero or longer than a year.
    #[error("the longest lifetime is not 1 second to 366 days")]
    Lifetime,
    /// The claim can be written by the user it speaks of, so it cannot say what that user may do.
    #[error("a claim that its own subject can write is not a source of identity or rights")]
    UserWritable,
    /// A claim path is empty or too deep.
    #[error("a claim path has no segment, an empty one, or more than 8")]
    ClaimPath,
    /// An issuer of this name is there already.
    #[error("this issuer is configured already")]
    DuplicateIssuer,
    /// With several issuers, one of them could name any organisation and nobody said that it may:
    /// a tenant's issuer would speak for all tenants.
    #[error(
        "with several issuers, each must be bound to an organisation (only_org), name none (without_tenant) or be trusted with all (any_org)"
    )]
    AnyOrg,
    /// More issuers than the bound.
    #[error("there are more issuers than the verifier permits")]
    TooManyIssuers,
    /// The system gave no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}
