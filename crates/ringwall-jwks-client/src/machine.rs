//! When to fetch: the state of one client's keys, with the time as a value and without I/O.
//!
//! ```text
//!            success                 ttl over                 ttl + max_stale over
//!  Empty ───────────────▶ Fresh ───────────────▶ Stale ──────────────────────────▶ Expired
//!    │                     ▲  ▲                    │ success                          │ success
//!    └── failure: pause,   │  └────────────────────┘                                  │
//!        and again         └──────────────────────────────────────────────────────────┘
//! ```

use core::time::Duration;

use crate::policy::RefreshPolicy;

/// A random part of a pause, of 65,536.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Jitter(pub(crate) u16);

impl Jitter {
    /// A part of `whole`, from nothing to nearly all.
    fn of(self, whole: Duration) -> Duration {
        whole
            .checked_div(1 << 16)
            .unwrap_or_default()
            .saturating_mul(u32::from(self.0))
    }
}

/// Points in time are those of a monotonic clock, since its origin.
#[derive(Debug)]
pub(crate) struct Machine {
    policy: RefreshPolicy,
    /// When the next attempt is due on its own.
    due: Duration,
    /// Whether an unknown key id asked for an attempt before that.
    wanted: bool,
    is_running: bool,
    /// The number of attempts that were begun.
    attempts: u64,
    /// The number of attempts that failed since the last success.
    failures: u32,
    stale_at: Option<Duration>,
    /// Whether the last attempt succeeded, so that a key that is not in the set does not exist.
    has_looked: bool,
    /// When an unknown key id may cause an attempt again.
    cool_until: Duration,
    waiting: usize,
}

/// What to do about a key id that is not in the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Wait for the attempt of this number, which is running or about to.
    Wait {
        attempt: u64,
        /// It has to be begun: wake whoever makes attempts.
        wake: bool,
    },
    /// The issuer was asked lately and does not have it.
    Absent,
    /// Nobody can tell: the issuer was asked lately and did not answer, or too many wait already.
    Unknown {
        /// When it is worth asking again.
        retry_after: Duration,
    },
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Attempt,
    Sleep(Duration),
}

impl Machine {
    /// Without keys; the first attempt is due at once.
    pub(crate) const fn new(policy: RefreshPolicy, now: Duration) -> Self {
        Self {
            policy,
            due: now,
            wanted: false,
            is_running: false,
            attempts: 0,
            failures: 0,
            stale_at: None,
            has_looked: false,
            cool_until: now,
            waiting: 0,
        }
    }

    /// What to do now.
    pub(crate) fn next(&self, now: Duration) -> Next {
        if self.wanted || now >= self.due {
            Next::Attempt
        } else {
            Next::Sleep(self.due.saturating_sub(now))
        }
    }

    /// An attempt begins. There is never more than one.
    pub(crate) fn begin(&mut self) {
        self.is_running = true;
        self.wanted = false;
        self.attempts = self.attempts.saturating_add(1);
    }

    /// The attempt brought keys, the same ones or others. `max_age` is what the server says.
    pub(crate) fn succeed(&mut self, now: Duration, max_age: Option<Duration>, jitter: Jitter) {
        let policy = &self.policy;
        let ttl = max_age
            .unwrap_or(policy.ttl)
            .clamp(policy.min_ttl, policy.max_ttl);
        let ahead = policy
            .refresh_ahead
            .min(ttl.checked_div(4).unwrap_or_default());
        // With a bound of its own: one on the sum would have a whole fleet ask at the same moment
        // where the freshness is short.
        let spread = ahead.min(ttl.checked_div(8).unwrap_or_default());
        let lead = ahead.saturating_add(jitter.of(spread));
        self.due = now.saturating_add(ttl).saturating_sub(lead);
        self.stale_at = Some(now.saturating_add(ttl));
        self.failures = 0;
        self.has_looked = true;
        self.is_running = false;
    }

    /// The attempt failed. `retry_after` is what the server asks for.
    pub(crate) fn fail(&mut self, now: Duration, retry_after: Option<Duration>, jitter: Jitter) {
        self.is_running = false;
        self.has_looked = false;
        if now < self.due {
            // It was made for an unknown key id. An attacker must not set the pace at which a
            // failing server is asked.
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let policy = &self.policy;
        let step = if self.failures < policy.attempts {
            let doublings = self.failures.saturating_sub(1).min(31);
            policy
                .backoff
                .saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX))
                .min(policy.max_backoff)
        } else {
            policy.max_backoff
        };
        let pause = step.saturating_sub(jitter.of(step.checked_div(2).unwrap_or_default()));
        let pause = retry_after
            .unwrap_or_default()
            .min(policy.max_backoff)
            .max(pause);
        self.due = now.saturating_add(pause);
    }

    /// Somebody has a token whose key is not in the set. Whoever is told to wait has to call
    /// [`Machine::waited`] once.
    pub(crate) fn missing(&mut self, now: Duration) -> Missing {
        let is_under_way = self.is_running || self.wanted;
        if !is_under_way && now < self.cool_until {
            return if self.has_looked {
                Missing::Absent
            } else {
                let retry_after = self.cool_until.saturating_sub(now);
                Missing::Unknown { retry_after }
            };
        }
        if self.waiting >= self.policy.max_waiting {
            return Missing::Unknown {
                retry_after: self.policy.timeout,
            };
        }
        self.waiting = self.waiting.saturating_add(1);
        if is_under_way {
            let next = u64::from(!self.is_running);
            return Missing::Wait {
                attempt: self.attempts.saturating_add(next),
                wake: false,
            };
        }
        self.wanted = true;
        // From the request on, not from its end: attempts count, whatever becomes of them.
        self.cool_until = now.saturating_add(self.policy.missing_key_cool_down);
        Missing::Wait {
            attempt: self.attempts.saturating_add(1),
            wake: true,
        }
    }

    /// Somebody who waited does not any more.
    pub(crate) fn waited(&mut self) {
        self.waiting = self.waiting.saturating_sub(1);
    }

    /// Whether the last attempt succeeded, so that what is not in the set does not exist.
    pub(crate) const fn has_looked(&self) -> bool {
        self.has_looked
    }

    /// When the keys in use stop to be fresh; `None` before there were any.
    pub(crate) const fn stale_at(&self) -> Option<Duration> {
        self.stale_at
    }

    /// When the keys in use must not be used any more; zero before there were any.
    pub(crate) fn expires_at(&self) -> Duration {
        self.stale_at.map_or(Duration::ZERO, |stale_at| {
            stale_at.saturating_add(self.policy.max_stale)
        })
    }

    /// When the next attempt is due on its own.
    pub(crate) const fn due(&self) -> Duration {
        self.due
    }

    /// The number of attempts begun.
    pub(crate) const fn attempts(&self) -> u64 {
        self.attempts
    }

    /// The number of due attempts that failed since the last success.
    pub(crate) const fn failures(&self) -> u32 {
        self.failures
    }

    /// The number of callers that wait.
    pub(crate) const fn waiting(&self) -> usize {
        self.waiting
    }
}

#[cfg(test)]
mod tests;
