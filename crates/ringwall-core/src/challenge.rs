//! How a client can authenticate: the challenges of HTTP.

use core::fmt;
use core::time::Duration;

/// The error code of a challenge (RFC 6750 §3.1, RFC 9470 §3, RFC 9449 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BearerError {
    /// The request is malformed: several credentials, an empty one.
    InvalidRequest,
    /// The token is expired, revoked, malformed or invalid for any other reason.
    InvalidToken,
    /// The token is good, and does not suffice.
    InsufficientScope,
    /// The token is good, and the login behind it is too weak or too long ago: a fresh login can
    /// help (RFC 9470 §3).
    InsufficientUserAuthentication,
    /// The DPoP proof is missing, malformed, too old, for another request, or was used before
    /// (RFC 9449 §7.1).
    InvalidDpopProof,
    /// The DPoP proof has to contain the nonce that comes with this answer (RFC 9449 §9).
    UseDpopNonce,
}

impl BearerError {
    /// The code as the RFC spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }
}

/// The authentication scheme of a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChallengeScheme {
    /// `Bearer` (RFC 6750).
    Bearer,
    /// `DPoP` (RFC 9449 §7.1): the token is bound to a key, whose possession each request proves.
    Dpop,
}

impl ChallengeScheme {
    /// The scheme as its RFC spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::Dpop => "DPoP",
        }
    }
}

/// A `WWW-Authenticate` challenge: `Bearer`, `DPoP`, or both (RFC 6750 §3, RFC 9449 §7.1, RFC 9470 §3,
/// RFC 9728 §5.1).
///
/// What went wrong stands in the challenge of one scheme, the one that the client used
/// ([`scheme`](Self::scheme)). A service that takes both offers the other after it (RFC 9110 §11.6.1).
///
/// Without credentials there is no error code: the client did nothing wrong yet. Its text holds
/// printable ASCII alone; every other character, quotes and backslashes included, is rendered as
/// a space, so no value can end its quotes or the header line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    scheme: ChallengeScheme,
    /// Whether the other scheme is offered too.
    offers_both: bool,
    /// The algorithms of DPoP proofs.
    algorithms: Option<Box<str>>,
    /// The nonce for the next DPoP proof: a field of its own.
    nonce: Option<Box<str>>,
    realm: Box<str>,
    error: Option<BearerError>,
    scope: Option<Box<str>>,
    acr_values: Option<Box<str>>,
    max_age: Option<u64>,
    resource_metadata: Option<Box<str>>,
}

impl Challenge {
    /// A bare `Bearer` challenge in `realm`.
    #[must_use]
    pub fn new(realm: &str) -> Self {
        Self {
            scheme: ChallengeScheme::Bearer,
            offers_both: false,
            algorithms: None,
            nonce: None,
            realm: realm.into(),
            error: None,
            scope: None,
            acr_values: None,
            max_age: None,
            resource_metadata: None,
        }
    }

    /// Takes DPoP proofs of these algorithms (`algs`, separated by spaces), beside bearer tokens
    /// (`false`) or alone (`true`).
    #[must_use]
    pub fn dpop(mut self, algorithms: &str, alone: bool) -> Self {
        self.algorithms = Some(algorithms.into());
        self.offers_both = !alone;
        if alone {
            self.scheme = ChallengeScheme::Dpop;
        }
        self
    }

    /// The scheme that the client used: what went wrong is said in its challenge, and the other's stands
    /// after it. Without [`dpop`](Self::dpop), and with it alone, there is one scheme, and this
    /// changes nothing.
    #[must_use]
    pub const fn scheme(mut self, scheme: ChallengeScheme) -> Self {
        if self.offers_both {
            self.scheme = scheme;
        }
        self
    }

    /// The nonce that the next DPoP proof has to contain (RFC 9449 §9). It is no part of the challenge,
    /// but the field `DPoP-Nonce` of the same answer.
    #[must_use]
    pub fn dpop_nonce(mut self, nonce: &str) -> Self {
        self.nonce = Some(nonce.into());
        self
    }

    /// Says what went wrong.
    #[must_use]
    pub fn error(mut self, error: BearerError) -> Self {
        self.error = Some(error);
        self
    }

    /// Says which scopes are needed, separated by spaces.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        self.scope = Some(scope.into());
        self
    }

    /// Says which authentication context classes would do, separated by spaces, the preferred one
    /// first (RFC 9470 §3).
    #[must_use]
    pub fn acr_values(mut self, classes: &str) -> Self {
        self.acr_values = Some(classes.into());
        self
    }

    /// Says how long ago the login may be (RFC 9470 §3): in whole seconds, rounded down, so that
    /// what the client asks its authorization server for is never more than what is enforced.
    #[must_use]
    pub const fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age.as_secs());
        self
    }

    /// Says where the metadata of the protected resource is (RFC 9728 §5.1), by which a client that
    /// never heard of this service finds its authorization server. A URL.
    #[must_use]
    pub fn resource_metadata(mut self, url: &str) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// The fields of the answer.
    pub(crate) fn headers(&self, mut field: impl FnMut(&'static str, String)) {
        field("www-authenticate", self.to_string());
        if let Some(nonce) = &self.nonce {
            field("dpop-nonce", Quoted(nonce).to_string());
        }
    }

    /// What went wrong, if it was said.
    #[must_use]
    pub const fn error_code(&self) -> Option<BearerError> {
        self.error
    }

    /// Whether [`resource_metadata`](Self::resource_metadata) was said.
    #[must_use]
    pub const fn names_resource_metadata(&self) -> bool {
        self.resource_metadata.is_some()
    }
}

/// The value of the header field.
impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_scheme(f, self.scheme)?;
        if let Some(error) = self.error {
            write!(f, ", error=\"{}\"", error.as_str())?;
        }
        if let Some(scope) = &self.scope {
            write!(f, ", scope=\"{}\"", Quoted(scope))?;
        }
        if let Some(classes) = &self.acr_values {
            write!(f, ", acr_values=\"{}\"", Quoted(classes))?;
        }
        if let Some(seconds) = self.max_age {
            write!(f, ", max_age=\"{seconds}\"")?;
        }
        if let Some(url) = &self.resource_metadata {
            write!(f, ", resource_metadata=\"{}\"", Quoted(url))?;
        }
        if !self.offers_both {
            return Ok(());
        }
        f.write_str(", ")?;
        self.write_scheme(
            f,
            match self.scheme {
                ChallengeScheme::Bearer => ChallengeScheme::Dpop,
                ChallengeScheme::Dpop => ChallengeScheme::Bearer,
            },
        )
    }
}

impl Challenge {
    /// The name of a scheme and what every challenge of it has.
    fn write_scheme(&self, f: &mut fmt::Formatter<'_>, scheme: ChallengeScheme) -> fmt::Result {
        write!(f, "{} realm=\"{}\"", scheme.as_str(), Quoted(&self.realm))?;
        match (&self.algorithms, scheme) {
            (Some(algorithms), ChallengeScheme::Dpop) => {
                write!(f, ", algs=\"{}\"", Quoted(algorithms))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }
}

struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            let safe = (c.is_ascii_graphic() && c != '"' && c != '\\').then_some(c);
            fmt::Write::write_char(f, safe.unwrap_or(' '))?;
        }
        Ok(())
    }
}
