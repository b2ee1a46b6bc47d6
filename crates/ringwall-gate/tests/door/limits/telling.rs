//! What callers and operators hear of limits.

use core::time::Duration;

use ringwall_core::audit::AuditOutcome;
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_gate::rate_limit::{Jitter, KeyPart, LimitRule, LimitRules};
use ringwall_gate::{Access, Admitted, Entry, RateLimits, problem};

use super::{Asked, Site, Verifies, asked, minute, one};

fn fields(denial: &Denial) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    denial.headers(|name, value| all.push((name, value)));
    all
}

fn told(admitted: &Admitted, answer: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let answer = answer.to_vec();
    if let Some(fields) = admitted.limit_fields() {
        fields.headers(&answer, |name, value| all.push((name, value)));
    }
    all
}

fn admitted(entry: Entry) -> Admitted {
    entry.expect("admitted").0
}

fn site(change: impl FnOnce(RateLimits) -> RateLimits) -> Site {
    let rules = LimitRules::builder()
        .limit(LimitRule::new("address", minute(60), [KeyPart::Address]))
        .limit(LimitRule::new("user", minute(3), [KeyPart::User]))
        .tier("default", ["address", "user"])
        .failed_credentials(LimitRule::new("failed", minute(9), [KeyPart::Address]));
    Site::with(rules, Verifies::default(), change)
}

fn request() -> Asked<'static> {
    asked(Access::Authenticated).by("good-ada")
}

#[test]
fn an_answer_tells_the_limits_of_both_stages_and_not_that_of_guesses() {
    let site = site(|limits| limits);
    let told = told(&admitted(request().entry(site.gate())), &[]);
    let expected = [
        (
            "ratelimit-policy",
            r#""address";q=60;w=60, "user";q=3;w=60"#,
        ),
        ("ratelimit", r#""address";r=59;t=1, "user";r=2;t=20"#),
        ("x-ratelimit-limit", "3"),
        ("x-ratelimit-remaining", "2"),
        ("x-ratelimit-reset", "20"),
    ];
    assert_eq!(told, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn an_answer_that_tells_of_limits_itself_stays_as_it_is() {
    let site = site(|limits| limits);
    let admitted = admitted(request().entry(site.gate()));
    assert!(told(&admitted, &[("RateLimit", "\"own\";r=1;t=1")]).is_empty());
    assert_eq!(told(&admitted, &[("content-type", "text/plain")]).len(), 5);
}

#[test]
fn only_refusals_tell_it_where_that_was_said() {
    let site = site(|limits| limits.tell_refused_alone());
    for _ in 0..3 {
        let admitted = admitted(request().entry(site.gate()));
        assert!(admitted.limit_fields().is_none());
    }
    let denial = request().entry(site.gate()).expect_err("refused");
    assert!(fields(&denial).iter().any(|(name, _)| *name == "ratelimit"));
}

#[test]
fn a_refusal_tells_by_which_limit_and_when_to_come_back() {
    let site = site(|limits| limits.jitter(Jitter::NONE));
    assert_eq!(site.statuses(&request(), 3), [200; 3]);
    let denial = request().entry(site.gate()).expect_err("refused");
    let expected = [
        ("retry-after", "60"),
        (
            "ratelimit-policy",
            r#""address";q=60;w=60, "user";q=3;w=60"#,
        ),
        ("ratelimit", r#""address";r=56;t=4, "user";r=0;t=60"#),
        ("x-ratelimit-limit", "3"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "60"),
    ];
    assert_eq!(
        fields(&denial),
        expected.map(|(name, value)| (name, value.to_owned()))
    );
    assert_eq!(
        problem::document(&denial),
        r#"{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Too Many Requests","status":429,"violated-policies":["user"]}"#
    );
    let record = site.bench.audit.snapshot().pop().expect("a record");
    assert_eq!(
        record.outcome,
        Some(AuditOutcome::Denied {
            status: 429,
            cause: "a rate limit is used up",
        })
    );
    assert!(record.intent.principal.is_some());
}

#[test]
fn the_time_to_come_back_only_ever_grows_and_not_by_more_than_a_tenth() {
    let site = site(|limits| limits);
    assert_eq!(site.statuses(&request(), 3), [200; 3]);
    let mut extras = Vec::new();
    for n in 0..40 {
        let denial = request().entry(site.gate()).expect_err("refused");
        let Denial::RateLimited {
            retry_after: Some(wait),
            ..
        } = denial
        else {
            panic!("{denial:?}");
        };
        let least = Duration::from_millis(60_000 - n);
        assert!(
            (least..=least + least / 10).contains(&wait),
            "{n}: {wait:?}"
        );
        extras.push(wait.saturating_sub(least));
        site.clock.advance(Duration::from_millis(1));
    }
    extras.sort_unstable();
    extras.dedup();
    assert!(extras.len() > 30, "a herd comes back together: {extras:?}");
}

#[test]
fn each_limit_that_refuses_is_an_event_about_itself() {
    let site = site(|limits| limits);
    assert_eq!(site.statuses(&request(), 5)[3..], [429, 429]);
    let events = site.bench.events.snapshot();
    let refused: Vec<_> = events
        .iter()
        .filter(|event| event.kind == EventKind::RateLimited)
        .collect();
    assert_eq!(refused.len(), 2);
    for event in refused {
        assert_eq!(event.about.as_deref(), Some("user"));
        assert_eq!(event.source, Some([192, 0, 2, 1].into()));
        assert_eq!(
            event.principal.as_ref().map(|one| one.subject.as_str()),
            Some("ada")
        );
    }
}

#[test]
fn the_way_to_a_limit_is_told_once_before_anybody_is_refused() {
    let site = Site::new(one(10, [KeyPart::Address]));
    let request = asked(Access::Public);
    assert_eq!(site.statuses(&request, 7), [200; 7]);
    assert_eq!(site.count(EventKind::RateLimitNear), 0);
    assert_eq!(site.statuses(&request, 3), [200; 3]);
    assert_eq!(site.count(EventKind::RateLimitNear), 1);
}

#[test]
fn a_limit_that_is_tried_out_refuses_nobody_and_is_told_to_the_operator_alone() {
    let rules = LimitRules::builder()
        .limit(LimitRule::new("trial", minute(1), [KeyPart::Address]).shadow())
        .limit(LimitRule::new("real", minute(9), [KeyPart::Address]))
        .tier("default", ["trial", "real"]);
    let site = Site::new(rules);
    let request = asked(Access::Public);
    assert_eq!(site.statuses(&request, 2), [200, 200]);
    assert_eq!(site.count(EventKind::RateLimitWouldDeny), 1);
    assert_eq!(site.count(EventKind::RateLimited), 0);
    let told = told(&admitted(request.entry(site.gate())), &[]);
    assert_eq!(told[0].1, r#""real";q=9;w=60"#);
}

#[test]
fn a_flood_of_keys_is_told_and_bounded() {
    // Ten places for a thousand callers.
    let rules = one(1, [KeyPart::Address]).build().expect("rules");
    let limits = RateLimits::in_memory(rules, 10);
    let bench = crate::support::Bench::by(Verifies::default(), |builder| {
        let clock =
            ringwall_core::clock::ManualClock::new(ringwall_core::clock::Timestamp::UNIX_EPOCH);
        builder.rate_limits(limits.clock(std::sync::Arc::new(clock)))
    });
    let served = (0..250_u8)
        .filter(|n| {
            asked(Access::Public)
                .from([192, 0, 2, *n])
                .status(&bench.gate)
                == 200
        })
        .count();
    assert!(served < 100, "{served}");
    assert!(bench.events.count(EventKind::RateLimitTableFull) > 0);
}
