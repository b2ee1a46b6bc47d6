//! Tokens that were verified before.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use ahash::RandomState;
use constant_time_eq::constant_time_eq;
use hashbrown::HashTable;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::error::PolicyError;
use crate::issuer_table::IssuerState;
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
///
/// What leaves the cache is dropped after its lock was given back: with the last token of an issuer
/// that was removed its source of keys ends, and what that does then is not known here.
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
        let mut gone = Vec::new();
        let Some(mut shard) = self.shard(hash) else {
            return;
        };
        // Under the lock: an issuer is retired before its entries are purged, so whoever verified
        // under it and comes here after the purge sees that.
        if verified.issuer.is_retired() {
            return;
        }
        gone.extend(shard.remove(hash, token.as_bytes()));
        while shard.bytes.saturating_add(bytes) > self.shard_bytes {
            match shard.evict_one() {
                Some(entry) => gone.push(entry),
                None => return,
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
        drop(shard);
        drop(gone);
    }

    pub(crate) fn remove(&self, token: &str) {
        let hash = self.hasher.hash_one(token.as_bytes());
        let gone = self
            .shard(hash)
            .and_then(|mut shard| shard.remove(hash, token.as_bytes()));
        drop(gone);
    }

    /// Removes every token of an issuer that was retired. It looks at all entries, a shard at a time.
    pub(crate) fn purge(&self, retired: &Arc<IssuerState>) {
        for shard in &self.shards {
            let gone = lock(shard).remove_issuer(retired);
            drop(gone);
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
    loop {
        match shard.lock() {
            Ok(guard) => return guard,
            Err(poisoned) => {
                let mut guard = poisoned.into_inner();
                let broken = core::mem::replace(&mut *guard, Shard::new());
                shard.clear_poison();
                drop(guard);
                drop(broken);
            }
        }
    }
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

    fn remove(&mut self, hash: u64, token: &[u8]) -> Option<Entry> {
        let slot = self.find(hash, token)?;
        self.remove_slot(slot)
    }

    fn remove_issuer(&mut self, issuer: &Arc<IssuerState>) -> Vec<Entry> {
        let is_theirs = |entry: &Entry| Arc::ptr_eq(&entry.verified.issuer, issuer);
        let slots: Vec<usize> = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(slot, entry)| entry.as_ref().is_some_and(is_theirs).then_some(slot))
            .collect();
        slots
            .into_iter()
            .filter_map(|slot| self.remove_slot(slot))
            .collect()
    }

    fn remove_slot(&mut self, slot: usize) -> Option<Entry> {
        let entry = self.slots.get_mut(slot).and_then(Option::take)?;
        if let Ok(found) = self.index.find_entry(entry.hash, |other| *other == slot) {
            found.remove();
        }
        self.free.push(slot);
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }

    /// Evicts the next entry that was not used since the hand last came by (second chance).
    fn evict_one(&mut self) -> Option<Entry> {
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
                Some(_) => return self.remove_slot(slot),
                None => {}
            }
        }
        None
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IssuerPolicy, SigningKey, TokenIssuer, TokenRequest, TokenVerifier};
    use ringwall_core::clock::Timestamp;
    use ringwall_core::principal::Subject;
    use ringwall_jose::{
        Algorithm, HmacSecret, KeyError, KeySet, PublicKey, RingProvider, SignatureMismatch,
        SignatureProvider, StaticKeys, VerifySignature,
    };
    use std::sync::{Weak, mpsc};
    use std::time::Duration;

    const BYTES: usize = 256 * 1024;

    fn cache() -> TokenCache {
        TokenCache::new(BYTES).unwrap().unwrap()
    }

    /// A verified token; what it says does not matter here.
    fn verified() -> Arc<VerifiedToken> {
        verified_by(Arc::new(RingProvider))
    }

    /// Its issuer is nobody's but its own: the keys end with it.
    fn verified_by(provider: Arc<dyn SignatureProvider>) -> Arc<VerifiedToken> {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).unwrap();
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).unwrap();
        let issuer = TokenIssuer::new("issuer", key);
        let keys = KeySet::builder()
            .provider(provider)
            .document(issuer.jwks().as_bytes())
            .unwrap();
        let keys = Arc::new(StaticKeys::new(keys.build().unwrap()));
        let policy = IssuerPolicy::builder("issuer", "api", keys)
            .build()
            .unwrap();
        let verifier = TokenVerifier::builder().issuer(policy).build().unwrap();
        let now = Timestamp::from_unix_seconds(1_767_225_600).unwrap();
        let request = TokenRequest::new(Subject::new("user-1").unwrap(), "api");
        let issued = issuer.issue(&request, now).unwrap();
        verifier.verify(issued.token.expose(), now).unwrap()
    }

    #[test]
    fn a_token_of_the_same_hash_is_another_token() {
        let verified = verified();
        let token = "a token, of which another one has the hash";
        let mut shard = Shard::new();
        shard.add(Entry {
            hash: 7,
            token: Zeroizing::new(token.as_bytes().into()),
            verified,
            bytes: 100,
            used: false,
        });
        assert!(shard.find(7, token.as_bytes()).is_some());
        for index in 0..token.len() {
            let mut other = token.as_bytes().to_vec();
            other[index] ^= 1;
            assert_eq!(shard.find(7, &other), None, "{index}");
        }
        let bytes = token.as_bytes();
        for other in [&bytes[1..], &bytes[..bytes.len() - 1], &[]] {
            assert_eq!(shard.find(7, other), None, "{}", other.len());
        }
    }

    #[test]
    fn each_cache_has_a_hash_of_its_own() {
        assert_ne!(
            cache().hasher.hash_one(b"token".as_slice()),
            cache().hasher.hash_one(b"token".as_slice())
        );
    }

    #[test]
    fn two_threads_that_enter_the_same_token_make_one_entry() {
        let (cache, verified) = (cache(), verified());
        cache.insert("token", Arc::clone(&verified));
        let once = cache.usage();
        cache.insert("token", verified);
        assert_eq!(cache.usage(), once);
        assert_eq!(once.entries, 1);
        cache.remove("token");
        assert_eq!((cache.usage().entries, cache.usage().bytes), (0, 0));
        assert!(cache.get("token").is_none());
    }

    #[test]
    fn an_entry_that_cannot_fit_evicts_nothing() {
        let (cache, verified) = (cache(), verified());
        let tokens: Vec<String> = (0..64).map(|n| format!("token {n}")).collect();
        for token in &tokens {
            cache.insert(token, Arc::clone(&verified));
        }
        for n in 0..64 {
            let large = format!("{n}{}", "x".repeat(BYTES / SHARDS));
            cache.insert(&large, Arc::clone(&verified));
            assert!(cache.get(&large).is_none());
        }
        assert!(tokens.iter().all(|token| cache.get(token).is_some()));
    }

    #[test]
    fn the_content_of_an_entry_counts() {
        let (cache, verified) = (cache(), verified());
        cache.insert("token", Arc::clone(&verified));
        assert!(cache.usage().bytes > verified.footprint());
    }

    #[test]
    fn after_a_panic_under_its_lock_a_shard_is_empty_and_works() {
        let (cache, verified) = (cache(), verified());
        cache.insert("token", Arc::clone(&verified));
        let poisoned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let guards: Vec<_> = cache.shards.iter().map(|shard| shard.lock()).collect();
            assert!(guards.is_empty(), "on purpose");
        }));
        assert!(poisoned.is_err());
        assert!(cache.get("token").is_none());
        cache.insert("token", verified);
        assert!(cache.get("token").is_some());
    }

    #[test]
    fn a_token_verified_under_a_retired_issuer_does_not_enter() {
        let (cache, verified) = (cache(), verified());
        verified.issuer.retire();
        cache.insert("token", verified);
        assert_eq!(cache.usage().entries, 0);
    }

    #[test]
    fn a_purge_takes_one_issuers_tokens_and_no_others() {
        let (mine, others) = (verified(), verified());
        // Room for all of them, however the shards are hit.
        let cache = TokenCache::new(64 * BYTES).unwrap().unwrap();
        for n in 0..64 {
            cache.insert(&format!("mine {n}"), Arc::clone(&mine));
            cache.insert(&format!("others {n}"), Arc::clone(&others));
        }
        cache.purge(&mine.issuer);
        for n in 0..64 {
            assert!(cache.get(&format!("mine {n}")).is_none());
            assert!(cache.get(&format!("others {n}")).is_some());
        }
        assert_eq!(cache.usage().entries, 64);
        // What is left over is as good as new: the places are used again, and the count is right.
        cache.insert("mine 0", Arc::clone(&others));
        cache.purge(&others.issuer);
        assert_eq!((cache.usage().entries, cache.usage().bytes), (0, 0));
    }

    /// Asks the cache how full it is when its keys end, which waits for each lock.
    #[derive(Debug)]
    struct Asking(Weak<TokenCache>, mpsc::Sender<()>);

    struct AskingKey(Weak<TokenCache>, mpsc::Sender<()>, Arc<dyn VerifySignature>);

    impl SignatureProvider for Asking {
        fn name(&self) -> &'static str {
            "asking"
        }

        fn public_key(
            &self,
            algorithm: Algorithm,
            key: &PublicKey,
        ) -> Result<Arc<dyn VerifySignature>, KeyError> {
            let inner = RingProvider.public_key(algorithm, key)?;
            Ok(Arc::new(AskingKey(self.0.clone(), self.1.clone(), inner)))
        }

        fn hmac_key(
            &self,
            algorithm: Algorithm,
            secret: &HmacSecret,
        ) -> Result<Arc<dyn VerifySignature>, KeyError> {
            RingProvider.hmac_key(algorithm, secret)
        }
    }

    impl VerifySignature for AskingKey {
        fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureMismatch> {
            self.2.verify(message, signature)
        }
    }

    impl Drop for AskingKey {
        fn drop(&mut self) {
            if let Some(cache) = self.0.upgrade() {
                cache.usage();
            }
            self.1.send(()).ok();
        }
    }

    #[test]
    fn whatever_leaves_the_cache_ends_outside_of_its_locks() {
        let ways: [fn(&TokenCache); 4] = [
            |cache| cache.remove("token"),
            |cache| cache.insert("token", verified()),
            |cache| {
                let other = verified();
                (0..1_000).for_each(|n| cache.insert(&n.to_string(), Arc::clone(&other)));
            },
            |cache| {
                let poisoned = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    let guards: Vec<_> = cache.shards.iter().map(|shard| shard.lock()).collect();
                    assert!(guards.is_empty(), "on purpose");
                }));
                assert!(poisoned.is_err());
                cache.usage();
            },
        ];
        for (number, way) in ways.into_iter().enumerate() {
            let cache = Arc::new(cache());
            let (sender, ended) = mpsc::channel();
            let token = verified_by(Arc::new(Asking(Arc::downgrade(&cache), sender)));
            // From here on the cache holds the last handle, and the keys end with the entry.
            cache.insert("token", token);
            std::thread::spawn(move || way(&cache));
            let answer = ended.recv_timeout(Duration::from_secs(20));
            assert!(
                answer.is_ok(),
                "way {number} waits for a lock that it holds"
            );
        }
    }
}
