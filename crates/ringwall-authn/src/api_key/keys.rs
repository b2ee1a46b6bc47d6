//! The keys of a service: made, judged, rotated, taken back.

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::clock::{MonotonicClock, SystemClock, Timestamp, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Scope, Subject,
    VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use zeroize::Zeroizing;

use super::cache::{CachedKey, Found, KeyCache, Ticket};
use super::digest::SecretHasher;
use super::error::{ApiKeyError, ApiKeyRefusal};
use super::record::{ApiKeyRecord, ApiKeyState};
use super::scopes::ScopeCatalogue;
use super::store::{ApiKeyStore, ApiKeyStoreAnswer, ApiKeyStoreError};
use super::text::{ApiKeyId, ApiKeyPrefix, ApiKeyTextError, Presented};
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
    imported: bool,
    lookups: Arc<AtomicUsize>,
    /// Those of keys that were there when they were read last: nobody can make those up.
    renewals: Arc<AtomicUsize>,
    max_lookups: usize,
    /// How often something was taken back, counted when it is gone from the cache.
    pub(crate) taken_back: AtomicU64,
}

/// How often the store is asked for one key when something is taken back while it answers.
const MAX_READINGS: usize = 4;

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

    /// The wall clock; the machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// The clock that the age of what is in memory is measured by; the machine's unless set.
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

/// The same, for a look-up that outlives the request's borrow.
struct OwnedUse {
    address: Option<IpAddr>,
    origin: OwnedOrigin,
}

enum OwnedOrigin {
    Absent,
    One(Box<[u8]>),
    Several(usize),
}

impl OwnedUse {
    fn of(usage: ApiKeyUse<'_>) -> Self {
        Self {
            address: usage.address,
            origin: match usage.origin {
                HeaderValues::Absent => OwnedOrigin::Absent,
                HeaderValues::One(value) => OwnedOrigin::One(value.into()),
                HeaderValues::Several(count) => OwnedOrigin::Several(count),
            },
        }
    }

    fn borrow(&self) -> ApiKeyUse<'_> {
        ApiKeyUse {
            address: self.address,
            origin: match &self.origin {
                OwnedOrigin::Absent => HeaderValues::Absent,
                OwnedOrigin::One(value) => HeaderValues::One(value),
                OwnedOrigin::Several(count) => HeaderValues::Several(*count),
            },
        }
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
            monotonic: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// What keys begin with.
    #[must_use]
    pub fn prefix(&self) -> &ApiKeyPrefix {
        &self.0.prefix
    }

    /// Judges a presented text. With a key that is in memory the answer is there at once.
    ///
    /// Whatever has the form of a key and fits its checksum costs one look-up, one hash and one
    /// comparison in constant time, whether its id is there or not.
    ///
    /// The principal is of the kind [`ApiKey`](PrincipalKind::ApiKey), its subject and its
    /// `credential_id` are the key's look-up id.
    ///
    /// # Errors
    ///
    /// [`ApiKeyError`].
    pub fn verify(
        &self,
        presented: &[u8],
        usage: ApiKeyUse<'_>,
    ) -> Step<Result<VerifiedPrincipal, ApiKeyError>> {
        let inner = &self.0;
        let imported;
        let (id, secret) = match inner.prefix.parse(presented) {
            Ok(Presented::Own { id, secret }) => (id, secret),
            Ok(Presented::Imported(_)) if !inner.imported => {
                return Step::Done(Err(ApiKeyRefusal::Imported.into()));
            }
            Ok(Presented::Imported(id)) => {
                imported = id;
                (imported.as_str(), presented)
            }
            Err(ApiKeyTextError::Checksum) => {
                return Step::Done(Err(ApiKeyRefusal::Checksum.into()));
            }
            Err(_) => return Step::Done(Err(ApiKeyRefusal::Form.into())),
        };
        self.look_up(
            id,
            move |inner, key| inner.judge(key, secret, usage),
            || {
                let (secret, usage) = (Zeroizing::new(secret.to_vec()), OwnedUse::of(usage));
                move |inner: &Inner, key: Option<&CachedKey>| {
                    inner.judge(key, &secret, usage.borrow())
                }
            },
        )
    }

    /// Whether the key of this id would be accepted now too: for answers that go on. Its secret was
    /// verified when they began, and so were the address and the page, which a connection keeps.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn recheck(&self, id: &ApiKeyId) -> Step<Result<(), ApiKeyError>> {
        self.look_up(id.as_str(), Inner::still_accepts, || Inner::still_accepts)
    }

    /// Finds the key in memory or in the store, and lets `judge` answer; where the store has to be
    /// waited for, what `owned` gives does.
    fn look_up<T: Send + 'static, J>(
        &self,
        id: &str,
        judge: impl FnOnce(&Inner, Option<&CachedKey>) -> Result<T, ApiKeyError>,
        owned: impl FnOnce() -> J,
    ) -> Step<Result<T, ApiKeyError>>
    where
        J: FnOnce(&Inner, Option<&CachedKey>) -> Result<T, ApiKeyError> + Send + 'static,
    {
        let inner = &self.0;
        let read_at = inner.monotonic.elapsed();
        let taken_back = inner.taken_back.load(Ordering::SeqCst);
        let (ticket, was_there) = match inner.cache.get(id, read_at) {
            Found::Key(key) => return Step::Done(judge(inner, Some(&key))),
            Found::None => return Step::Done(judge(inner, None)),
            Found::Nothing { ticket, was_there } => (ticket, was_there),
        };
        let places = if was_there {
            &inner.renewals
        } else {
            &inner.lookups
        };
        let Some(place) = Place::take(places, inner.max_lookups) else {
            return Step::Done(Err(ApiKeyRefusal::TooManyLookups.into()));
        };
        // It was checked when the text was taken apart.
        let Ok(id) = ApiKeyId::new(id) else {
            return Step::Done(Err(ApiKeyRefusal::Form.into()));
        };
        match inner.store.find(&id) {
            Step::Done(answer) => {
                drop(place);
                let found = inner.found(ticket, &id, answer, read_at);
                Step::Done(found.and_then(|key| judge(inner, key.as_deref())))
            }
            Step::Wait(answer) => {
                let (keys, judge) = (self.clone(), owned());
                let reading = Reading {
                    ticket,
                    read_at,
                    taken_back,
                };
                Step::wait(async move {
                    let found = keys.0.settled(&id, Step::Wait(answer), reading).await;
                    drop(place);
                    judge(&keys.0, found?.as_deref())
                })
            }
        }
    }
}

/// What the state was before the store was asked.
struct Reading {
    ticket: Ticket,
    read_at: Duration,
    taken_back: u64,
}

impl Inner {
    /// What the store says of a key. When something was taken back while it answered, it is asked again: what
    /// it read before may be accepted no more once [`ApiKeys::revoke`] has answered.
    async fn settled(
        &self,
        id: &ApiKeyId,
        mut answer: ApiKeyStoreAnswer<Option<ApiKeyRecord>>,
        mut reading: Reading,
    ) -> Result<Option<Arc<CachedKey>>, ApiKeyError> {
        for left in (0..MAX_READINGS).rev() {
            let found = self.found(reading.ticket, id, answer.await, reading.read_at)?;
            let taken_back = self.taken_back.load(Ordering::SeqCst);
            if taken_back == reading.taken_back {
                return Ok(found);
            }
            if left == 0 {
                break;
            }
            let read_at = self.monotonic.elapsed();
            let ticket = match self.cache.get(id.as_str(), read_at) {
                Found::Key(key) => return Ok(Some(key)),
                Found::None => return Ok(None),
                Found::Nothing { ticket, .. } => ticket,
            };
            reading = Reading {
                ticket,
                read_at,
                taken_back,
            };
            answer = self.store.find(id);
        }
        Err(ApiKeyRefusal::TooManyLookups.into())
    }

    /// Keeps what the store answered.
    fn found(
        &self,
        ticket: Ticket,
        id: &ApiKeyId,
        answer: Result<Option<ApiKeyRecord>, ApiKeyStoreError>,
        read_at: Duration,
    ) -> Result<Option<Arc<CachedKey>>, ApiKeyError> {
        let record = answer.map_err(|error| ApiKeyError::from(&error))?;
        if record.as_ref().is_some_and(|record| record.id != *id) {
            return Err(ApiKeyRefusal::Corrupt.into());
        }
        let key = record.map(CachedKey::new);
        self.cache.insert(ticket, id.as_str(), key.clone(), read_at);
        Ok(key)
    }

    /// One hash and one comparison in any case; then what may have changed since the key was made.
    fn judge(
        &self,
        key: Option<&CachedKey>,
        secret: &[u8],
        usage: ApiKeyUse<'_>,
    ) -> Result<VerifiedPrincipal, ApiKeyError> {
        let Some(key) = key else {
            self.hasher.matches_nothing(secret);
            return Err(ApiKeyRefusal::Unknown.into());
        };
        match self.hasher.matches(&key.record.digest, secret) {
            Some(true) => {}
            Some(false) => return Err(ApiKeyRefusal::Secret.into()),
            None => return Err(ApiKeyRefusal::PepperUnknown.into()),
        }
        let now = self.check_state(&key.record)?;
        check_network(&key.record, usage.address)?;
        check_origin(&key.record, usage.origin)?;
        self.uses.note(key, now);
        Ok(key.principal.get_or_init(|| verified(&key.record)).clone())
    }

    fn still_accepts(&self, key: Option<&CachedKey>) -> Result<(), ApiKeyError> {
        let key = key.ok_or(ApiKeyRefusal::Unknown)?;
        self.check_state(&key.record).map(|_| ())
    }

    fn check_state(&self, record: &ApiKeyRecord) -> Result<Timestamp, ApiKeyError> {
        let now = self
            .clock
            .now()
            .map_err(|_| ApiKeyRefusal::ClockUnavailable)?;
        match record.state(now) {
            ApiKeyState::Active | ApiKeyState::InGrace => Ok(now),
            ApiKeyState::Rotated => Err(ApiKeyRefusal::Rotated.into()),
            ApiKeyState::Expired => Err(ApiKeyRefusal::Expired.into()),
            ApiKeyState::Revoked => Err(ApiKeyRefusal::Revoked.into()),
        }
    }
}

fn check_network(record: &ApiKeyRecord, address: Option<IpAddr>) -> Result<(), ApiKeyError> {
    if record.networks.is_empty() {
        return Ok(());
    }
    let address = address.ok_or(ApiKeyRefusal::AddressUnknown)?;
    if record
        .networks
        .iter()
        .any(|network| network.contains(address))
    {
        Ok(())
    } else {
        Err(ApiKeyRefusal::Network.into())
    }
}

fn check_origin(record: &ApiKeyRecord, origin: HeaderValues<'_>) -> Result<(), ApiKeyError> {
    if record.origins.is_empty() {
        return Ok(());
    }
    match origin {
        HeaderValues::One(origin)
            if record.origins.iter().any(|allowed| allowed.accepts(origin)) =>
        {
            Ok(())
        }
        HeaderValues::One(_) | HeaderValues::Several(_) => Err(ApiKeyRefusal::Origin.into()),
        HeaderValues::Absent => Err(ApiKeyRefusal::OriginMissing.into()),
    }
}

/// The principal that a key stands for, once its secret was shown.
fn verified(record: &ApiKeyRecord) -> VerifiedPrincipal {
    let mut authentication = Authentication::new(AuthenticationMethod::ApiKey);
    authentication.expires_at = record.ends_at();
    authentication.credential_id = Some(record.id.as_str().into());
    let mut principal = Principal::new(PrincipalKind::ApiKey, subject(&record.id), authentication);
    principal.tenant = Some(record.tenant.clone());
    principal.scopes.clone_from(&record.scopes);
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

#[expect(
    clippy::expect_used,
    reason = "16 or 32 ASCII letters and digits are a subject"
)]
fn subject(id: &ApiKeyId) -> Subject {
    Subject::new(id.as_str()).expect("letters and digits")
}

/// One of the places for look-ups, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let before = taken.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(taken));
        (before < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
