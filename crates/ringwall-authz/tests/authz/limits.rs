//! Subjects whose credential is limited to scopes: what its roles permit, as far as its scopes name it.

use ringwall_authz::{
    AttributeDefinition, Cause, Condition, CredentialScopes, Policy, PolicyDocument, RequiredRole,
    RequiredScope, ResourceDefinition, RoleDefinition, RowFilter, Rule, RuleObligations,
    SubjectBuilder, TableDefinition, ready, session_settings,
};
use ringwall_core::classification::{Obligation, Sensitivity};
use ringwall_core::principal::Scope;

use crate::people::{now, principal, somebody, verified, with_claims};

/// Roles that grant scopes, rules that demand them, rules that demand roles alone, and forbids by scopes and roles.
fn policy() -> Policy {
    let case = ResourceDefinition::new(["read", "update", "delete", "export"])
        .table(TableDefinition::new("cases"));
    let document = PolicyDocument::new("limits")
        .role("admin", RoleDefinition::new().rank(2).scopes(["cases:*"]))
        .role(
            "reader",
            RoleDefinition::new().rank(1).scopes(["cases:read"]),
        )
        .role("leaver", RoleDefinition::new().scopes(["frozen"]))
        .resource("case", case)
        .rule(Rule::permit("read", "case", ["read"]).scopes(["cases:read"]))
        .rule(Rule::permit("update", "case", ["update"]).scopes(["cases:read", "cases:write"]))
        .rule(Rule::permit("delete", "case", ["delete"]).roles(["admin"]))
        .rule(
            Rule::permit("export", "case", ["export"])
                .roles(["admin", "leaver"])
                .scopes(["cases:export"]),
        )
        .rule(Rule::forbid("frozen", "case", ["*"]).scopes(["frozen"]));
    Policy::new(document).expect("a policy")
}

const ACTIONS: [&str; 4] = ["read", "update", "delete", "export"];

/// What the subject may do, as decisions and as row filters say it alike.
fn may(policy: &Policy, subject: SubjectBuilder) -> Vec<&'static str> {
    let subject = subject.build();
    let context = policy.context(now());
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    let is_permitted = |action: &&str| {
        let decision = policy.decide(&subject, action, &case, &context);
        let filter = policy.filter(&subject, action, "case", &context);
        let filter = filter.expect("it can be asked");
        assert_eq!(
            decision.is_permit(),
            !matches!(filter, RowFilter::Nothing(_)),
            "{action}"
        );
        decision.is_permit()
    };
    ACTIONS.into_iter().filter(is_permitted).collect()
}

#[test]
fn a_limited_credential_does_what_its_roles_permit_and_its_scopes_name() {
    let policy = policy();
    let all = ACTIONS.to_vec();
    for (roles, scopes, expected) in [
        (&["admin"][..], &[][..], all.clone()),
        // The scopes of OpenID Connect speak of the login.
        (&["admin"], &["openid", "email"], all),
        (&["admin"], &["cases:read"], vec!["read"]),
        (&["admin"], &["openid", "cases:read"], vec!["read"]),
        (&["admin"], &["cases:write"], vec![]),
        (
            &["admin"],
            &["cases:read", "cases:write"],
            vec!["read", "update"],
        ),
        (&["admin"], &["cases:export"], vec!["export"]),
        // The roles bound what scopes name, too.
        (
            &["reader"],
            &["cases:read", "cases:write", "cases:export"],
            vec!["read"],
        ),
        (&[], &["cases:read"], vec![]),
        // Names that nobody knows, that look alike, or that stand for others where the policy does not say so.
        (&["admin"], &["case:read"], vec![]),
        (&["admin"], &["CASES:READ"], vec![]),
        (&["admin"], &["*"], vec![]),
        (&["admin"], &["cases:*"], vec![]),
    ] {
        let subject = with_claims(&policy, &[], scopes).roles(roles);
        let subject = subject.limited_to_scopes_of_credential();
        assert_eq!(may(&policy, subject), expected, "{roles:?} {scopes:?}");
    }
}

#[test]
fn a_limit_takes_nothing_away_that_forbids() {
    let policy = policy();
    let limited = |roles: &[&str], scopes: &[&str]| {
        let subject = with_claims(&policy, &[], scopes).roles(roles);
        may(&policy, subject.limited_to_scopes_of_credential())
    };
    assert_eq!(limited(&["reader"], &["cases:read"]), ["read"]);
    // The scope that forbids is of a role, and the credential does not name it.
    assert_eq!(limited(&["reader", "leaver"], &["cases:read"]), [""; 0]);
    // Or the credential names it, and no role grants it.
    assert_eq!(limited(&["reader"], &["cases:read", "frozen"]), [""; 0]);
    assert_eq!(limited(&["reader", "leaver"], &[]), [""; 0]);
}

#[test]
fn whoever_asks_for_a_role_is_not_told_of_those_of_a_limited_credential() {
    let policy = policy();
    let subject = |scopes: &[&str]| {
        let subject = with_claims(&policy, &[], scopes).roles(["admin"]);
        subject.limited_to_scopes_of_credential().build()
    };
    let (limited, whole) = (subject(&["cases:read"]), subject(&[]));
    assert!(limited.is_limited() && !whole.is_limited());
    assert!(whole.has_role("admin") && whole.has_rank_of("reader"));
    assert!(!limited.has_role("admin") && !limited.has_rank_of("reader"));
    assert!(limited.has_scope("cases:read") && !limited.has_scope("cases:write"));
    assert!(whole.has_scope("cases:write"));
    let (role, read, write) = (
        RequiredRole::new("admin"),
        RequiredScope::new("cases:read"),
        RequiredScope::new("cases:write"),
    );
    assert!(role.is_held_by(&whole) && !role.is_held_by(&limited));
    assert!(read.is_held_by(&limited) && !write.is_held_by(&limited));
}

#[test]
fn a_policy_without_scopes_cannot_be_limited_by_them() {
    let policy = ready::rows().expect("a policy");
    let subject = with_claims(&policy, &[], &["cases:read"]).roles(["admin"]);
    let subject = subject.limited_to_scopes_of_credential().build();
    assert!(!subject.is_limited() && subject.has_role("admin"));
}

#[test]
fn a_wildcard_limits_nothing_where_the_policy_says_that_it_stands_for_all() {
    let policy = ready::endpoints().expect("a policy");
    let subject = |roles: &[&str], scopes: &[&str]| {
        let subject = with_claims(&policy, &[], scopes).roles(roles);
        subject.limited_to_scopes_of_credential().build()
    };
    assert!(!subject(&["reader"], &["*"]).is_limited());
    assert!(subject(&["reader"], &["*"]).has_scope("jobs"));
    // It is all that the roles grant, and no more.
    assert!(!subject(&["reader"], &["*"]).has_scope("discover"));
    assert!(subject(&["reader"], &["job*"]).is_limited());
    assert!(!subject(&["reader"], &["job*"]).has_scope("jobs"));
}

#[test]
fn a_session_is_told_of_the_limit() {
    let policy = policy();
    let told = |subject: SubjectBuilder| {
        let settings = session_settings(&subject.build(), &policy.context(now())).expect("told");
        let of = |name: &str| {
            let name = format!("ringwall.{name}");
            let found = settings.iter().find(|setting| setting.name == name);
            found.expect("it is given each time").value.clone()
        };
        [of("scopes"), of("all_scopes"), of("limited")]
    };
    let subject = with_claims(&policy, &[], &["cases:read", "cases:export"]);
    let subject = subject
        .roles(["reader", "leaver"])
        .limited_to_scopes_of_credential();
    assert_eq!(
        told(subject),
        [
            "v cases:read ",
            "v cases:export cases:read frozen ",
            "vtrue"
        ]
    );
    let subject = somebody(&policy, "u1").roles(["reader"]);
    assert_eq!(told(subject), ["v cases:read ", "v cases:read ", "vfalse"]);
}

#[test]
fn an_explanation_says_that_the_credential_is_limited() {
    let policy = policy();
    let subject = with_claims(&policy, &[], &["cases:read"]).roles(["admin"]);
    let subject = subject.limited_to_scopes_of_credential().build();
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    let explain = |action| policy.explain(&subject, action, &case, &policy.context(now()));
    let explanation = explain("delete");
    assert_eq!(explanation.decision.cause(), Cause::NoRuleApplies);
    let text = explanation.to_string();
    assert!(
        text.contains(
            "delete does not apply: it demands no scope, and the credential is limited to scopes"
        ),
        "{text}"
    );
    let text = explain("update").to_string();
    assert!(
        text.contains("the subject lacks the scope cases:write"),
        "{text}"
    );
}

#[test]
fn a_scope_that_its_issuer_may_not_grant_limits_although_it_was_left_out() {
    let policy = policy();
    for (scopes, expected) in [
        (&[][..], vec![]),
        (&["openid"], vec![]),
        (&["cases:read"], vec!["read"]),
    ] {
        let mut principal = principal("u1", Some("o1"), None);
        principal.has_scopes_left_out = true;
        let scopes = scopes
            .iter()
            .map(|scope| Scope::new(*scope).expect("a scope"));
        principal.scopes = scopes.collect();
        let limits = CredentialScopes::ByKind.limits(&principal);
        let subject = policy.subject(&verified(principal)).roles(["admin"]);
        let subject = subject.limited_to_scopes_of_credential();
        assert!(limits);
        assert_eq!(may(&policy, subject), expected);
    }
    let all = ready::rows().expect("a policy");
    let mut principal = principal("u1", Some("o1"), None);
    principal.has_scopes_left_out = true;
    let subject = all.subject(&verified(principal)).roles(["admin"]);
    let subject = subject.limited_to_scopes_of_credential().build();
    assert!(
        !subject.is_limited(),
        "a policy without scopes cannot be limited by them"
    );
}

#[test]
fn a_role_that_is_left_aside_takes_no_obligation_with_it() {
    let mask = RuleObligations::default().mask_above(Sensitivity::Internal);
    let case = ResourceDefinition::new(["read"]).table(TableDefinition::new("cases"));
    let document = PolicyDocument::new("aside")
        .role("manager", RoleDefinition::new())
        .role("analyst", RoleDefinition::new())
        .resource("case", case)
        .rule(Rule::permit("manager", "case", ["read"]).roles(["manager"]))
        .rule(
            Rule::permit("analyst", "case", ["read"])
                .roles(["analyst"])
                .owes(mask),
        );
    let policy = Policy::new(document).expect("a policy");
    let context = policy.context(now());
    for (held, used, rules, is_masked) in [
        (
            &["manager", "analyst"][..],
            None,
            &["manager", "analyst"][..],
            true,
        ),
        (&["manager", "analyst"], Some("manager"), &["manager"], true),
        (&["manager", "analyst"], Some("analyst"), &["analyst"], true),
        (&["manager"], None, &["manager"], false),
    ] {
        let mut subject = somebody(&policy, "u1").roles(held);
        if let Some(used) = used {
            subject = subject.use_roles([used]);
        }
        let subject = subject.build();
        let case = policy.resource("case").expect("declared").org("o1");
        let decision = policy.decide(&subject, "read", &case, &context);
        let permitting: Vec<&str> = decision.determining_rules().collect();
        let filter = policy.filter(&subject, "read", "case", &context);
        let filter = filter.expect("it can be asked");
        let rows = filter.rows().expect("some are permitted");
        assert_eq!(permitting.len(), rules.len(), "{held:?} {used:?}");
        assert!(rules.iter().all(|rule| permitting.contains(rule)));
        assert_eq!(
            !decision.obligations().is_empty(),
            is_masked,
            "{held:?} {used:?}"
        );
        assert_eq!(
            !rows.obligations().is_empty(),
            is_masked,
            "{held:?} {used:?}"
        );
    }
    // Who uses none of them is permitted nothing, whatever would be owed.
    let nobody = somebody(&policy, "u1").roles(["analyst"]);
    let nobody = nobody.use_roles(["manager"]).build();
    let case = policy.resource("case").expect("declared").org("o1");
    assert!(!policy.decide(&nobody, "read", &case, &context).is_permit());
}

#[test]
fn a_limit_takes_no_obligation_away() {
    let masked = |name: &str| {
        let mask = RuleObligations::default().mask_above(Sensitivity::Internal);
        Rule::permit(name, "case", ["read"]).owes(mask)
    };
    let mask = [Obligation::MaskAbove(Sensitivity::Internal)];
    let hidden = Condition::eq("resource.hidden", true);
    let computed = Condition::eq("resource.computed", true);
    for (rule, roles, is_decided, is_filtered) in [
        (
            masked("role").roles(["desk"]),
            &["reader", "desk"][..],
            true,
            true,
        ),
        (masked("role").roles(["desk"]), &["reader"], false, false),
        (
            masked("scope").scopes(["masked"]),
            &["reader", "desk"],
            true,
            true,
        ),
        // A scope that nobody granted.
        (
            masked("scope").scopes(["masked"]),
            &["reader"],
            false,
            false,
        ),
        // Not of this row, which a filter cannot know.
        (masked("row").when(hidden), &["reader"], false, true),
        // What no database can answer may be true of a row.
        (masked("computed").when(computed), &["reader"], false, true),
    ] {
        let case = ResourceDefinition::new(["read"])
            .attribute("hidden", AttributeDefinition::new("boolean"))
            .attribute("computed", AttributeDefinition::computed("boolean"))
            .table(TableDefinition::new("cases"));
        let document = PolicyDocument::new("masks")
            .role("reader", RoleDefinition::new().scopes(["cases:read"]))
            .role("desk", RoleDefinition::new().scopes(["masked"]))
            .resource("case", case)
            .rule(Rule::permit("read", "case", ["read"]).scopes(["cases:read"]))
            .rule(rule);
        let policy = Policy::new(document).expect("a policy");
        let context = policy.context(now());
        let subject = with_claims(&policy, &[], &["cases:read"]).roles(roles);
        let subject = subject.limited_to_scopes_of_credential().build();
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let decision = policy.decide(&subject, "read", &case, &context);
        assert!(decision.is_permit());
        let owed = |is_owed| if is_owed { &mask[..] } else { &[] };
        assert_eq!(decision.obligations(), owed(is_decided), "{roles:?}");
        let filter = policy
            .filter(&subject, "read", "case", &context)
            .expect("it can be asked");
        let rows = filter.rows().expect("some are permitted");
        assert_eq!(rows.obligations(), owed(is_filtered), "{roles:?}");
    }
}
