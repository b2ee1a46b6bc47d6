//! What the callers and the task of one client share.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ringwall_core::clock::MonotonicClock;
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_jose::{KeySet, KeySetRef, KeySource, KeysUnavailable, StaticKeys};
use tokio::sync::Notify;

use crate::error::RefreshError;
use crate::machine::Machine;
use crate::policy::RefreshPolicy;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) about: Arc<str>,
    pub(crate) policy: RefreshPolicy,
    pub(crate) clock: Arc<dyn MonotonicClock>,
    pub(crate) events: Arc<dyn EventSink>,
    pub(crate) wake: Notify,
    keys: OnceLock<StaticKeys>,
    /// In nanoseconds of the clock. Written after the keys that it is about, and read before
    /// them: whoever sees a new end sees at least the keys that it belongs to.
    expires_at: AtomicU64,
    machine: Mutex<Machine>,
    last_error: Mutex<Option<RefreshError>>,
}

impl Shared {
    pub(crate) fn new(
        about: Arc<str>,
        policy: RefreshPolicy,
        clock: Arc<dyn MonotonicClock>,
        events: Arc<dyn EventSink>,
    ) -> Self {
        let machine = Machine::new(policy, clock.elapsed());
        Self {
            about,
            policy,
            clock,
            events,
            wake: Notify::new(),
            keys: OnceLock::new(),
            expires_at: AtomicU64::new(0),
            machine: Mutex::new(machine),
            last_error: Mutex::new(None),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Held for a few instructions at a time, never across a fetch, and never by whoever finds the
    /// key that they need.
    pub(crate) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys in force: on the way of every token, so without a lock.
    pub(crate) fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        let expires_at = self.expires_at.load(Ordering::Acquire);
        if nanos(self.now()) >= expires_at {
            return Err(self.unavailable());
        }
        match self.keys.get() {
            Some(keys) => keys.keys(),
            None => Err(self.unavailable()),
        }
    }

    pub(crate) fn unavailable(&self) -> KeysUnavailable {
        let pause = self.machine().due().saturating_sub(self.now());
        KeysUnavailable {
            retry_after: pause.clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER),
        }
    }

    /// Whether the key is among those in force.
    pub(crate) fn look(&self, id: &str) -> Result<bool, KeysUnavailable> {
        Ok(self.keys()?.find(Some(id)).is_some())
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.look(id) == Ok(true)
    }

    /// The set in use, also when it has expired.
    pub(crate) fn latest(&self) -> Option<KeySetRef> {
        self.keys.get().and_then(|keys| keys.keys().ok())
    }

    /// Takes over a set. The end of its life is published by [`Shared::prolong`].
    pub(crate) fn replace(&self, set: KeySet) {
        // The task is the only one that writes, so nothing is lost between the two steps.
        match self.keys.get() {
            Some(keys) => keys.replace(set),
            None => {
                self.keys.get_or_init(|| StaticKeys::new(set));
            }
        }
    }

    pub(crate) fn prolong(&self, expires_at: Duration) {
        self.expires_at.store(nanos(expires_at), Ordering::Release);
    }

    pub(crate) fn last_error(&self) -> Option<RefreshError> {
        let error = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        error.clone()
    }

    pub(crate) fn set_last_error(&self, error: Option<RefreshError>) {
        *self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// A sink that panics must not end the task that refreshes.
    pub(crate) fn emit(&self, kind: EventKind, cause: &'static str) {
        let mut event = SecurityEvent::new(kind, cause);
        event.about = Some(Arc::clone(&self.about));
        catch_unwind(AssertUnwindSafe(|| self.events.emit(event))).ok();
    }
}

/// Retries are never further away than the longest pause that a policy permits in practice.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(300);

/// 584 years fit.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
