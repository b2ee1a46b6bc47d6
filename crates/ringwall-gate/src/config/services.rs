//! What a configuration cannot say: the stores of a service, its clock, where its events go.

use std::sync::Arc;

use ringwall_authn::api_key::ApiKeyStore;
use ringwall_authn::introspection::IntrospectionTransport;
use ringwall_authn::{ApiKeys, Revocations, TokenVerifier};
use ringwall_authz::SubjectResolver;
use ringwall_core::clock::{MonotonicClock, WallClock};
use ringwall_core::event::EventSink;
use ringwall_jose::{KeySet, WatchHandle};
use ringwall_jwks_client::{JwksClient, JwksFetcher, PrefetchError};
use ringwall_rate_limit::LimitStore;
use ringwall_replay::ReplayStore;

use super::key_guard::KeyGuard;
use crate::gate::GateBuilder;

/// What a service gives to its gate beside the configuration.
#[derive(Clone, Debug, Default)]
#[must_use = "hand it to `GateConfig::into_builder`"]
pub struct Services {
    pub(super) api_key_store: Option<Arc<dyn ApiKeyStore>>,
    pub(super) revocations: Option<Arc<dyn Revocations>>,
    pub(super) jwks_fetcher: Option<Arc<dyn JwksFetcher>>,
    pub(super) key_guard: Option<KeyGuard>,
    pub(super) introspection: Option<Arc<dyn IntrospectionTransport>>,
    pub(super) replay: Option<Arc<dyn ReplayStore>>,
    pub(super) clock: Option<Arc<dyn WallClock>>,
    pub(super) limit_store: Option<Arc<dyn LimitStore>>,
    pub(super) limit_clock: Option<Arc<dyn MonotonicClock>>,
    pub(super) subjects: Option<Arc<dyn SubjectResolver>>,
    pub(super) events: Option<Arc<dyn EventSink>>,
}

impl Services {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Where API keys are: needed for the mode `api_key`, unless all keys are in the configuration.
    pub fn api_key_store(mut self, store: Arc<dyn ApiKeyStore>) -> Self {
        self.api_key_store = Some(store);
        self
    }

    /// Which tokens were taken back: needed for the mode `jwt`, unless the configuration says
    /// `revocations = "none"`.
    pub fn revocations(mut self, revocations: Arc<dyn Revocations>) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// Fetches keys in the place of the configuration's own fetcher, whose networks and certificates
    /// then do not count.
    pub fn jwks_fetcher(mut self, fetcher: Arc<dyn JwksFetcher>) -> Self {
        self.jwks_fetcher = Some(fetcher);
        self
    }

    /// Asked about the keys of every issuer before each use: a set that `accepts` says no to is not used. Tokens
    /// are answered 503 then, and not refused, until the keys are others. For keys that a service knows
    /// and does not want, such as those of a development machine.
    pub fn key_guard(mut self, accepts: impl Fn(&KeySet) -> bool + Send + Sync + 'static) -> Self {
        self.key_guard = Some(KeyGuard::new(accepts));
        self
    }

    /// Asks about tokens in the place of the configuration's own client.
    pub fn introspection(mut self, transport: Arc<dyn IntrospectionTransport>) -> Self {
        self.introspection = Some(transport);
        self
    }

    /// Where DPoP proofs that were used are remembered, for all processes of the service: needed with
    /// `dpop.replay = "service"`.
    pub fn replay(mut self, store: Arc<dyn ReplayStore>) -> Self {
        self.replay = Some(store);
        self
    }

    /// Where rate limits are counted, in the place of this process: for services of several processes. It is made
    /// with the policies of [`GateConfig::limit_rules`](crate::config::GateConfig::limit_rules); a store of
    /// other policies is refused when the gate is built.
    pub fn limit_store(mut self, store: Arc<dyn LimitStore>) -> Self {
        self.limit_store = Some(store);
        self
    }

    /// The clock of the rate limits; the machine's unless set.
    pub fn limit_clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.limit_clock = Some(clock);
        self
    }

    /// The wall clock; the machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Tells what is known of callers, to the policy of the section `authorization`: needed with it, unless the
    /// configuration says `authorization.subjects = "credentials"`.
    pub fn subjects(mut self, subjects: Arc<dyn SubjectResolver>) -> Self {
        self.subjects = Some(subjects);
        self
    }

    /// Where events go; to `tracing` unless set.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = Some(events);
        self
    }
}

/// What a configuration and the services come to.
#[derive(Debug)]
#[must_use = "the gate is not built yet"]
#[non_exhaustive]
pub struct AssembledGate {
    /// The gate, but for its audit trail: say [`audit`](GateBuilder::audit) or
    /// [`without_audit`](GateBuilder::without_audit), and build it.
    pub builder: GateBuilder,
    /// The API keys, for whoever makes and takes them back.
    pub api_keys: Option<ApiKeys>,
    /// The verifiers of tokens, one for each place in which requests carry them.
    pub verifiers: Vec<TokenVerifier>,
    /// What keeps the keys of issuers up to date. Hold it as long as the gate.
    pub upkeep: KeyUpkeep,
}

/// Keeps the keys of issuers up to date while it is there: files are looked at again, remote keys are
/// fetched.
#[derive(Debug, Default)]
#[must_use = "files of keys are not looked at again once it is dropped"]
pub struct KeyUpkeep {
    pub(super) clients: Vec<JwksClient>,
    pub(super) watches: Vec<WatchHandle>,
}

impl KeyUpkeep {
    /// Waits until the first keys of each issuer are there, so that the service takes no requests that
    /// it would have to refuse. One issuer after the other; each fetches meanwhile.
    ///
    /// # Errors
    ///
    /// [`PrefetchError`] of the first issuer that has none.
    pub async fn prefetch(&self) -> Result<(), PrefetchError> {
        for client in &self.clients {
            client.prefetch().await?;
        }
        Ok(())
    }

    /// Ends the tasks, and the looking at files.
    pub async fn shutdown(self) {
        for client in &self.clients {
            client.shutdown().await;
        }
    }
}
