//! Which limits of a tier count a request in which stage.

use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Subject, Tenant,
};
use ringwall_rate_limit::{Caller, Dimensions, KeyPart, LimitRule, LimitRules, NoKey, Tier};

use crate::support::minute;

fn standard() -> LimitRules {
    LimitRules::standard()
        .expect("quotas")
        .build()
        .expect("rules")
}

fn tier<'a>(rules: &'a LimitRules, name: &str) -> &'a Tier {
    rules.tier(name).expect("a tier")
}

/// The names of the limits.
fn names(rules: &LimitRules, buckets: &Dimensions) -> Vec<String> {
    let name = |policy| rules.policies().name(policy).to_owned();
    buckets.iter().map(|bucket| name(bucket.policy())).collect()
}

fn stranger() -> Caller<'static> {
    Caller {
        address: Some([192, 0, 2, 1].into()),
        ..Caller::default()
    }
}

fn principal(org: Option<&str>) -> Principal {
    let authentication = Authentication::new(AuthenticationMethod::Token);
    let subject = Subject::new("ada").expect("a subject");
    let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
    principal.tenant = org.map(|org| Tenant {
        org: OrgId::new(org).expect("an id"),
        project: None,
    });
    principal
}

#[test]
fn addresses_are_counted_at_arrival_and_callers_after_it() {
    let rules = standard();
    let acme = principal(Some("acme"));
    let caller = Caller {
        principal: Some(&acme),
        ..stranger()
    };
    let anonymous: &[&str] = &["anonymous"];
    let failed = &["failed_credentials"];
    for (name, presents, arrival, stage) in [
        ("default", false, anonymous, &["tenant", "user"][..]),
        ("default", true, failed, &["tenant", "user"]),
        ("auth", false, &["auth_address"], &[]),
        ("auth", true, &["auth_address", "failed_credentials"], &[]),
        ("heavy", false, anonymous, &["tenant", "user", "heavy"]),
        ("heavy", true, failed, &["tenant", "user", "heavy"]),
    ] {
        let tier = tier(&rules, name);
        let buckets = tier
            .at_arrival(&rules, &stranger(), presents)
            .expect("buckets");
        assert_eq!(names(&rules, &buckets), arrival, "{name} {presents}");
        let counted = tier.count_at_arrival(presents) > 0;
        let buckets = tier.of_caller(&rules, &caller, counted).expect("buckets");
        assert_eq!(names(&rules, &buckets), stage, "{name} {presents}");
    }
}

#[test]
fn a_caller_without_an_organisation_is_left_to_the_limit_of_users() {
    let rules = standard();
    let nowhere = principal(None);
    let caller = Caller {
        principal: Some(&nowhere),
        ..stranger()
    };
    let buckets = tier(&rules, "default").of_caller(&rules, &caller, false);
    assert_eq!(names(&rules, &buckets.expect("buckets")), ["user"]);
}

#[test]
fn a_stranger_is_in_no_bucket_of_identities_and_is_not_uncounted() {
    let rules = standard();
    let default = tier(&rules, "default");
    let buckets = default
        .of_caller(&rules, &stranger(), true)
        .expect("buckets");
    assert!(buckets.is_empty());
    let uncounted = default.of_caller(&rules, &stranger(), false);
    assert_eq!(uncounted.map(|_| ()), Err(NoKey::Uncounted));
    // Heavy work is counted by the address of whoever has no name.
    let buckets = tier(&rules, "heavy").of_caller(&rules, &stranger(), true);
    assert_eq!(names(&rules, &buckets.expect("buckets")), ["heavy"]);
}

#[test]
fn without_an_address_nobody_is_counted_by_one() {
    let rules = standard();
    let nowhere = Caller::default();
    for (name, presents) in [("default", false), ("default", true), ("auth", true)] {
        let buckets = tier(&rules, name).at_arrival(&rules, &nowhere, presents);
        assert_eq!(
            buckets.map(|_| ()),
            Err(NoKey::Address),
            "{name} {presents}"
        );
    }
}

#[test]
fn limits_that_tiers_share_are_one_bucket() {
    let rules = standard();
    let acme = principal(Some("acme"));
    let caller = Caller {
        principal: Some(&acme),
        ..stranger()
    };
    let bucket = |name| {
        tier(&rules, name)
            .of_caller(&rules, &caller, true)
            .expect("buckets")[0]
    };
    assert_eq!(bucket("default"), bucket("heavy"));
    let own = rules.bucket("tenant", &caller, None).expect("a limit");
    assert_eq!(own, Ok(bucket("default")));
    assert!(rules.bucket("tennant", &caller, None).is_none());
}

#[test]
fn a_tier_for_authenticated_callers_alone_counts_no_strangers() {
    let rules = standard();
    for name in ["default", "auth", "heavy"] {
        assert!(tier(&rules, name).counts_strangers(), "{name}");
    }
    let users = LimitRules::builder()
        .limit(LimitRule::new("user", minute(5), [KeyPart::User]))
        .tier("default", ["user"])
        .build()
        .expect("rules");
    assert!(!tier(&users, "default").counts_strangers());
    let unlimited = Tier::unlimited();
    let buckets = unlimited
        .of_caller(&rules, &stranger(), false)
        .expect("none");
    assert!(buckets.is_empty());
    let buckets = unlimited
        .at_arrival(&rules, &stranger(), true)
        .expect("one");
    assert_eq!(names(&rules, &buckets), ["failed_credentials"]);
}
