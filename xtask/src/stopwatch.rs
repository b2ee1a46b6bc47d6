//! The time, for reports: this program is no library and has no rule that depends on it.

#![expect(
    clippy::disallowed_methods,
    reason = "reports of this program, no rule about time"
)]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Measures one stretch of work.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Seconds since 1970, 0 on a machine whose clock stands before.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Today in UTC as `YYYY-MM-DD`.
pub(crate) fn today() -> String {
    date_of(unix_seconds())
}

/// The Gregorian date of a Unix time, by counting whole years and months: the numbers are small and
/// the rule is plain to read.
fn date_of(unix_seconds: u64) -> String {
    let mut days = unix_seconds.div_euclid(86_400);
    let mut year = 1970_u64;
    let mut month = 0_usize;
    loop {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let february = if leap { 29 } else { 28 };
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        for length in lengths {
            month = month.saturating_add(1);
            match days.checked_sub(length) {
                Some(rest) => days = rest,
                None => return format!("{year:04}-{month:02}-{:02}", days.saturating_add(1)),
            }
        }
        month = 0;
        year = year.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_follow_the_gregorian_calendar() {
        assert_eq!(date_of(0), "1970-01-01");
        assert_eq!(date_of(951_782_400), "2000-02-29");
        assert_eq!(date_of(1_767_225_599), "2025-12-31");
        assert_eq!(date_of(1_767_225_600), "2026-01-01");
        assert_eq!(date_of(4_107_542_400), "2100-03-01");
    }
}
