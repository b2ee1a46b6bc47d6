//! What an answer tells of rate limits.

use core::fmt::Write as _;
use std::sync::Arc;

/// What an answer tells of the limits that its request was held against, for HTTP and gRPC alike.
///
/// The fields are those of the IETF draft `ietf-httpapi-ratelimit-headers` (`RateLimit-Policy`, `RateLimit`), which
/// list every limit, and the older `X-RateLimit-Limit`, `-Remaining` and `-Reset`, which know but one: the
/// tightest. Times are whole seconds from now; no field tells the time of day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitReport {
    /// The limits, in the order of the check.
    pub limits: Vec<ReportedLimit>,
}

/// What an answer tells of one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedLimit {
    /// The limit's name: a word of the operator's, never input.
    pub name: Arc<str>,
    /// How much a client can use at once, at most.
    pub quota: u32,
    /// In how many seconds all of that comes anew.
    pub window: u64,
    /// How much is left.
    pub remaining: u32,
    /// In how many seconds all of it is there again, if nothing more is used.
    pub reset: u64,
    /// Whether it is what refuses the request.
    pub is_violated: bool,
}

impl LimitReport {
    /// The names of the limits that refuse the request.
    pub fn violated(&self) -> impl Iterator<Item = &str> {
        let violated = self.limits.iter().filter(|limit| limit.is_violated);
        violated.map(|limit| &*limit.name)
    }

    /// The limit to tell a client about that reads but one: of those that refuse the one that is full again
    /// the latest, or else the one of which the smallest share is left.
    #[must_use]
    pub fn tightest(&self) -> Option<&ReportedLimit> {
        let refuses = self.limits.iter().filter(|limit| limit.is_violated);
        refuses.max_by_key(|limit| limit.reset).or_else(|| {
            self.limits.iter().min_by(|one, other| {
                // one.remaining / one.quota against other.remaining / other.quota, without fractions.
                let share = u64::from(one.remaining).saturating_mul(u64::from(other.quota));
                let other = u64::from(other.remaining).saturating_mul(u64::from(one.quota));
                share.cmp(&other)
            })
        })
    }

    /// Calls `field` with the name (lower case) and value of each header field. Without limits there is none.
    pub fn headers(&self, mut field: impl FnMut(&'static str, String)) {
        let Some(tightest) = self.tightest() else {
            return;
        };
        let mut room = 0_usize;
        for limit in &self.limits {
            room = room.saturating_add(limit.name.len()).saturating_add(ROOM);
        }
        let mut policy = String::with_capacity(room);
        let mut state = String::with_capacity(room);
        for limit in &self.limits {
            if !policy.is_empty() {
                policy.push_str(", ");
                state.push_str(", ");
            }
            // Writing to a String cannot fail.
            write!(
                policy,
                "\"{}\";q={};w={}",
                Name(&limit.name),
                limit.quota,
                limit.window
            )
            .ok();
            write!(
                state,
                "\"{}\";r={};t={}",
                Name(&limit.name),
                limit.remaining,
                limit.reset
            )
            .ok();
        }
        field("ratelimit-policy", policy);
        field("ratelimit", state);
        field("x-ratelimit-limit", tightest.quota.to_string());
        field("x-ratelimit-remaining", tightest.remaining.to_string());
        field("x-ratelimit-reset", tightest.reset.to_string());
    }

    /// The names of the fields that [`headers`](Self::headers) makes, in lower case.
    pub const FIELDS: [&'static str; 5] = [
        "ratelimit-policy",
        "ratelimit",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ];
}

/// What a limit takes in a field beside its name, with numbers that are not the longest.
const ROOM: usize = 24;

/// A String of structured fields (RFC 9651 §3.3.3): visible ASCII, and nothing that would end it.
struct Name<'a>(&'a str);

impl core::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let is_safe = |c: char| matches!(c, ' '..='~') && c != '"' && c != '\\';
        if self.0.chars().all(is_safe) {
            return f.write_str(self.0);
        }
        for c in self.0.chars() {
            f.write_char(if is_safe(c) { c } else { ' ' })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(
        name: &str,
        quota: u32,
        remaining: u32,
        reset: u64,
        is_violated: bool,
    ) -> ReportedLimit {
        ReportedLimit {
            name: name.into(),
            quota,
            window: 60,
            remaining,
            reset,
            is_violated,
        }
    }

    fn fields(limits: Vec<ReportedLimit>) -> Vec<(&'static str, String)> {
        let mut all = Vec::new();
        LimitReport { limits }.headers(|name, value| all.push((name, value)));
        all
    }

    #[test]
    fn a_limit_is_told_in_the_fields_of_the_draft_and_in_the_older_ones() {
        let all = fields(vec![limit("burst", 100, 50, 30, false)]);
        let expected = [
            ("ratelimit-policy", r#""burst";q=100;w=60"#),
            ("ratelimit", r#""burst";r=50;t=30"#),
            ("x-ratelimit-limit", "100"),
            ("x-ratelimit-remaining", "50"),
            ("x-ratelimit-reset", "30"),
        ];
        assert_eq!(all, expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(
            all.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
            LimitReport::FIELDS
        );
    }

    #[test]
    fn several_limits_are_a_list_and_the_older_fields_tell_the_tightest() {
        let all = fields(vec![
            limit("one", 100, 50, 30, false),
            limit("two", 10, 4, 36, false),
            limit("three", 1000, 600, 24, false),
        ]);
        assert_eq!(
            all[0].1,
            r#""one";q=100;w=60, "two";q=10;w=60, "three";q=1000;w=60"#
        );
        assert_eq!(
            all[1].1,
            r#""one";r=50;t=30, "two";r=4;t=36, "three";r=600;t=24"#
        );
        assert_eq!(
            all[2..]
                .iter()
                .map(|(_, value)| &**value)
                .collect::<Vec<_>>(),
            ["10", "4", "36"]
        );
    }

    #[test]
    fn a_limit_that_refuses_is_tighter_than_any_other_and_the_slowest_of_them_is_told() {
        let report = LimitReport {
            limits: vec![
                limit("empty", 10, 0, 60, false),
                limit("soon", 10, 3, 5, true),
                limit("late", 10, 3, 9, true),
            ],
        };
        assert_eq!(report.tightest().unwrap().name, "late".into());
        assert_eq!(report.violated().collect::<Vec<_>>(), ["soon", "late"]);
    }

    #[test]
    fn a_hostile_name_cannot_leave_its_quotes_or_its_line() {
        let all = fields(vec![limit(
            "a\";q=1, \"b\\\r\nSet-Cookie: x\u{e4}",
            1,
            1,
            1,
            false,
        )]);
        for (_, value) in &all[..2] {
            assert_eq!(value.matches('"').count(), 2, "{value}");
            assert!(value.bytes().all(|b| matches!(b, b' '..=b'~')) && !value.contains('\\'));
        }
    }

    #[test]
    fn without_limits_there_are_no_fields() {
        assert!(fields(Vec::new()).is_empty());
    }
}
