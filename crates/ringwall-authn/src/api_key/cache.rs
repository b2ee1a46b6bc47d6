//! Keys that were looked up before.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ahash::RandomState;
use ringwall_core::principal::VerifiedPrincipal;

use super::record::ApiKeyRecord;

/// Locks are held for a look-up each; sixteen keep the threads of a large machine apart.
const SHARDS: usize = 16;

/// A key as it was read from its store.
pub(crate) struct CachedKey {
    pub(crate) record: ApiKeyRecord,
    /// Made when the key was verified for the first time, and shared from then on.
    pub(crate) principal: OnceLock<VerifiedPrincipal>,
    /// When a use was noted last, in microseconds since the epoch.
    pub(crate) noted_at: AtomicI64,
}

impl CachedKey {
    pub(crate) fn new(record: ApiKeyRecord) -> Arc<Self> {
        let noted_at = record.last_used_at.map_or(i64::MIN, |at| at.unix_micros());
        Arc::new(Self {
            record,
            principal: OnceLock::new(),
            noted_at: AtomicI64::new(noted_at),
        })
    }
}

/// What the cache knows of an id.
pub(crate) enum Found {
    /// The key.
    Key(Arc<CachedKey>),
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
/// out that are there.
pub(crate) struct KeyCache {
    keys: Box<[Mutex<Generations>]>,
    missing: Box<[Mutex<Generations>]>,
    staleness: Duration,
    /// Counts revocations.
    revisions: AtomicU64,
}

/// Entries in two generations: when the young one is full, the old one goes and the young one is old.
/// What is used moves to the young one, so only what was not used for a whole generation goes.
struct Generations {
    young: HashMap<Box<str>, Entry, RandomState>,
    old: HashMap<Box<str>, Entry, RandomState>,
    half: usize,
}

struct Entry {
    /// `None` when the store has no such key.
    value: Option<Arc<CachedKey>>,
    /// On the monotonic clock.
    read_at: Duration,
}

impl KeyCache {
    /// Room for `capacity` keys, each of which is read again when it is older than `staleness`.
    pub(crate) fn new(capacity: usize, staleness: Duration) -> Self {
        let hasher = RandomState::new();
        let shards = |capacity: usize| {
            let half = capacity.div_ceil(const { SHARDS * 2 });
            (0..SHARDS)
                .map(|_| Mutex::new(Generations::new(half, &hasher)))
                .collect()
        };
        Self {
            keys: shards(capacity),
            missing: shards(capacity.min(MAX_MISSING)),
            staleness,
            revisions: AtomicU64::new(0),
        }
    }

    pub(crate) fn get(&self, id: &str, now: Duration) -> Found {
        // Before the look-up: a revocation after this line changes the number, and then what the store
        // answers does not enter.
        let ticket = Ticket(self.revisions.load(Ordering::SeqCst));
        let is_fresh = |read_at: Duration| now.saturating_sub(read_at) < self.staleness;
        let mut was_there = false;
        if let Some(mut shard) = self.shard(&self.keys, id)
            && let Some((Some(key), read_at)) = shard.get(id)
        {
            if is_fresh(read_at) {
                return Found::Key(key);
            }
            was_there = true;
        }
        if let Some(mut shard) = self.shard(&self.missing, id)
            && let Some((_, read_at)) = shard.get(id)
            && is_fresh(read_at)
        {
            return Found::None;
        }
        Found::Nothing { ticket, was_there }
    }

    /// Keeps what the store answered, unless something was revoked since the ticket was given.
    /// `read_at` is the time before the store was asked.
    pub(crate) fn insert(
        &self,
        ticket: Ticket,
        id: &str,
        value: Option<Arc<CachedKey>>,
        read_at: Duration,
    ) {
        let (shards, others) = match &value {
            Some(_) => (&self.keys, &self.missing),
            None => (&self.missing, &self.keys),
        };
        if let Some(mut shard) = self.shard(others, id) {
            shard.remove(id);
        }
        let Some(mut shard) = self.shard(shards, id) else {
            return;
        };
        // Under the lock: a revocation counts first and removes second, so it either is seen here or
        // finds what is entered here.
        // And of two answers of the store the one that was asked for later: another process may have
        // revoked the key in between.
        let is_newest = shard.get(id).is_none_or(|(_, known)| known <= read_at);
        if is_newest && self.revisions.load(Ordering::SeqCst) == ticket.0 {
            let gone = shard.insert(id, Entry { value, read_at });
            drop(shard);
            drop(gone);
        }
    }

    /// Forgets one id.
    pub(crate) fn forget(&self, id: &str) {
        self.revisions.fetch_add(1, Ordering::SeqCst);
        for shards in [&self.keys, &self.missing] {
            if let Some(mut shard) = self.shard(shards, id) {
                shard.remove(id);
            }
        }
    }

    /// Forgets the keys that are meant, and what is known to be missing stays so.
    pub(crate) fn forget_those(&self, is_meant: impl Fn(&ApiKeyRecord) -> bool) {
        self.revisions.fetch_add(1, Ordering::SeqCst);
        let stays = |entry: &Entry| {
            let key = entry.value.as_ref();
            !key.is_some_and(|key| is_meant(&key.record))
        };
        for shard in &self.keys {
            let mut shard = lock(shard);
            let Generations { young, old, .. } = &mut *shard;
            for generation in [young, old] {
                generation.retain(|_, entry| stays(entry));
            }
        }
    }

    fn shard<'a>(
        &self,
        shards: &'a [Mutex<Generations>],
        id: &str,
    ) -> Option<MutexGuard<'a, Generations>> {
        // The ids are random, so a few of their bytes choose well enough: who makes ids up meets the
        // bound of one shard.
        let hash = id.bytes().take(4).fold(0_usize, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(usize::from(byte))
        });
        shards.get(hash % SHARDS).map(lock)
    }
}

/// The most ids that are remembered as missing.
const MAX_MISSING: usize = 4096;

/// The maps are whole after each of their operations, and a lost entry is read again.
fn lock(shard: &Mutex<Generations>) -> MutexGuard<'_, Generations> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Generations {
    fn new(half: usize, hasher: &RandomState) -> Self {
        Self {
            young: HashMap::with_hasher(hasher.clone()),
            old: HashMap::with_hasher(hasher.clone()),
            half,
        }
    }

    fn get(&mut self, id: &str) -> Option<(Option<Arc<CachedKey>>, Duration)> {
        if let Some(entry) = self.young.get(id) {
            return Some((entry.value.clone(), entry.read_at));
        }
        if self.young.len() >= self.half {
            // Room is made by the next insertion, not here: a look-up drops nothing.
            let entry = self.old.get(id)?;
            return Some((entry.value.clone(), entry.read_at));
        }
        let (id, entry) = self.old.remove_entry(id)?;
        let found = (entry.value.clone(), entry.read_at);
        self.young.insert(id, entry);
        Some(found)
    }

    /// Answers what had to go.
    fn insert(&mut self, id: &str, entry: Entry) -> Option<HashMap<Box<str>, Entry, RandomState>> {
        self.old.remove(id);
        let mut gone = None;
        if self.young.len() >= self.half && !self.young.contains_key(id) {
            let hasher = self.young.hasher().clone();
            let young = core::mem::replace(&mut self.young, HashMap::with_hasher(hasher));
            gone = Some(core::mem::replace(&mut self.old, young));
        }
        if self.half > 0 {
            self.young.insert(id.into(), entry);
        }
        gone
    }

    fn remove(&mut self, id: &str) {
        self.young.remove(id);
        self.old.remove(id);
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyCache")
            .field("staleness", &self.staleness)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket(cache: &KeyCache, id: &str) -> Ticket {
        match cache.get(id, Duration::ZERO) {
            Found::Nothing { ticket, .. } => ticket,
            Found::Key(_) | Found::None => panic!("it is there"),
        }
    }

    fn entries(shards: &[Mutex<Generations>]) -> usize {
        let count = |shard: &Mutex<Generations>| {
            let shard = lock(shard);
            shard.young.len().saturating_add(shard.old.len())
        };
        shards.iter().map(count).sum()
    }

    /// The first characters choose the shard.
    fn id_of(n: u8) -> String {
        format!("{n:04}{n:012}")
    }

    fn key(n: u8, org: &str) -> Arc<CachedKey> {
        use ringwall_core::principal::{OrgId, Subject, Tenant};
        let digest = crate::api_key::SecretHasher::sha256().hash(&[n]);
        CachedKey::new(ApiKeyRecord {
            id: crate::api_key::ApiKeyId::new(&id_of(n)).unwrap(),
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
            digest,
            last_used_at: None,
            revoked_at: None,
            replaced: None,
        })
    }

    fn holds(cache: &KeyCache, id: &str) -> bool {
        matches!(cache.get(id, Duration::from_secs(1)), Found::Key(_))
    }

    #[test]
    fn forgets_the_keys_of_one_organisation_and_nothing_of_the_others() {
        let cache = KeyCache::new(1000, Duration::from_secs(30));
        for n in 0..100 {
            let org = if n % 2 == 0 { "acme" } else { "other" };
            let key = key(n, org);
            let id = key.record.id.to_string();
            let ticket = ticket(&cache, &id);
            cache.insert(ticket, &id, Some(key), Duration::ZERO);
        }
        let before = ticket(&cache, "a");
        cache.forget_those(|record| record.tenant.org == "acme");
        for n in 0..100 {
            assert_eq!(holds(&cache, &id_of(n)), n % 2 == 1, "{n}");
        }
        // What was read before does not enter after it.
        cache.insert(before, &id_of(0), Some(key(0, "acme")), Duration::ZERO);
        assert!(!holds(&cache, &id_of(0)));
    }

    #[test]
    fn an_older_answer_of_the_store_does_not_replace_a_newer_one() {
        let cache = KeyCache::new(1000, Duration::from_secs(30));
        let id = id_of(7);
        let (slow, fast) = (ticket(&cache, &id), ticket(&cache, &id));
        let (old, new) = (key(7, "acme"), key(7, "acme"));
        cache.insert(fast, &id, Some(Arc::clone(&new)), Duration::from_millis(20));
        cache.insert(slow, &id, Some(old), Duration::from_millis(10));
        let Found::Key(found) = cache.get(&id, Duration::from_secs(1)) else {
            panic!("it is there");
        };
        assert!(Arc::ptr_eq(&found, &new));
    }

    #[test]
    fn holds_no_more_than_it_may() {
        let capacity = 320;
        let cache = KeyCache::new(capacity, Duration::from_secs(30));
        for n in 0..10_000 {
            let id = format!("{n:016}");
            let ticket = ticket(&cache, &id);
            cache.insert(ticket, &id, None, Duration::ZERO);
            // Looking them up again moves entries between the generations.
            let again = format!("{:016}", n / 2);
            let _ = cache.get(&again, Duration::ZERO);
            assert!(entries(&cache.missing) <= capacity, "{n}");
        }
        assert!(entries(&cache.missing) > 0);
    }
}
