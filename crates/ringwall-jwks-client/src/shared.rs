//! What the callers and the task of one client share.

use core::mem;
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
    /// When the next attempt is due, as well: a hint for those who are turned away.
    due: AtomicU64,
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
            due: AtomicU64::new(0),
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

    /// Also on the way of every token, when there are no keys.
    pub(crate) fn unavailable(&self) -> KeysUnavailable {
        let due = Duration::from_nanos(self.due.load(Ordering::Relaxed));
        unavailable_for(due.saturating_sub(self.now()))
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

    /// Takes over a set. The end of its life is published by [`Shared::publish`].
    pub(crate) fn replace(&self, set: KeySet) {
        // The task is the only one that writes, so nothing is lost between the two steps.
        match self.keys.get() {
            Some(keys) => keys.replace(set),
            None => {
                self.keys.get_or_init(|| StaticKeys::new(set));
            }
        }
    }

    /// Publishes what readers need to know of the machine, after an attempt.
    pub(crate) fn publish(&self, machine: &Machine) {
        self.due.store(nanos(machine.due()), Ordering::Relaxed);
        self.expires_at
            .store(nanos(machine.expires_at()), Ordering::Release);
    }

    pub(crate) fn last_error(&self) -> Option<RefreshError> {
        let error = self
            .last_error
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        error.clone()
    }

    pub(crate) fn set_last_error(&self, error: Option<RefreshError>) {
        let before = {
            let mut held = self
                .last_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut *held, error)
        };
        // It may hold a cause of a fetcher's own, whose end is code of others: outside of the lock,
        // and not the end of the task.
        catch_unwind(AssertUnwindSafe(|| drop(before))).ok();
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

/// Nobody is sent away for less than a second, or for as long as a cool-down or a pause can be set.
pub(crate) fn unavailable_for(pause: Duration) -> KeysUnavailable {
    KeysUnavailable {
        retry_after: pause.clamp(Duration::from_secs(1), LONGEST_RETRY_AFTER),
    }
}

/// 584 years fit.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use ringwall_core::clock::{ManualClock, SystemClock, Timestamp};
    use ringwall_core::event::DiscardEvents;

    use super::*;
    use crate::machine::Jitter;

    #[test]
    fn whoever_is_refused_for_want_of_keys_waits_for_no_lock() {
        let shared = Arc::new(Shared::new(
            "https://issuer.example".into(),
            RefreshPolicy::default(),
            Arc::new(SystemClock::new()),
            Arc::new(DiscardEvents),
        ));
        let _held = shared.machine();
        let (sender, receiver) = mpsc::channel();
        let asking = Arc::clone(&shared);
        std::thread::spawn(move || sender.send(asking.keys().map(drop)));
        let answer = receiver.recv_timeout(Duration::from_secs(5));
        assert!(answer.expect("an answer").is_err());
    }
    #[test]
    fn keys_are_in_force_until_the_very_moment_at_which_they_expire() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let shared = Shared::new(
            "https://issuer.example".into(),
            RefreshPolicy::default(),
            Arc::<ManualClock>::clone(&clock),
            Arc::new(DiscardEvents),
        );
        // RFC 8037 appendix A.2.
        let document = br#"{"keys":[{"kty":"OKP","crv":"Ed25519",
            "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        let set = KeySet::builder()
            .document(document)
            .and_then(ringwall_jose::KeySetBuilder::build);
        shared.replace(set.expect("a set"));
        let retry_after =
            |shared: &Shared| shared.keys().map(drop).map_err(|error| error.retry_after);
        assert_eq!(
            retry_after(&shared),
            Err(Duration::from_secs(1)),
            "not published yet"
        );
        shared.machine().begin();
        shared.machine().succeed(Duration::ZERO, None, Jitter(0));
        shared.publish(&shared.machine());
        let life = Duration::from_secs(300 + 3600);
        clock.advance(life.saturating_sub(Duration::from_micros(1)));
        assert_eq!(retry_after(&shared), Ok(()));
        clock.advance(Duration::from_micros(1));
        // The next attempt is long due.
        assert_eq!(retry_after(&shared), Err(Duration::from_secs(1)));
        shared.machine().begin();
        shared.machine().fail(shared.now(), None, Jitter(0));
        shared.machine().begin();
        shared.machine().fail(
            shared.now().saturating_add(Duration::from_secs(1)),
            None,
            Jitter(0),
        );
        shared.publish(&shared.machine());
        assert_eq!(retry_after(&shared), Err(Duration::from_secs(3)));
    }
}
