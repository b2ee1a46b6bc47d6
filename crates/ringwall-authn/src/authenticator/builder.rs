//! The options of an authenticator.

use core::fmt;
use std::sync::Arc;

use ringwall_core::clock::{SystemClock, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};

use super::{Dpop, Inner, TokenAuthenticator};
use crate::bearer::BearerSource;
use crate::confirmation::CertificateBinding;
use crate::dpop::DpopPolicy;
use crate::protected_resource::ProtectedResource;
use crate::verifier::TokenVerifier;

/// Collects the options of a [`TokenAuthenticator`].
pub struct TokenAuthenticatorBuilder(Inner);

impl fmt::Debug for TokenAuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAuthenticatorBuilder")
            .field("verifier", &self.0.verifier)
            .finish_non_exhaustive()
    }
}

impl TokenAuthenticatorBuilder {
    /// Where requests carry the token; `Authorization: Bearer` unless set.
    #[must_use]
    pub fn source(mut self, source: BearerSource) -> Self {
        self.0.source = source;
        self
    }

    /// The realm of the challenges; `api` unless set.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.0.realm = realm.into();
        self
    }

    /// The metadata of what is protected. Challenges name its URL, so that a client finds the
    /// authorization server; none is named unless set.
    #[must_use]
    pub fn protected_resource(mut self, resource: ProtectedResource) -> Self {
        self.0.resource = Some(resource);
        self
    }

    /// Takes tokens that are bound to a key (RFC 9449): under `Authorization: DPoP`, with a proof in
    /// the field `DPoP`. Unless set, they are refused. Bearer tokens are taken as before, unless
    /// the policy is [`required`](crate::DpopPolicyBuilder::required).
    #[must_use]
    pub fn dpop(mut self, policy: DpopPolicy) -> Self {
        self.0.dpop = Some(Dpop {
            policy,
            source: BearerSource::dpop(),
        });
        self
    }

    /// Takes tokens that are bound to a client certificate (RFC 8705), on connections of that
    /// certificate. Unless set, they are refused.
    #[must_use]
    pub fn certificate_bound(mut self, binding: CertificateBinding) -> Self {
        self.0.certificates = Some(binding);
        self
    }

    /// The verifier.
    #[must_use]
    pub const fn verifier(&self) -> &TokenVerifier {
        &self.0.verifier
    }

    /// The wall clock; the machine's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// Where every success and failure is reported; nowhere unless set.
    #[must_use]
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.0.events = events;
        self
    }

    /// The authenticator.
    #[must_use]
    pub fn build(self) -> TokenAuthenticator {
        TokenAuthenticator(Arc::new(self.0))
    }
}

impl TokenAuthenticator {
    /// Authenticates with `verifier`.
    #[must_use]
    pub fn builder(verifier: TokenVerifier) -> TokenAuthenticatorBuilder {
        TokenAuthenticatorBuilder(Inner {
            verifier,
            source: BearerSource::default(),
            realm: "api".into(),
            resource: None,
            dpop: None,
            certificates: None,
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        })
    }
}
