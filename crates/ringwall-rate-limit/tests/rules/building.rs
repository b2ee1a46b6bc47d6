//! Limits and tiers that cannot be.

use core::time::Duration;

use ringwall_rate_limit::{
    Enforcement, KeyPart, LimitRule, LimitRules, LimitRulesBuilder, PolicyError, Quota, RuleFault,
};

use crate::support::minute;

fn rule(name: &str) -> LimitRule {
    LimitRule::new(name, minute(5), [KeyPart::Address])
}

fn faults(builder: LimitRulesBuilder) -> Vec<RuleFault> {
    let faults = builder.build().expect_err("faults");
    faults.iter().cloned().collect()
}

fn only(builder: LimitRulesBuilder) -> RuleFault {
    let mut all = faults(builder);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn with(rule: LimitRule) -> LimitRulesBuilder {
    let name = rule.name().to_owned();
    LimitRules::builder().limit(rule).tier("default", [&*name])
}

#[test]
fn a_limit_counts_by_something_and_by_nothing_twice() {
    let none = LimitRule::new("a", minute(5), []);
    assert!(faults(with(none)).contains(&RuleFault::NoParts { limit: "a".into() }));
    let twice = LimitRule::new("a", minute(5), [KeyPart::User, KeyPart::User]);
    assert_eq!(
        only(with(twice)),
        RuleFault::RepeatedPart { limit: "a".into() }
    );
}

#[test]
fn a_limit_counts_by_no_more_than_a_key_takes() {
    let of = |parts: &[KeyPart]| with(LimitRule::new("a", minute(5), parts.iter().copied()));
    let most = [KeyPart::Organisation, KeyPart::Project, KeyPart::User];
    assert!(of(&most).build().is_ok());
    let few = [
        KeyPart::Organisation,
        KeyPart::ApiKey,
        KeyPart::User,
        KeyPart::Address,
    ];
    assert!(of(&few).build().is_ok());
    for parts in [
        &[KeyPart::Project, KeyPart::User, KeyPart::Address][..],
        &[KeyPart::User, KeyPart::Identity, KeyPart::ApiKey],
    ] {
        assert_eq!(
            only(of(parts)),
            RuleFault::TooManyParts { limit: "a".into() }
        );
    }
}

#[test]
fn a_network_of_ipv6_is_neither_the_whole_world_nor_more_than_an_address() {
    for bits in [0, 1, 31, 129, 255] {
        let limit = "a".into();
        assert_eq!(
            only(with(rule("a").ipv6_prefix(bits))),
            RuleFault::Ipv6Prefix { limit }
        );
    }
    for bits in [32, 48, 64, 128] {
        assert!(with(rule("a").ipv6_prefix(bits)).build().is_ok());
    }
}

#[test]
fn requests_without_a_credential_are_counted_by_address_alone() {
    let by_user = LimitRule::new("a", minute(5), [KeyPart::User]).without_credential();
    assert_eq!(
        only(with(by_user)),
        RuleFault::WithoutCredential { limit: "a".into() }
    );
    let failed = LimitRule::new("f", minute(5), [KeyPart::Address, KeyPart::Identity]);
    let builder = with(rule("a")).failed_credentials(failed);
    assert_eq!(only(builder), RuleFault::FailedCredentials);
}

#[test]
fn what_handlers_give_is_in_no_tier_and_beside_no_identity() {
    let given = LimitRule::new("g", minute(5), [KeyPart::Given]);
    assert!(with(rule("a")).limit(given.clone()).build().is_ok());
    assert_eq!(
        only(with(given)),
        RuleFault::GivenInTier {
            tier: "default".into(),
            limit: "g".into()
        }
    );
    let both = LimitRule::new("g", minute(5), [KeyPart::Given, KeyPart::Identity]);
    assert_eq!(
        only(with(rule("a")).limit(both)),
        RuleFault::GivenIdentity { limit: "g".into() }
    );
}

#[test]
fn a_limit_that_limits_nothing_is_a_fault() {
    let builder = with(rule("a")).limit(rule("b"));
    assert_eq!(only(builder), RuleFault::Unused { limit: "b".into() });
}

#[test]
fn a_tier_has_one_to_six_limits_that_exist_each_once() {
    let tier = || "default".into();
    let empty = with(rule("a")).tier("empty", []);
    assert_eq!(
        only(empty),
        RuleFault::EmptyTier {
            tier: "empty".into()
        }
    );
    let unknown = with(rule("a")).tier("other", ["a", "b"]);
    assert_eq!(
        only(unknown),
        RuleFault::UnknownLimit {
            tier: "other".into(),
            limit: "b".into()
        }
    );
    let twice = with(rule("a")).tier("default", ["a", "a"]);
    assert_eq!(
        only(twice),
        RuleFault::RepeatedLimit {
            tier: tier(),
            limit: "a".into()
        }
    );
    let names: Vec<String> = (0..9).map(|n| format!("l{n}")).collect();
    let many = |count: usize| {
        let names = &names[..count];
        let builder = names.iter().fold(LimitRules::builder(), |builder, name| {
            builder.limit(rule(name))
        });
        builder.tier("default", names.iter().map(|name| &**name))
    };
    assert!(many(6).build().is_ok());
    assert_eq!(only(many(7)), RuleFault::TooManyLimits { tier: tier() });
    // One place is the failed credentials'.
    assert!(many(5).failed_credentials(rule("f")).build().is_ok());
    let six = many(6).failed_credentials(rule("f"));
    assert_eq!(only(six), RuleFault::TooManyLimits { tier: tier() });
}

#[test]
fn names_can_stand_in_header_fields_and_configurations() {
    for name in ["", "A", "a b", "a\"", "a\r\n", &"x".repeat(65)] {
        let tier = with(rule("a")).tier(name, ["a"]);
        assert_eq!(only(tier), RuleFault::TierName { tier: name.into() });
        let limit = with(rule(name));
        assert_eq!(
            faults(limit)[0],
            RuleFault::Policy {
                limit: name.into(),
                fault: PolicyError::Name
            }
        );
    }
}

#[test]
fn failed_credentials_have_a_name_of_their_own() {
    let builder = with(rule("a")).failed_credentials(rule("a"));
    assert_eq!(
        only(builder),
        RuleFault::Policy {
            limit: "a".into(),
            fault: PolicyError::Duplicate
        }
    );
}

#[test]
fn all_faults_are_told_at_once() {
    let builder = LimitRules::builder()
        .limit(rule("A").ipv6_prefix(0))
        .limit(rule("unused"))
        .tier("Default", ["missing"]);
    let all = faults(builder.clone());
    assert_eq!(all.len(), 6, "{all:?}");
    let text = builder.build().expect_err("faults").to_string();
    assert_eq!(text.matches("; ").count(), 5, "{text}");
}

#[test]
fn a_limit_and_a_tier_take_the_place_of_those_of_their_name() {
    let rules = LimitRules::standard()
        .expect("quotas")
        .limit(LimitRule::new("user", minute(7), [KeyPart::User]).shadow())
        .tier("default", ["user"])
        .without_tier("auth")
        .without_limit("auth_address")
        .build()
        .expect("rules");
    let policies = rules.policies();
    let user = policies.find("user").expect("a limit");
    assert_eq!(policies.quota(user), Some(minute(7)));
    assert_eq!(policies.enforcement(user), Some(Enforcement::Shadow));
    assert!(rules.tier("auth").is_none() && rules.tier("heavy").is_some());
}

/// The numbers of the defaults, as the documentation states them.
#[test]
fn the_defaults_are_those_that_are_documented() {
    let rules = LimitRules::standard()
        .expect("quotas")
        .build()
        .expect("rules");
    let policies = rules.policies();
    let second = Duration::from_secs(1);
    let quota = |count, period, burst| {
        let quota = Quota::new(count, period).and_then(|quota| quota.burst(burst));
        quota.expect("a quota")
    };
    let minute = second * 60;
    for (name, expected) in [
        ("tenant", quota(20, second, 40)),
        ("user", quota(100, minute, 100)),
        ("anonymous", quota(60, minute, 60)),
        ("auth_address", quota(5, minute, 5)),
        ("auth_account", quota(5, minute, 5)),
        ("heavy", quota(10, minute, 5)),
        ("failed_credentials", quota(20, minute, 40)),
    ] {
        let policy = policies.find(name).expect(name);
        assert_eq!(policies.quota(policy), Some(expected), "{name}");
        assert_eq!(&**rules.name(policy).expect(name), name);
    }
    assert_eq!(policies.ids().count(), 7);
    let tiers: Vec<_> = rules.tiers().map(|tier| tier.name()).collect();
    assert_eq!(tiers, ["default", "auth", "heavy"]);
    assert_eq!(
        rules.failed_credentials(),
        policies.find("failed_credentials")
    );
}
