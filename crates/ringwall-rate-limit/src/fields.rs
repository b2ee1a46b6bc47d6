//! What an answer tells of a decision.

use core::time::Duration;

use ringwall_core::limits::{LimitReport, ReportedLimit};

use crate::decision::{Decision, LimitState, LimitStatus, MAX_DIMENSIONS, Verdict};
use crate::policies::{Policies, PolicyId};
use crate::quota::Quota;

/// How much is added to the time after which refused clients are told to come back, so that those who were refused
/// together do not come back together. It only ever adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter {
    percent: u8,
}

impl Jitter {
    /// Up to a tenth: the default.
    pub const TENTH: Self = Self { percent: 10 };

    /// Nothing.
    pub const NONE: Self = Self { percent: 0 };

    /// Up to so many percent: 100 at most, `None` above.
    #[must_use]
    pub const fn percent(percent: u8) -> Option<Self> {
        if percent <= 100 {
            Some(Self { percent })
        } else {
            None
        }
    }

    /// `wait`, and what `seed` says of the share: the same seed always adds the same.
    fn add(self, wait: Duration, seed: u64) -> Duration {
        let most = wait.as_nanos().saturating_mul(u128::from(self.percent)) / 100;
        let extra = most.saturating_mul(u128::from(mixed(seed) >> 32)) >> 32;
        // At most as much as the wait itself, which fits.
        wait.saturating_add(Duration::from_nanos(u64::try_from(extra).unwrap_or(0)))
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::TENTH
    }
}

/// The finaliser of SplitMix64: each bit of the seed changes half of the others.
const fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Decision {
    /// When a refused client is told to come back: when every limit that denies is full again, and at least when
    /// it would allow the request, which is earlier; and the jitter. `None` when the request is allowed, and when
    /// waiting is of no use.
    ///
    /// A client that came back as soon as one token is there would be refused again with its second request.
    /// `now` is the time of the check; with the key it says how much is added.
    #[must_use]
    pub fn told_retry_after(&self, now: Duration, jitter: Jitter) -> Option<Duration> {
        match self.verdict() {
            Verdict::Allowed | Verdict::NeverAllowed => None,
            Verdict::Denied { retry_after } => {
                let full = self.violated().map(LimitStatus::reset_after).max();
                let wait = full.unwrap_or_default().max(retry_after);
                let seed = self
                    .violated()
                    .fold(now.subsec_nanos().into(), |seed, status| {
                        let bits = status.dimension().key().to_bits();
                        let [low, high] =
                            [bits, bits >> 64].map(|half| half & u128::from(u64::MAX));
                        mixed(seed ^ u64::try_from(low ^ high).unwrap_or(0))
                    });
                Some(jitter.add(wait, seed ^ now.as_secs()))
            }
        }
    }
}

/// What an answer tells of all the limits that a request was checked against, in one stage or in several: at most
/// six. It is small, and making it allocates nothing.
#[derive(Clone, Copy, Debug)]
pub struct Tally {
    entries: [Option<Entry>; MAX_DIMENSIONS],
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    policy: PolicyId,
    quota: u32,
    window: u32,
    remaining: u32,
    reset: u32,
    is_violated: bool,
}

impl Tally {
    /// Nothing was checked.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            entries: [None; MAX_DIMENSIONS],
        }
    }

    /// Notes what each limit said, but for `hidden`. A limit that is tried out is not told, and neither is what
    /// does not fit.
    pub fn note(&mut self, decision: &Decision, hidden: Option<PolicyId>) {
        let told = decision
            .statuses()
            .filter(|status| !status.is_shadow() && Some(status.policy()) != hidden);
        let mut places = self.entries.iter_mut().filter(|entry| entry.is_none());
        for status in told {
            let Some(place) = places.next() else { return };
            *place = Some(Entry::of(status));
        }
    }

    /// Whether nothing was noted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self.entries, [None, ..])
    }

    /// What the answer tells, with the names of the limits.
    #[must_use]
    pub fn report(&self, policies: &Policies) -> LimitReport {
        let limits = self.entries.iter().flatten().map(|entry| ReportedLimit {
            name: policies
                .shared_name(entry.policy)
                .cloned()
                .unwrap_or_default(),
            quota: entry.quota,
            window: entry.window.into(),
            remaining: entry.remaining,
            reset: entry.reset.into(),
            is_violated: entry.is_violated,
        });
        LimitReport {
            limits: limits.collect(),
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    fn of(status: &LimitStatus) -> Self {
        let quota = status.quota();
        let is_violated = status.state() != LimitState::Within;
        // Of the bucket that keys without a place share nothing is told but that it is empty.
        let is_empty = is_violated && status.is_shared();
        Self {
            policy: status.policy(),
            quota: status.limit(),
            window: seconds(status.quota().fill_time(), &quota),
            remaining: if is_empty { 0 } else { status.remaining() },
            reset: seconds(status.reset_after().max(status.retry_after()), &quota),
            is_violated,
        }
    }
}

/// Whole seconds, rounded up. A bucket fills in ten years at most, which fits.
///
/// Each token of a quota takes up to a nanosecond more than it says, so that never more is allowed: nine a minute
/// take 60.000000003 seconds, of which nobody wants to hear 61.
fn seconds(time: Duration, quota: &Quota) -> u32 {
    let time = time.saturating_sub(Duration::from_nanos(quota.burst_size().into()));
    let up = u64::from(time.subsec_nanos() > 0);
    u32::try_from(time.as_secs().saturating_add(up)).unwrap_or(u32::MAX)
}
