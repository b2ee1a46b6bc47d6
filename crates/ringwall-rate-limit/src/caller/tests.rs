use std::sync::Arc;

use ringwall_core::principal::{Authentication, OrgId, PrincipalKind, ProjectId, Subject, Tenant};

use super::*;
use crate::quota::Quota;

struct Bench {
    policies: Policies,
    policy: PolicyId,
}

impl Bench {
    fn new() -> Self {
        let quota = Quota::per_minute(5).unwrap();
        let policies = Policies::builder().add("test", quota).unwrap().build();
        let policy = policies.find("test").unwrap();
        Self { policies, policy }
    }

    fn key(&self, parts: &[KeyPart], caller: &Caller<'_>) -> Result<Dimension, NoKey> {
        bucket(&self.policies, self.policy, parts, 64, caller, None)
    }

    fn address(&self, address: &str, prefix: u8) -> Dimension {
        let caller = at(address);
        bucket(
            &self.policies,
            self.policy,
            &[KeyPart::Address],
            prefix,
            &caller,
            None,
        )
        .unwrap()
    }
}

fn at(address: &str) -> Caller<'static> {
    Caller {
        address: Some(address.parse().unwrap()),
        ..Caller::default()
    }
}

fn principal(method: AuthenticationMethod, issuer: Option<&str>, subject: &str) -> Principal {
    let subject = Subject::new(subject).unwrap();
    let mut principal = Principal::new(PrincipalKind::User, subject, Authentication::new(method));
    principal.issuer = issuer.map(Arc::from);
    principal
}

fn known(principal: &Principal) -> Caller<'_> {
    Caller {
        principal: Some(principal),
        ..Caller::default()
    }
}

fn tenant(org: &str, project: Option<&str>) -> Principal {
    let mut principal = principal(AuthenticationMethod::Token, Some("https://issuer"), "u");
    principal.tenant = Some(Tenant {
        org: OrgId::new(org).unwrap(),
        project: project.map(|project| ProjectId::new(project).unwrap()),
    });
    principal
}

const TOKEN: AuthenticationMethod = AuthenticationMethod::Token;

#[test]
fn an_ipv4_address_is_counted_whole() {
    let bench = Bench::new();
    assert_eq!(
        bench.address("192.0.2.1", 64),
        bench.address("192.0.2.1", 48)
    );
    assert_ne!(
        bench.address("192.0.2.1", 64),
        bench.address("192.0.2.2", 64)
    );
}

#[test]
fn an_ipv4_address_written_as_ipv6_is_the_same() {
    let bench = Bench::new();
    assert_eq!(
        bench.address("192.0.2.1", 64),
        bench.address("::ffff:192.0.2.1", 64)
    );
    assert_ne!(
        bench.address("::ffff:192.0.2.1", 64),
        bench.address("::ffff:192.0.2.2", 64)
    );
}

#[test]
fn rotating_through_a_64_stays_in_one_bucket_and_leaving_it_does_not() {
    let bench = Bench::new();
    let one = bench.address("2001:db8:1:2::1", 64);
    assert_eq!(one, bench.address("2001:db8:1:2:ffff:ffff:ffff:ffff", 64));
    assert_ne!(one, bench.address("2001:db8:1:3::1", 64));
}

#[test]
fn rotating_through_a_48_stays_in_the_bucket_of_a_coarser_limit() {
    let bench = Bench::new();
    let one = bench.address("2001:db8:1:2::1", 48);
    assert_eq!(one, bench.address("2001:db8:1:ffff::1", 48));
    assert_ne!(one, bench.address("2001:db8:2::1", 48));
    // The two limits never share a bucket, not even of a network whose bits are the same.
    assert_ne!(
        bench.address("2001:db8:1::", 48),
        bench.address("2001:db8:1::", 64)
    );
    assert_ne!(
        bench.address("2001:db8::1", 128),
        bench.address("2001:db8::2", 128)
    );
}

#[test]
fn an_ipv4_address_is_no_ipv6_network() {
    let bench = Bench::new();
    // The same first bytes.
    assert_ne!(
        bench.address("32.1.13.184", 64),
        bench.address("2001:db8::", 64)
    );
}

#[test]
fn a_missing_address_is_no_bucket() {
    let bench = Bench::new();
    let nobody = Caller::default();
    assert_eq!(bench.key(&[KeyPart::Address], &nobody), Err(NoKey::Address));
    assert_eq!(
        bench.key(&[KeyPart::Identity], &nobody),
        Err(NoKey::Address)
    );
}

#[test]
fn nobody_is_in_no_bucket_of_an_identity() {
    let bench = Bench::new();
    let stranger = Caller {
        identity_header: Some("alice"),
        ..at("192.0.2.1")
    };
    for part in [
        KeyPart::Organisation,
        KeyPart::Project,
        KeyPart::ApiKey,
        KeyPart::User,
    ] {
        assert_eq!(
            bench.key(&[part], &stranger),
            Err(NoKey::Principal),
            "{part:?}"
        );
        assert_eq!(
            bench.key(&[KeyPart::Address, part], &stranger),
            Err(NoKey::Principal),
            "{part:?}"
        );
    }
}

#[test]
fn a_caller_without_an_organisation_shares_no_bucket_with_others() {
    let bench = Bench::new();
    let caller = principal(TOKEN, None, "u");
    for part in [KeyPart::Organisation, KeyPart::Project] {
        assert_eq!(
            bench.key(&[part], &known(&caller)),
            Err(NoKey::Organisation)
        );
    }
}

#[test]
fn a_project_is_one_within_its_organisation() {
    let bench = Bench::new();
    let key = |org: &str, project: Option<&str>, parts: &[KeyPart]| {
        let caller = tenant(org, project);
        bench.key(parts, &known(&caller)).unwrap()
    };
    for parts in [
        &[KeyPart::Project][..],
        &[KeyPart::Organisation, KeyPart::Project],
    ] {
        let one = key("a", Some("p"), parts);
        assert_eq!(one, key("a", Some("p"), parts));
        assert_ne!(one, key("b", Some("p"), parts));
        assert_ne!(one, key("a", Some("q"), parts));
        assert_ne!(one, key("a", None, parts));
        assert_ne!(key("a", None, parts), key("b", None, parts));
    }
    let both = [KeyPart::Organisation];
    assert_eq!(key("a", Some("p"), &both), key("a", Some("q"), &both));
}

#[test]
fn a_subject_is_one_within_its_issuer_and_its_kind() {
    let bench = Bench::new();
    let key = |principal: &Principal| bench.key(&[KeyPart::User], &known(principal)).unwrap();
    let one = principal(TOKEN, Some("https://one"), "u");
    assert_eq!(
        key(&one),
        key(&principal(
            AuthenticationMethod::Session,
            Some("https://one"),
            "u"
        ))
    );
    assert_ne!(key(&one), key(&principal(TOKEN, Some("https://two"), "u")));
    assert_ne!(key(&one), key(&principal(TOKEN, None, "u")));
    assert_ne!(key(&one), key(&principal(TOKEN, Some("https://one"), "v")));
    // The end of the issuer is not the beginning of the subject.
    assert_ne!(
        key(&principal(TOKEN, Some("a"), "bc")),
        key(&principal(TOKEN, Some("ab"), "c"))
    );
    let mut service = one.clone();
    service.kind = PrincipalKind::Service;
    assert_ne!(key(&one), key(&service));
}

#[test]
fn an_api_key_is_counted_by_its_id() {
    let bench = Bench::new();
    let with_id = |method, id: &str| {
        let mut caller = principal(method, None, "owner");
        caller.authentication.credential_id = Some(id.into());
        caller
    };
    let one = with_id(AuthenticationMethod::ApiKey, "k1");
    let other = with_id(AuthenticationMethod::ApiKey, "k2");
    for part in [KeyPart::ApiKey, KeyPart::Identity] {
        let key = |caller: &Principal| bench.key(&[part], &known(caller)).unwrap();
        assert_eq!(key(&one), key(&one.clone()));
        assert_ne!(key(&one), key(&other));
    }
    // A token's id is no key's.
    let token = with_id(TOKEN, "k1");
    assert_eq!(
        bench.key(&[KeyPart::ApiKey], &known(&token)),
        Err(NoKey::ApiKey)
    );
    let nameless = principal(AuthenticationMethod::ApiKey, None, "owner");
    assert_eq!(
        bench.key(&[KeyPart::ApiKey], &known(&nameless)),
        Err(NoKey::ApiKey)
    );
}

#[test]
fn an_identity_is_the_principal_before_the_ingress_before_the_address() {
    let bench = Bench::new();
    let caller = principal(TOKEN, Some("https://one"), "alice");
    let key = |principal, identity_header, address: Option<&str>| {
        let caller = Caller {
            principal,
            identity_header,
            address: address.map(|address| address.parse().unwrap()),
        };
        bench.key(&[KeyPart::Identity], &caller).unwrap()
    };
    let by_principal = key(Some(&caller), None, None);
    assert_eq!(
        by_principal,
        key(Some(&caller), Some("bob"), Some("192.0.2.1"))
    );
    let by_ingress = key(None, Some("bob"), None);
    assert_eq!(by_ingress, key(None, Some("bob"), Some("192.0.2.1")));
    let by_address = key(None, None, Some("192.0.2.1"));
    assert_eq!(by_address, key(None, None, Some("::ffff:192.0.2.1")));
    assert_ne!(by_principal, by_ingress);
    assert_ne!(by_ingress, by_address);
}

#[test]
fn no_two_kinds_of_identity_collide() {
    let bench = Bench::new();
    let named = |method, id: Option<&str>| {
        let mut caller = principal(method, None, "alice");
        caller.authentication.credential_id = id.map(Into::into);
        caller
    };
    let principals = [
        named(TOKEN, None),
        named(AuthenticationMethod::MutualTls, None),
        named(AuthenticationMethod::ApiKey, None),
        named(AuthenticationMethod::ApiKey, Some("alice")),
    ];
    let mut keys: Vec<_> = principals
        .iter()
        .map(|caller| bench.key(&[KeyPart::Identity], &known(caller)).unwrap())
        .collect();
    let by_ingress = |name: &'static str| {
        let caller = Caller {
            identity_header: Some(name),
            ..Caller::default()
        };
        bench.key(&[KeyPart::Identity], &caller).unwrap()
    };
    keys.extend(["alice", "our", "api key"].map(by_ingress));
    // An address of four bytes that reads as a name.
    keys.push(
        bench
            .key(&[KeyPart::Identity], &at("97.108.105.99"))
            .unwrap(),
    );
    keys.push(by_ingress("alic"));
    for (n, one) in keys.iter().enumerate() {
        for other in &keys[n + 1..] {
            assert_ne!(one, other, "{n}");
        }
    }
}

#[test]
fn what_a_handler_gives_is_counted_and_nothing_is_not() {
    let bench = Bench::new();
    let key = |given| {
        bucket(
            &bench.policies,
            bench.policy,
            &[KeyPart::Given],
            64,
            &Caller::default(),
            given,
        )
    };
    assert_eq!(key(None), Err(NoKey::Given));
    assert_eq!(key(Some("")), Err(NoKey::Given));
    assert_ne!(key(Some("a")).unwrap(), key(Some("b")).unwrap());
    assert_eq!(key(Some(&"x".repeat(1025))), Err(NoKey::Unusable));
}

#[test]
fn an_empty_or_huge_name_is_no_bucket() {
    let bench = Bench::new();
    for name in ["", &"x".repeat(1 << 20)] {
        let caller = Caller {
            identity_header: Some(name),
            ..at("192.0.2.1")
        };
        assert_eq!(
            bench.key(&[KeyPart::Identity], &caller),
            Err(NoKey::Unusable)
        );
    }
    let caller = principal(TOKEN, Some(""), "u");
    assert_eq!(
        bench.key(&[KeyPart::User], &known(&caller)),
        Err(NoKey::Unusable)
    );
}

#[test]
fn as_many_parts_as_a_key_takes_are_one_key_and_more_are_none() {
    let bench = Bench::new();
    let caller = tenant("o", Some("p"));
    let known = Caller {
        principal: Some(&caller),
        ..at("2001:db8::1")
    };
    let mut parts = vec![KeyPart::Organisation, KeyPart::Project, KeyPart::User];
    assert!(bench.key(&parts, &known).is_ok());
    parts.push(KeyPart::Address);
    assert_eq!(bench.key(&parts, &known), Err(NoKey::Unusable));
}

#[test]
fn an_organisation_is_part_of_its_project() {
    let bench = Bench::new();
    let caller = tenant("o", Some("p"));
    let both = [KeyPart::Organisation, KeyPart::Project];
    assert_eq!(
        bench.key(&both, &known(&caller)),
        bench.key(&[KeyPart::Project], &known(&caller))
    );
    // Parts beside one another are not one another's.
    let key = |issuer, subject, address: &str| {
        let caller = principal(TOKEN, issuer, subject);
        let caller = Caller {
            principal: Some(&caller),
            ..at(address)
        };
        bench
            .key(&[KeyPart::User, KeyPart::Address], &caller)
            .unwrap()
    };
    let one = key(Some("i"), "s", "192.0.2.1");
    assert_ne!(one, key(Some("i"), "s", "192.0.2.2"));
    assert_ne!(one, key(Some("i"), "t", "192.0.2.1"));
    assert_ne!(one, key(None, "s", "192.0.2.1"));
}

#[test]
fn every_part_is_found_by_its_name() {
    for part in KeyPart::ALL {
        assert_eq!(KeyPart::from_name(part.as_str()), Some(*part));
    }
    assert_eq!(KeyPart::from_name("ip"), None);
}

#[test]
fn a_cause_is_what_the_error_says() {
    for error in [
        NoKey::Address,
        NoKey::Principal,
        NoKey::Organisation,
        NoKey::ApiKey,
        NoKey::Given,
        NoKey::Uncounted,
        NoKey::TooMany,
    ] {
        assert_eq!(error.to_string(), error.cause());
    }
}
