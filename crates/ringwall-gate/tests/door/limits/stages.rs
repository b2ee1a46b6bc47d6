//! Which requests are counted for whom, and in which order.

use core::time::Duration;

use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_gate::Access;
use ringwall_gate::rate_limit::{KeyPart, LimitRule, LimitRules};

use super::{Asked, PROXY, Site, asked, minute, one};

fn by_address(count: u32) -> Site {
    Site::new(one(count, [KeyPart::Address]))
}

#[test]
fn what_is_above_the_limit_is_refused_and_served_again_later() {
    let site = by_address(2);
    let request = asked(Access::Public);
    assert_eq!(site.statuses(&request, 3), [200, 200, 429]);
    site.clock.advance(Duration::from_millis(29_999));
    assert_eq!(request.status(site.gate()), 429);
    site.clock.advance(Duration::from_millis(1));
    assert_eq!(site.statuses(&request, 2), [200, 429]);
}

#[test]
fn the_address_is_counted_before_a_credential_is_looked_at() {
    let site = by_address(2);
    let request = asked(Access::Authenticated).by("good-ada");
    assert_eq!(site.statuses(&request, 5), [200, 200, 429, 429, 429]);
    assert_eq!(site.looked.count(), 2);
}

#[test]
fn two_addresses_are_two_buckets() {
    let site = by_address(1);
    let request = asked(Access::Public);
    assert_eq!(site.statuses(&request, 2), [200, 429]);
    assert_eq!(request.from([192, 0, 2, 2]).status(site.gate()), 200);
}

#[test]
fn a_caller_without_an_address_is_refused_where_one_is_needed() {
    let site = by_address(100);
    let mut request = asked(Access::Public);
    request.peer = None;
    assert_eq!(site.statuses(&request, 2), [403, 403]);
    assert_eq!(site.count(EventKind::RequestRefused), 2);
    // Whoever forgot it finds in the log what to do.
    let events = site.bench.events.snapshot();
    assert!(
        events
            .iter()
            .all(|event| event.cause.contains("serve with connect info")),
        "{events:?}"
    );
    let site = Site::new(one(100, [KeyPart::User]).failed_credentials(failed(9)));
    let mut request = asked(Access::Authenticated).by("good-ada");
    request.peer = None;
    assert_eq!(request.status(site.gate()), 403);
    assert_eq!(site.looked.count(), 0);
}

#[test]
fn what_a_stranger_forwards_for_makes_no_new_bucket() {
    let site = by_address(1);
    let request = |forwarded| asked(Access::Public).with("x-forwarded-for", forwarded);
    assert_eq!(request("198.51.100.1").status(site.gate()), 200);
    assert_eq!(request("198.51.100.2").status(site.gate()), 429);
    assert_eq!(asked(Access::Public).status(site.gate()), 429);
}

#[test]
fn every_spelling_of_an_address_that_a_proxy_forwards_for_is_one_bucket() {
    let site = by_address(6);
    let through = |lines: &[&'static str]| {
        let mut request = asked(Access::Public).from(PROXY);
        for line in lines {
            request = request.with("x-forwarded-for", line);
        }
        request
    };
    for lines in [
        &["198.51.100.7"][..],
        &["198.51.100.7:4711"],
        &["::ffff:198.51.100.7"],
        &["[::ffff:198.51.100.7]:80"],
        &["203.0.113.9, 198.51.100.7"],
        &["203.0.113.9", "198.51.100.7", "10.0.0.2"],
    ] {
        assert_eq!(through(lines).status(site.gate()), 200, "{lines:?}");
    }
    assert_eq!(through(&["198.51.100.7"]).status(site.gate()), 429);
    assert_eq!(through(&["198.51.100.8"]).status(site.gate()), 200);
    // A zone is the proxy's own business.
    let site = by_address(2);
    assert_eq!(through(&["fe80::1%eth0"]).status(site.gate()), 200);
    assert_eq!(through(&["fe80::2"]).status(site.gate()), 200);
    assert_eq!(through(&["fe80::3%7"]).status(site.gate()), 429);
}

#[test]
fn a_user_is_counted_after_authentication_wherever_it_comes_from() {
    let site = Site::new(one(2, [KeyPart::User]));
    let request = asked(Access::Authenticated).by("good-ada");
    assert_eq!(request.status(site.gate()), 200);
    assert_eq!(
        request.clone().from([192, 0, 2, 9]).status(site.gate()),
        200
    );
    assert_eq!(request.status(site.gate()), 429);
    assert_eq!(
        asked(Access::Authenticated)
            .by("good-bob")
            .status(site.gate()),
        200
    );
}

#[test]
fn whoever_is_refused_is_not_charged() {
    let site = Site::new(one(1, [KeyPart::User]));
    let forbidden = asked(Access::all_scopes(["cases:write"]).expect("a scope")).by("good-ada");
    let unknown = asked(Access::Authenticated).by("bad");
    let too_long = asked(Access::Authenticated)
        .by("good-ada")
        .with("content-length", "99999999");
    assert_eq!(site.statuses(&forbidden, 3), [403; 3]);
    assert_eq!(site.statuses(&unknown, 3), [401; 3]);
    assert_eq!(site.statuses(&too_long, 3), [413; 3]);
    let request = asked(Access::Authenticated).by("good-ada");
    assert_eq!(site.statuses(&request, 2), [200, 429]);
}

#[test]
fn one_limit_that_denies_leaves_the_others_uncharged() {
    let rules = LimitRules::builder()
        .limit(LimitRule::new("wide", minute(3), [KeyPart::Organisation]))
        .limit(LimitRule::new("narrow", minute(1), [KeyPart::User]))
        .tier("default", ["wide", "narrow"]);
    let site = Site::new(rules);
    let request = |caller| asked(Access::Authenticated).by(caller);
    assert_eq!(site.statuses(&request("good-ada@acme"), 9)[..2], [200, 429]);
    assert_eq!(request("good-bob@acme").status(site.gate()), 200);
    assert_eq!(request("good-cyd@acme").status(site.gate()), 200);
    assert_eq!(request("good-dan@acme").status(site.gate()), 429);
}

#[test]
fn a_caller_without_an_organisation_is_refused_unless_it_was_said_to_be_skipped() {
    let rule = LimitRule::new("tenant", minute(9), [KeyPart::Organisation]);
    let request = asked(Access::Authenticated).by("good-ada");
    let strict = LimitRules::builder().limit(rule.clone());
    let site = Site::new(strict.tier("default", ["tenant"]));
    assert_eq!(request.status(site.gate()), 403);
    // Another limit that would count it changes nothing.
    let user = LimitRule::new("user", minute(9), [KeyPart::User]);
    let strict = LimitRules::builder().limit(rule.clone()).limit(user);
    let site = Site::new(strict.tier("default", ["tenant", "user"]));
    assert_eq!(request.status(site.gate()), 403);
    // Skipped, and then counted by nothing.
    let skips = LimitRules::builder().limit(rule.skip_absent());
    let site = Site::new(skips.clone().tier("default", ["tenant"]));
    assert_eq!(request.status(site.gate()), 403);
    let both = skips
        .limit(LimitRule::new("user", minute(1), [KeyPart::User]))
        .tier("default", ["tenant", "user"]);
    let site = Site::new(both);
    assert_eq!(site.statuses(&request, 2), [200, 429]);
}

#[test]
fn requests_without_a_credential_are_counted_by_address_and_others_are_not() {
    let rules = LimitRules::builder()
        .limit(LimitRule::new("anonymous", minute(2), [KeyPart::Address]).without_credential())
        .limit(LimitRule::new("user", minute(9), [KeyPart::User]))
        .tier("default", ["anonymous", "user"]);
    let site = Site::new(rules);
    let nobody = asked(Access::Authenticated);
    assert_eq!(site.statuses(&nobody, 3), [401, 401, 429]);
    let somebody = asked(Access::Authenticated).by("good-ada");
    assert_eq!(site.statuses(&somebody, 2), [200, 200]);
    // A route that looks at no credential is not escaped by presenting one.
    let public = asked(Access::Public).by("good-ada");
    assert_eq!(public.status(site.gate()), 429);
}

fn failed(count: u32) -> LimitRule {
    LimitRule::new("failed", minute(count), [KeyPart::Address])
}

fn guessed(count: u32) -> Site {
    Site::new(one(1000, [KeyPart::User]).failed_credentials(failed(count)))
}

#[test]
fn failed_credentials_are_throttled_before_they_are_verified() {
    let site = guessed(3);
    let wrong = asked(Access::Authenticated).by("bad");
    assert_eq!(site.statuses(&wrong, 5), [401, 401, 401, 429, 429]);
    assert_eq!(site.looked.count(), 3);
    // Nobody looks at a good one either, from there.
    let good = asked(Access::Authenticated).by("good-ada");
    assert_eq!(good.status(site.gate()), 429);
    assert_eq!(site.looked.count(), 3);
    assert_eq!(good.from([192, 0, 2, 2]).status(site.gate()), 200);
    // Without a credential there is nothing to guess.
    assert_eq!(asked(Access::Authenticated).status(site.gate()), 401);
    site.clock.advance(Duration::from_secs(20));
    assert_eq!(wrong.status(site.gate()), 401);
}

#[test]
fn good_credentials_are_given_back() {
    let site = guessed(1);
    let good = asked(Access::Authenticated).by("good-ada");
    assert_eq!(site.statuses(&good, 50), [200; 50]);
    let forbidden = asked(Access::all_scopes(["cases:write"]).expect("a scope")).by("good-ada");
    assert_eq!(site.statuses(&forbidden, 2), [403; 2]);
    assert_eq!(
        asked(Access::Authenticated).by("bad").status(site.gate()),
        401
    );
    assert_eq!(good.status(site.gate()), 429);
}

#[test]
fn a_credential_that_cannot_be_checked_has_not_failed() {
    let site = guessed(1);
    let down = asked(Access::Authenticated).by("down");
    assert_eq!(site.statuses(&down, 3), [503; 3]);
}

#[test]
fn a_proof_whose_nonce_is_over_has_not_failed() {
    let site = guessed(1);
    let old = asked(Access::Authenticated).by("old nonce");
    assert_eq!(site.statuses(&old, 3), [401; 3]);
}

#[test]
fn a_credential_that_nobody_reads_has_failed_too() {
    let site = guessed(2);
    let twice = asked(Access::Authenticated).by("good-ada").by("good-bob");
    assert_eq!(site.statuses(&twice, 3), [400, 400, 429]);
}

#[test]
fn a_route_without_limits_still_bounds_failed_credentials() {
    let site = Site::new(one(1, [KeyPart::Address]).failed_credentials(failed(2)));
    let unlimited = |mut request: Asked<'static>| {
        request.policy = request.policy.without_limits();
        request
    };
    let probe = unlimited(asked(Access::Public));
    assert_eq!(site.statuses(&probe, 5), [200; 5]);
    let wrong = unlimited(asked(Access::Authenticated).by("bad"));
    assert_eq!(site.statuses(&wrong, 3), [401, 401, 429]);
}

fn by_identity(count: u32) -> Site {
    let rules = one(count, [KeyPart::Identity]);
    Site::with(rules, super::Verifies::default(), |limits| {
        limits.identity_header("X-Auth-Request-User")
    })
}

#[test]
fn an_ingress_names_callers_and_strangers_do_not() {
    let site = by_identity(1);
    let named = |name| asked(Access::Public).with("x-auth-request-user", name);
    assert_eq!(named("ada").from(PROXY).status(site.gate()), 200);
    assert_eq!(named("ada").from(PROXY).status(site.gate()), 429);
    assert_eq!(named("bob").from(PROXY).status(site.gate()), 200);
    // Of strangers the address counts, whatever they call themselves.
    assert_eq!(named("cyd").status(site.gate()), 200);
    assert_eq!(named("dan").status(site.gate()), 429);
    // Whoever was authenticated is nobody else.
    let known = asked(Access::Authenticated).by("good-ada");
    let known = |name| known.clone().with("x-auth-request-user", name).from(PROXY);
    assert_eq!(known("eve").status(site.gate()), 200);
    assert_eq!(known("fay").status(site.gate()), 429);
}

#[test]
fn a_name_that_nobody_can_have_is_refused() {
    let site = by_identity(100);
    let field = "x-auth-request-user";
    let twice = asked(Access::Public).with(field, "ada").with(field, "bob");
    assert_eq!(twice.from(PROXY).status(site.gate()), 400);
    for name in ["", "  "] {
        let request = asked(Access::Public).with(field, name).from(PROXY);
        assert_eq!(request.status(site.gate()), 400, "{name:?}");
    }
    let long = "x".repeat(1025);
    let request = asked(Access::Public).with(field, &long).from(PROXY);
    assert_eq!(request.status(site.gate()), 403);
}

#[test]
fn handlers_do_not_see_names_that_strangers_gave_themselves() {
    let site = by_identity(100);
    let request = asked(Access::Public).with("x-auth-request-user", "ada");
    let (admitted, _exit) = request.entry(site.gate()).expect("admitted");
    assert!(admitted.is_stripped("X_Auth_Request_User"));
}

#[test]
fn a_tier_is_a_budget_of_its_own() {
    let rules = one(9, [KeyPart::Identity])
        .limit(LimitRule::new("heavy", minute(1), [KeyPart::Identity]))
        .tier("heavy", ["heavy"]);
    let site = Site::new(rules);
    let light = asked(Access::Authenticated).by("good-ada");
    let heavy = light.clone().tier("heavy");
    assert_eq!(site.statuses(&heavy, 2), [200, 429]);
    assert_eq!(site.statuses(&light, 9), [200; 9]);
    assert_eq!(light.status(site.gate()), 429);
}

#[test]
fn a_handler_checks_what_it_alone_knows() {
    let rules =
        one(100, [KeyPart::Address]).limit(LimitRule::new("account", minute(2), [KeyPart::Given]));
    let site = Site::new(rules);
    let (admitted, _exit) = asked(Access::Public).entry(site.gate()).expect("admitted");
    let check = |limit, given| crate::support::done(admitted.check_limit(limit, given));
    assert_eq!(check("account", "ada"), Ok(()));
    assert_eq!(check("account", "ada"), Ok(()));
    let denial = check("account", "ada").expect_err("refused");
    let Denial::RateLimited {
        retry_after: Some(_),
        limits: Some(report),
    } = denial
    else {
        panic!("{denial:?}");
    };
    assert_eq!(report.violated().collect::<Vec<_>>(), ["account"]);
    assert_eq!(check("account", "bob"), Ok(()));
    // Nobody in particular is not somebody.
    assert_eq!(
        check("account", "").map_err(|denial| denial.http_status()),
        Err(403)
    );
    assert_eq!(
        check("acount", "ada").map_err(|denial| denial.http_status()),
        Err(503)
    );
    assert_eq!(site.count(EventKind::Misconfigured), 1);
    assert_eq!(site.count(EventKind::RateLimited), 1);
    // More than the limit ever holds: never.
    let three = core::num::NonZeroU32::new(3).expect("a cost");
    let step = admitted.check_limit_at_cost("account", "cyd", three);
    let denial = crate::support::done(step).expect_err("refused");
    assert!(
        matches!(
            denial,
            Denial::RateLimited {
                retry_after: None,
                ..
            }
        ),
        "{denial:?}"
    );
}

#[test]
fn without_limits_nothing_is_bounded_or_told() {
    let bench = crate::support::Bench::by(super::Verifies::default(), |builder| builder);
    let request = asked(Access::Authenticated).by("good-ada");
    for _ in 0..200 {
        assert_eq!(request.status(&bench.gate), 200);
    }
    let (admitted, _exit) = request.entry(&bench.gate).expect("admitted");
    assert!(admitted.limit_fields().is_none());
}
