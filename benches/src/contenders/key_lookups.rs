//! Looking a key up: ours, the floor beneath it, and what makes both change their keys all the
//! time.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use ringwall_authn::jose::{KeySet, KeySource as _};
use ringwall_core::{
    clock::{CoarseClock, ManualClock, MonotonicClock, SystemClock, Timestamp},
    step::BoxFuture,
};
use ringwall_jwks_client::{
    FetchError, FetchRequest, Fetched, JwksClient, JwksFetcher, RefreshPolicy,
};
use tokio::runtime::{Builder, Runtime};

use crate::key_documents::{Jwk, Rotation};

/// Not reached by anybody: the fetcher is in this process.
const URL: &str = "https://id.example.com/jwks";

/// As many as a document may have.
const MAX_KEYS: usize = 1024;

/// A fetcher that serves one set and then the other, or one of them for ever.
pub struct Alternating {
    documents: [String; 2],
    /// How often each set is served before the other one is: a server that is asked again mostly
    /// has the same keys.
    repeats: u64,
    fetches: AtomicU64,
    floor: OnceLock<Arc<Floor>>,
}

impl Alternating {
    /// Serves each set `repeats` times in a row.
    #[must_use]
    pub fn new(rotation: &Rotation, repeats: u64) -> Arc<Self> {
        Arc::new(Self {
            documents: rotation.documents(),
            repeats,
            fetches: AtomicU64::new(0),
            floor: OnceLock::new(),
        })
    }

    /// Makes the floor change its keys with each fetch from now on.
    pub fn also_changes(&self, floor: &Arc<Floor>) {
        self.floor.get_or_init(|| Arc::clone(floor));
    }

    /// How often it was asked.
    #[must_use]
    pub fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Alternating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alternating")
    }
}

impl JwksFetcher for Alternating {
    fn fetch(&self, _request: FetchRequest) -> BoxFuture<Result<Fetched, FetchError>> {
        let number = self.fetches.fetch_add(1, Ordering::Relaxed);
        let place = usize::from((number / self.repeats) % 2 == 1);
        if let Some(floor) = self.floor.get() {
            floor.change(place);
        }
        let fetched = Fetched::Document {
            body: self.documents[place].clone().into_bytes(),
            max_age: None,
            entity_tag: None,
        };
        Box::pin(async { Ok(fetched) })
    }
}

/// Which clock ours reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's.
    Exact,
    /// The one that a client has unless another is set: as of the system's last tick.
    Coarse,
    /// One that stands still: what is left is what the reading of the clock does not cost.
    Stopped,
}

impl Clock {
    /// The clock.
    #[must_use]
    pub fn get(self) -> Arc<dyn MonotonicClock> {
        match self {
            Self::Exact => Arc::new(SystemClock::new()),
            Self::Coarse => Arc::new(CoarseClock::new()),
            Self::Stopped => Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        }
    }
}

/// Starts ours on `runtime` and waits for its keys. Its unknown keys cause a fetch each, so that it
/// can be kept refreshing; the rest is by default.
///
/// # Panics
///
/// When it does not take its own keys.
#[must_use]
pub fn start_ours(runtime: &Runtime, fetcher: &Arc<Alternating>, clock: Clock) -> JwksClient {
    let _guard = runtime.enter();
    let policy = RefreshPolicy {
        missing_key_cool_down: Duration::from_nanos(1),
        ..RefreshPolicy::default()
    };
    let fetcher: Arc<dyn JwksFetcher> = Arc::<Alternating>::clone(fetcher);
    let client = JwksClient::builder(URL, fetcher)
        .policy(policy)
        .key_set(|| KeySet::builder().max_keys(MAX_KEYS))
        .clock(clock.get())
        .start()
        .expect("a client");
    runtime.block_on(client.prefetch()).expect("keys");
    client
}

/// A runtime with one thread, beside the one that measures.
///
/// # Panics
///
/// When the system gives no thread.
#[must_use]
pub fn runtime_beside() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Asks for an unknown key again and again, so that one refresh follows the other.
pub async fn refresh_for_ever(client: JwksClient) {
    loop {
        refresh(&client).await;
    }
}

/// Has the keys fetched, at least once.
///
/// # Panics
///
/// When nobody can tell whether an unknown key is there.
pub async fn refresh(client: &JwksClient) {
    let found = client.look_for("unknown").await;
    assert_eq!(found, Ok(false), "a refresh succeeds");
}

/// Looks a key up as a verification does.
///
/// # Panics
///
/// When ours has no keys.
#[must_use]
pub fn look_up(client: &JwksClient, id: &str) -> bool {
    let keys = client.keys().expect("keys");
    keys.find(Some(id)).is_some()
}

/// What no look-up in a set that another thread replaces can do without: the same map, with the
/// same hasher, behind the same pointer. By itself it does not know how old its keys are.
pub struct Floor {
    clock: CoarseClock,
    expires_at: AtomicU64,
    keys: ArcSwap<HashMap<String, Arc<String>>>,
    sets: [Vec<Jwk>; 2],
}

impl Floor {
    /// Holds the first set.
    #[must_use]
    pub fn new(rotation: &Rotation) -> Arc<Self> {
        Arc::new(Self {
            clock: CoarseClock::new(),
            expires_at: AtomicU64::new(u64::MAX),
            keys: ArcSwap::from_pointee(map(&rotation.sets[0])),
            sets: rotation.sets.clone(),
        })
    }

    fn change(&self, place: usize) {
        self.keys.store(Arc::new(map(&self.sets[place])));
    }

    /// Looks a key up.
    #[must_use]
    pub fn look_up(&self, id: &str) -> bool {
        self.keys.load().get(id).is_some()
    }

    /// Looks a key up unless the keys are too old, which takes a clock: nobody else can be relied
    /// on to have looked at one.
    #[must_use]
    pub fn look_up_unless_expired(&self, id: &str) -> bool {
        let now = u64::try_from(self.clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        now < self.expires_at.load(Ordering::Acquire) && self.look_up(id)
    }
}

impl fmt::Debug for Floor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Floor")
    }
}

fn map(keys: &[Jwk]) -> HashMap<String, Arc<String>> {
    keys.iter()
        .map(|key| (key.id.clone(), Arc::new(key.json.clone())))
        .collect()
}
