//! A gate, put together of a configuration and of what the service gives.

use core::fmt;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use ringwall_authn::api_key::{ApiKeyStore, MemoryApiKeys};
use ringwall_authn::introspection::{IntrospectionAuthenticator, IntrospectionPolicyError};
use ringwall_authn::{
    ApiKeyAuthenticator, ApiKeyAuthenticatorBuilder, ApiKeyRequest, ApiKeys, DpopPolicy,
    Revocations, TokenAuthenticator, TokenVerifier,
};
use ringwall_core::clock::{SystemClock, WallClock as _};
use ringwall_core::event::EventSink;
use ringwall_core::principal::Subject;
use ringwall_jose::KeySource;
use ringwall_replay::ReplayStore;

use super::api_keys::{ApiKeysConfig, StaticKeys};
use super::authorization;
use super::dpop::{self, Replay};
use super::fault::{ConfigFaults, Faults, SettingSource};
use super::introspection::Introspection;
use super::services::{AssembledGate, KeyUpkeep, Services};
use super::token_place::TokenPlace;
use super::tokens::{Keys, Tokens};
use super::{GateConfig, RevocationChoice};
use crate::gate::{Gate, GateBuilder};
use crate::tracing_events::TracingEvents;

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
                Ok(keys) => match &services.key_guard {
                    Some(guard) => guard.guard(keys),
                    None => keys,
                },
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
    if let Some(limits) = &config.rate_limits {
        let (store, clock) = (services.limit_store.as_ref(), services.limit_clock.as_ref());
        match limits.limits(store, clock, &events) {
            Ok(limits) => builder = builder.rate_limits(limits),
            Err((problem, remedy)) => {
                faults.add(
                    "rate_limits.store",
                    SettingSource::Services,
                    problem,
                    remedy,
                );
            }
        }
    }
    match &config.authorization {
        Some(authorization) => {
            let made = authorization.authorization(&services, &events, &mut faults);
            if let Some(authorization) = made {
                builder = builder.authorization(authorization);
            }
        }
        None => authorization::check_unused(&services, &mut faults),
    }
    let dpop = dpop(&config, &services, &mut faults);
    for (place, verifier) in &verifiers {
        let mut tokens = TokenAuthenticator::builder(verifier.clone()).source(place.source());
        if let Some(dpop) = &dpop {
            tokens = tokens.dpop(dpop.clone());
        }
        builder = builder.tokens_by(tokens);
    }
    if let Some(introspection) = &config.introspection {
        match introspect(&config, introspection, &services, &events, revocations) {
            Ok(authenticator) => builder = builder.authenticator(authenticator),
            Err(error) => {
                let source = SettingSource::Unset;
                let remedy = "correct the section";
                faults.add("introspection", source, error.to_string(), remedy);
            }
        }
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
        _ if config.tokens.is_empty() && config.introspection.is_none() => return None,
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

/// What is demanded of proofs, with the store of those that were used.
fn dpop(config: &GateConfig, services: &Services, faults: &mut Faults) -> Option<DpopPolicy> {
    let dpop = config.dpop.as_ref()?;
    let mut fault = |problem: &str, remedy: &str| {
        faults.add("dpop.replay", SettingSource::Services, problem, remedy);
    };
    let store: Arc<dyn ReplayStore> = match (dpop.replay, &services.replay) {
        (Replay::Service, Some(store)) => Arc::clone(store),
        (Replay::Service, None) => {
            let problem = "is the service's, and it has no store of used proofs";
            let remedy = "give Services::replay, or write dpop.replay = \"memory\" for a service of one process";
            fault(problem, remedy);
            return None;
        }
        (Replay::Memory(_), Some(_)) => {
            fault(
                "is memory, and the service has a store too",
                "leave one of the two out",
            );
            return None;
        }
        (Replay::Memory(claims), None) => {
            let now = match &services.clock {
                Some(clock) => clock.now(),
                None => SystemClock::new().now(),
            };
            let store = now.ok().map(|now| dpop::memory(claims, now));
            let Some(Ok(store)) = store else {
                fault(
                    "cannot begin: the clock does not tell the time",
                    "start again",
                );
                return None;
            };
            Arc::new(store)
        }
    };
    match dpop.policy(store) {
        Ok(policy) => Some(policy),
        Err(error) => {
            let source = SettingSource::Unset;
            faults.add("dpop", source, error.to_string(), "correct the section");
            None
        }
    }
}

fn introspect(
    config: &GateConfig,
    introspection: &Introspection,
    services: &Services,
    events: &Arc<dyn EventSink>,
    revocations: Option<Arc<dyn Revocations>>,
) -> Result<IntrospectionAuthenticator, IntrospectionPolicyError> {
    let mut builder = introspection
        .builder(services.introspection.as_ref())
        .realm(&config.realm)
        .events(Arc::clone(events));
    if let Some(revocations) = revocations {
        builder = builder.revocations(revocations);
    }
    if let Some(clock) = &services.clock {
        builder = builder.clock(Arc::clone(clock));
    }
    builder.build()
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
    let header = config.header.clone();
    let mut builder = config.into_builder(store).events(events);
    if let Some(clock) = &services.clock {
        builder = builder.clock(Arc::clone(clock));
    }
    if accepts_imported {
        builder = builder.accept_imported();
    }
    let keys = builder.build();
    let authenticator = match ApiKeyAuthenticator::builder(keys.clone()).header(&header) {
        Ok(authenticator) => authenticator,
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
