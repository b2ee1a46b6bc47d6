//! A point in time, and its text.

use core::fmt;
use core::time::Duration;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// A point in time: microseconds since the Unix epoch, leap seconds ignored (POSIX time).
///
/// Microseconds because that is what PostgreSQL keeps: a time that went through a database
/// compares equal to itself. The range is about ± 292,000 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// `None` when the seconds do not fit into the range.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Option<Self> {
        match seconds.checked_mul(MICROS_PER_SECOND) {
            Some(micros) => Some(Self(micros)),
            None => None,
        }
    }

    /// A timestamp of this many microseconds since the epoch.
    #[must_use]
    pub const fn from_unix_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.0
    }

    /// The time `duration` later, or `None` beyond the range.
    #[must_use]
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        self.0.checked_add(micros).map(Self)
    }

    /// The time `duration` earlier, or `None` beyond the range.
    #[must_use]
    pub fn checked_sub(self, duration: Duration) -> Option<Self> {
        let micros = i64::try_from(duration.as_micros()).ok()?;
        self.0.checked_sub(micros).map(Self)
    }

    /// How long after `earlier` this is; zero when it is not after it.
    #[must_use]
    pub fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with microseconds, such as `2026-01-31T08:05:00.000000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.unix_seconds();
        let micros = self.0.rem_euclid(MICROS_PER_SECOND);
        let (days, second_of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil_from_days(days);
        let (hour, minute, second) = (
            second_of_day.div_euclid(3600),
            second_of_day.div_euclid(60) % 60,
            second_of_day % 60,
        );
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

/// The text is no time in the form of RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a time is written as in RFC 3339, such as 2026-01-31T08:05:00Z, with six decimal places at most"
)]
pub struct InvalidTimestamp;

impl core::str::FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339 §5.6: a date, `T`, a time with up to six decimal places of a second, and `Z` or an
    /// offset. Letters are in upper case, days exist, and a leap second (`:60`) is refused, since this
    /// clock has none.
    fn from_str(text: &str) -> Result<Self, InvalidTimestamp> {
        read_rfc_3339(text.as_bytes()).ok_or(InvalidTimestamp)
    }
}

fn read_rfc_3339(text: &[u8]) -> Option<Timestamp> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let shape = b"0000-00-00T00:00:00";
    let is_shaped = |(byte, shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    if !date_time.iter().zip(shape).all(is_shaped) {
        return None;
    }
    let field = |from: usize, to: usize| number(date_time.get(from..to)?);
    let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
    let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_from_civil(year, month, day)?;
    let (micros, zone) = match rest.strip_prefix(b".") {
        None => (0, rest),
        Some(rest) => {
            let places = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let (digits, zone) = rest.split_at_checked(places)?;
            if !(1..=6).contains(&places) {
                return None;
            }
            let scale = 10_i64.checked_pow(6_u32.checked_sub(u32::try_from(places).ok()?)?)?;
            (number(digits)?.checked_mul(scale)?, zone)
        }
    };
    let offset = match zone {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let minutes = hours.checked_mul(60)?.checked_add(minutes)?;
            if *sign == b'+' {
                minutes
            } else {
                minutes.checked_neg()?
            }
        }
        _ => return None,
    };
    let minutes = days
        .checked_mul(1440)?
        .checked_add(hour.checked_mul(60)?)?
        .checked_add(minute)?
        .checked_sub(offset)?;
    let seconds = minutes.checked_mul(60)?.checked_add(second)?;
    let micros = seconds
        .checked_mul(MICROS_PER_SECOND)?
        .checked_add(micros)?;
    Some(Timestamp(micros))
}

/// The number that some digits are.
fn number(digits: &[u8]) -> Option<i64> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// The same of what may be no digits.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().all(u8::is_ascii_digit).then(|| number(text))?
}

/// A date of the proleptic Gregorian calendar to days since the epoch; `None` when there is no such day.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap =
        year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return None,
    };
    if day < 1 || day > length {
        return None;
    }
    // Years from March, so that the leap day is the last of its year.
    let from_march = if month > 2 {
        year
    } else {
        year.checked_sub(1)?
    };
    let era = from_march.div_euclid(400);
    let year_of_era = from_march.rem_euclid(400);
    let month_from_march = month.checked_add(9)?.rem_euclid(12);
    let day_of_year = month_from_march
        .checked_mul(153)?
        .checked_add(2)?
        .div_euclid(5)
        .checked_add(day)?
        .checked_sub(1)?;
    let leap_days = year_of_era
        .div_euclid(4)
        .checked_sub(year_of_era.div_euclid(100))?;
    let day_of_era = year_of_era
        .checked_mul(365)?
        .checked_add(leap_days)?
        .checked_add(day_of_year)?;
    era.checked_mul(146_097)?
        .checked_add(day_of_era)?
        .checked_sub(719_468)
}

/// Days since the epoch to a date of the proleptic Gregorian calendar: years counted from March
/// in eras of 400 years, so that the leap day is the last of its year.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "a Timestamp has at most 1.1e8 days: no product here leaves i64"
)]
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_rfc_3339() {
        let cases = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_800_000_000, "2000-03-01T00:00:00.000000Z"),
            (1_769_846_700_000_001, "2026-01-31T08:05:00.000001Z"),
            (4_107_542_399_000_000, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
        ];
        for (micros, expected) in cases {
            assert_eq!(Timestamp::from_unix_micros(micros).to_string(), expected);
        }
        for extreme in [i64::MIN, i64::MAX] {
            assert!(
                Timestamp::from_unix_micros(extreme)
                    .to_string()
                    .ends_with('Z')
            );
        }
    }

    #[test]
    fn reads_back_what_it_renders() {
        let mut micros = -62_135_596_800_000_000; // the year 1
        while micros < 253_402_300_799_000_000 {
            let at = Timestamp::from_unix_micros(micros);
            assert_eq!(at.to_string().parse(), Ok(at), "{at}");
            micros += 86_399_999_999 * 37;
        }
    }

    #[test]
    fn reads_rfc_3339() {
        // The examples of §5.8 and others.
        for (text, same) in [
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000Z"),
            ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000000Z"),
            (
                "1937-01-01T12:00:27.87+00:20",
                "1937-01-01T11:40:27.870000Z",
            ),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000000Z"),
            ("2026-01-01T00:30:00+01:00", "2025-12-31T23:30:00.000000Z"),
            (
                "1970-01-01T00:00:00.000001-00:00",
                "1970-01-01T00:00:00.000001Z",
            ),
        ] {
            let at: Timestamp = text.parse().expect(text);
            assert_eq!(at.to_string(), same);
        }
        for text in [
            "",
            "2026-01-31",
            "2026-01-31 08:05:00Z",
            "2026-01-31t08:05:00z",
            "2026-01-31T08:05:00",
            "2026-01-31T08:05Z",
            "2026-1-31T08:05:00Z",
            "2026-02-29T00:00:00Z",
            "1900-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-00T00:00:00Z",
            "2026-01-32T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T08:60:00Z",
            "1990-12-31T23:59:60Z",
            "2026-01-31T08:05:00.Z",
            "2026-01-31T08:05:00.1234567Z",
            "2026-01-31T08:05:00+24:00",
            "2026-01-31T08:05:00+01:60",
            "2026-01-31T08:05:00+0100",
            "2026-01-31T08:05:00+1:00",
            "2026-01-31T08:05:00Z ",
            " 2026-01-31T08:05:00Z",
            "+026-01-31T08:05:00Z",
            "2026-01-31T08:05:00+-1:00",
            "２026-01-31T08:05:00Z",
        ] {
            assert_eq!(text.parse::<Timestamp>(), Err(InvalidTimestamp), "{text:?}");
        }
    }

    #[test]
    fn never_wraps_around() {
        let end = Timestamp::from_unix_micros(i64::MAX);
        assert_eq!(end.checked_add(Duration::from_micros(1)), None);
        assert_eq!(end.checked_add(Duration::MAX), None);
        assert_eq!(
            Timestamp::from_unix_micros(i64::MIN).checked_sub(Duration::from_micros(1)),
            None
        );
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), None);
        assert_eq!(Timestamp::UNIX_EPOCH.saturating_since(end), Duration::ZERO);
    }

    #[test]
    fn rounds_seconds_down_before_the_epoch_too() {
        assert_eq!(Timestamp::from_unix_micros(-1).unix_seconds(), -1);
        assert_eq!(Timestamp::from_unix_micros(1_999_999).unix_seconds(), 1);
    }
}
