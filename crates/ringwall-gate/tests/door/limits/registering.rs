//! What cannot hold is refused when it is registered.

use std::sync::Arc;

use ringwall_core::event::EventKind;
use ringwall_gate::rate_limit::{KeyPart, LimitRule, LimitRules, MemoryLimiter};
use ringwall_gate::{Access, Error, Gate, RateLimits, RoutePolicy};

use super::{Site, asked, minute, one, proxies};

fn build(limits: RateLimits) -> Result<Gate, Error> {
    let builder = Gate::builder("test")
        .without_authenticators()
        .without_audit();
    builder.rate_limits(limits).build()
}

fn in_memory(rules: LimitRules) -> RateLimits {
    RateLimits::in_memory(rules, 10)
}

#[test]
fn a_route_of_an_unknown_tier_is_a_fault_and_lets_nobody_in() {
    let site = Site::new(one(9, [KeyPart::Address]));
    let request = asked(Access::Public).tier("heavvy");
    assert_eq!(site.gate().check(&request.policy), Err(Error::UnknownTier));
    assert_eq!(site.statuses(&request, 2), [503, 503]);
    assert!(site.count(EventKind::Misconfigured) >= 2);
    assert_eq!(site.gate().check(&asked(Access::Public).policy), Ok(()));
}

#[test]
fn a_tier_at_a_gate_without_limits_is_a_fault() {
    let builder = Gate::builder("test")
        .without_authenticators()
        .without_audit();
    let gate = builder.build().expect("a gate");
    let request = asked(Access::Public).tier("heavy");
    assert_eq!(gate.check(&request.policy), Err(Error::UnknownTier));
    assert_eq!(request.status(&gate), 503);
    let unlimited = RoutePolicy::new("probe", Access::Public).without_limits();
    assert_eq!(gate.check(&unlimited), Ok(()));
}

#[test]
fn an_open_route_whose_tier_counts_nobody_without_a_credential_is_a_fault() {
    let site = Site::new(one(9, [KeyPart::User]));
    for access in [Access::Public, Access::Optional] {
        let request = asked(access);
        assert_eq!(
            site.gate().check(&request.policy),
            Err(Error::StrangersUncounted)
        );
        assert_eq!(request.status(site.gate()), 503);
    }
    assert_eq!(
        site.gate().check(&asked(Access::Authenticated).policy),
        Ok(())
    );
    let rules = one(9, [KeyPart::Identity]).build().expect("rules");
    let gate = build(in_memory(rules)).expect("a gate");
    assert_eq!(gate.check(&asked(Access::Public).policy), Ok(()));
}

#[test]
fn a_store_of_other_policies_is_refused() {
    let rules = || one(9, [KeyPart::Address]).build().expect("rules");
    let other = MemoryLimiter::new(rules().policies().clone(), 10);
    let limits = RateLimits::new(rules(), Arc::new(other));
    assert_eq!(build(limits).map(drop), Err(Error::OtherLimits));
}

#[test]
fn limits_without_a_default_tier_are_refused() {
    let rules = LimitRules::builder()
        .limit(LimitRule::new("one", minute(1), [KeyPart::Address]))
        .tier("heavy", ["one"]);
    let limits = in_memory(rules.build().expect("rules"));
    assert_eq!(build(limits).map(drop), Err(Error::NoDefaultTier));
}

#[test]
fn a_name_from_an_ingress_needs_a_proxy_that_is_trusted_to_give_it() {
    let rules = one(9, [KeyPart::Identity]).build().expect("rules");
    let limits = in_memory(rules).identity_header("x-user");
    assert_eq!(
        build(limits.clone()).map(drop),
        Err(Error::IdentityHeaderOfNobody)
    );
    let builder = || {
        Gate::builder("test")
            .without_authenticators()
            .without_audit()
    };
    let gate = builder()
        .trusted_proxies(proxies())
        .rate_limits(limits.clone());
    assert!(gate.build().is_ok());
    let nameless = limits.identity_header("x user");
    let gate = builder().trusted_proxies(proxies()).rate_limits(nameless);
    assert_eq!(gate.build().map(drop), Err(Error::InvalidHeaderName));
}

#[test]
fn the_defaults_are_limits_that_a_gate_takes() {
    let rules = LimitRules::standard()
        .expect("quotas")
        .build()
        .expect("rules");
    let gate = build(in_memory(rules)).expect("a gate");
    for tier in ["default", "auth", "heavy"] {
        let policy = RoutePolicy::new("a route", Access::Public).with_tier(tier);
        assert_eq!(gate.check(&policy), Ok(()), "{tier}");
    }
}
