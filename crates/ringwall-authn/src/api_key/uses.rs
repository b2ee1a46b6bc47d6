//! When keys were used last.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringwall_core::clock::Timestamp;

use super::cache::CachedKey;
use super::id::ApiKeyId;
use super::keys::ApiKeys;
use super::store::ApiKeyStoreError;

/// The most keys whose uses wait to be written down.
const MAX_WAITING: usize = 65_536;

/// How many uses are written down at once.
const BATCH: usize = 500;

/// Uses that wait to be written down: the latest of each key. A request takes the lock only when the
/// last note of its key is older than the interval.
pub(crate) struct Uses {
    interval_micros: i64,
    waiting: Mutex<HashMap<ApiKeyId, Timestamp>>,
    dropped: AtomicU64,
}

impl Uses {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval_micros: i64::try_from(interval.as_micros()).unwrap_or(i64::MAX),
            waiting: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    /// Notes a use, unless one was noted a short while ago. Answers for how long none has to be noted.
    pub(crate) fn note(&self, key: &CachedKey, now: Timestamp) -> Duration {
        let last = key.noted_at.load(Ordering::Relaxed);
        let since = now.unix_micros().saturating_sub(last);
        if since < self.interval_micros {
            // A note of the future, by a clock that went back since, holds no longer than another.
            let rest = self.interval_micros.saturating_sub(since.max(0));
            return Duration::from_micros(u64::try_from(rest).unwrap_or(0));
        }
        // Of several requests at once, one notes.
        let noted = key.noted_at.compare_exchange(
            last,
            now.unix_micros(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if noted.is_ok() {
            self.add(&mut self.lock(), key.record.id.clone(), now);
        }
        Duration::from_micros(u64::try_from(self.interval_micros).unwrap_or(0))
    }

    fn add(&self, waiting: &mut HashMap<ApiKeyId, Timestamp>, id: ApiKeyId, at: Timestamp) {
        if waiting.len() >= MAX_WAITING && !waiting.contains_key(&id) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let latest = waiting.entry(id).or_insert(at);
        *latest = at.max(*latest);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ApiKeyId, Timestamp>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Uses that were taken to be written down. What was not, because the store failed or nobody waited for
/// it, goes back.
struct Batch<'a> {
    uses: &'a Uses,
    rest: Vec<(ApiKeyId, Timestamp)>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        let mut waiting = self.uses.lock();
        for (id, at) in self.rest.drain(..) {
            self.uses.add(&mut waiting, id, at);
        }
    }
}

impl ApiKeys {
    /// Writes down which keys were used, in batches. Call it each minute or so, and once more before the
    /// process ends; what waits is bounded, and lost if the process is killed. Answers how many keys
    /// there were.
    ///
    /// # Errors
    ///
    /// The store's; what was not written down waits for the next call.
    pub async fn flush_uses(&self) -> Result<usize, ApiKeyStoreError> {
        let uses = &self.0.uses;
        let rest: Vec<_> = uses.lock().drain().collect();
        let mut batch = Batch { uses, rest };
        let mut written: usize = 0;
        while !batch.rest.is_empty() {
            let from = batch.rest.len().saturating_sub(BATCH);
            let some = batch.rest.get(from..).unwrap_or_default();
            self.0.store.record_uses(some).await?;
            written = written.saturating_add(some.len());
            batch.rest.truncate(from);
        }
        Ok(written)
    }

    /// How many uses were not noted, because too many waited to be written down.
    #[must_use]
    pub fn dropped_uses(&self) -> u64 {
        self.0.uses.dropped.load(Ordering::Relaxed)
    }
}
