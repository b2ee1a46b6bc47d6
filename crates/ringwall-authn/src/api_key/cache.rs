//! Keys that were looked up before.

use core::fmt;
use core::time::Duration;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ahash::RandomState;
use ringwall_core::principal::VerifiedPrincipal;

use super::digest::{Expected, SecretHasher};
use super::id::CompactId;
use super::record::ApiKeyRecord;
use super::second_chance::Table;
use super::text::CHECKSUM;

/// Locks are held for a look-up and a hash each, and those who look up do not wait for each other. That
/// many, a power of two, keep the processors of a large machine from passing the same line to and fro.
const MAX_SHARDS: usize = 64;

/// The fewest entries of a shard where there are several: ids fall unevenly, and in a small shard a
/// few too many push each other out.
const SHARD_ENTRIES: usize = 64;

/// The most ids that are remembered as missing.
const MAX_MISSING: usize = 4096;

/// A key as it was read from its store.
pub(crate) struct CachedKey {
    pub(crate) record: ApiKeyRecord,
    /// What its secret is compared with.
    pub(crate) expected: Expected,
    /// Made when the key was verified for the first time, and shared from then on.
    pub(crate) principal: OnceLock<VerifiedPrincipal>,
    /// When a use was noted last, in microseconds since the epoch.
    pub(crate) noted_at: AtomicI64,
}

impl CachedKey {
    pub(crate) fn new(record: ApiKeyRecord, hasher: &SecretHasher) -> Arc<Self> {
        let noted_at = record.last_used_at.map_or(i64::MIN, |at| at.unix_micros());
        Arc::new(Self {
            expected: hasher.expects(&record.digest),
            record,
            principal: OnceLock::new(),
            noted_at: AtomicI64::new(noted_at),
        })
    }
}

/// A key in the table: what every request needs stands here, and what few need behind the pointer, since
/// with many keys each of both is memory that no cache of the processor holds.
pub(crate) struct Known {
    /// What its secret is compared with.
    pub(crate) expected: Expected,
    /// From when on a pass is not good any more; zero when it never was.
    pass_ends: AtomicU64,
    pass: OnceLock<Pass>,
    read_at: u64,
    pub(crate) key: Arc<CachedKey>,
}

/// That a text with this checksum was judged, and found good, since the key was read.
///
/// Whoever presents the same id, a secret of the same hash, and the same checksum presents the same text:
/// its characters and its checksum need no second look.
struct Pass {
    principal: VerifiedPrincipal,
    checksum: [u8; CHECKSUM],
}

impl Known {
    fn new(key: Arc<CachedKey>, read_at: u64) -> Self {
        Self {
            expected: key.expected.clone(),
            pass_ends: AtomicU64::new(0),
            pass: OnceLock::new(),
            read_at,
            key,
        }
    }

    /// Whether this is the checksum of the text that was found good, for whoever knows its secret.
    pub(crate) fn is_familiar(&self, checksum: [u8; CHECKSUM]) -> bool {
        self.pass
            .get()
            .is_some_and(|pass| pass.checksum == checksum)
    }

    /// The principal, for whoever was found to know the secret, and where nothing else has to be looked
    /// at: it was all looked at before, and none of it depends on the time of day or the place.
    pub(crate) fn pass(&self, now: Duration) -> Option<&VerifiedPrincipal> {
        if nanos(now) >= self.pass_ends.load(Ordering::Relaxed) {
            return None;
        }
        self.pass.get().map(|pass| &pass.principal)
    }
}

/// What the cache knows of an id.
pub(crate) enum Found<T> {
    /// The key, of which whoever asked took this.
    Key(T),
    /// That there is none.
    None,
    /// Nothing that can be believed still. The answer of the store may enter under this ticket.
    Nothing {
        /// The ticket.
        ticket: Ticket,
        /// Whether there was such a key when it was read last.
        was_there: bool,
    },
}

/// The state of the cache before a look-up in the store. What was read may be out of date by the time
/// it arrives: when something was revoked meanwhile, it does not enter.
#[derive(Clone, Copy)]
pub(crate) struct Ticket(u64);

/// Keys by their ids: bounded in number, and each for a limited time.
///
/// Ids that are not there are kept apart, so that whoever asks for many of them cannot push the keys
/// out that are there. They are found by a hash with a secret of this process: whoever makes ids up
/// cannot choose where they fall.
pub(crate) struct KeyCache {
    keys: Shards<Known>,
    /// When it was read that there is none.
    missing: Shards<u64>,
    hasher: RandomState,
    staleness: u64,
    /// Counts revocations.
    revisions: AtomicU64,
}

/// A power of two of them.
struct Shards<T>(Box<[Shard<T>]>);

/// On lines of its own: a lock is written by whoever looks up.
#[repr(align(128))]
struct Shard<T>(RwLock<Table<T>>);

impl KeyCache {
    /// Room for `capacity` keys, each of which is read again when it is older than `staleness`.
    pub(crate) fn new(capacity: usize, staleness: Duration) -> Self {
        // Keyed by the system's random bytes; each call of `hash_one` gives other ones.
        let random = std::hash::RandomState::new();
        let [a, b, c, d] = [1_u64, 2, 3, 4].map(|n| core::hash::BuildHasher::hash_one(&random, n));
        Self {
            keys: Shards::new(capacity),
            missing: Shards::new(capacity.min(MAX_MISSING)),
            hasher: RandomState::with_seeds(a, b, c, d),
            staleness: nanos(staleness),
            revisions: AtomicU64::new(0),
        }
    }

    /// What is known of `id`; of a key, what `take` takes of it under the lock.
    pub(crate) fn look<T>(
        &self,
        id: &CompactId,
        now: Duration,
        take: impl FnOnce(&Known) -> T,
    ) -> Found<T> {
        let hash = self.hasher.hash_one(id.number());
        let is_fresh = |read_at: u64| nanos(now).saturating_sub(read_at) < self.staleness;
        let mut was_there = false;
        if let Some(table) = self.keys.read(hash)
            && let Some(known) = table.get(hash, id)
        {
            if is_fresh(known.read_at) {
                return Found::Key(take(known));
            }
            was_there = true;
        }
        if let Some(table) = self.missing.read(hash)
            && table.get(hash, id).copied().is_some_and(is_fresh)
        {
            return Found::None;
        }
        Found::Nothing {
            // Before the store is asked: a revocation after this line changes the number, and then what
            // the store answers does not enter.
            ticket: Ticket(self.revisions.load(Ordering::SeqCst)),
            was_there,
        }
    }

    /// Keeps what the store answered, unless something was revoked since the ticket was given.
    /// `read_at` is the time before the store was asked.
    pub(crate) fn insert(
        &self,
        ticket: Ticket,
        id: &CompactId,
        value: Option<&Arc<CachedKey>>,
        read_at: Duration,
    ) {
        let hash = self.hasher.hash_one(id.number());
        let read_at = nanos(read_at);
        // Under the lock: a revocation counts first and removes second, so it either is seen here or
        // finds what is entered here.
        let is_current = || self.revisions.load(Ordering::SeqCst) == ticket.0;
        // And of two answers of the store the one that was asked for later: another process may have
        // revoked the key in between.
        let is_newest = |known: Option<u64>| known.is_none_or(|known| known <= read_at);
        if let Some(key) = value {
            self.missing.remove(hash, id);
            let Some(mut table) = self.keys.write(hash) else {
                return;
            };
            if is_newest(table.peek(hash, id).map(|known| known.read_at)) && is_current() {
                let known = Known::new(Arc::clone(key), read_at);
                let gone = table.insert(&self.hasher, *id, known);
                drop(table);
                drop(gone);
            }
        } else {
            self.keys.remove(hash, id);
            let Some(mut table) = self.missing.write(hash) else {
                return;
            };
            if is_newest(table.peek(hash, id).copied()) && is_current() {
                table.insert(&self.hasher, *id, read_at);
            }
        }
    }

    /// Remembers that a text with this checksum was judged and found good, unless another answer of the
    /// store is kept by now. With `good_for`, the next one needs no second look at the key for as long,
    /// and no longer than the key is believed.
    pub(crate) fn remember(
        &self,
        id: &CompactId,
        key: &Arc<CachedKey>,
        principal: &VerifiedPrincipal,
        checksum: [u8; CHECKSUM],
        good_until: Option<Duration>,
    ) {
        let hash = self.hasher.hash_one(id.number());
        let Some(table) = self.keys.read(hash) else {
            return;
        };
        let Some(known) = table.peek(hash, id) else {
            return;
        };
        if !Arc::ptr_eq(&known.key, key) {
            return;
        }
        known.pass.get_or_init(|| Pass {
            principal: principal.clone(),
            checksum,
        });
        if let Some(until) = good_until {
            let ends = known.read_at.saturating_add(self.staleness);
            known
                .pass_ends
                .store(nanos(until).min(ends), Ordering::Relaxed);
        }
    }

    /// Forgets one id.
    pub(crate) fn forget(&self, id: &CompactId) {
        self.revisions.fetch_add(1, Ordering::SeqCst);
        let hash = self.hasher.hash_one(id.number());
        self.keys.remove(hash, id);
        self.missing.remove(hash, id);
    }

    /// Forgets the keys that are meant, and what is known to be missing stays so.
    pub(crate) fn forget_those(&self, is_meant: impl Fn(&ApiKeyRecord) -> bool) {
        self.revisions.fetch_add(1, Ordering::SeqCst);
        for shard in &self.keys.0 {
            shard.write().retain(|known| !is_meant(&known.key.record));
        }
    }
}

impl<T> Shards<T> {
    fn new(capacity: usize) -> Self {
        let several = capacity.div_euclid(SHARD_ENTRIES);
        let doublings = several.checked_ilog2().unwrap_or(0);
        let count = 1_usize.checked_shl(doublings.min(MAX_SHARDS.ilog2()));
        let count = count.unwrap_or(1);
        let most = capacity.div_euclid(count);
        let shards = (0..count).map(|_| Shard(RwLock::new(Table::new(most))));
        Self(shards.collect())
    }

    fn shard(&self, hash: u64) -> Option<&Shard<T>> {
        // The low bits choose within the table of a shard, and the highest ones tell its entries apart.
        let place = usize::try_from(hash >> 40 & 0xffff).unwrap_or(0);
        self.0.get(place & self.0.len().saturating_sub(1))
    }

    fn read(&self, hash: u64) -> Option<RwLockReadGuard<'_, Table<T>>> {
        self.shard(hash).map(Shard::read)
    }

    fn write(&self, hash: u64) -> Option<RwLockWriteGuard<'_, Table<T>>> {
        self.shard(hash).map(Shard::write)
    }

    fn remove(&self, hash: u64, id: &CompactId) {
        let gone = self
            .write(hash)
            .and_then(|mut table| table.remove(hash, id));
        // Where no lock is held.
        drop(gone);
    }
}

/// The tables are whole after each of their operations, and a lost entry is read again.
impl<T> Shard<T> {
    fn read(&self) -> RwLockReadGuard<'_, Table<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table<T>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Five centuries of them.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache")
            .field("staleness", &Duration::from_nanos(self.staleness))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::ApiKeyId;

    const SECOND: Duration = Duration::from_secs(1);
    const STALENESS: Duration = Duration::from_secs(30);

    fn look(cache: &KeyCache, n: usize, now: Duration) -> Found<Arc<CachedKey>> {
        let take = |known: &Known| Arc::clone(&known.key);
        cache.look(&CompactId::of(&id(n)), now, take)
    }

    fn ticket(cache: &KeyCache, n: usize) -> Ticket {
        match look(cache, n, Duration::ZERO) {
            Found::Nothing { ticket, .. } => ticket,
            Found::Key(_) | Found::None => panic!("it is there"),
        }
    }

    fn enter(cache: &KeyCache, n: usize, key: Option<&Arc<CachedKey>>) {
        let ticket = ticket(cache, n);
        cache.insert(ticket, &CompactId::of(&id(n)), key, Duration::ZERO);
    }

    fn entries<T>(shards: &Shards<T>) -> usize {
        shards.0.iter().map(|shard| shard.read().len()).sum()
    }

    fn id(n: usize) -> ApiKeyId {
        ApiKeyId::new(&format!("{n:016}")).unwrap()
    }

    fn key(n: usize, org: &str) -> Arc<CachedKey> {
        use ringwall_core::principal::{OrgId, Subject, Tenant};
        let hasher = SecretHasher::sha256();
        let record = ApiKeyRecord {
            id: id(n),
            name: crate::api_key::ApiKeyName::new("x").unwrap(),
            tenant: Tenant {
                org: OrgId::new(org).unwrap(),
                project: None,
            },
            scopes: Vec::new(),
            created_by: Subject::new("u").unwrap(),
            created_at: ringwall_core::clock::Timestamp::UNIX_EPOCH,
            expires_at: None,
            networks: Vec::new(),
            origins: Vec::new(),
            digest: hasher.hash(&n.to_be_bytes()),
            last_used_at: None,
            revoked_at: None,
            replaced: None,
        };
        CachedKey::new(record, &hasher)
    }

    fn principal() -> VerifiedPrincipal {
        use ringwall_core::attest::Attest;
        use ringwall_core::principal::{
            Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject,
        };
        let subject = Subject::new("k").unwrap();
        let authentication = Authentication::new(AuthenticationMethod::ApiKey);
        let principal = Principal::new(PrincipalKind::ApiKey, subject, authentication);
        VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
    }

    fn holds(cache: &KeyCache, n: usize) -> bool {
        matches!(look(cache, n, SECOND), Found::Key(_))
    }

    /// Whether a text with this checksum passes at this time.
    fn passes(cache: &KeyCache, n: usize, checksum: &[u8; CHECKSUM], now: Duration) -> bool {
        let take = |known: &Known| known.is_familiar(*checksum) && known.pass(now).is_some();
        matches!(
            cache.look(&CompactId::of(&id(n)), now, take),
            Found::Key(true)
        )
    }

    #[test]
    fn forgets_the_keys_of_one_organisation_and_nothing_of_the_others() {
        let cache = KeyCache::new(1000, STALENESS);
        for n in 0..100 {
            let org = if n % 2 == 0 { "acme" } else { "other" };
            enter(&cache, n, Some(&key(n, org)));
        }
        let before = ticket(&cache, 1000);
        cache.forget_those(|record| record.tenant.org == "acme");
        for n in 0..100 {
            assert_eq!(holds(&cache, n), n % 2 == 1, "{n}");
        }
        // What was read before does not enter after it.
        let late = key(0, "acme");
        cache.insert(before, &CompactId::of(&id(0)), Some(&late), Duration::ZERO);
        assert!(!holds(&cache, 0));
    }

    #[test]
    fn an_older_answer_of_the_store_does_not_replace_a_newer_one() {
        let cache = KeyCache::new(1000, STALENESS);
        let (slow, fast) = (ticket(&cache, 7), ticket(&cache, 7));
        let (old, new) = (key(7, "acme"), key(7, "acme"));
        let id = CompactId::of(&id(7));
        cache.insert(fast, &id, Some(&new), Duration::from_millis(20));
        cache.insert(slow, &id, Some(&old), Duration::from_millis(10));
        let Found::Key(found) = look(&cache, 7, SECOND) else {
            panic!("it is there");
        };
        assert!(Arc::ptr_eq(&found, &new));
    }

    #[test]
    fn holds_no_more_than_it_may() {
        for capacity in [0, 1, 63, 64, 127, 128, 320, 1000] {
            let cache = KeyCache::new(capacity, STALENESS);
            let one = key(0, "acme");
            for n in 0..5000 {
                enter(&cache, n, None);
                enter(&cache, 10_000 + n, Some(&one));
                let _ = look(&cache, n / 2, Duration::ZERO);
                let _ = look(&cache, 10_000 + n / 2, Duration::ZERO);
            }
            let (missing, keys) = (entries(&cache.missing), entries(&cache.keys));
            for (number, what) in [(missing, "missing"), (keys, "keys")] {
                assert!(number <= capacity, "{number} {what} of {capacity}");
                assert!(number >= capacity / 2, "{number} {what} of {capacity}");
            }
        }
    }

    #[test]
    fn what_is_in_use_stays_while_others_come_and_go() {
        let cache = KeyCache::new(640, STALENESS);
        let one = key(0, "acme");
        enter(&cache, 0, Some(&one));
        for n in 1..20_000 {
            assert!(holds(&cache, 0), "{n}");
            enter(&cache, n, Some(&one));
        }
        assert!(entries(&cache.keys) <= 640);
    }

    #[test]
    fn a_pass_is_for_one_text_and_ends_with_its_time_and_with_the_belief_in_the_key() {
        let cache = KeyCache::new(1000, STALENESS);
        let (key, id) = (key(7, "acme"), CompactId::of(&id(7)));
        enter(&cache, 7, Some(&key));
        assert!(!passes(&cache, 7, b"000000", Duration::ZERO));
        let until = Duration::from_secs(10);
        cache.remember(&id, &key, &principal(), *b"000000", Some(until));
        let tick = Duration::from_nanos(1);
        assert!(passes(&cache, 7, b"000000", until - tick));
        assert!(!passes(&cache, 7, b"000000", until));
        for place in 0..CHECKSUM {
            let mut other = *b"000000";
            other[place] = b'1';
            assert!(!passes(&cache, 7, &other, Duration::ZERO), "{place}");
        }
        cache.remember(&id, &key, &principal(), *b"000000", Some(STALENESS * 9));
        assert!(passes(&cache, 7, b"000000", STALENESS - tick));
        assert!(!passes(&cache, 7, b"000000", STALENESS));
    }

    #[test]
    fn a_pass_ends_when_its_key_is_forgotten_or_read_again() {
        let cache = KeyCache::new(1000, STALENESS);
        let (old, new, id) = (key(7, "acme"), key(7, "acme"), CompactId::of(&id(7)));
        let remember = |key| cache.remember(&id, key, &principal(), *b"000000", Some(STALENESS));
        enter(&cache, 7, Some(&old));
        remember(&old);
        assert!(passes(&cache, 7, b"000000", SECOND));
        cache.forget(&id);
        remember(&old);
        assert!(!passes(&cache, 7, b"000000", SECOND));
        enter(&cache, 7, Some(&old));
        remember(&old);
        cache.insert(Ticket(1), &id, Some(&new), SECOND);
        assert!(!passes(&cache, 7, b"000000", SECOND));
        // What was judged by the answer before says nothing of this one.
        remember(&old);
        assert!(!passes(&cache, 7, b"000000", SECOND));
        remember(&new);
        assert!(passes(&cache, 7, b"000000", SECOND));
    }

    #[test]
    fn a_key_that_depends_on_time_or_place_has_no_pass() {
        let cache = KeyCache::new(1000, STALENESS);
        let (key, id) = (key(7, "acme"), CompactId::of(&id(7)));
        enter(&cache, 7, Some(&key));
        cache.remember(&id, &key, &principal(), *b"000000", None);
        assert!(!passes(&cache, 7, b"000000", Duration::ZERO));
        let familiar = cache.look(&id, Duration::ZERO, |known| known.is_familiar(*b"000000"));
        assert!(matches!(familiar, Found::Key(true)));
    }

    #[test]
    fn each_cache_has_a_hash_of_its_own() {
        let of = |cache: KeyCache| cache.hasher.hash_one(CompactId::of(&id(1)).number());
        let cache = || KeyCache::new(1, STALENESS);
        assert_ne!(of(cache()), of(cache()));
    }
}
