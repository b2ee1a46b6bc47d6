//! What a configuration cannot say: the stores of a service, its clock, where its events go.

use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use ringwall_authn::api_key::{ApiKeyStore, MemoryApiKeys};
use ringwall_authn::{
    ApiKeyAuthenticatorBuilder, ApiKeyRequest, ApiKeys, Revocations, TokenVerifier,
};
use ringwall_core::clock::WallClock;
use ringwall_core::event::EventSink;
use ringwall_core::principal::Subject;
use ringwall_jose::{KeySource, WatchHandle};
use ringwall_jwks_client::{JwksClient, JwksFetcher, PrefetchError};

use super::api_keys::{ApiKeysConfig, StaticKeys};
use super::fault::{ConfigFaults, Faults, SettingSource};
use super::tokens::{Keys, TokenPlace, Tokens};
use super::{GateConfig, RevocationChoice};
use crate::gate::{Gate, GateBuilder};
use crate::tracing_events::TracingEvents;

/// What a service gives to its gate beside the configuration.
#[derive(Clone, Debug, Default)]
#[must_use = "hand it to `GateConfig::into_builder`"]
pub struct Services {
    api_key_store: Option<Arc<dyn ApiKeyStore>>,
    revocations: Option<Arc<dyn Revocations>>,
    jwks_fetcher: Option<Arc<dyn JwksFetcher>>,
    clock: Option<Arc<dyn WallClock>>,
    events: Option<Arc<dyn EventSink>>,
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

    /// The wall clock; the machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = Some(clock);
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
    clients: Vec<JwksClient>,
    watches: Vec<WatchHandle>,
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

/// Puts the parts together.
pub(super) fn assemble(
    config: GateConfig,
    services: Services,
) -> Result<AssembledGate, ConfigFaults> {
    let mut faults = Faults::default();
    let events = match &services.events {
        Some(events) => Arc::clone(events),
        None => Arc::new(TracingEvents),
    };
    let revocations = revocations(&config, &services, &mut faults);
    let mut upkeep = KeyUpkeep::default();
    let mut verifiers: Vec<(TokenPlace, TokenVerifier)> = Vec::new();
    for (place, issuers) in by_place(&config.tokens) {
        let mut builder = TokenVerifier::builder().profile(config.profile);
        if let Some(revocations) = &revocations {
            builder = builder.revocations(Arc::clone(revocations));
        }
        for tokens in issuers {
            let keys = match key_source(tokens, &services, &events, &mut upkeep) {
                Ok(keys) => keys,
                Err(problem) => {
                    let remedy = "correct the section, and start within a tokio runtime";
                    faults.add(&tokens.name, tokens.source.clone(), problem, remedy);
                    continue;
                }
            };
            match tokens.policy(keys).build() {
                Ok(policy) => builder = builder.issuer(policy),
                Err(error) => refused(&mut faults, tokens, &error.to_string()),
            }
        }
        match (builder.build(), config.tokens.first()) {
            (Ok(verifier), _) => verifiers.push((place, verifier)),
            (Err(error), Some(tokens)) => refused(&mut faults, tokens, &error.to_string()),
            (Err(_), None) => {}
        }
    }
    let mut builder = config.begin(events.clone());
    if let Some(clock) = &services.clock {
        builder = builder.clock(Arc::clone(clock));
    }
    for (place, verifier) in &verifiers {
        builder = builder.tokens_from(verifier.clone(), place.source());
    }
    let mut keys = None;
    if let Some(config) = config.api_keys
        && let Some((made, authenticator)) = api_keys(config, &services, events, &mut faults)
    {
        builder = builder.api_keys_from(authenticator);
        keys = Some(made);
    }
    faults.into_result()?;
    for notice in &config.notices {
        tracing::warn!(target: "ringwall", realm = config.realm, notice, "of the configuration");
    }
    Ok(AssembledGate {
        builder,
        api_keys: keys,
        verifiers: verifiers
            .into_iter()
            .map(|(_, verifier)| verifier)
            .collect(),
        upkeep,
    })
}

impl GateConfig {
    /// The gate without its tokens and API keys.
    fn begin(&self, events: Arc<dyn EventSink>) -> GateBuilder {
        let front = &self.front;
        let mut builder = Gate::builder(&self.realm)
            .profile(self.profile)
            .events(events)
            .trusted_proxies(front.proxies.clone())
            .organisation_rules(self.organisations.clone())
            .role_scopes(self.role_scopes.clone());
        if let Some(https) = &front.https {
            builder = builder.https_only(https.clone());
        }
        for name in &front.proxy_headers {
            builder = builder.proxy_header(name);
        }
        if front.permits_encoded_slashes {
            builder = builder.permit_encoded_slashes();
        }
        if let Some(resource) = &self.resource {
            builder = builder.protected_resource(resource.clone());
        }
        if let Some(certificates) = &self.certificates {
            builder = builder.certificates(certificates.clone());
        }
        if let Some(principal) = &self.unchecked {
            builder = builder.unchecked(principal.clone());
        }
        if !self.checks_scopes {
            builder = builder.without_scope_checks();
        }
        builder
    }
}

fn refused(faults: &mut Faults, tokens: &Tokens, problem: &str) {
    let problem = format!("cannot be used: {problem}");
    faults.add(
        &tokens.name,
        tokens.source.clone(),
        problem,
        "correct the section",
    );
}

fn revocations(
    config: &GateConfig,
    services: &Services,
    faults: &mut Faults,
) -> Option<Arc<dyn Revocations>> {
    let (problem, remedy) = match (config.revocations, &services.revocations) {
        _ if config.tokens.is_empty() => return None,
        (RevocationChoice::Service, Some(revocations)) => return Some(Arc::clone(revocations)),
        (RevocationChoice::None, None) => return None,
        (RevocationChoice::Service, None) => (
            "are the service's, and it has none",
            "give Services::revocations, or write revocations = \"none\" where tokens are short-lived",
        ),
        (RevocationChoice::None, Some(_)) => (
            "are none, and the service has some",
            "leave one of the two out",
        ),
    };
    faults.add("revocations", SettingSource::Services, problem, remedy);
    None
}

/// The issuers by where their tokens are, in the order in which they were named.
fn by_place(tokens: &[Tokens]) -> Vec<(TokenPlace, Vec<&Tokens>)> {
    let mut places: Vec<(TokenPlace, Vec<&Tokens>)> = Vec::new();
    for one in tokens {
        match places.iter_mut().find(|(place, _)| *place == one.place) {
            Some((_, issuers)) => issuers.push(one),
            None => places.push((one.place.clone(), vec![one])),
        }
    }
    places
}

fn key_source(
    tokens: &Tokens,
    services: &Services,
    events: &Arc<dyn EventSink>,
    upkeep: &mut KeyUpkeep,
) -> Result<Arc<dyn KeySource>, String> {
    match &tokens.keys {
        Keys::File { path, poll } => {
            let opened = tokens.file(path).events(Arc::clone(events)).open();
            let keys = opened.map_err(|error| format!("has keys that cannot be used: {error}"))?;
            let watch = keys
                .watch(*poll)
                .map_err(|error| format!("has keys that cannot be watched ({})", error.kind()))?;
            upkeep.watches.push(watch);
            Ok(Arc::new(keys))
        }
        Keys::Remote(remote) => {
            let client = remote
                .client(&tokens.issuer, services.jwks_fetcher.as_ref(), events)
                .key_set(tokens.key_set())
                .start()
                .map_err(|error| format!("has keys that cannot be fetched: {error}"))?;
            upkeep.clients.push(client.clone());
            Ok(Arc::new(client))
        }
        Keys::Shared(keys) => Ok(Arc::clone(keys) as Arc<dyn KeySource>),
    }
}

fn api_keys(
    mut config: ApiKeysConfig,
    services: &Services,
    events: Arc<dyn EventSink>,
    faults: &mut Faults,
) -> Option<(ApiKeys, ApiKeyAuthenticatorBuilder)> {
    let static_keys = config.static_keys.take();
    let store: Arc<dyn ApiKeyStore> = match (&services.api_key_store, &static_keys) {
        (Some(store), None) => Arc::clone(store),
        (None, Some(keys)) => Arc::new(MemoryApiKeys::new(keys.keys.len())),
        (None, None) => {
            let problem = "are in no store: the service has none";
            let remedy = "give Services::api_key_store, or leave api_key out of modes";
            faults.add("api_keys", SettingSource::Services, problem, remedy);
            return None;
        }
        (Some(_), Some(_)) => {
            let problem = "are in the configuration, and the service has a store too";
            let remedy = "import them into the store, or give none";
            faults.add("api_keys.static", SettingSource::Services, problem, remedy);
            return None;
        }
    };
    let accepts_imported = static_keys.is_some();
    let built = config.build(store, |builder| {
        let builder = match &services.clock {
            Some(clock) => builder.clock(Arc::clone(clock)),
            None => builder,
        };
        let builder = builder.events(events);
        if accepts_imported {
            builder.accept_imported()
        } else {
            builder
        }
    });
    let (keys, authenticator) = match built {
        Ok(built) => built,
        Err(error) => {
            let remedy = "write a name such as x-api-key";
            let source = SettingSource::Unset;
            faults.add("api_keys.header", source, error.to_string(), remedy);
            return None;
        }
    };
    if let Some(static_keys) = static_keys {
        import(&keys, static_keys, faults);
    }
    Some((keys, authenticator))
}

fn import(keys: &ApiKeys, static_keys: StaticKeys, faults: &mut Faults) {
    let StaticKeys {
        keys: texts,
        tenant,
        scopes,
    } = static_keys;
    let mut fault = |number: usize, problem: &dyn fmt::Display| {
        let problem = format!("cannot be used, number {number}: {problem}");
        let remedy = "write pak_ and the output of openssl rand -hex 32, each key once";
        faults.add(
            "api_keys.static.keys",
            SettingSource::Unset,
            problem,
            remedy,
        );
    };
    for (number, text) in (1_usize..).zip(texts) {
        let Ok(creator) = Subject::new("configuration") else {
            return;
        };
        let name = format!("static key {number}");
        let request = match ApiKeyRequest::new(&name, tenant.clone(), creator) {
            Ok(request) => request.scopes(scopes.iter().cloned()),
            Err(error) => {
                fault(number, &error);
                continue;
            }
        };
        match ready(keys.import(&text, request)) {
            Some(Ok(_)) => {}
            Some(Err(error)) => fault(number, &error),
            None => fault(number, &"the store does not answer"),
        }
    }
}

/// What a future answers at once. A store in memory does.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}
