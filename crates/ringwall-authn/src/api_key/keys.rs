//! The keys of a service, and how they are set up.

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, AtomicUsize};
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::{CoarseClock, MonotonicClock, SystemClock, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};
use ringwall_core::principal::Scope;
use ringwall_core::request::{HeaderValues, RequestView};

use super::cache::KeyCache;
use super::digest::SecretHasher;
use super::scopes::ScopeCatalogue;
use super::store::ApiKeyStore;
use super::text::ApiKeyPrefix;
use super::uses::Uses;

/// How many keys are kept in memory unless set: some 60 MB when they are all in use.
pub const DEFAULT_CACHED_API_KEYS: usize = 100_000;

/// For how long a key is believed to be as it was read, unless set. Changes that are made through the
/// same [`ApiKeys`] are seen at once; this is for those that another process makes.
pub const DEFAULT_API_KEY_STALENESS: Duration = Duration::from_secs(30);

/// The longest staleness that can be set: a revocation that takes longer is none.
pub const MAX_API_KEY_STALENESS: Duration = Duration::from_secs(300);

/// How many keys are looked up in the store at once, and how many that are in memory are read again. A
/// flood of made-up keys costs the store no more than that, and requests with keys that are in memory
/// nothing, also when those have to be read again: their places are others.
pub const DEFAULT_API_KEY_LOOKUPS: usize = 64;

/// How often at most a use of one key is written down, unless set.
pub const DEFAULT_USE_INTERVAL: Duration = Duration::from_secs(300);

/// The API keys of a service, over an [`ApiKeyStore`].
///
/// Cloning shares everything. Use one per process: a revocation through it is seen at once by every
/// request that it judges, and by other processes within the
/// [`staleness`](ApiKeysBuilder::staleness).
///
/// ```
/// use std::sync::Arc;
///
/// use ringwall_authn::{ApiKeyRequest, ApiKeys, MemoryApiKeys, SecretHasher};
/// use ringwall_core::principal::{OrgId, Scope, Subject, Tenant};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = ApiKeys::builder(Arc::new(MemoryApiKeys::new(1000)), SecretHasher::sha256()).build();
/// let tenant = Tenant { org: OrgId::new("acme")?, project: None };
/// let request = ApiKeyRequest::new("CI", tenant, Subject::new("user-1")?)?.scopes([Scope::new("runs:read")?]);
/// let created = keys.create(request).await?;
/// println!("store this now, it is not shown again: {}", created.key.text().expose());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ApiKeys(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) store: Arc<dyn ApiKeyStore>,
    pub(crate) hasher: SecretHasher,
    pub(crate) prefix: ApiKeyPrefix,
    pub(crate) catalogue: ScopeCatalogue,
    pub(crate) cache: KeyCache,
    pub(crate) uses: Uses,
    pub(crate) clock: Arc<dyn WallClock>,
    pub(crate) monotonic: Arc<dyn MonotonicClock>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) max_lifetime: Option<Duration>,
    pub(super) imported: bool,
    pub(super) lookups: Arc<AtomicUsize>,
    /// Those of keys that were there when they were read last: nobody can make those up.
    pub(super) renewals: Arc<AtomicUsize>,
    pub(super) max_lookups: usize,
    /// How often something was taken back, counted when it is gone from the cache.
    pub(crate) taken_back: AtomicU64,
}

/// Collects the options of [`ApiKeys`].
#[must_use = "a builder does nothing until `build`"]
pub struct ApiKeysBuilder {
    store: Arc<dyn ApiKeyStore>,
    hasher: SecretHasher,
    prefix: ApiKeyPrefix,
    catalogue: ScopeCatalogue,
    cached: usize,
    staleness: Duration,
    max_lookups: usize,
    use_interval: Duration,
    max_lifetime: Option<Duration>,
    imported: bool,
    clock: Arc<dyn WallClock>,
    monotonic: Arc<dyn MonotonicClock>,
    events: Arc<dyn EventSink>,
}

impl ApiKeysBuilder {
    /// What keys begin with; `pak` unless set. Keys of another prefix are refused.
    pub fn prefix(mut self, prefix: ApiKeyPrefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// The scopes that keys can have, by which `agent:*` in a request for a key is written out. Unless
    /// set, keys can be made with any scope, and with no wildcard.
    pub fn scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.catalogue = ScopeCatalogue::new(scopes.into_iter().collect());
        self
    }

    /// How many keys are kept in memory; [`DEFAULT_CACHED_API_KEYS`] unless set. With zero, each
    /// request asks the store.
    pub const fn cached(mut self, keys: usize) -> Self {
        self.cached = keys;
        self
    }

    /// For how long a key is believed to be as it was read from the store;
    /// [`DEFAULT_API_KEY_STALENESS`] unless set, [`MAX_API_KEY_STALENESS`] at most.
    pub fn staleness(mut self, staleness: Duration) -> Self {
        self.staleness = staleness.min(MAX_API_KEY_STALENESS);
        self
    }

    /// How many keys are looked up in the store at once; [`DEFAULT_API_KEY_LOOKUPS`] unless set. As many
    /// again are for keys that are in memory and have to be read again. One more is answered [`Unavailable`](crate::ApiKeyErrorKind::Unavailable).
    pub const fn lookups(mut self, lookups: usize) -> Self {
        self.max_lookups = lookups;
        self
    }

    /// How often at most a use of one key is noted; [`DEFAULT_USE_INTERVAL`] unless set.
    pub const fn use_interval(mut self, interval: Duration) -> Self {
        self.use_interval = interval;
        self
    }

    /// New keys must end at most this long after they are made. Unless set they need no end.
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime);
        self
    }

    /// Accepts keys of the time before look-up ids (the prefix, `_` and hexadecimal digits) that were
    /// imported with [`ApiKeys::import`]. Rotate them, and take this away again.
    pub const fn accept_imported(mut self) -> Self {
        self.imported = true;
        self
    }

    /// The wall clock; the machine's unless set. It is read with each request of a key that has an end or
    /// was replaced. Others are judged by it when they were read from the store, and when a use is due to
    /// be noted: in between they do not depend on it.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// The clock that the age of what is in memory is measured by; the machine's [`CoarseClock`] unless
    /// set, which may be a tick of the system (10 ms at most) behind.
    pub fn monotonic_clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.monotonic = clock;
        self
    }

    /// Where it is reported when keys are made, rotated and taken back; nowhere unless set.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// The keys.
    #[must_use]
    pub fn build(self) -> ApiKeys {
        ApiKeys(Arc::new(Inner {
            store: self.store,
            hasher: self.hasher,
            prefix: self.prefix,
            catalogue: self.catalogue,
            cache: KeyCache::new(self.cached, self.staleness),
            uses: Uses::new(self.use_interval),
            clock: self.clock,
            monotonic: self.monotonic,
            events: self.events,
            max_lifetime: self.max_lifetime,
            imported: self.imported,
            lookups: Arc::new(AtomicUsize::new(0)),
            renewals: Arc::new(AtomicUsize::new(0)),
            max_lookups: self.max_lookups,
            taken_back: AtomicU64::new(0),
        }))
    }
}

impl fmt::Debug for ApiKeysBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeysBuilder")
            .field("store", &self.store)
            .field("hasher", &self.hasher)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// From where, and on which page, a key is used.
#[derive(Clone, Copy)]
pub struct ApiKeyUse<'a> {
    /// The caller's address, corrected by trusted proxies. Never what the caller wrote into a field.
    pub address: Option<IpAddr>,
    /// The `Origin` fields of the request.
    pub origin: HeaderValues<'a>,
}

impl<'a> ApiKeyUse<'a> {
    /// What a request says.
    #[must_use]
    pub fn of(view: &RequestView<'a>) -> Self {
        Self {
            address: view.client_address,
            origin: view.header("origin"),
        }
    }
}

impl fmt::Debug for ApiKeyUse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyUse")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl ApiKeys {
    /// Keys in `store`, of whose secrets `hasher` decides what is stored.
    pub fn builder(store: Arc<dyn ApiKeyStore>, hasher: SecretHasher) -> ApiKeysBuilder {
        ApiKeysBuilder {
            store,
            hasher,
            prefix: ApiKeyPrefix::default(),
            catalogue: ScopeCatalogue::default(),
            cached: DEFAULT_CACHED_API_KEYS,
            staleness: DEFAULT_API_KEY_STALENESS,
            max_lookups: DEFAULT_API_KEY_LOOKUPS,
            use_interval: DEFAULT_USE_INTERVAL,
            max_lifetime: None,
            imported: false,
            clock: Arc::new(SystemClock::new()),
            monotonic: Arc::new(CoarseClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// What keys begin with.
    #[must_use]
    pub fn prefix(&self) -> &ApiKeyPrefix {
        &self.0.prefix
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("store", &self.0.store)
            .field("hasher", &self.0.hasher)
            .field("prefix", &self.0.prefix)
            .field("cache", &self.0.cache)
            .finish_non_exhaustive()
    }
}
