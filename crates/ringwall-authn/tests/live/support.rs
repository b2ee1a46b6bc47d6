//! Issuers with a key server and a client each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use ringwall_authn::jose::{Algorithm, Health, KeySource as _};
use ringwall_authn::{
    IssuerPolicy, SigningKey, TokenAuthenticator, TokenIssuer, TokenRequest, TokenVerifier,
};
use ringwall_core::clock::{SystemClock, WallClock};
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{OrgId, Subject};
use ringwall_core::profile::Profile;
use ringwall_jwks_client::{
    FetchErrorKind, HttpFetcher, JwksClient, JwksFetcher, RefreshError, RefreshPolicy, Status,
};
use tokio::sync::{Mutex as AsyncMutex, MutexGuard};

use crate::load::{Batch, Expected, Tally};
use crate::server::{Answer, Authority, Behaviour, Identity, Server};

pub(crate) const AUDIENCE: &str = "https://api.example";

/// Where a server has its keys.
pub(crate) const JWKS: &str = "/jwks";

/// Tokens that a key has out. Each is verified many times, so that most answers are from the cache.
const TOKENS: usize = 32;

/// Nothing takes longer unless it never comes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A machine has few cores, and each scenario is about what thousands of tasks do to one verifier:
/// two scenarios at once would be about each other.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static ALONE: AsyncMutex<()> = AsyncMutex::const_new(());
    ALONE.lock().await
}

/// The proportions of production, two to three hundred times as fast. Keys are kept for long after
/// their freshness, so that a machine that stands still is no outage.
pub(crate) fn brisk() -> RefreshPolicy {
    RefreshPolicy {
        ttl: millis(1000),
        min_ttl: millis(1000),
        max_ttl: millis(1000),
        refresh_ahead: millis(100),
        timeout: millis(150),
        backoff: millis(20),
        max_backoff: millis(100),
        missing_key_cool_down: millis(200),
        max_stale: Duration::from_secs(60),
        metadata_ttl: millis(3000),
        ..RefreshPolicy::default()
    }
}

pub(crate) const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) fn clock() -> Arc<dyn WallClock> {
    Arc::new(SystemClock::new())
}

/// Waits for what other tasks bring about.
pub(crate) async fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "never so: {what}");
}

pub(crate) fn new_key() -> SigningKey {
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).unwrap()
}

/// Whom a test's clients trust, and how they fetch.
pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) fetcher: Arc<dyn JwksFetcher>,
}

impl World {
    pub(crate) fn new() -> Self {
        let authority = Authority::new();
        let fetcher = HttpFetcher::builder()
            .root_certificates_pem(authority.pem())
            .only_root_certificates()
            .build()
            .unwrap();
        Self {
            authority,
            fetcher: Arc::new(fetcher),
        }
    }

    /// The certificate that a server should have.
    pub(crate) fn identity(&self) -> Identity {
        self.authority.identity(&["127.0.0.1"])
    }

    /// An issuer with a server of its own, and the first keys fetched.
    pub(crate) async fn site(&self, label: &str, policy: RefreshPolicy) -> Site {
        let server = Server::start(Behaviour::Close).await;
        self.site_at(server, label, policy).await
    }

    /// As [`Self::site`], over TLS.
    pub(crate) async fn tls_site(&self, label: &str, policy: RefreshPolicy) -> Site {
        let server = Server::start_tls(&self.identity(), Behaviour::Close).await;
        self.site_at(server, label, policy).await
    }

    async fn site_at(&self, server: Server, label: &str, policy: RefreshPolicy) -> Site {
        let issuer = TokenIssuer::new(&format!("https://{label}.example"), new_key());
        server.set(served(&issuer));
        let events = Arc::new(MemoryEvents::new(10_000));
        let client = JwksClient::builder(&server.url(JWKS), Arc::clone(&self.fetcher))
            .profile(Profile::Development)
            .policy(policy)
            .events(Arc::<MemoryEvents>::clone(&events))
            .start()
            .unwrap();
        let tenant = Tenant::new(label, issuer, client, events);
        tenant.ready().await;
        Site {
            server,
            tenant: Arc::new(tenant),
        }
    }
}

pub(crate) fn served(issuer: &TokenIssuer) -> Behaviour {
    Behaviour::Serve(Answer::json(issuer.jwks()))
}

/// An issuer and its server.
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) tenant: Arc<Tenant>,
}

impl Site {
    /// Serves the keys as the issuer has them.
    pub(crate) fn publish(&self) {
        self.server.set(served(&self.tenant.issuer));
    }
}

/// An issuer, its tokens, and the client of its keys.
pub(crate) struct Tenant {
    pub(crate) label: String,
    pub(crate) issuer: TokenIssuer,
    pub(crate) events: Arc<MemoryEvents>,
    pub(crate) tally: Tally,
    client: Mutex<Option<Arc<JwksClient>>>,
    batches: RwLock<Vec<Arc<Batch>>>,
    turn: AtomicUsize,
}

impl Tenant {
    pub(crate) fn new(
        label: &str,
        issuer: TokenIssuer,
        client: JwksClient,
        events: Arc<MemoryEvents>,
    ) -> Self {
        let tenant = Self {
            label: label.to_owned(),
            issuer,
            events,
            tally: Tally::default(),
            client: Mutex::new(Some(Arc::new(client))),
            batches: RwLock::default(),
            turn: AtomicUsize::new(0),
        };
        tenant.hand_out(Expected::AtOnce);
        tenant
    }

    /// The first keys are there. On a machine that stands still, an attempt or ten may fail.
    pub(crate) async fn ready(&self) {
        let client = self.client();
        eventually("the first keys", || client.keys().is_ok()).await;
    }

    pub(crate) fn client(&self) -> Arc<JwksClient> {
        let client = self.client.lock().unwrap();
        Arc::clone(client.as_ref().expect("a client that was not released"))
    }

    /// Lets go of the client; what is left of it is the verifier's.
    pub(crate) fn release(&self) -> Arc<JwksClient> {
        self.client.lock().unwrap().take().expect("not released")
    }

    pub(crate) fn status(&self) -> Status {
        self.client().status()
    }

    pub(crate) fn has_key(&self, id: &str) -> bool {
        let keys = self.client().keys();
        keys.is_ok_and(|keys| keys.find(Some(id)).is_some())
    }

    /// Whether the keys may not be used any more.
    pub(crate) fn is_over(&self) -> bool {
        self.client().keys().is_err()
    }

    /// How often an attempt was given up for its time: the fetch, or the building of what came.
    pub(crate) fn time_outs(&self) -> u64 {
        let texts = [
            FetchErrorKind::TimedOut.as_str(),
            RefreshError::Builder.as_str(),
        ];
        let events = self.events.snapshot();
        let late = events.iter().filter(|event| texts.contains(&event.cause));
        let count = late.count();
        u64::try_from(count).unwrap()
    }

    pub(crate) fn failures(&self) -> usize {
        self.events.count(EventKind::KeysRefreshFailed) + self.events.count(EventKind::KeysRefused)
    }

    pub(crate) fn policy(&self) -> IssuerPolicy {
        let org = OrgId::new(self.label.as_str()).unwrap();
        IssuerPolicy::builder(self.issuer.issuer(), AUDIENCE, self.client())
            .map_principal(|mapping| mapping.only_org(org))
            .build()
            .unwrap()
    }

    /// A token that the key in force signs.
    pub(crate) fn token(&self) -> String {
        let request = TokenRequest::new(Subject::new("user-1").unwrap(), AUDIENCE)
            .lifetime(Duration::from_secs(3600));
        let now = SystemClock::new().now().unwrap();
        let issued = self.issuer.issue(&request, now).unwrap();
        issued.token.expose().to_owned()
    }

    /// Gives out tokens of the key in force, for the load to present from now on.
    pub(crate) fn hand_out(&self, expected: Expected) -> Arc<Batch> {
        let tokens = (0..TOKENS).map(|_| self.token()).collect();
        self.present(Batch::new(&self.issuer.active_key_id(), tokens, expected))
    }

    pub(crate) fn present(&self, batch: Batch) -> Arc<Batch> {
        let batch = Arc::new(batch);
        self.batches.write().unwrap().push(Arc::clone(&batch));
        batch
    }

    /// Does not present these tokens any more.
    pub(crate) fn withdraw(&self, batch: &Arc<Batch>) {
        let mut batches = self.batches.write().unwrap();
        batches.retain(|other| !Arc::ptr_eq(other, batch));
    }

    pub(crate) fn batches(&self) -> Vec<Arc<Batch>> {
        self.batches.read().unwrap().clone()
    }

    /// One of the batches, each in turn.
    pub(crate) fn next_batch(&self) -> Option<Arc<Batch>> {
        let batches = self.batches.read().unwrap();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        batches.get(turn.checked_rem(batches.len())?).cloned()
    }

    /// What is expected of all that the load presents.
    pub(crate) fn expect(&self, expected: Expected) {
        for batch in self.batches() {
            batch.expect(expected);
        }
    }

    /// Waits until so many answers more were judged for each batch, from the call on.
    pub(crate) fn judged(&self, count: usize) -> impl Future<Output = ()> + use<> {
        judged(self.batches(), count)
    }
}

/// Waits until so many answers more were judged for each batch of these tenants.
pub(crate) async fn all_judged(tenants: &[Arc<Tenant>], count: usize) {
    let batches = tenants.iter().flat_map(|tenant| tenant.batches());
    judged(batches.collect(), count).await;
}

fn judged(batches: Vec<Arc<Batch>>, count: usize) -> impl Future<Output = ()> + use<> {
    let all: Vec<_> = batches.iter().map(|batch| batch.judged(count)).collect();
    async move {
        for judged in all {
            judged.await;
        }
    }
}

/// The ways into a verifier.
#[derive(Clone)]
pub(crate) struct Doors {
    pub(crate) cached: TokenVerifier,
    pub(crate) uncached: TokenVerifier,
    pub(crate) authenticator: TokenAuthenticator,
    pub(crate) clock: Arc<dyn WallClock>,
}

impl Doors {
    /// Of verifiers that know no issuer yet.
    pub(crate) fn new() -> Self {
        // Small, so that it is full soon and what is kept does not grow.
        let cached = TokenVerifier::builder().cache_bytes(2 * 1024 * 1024);
        let cached = cached.build().unwrap();
        Self {
            authenticator: TokenAuthenticator::builder(cached.clone()).build(),
            cached,
            uncached: TokenVerifier::builder().cache_bytes(0).build().unwrap(),
            clock: clock(),
        }
    }

    pub(crate) fn of<'a>(tenants: impl IntoIterator<Item = &'a Arc<Tenant>>) -> Self {
        let doors = Self::new();
        for tenant in tenants {
            doors.add(tenant);
        }
        doors
    }

    pub(crate) fn add(&self, tenant: &Tenant) {
        self.cached.add_issuer(tenant.policy()).unwrap();
        self.uncached.add_issuer(tenant.policy()).unwrap();
    }

    pub(crate) fn remove(&self, tenant: &Tenant) {
        assert!(self.cached.remove_issuer(tenant.issuer.issuer()));
        assert!(self.uncached.remove_issuer(tenant.issuer.issuer()));
    }

    pub(crate) fn health(&self, tenant: &Tenant) -> Health {
        let all = self.cached.health();
        let found = all
            .iter()
            .find(|(name, _)| **name == *tenant.issuer.issuer());
        found.expect("an issuer of the verifier").1
    }
}

/// For a run with `--nocapture`.
#[expect(clippy::print_stdout, reason = "numbers for whoever asks for them")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
