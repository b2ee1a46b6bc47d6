//! Quotas in whole microseconds, which is what the server's clock counts.

use core::num::NonZeroU32;
use core::time::Duration;

use ringwall_rate_limit::Quota;

/// Scripts count in floating-point numbers, which are exact up to here.
pub(super) const EXACT: u64 = 1 << 53;

/// The latest time of a server that is reckoned with: the year 2243, in microseconds.
const LATEST: u128 = 8_640_000_000_000_000;

/// A bucket fills within ten years, and rounding an interval up adds a microsecond for each token of the burst
/// at most. So no sum that a script makes is rounded.
const _: () = assert!(
    LATEST + Quota::MAX_FILL_TIME.as_micros() + (u32::MAX as u128) < EXACT as u128,
    "times of buckets are exact in a script"
);

/// A quota as the scripts count it: intervals are whole microseconds, rounded up, so that never more is
/// allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Micros {
    /// Microseconds per token.
    pub(super) interval: u64,
    /// Microseconds in which an empty bucket fills.
    pub(super) capacity: u64,
    /// Nanoseconds per token, as the quota has it.
    nanos: u64,
}

impl Micros {
    pub(super) fn of(quota: &Quota) -> Self {
        let interval = whole(quota.interval());
        Self {
            interval,
            capacity: interval.saturating_mul(u64::from(quota.burst_size())),
            nanos: u64::try_from(quota.interval().as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// What a cost comes to; more than the capacity where it is beyond the burst.
    pub(super) fn need(&self, cost: NonZeroU32) -> u64 {
        let need = self.interval.saturating_mul(u64::from(cost.get()));
        need.min(self.capacity.saturating_add(1))
    }

    /// What so many tokens of a bucket are in microseconds.
    pub(super) fn tokens(&self, tokens: u32) -> u64 {
        self.interval.saturating_mul(u64::from(tokens))
    }

    /// A time until a bucket is full, by the quota's own interval. So many tokens are so many tokens again, and
    /// what is between is rounded up: never is more said to be left than there is.
    pub(super) fn debt(&self, micros: u64) -> Duration {
        let wide = u128::from(micros).saturating_mul(u128::from(self.nanos));
        let nanos = wide.div_ceil(u128::from(self.interval.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// Whether rounding its interval to whole microseconds costs a quota more than a thousandth of its rate.
pub(super) fn loses_too_much(quota: &Quota) -> bool {
    let period = quota.period().as_nanos();
    let rounded = u128::from(whole(quota.interval()))
        .saturating_mul(1000)
        .saturating_mul(u128::from(quota.count()));
    rounded.saturating_sub(period) > period / 1000
}

/// Whole microseconds, rounded up.
pub(super) fn whole(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(count: u32, period: Duration) -> Quota {
        Quota::new(count, period).expect("a quota")
    }

    #[test]
    fn an_interval_is_rounded_up_and_never_down() {
        let seven = quota(7, Duration::from_secs(1));
        assert_eq!(Micros::of(&seven).interval, 142_858);
        assert_eq!(Micros::of(&seven).capacity, 7 * 142_858);
        let twenty = quota(20, Duration::from_secs(1));
        assert_eq!(Micros::of(&twenty).interval, 50_000);
        assert_eq!(Micros::of(&quota(1, Duration::from_nanos(1))).interval, 1);
    }

    #[test]
    fn a_quota_that_loses_more_than_a_thousandth_is_told() {
        let second = Duration::from_secs(1);
        for count in [1, 7, 20, 1000, 7000, 10_000, 250_000, 500_000, 1_000_000] {
            assert!(!loses_too_much(&quota(count, second)), "{count}");
        }
        for count in [300_000, 999_983, 2_000_000, 1_000_000_000] {
            assert!(loses_too_much(&quota(count, second)), "{count}");
        }
    }

    #[test]
    fn the_largest_quota_stays_exact() {
        let year = quota(1, Quota::MAX_PERIOD).burst(10).expect("a quota");
        let many = quota(1_000_000_000, Duration::from_secs(1));
        let many = many.burst(u32::MAX).expect("a quota");
        for quota in [year, many] {
            let micros = Micros::of(&quota);
            // When a bucket is full at the latest, and a debt with what a cost needs on top.
            let second = 1_000_000;
            let capacity = u128::from(micros.capacity);
            assert!(LATEST + capacity + second < u128::from(EXACT), "{quota:?}");
            assert!(capacity * 2 + second + 1 < u128::from(EXACT), "{quota:?}");
        }
        // A cost beyond the burst is one more than there ever is.
        let beyond = Micros::of(&year);
        assert_eq!(beyond.need(NonZeroU32::MAX), beyond.capacity + 1);
        assert_eq!(
            Micros::of(&many).need(NonZeroU32::MAX),
            Micros::of(&many).capacity
        );
        assert_eq!(
            Micros::of(&year).need(NonZeroU32::MIN),
            366 * 86_400 * 1_000_000
        );
    }

    #[test]
    fn whole_tokens_stay_whole_tokens() {
        for count in [1, 3, 7, 11, 13, 999] {
            let quota = quota(count, Duration::from_secs(1));
            let micros = Micros::of(&quota);
            for tokens in 0..=count {
                let debt = micros.debt(micros.tokens(tokens));
                assert_eq!(debt, quota.interval() * tokens, "{tokens} of {count}");
            }
            // A microsecond of filling is not a token more.
            let almost = micros.debt(micros.tokens(1) - 1);
            assert!(almost > Duration::ZERO && almost <= quota.interval());
        }
    }
}
