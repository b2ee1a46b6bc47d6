//! What a gate is put together from.

use std::sync::Arc;

use ringwall_authn::{
    ApiKeyAuthenticator, ApiKeyAuthenticatorBuilder, ApiKeys, BearerSource,
    CertificateAuthenticatorBuilder, ProtectedResource, TokenAuthenticator,
    TokenAuthenticatorBuilder, TokenVerifier,
};
use ringwall_core::audit::AuditSink;
use ringwall_core::clock::{SystemClock, WallClock};
use ringwall_core::event::EventSink;
use ringwall_core::principal::Principal;
use ringwall_core::profile::Profile;
use ringwall_transport::TrustedProxies;

use crate::authenticator::Authenticator;
use crate::authorization::Authorization;
use crate::error::Error;
use crate::field_names::FieldNames;
use crate::https::HttpsOnly;
use crate::limits::RateLimits;
use crate::organisation::OrganisationRules;
use crate::role_scopes::RoleScopes;
use crate::tracing_events::TracingEvents;
use crate::unchecked::Unchecked;

use super::{Gate, Shared};

/// The longest realm, in bytes.
const MAX_REALM: usize = 128;

#[derive(Debug)]
enum AuditChoice {
    Undecided,
    Declined,
    Given(Arc<dyn AuditSink>),
}

/// Collects what a [`Gate`] needs. Nothing that weakens it is a default.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct GateBuilder {
    realm: Box<str>,
    resource: Option<ProtectedResource>,
    tokens: Vec<TokenAuthenticatorBuilder>,
    certificates: Vec<CertificateAuthenticatorBuilder>,
    api_keys: Vec<ApiKeyAuthenticatorBuilder>,
    authenticators: Vec<Arc<dyn Authenticator>>,
    no_authenticators: bool,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
    audit: AuditChoice,
    profile: Profile,
    encoded_slashes: bool,
    proxies: TrustedProxies,
    proxy_headers: Vec<Box<str>>,
    forwarding_fields: bool,
    https: Option<HttpsOnly>,
    organisations: OrganisationRules,
    role_scopes: RoleScopes,
    scopes_unchecked: bool,
    unchecked: Option<Unchecked>,
    limits: Option<RateLimits>,
    authorization: Option<Authorization>,
}

impl GateBuilder {
    pub(super) fn new(realm: &str) -> Self {
        Self {
            realm: realm.into(),
            resource: None,
            tokens: Vec::new(),
            certificates: Vec::new(),
            api_keys: Vec::new(),
            authenticators: Vec::new(),
            no_authenticators: false,
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(TracingEvents),
            audit: AuditChoice::Undecided,
            profile: Profile::default(),
            encoded_slashes: false,
            proxies: TrustedProxies::none(),
            proxy_headers: Vec::new(),
            forwarding_fields: false,
            https: None,
            organisations: OrganisationRules::default(),
            role_scopes: RoleScopes::default(),
            scopes_unchecked: false,
            unchecked: None,
            limits: None,
            authorization: None,
        }
    }

    /// Authenticates by the token in `Authorization: Bearer`. The authenticator shares the gate's
    /// realm, clock and event sink.
    pub fn tokens(self, verifier: TokenVerifier) -> Self {
        self.tokens_from(verifier, BearerSource::default())
    }

    /// Authenticates by a token that requests carry elsewhere.
    pub fn tokens_from(self, verifier: TokenVerifier, source: BearerSource) -> Self {
        self.tokens_by(TokenAuthenticator::builder(verifier).source(source))
    }

    /// Authenticates by tokens with options of your own: tokens that are bound to a key of their holder
    /// (DPoP) or to a client certificate. The authenticator shares the gate's realm, clock and event sink.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use ringwall_authn::{DpopPolicy, TokenAuthenticator, TokenVerifier};
    /// # use ringwall_replay::MemoryReplay;
    /// # use ringwall_core::clock::{SystemClock, WallClock};
    /// use ringwall_gate::Gate;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let verifier = TokenVerifier::builder().build()?;
    /// let proofs = Arc::new(MemoryReplay::strict(SystemClock::new().now()?));
    /// let dpop = DpopPolicy::builder(proofs).public_origin("https://api.example.com").build()?;
    /// let gate = Gate::builder("api")
    ///     .tokens_by(TokenAuthenticator::builder(verifier).dpop(dpop))
    ///     .without_audit()
    ///     .build()?;
    /// # let _ = gate;
    /// # Ok(())
    /// # }
    /// ```
    pub fn tokens_by(mut self, tokens: TokenAuthenticatorBuilder) -> Self {
        self.tokens.push(tokens);
        self
    }

    /// Authenticates by client certificates: those of the connection, or those that a trusted proxy
    /// names. The authenticator shares the gate's realm, clock and event sink.
    ///
    /// A caller who shows a certificate and presents another credential too is refused, since which of
    /// them counts is not for us to guess. Name the same proxies here and in
    /// [`trusted_proxies`](Self::trusted_proxies).
    pub fn certificates(mut self, certificates: CertificateAuthenticatorBuilder) -> Self {
        self.certificates.push(certificates);
        self
    }

    /// Authenticates by the API key in `X-API-Key`. The authenticator shares the gate's realm, clock and
    /// event sink.
    pub fn api_keys(self, keys: ApiKeys) -> Self {
        self.api_keys_from(ApiKeyAuthenticator::builder(keys))
    }

    /// Authenticates by an API key that requests carry in another field.
    pub fn api_keys_from(mut self, api_keys: ApiKeyAuthenticatorBuilder) -> Self {
        self.api_keys.push(api_keys);
        self
    }

    /// Names, in every challenge, where the metadata of the protected resource is (RFC 9728 §5.1), so
    /// that a client that is refused finds its authorization server. Somebody has to serve it there:
    /// the adapters know how.
    pub fn protected_resource(mut self, resource: ProtectedResource) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Adds one way to authenticate. Several may stand side by side; a request that presents two
    /// credentials is refused, because which of them counts is not for us to guess.
    pub fn authenticator(mut self, authenticator: impl Authenticator + 'static) -> Self {
        self.authenticators.push(Arc::new(authenticator));
        self
    }

    /// Declares that nobody can be authenticated here: every route but the public ones refuses.
    pub const fn without_authenticators(mut self) -> Self {
        self.no_authenticators = true;
        self
    }

    /// Keeps the audit trail in `sink`.
    pub fn audit(mut self, sink: Arc<dyn AuditSink>) -> Self {
        self.audit = AuditChoice::Given(sink);
        self
    }

    /// Declares that no audit trail is kept. [`Gate::loosened`] reports it.
    pub fn without_audit(mut self) -> Self {
        self.audit = AuditChoice::Declined;
        self
    }

    /// Sends events to `sink` instead of to `tracing` ([`TracingEvents`]).
    pub fn events(mut self, sink: Arc<dyn EventSink>) -> Self {
        self.events = sink;
        self
    }

    /// Reads the time from `clock` instead of the machine's.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the profile, which is production otherwise. In production a principal of which nothing
    /// was checked ([`AuthenticationMethod::Unchecked`]) is refused, wherever it comes from.
    ///
    /// [`AuthenticationMethod::Unchecked`]: ringwall_core::principal::AuthenticationMethod::Unchecked
    pub const fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Lets `%2F` pass in paths, for services whose ids hold slashes. Be sure that no proxy in
    /// front decodes it: the route that is decided about here would not be the one it chose.
    /// [`Gate::loosened`] reports it.
    pub const fn permit_encoded_slashes(mut self) -> Self {
        self.encoded_slashes = true;
        self
    }

    /// Believes these proxies when they say for whom they speak: the caller's address, the scheme and
    /// the host that the caller used. Nobody is believed unless set.
    ///
    /// What forwarding fields anybody else sends is taken out of the request before a handler can
    /// mistake it for the truth: of every request where nobody is believed.
    pub fn trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Names a header field that only trusted proxies may set, such as `x-auth-request-user`: it is
    /// taken out of the requests of everybody else before a handler sees them, and other spellings of
    /// it (`x_auth_request_user`) are refused. The fields of the authenticators and of the forwarding
    /// need not be named.
    pub fn proxy_header(mut self, name: &str) -> Self {
        self.proxy_headers.push(name.to_ascii_lowercase().into());
        self
    }

    /// Leaves `X-Forwarded-For` and its kin in requests although nobody is trusted to set them, for
    /// handlers that believe them by rules of their own: behind proxies whose addresses nobody knows. The
    /// gate itself believes none of them. Of no effect where proxies are trusted.
    /// [`Gate::loosened`] reports it.
    pub const fn permit_forwarding_fields(mut self) -> Self {
        self.forwarding_fields = true;
        self
    }

    /// Serves over TLS alone. Without it plain HTTP is served, which [`Gate::loosened`] reports: right
    /// where TLS ends in front, on the same machine, and nobody else can reach the port.
    pub fn https_only(mut self, https: HttpsOnly) -> Self {
        self.https = Some(https);
        self
    }

    /// Holds callers against what their organisations demand: a login at the organisation's own issuer, of
    /// a certain class or method, a verified mail address at one of its domains.
    pub fn organisation_rules(mut self, rules: OrganisationRules) -> Self {
        self.organisations = rules;
        self
    }

    /// Grants scopes by roles, beside those that credentials name; not to a person's token that names scopes itself. Doors
    /// take both; [`Admitted::has_scope`](crate::Admitted::has_scope) does too.
    pub fn role_scopes(mut self, roles: RoleScopes) -> Self {
        self.role_scopes = roles;
        self
    }

    /// Admits every authenticated caller wherever scopes are demanded, in the development profile:
    /// [`build`](Self::build) refuses it in production. [`Gate::loosened`] reports it.
    pub const fn without_scope_checks(mut self) -> Self {
        self.scopes_unchecked = true;
        self
    }

    /// Takes everybody for `principal` and looks at no credential, in the development profile:
    /// [`build`](Self::build) refuses it in production, and beside any authenticator. The method of its
    /// authentication is [`AuthenticationMethod::Unchecked`]. [`Gate::loosened`] reports it.
    ///
    /// [`AuthenticationMethod::Unchecked`]: ringwall_core::principal::AuthenticationMethod::Unchecked
    pub fn unchecked(mut self, principal: Principal) -> Self {
        self.unchecked = Some(Unchecked::new(principal));
        self
    }

    /// Decides by an authorization policy what callers may do: routes can demand a role or a permission, and handlers
    /// ask with a row in their hand ([`Admitted::subject`](crate::Admitted::subject)).
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// Bounds how many requests are served, by address, organisation, user or whatever else its rules say. Nothing
    /// is bounded unless set.
    pub fn rate_limits(mut self, limits: RateLimits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// Builds the gate, and logs at WARN each thing that was loosened.
    ///
    /// # Errors
    ///
    /// [`Error`] says what is missing.
    pub fn build(self) -> Result<Gate, Error> {
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if self.realm.is_empty() || self.realm.len() > MAX_REALM || !self.realm.bytes().all(plain) {
            return Err(Error::InvalidRealm);
        }
        if let Some(resource) = &self.resource
            && resource.profile().is_development()
            && !self.profile.is_development()
        {
            return Err(Error::DevelopmentResource);
        }
        let mut authenticators = self.authenticators;
        for tokens in self.tokens {
            let profile = tokens.verifier().profile();
            if profile.is_development() && !self.profile.is_development() {
                return Err(Error::DevelopmentVerifier);
            }
            let mut tokens = tokens
                .realm(&self.realm)
                .clock(Arc::clone(&self.clock))
                .events(Arc::clone(&self.events));
            if let Some(resource) = &self.resource {
                tokens = tokens.protected_resource(resource.clone());
            }
            authenticators.push(Arc::new(tokens.build()));
        }
        for certificates in self.certificates {
            let certificates = certificates
                .realm(&self.realm)
                .clock(Arc::clone(&self.clock))
                .events(Arc::clone(&self.events))
                .build()
                .map_err(Error::Certificates)?;
            authenticators.push(Arc::new(certificates));
        }
        for api_keys in self.api_keys {
            let api_keys = api_keys
                .realm(&self.realm)
                .clock(Arc::clone(&self.clock))
                .events(Arc::clone(&self.events));
            authenticators.push(Arc::new(api_keys.build()));
        }
        let nobody_checked = self.unchecked.is_some();
        if let Some(unchecked) = self.unchecked {
            if !self.profile.is_development() {
                return Err(Error::UncheckedInProduction);
            }
            if !authenticators.is_empty() {
                return Err(Error::UncheckedBesideOthers);
            }
            authenticators.push(Arc::new(unchecked));
        }
        if self.scopes_unchecked && !self.profile.is_development() {
            return Err(Error::ScopesUncheckedInProduction);
        }
        match (authenticators.is_empty(), self.no_authenticators) {
            (true, false) => return Err(Error::NoAuthenticator),
            (false, true) => return Err(Error::ContradictoryAuthenticators),
            (true, true) | (false, false) => {}
        }
        let audit = match self.audit {
            AuditChoice::Undecided => return Err(Error::AuditUndecided),
            AuditChoice::Declined => None,
            AuditChoice::Given(sink) => Some(sink),
        };
        if let Some(limits) = &self.limits {
            limits.check(!self.proxies.is_empty())?;
        }
        let mut proxy_headers = self.proxy_headers;
        let identity_header = self.limits.as_ref().and_then(RateLimits::header_name);
        proxy_headers.extend(identity_header.map(Box::from));
        if proxy_headers.iter().any(|name| !is_field_name(name)) {
            return Err(Error::InvalidHeaderName);
        }
        proxy_headers.extend(authenticators.iter().flat_map(|one| one.proxy_headers()));
        let keeps_forwarding = self.forwarding_fields && self.proxies.is_empty();
        let boxed = |name: &&str| Box::from(*name);
        if !keeps_forwarding {
            proxy_headers.extend(self.proxies.header_names().iter().map(boxed));
        }
        let unbelieved_headers = self.proxies.unbelieved_header_names();
        let unbelieved_headers = unbelieved_headers.iter().map(boxed).collect();
        let gate = Gate(Arc::new(Shared {
            realm: self.realm,
            resource: self.resource,
            authenticators,
            clock: self.clock,
            events: self.events,
            audit,
            profile: self.profile,
            encoded_slashes: self.encoded_slashes,
            proxies: self.proxies,
            proxy_headers: FieldNames::new(proxy_headers),
            unbelieved_headers: FieldNames::new(unbelieved_headers),
            keeps_forwarding,
            https: self.https,
            organisations: self.organisations,
            role_scopes: self.role_scopes,
            scopes_unchecked: self.scopes_unchecked,
            nobody_checked,
            limits: self.limits,
            authorization: self.authorization,
        }));
        for loosened in gate.loosened() {
            tracing::warn!(target: "ringwall", realm = gate.realm(), loosened, "the gate is loosened");
        }
        Ok(gate)
    }
}

/// RFC 9110 §5.1, §5.6.2, in lower case.
fn is_field_name(name: &str) -> bool {
    let is_token = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    !name.is_empty() && name.bytes().all(is_token)
}
