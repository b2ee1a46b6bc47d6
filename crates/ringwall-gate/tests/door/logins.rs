//! Routes that demand something of the login behind a caller (RFC 9470).

use std::sync::Arc;
use std::time::Duration;

use ringwall_core::attest::Attest;
use ringwall_core::audit::AuditOutcome;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::principal::{ContextClass, VerifiedPrincipal};
use ringwall_gate::{Access, AuthenticationRequirement, Entry, Error, RoutePolicy};

use crate::support::{Bench, Says, done, principal, status, view, waited};

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).expect("in range")
}

/// A caller with a login of this class at this time.
fn caller(class: Option<&str>, login: Option<i64>, scopes: &[&str]) -> VerifiedPrincipal {
    let mut principal = (*principal(scopes)).clone();
    principal.authentication.context_class =
        class.map(|class| ContextClass::new(class).expect("a class"));
    principal.authentication.authenticated_at = login.map(at);
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

struct Site {
    bench: Bench,
    clock: Arc<ManualClock>,
}

fn site(caller: VerifiedPrincipal, waits: bool) -> Site {
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let says = Says {
        answer: Ok(caller),
        waits,
    };
    let bench = Bench::new(says, |builder| builder.clock(clock.clone()));
    Site { bench, clock }
}

fn policy(requirement: AuthenticationRequirement) -> RoutePolicy {
    let access = Access::all_scopes(["cases:write"]).expect("a scope");
    RoutePolicy::new("the route", access)
        .with_authentication(requirement)
        .expect("a policy")
}

fn classes() -> AuthenticationRequirement {
    AuthenticationRequirement::acr_values(["gold", "silver"]).expect("classes")
}

fn recent() -> AuthenticationRequirement {
    AuthenticationRequirement::max_age(Duration::from_secs(300)).expect("an age")
}

/// The refusal, if it is one.
fn refusal(entry: Entry) -> Option<Denial> {
    match entry {
        Ok((_, exit)) => {
            done(exit.finish(200, None));
            None
        }
        Err(denial) => Some(denial),
    }
}

fn enter(site: &Site, requirement: AuthenticationRequirement) -> Option<Denial> {
    let door = site.bench.gate.door(policy(requirement));
    refusal(done(door.enter(&view(&vec![("authorization", "x")]))))
}

#[track_caller]
fn admits(caller: VerifiedPrincipal, requirement: AuthenticationRequirement) {
    assert_eq!(enter(&site(caller, false), requirement), None);
}

#[track_caller]
fn refuses(caller: VerifiedPrincipal, requirement: AuthenticationRequirement) -> String {
    let denial = enter(&site(caller, false), requirement).expect("refused");
    assert_eq!(denial.http_status(), 401);
    challenge(&denial)
}

fn challenge(denial: &Denial) -> String {
    let mut challenge = String::new();
    denial.headers(|name, value| {
        assert_eq!(name, "www-authenticate");
        challenge = value;
    });
    challenge
}

#[test]
fn any_one_of_the_context_classes_will_do_and_no_other() {
    for class in ["gold", "silver"] {
        admits(caller(Some(class), None, &["cases:write"]), classes());
    }
    for class in [
        None,
        Some("bronze"),
        Some("Gold"),
        Some("gol"),
        Some("golden"),
        Some("gold/silver"),
    ] {
        let shown = refuses(caller(class, Some(NOW), &["cases:write"]), classes());
        assert_eq!(
            shown,
            "Bearer realm=\"test\", error=\"insufficient_user_authentication\", \
             acr_values=\"gold silver\""
        );
    }
}

#[test]
fn a_login_is_recent_enough_to_the_second_and_an_unknown_one_is_not() {
    for login in [NOW, NOW - 299, NOW - 300, NOW + 60] {
        admits(caller(None, Some(login), &["cases:write"]), recent());
    }
    for login in [
        None,
        Some(NOW - 301),
        Some(0),
        Some(NOW + 61),
        Some(NOW + 1_000_000),
    ] {
        let shown = refuses(caller(Some("gold"), login, &["cases:write"]), recent());
        assert_eq!(
            shown,
            "Bearer realm=\"test\", error=\"insufficient_user_authentication\", max_age=\"300\"",
            "{login:?}"
        );
    }
}

#[test]
fn class_and_age_are_both_demanded_and_both_told() {
    let both = || {
        classes()
            .with_max_age(Duration::from_secs(300))
            .expect("an age")
    };
    admits(caller(Some("gold"), Some(NOW), &["cases:write"]), both());
    for (class, login) in [
        (Some("gold"), Some(NOW - 301)),
        (Some("gold"), None),
        (Some("bronze"), Some(NOW)),
        (None, None),
    ] {
        let shown = refuses(caller(class, login, &["cases:write"]), both());
        assert!(
            shown.ends_with("acr_values=\"gold silver\", max_age=\"300\""),
            "{shown}"
        );
    }
}

#[test]
fn the_login_comes_before_the_scopes_and_one_challenge_names_what_is_lacking_of_both() {
    let weak = site(caller(None, None, &["cases:read"]), false);
    let denial = enter(&weak, classes()).expect("refused");
    assert_eq!(denial.http_status(), 401);
    assert_eq!(
        challenge(&denial),
        "Bearer realm=\"test\", error=\"insufficient_user_authentication\", \
         scope=\"cases:write\", acr_values=\"gold silver\""
    );
    let strong = site(caller(Some("gold"), None, &["cases:read"]), false);
    let denial = enter(&strong, classes()).expect("refused");
    assert_eq!(denial.http_status(), 403);
    // Scopes that the token has are not asked for again.
    let shown = refuses(caller(None, None, &["cases:write"]), classes());
    assert!(!shown.contains("scope="), "{shown}");
}

#[test]
fn a_step_up_is_an_event_and_a_record_with_its_precise_cause() {
    let cases = [
        (None, None, classes(), "not of a context class"),
        (None, None, recent(), "is not known"),
        (None, Some(NOW - 301), recent(), "longer ago"),
        (None, Some(NOW + 61), recent(), "in the future"),
    ];
    for (class, login, requirement, expected) in cases {
        let site = site(caller(class, login, &["cases:write"]), false);
        enter(&site, requirement).expect("refused");
        let events = site.bench.events.snapshot();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].kind, EventKind::AccessDenied);
        assert!(events[0].cause.contains(expected), "{}", events[0].cause);
        assert_eq!(events[0].about.as_deref(), Some("the route"));
        assert!(events[0].principal.is_some());
        let record = site.bench.audit.snapshot().remove(0);
        assert!(record.intent.principal.is_some());
        assert_eq!(
            record.outcome,
            Some(AuditOutcome::Denied {
                status: 401,
                cause: events[0].cause
            })
        );
    }
}

#[test]
fn the_age_is_judged_by_the_time_after_a_wait() {
    let site = site(caller(None, Some(NOW - 299), &["cases:write"]), true);
    let door = site.bench.gate.door(policy(recent()));
    let headers = vec![("authorization", "x")];
    let step = door.enter(&view(&headers));
    site.clock.advance(Duration::from_secs(2));
    assert_eq!(status(&waited(step)), 401);
}

#[test]
fn without_a_clock_no_age_is_judged() {
    let waiting = site(caller(Some("gold"), Some(NOW), &["cases:write"]), true);
    let headers = vec![("authorization", "x")];
    for (requirement, expected) in [(recent(), 503), (classes(), 200)] {
        waiting.clock.fail(false);
        let step = waiting
            .bench
            .gate
            .door(policy(requirement))
            .enter(&view(&headers));
        waiting.clock.fail(true);
        let entry = waited(step);
        assert_eq!(status(&entry), expected);
        drop(refusal(entry));
    }
    assert_eq!(waiting.bench.kinds(), [EventKind::ClockUnavailable]);
    // Nor is anybody let in when it fails before.
    let site = site(caller(None, Some(NOW), &["cases:write"]), false);
    site.clock.fail(true);
    let denial = enter(&site, recent()).expect("refused");
    assert_eq!(denial.http_status(), 503);
}

#[test]
fn a_route_that_serves_callers_without_credentials_can_demand_nothing_of_logins() {
    for access in [Access::Public, Access::Optional] {
        let policy = RoutePolicy::new("x", access).with_authentication(classes());
        assert_eq!(policy, Err(Error::OpenRoute));
    }
    let any = Access::any_scope(["cases:read"]).expect("a scope");
    for access in [Access::Authenticated, any] {
        let policy = RoutePolicy::new("x", access).with_authentication(classes());
        assert_eq!(policy.expect("a policy").authentication(), Some(&classes()));
    }
}

#[test]
fn a_requirement_that_demands_nothing_or_the_impossible_cannot_be_made() {
    let acr_values = AuthenticationRequirement::acr_values::<Vec<String>>;
    assert_eq!(acr_values(Vec::new()), Err(Error::ContextClasses));
    assert_eq!(
        acr_values(vec!["gold".to_owned(); 17]),
        Err(Error::ContextClasses)
    );
    assert!(acr_values(vec!["gold".to_owned(); 16]).is_ok());
    for class in ["", "gold silver", "gold\"", "gold\\", "gold\r\n", "göld"] {
        assert_eq!(
            acr_values(vec![class.to_owned()]),
            Err(Error::InvalidContextClass),
            "{class:?}"
        );
    }
    for max_age in [
        Duration::ZERO,
        Duration::from_millis(999),
        Duration::from_secs(366 * 24 * 3600 + 1),
        Duration::MAX,
    ] {
        assert_eq!(
            AuthenticationRequirement::max_age(max_age),
            Err(Error::MaxAge)
        );
        assert_eq!(classes().with_max_age(max_age), Err(Error::MaxAge));
    }
    let cut = AuthenticationRequirement::max_age(Duration::from_millis(1_999)).expect("an age");
    assert_eq!(cut.longest_age(), Some(Duration::from_secs(1)));
}
