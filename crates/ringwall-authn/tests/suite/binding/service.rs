//! A service that takes bound tokens, clients that make proofs, and stores of all humours.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use ringwall_authn::jose::{Algorithm, base64url};
use ringwall_authn::{
    CertificateBinding, DpopPolicy, DpopPolicyBuilder, TokenAuthenticator, VerifiedToken,
};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::request::{RequestView, TlsPeer};
use ringwall_core::step::Step;
use ringwall_replay::{Claim, ClaimRequest, ReplayStore, ReplayUnavailable};
use serde_json::{Value, json};

use crate::support::*;

/// The URI of all requests here.
pub(crate) const TARGET: &str = "https://api.example/cases";

/// Remembers all claims, and counts the calls.
#[derive(Debug, Default)]
pub(crate) struct Store {
    claims: Mutex<HashMap<[u8; 32], Timestamp>>,
    pub(crate) calls: AtomicUsize,
    pub(crate) last: Mutex<Option<ClaimRequest>>,
}

impl Store {
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl ReplayStore for Store {
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        *self.last.lock().unwrap() = Some(request);
        let mut claims = self.claims.lock().unwrap();
        if request.valid_until <= request.now {
            return Step::Done(Ok(Claim::Repeated));
        }
        let is_first = claims
            .insert(*request.key.as_bytes(), request.valid_until)
            .is_none();
        Step::Done(Ok(if is_first {
            Claim::First
        } else {
            Claim::Repeated
        }))
    }
}

/// Answers later, by the store within.
#[derive(Debug, Default)]
pub(crate) struct Slow(pub(crate) Arc<Store>);

impl ReplayStore for Slow {
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        let store = Arc::clone(&self.0);
        Step::wait(async move {
            tokio::task::yield_now().await;
            store.claim(request).await
        })
    }
}

/// Answers when it is asked a second time, at once then.
#[derive(Debug, Default)]
pub(crate) struct Later(pub(crate) Arc<Store>);

impl ReplayStore for Later {
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        let store = Arc::clone(&self.0);
        Step::wait(async move { store.claim(request).await })
    }
}

/// Cannot tell.
#[derive(Debug)]
pub(crate) struct Down;

impl ReplayStore for Down {
    fn claim(&self, _request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        let retry_after = Duration::from_secs(7);
        Step::Done(Err(ReplayUnavailable { retry_after }))
    }
}

/// A proof that is good for [`TARGET`], with whatever is changed in it.
#[derive(Clone)]
pub(crate) struct Draft {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Draft {
    pub(crate) fn new(key: &Key, token: &str) -> Self {
        let jwk: Value = serde_json::from_str(&key.public().required_members()).unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        Self {
            header: json!({ "typ": "dpop+jwt", "alg": key.algorithm.name(), "jwk": jwk }),
            claims: json!({
                "jti": fresh_id(),
                "htm": "GET",
                "htu": TARGET,
                "iat": NOW,
                "ath": base64url::encode(digest),
            }),
        }
    }

    pub(crate) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header[name] = value.into();
        self
    }

    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims[name] = value.into();
        self
    }

    pub(crate) fn without_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    pub(crate) fn without_claim(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    pub(crate) fn sign(&self, key: &Key) -> String {
        key.raw_token(&self.header.to_string(), &self.claims.to_string())
    }
}

pub(crate) fn fresh_id() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("proof-{}", NEXT.fetch_add(1, Ordering::SeqCst))
}

/// The claim that binds a token to the key.
pub(crate) fn bound_to(key: &Key) -> Value {
    with(
        "cnf",
        json!({ "jkt": base64url::encode(key.public().thumbprint()) }),
    )
}

pub(crate) struct Service {
    pub(crate) issuer: Key,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: Arc<MemoryEvents>,
    pub(crate) authenticator: TokenAuthenticator,
}

impl Service {
    /// Takes proofs for [`TARGET`]'s origin.
    pub(crate) fn new() -> Self {
        Self::with_policy(|policy| policy)
    }

    pub(crate) fn with_policy(change: impl FnOnce(DpopPolicyBuilder) -> DpopPolicyBuilder) -> Self {
        let store = Arc::new(Store::default());
        let policy = DpopPolicy::builder(Arc::<Store>::clone(&store));
        let policy = change(policy.public_origin("https://api.example"));
        Self::build(store, Some(policy.build().unwrap()), None)
    }

    /// Its proofs are remembered elsewhere.
    pub(crate) fn with_store(other: Arc<dyn ReplayStore>) -> Self {
        let policy = DpopPolicy::builder(other).public_origin("https://api.example");
        Self::build(Arc::default(), Some(policy.build().unwrap()), None)
    }

    pub(crate) fn build(
        store: Arc<Store>,
        dpop: Option<DpopPolicy>,
        certificates: Option<CertificateBinding>,
    ) -> Self {
        let issuer = Key::new("k1", Algorithm::EdDsa);
        let clock = Arc::new(ManualClock::new(now()));
        let events = Arc::new(MemoryEvents::new(1024));
        let mut authenticator = TokenAuthenticator::builder(verifier(&[&issuer]))
            .clock(Arc::<ManualClock>::clone(&clock))
            .events(Arc::<MemoryEvents>::clone(&events));
        if let Some(policy) = dpop {
            authenticator = authenticator.dpop(policy);
        }
        if let Some(binding) = certificates {
            authenticator = authenticator.certificate_bound(binding);
        }
        Self {
            issuer,
            store,
            clock,
            events,
            authenticator: authenticator.build(),
        }
    }

    pub(crate) fn begin(&self, request: &Request<'_>) -> Step<Answer> {
        self.authenticator.authenticate(&request.view())
    }

    /// The answer, which is there at once.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request<'_>) -> Answer {
        match self.begin(request) {
            Step::Done(answer) => answer,
            Step::Wait(_) => panic!("nothing to wait for"),
        }
    }

    /// The cause of the last event.
    pub(crate) fn cause(&self) -> &'static str {
        self.events
            .snapshot()
            .last()
            .map_or("", |event| event.cause)
    }

    /// Sends a proof beside a token that is bound to `client`, and says why it is refused.
    #[track_caller]
    pub(crate) fn refuses(
        &self,
        client: &Key,
        change: impl FnOnce(Draft) -> Draft,
    ) -> &'static str {
        let token = self.issuer.token(&bound_to(client));
        let proof = change(Draft::new(client, &token)).sign(client);
        let denial = self.send(&Request::dpop(&token, &proof)).unwrap_err();
        assert_eq!(status(&denial), 401);
        self.cause()
    }
}

pub(crate) type Answer = Result<Arc<VerifiedToken>, Denial>;

/// A request for [`TARGET`].
pub(crate) struct Request<'a> {
    pub(crate) headers: Vec<(&'a str, String)>,
    pub(crate) method: &'a str,
    pub(crate) scheme: Option<&'a str>,
    pub(crate) authority: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) peer: Option<&'a dyn TlsPeer>,
    pub(crate) socket: Option<&'a str>,
}

impl<'a> Request<'a> {
    pub(crate) fn new(headers: &[(&'a str, &str)]) -> Self {
        Self {
            headers: headers
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned()))
                .collect(),
            method: "GET",
            scheme: Some("https"),
            authority: Some("api.example"),
            path: "/cases",
            peer: None,
            socket: Some("192.0.2.7:1234"),
        }
    }

    pub(crate) fn dpop(token: &str, proof: &str) -> Self {
        let authorization = format!("DPoP {token}");
        Self::new(&[("authorization", &authorization), ("dpop", proof)])
    }

    pub(crate) fn bearer(token: &str) -> Self {
        Self::new(&[("authorization", &format!("Bearer {token}"))])
    }

    pub(crate) fn view(&self) -> RequestView<'_> {
        RequestView {
            method: self.method,
            scheme: self.scheme,
            authority: self.authority,
            raw_path: self.path,
            raw_query: Some("page=2"),
            socket_peer: self.socket.map(|text| text.parse().unwrap()),
            client_address: None,
            tls_peer: self.peer,
            headers: &self.headers,
        }
    }
}

pub(crate) fn status(denial: &Denial) -> u16 {
    denial.http_status()
}

/// The header fields of an answer.
pub(crate) fn fields(denial: &Denial) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    denial.headers(|name, value| fields.push((name, value)));
    fields
}

pub(crate) fn challenge(denial: &Denial) -> String {
    let fields = fields(denial);
    let found = fields.iter().find(|(name, _)| *name == "www-authenticate");
    found.expect("a challenge").1.clone()
}

pub(crate) fn count(service: &Service, kind: EventKind) -> usize {
    service.events.count(kind)
}
