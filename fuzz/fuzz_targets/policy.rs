//! A policy of whatever text: what is accepted says the same when it is written down again, decides without a panic, and
//! permits nothing to whom no rule permits it; what is refused says where.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ringwall_authz::{Cases, Policy, PolicyFaults, RowLevelSecurityOptions};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Subject, Tenant,
};

fn check(text: &str, read: Result<Policy, PolicyFaults>) {
    let policy = match read {
        Ok(policy) => policy,
        Err(faults) => {
            assert!(!faults.faults().is_empty() && faults.faults().len() <= 51);
            let lines = u32::try_from(text.lines().count()).unwrap_or(u32::MAX);
            for fault in faults.faults() {
                assert!(
                    fault
                        .line
                        .is_none_or(|line| line <= lines.saturating_add(1))
                );
            }
            return;
        }
    };
    let json = serde_json::to_string(policy.document()).expect("a policy has a text");
    let again = Policy::from_json(&json).expect("its own text is accepted");
    assert_eq!(policy.hash(), again.hash());
    assert!(policy.document().differences(again.document()).is_empty());

    let mut principal = Principal::new(
        PrincipalKind::User,
        Subject::new("u1").expect("a subject"),
        Authentication::new(AuthenticationMethod::Token),
    );
    principal.tenant = Some(Tenant {
        org: OrgId::new("o1").expect("an organisation"),
        project: None,
    });
    let context = policy.context(Timestamp::UNIX_EPOCH);
    let of = |roles: bool| {
        let subject = policy.subject_of(&principal, Attest::i_have_verified_this());
        if roles {
            let names: Vec<&String> = policy.document().roles.keys().collect();
            subject.roles(names).build()
        } else {
            subject.build()
        }
    };
    for subject in [of(false), of(true)] {
        for (name, resource) in &policy.document().resources {
            let foreign = policy.resource(name).expect("declared").id("x").org("o2");
            let own = policy.resource(name).expect("declared").id("x").org("o1");
            for action in &resource.actions {
                let decision = policy.decide(&subject, action, &foreign, &context);
                assert!(
                    resource.tenantless || !decision.is_permit(),
                    "another tenant's"
                );
                let decision = policy.decide(&subject, action, &own, &context);
                if decision.is_permit() {
                    assert!(decision.number_of_determining_rules() > 0);
                    assert!(subject.broken_separation().is_none());
                }
                let explained = policy.explain(&subject, action, &own, &context);
                assert_eq!(explained.decision.is_permit(), decision.is_permit());
                let _filter = policy.filter(&subject, action, name, &context);
            }
        }
    }
    let options = RowLevelSecurityOptions::new("app").expect("a name");
    if let Ok(statements) = policy.row_level_security(&options) {
        // Literals are closed: outside of the bodies of functions, quotes come in pairs.
        assert_eq!(statements.matches('\'').count() % 2, 0);
        assert_eq!(statements.matches('"').count() % 2, 0);
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = str::from_utf8(data) else {
        return;
    };
    check(text, Policy::from_toml(text));
    check(text, Policy::from_json(text));
    let _cases = Cases::from_toml(text);
});
