//! Times as PostgreSQL reads them.

use ringwall_core::clock::Timestamp;

/// The first moment that a `timestamptz` holds, in microseconds: 4714-11-24 BC (Julian day 0).
const FIRST_MICROS: i64 = -210_866_803_200_000_000;

/// A time as PostgreSQL reads it: it has no year 0 and counts those before its first as `BC`. What is earlier than all
/// that it holds is `-infinity`, so that it is compared with every row as in the process.
pub(crate) fn postgres_time(time: Timestamp) -> String {
    if time.unix_micros() < FIRST_MICROS {
        return "-infinity".to_owned();
    }
    let text = time.to_string();
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, &*text),
    };
    let Some((year, rest)) = digits.split_once('-') else {
        return text;
    };
    let Ok(year) = year.parse::<u32>() else {
        return text;
    };
    if year > 0 && !is_negative {
        return text;
    }
    // The year 0 is 1 BC.
    format!("{:04}-{rest} BC", year.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_years_as_postgresql_counts_them() {
        for (micros, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (253_402_300_800_000_000, "10000-01-01T00:00:00.000000Z"),
            (i64::MAX, "294247-01-10T04:00:54.775807Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
            (-62_135_596_800_000_001, "0001-12-31T23:59:59.999999Z BC"),
            (-62_162_121_600_000_000, "0001-02-29T00:00:00.000000Z BC"),
            (-62_167_219_200_000_001, "0002-12-31T23:59:59.999999Z BC"),
            (FIRST_MICROS, "4714-11-24T00:00:00.000000Z BC"),
            (FIRST_MICROS - 1, "-infinity"),
            (i64::MIN, "-infinity"),
        ] {
            let time = Timestamp::from_unix_micros(micros);
            assert_eq!(postgres_time(time), expected, "{micros}");
        }
    }
}
