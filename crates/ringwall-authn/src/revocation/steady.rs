//! A wall clock that is not believed when it jumps ahead.

use core::time::Duration;

use ringwall_core::clock::Timestamp;

/// For so long a wall clock has to be ahead of where it was before it is believed. A clock that was set
/// right after a long time, or a machine that slept, costs this much patience; one that jumped by mistake is
/// set right sooner.
const SETTLED: Duration = Duration::from_secs(24 * 3600);

/// The time by the wall clock, but never further on than the monotonic clock has gone since the wall clock was
/// last seen to be less far ahead, in the last one to two days.
///
/// What is forgotten because its time is over is gone. Who sets a clock ahead for a moment, or answers for a
/// time server, could otherwise bring revoked tokens back: they are refused as expired while the clock is
/// ahead, and are good again afterwards.
///
/// It knows nothing from before the first look: a clock that is ahead from there on cannot be told from one
/// that is right.
#[derive(Debug, Default)]
pub(super) struct SteadyClock(Option<Looks>);

/// A difference is that of the wall clock to the monotonic one, in microseconds.
#[derive(Debug)]
struct Looks {
    first: Duration,
    /// When the young generation began.
    began: Duration,
    /// The smallest difference in it.
    young: i64,
    /// And in the one before.
    old: i64,
}

impl SteadyClock {
    /// Looks at both clocks, and answers what can be believed.
    pub(super) fn look(&mut self, now: Timestamp, elapsed: Duration) -> Timestamp {
        let passed = micros(elapsed);
        let difference = now.unix_micros().saturating_sub(passed);
        let looks = self.0.get_or_insert(Looks {
            first: elapsed,
            began: elapsed,
            young: difference,
            old: difference,
        });
        if elapsed.saturating_sub(looks.began) >= SETTLED {
            looks.old = looks.young;
            looks.young = difference;
            looks.began = elapsed;
        } else {
            looks.young = looks.young.min(difference);
        }
        let least = looks.young.min(looks.old);
        Timestamp::from_unix_micros(least.saturating_add(passed)).min(now)
    }

    /// For how long it has been looked at.
    pub(super) fn watched(&self, elapsed: Duration) -> Duration {
        let looks = self.0.as_ref();
        looks.map_or(Duration::ZERO, |looks| elapsed.saturating_sub(looks.first))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;

    /// What is believed after each look at the wall clock and the monotonic one, in seconds.
    fn believed(looks: &[(i64, u64)]) -> Vec<i64> {
        let mut clock = SteadyClock::default();
        let look = |(now, elapsed): &(i64, u64)| {
            let now = Timestamp::from_unix_seconds(*now).unwrap();
            let answer = clock.look(now, Duration::from_secs(*elapsed));
            answer.unix_seconds()
        };
        looks.iter().map(look).collect()
    }

    #[test]
    fn a_clock_that_goes_on_is_believed() {
        let looks = [(1000, 5), (1001, 6), (1000 + 90 * HOUR, 5 + 90 * 3600)];
        assert_eq!(believed(&looks), [1000, 1001, 1000 + 90 * HOUR]);
    }

    #[test]
    fn a_jump_ahead_is_not_believed_and_one_back_is() {
        let looks = [(1000, 0), (999_000, 1), (1002, 2), (500, 3), (1004, 4)];
        assert_eq!(believed(&looks), [1000, 1001, 1002, 500, 501]);
    }

    #[test]
    fn a_clock_that_stays_ahead_is_believed_after_one_to_two_days() {
        let ahead = |elapsed: u64| (50_000 + i64::try_from(elapsed).unwrap(), elapsed);
        let looks = [(0, 0), ahead(1), ahead(24 * 3600), ahead(48 * 3600)];
        let answer = believed(&looks);
        assert_eq!(answer, [0, 1, 24 * HOUR, 50_000 + 48 * HOUR]);
    }

    #[test]
    fn a_jump_at_the_turn_of_the_generations_is_not_believed_either() {
        let day = 24 * 3600;
        let far = 400 * 24 * HOUR;
        let looks = [(0, 0), (far, day), (24 * HOUR + 1, day + 1)];
        assert_eq!(believed(&looks), [0, 24 * HOUR, 24 * HOUR + 1]);
        // Nor after a long time without a look.
        let late = [(0, 0), (far, 9 * day), (9 * 24 * HOUR + 1, 9 * day + 1)];
        assert_eq!(believed(&late), [0, 9 * 24 * HOUR, 9 * 24 * HOUR + 1]);
    }

    #[test]
    fn says_for_how_long_it_was_looked_at() {
        let mut clock = SteadyClock::default();
        let seconds = Duration::from_secs;
        assert_eq!(clock.watched(seconds(90)), Duration::ZERO);
        clock.look(Timestamp::UNIX_EPOCH, seconds(100));
        clock.look(Timestamp::UNIX_EPOCH, seconds(120));
        assert_eq!(clock.watched(seconds(130)), seconds(30));
    }

    #[test]
    fn no_number_is_too_large() {
        let mut clock = SteadyClock::default();
        for now in [i64::MIN, i64::MAX, 0] {
            let now = Timestamp::from_unix_micros(now);
            assert!(clock.look(now, Duration::MAX) <= now);
        }
    }
}
