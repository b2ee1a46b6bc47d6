//! How long an answer stays fresh (RFC 9111).

use core::time::Duration;

use reqwest::header::{AGE, CACHE_CONTROL, HeaderMap};

/// What RFC 9111 §1.2.2 has a recipient take a number for that is too large for it: 2^31 seconds.
const MAX_DELTA_SECONDS: u64 = 1 << 31;

/// The freshness lifetime of a response less the age that it already has; `None` when the server
/// says nothing.
///
/// Zero for `no-store` and `no-cache`, also in its form with field names, and for whatever is
/// invalid or says two different things: RFC 9111 §4.2.1 has such answers taken for stale.
/// `s-maxage` is for shared caches, `Expires` and `Date` presume that both clocks agree, and
/// neither is looked at.
pub(super) fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut found = None;
    for line in headers.get_all(CACHE_CONTROL) {
        let stated = line.to_str().map_or(Some(0), line_max_age);
        found = match (found, stated) {
            (Some(first), Some(second)) if first != second => Some(0),
            (first, second) => first.or(second),
        };
    }
    let seconds = found?.saturating_sub(age(headers));
    Some(Duration::from_secs(seconds))
}

/// A number of seconds as HTTP writes it: digits and nothing else (RFC 9111 §1.2.2).
pub(super) fn delta_seconds(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Digits that do not parse are too many.
    is_number.then(|| {
        text.parse()
            .map_or(MAX_DELTA_SECONDS, |n: u64| n.min(MAX_DELTA_SECONDS))
    })
}

/// What one `Cache-Control` line says, in seconds.
fn line_max_age(line: &str) -> Option<u64> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    // Commas inside a quoted string separate nothing: `private="x, max-age=9"`.
    let directives = line.split(|c: char| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match c {
            '\\' => is_escaped = is_quoted,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        c == ',' && !is_quoted
    });
    let mut found = None;
    for directive in directives {
        let (name, value) = match directive.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim_end())),
            None => (directive.trim(), None),
        };
        let stated = if name.eq_ignore_ascii_case("max-age") {
            value
                .and_then(|value| delta_seconds(unquoted(value)))
                .unwrap_or(0)
        } else if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
            0
        } else {
            continue;
        };
        found = Some(match found {
            Some(other) if other != stated => 0,
            _ => stated,
        });
    }
    // A quote that never closes may have swallowed anything.
    if is_quoted { Some(0) } else { found }
}

/// The content of a quoted string, which RFC 9111 §5.2 has recipients accept.
fn unquoted(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value)
}

/// Seconds since the origin made the answer; what is not a number is ignored, and of a list the
/// first member counts (RFC 9111 §5.1).
fn age(headers: &HeaderMap) -> u64 {
    headers
        .get(AGE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(',').next())
        .and_then(|text| delta_seconds(text.trim()))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn seconds(lines: &[&str], age: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                CACHE_CONTROL,
                HeaderValue::from_bytes(line.as_bytes()).expect(line),
            );
        }
        if let Some(age) = age {
            headers.insert(AGE, HeaderValue::from_str(age).expect(age));
        }
        max_age(&headers).map(|duration| duration.as_secs())
    }

    #[test]
    fn reads_max_age_in_every_form_that_a_recipient_accepts() {
        for (line, expected) in [
            ("max-age=600", 600),
            ("Max-Age=600", 600),
            ("public, max-age=600, must-revalidate", 600),
            ("public,max-age=600,,", 600),
            ("max-age=\"600\"", 600),
            ("max-age=0", 0),
            ("max-age=0600", 600),
            ("s-maxage=5, max-age=600", 600),
            ("x=\"a, b\", max-age=600", 600),
            ("x=\"a\\\", max-age=5, \", max-age=600", 600),
        ] {
            assert_eq!(seconds(&[line], None), Some(expected), "{line}");
        }
    }

    #[test]
    fn silence_is_not_a_lifetime() {
        for lines in [
            &[][..],
            &[""],
            &["public"],
            &["s-maxage=600"],
            &["xmax-age=600", "max-agex=600"],
            &["private=\"max-age=600\""],
            &["private=\"a, max-age=600, b\""],
        ] {
            assert_eq!(seconds(lines, None), None, "{lines:?}");
        }
    }

    #[test]
    fn an_answer_that_must_not_be_kept_is_stale_at_once() {
        for lines in [
            &["no-store"][..],
            &["NO-CACHE"],
            &["no-cache=\"set-cookie\", max-age=600"],
            &["max-age=600, no-store"],
            &["max-age=600", "no-cache"],
            &["no-cache", "max-age=600"],
        ] {
            assert_eq!(seconds(lines, None), Some(0), "{lines:?}");
        }
    }

    #[test]
    fn a_lifetime_that_is_invalid_or_disputed_is_zero() {
        for lines in [
            &["max-age"][..],
            &["max-age="],
            &["max-age=-1"],
            &["max-age=+1"],
            &["max-age=1.5"],
            &["max-age=1e9"],
            &["max-age= 600"],
            &["max-age=600s"],
            &["max-age='600'"],
            &["max-age=\"600"],
            &["max-age=600\""],
            &["max-age=\"\""],
            &["max-age=٦"],
            &["max-age=600, max-age=601"],
            &["max-age=600", "max-age=601"],
            &["max-age=600, max-age=x"],
            &["max-age=600, private=\"x"],
            &["max-age=600", "\u{e4}"],
        ] {
            assert_eq!(seconds(lines, None), Some(0), "{lines:?}");
        }
    }

    #[test]
    fn saying_the_same_twice_is_no_dispute() {
        assert_eq!(
            seconds(&["max-age=600", "public, max-age=600"], None),
            Some(600)
        );
        assert_eq!(seconds(&["max-age=600, max-age=\"600\""], None), Some(600));
    }

    #[test]
    fn a_number_too_large_is_the_largest() {
        for number in [
            "2147483648",
            "4294967296",
            "18446744073709551616",
            &"9".repeat(400),
        ] {
            let line = format!("max-age={number}");
            assert_eq!(seconds(&[&line], None), Some(MAX_DELTA_SECONDS), "{line}");
        }
    }

    #[test]
    fn the_age_of_an_answer_is_taken_off() {
        for (age, expected) in [
            ("0", 600),
            ("1", 599),
            ("600", 0),
            ("601", 0),
            ("99999999999999999999999", 0),
            (" 10 , 20", 590),
            ("-1", 600),
            ("x", 600),
            ("", 600),
        ] {
            assert_eq!(
                seconds(&["max-age=600"], Some(age)),
                Some(expected),
                "{age}"
            );
        }
        assert_eq!(seconds(&[], Some("10")), None);
    }
}
