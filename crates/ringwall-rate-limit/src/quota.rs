//! How much is allowed: so many tokens a period, and how many at once.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// So many tokens a period, and as many at once as the burst says.
///
/// A bucket holds `burst` tokens and is full at the start. It fills by one token each *interval*, which is the
/// period divided by the count, and a request takes its cost out of it, or is denied and takes nothing.
///
/// All of it is integers: the interval is a whole number of nanoseconds, rounded up, so that never more is
/// allowed than was said. 20 a second, 100 a minute and 5 a minute are exact; 7 a second comes to 142,857,143 ns,
/// which is too strict by one token in thirteen years. A quota whose rounding would cost more than a
/// thousandth of it is refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    count: u32,
    burst: u32,
    /// Nanoseconds in which `count` tokens come.
    period: u64,
    /// Nanoseconds per token.
    interval: u64,
}

impl Quota {
    /// The longest period: 366 days.
    pub const MAX_PERIOD: Duration = Duration::from_secs(366 * 86_400);

    /// The longest time in which an empty bucket may fill: ten years. Beyond it "a limit" is a number that
    /// nobody meant.
    pub const MAX_FILL_TIME: Duration = Duration::from_secs(10 * 366 * 86_400);

    /// `count` tokens each `period`, all of them at once if need be: the burst is the count.
    ///
    /// # Errors
    ///
    /// [`QuotaError`], when a number is zero, the period too long, or the rate too high to be counted in whole
    /// nanoseconds.
    pub const fn new(count: u32, period: Duration) -> Result<Self, QuotaError> {
        Self::with(count, period, count)
    }

    /// `count` tokens a second, all of them at once if need be.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub const fn per_second(count: u32) -> Result<Self, QuotaError> {
        Self::new(count, Duration::from_secs(1))
    }

    /// `count` tokens a minute, all of them at once if need be.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub const fn per_minute(count: u32) -> Result<Self, QuotaError> {
        Self::new(count, Duration::from_secs(60))
    }

    /// `count` tokens an hour, all of them at once if need be.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub const fn per_hour(count: u32) -> Result<Self, QuotaError> {
        Self::new(count, Duration::from_secs(3600))
    }

    /// The same rate, with `burst` tokens at once at most: less or more than the count.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and when an empty bucket would take more than
    /// [`MAX_FILL_TIME`](Self::MAX_FILL_TIME) to fill.
    pub const fn burst(self, burst: u32) -> Result<Self, QuotaError> {
        Self::with(self.count, Duration::from_nanos(self.period), burst)
    }

    const fn with(count: u32, period: Duration, burst: u32) -> Result<Self, QuotaError> {
        if count == 0 {
            return Err(QuotaError::NoCount);
        }
        if burst == 0 {
            return Err(QuotaError::NoBurst);
        }
        if period.is_zero() {
            return Err(QuotaError::NoPeriod);
        }
        if period.as_nanos() > Self::MAX_PERIOD.as_nanos() {
            return Err(QuotaError::PeriodTooLong);
        }
        // At most 366 days in nanoseconds (3.2e16): it fits.
        let Some(period_nanos) = nanos(period) else {
            return Err(QuotaError::PeriodTooLong);
        };
        if count as u64 > period_nanos {
            return Err(QuotaError::TooFast);
        }
        let interval = period_nanos.div_ceil(count as u64);
        // What the rounding adds to a whole period: less than `count`, and at most a thousandth.
        let Some(rounded) = interval.checked_mul(count as u64) else {
            return Err(QuotaError::TooFast);
        };
        if rounded.saturating_sub(period_nanos) > period_nanos / 1000 {
            return Err(QuotaError::TooFast);
        }
        let Some(capacity) = interval.checked_mul(burst as u64) else {
            return Err(QuotaError::FillTooLong);
        };
        if capacity as u128 > Self::MAX_FILL_TIME.as_nanos() {
            return Err(QuotaError::FillTooLong);
        }
        Ok(Self {
            count,
            burst,
            period: period_nanos,
            interval,
        })
    }

    /// How many tokens there are in each period.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// The period in which [`count`](Self::count) tokens come.
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// How many tokens a full bucket holds: the most that can be taken at once.
    #[must_use]
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    /// The time in which one token comes.
    #[must_use]
    pub const fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// The time in which an empty bucket fills.
    #[must_use]
    pub const fn fill_time(&self) -> Duration {
        Duration::from_nanos(self.capacity_nanos())
    }

    /// The stricter of both in each respect: the slower rate, and the smaller burst. What a tenant asks for
    /// itself is held under the operator's ceiling with it.
    #[must_use]
    pub fn at_most(self, ceiling: Self) -> Self {
        let slower = if self.interval >= ceiling.interval {
            self
        } else {
            ceiling
        };
        let burst = self.burst.min(ceiling.burst);
        // A smaller burst of a quota that exists is one that exists; the stricter of the two is the answer
        // that is never wrong.
        slower.burst(burst).unwrap_or(ceiling)
    }

    /// Whether a tenant may have this quota under `ceiling`: it is no faster, holds no more, and takes no longer to
    /// fill.
    #[must_use]
    pub fn is_under(self, ceiling: Self) -> bool {
        self.at_most(ceiling)
            .filled_within(ceiling.capacity_nanos())
            == self
    }

    /// The same rate, with a burst that fills within `longest`: a token at least.
    pub(crate) fn filled_within(self, longest: u64) -> Self {
        // An interval is up to a nanosecond longer than it was said to be.
        let longest = longest.saturating_add(self.burst.into());
        let most = longest.checked_div(self.interval).unwrap_or(1).max(1);
        let burst = u32::try_from(most).unwrap_or(u32::MAX).min(self.burst);
        // A smaller burst of a quota that exists is one that exists.
        self.burst(burst).unwrap_or(self)
    }

    pub(crate) const fn to_words(self) -> [u64; 3] {
        let numbers = ((self.burst as u64) << 32) | self.count as u64;
        [numbers, self.period, self.interval]
    }

    /// What [`to_words`](Self::to_words) gave.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the halves of a word, each of which is kept"
    )]
    pub(crate) const fn from_words([numbers, period, interval]: [u64; 3]) -> Self {
        Self {
            count: numbers as u32,
            burst: (numbers >> 32) as u32,
            period,
            interval,
        }
    }

    /// One node's share of the quota, of so many nodes: the rate divided, and the burst too, down to one token
    /// at least. So `nodes` of them together never have a higher rate, and no larger burst than this one or one
    /// token each, whichever is more.
    ///
    /// # Errors
    ///
    /// [`QuotaError`], when the share would be too slow to be counted.
    pub fn divided(self, nodes: NonZeroU32) -> Result<Self, QuotaError> {
        let burst = self.burst.checked_div(nodes.get()).unwrap_or(0).max(1);
        // The rate is divided by stretching the period, which loses nothing, unless it becomes too long.
        let stretched = self.period().checked_mul(nodes.get());
        if let Some(period) = stretched.filter(|period| *period <= Self::MAX_PERIOD) {
            return Self::with(self.count, period, burst);
        }
        let count = self.count.checked_div(nodes.get()).unwrap_or(0);
        if count == 0 {
            return Err(QuotaError::PeriodTooLong);
        }
        Self::with(count, self.period(), burst)
    }

    pub(crate) const fn interval_nanos(&self) -> u64 {
        self.interval
    }

    /// The time in which an empty bucket fills, which is at most ten years (3.2e17).
    pub(crate) const fn capacity_nanos(&self) -> u64 {
        self.interval.saturating_mul(self.burst as u64)
    }
}

/// Whole nanoseconds, when they fit.
pub(crate) const fn nanos(duration: Duration) -> Option<u64> {
    match duration.as_secs().checked_mul(NANOS_PER_SECOND) {
        Some(nanos) => nanos.checked_add(duration.subsec_nanos() as u64),
        None => None,
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Quota({} per {:?}, burst {})",
            self.count,
            self.period(),
            self.burst
        )
    }
}

/// Why a quota cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuotaError {
    /// Nothing would ever be allowed.
    #[error("a quota allows at least one token a period; to close a route, do not serve it")]
    NoCount,
    /// Nothing could ever be taken.
    #[error("a burst is at least one token")]
    NoBurst,
    /// There is no rate over no time.
    #[error("a period is longer than nothing")]
    NoPeriod,
    /// See [`Quota::MAX_PERIOD`].
    #[error("a period is at most 366 days")]
    PeriodTooLong,
    /// More than can be counted in whole nanoseconds to a thousandth: more than about a million a second, unless
    /// it divides the period.
    #[error("the rate is too high to be counted to a thousandth in whole nanoseconds per token")]
    TooFast,
    /// See [`Quota::MAX_FILL_TIME`].
    #[error("an empty bucket would take more than ten years to fill")]
    FillTooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_a_burst_or_a_period_of_zero_is_refused() {
        assert_eq!(Quota::per_second(0), Err(QuotaError::NoCount));
        assert_eq!(Quota::new(1, Duration::ZERO), Err(QuotaError::NoPeriod));
        let quota = Quota::per_second(1).unwrap();
        assert_eq!(quota.burst(0), Err(QuotaError::NoBurst));
    }

    #[test]
    fn what_cannot_be_counted_is_refused_when_the_quota_is_made() {
        assert_eq!(Quota::per_second(1_000_000_001), Err(QuotaError::TooFast));
        assert_eq!(Quota::per_second(u32::MAX), Err(QuotaError::TooFast));
        assert_eq!(
            Quota::new(2, Duration::from_nanos(1)),
            Err(QuotaError::TooFast)
        );
        // 3 ns instead of 2.5.
        assert_eq!(Quota::per_second(400_000_000), Err(QuotaError::TooFast));
        assert!(Quota::per_second(1_000_000_000).is_ok());
        assert!(Quota::per_second(500_000_000).is_ok());
        assert!(Quota::per_second(999_983).is_ok());
        let year = Quota::MAX_PERIOD;
        assert!(Quota::new(1, year).is_ok());
        assert_eq!(
            Quota::new(1, year + Duration::from_nanos(1)),
            Err(QuotaError::PeriodTooLong)
        );
        assert_eq!(Quota::new(1, Duration::MAX), Err(QuotaError::PeriodTooLong));
        // The period times the burst leaves 64 bits here: governor multiplied them unchecked.
        let slow = Quota::new(1, year).unwrap();
        assert_eq!(slow.burst(u32::MAX), Err(QuotaError::FillTooLong));
        assert_eq!(slow.burst(11), Err(QuotaError::FillTooLong));
        assert!(slow.burst(10).is_ok());
    }

    #[test]
    fn an_interval_is_rounded_so_that_never_more_is_allowed() {
        let quota = Quota::per_second(7).unwrap();
        assert_eq!(quota.interval(), Duration::from_nanos(142_857_143));
        assert_eq!(
            Quota::per_minute(100).unwrap().interval(),
            Duration::from_millis(600)
        );
        assert_eq!(
            Quota::per_hour(3600).unwrap().interval(),
            Duration::from_secs(1)
        );
        let quota = Quota::per_second(20).unwrap().burst(40).unwrap();
        assert_eq!(quota.fill_time(), Duration::from_secs(2));
    }

    #[test]
    fn the_shares_of_all_nodes_are_never_more_than_the_whole() {
        let nodes = |nodes| NonZeroU32::new(nodes).unwrap();
        let hour = Quota::per_hour(100).unwrap().burst(20).unwrap();
        let share = hour.divided(nodes(8)).unwrap();
        assert_eq!(share.interval(), hour.interval() * 8);
        assert_eq!(share.burst_size(), 2);
        assert_eq!(hour.divided(nodes(1)), Ok(hour));
        // A node without a token would be a node that serves nobody.
        let share = hour.divided(nodes(50)).unwrap();
        assert_eq!(
            (share.burst_size(), share.interval()),
            (1, hour.interval() * 50)
        );
        // A period that cannot be stretched: the count is divided, and rounded down.
        let year = Quota::new(100, Quota::MAX_PERIOD).unwrap();
        let share = year.divided(nodes(8)).unwrap();
        assert_eq!((share.count(), share.burst_size()), (12, 12));
        assert_eq!(year.divided(nodes(101)), Err(QuotaError::PeriodTooLong));
    }

    #[test]
    fn the_stricter_of_two_is_stricter_in_both_respects() {
        let asked = Quota::per_second(50).unwrap().burst(10).unwrap();
        let ceiling = Quota::per_minute(600).unwrap().burst(100).unwrap();
        let both = asked.at_most(ceiling);
        assert_eq!(both, ceiling.burst(10).unwrap());
        assert_eq!(ceiling.at_most(asked), both);
    }
}
