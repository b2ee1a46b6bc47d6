//! Why a gate or a policy cannot be built.

/// Why a gate or a policy cannot be built. Every variant is a fault of the program, found at start.
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
    /// Metadata of the development profile was given to a gate of the production profile.
    #[error("resource metadata of the development profile cannot be published in production")]
    DevelopmentResource,
    /// A text that was to be the name of a host is none; or there are none, or too many.
    #[error("the hosts to redirect to are not one to 64 names, each with or without a port")]
    InvalidHost,
    /// A text that was to be the name of a header field is none (RFC 9110 §5.1).
    #[error("the name of a field that proxies set is not the name of a header field")]
    InvalidHeaderName,
    /// The authenticator of client certificates cannot be built.
    #[error("client certificates cannot authenticate anybody")]
    Certificates(#[source] ringwall_authn::CertificatePolicyError),
    /// No audit sink was given, and none was declined by name.
    #[error("the gate has no audit sink: give one, or call `without_audit` to keep no trail")]
    AuditUndecided,
    /// The realm is empty, longer than 128 bytes, or holds more than visible ASCII characters and
    /// spaces.
    #[error("the realm is empty, longer than 128 bytes, or not printable ASCII without quotes")]
    InvalidRealm,
    /// A text that was to be an authentication context class is none: it is empty, longer than 255
    /// bytes, or holds what a challenge cannot list (RFC 9470 §3), a space for one.
    #[error(
        "an authentication context class is not 1 to 255 visible ASCII characters without quotes"
    )]
    InvalidContextClass,
    /// A requirement names no authentication context class, or too many for one challenge.
    #[error("a requirement names no authentication context class, or more than 16")]
    ContextClasses,
    /// A login may be no time ago, or longer than anybody is logged in.
    #[error("the longest age of a login is not 1 second to 366 days")]
    MaxAge,
    /// A rule of an organisation demands nothing, is there twice, or names what is no issuer, context
    /// class, method or mail domain.
    #[error(
        "a rule of an organisation demands nothing, is there twice, or names what cannot be demanded"
    )]
    InvalidOrganisationRule,
    /// A caller of whom nothing is checked was named at a gate of the production profile.
    #[error("callers of whom nothing is checked are for the development profile only")]
    UncheckedInProduction,
    /// A caller of whom nothing is checked was named beside authenticators: a wrong credential would be
    /// as good as a right one.
    #[error("callers of whom nothing is checked were named beside authenticators")]
    UncheckedBesideOthers,
    /// The check of scopes was switched off at a gate of the production profile.
    #[error("scopes are checked in production")]
    ScopesUncheckedInProduction,
    /// A route that serves callers without credentials demands something of the login behind
    /// credentials: whoever does not meet it would just leave them out.
    #[error("a route that is public or optional cannot demand anything of a login")]
    OpenRoute,
    /// A route names a tier of limits that the gate does not have.
    #[error("a route names a tier of limits that the gate does not have")]
    UnknownTier,
    /// A route is open to callers without a credential, and its tier counts authenticated ones alone.
    #[error("a route is open to callers whom no limit of its tier counts")]
    StrangersUncounted,
    /// The store counts by other limits than the rules: give it the policies of the rules.
    #[error("the store of limits was made with other policies than those of the rules")]
    OtherLimits,
    /// Rules say what holds while the store of limits does not answer, and it would not: put a
    /// `FallbackLimiter` around the store.
    #[error(
        "the rate limits say what holds while their store does not answer, and nobody does it: \
         put a FallbackLimiter around the store"
    )]
    FailurePoliciesUnheld,
    /// Routes that name no tier would be bounded by nothing.
    #[error("the limits have no tier of the name \"default\"")]
    NoDefaultTier,
    /// A route demands a role or a permission, and the gate has no policy that could be asked.
    #[error("a route demands a role or a permission, and the gate has no authorization policy")]
    NoAuthorization,
    /// A route demands a role without a rank, or an action, that the policy does not have.
    #[error("a route demands a role without a rank, or an action, that the policy does not have")]
    UnknownDemand,
    /// A route demands a permission that nobody can have before the row is read: each permit of the policy asks for it, or
    /// a forbid does. Let the handler ask, with the row in its hand.
    #[error(
        "a route demands a permission that the policy gives to nobody before the row is known: ask in the handler"
    )]
    DemandNeedsRow,
    /// A header field was to name callers, and no proxy is trusted to set it.
    #[error("a header field names callers for limits, and no proxy is trusted to set it")]
    IdentityHeaderOfNobody,
}
