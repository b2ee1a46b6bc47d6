//! The time as a value, and the two clocks it comes from.
//!
//! Below the adapters, no Ringwall crate reads the time by itself: decisions take it as a value,
//! and whoever calls them holds a [`WallClock`] (for expiry dates that others wrote) and a
//! [`MonotonicClock`] (for intervals of our own). Both can be a [`ManualClock`], so every rule about time has a
//! test that does not sleep.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use core::time::Duration;
use std::time::{Instant, SystemTime};

pub use crate::timestamp::{InvalidTimestamp, Timestamp};

/// The wall clock cannot tell the time. No decision about an expiry can be reached: answer 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the wall clock is not available")]
pub struct ClockUnavailable;

/// The time of day, as others write it into credentials.
///
/// It may jump in either direction. Implementations answer at once and never block.
pub trait WallClock: Send + Sync + fmt::Debug {
    /// The time now.
    ///
    /// # Errors
    ///
    /// [`ClockUnavailable`] when it is not known; callers deny.
    fn now(&self) -> Result<Timestamp, ClockUnavailable>;
}

/// A clock that never goes back, for intervals within this process.
pub trait MonotonicClock: Send + Sync + fmt::Debug {
    /// The time since an arbitrary start, which is the same for the whole life of this clock.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Instant,
}

impl SystemClock {
    /// The machine's clocks; the monotonic one starts at zero here.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the machine's clock is read"
    )]
    pub fn new() -> Self {
        Self {
            start: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl WallClock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the machine's clock is read"
    )]
    fn now(&self) -> Result<Timestamp, ClockUnavailable> {
        // A clock before 1970 is a machine without a battery, not a time to judge expiry by.
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_err(|_| ClockUnavailable)?;
        Timestamp::UNIX_EPOCH
            .checked_add(since)
            .ok_or(ClockUnavailable)
    }
}

impl MonotonicClock for SystemClock {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A monotonic clock that is read on the way of every request: as of the last tick of the system
/// where it keeps such a time (Linux: at most 10 ms ago, for a fifth of the price), and exact
/// elsewhere. For intervals of seconds and more.
#[cfg(feature = "coarse-clock")]
#[derive(Clone, Copy, Debug)]
pub struct CoarseClock {
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    start: Instant,
}

#[cfg(feature = "coarse-clock")]
impl CoarseClock {
    /// The machine's clock.
    #[must_use]
    #[cfg_attr(
        not(any(target_os = "linux", target_os = "android")),
        expect(
            clippy::disallowed_methods,
            reason = "this is the module through which the time is read"
        )
    )]
    pub fn new() -> Self {
        Self {
            #[cfg(not(any(target_os = "linux", target_os = "android")))]
            start: Instant::now(),
        }
    }
}

#[cfg(feature = "coarse-clock")]
impl Default for CoarseClock {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "coarse-clock")]
impl MonotonicClock for CoarseClock {
    /// On Linux since the machine was started.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn elapsed(&self) -> Duration {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A clock that stands until it is moved: for tests, of ours and of yours.
///
/// The wall time and the monotonic time are moved apart from each other, because that is what
/// real machines do: [`ManualClock::advance`] moves both, [`ManualClock::set`] makes the wall
/// clock alone jump, [`ManualClock::fail`] makes it unavailable.
#[derive(Debug)]
pub struct ManualClock {
    wall_micros: AtomicI64,
    monotonic_micros: AtomicI64,
    failed: AtomicBool,
}

impl ManualClock {
    /// Stands at `now`, with zero elapsed.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            wall_micros: AtomicI64::new(now.unix_micros()),
            monotonic_micros: AtomicI64::new(0),
            failed: AtomicBool::new(false),
        }
    }

    /// Lets `duration` pass on both clocks; it saturates at the end of the range.
    pub fn advance(&self, duration: Duration) {
        let micros = i64::try_from(duration.as_micros()).unwrap_or(i64::MAX);
        for clock in [&self.wall_micros, &self.monotonic_micros] {
            // The closure always answers `Some`, so this cannot fail.
            clock
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |now| {
                    Some(now.saturating_add(micros))
                })
                .ok();
        }
    }

    /// Makes the wall clock jump to `now`, in either direction. The monotonic clock stays.
    pub fn set(&self, now: Timestamp) {
        self.wall_micros.store(now.unix_micros(), Ordering::SeqCst);
    }

    /// Makes the wall clock unavailable (`true`) or available again (`false`).
    pub fn fail(&self, failed: bool) {
        self.failed.store(failed, Ordering::SeqCst);
    }
}

impl WallClock for ManualClock {
    fn now(&self) -> Result<Timestamp, ClockUnavailable> {
        if self.failed.load(Ordering::SeqCst) {
            return Err(ClockUnavailable);
        }
        Ok(Timestamp::from_unix_micros(
            self.wall_micros.load(Ordering::SeqCst),
        ))
    }
}

impl MonotonicClock for ManualClock {
    fn elapsed(&self) -> Duration {
        Duration::from_micros(
            u64::try_from(self.monotonic_micros.load(Ordering::SeqCst)).unwrap_or(0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_jumps_backwards_without_moving_the_monotonic_one() {
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        clock.advance(Duration::from_secs(10));
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(WallClock::now(&clock), Ok(Timestamp::UNIX_EPOCH));
        assert_eq!(clock.elapsed(), Duration::from_secs(10));
        clock.fail(true);
        assert_eq!(WallClock::now(&clock), Err(ClockUnavailable));
    }

    #[cfg(feature = "coarse-clock")]
    #[test]
    fn the_coarse_clock_goes_as_the_exact_one_does() {
        let (exact, coarse) = (SystemClock::new(), CoarseClock::new());
        // Each coarse reading between two exact ones, so that a pause in between shows.
        let read = || (exact.elapsed(), coarse.elapsed(), exact.elapsed());
        let tick = Duration::from_millis(20);
        let first = read();
        let mut last = first;
        while last.0 < first.2 + Duration::from_millis(100) {
            let next = read();
            assert!(next.1 >= last.1, "it goes back");
            last = next;
        }
        let passed = last.1 - first.1;
        assert!(passed + tick >= last.0 - first.2, "{first:?} {last:?}");
        assert!(passed <= last.2 - first.0 + tick, "{first:?} {last:?}");
    }

    #[test]
    fn the_system_clock_tells_a_time_after_this_was_written() {
        let now = WallClock::now(&SystemClock::new()).expect("a machine with a clock");
        assert!(now > Timestamp::from_unix_seconds(1_767_225_600).expect("in range"));
    }
}
