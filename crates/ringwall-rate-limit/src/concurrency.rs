//! How many at once, beside how many a second.

use core::fmt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::key::LimitKey;

/// At most so many requests of one key at the same time, and so many of all keys together. Cloning shares
/// the counts.
///
/// A rate limit does not bound how much is at work: twenty slow requests a second are soon hundreds. A
/// [`ConcurrencyPermit`] counts for as long as it lives; it is given back when it is dropped, so a handler that
/// panics or whose client is gone gives it back too.
///
/// Memory is bounded by `total`: a key is remembered only while it holds a permit.
///
/// ```
/// use ringwall_rate_limit::{ConcurrencyLimit, KeyHasher};
///
/// let limit = ConcurrencyLimit::new(2, 1000);
/// let key = KeyHasher::random().key([&b"acme"[..]])?;
/// let first = limit.acquire(key);
/// let second = limit.acquire(key);
/// assert!(first.is_ok() && second.is_ok());
/// assert!(limit.acquire(key).is_err());
/// drop(first);
/// assert!(limit.acquire(key).is_ok());
/// # Ok::<(), ringwall_rate_limit::KeyError>(())
/// ```
#[derive(Clone)]
pub struct ConcurrencyLimit(Arc<Counts>);

struct Counts {
    per_key: u32,
    total: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    at_work: usize,
    /// Keys with a permit at least, and no others.
    of_key: HashMap<LimitKey, u32>,
}

impl ConcurrencyLimit {
    /// At most `per_key` for one key, and `total` for all together. Zero of either allows nothing.
    #[must_use]
    pub fn new(per_key: u32, total: usize) -> Self {
        Self(Arc::new(Counts {
            per_key,
            total,
            state: Mutex::default(),
        }))
    }

    /// A permit for one more request of `key`.
    ///
    /// # Errors
    ///
    /// [`TooManyAtOnce`]: there is no time after which to come back, but when another request has ended.
    pub fn acquire(&self, key: LimitKey) -> Result<ConcurrencyPermit, TooManyAtOnce> {
        let mut state = self.0.state();
        if state.at_work >= self.0.total {
            return Err(TooManyAtOnce::InAll);
        }
        let count = state.of_key.get(&key).copied().unwrap_or(0);
        if count >= self.0.per_key {
            return Err(TooManyAtOnce::OfOneKey);
        }
        state.of_key.insert(key, count.saturating_add(1));
        state.at_work = state.at_work.saturating_add(1);
        drop(state);
        Ok(ConcurrencyPermit {
            counts: Arc::clone(&self.0),
            key,
        })
    }

    /// How many permits there are now.
    #[must_use]
    pub fn at_work(&self) -> usize {
        self.0.state().at_work
    }

    /// How many permits there are of `key`.
    #[must_use]
    pub fn at_work_of(&self, key: LimitKey) -> u32 {
        self.0.state().of_key.get(&key).copied().unwrap_or(0)
    }
}

impl Counts {
    /// The counts change together under the lock, and nothing there can fail.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit")
            .field("per_key", &self.0.per_key)
            .field("total", &self.0.total)
            .field("at_work", &self.at_work())
            .finish()
    }
}

/// One request at work. It counts until it is dropped.
#[must_use = "a permit that is dropped at once bounds nothing"]
pub struct ConcurrencyPermit {
    counts: Arc<Counts>,
    key: LimitKey,
}

impl Drop for ConcurrencyPermit {
    fn drop(&mut self) {
        let mut state = self.counts.state();
        state.at_work = state.at_work.saturating_sub(1);
        if let Some(count) = state.of_key.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                state.of_key.remove(&self.key);
            }
        }
    }
}

impl fmt::Debug for ConcurrencyPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyPermit").finish_non_exhaustive()
    }
}

/// Why there is no permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooManyAtOnce {
    /// The key has as many as it may.
    #[error("too many requests of one caller are at work")]
    OfOneKey,
    /// All keys together have as many as they may.
    #[error("too many requests are at work")]
    InAll,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeyHasher;

    fn key(name: &str) -> LimitKey {
        KeyHasher::shared([1; 16]).key([name.as_bytes()]).unwrap()
    }

    #[test]
    fn one_key_has_its_own_and_no_more() {
        let limit = ConcurrencyLimit::new(2, 100);
        let permits: Vec<_> = (0..2).map(|_| limit.acquire(key("a")).unwrap()).collect();
        assert_eq!(
            limit.acquire(key("a")).unwrap_err(),
            TooManyAtOnce::OfOneKey
        );
        let other = limit.acquire(key("b")).unwrap();
        assert_eq!((limit.at_work(), limit.at_work_of(key("a"))), (3, 2));
        drop(permits);
        assert_eq!((limit.at_work(), limit.at_work_of(key("a"))), (1, 0));
        assert!(limit.acquire(key("a")).is_ok());
        drop(other);
    }

    #[test]
    fn a_flood_of_keys_stays_within_the_total_and_nothing_is_remembered_of_it() {
        let limit = ConcurrencyLimit::new(2, 10);
        let all: Vec<_> = (0..1000)
            .map(|n| limit.acquire(key(&n.to_string())))
            .collect();
        assert_eq!(all.iter().filter(|permit| permit.is_ok()).count(), 10);
        assert_eq!(limit.0.state().of_key.len(), 10);
        drop(all);
        assert_eq!(limit.at_work(), 0);
        assert!(limit.0.state().of_key.is_empty());
    }

    #[test]
    fn what_was_refused_gives_nothing_back() {
        let limit = ConcurrencyLimit::new(1, 10);
        let permit = limit.acquire(key("a")).unwrap();
        for _ in 0..5 {
            assert!(limit.acquire(key("a")).is_err());
        }
        assert_eq!((limit.at_work(), limit.at_work_of(key("a"))), (1, 1));
        drop(permit);
    }

    #[test]
    fn a_permit_is_given_back_by_a_panic_too() {
        let limit = ConcurrencyLimit::new(1, 10);
        let shared = limit.clone();
        let handler = std::thread::spawn(move || {
            let _permit = shared.acquire(key("a")).unwrap();
            panic!("a handler that fails");
        });
        assert!(handler.join().is_err());
        assert!(limit.acquire(key("a")).is_ok());
    }

    #[test]
    fn zero_allows_nothing() {
        assert!(ConcurrencyLimit::new(0, 10).acquire(key("a")).is_err());
        assert!(ConcurrencyLimit::new(10, 0).acquire(key("a")).is_err());
    }

    #[test]
    fn threads_hold_no_more_than_there_are() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let limit = ConcurrencyLimit::new(3, 100);
        let (held, most) = (AtomicU32::new(0), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        if let Ok(permit) = limit.acquire(key("a")) {
                            let now = held.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now, Ordering::SeqCst);
                            held.fetch_sub(1, Ordering::SeqCst);
                            drop(permit);
                        }
                    }
                });
            }
        });
        assert!((1..=3).contains(&most.into_inner()));
        assert_eq!(limit.at_work(), 0);
    }
}
