//! Stores that have to be asked, and those that do not answer.

use core::task::{Context, Poll, Waker};

use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;
use ringwall_gate::rate_limit::{KeyPart, LimitRule, LimitRules, LimitRulesBuilder};
use ringwall_gate::{Access, Entry};

use super::{Asked, Site, Verifies, asked, minute, one, remote};
use crate::support::{status, waited};

fn rules() -> LimitRulesBuilder {
    LimitRules::builder()
        .limit(LimitRule::new("address", minute(4), [KeyPart::Address]))
        .limit(LimitRule::new("user", minute(2), [KeyPart::User]))
        .tier("default", ["address", "user"])
        .failed_credentials(LimitRule::new("failed", minute(1), [KeyPart::Address]))
}

fn waiting() -> Verifies {
    Verifies {
        waits: true,
        ..Verifies::default()
    }
}

fn ask(bench: &crate::support::Bench, asked: &Asked<'_>) -> Entry {
    waited(asked.step(&bench.gate))
}

#[test]
fn a_store_that_waits_decides_as_one_that_does_not() {
    for looked in [Verifies::default(), waiting()] {
        let bench = remote(rules(), looked.clone(), false);
        let ada = asked(Access::Authenticated).by("good-ada");
        let bob = asked(Access::Authenticated).by("good-bob");
        let statuses: Vec<_> = [&ada, &ada, &ada, &bob, &bob]
            .into_iter()
            .map(|request| status(&ask(&bench, request)))
            .collect();
        // The third is refused by its user's limit, and the address was charged for it: it is another stage.
        assert_eq!(statuses, [200, 200, 429, 200, 429]);
        assert_eq!(looked.count(), 4);
        // Records hold what the request was, although it had to be kept.
        let records = bench.audit.snapshot();
        assert!(records.iter().all(|one| &*one.intent.target == "/cases/7"));
        assert_eq!(records.len(), 5);
    }
}

#[test]
fn nobody_looks_at_a_credential_before_the_store_answered() {
    let looked = Verifies::default();
    let bench = remote(rules(), looked.clone(), false);
    let request = asked(Access::Authenticated).by("good-ada");
    let step = request.step(&bench.gate);
    assert_eq!(looked.count(), 0);
    assert_eq!(status(&waited(step)), 200);
    let wrong = asked(Access::Authenticated).by("bad");
    assert_eq!(status(&ask(&bench, &wrong)), 401);
    let before = looked.count();
    assert_eq!(status(&ask(&bench, &wrong)), 429);
    assert_eq!(looked.count(), before);
}

#[test]
fn a_request_that_was_kept_is_whole() {
    let bench = remote(one(9, [KeyPart::Address]), Verifies::default(), false);
    // Two values of one field are still two, so that nobody takes the one for the other.
    let twice = asked(Access::Authenticated).by("good-ada").by("good-bob");
    assert_eq!(status(&ask(&bench, &twice)), 400);
    let long = asked(Access::Public).with("content-length", "99999999");
    assert_eq!(status(&ask(&bench, &long)), 413);
}

#[test]
fn a_store_that_does_not_answer_serves_nobody() {
    let looked = Verifies::default();
    let bench = remote(rules(), looked.clone(), true);
    let request = asked(Access::Authenticated).by("good-ada");
    let denial = ask(&bench, &request).expect_err("refused");
    assert!(matches!(denial, Denial::Unavailable { .. }), "{denial:?}");
    assert_eq!(looked.count(), 0);
    assert_eq!(bench.kinds(), [EventKind::RateLimitsUnavailable]);
    // In the second stage too.
    let bench = remote(one(9, [KeyPart::User]), Verifies::default(), true);
    let denial = ask(&bench, &request).expect_err("refused");
    assert!(matches!(denial, Denial::Unavailable { .. }), "{denial:?}");
    assert_eq!(bench.kinds(), [EventKind::RateLimitsUnavailable]);
}

#[test]
fn a_guess_whose_sender_leaves_while_it_is_verified_stays_charged() {
    let rules = one(9, [KeyPart::User]).failed_credentials(LimitRule::new(
        "failed",
        minute(2),
        [KeyPart::Address],
    ));
    let site = Site::with(rules, waiting(), |limits| limits);
    let request = asked(Access::Authenticated).by("bad");
    for _ in 0..2 {
        let Step::Wait(future) = request.step(site.gate()) else {
            panic!("it did not wait");
        };
        drop(future);
    }
    let Step::Done(entry) = request.step(site.gate()) else {
        panic!("it was looked at");
    };
    assert_eq!(status(&entry), 429);
}

#[test]
fn guesses_at_the_same_time_do_not_pass_together() {
    let rules = one(9, [KeyPart::User]).failed_credentials(LimitRule::new(
        "failed",
        minute(3),
        [KeyPart::Address],
    ));
    let site = Site::with(rules, waiting(), |limits| limits);
    let request = asked(Access::Authenticated).by("bad");
    // All of them begin before any of them is answered.
    let steps: Vec<_> = (0..10).map(|_| request.step(site.gate())).collect();
    let mut statuses = Vec::new();
    for step in steps {
        statuses.push(match step {
            Step::Done(entry) => status(&entry),
            Step::Wait(mut future) => {
                let mut context = Context::from_waker(Waker::noop());
                match future.as_mut().poll(&mut context) {
                    Poll::Ready(entry) => status(&entry),
                    Poll::Pending => panic!("it is not ready"),
                }
            }
        });
    }
    let looked_at = statuses.iter().filter(|status| **status == 401).count();
    assert_eq!(looked_at, 3, "{statuses:?}");
}
