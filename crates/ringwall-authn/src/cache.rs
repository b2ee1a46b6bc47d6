//! Tokens that were verified before.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use ahash::RandomState;
use constant_time_eq::constant_time_eq;
use hashbrown::HashTable;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::error::PolicyError;
use crate::token::VerifiedToken;

/// Locks are held for a look-up each; sixteen keep the threads of a large machine apart.
const SHARDS: usize = 16;

/// What an entry takes beside its token and its content: slot, index, allocations.
const ENTRY_OVERHEAD: usize = 128;

/// Verified tokens by their whole text, bounded in bytes.
///
/// The hash that finds an entry is keyed with a secret of this process, and what it finds is
/// compared whole, in constant time: a token that differs in one character is another token.
/// There is no way to plug in a key of one's own (CVE-2026-35039). Only valid tokens enter, so
/// forgeries cannot push good entries out.
///
/// The cache knows nothing of time, keys or revocation: whoever takes an entry checks those on
/// every hit.
pub(crate) struct TokenCache {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
    shard_bytes: usize,
}

struct Shard {
    index: HashTable<usize>,
    slots: Vec<Option<Entry>>,
    free: Vec<usize>,
    bytes: usize,
    /// Where the search for an entry to evict goes on.
    hand: usize,
}

struct Entry {
    hash: u64,
    token: Zeroizing<Box<[u8]>>,
    verified: Arc<VerifiedToken>,
    bytes: usize,
    /// Looked up since the hand last came by.
    used: bool,
}

impl TokenCache {
    /// Room for `bytes` in all; `None` when that is zero.
    pub(crate) fn new(bytes: usize) -> Result<Option<Self>, PolicyError> {
        if bytes == 0 {
            return Ok(None);
        }
        let random = SystemRandom::new();
        let mut seeds = [[0; 8]; 4];
        for seed in &mut seeds {
            random.fill(seed).map_err(|_| PolicyError::Random)?;
        }
        let [a, b, c, d] = seeds.map(u64::from_ne_bytes);
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::new())).collect();
        let hasher = RandomState::with_seeds(a, b, c, d);
        Ok(Some(Self {
            shards,
            hasher,
            shard_bytes: bytes.div_euclid(SHARDS),
        }))
    }

    pub(crate) fn get(&self, token: &str) -> Option<Arc<VerifiedToken>> {
        let hash = self.hasher.hash_one(token.as_bytes());
        let mut shard = self.shard(hash)?;
        let slot = shard.find(hash, token.as_bytes())?;
        let entry = shard.slots.get_mut(slot)?.as_mut()?;
        entry.used = true;
        Some(Arc::clone(&entry.verified))
    }

    pub(crate) fn insert(&self, token: &str, verified: Arc<VerifiedToken>) {
        let bytes = token
            .len()
            .saturating_add(verified.footprint())
            .saturating_add(ENTRY_OVERHEAD);
        if bytes > self.shard_bytes {
            return;
        }
        let hash = self.hasher.hash_one(token.as_bytes());
        let Some(mut shard) = self.shard(hash) else {
            return;
        };
        shard.remove(hash, token.as_bytes());
        while shard.bytes.saturating_add(bytes) > self.shard_bytes {
            if !shard.evict_one() {
                return;
            }
        }
        let token = Zeroizing::new(token.as_bytes().into());
        shard.add(Entry {
            hash,
            token,
            verified,
            bytes,
            used: false,
        });
    }

    pub(crate) fn remove(&self, token: &str) {
        let hash = self.hasher.hash_one(token.as_bytes());
        if let Some(mut shard) = self.shard(hash) {
            shard.remove(hash, token.as_bytes());
        }
    }

    /// Entries and bytes now.
    pub(crate) fn usage(&self) -> CacheUsage {
        let mut usage = CacheUsage {
            entries: 0,
            bytes: 0,
        };
        for shard in &self.shards {
            let shard = lock(shard);
            usage.entries = usage.entries.saturating_add(shard.index.len());
            usage.bytes = usage.bytes.saturating_add(shard.bytes);
        }
        usage
    }

    fn shard(&self, hash: u64) -> Option<MutexGuard<'_, Shard>> {
        // The low bits choose within the table of a shard.
        let index = usize::try_from(hash >> 48).unwrap_or(0) % SHARDS;
        self.shards.get(index).map(lock)
    }
}

/// What the cache holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheUsage {
    /// The number of tokens.
    pub entries: usize,
    /// The bytes they take.
    pub bytes: usize,
}

/// A thread that panicked may have left index and slots apart. The cache can be emptied at any
/// time, so that is what happens.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(|poisoned| {
        shard.clear_poison();
        let mut guard = poisoned.into_inner();
        *guard = Shard::new();
        guard
    })
}

impl Shard {
    fn new() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            bytes: 0,
            hand: 0,
        }
    }

    fn find(&self, hash: u64, token: &[u8]) -> Option<usize> {
        self.index
            .find(hash, |slot| self.holds(*slot, hash, token))
            .copied()
    }

    fn holds(&self, slot: usize, hash: u64, token: &[u8]) -> bool {
        let entry = self.slots.get(slot).and_then(Option::as_ref);
        entry.is_some_and(|entry| entry.hash == hash && constant_time_eq(&entry.token, token))
    }

    fn add(&mut self, entry: Entry) {
        let (hash, bytes) = (entry.hash, entry.bytes);
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(None);
                self.slots.len().saturating_sub(1)
            }
        };
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(entry);
        }
        let slots = &self.slots;
        self.index
            .insert_unique(hash, slot, |slot| hash_of(slots, *slot));
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn remove(&mut self, hash: u64, token: &[u8]) {
        if let Some(slot) = self.find(hash, token) {
            self.remove_slot(slot);
        }
    }

    fn remove_slot(&mut self, slot: usize) {
        let Some(entry) = self.slots.get_mut(slot).and_then(Option::take) else {
            return;
        };
        if let Ok(found) = self.index.find_entry(entry.hash, |other| *other == slot) {
            found.remove();
        }
        self.free.push(slot);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
    }

    /// Evicts the next entry that was not used since the hand last came by (second chance).
    /// Answers whether there was one.
    fn evict_one(&mut self) -> bool {
        // Twice around: the first round may only take the marks away.
        for _ in 0..self.slots.len().saturating_mul(2) {
            let slot = self.hand;
            self.hand = self
                .hand
                .checked_add(1)
                .filter(|next| *next < self.slots.len())
                .unwrap_or(0);
            match self.slots.get_mut(slot).and_then(Option::as_mut) {
                Some(entry) if entry.used => entry.used = false,
                Some(_) => {
                    self.remove_slot(slot);
                    return true;
                }
                None => {}
            }
        }
        false
    }
}

fn hash_of(slots: &[Option<Entry>], slot: usize) -> u64 {
    slots
        .get(slot)
        .and_then(Option::as_ref)
        .map_or(0, |entry| entry.hash)
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("usage", &self.usage())
            .finish_non_exhaustive()
    }
}
