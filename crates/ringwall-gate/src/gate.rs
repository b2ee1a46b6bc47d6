//! The gate itself: what all routes of a service share.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::ProtectedResource;
use ringwall_core::audit::AuditSink;
use ringwall_core::clock::{Timestamp, WallClock};
use ringwall_core::denial::Challenge;
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::{Principal, Scope, VerifiedPrincipal};
use ringwall_core::profile::Profile;
use ringwall_transport::TrustedProxies;

use crate::authenticator::Authenticator;
use crate::authorization::{self, Authorization};
use crate::door::Door;
use crate::error::Error;
use crate::field_names::FieldNames;
use crate::https::HttpsOnly;
use crate::limits::{self, RateLimits};
use crate::organisation::OrganisationRules;
use crate::policy::RoutePolicy;
use crate::role_scopes::RoleScopes;

mod builder;

pub use builder::GateBuilder;

/// When a caller may come back after the clock or the audit trail failed: long enough not to
/// hammer, short enough that nobody notices a failover.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What all routes of a service share: who can be authenticated and how, and where events and
/// records go. Cloning shares it.
///
/// A gate is built once. Each route gets a [`Door`] from it where it is registered.
#[derive(Clone)]
pub struct Gate(Arc<Shared>);

struct Shared {
    realm: Box<str>,
    resource: Option<ProtectedResource>,
    authenticators: Vec<Arc<dyn Authenticator>>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
    audit: Option<Arc<dyn AuditSink>>,
    profile: Profile,
    encoded_slashes: bool,
    proxies: TrustedProxies,
    /// The fields that only trusted proxies may set.
    proxy_headers: FieldNames,
    /// The forwarding fields that not even trusted proxies are believed by.
    unbelieved_headers: FieldNames,
    /// Whether forwarding fields stay in the requests although nobody is trusted to set them.
    keeps_forwarding: bool,
    https: Option<HttpsOnly>,
    organisations: OrganisationRules,
    role_scopes: RoleScopes,
    scopes_unchecked: bool,
    nobody_checked: bool,
    limits: Option<RateLimits>,
    authorization: Option<Authorization>,
}

impl Gate {
    /// Begins a gate for `realm`, the name that challenges show to clients (RFC 9110 §11.5).
    pub fn builder(realm: &str) -> GateBuilder {
        GateBuilder::new(realm)
    }

    /// Whether a policy can hold at this gate, for whoever registers routes: the tier of limits that it names
    /// exists, and counts everybody whom the route is open to; the role or the permission that it demands is one that
    /// the authorization policy has.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownTier`], [`Error::StrangersUncounted`], [`Error::NoAuthorization`], [`Error::UnknownDemand`],
    /// [`Error::DemandNeedsRow`].
    pub fn check(&self, policy: &RoutePolicy) -> Result<(), Error> {
        limits::bind(self.rate_limits(), policy)?;
        authorization::check(self.authorization(), policy)
    }

    /// The authorization policy and what it knows of callers, if there is one.
    #[must_use]
    pub fn authorization(&self) -> Option<&Authorization> {
        self.0.authorization.as_ref()
    }

    /// The rate limits, if there are any.
    #[must_use]
    pub fn rate_limits(&self) -> Option<&RateLimits> {
        self.0.limits.as_ref()
    }

    /// The door of one route. Make it once, where the route is registered. Of a policy that cannot hold here
    /// ([`check`](Self::check)) it lets nobody in.
    #[must_use]
    pub fn door(&self, policy: RoutePolicy) -> Door {
        Door::new(self.clone(), policy)
    }

    /// The realm that challenges show.
    #[must_use]
    pub fn realm(&self) -> &str {
        &self.0.realm
    }

    /// The bare challenge of this gate: its realm, whether it takes proofs (RFC 9449 §7.1), and where the metadata of the protected resource
    /// is (RFC 9728 §5.1). For what a handler or an adapter refuses after the door.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        let challenge = self
            .authenticators()
            .iter()
            .fold(Challenge::new(self.realm()), |challenge, one| {
                one.offer(challenge)
            });
        match self.protected_resource() {
            Some(resource) => challenge.resource_metadata(resource.metadata_url()),
            None => challenge,
        }
    }

    /// The metadata of what this gate protects, for whoever serves it.
    #[must_use]
    pub fn protected_resource(&self) -> Option<&ProtectedResource> {
        self.0.resource.as_ref()
    }

    /// Whether this gate guards something real.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.0.profile
    }

    /// What the owner loosened by name, in words for the log of a start. Empty when nothing was.
    #[must_use]
    pub fn loosened(&self) -> Vec<&'static str> {
        let shared = &*self.0;
        let all = [
            (
                shared.audit.is_none(),
                "no audit trail is kept (without_audit)",
            ),
            (
                shared.encoded_slashes,
                "encoded slashes in paths pass (permit_encoded_slashes)",
            ),
            (
                shared.keeps_forwarding,
                "handlers see forwarding fields that anybody can send (permit_forwarding_fields)",
            ),
            (
                shared.https.is_none(),
                "plain HTTP is served (https_only was not said)",
            ),
            (
                shared.profile.is_development(),
                "development conveniences are permitted (profile)",
            ),
            (shared.nobody_checked, "nobody is authenticated (unchecked)"),
            (
                shared.scopes_unchecked,
                "scopes are not checked (without_scope_checks)",
            ),
        ];
        all.into_iter()
            .filter_map(|(loose, text)| loose.then_some(text))
            .collect()
    }

    /// Emits one event. For what an adapter notices that the gate cannot.
    pub fn report(&self, kind: EventKind, cause: &'static str, about: Option<&Arc<str>>) {
        self.emit(kind, cause, self.now(), None, None, about);
    }

    /// As [`emit`](Self::emit), with what the authorization policy decided.
    pub(crate) fn emit_event(&self, event: SecurityEvent) {
        self.0.events.emit(event);
    }

    pub(crate) fn emit(
        &self,
        kind: EventKind,
        cause: &'static str,
        at: Option<Timestamp>,
        source: Option<IpAddr>,
        principal: Option<&VerifiedPrincipal>,
        about: Option<&Arc<str>>,
    ) {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = at;
        event.source = source;
        event.principal = principal.cloned();
        event.about = about.cloned();
        self.0.events.emit(event);
    }

    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.0.clock.now().ok()
    }

    pub(crate) fn authenticators(&self) -> &[Arc<dyn Authenticator>] {
        &self.0.authenticators
    }

    pub(crate) fn audit(&self) -> Option<&Arc<dyn AuditSink>> {
        self.0.audit.as_ref()
    }

    /// The proxies that are believed when they say for whom they speak.
    #[must_use]
    pub fn trusted_proxies(&self) -> &TrustedProxies {
        &self.0.proxies
    }

    pub(crate) fn proxy_headers(&self) -> &FieldNames {
        &self.0.proxy_headers
    }

    pub(crate) fn unbelieved_headers(&self) -> &FieldNames {
        &self.0.unbelieved_headers
    }

    pub(crate) fn https(&self) -> Option<&HttpsOnly> {
        self.0.https.as_ref()
    }

    /// Whether the caller holds `scope`: by the credential, or by a role where the credential limits nothing.
    pub(crate) fn holds(&self, principal: &Principal, scope: &Scope) -> bool {
        self.0.scopes_unchecked
            || principal.has_scope(scope.as_str())
            || self.0.role_scopes.grants(principal, scope.as_str())
    }

    pub(crate) fn organisations(&self) -> &OrganisationRules {
        &self.0.organisations
    }

    pub(crate) fn encoded_slashes(&self) -> bool {
        self.0.encoded_slashes
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("realm", &self.0.realm)
            .field("resource", &self.0.resource)
            .field("authenticators", &self.0.authenticators)
            .field("audit", &self.0.audit)
            .field("profile", &self.0.profile)
            .finish_non_exhaustive()
    }
}
