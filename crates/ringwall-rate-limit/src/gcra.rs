//! The decision about one bucket: the generic cell rate algorithm, on values.
//!
//! A bucket is one number, its *theoretical arrival time*: when it will be full again. Now or earlier means
//! full. Each token that is taken moves it an interval further ahead, and it may be ahead of now by what the
//! whole bucket takes to fill, and no more. (ITU-T I.371, Annex A; there it is about cells of ATM.)

use core::num::NonZeroU32;

use crate::quota::Quota;

/// The latest time that is counted: 146 years in nanoseconds, so that adding a whole bucket stays far from
/// the end of 64 bits.
pub(crate) const MAX_NOW: u64 = 1 << 62;

/// How far ahead of a full debt a bucket may be before it is taken for the trace of a clock that went back.
///
/// Threads read their clock and then wait for the processor, so the time they come with may be older
/// than what another wrote. That must not give anything away. But a bucket that is ahead by more than this
/// was written at a time that was taken back, or under a quota that was larger; it is then an empty
/// bucket, and fills from now on. So a clock that goes back locks nobody out for longer than this and
/// the time in which a bucket fills.
pub(crate) const MAX_SKEW: u64 = 1_000_000_000;

/// What one bucket says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It may pass, and this is the bucket after it.
    Take(u64),
    /// Not now: this many nanoseconds from now it may, if nobody else takes anything. And the bucket, where it
    /// has to be set right.
    Wait(u64, Option<u64>),
    /// Never: it costs more than the bucket holds.
    Never,
}

/// How far the bucket is from being full, in nanoseconds of filling: zero to the capacity.
pub(crate) fn debt(full_at: u64, now: u64, quota: &Quota) -> u64 {
    full_at.saturating_sub(now).min(quota.capacity_nanos())
}

/// What the bucket says to a request of this cost. `now` is at most [`MAX_NOW`].
///
/// `longest` is the longest that it can owe under any quota that holds for it, now or a moment ago: where tenants
/// change their quota, more than the capacity of this one. What is owed up to there is no trace of anything, and
/// stays owed: otherwise a tenant could make its bucket owe less by asking for a small one.
#[inline]
pub(crate) fn judge(
    full_at: u64,
    now: u64,
    quota: &Quota,
    longest: impl FnOnce() -> u64,
    cost: NonZeroU32,
) -> Answer {
    let capacity = quota.capacity_nanos();
    // A cost within the burst is within the capacity, which is below 2^59.
    if cost.get() > quota.burst_size() {
        return Answer::Never;
    }
    let need = quota.interval_nanos().saturating_mul(u64::from(cost.get()));
    let ahead = full_at.saturating_sub(now);
    if ahead.saturating_sub(capacity) > MAX_SKEW {
        let longest = longest().max(capacity);
        let is_trace = ahead.saturating_sub(longest) > MAX_SKEW;
        let debt = if is_trace { longest } else { ahead };
        let wait = debt.saturating_add(need).saturating_sub(capacity);
        return Answer::Wait(wait, is_trace.then(|| now.saturating_add(longest)));
    }
    let after = ahead.saturating_add(need);
    if after <= capacity {
        Answer::Take(now.saturating_add(after))
    } else {
        Answer::Wait(after.saturating_sub(capacity), None)
    }
}

/// The bucket after so many tokens were given back: fuller, and never more than full.
pub(crate) fn give_back(full_at: u64, now: u64, quota: &Quota, cost: NonZeroU32) -> u64 {
    let given = quota.interval_nanos().saturating_mul(u64::from(cost.get()));
    // A bucket that is full stays as it is: a slot whose time is past may be taken by another key.
    full_at.saturating_sub(given).max(now.min(full_at))
}
