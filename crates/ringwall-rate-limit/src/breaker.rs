//! A store that does not answer is not asked for a while, so that a dead one does not cost each request its
//! time-out.

use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core::sync::atomic::{AtomicBool, Ordering};

/// The state between asking and not asking.
///
/// After so many failures in a row it opens: nobody asks. A pause after that, *one* request asks, as a probe; if it
/// is answered, everybody asks again, and if not, another pause begins. The pause begins with the first request
/// that comes after the failure, so no clock is read here.
#[derive(Debug)]
pub(crate) struct Breaker {
    /// Everybody may ask, and nothing failed since the last answer: the way of a healthy store takes no lock.
    is_calm: AtomicBool,
    state: Mutex<State>,
    failures: u32,
    pause: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everybody asks; so many failures in a row.
    Closed(u32),
    /// Nobody asks, since a request that came at this time, if one has come.
    Open(Option<Duration>),
    /// One request asks.
    Probing,
}

/// The right to ask once. Whoever drops it without telling what came of it (a cancelled request) has told
/// nothing.
#[derive(Debug)]
pub(crate) struct Ticket {
    breaker: Arc<Breaker>,
    is_probe: bool,
}

/// What an answer or its absence changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The store is no longer asked.
    Opened,
    /// It is asked again.
    Closed,
}

impl Breaker {
    pub(crate) fn new(failures: u32, pause: Duration) -> Self {
        Self {
            is_calm: AtomicBool::new(true),
            state: Mutex::new(State::Closed(0)),
            failures,
            pause,
        }
    }

    /// Whether this request may ask.
    pub(crate) fn admit(self: &Arc<Self>, now: Duration) -> Option<Ticket> {
        let ticket = |is_probe| Ticket {
            breaker: Arc::clone(self),
            is_probe,
        };
        if self.is_calm.load(Ordering::Acquire) {
            return Some(ticket(false));
        }
        let mut state = self.lock();
        match *state {
            State::Closed(_) => Some(ticket(false)),
            State::Probing => None,
            State::Open(None) => {
                *state = State::Open(Some(now));
                None
            }
            State::Open(Some(since)) if now.saturating_sub(since) >= self.pause => {
                *state = State::Probing;
                Some(ticket(true))
            }
            // A clock that went back: the pause begins anew, or it might never end.
            State::Open(Some(since)) if since > now => {
                *state = State::Open(Some(now));
                None
            }
            State::Open(Some(_)) => None,
        }
    }

    /// Whether the store is asked by everybody.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_calm.load(Ordering::Acquire) || matches!(*self.lock(), State::Closed(_))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A plain value: after a panic elsewhere it is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// The store answered.
    pub(crate) fn succeeded(mut self) -> Option<Change> {
        self.is_probe = false;
        let breaker = &self.breaker;
        if breaker.is_calm.load(Ordering::Acquire) {
            return None;
        }
        let mut state = breaker.lock();
        let was_closed = matches!(*state, State::Closed(_));
        *state = State::Closed(0);
        breaker.is_calm.store(true, Ordering::Release);
        (!was_closed).then_some(Change::Closed)
    }

    /// The store did not answer.
    pub(crate) fn failed(mut self) -> Option<Change> {
        let was_probe = core::mem::take(&mut self.is_probe);
        let breaker = &self.breaker;
        let mut state = breaker.lock();
        breaker.is_calm.store(false, Ordering::Release);
        match *state {
            State::Closed(before) => {
                let failures = before.saturating_add(1);
                if failures >= breaker.failures {
                    *state = State::Open(None);
                    return Some(Change::Opened);
                }
                *state = State::Closed(failures);
            }
            State::Probing if was_probe => *state = State::Open(None),
            // Asked before it opened, and answered after.
            State::Probing | State::Open(_) => {}
        }
        None
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.is_probe {
            // A probe that was cancelled: the next request asks.
            let mut state = self.breaker.lock();
            if *state == State::Probing {
                *state = State::Open(Some(Duration::ZERO));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(1);

    fn breaker() -> Arc<Breaker> {
        Arc::new(Breaker::new(3, PAUSE))
    }

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn open() -> Arc<Breaker> {
        let breaker = breaker();
        let tickets = (0..3).filter_map(|_| breaker.admit(at(0)));
        let changes: Vec<_> = tickets.map(Ticket::failed).collect();
        assert_eq!(changes, [None, None, Some(Change::Opened)]);
        assert!(!breaker.is_closed());
        breaker
    }

    #[test]
    fn opens_after_so_many_failures_in_a_row_and_not_by_others() {
        let breaker = breaker();
        for _ in 0..10 {
            assert_eq!(breaker.admit(at(0)).unwrap().failed(), None);
            assert_eq!(breaker.admit(at(0)).unwrap().failed(), None);
            assert_eq!(breaker.admit(at(0)).unwrap().succeeded(), None);
        }
        assert!(breaker.is_closed());
        assert!(open().admit(at(0)).is_none());
    }

    #[test]
    fn one_request_asks_after_the_pause_and_the_others_when_it_was_answered() {
        let breaker = open();
        assert!(breaker.admit(at(500)).is_none());
        assert!(breaker.admit(at(1499)).is_none());
        let probe = breaker.admit(at(1500)).unwrap();
        for _ in 0..5 {
            assert!(breaker.admit(at(9000)).is_none());
        }
        assert_eq!(probe.failed(), None);
        assert!(breaker.admit(at(9000)).is_none());
        assert!(breaker.admit(at(9999)).is_none());
        let probe = breaker.admit(at(10_000)).unwrap();
        assert_eq!(probe.succeeded(), Some(Change::Closed));
        assert!(breaker.is_closed());
        let tickets: Vec<_> = (0..5).filter_map(|_| breaker.admit(at(10_000))).collect();
        assert_eq!(tickets.len(), 5);
    }

    #[test]
    fn a_probe_that_is_dropped_makes_way_for_another() {
        let breaker = open();
        assert!(breaker.admit(at(5000)).is_none());
        drop(breaker.admit(at(6000)).unwrap());
        let probe = breaker.admit(at(6001)).unwrap();
        assert!(breaker.admit(at(6001)).is_none());
        assert_eq!(probe.succeeded(), Some(Change::Closed));
        // And one that was dropped without being a probe changes nothing.
        drop(breaker.admit(at(6001)).unwrap());
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_clock_that_goes_back_does_not_keep_it_open_for_ever() {
        let breaker = open();
        assert!(breaker.admit(Duration::from_secs(1 << 40)).is_none());
        assert!(breaker.admit(at(0)).is_none());
        assert!(breaker.admit(at(999)).is_none());
        assert!(breaker.admit(at(1000)).is_some());
    }

    #[test]
    fn late_failures_of_those_who_asked_before_do_not_end_a_probe() {
        let breaker = breaker();
        let late: Vec<_> = (0..4).map(|_| breaker.admit(at(0)).unwrap()).collect();
        let mut late = late.into_iter();
        for _ in 0..3 {
            let _opened = late.next().unwrap().failed();
        }
        assert!(breaker.admit(at(0)).is_none());
        let probe = breaker.admit(at(1000)).unwrap();
        assert_eq!(late.next().unwrap().failed(), None);
        assert!(breaker.admit(at(2000)).is_none(), "the probe is under way");
        assert_eq!(probe.succeeded(), Some(Change::Closed));
    }
}
