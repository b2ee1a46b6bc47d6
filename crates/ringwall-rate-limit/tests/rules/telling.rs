//! What an answer tells of a decision.

use core::num::NonZeroU32;
use core::time::Duration;

use ringwall_core::limits::LimitReport;
use ringwall_rate_limit::{
    Decision, Dimension, Enforcement, Jitter, MemoryLimiter, Policies, Quota, Tally, Verdict,
};

use crate::support::minute;

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    limiter: MemoryLimiter,
    policies: Policies,
}

fn bench(limits: &[(&str, Quota)]) -> Bench {
    let builder = limits
        .iter()
        .fold(Policies::builder(), |builder, (name, quota)| {
            builder.add(name, *quota).expect("a limit")
        });
    let policies = builder
        .add_with("trial", minute(1), None, Enforcement::Shadow)
        .expect("a limit")
        .build();
    Bench {
        limiter: MemoryLimiter::new(policies.clone(), 100),
        policies,
    }
}

impl Bench {
    fn bucket(&self, name: &str) -> Dimension {
        let policy = self.policies.find(name).expect("a limit");
        self.policies
            .dimension(policy, [&b"key"[..]])
            .expect("a key")
    }

    fn take(&self, at: Duration, names: &[&str], cost: u32) -> Decision {
        let buckets: Vec<_> = names.iter().map(|name| self.bucket(name)).collect();
        let cost = NonZeroU32::new(cost).expect("a cost");
        self.limiter.check(at, &buckets, cost).expect("a decision")
    }

    fn told(&self, decision: &Decision) -> LimitReport {
        let mut tally = Tally::new();
        tally.note(decision, None);
        tally.report(&self.policies)
    }
}

#[test]
fn numbers_are_the_burst_its_time_what_is_left_and_when_it_is_whole_again() {
    let quota = Quota::per_second(20)
        .and_then(|quota| quota.burst(50))
        .expect("a quota");
    let bench = bench(&[("burst", quota)]);
    let report = bench.told(&bench.take(SECOND, &["burst"], 31));
    let limit = &report.limits[0];
    // 2.5 seconds and 1.55 seconds, both rounded up.
    assert_eq!((&*limit.name, limit.quota, limit.window), ("burst", 50, 3));
    assert_eq!((limit.remaining, limit.reset), (19, 2));
    assert!(!limit.is_violated);
}

#[test]
fn a_whole_number_of_seconds_is_told_as_it_is() {
    let bench = bench(&[("one", minute(60))]);
    let report = bench.told(&bench.take(SECOND, &["one"], 30));
    assert_eq!((report.limits[0].window, report.limits[0].reset), (60, 30));
}

#[test]
fn nanoseconds_by_which_a_quota_is_stricter_are_no_second() {
    let bench = bench(&[
        ("nine", minute(9)),
        ("seven", Quota::per_second(7).expect("a quota")),
    ]);
    let report = bench.told(&bench.take(SECOND, &["nine"], 9));
    assert_eq!((report.limits[0].window, report.limits[0].reset), (60, 60));
    let report = bench.told(&bench.take(SECOND, &["seven"], 7));
    assert_eq!((report.limits[0].window, report.limits[0].reset), (1, 1));
}

#[test]
fn limits_that_are_tried_out_are_not_told() {
    let bench = bench(&[("one", minute(60))]);
    for _ in 0..2 {
        let report = bench.told(&bench.take(SECOND, &["trial", "one"], 1));
        assert_eq!(report.limits.len(), 1);
        assert_eq!(&*report.limits[0].name, "one");
    }
    let mut tally = Tally::new();
    tally.note(&bench.take(SECOND, &["trial"], 1), None);
    assert!(tally.is_empty());
}

#[test]
fn a_limit_can_be_hidden_and_several_checks_are_told_together() {
    let bench = bench(&[
        ("one", minute(60)),
        ("two", minute(60)),
        ("three", minute(60)),
    ]);
    let mut tally = Tally::new();
    let hidden = bench.policies.find("two");
    tally.note(&bench.take(SECOND, &["one", "two"], 1), hidden);
    tally.note(&bench.take(SECOND, &["three"], 1), None);
    let report = tally.report(&bench.policies);
    let names: Vec<_> = report.limits.iter().map(|limit| &*limit.name).collect();
    assert_eq!(names, ["one", "three"]);
}

#[test]
fn a_refused_client_comes_back_when_the_limit_is_whole() {
    let bench = bench(&[("slow", minute(6)), ("fast", minute(600))]);
    assert!(bench.take(SECOND, &["slow"], 6).is_allowed());
    let decision = bench.take(SECOND, &["slow", "fast"], 1);
    let told = decision.told_retry_after(SECOND, Jitter::NONE);
    // The first token comes after 10 seconds; all of them after 60, which is what `t` says.
    assert_eq!(
        decision.verdict(),
        Verdict::Denied {
            retry_after: SECOND * 10
        }
    );
    assert_eq!(told, Some(SECOND * 60));
    let report = bench.told(&decision);
    assert_eq!(report.violated().collect::<Vec<_>>(), ["slow"]);
    assert_eq!(report.limits[0].reset, 60);
}

#[test]
fn jitter_only_adds_and_is_the_same_for_the_same_key_and_time() {
    let bench = bench(&[("slow", minute(6))]);
    assert!(bench.take(SECOND, &["slow"], 6).is_allowed());
    let wait = |at, percent| {
        let decision = bench.take(at, &["slow"], 1);
        let jitter = Jitter::percent(percent).expect("a share");
        decision.told_retry_after(at, jitter).expect("a wait")
    };
    let mut different = Vec::new();
    for n in 0..200_u32 {
        let at = SECOND + Duration::from_millis(1) * n;
        let least = SECOND * 61 - at;
        for percent in [0, 10, 100] {
            let wait = wait(at, percent);
            let most = least + least * u32::from(percent) / 100;
            assert!(
                (least..=most).contains(&wait),
                "{wait:?} {least:?} {percent}"
            );
        }
        assert_eq!(wait(at, 10), wait(at, 10));
        different.push((wait(at, 10) - least).as_millis() / 500);
    }
    different.sort_unstable();
    different.dedup();
    // Spread over the six seconds.
    assert!(different.len() >= 10, "{different:?}");
    assert_eq!(Jitter::percent(101), None);
    assert_eq!(Jitter::default(), Jitter::TENTH);
}

#[test]
fn what_never_suffices_and_what_is_allowed_tell_no_time() {
    let bench = bench(&[("one", minute(6))]);
    let allowed = bench.take(SECOND, &["one"], 1);
    assert_eq!(allowed.told_retry_after(SECOND, Jitter::TENTH), None);
    let never = bench.take(SECOND, &["one"], 7);
    assert_eq!(never.verdict(), Verdict::NeverAllowed);
    assert_eq!(never.told_retry_after(SECOND, Jitter::TENTH), None);
    assert!(bench.told(&never).limits[0].is_violated);
}

#[test]
fn one_charge_is_given_back_and_the_others_stay() {
    let bench = bench(&[("one", minute(6)), ("two", minute(6))]);
    let decision = bench.take(SECOND, &["one", "two"], 2);
    let two = bench.policies.find("two").expect("a limit");
    bench
        .limiter
        .refund(SECOND, decision.only(two).expect("a receipt"));
    let report = bench.told(&bench.take(SECOND, &["one", "two"], 1));
    assert_eq!(
        (report.limits[0].remaining, report.limits[1].remaining),
        (3, 5)
    );
    // What was not charged has no receipt.
    let denied = bench.take(SECOND, &["one", "two"], 4);
    assert!(denied.only(two).is_none());
    let other = bench.take(SECOND, &["one"], 1);
    assert!(other.only(two).is_none());
}
