//! Roles, scopes and what keeps them apart.

use ringwall_authz::{
    Cause, Policy, PolicyDocument, RequiredRole, RequiredScope, ResourceDefinition, RoleDefinition,
    Rule, SeparationOfDuty, ready,
};

use crate::people::{now, somebody, with_claims};

#[test]
fn rank_grants_nothing_but_rank() {
    let policy = ready::organisation().expect("a policy");
    let dev = somebody(&policy, "u1").roles(["DEV"]).build();
    assert!(dev.has_rank_of("BILLING") && dev.has_rank_of("VIEWER") && dev.has_rank_of("DEV"));
    assert!(!dev.has_rank_of("ADMIN") && !dev.has_rank_of("OWNER"));
    assert!(!dev.has_rank_of("nobody"));
    assert!(!dev.has_scope("billing:read"), "a developer sees no bills");
    assert!(!dev.has_role("BILLING"));
    let billing = somebody(&policy, "u2").roles(["BILLING"]).build();
    assert!(billing.has_scope("billing:read") && !billing.has_scope("projects:read"));
}

#[test]
fn whoever_gives_a_role_away_has_all_that_it_is_worth() {
    let text = r#"
        version = 1
        name = "covers"
        roles.owner = { rank = 50, scopes = ["*"] }
        roles.admin = { rank = 40, scopes = ["members:write", "cases:read", "cases:write"] }
        roles.dev = { rank = 30, scopes = ["cases:read", "cases:write"] }
        roles.lead = { rank = 30, inherits = ["dev", "auditor"] }
        roles.billing = { rank = 20, scopes = ["billing:read"] }
        roles.viewer = { rank = 10, scopes = ["cases:read"] }
        roles.deputy = { rank = 5, inherits = ["owner"] }
        roles.auditor = { rank = 1 }
        roles.suspended = { rank = 1 }
        roles.label = {}
        roles.labelled = { inherits = ["label"] }
        resources.case = { actions = ["read", "write", "audit"] }
        resources.bill = { actions = ["read"] }
        separation_of_duty = [{ name = "two", kind = "static", roles = ["billing", "auditor"], at_most = 1 }]
        rules = [
            { id = "read", effect = "permit", resource = "case", actions = ["read"], scopes = ["cases:read"] },
            { id = "audit", effect = "permit", resource = "case", actions = ["audit"], roles = ["auditor"] },
            { id = "bills", effect = "permit", resource = "bill", actions = ["read"], scopes = ["billing:read"] },
            { id = "stop", effect = "forbid", resource = "case", actions = ["*"], roles = ["suspended"] },
        ]
    "#;
    let policy = Policy::from_toml(text).expect("a policy");
    let all = [
        "owner",
        "admin",
        "dev",
        "lead",
        "billing",
        "viewer",
        "deputy",
        "auditor",
        "suspended",
        "label",
        "labelled",
        "nobody",
    ];
    for (roles, expected) in [
        // The role itself, lower ones whose scopes it has, and what only forbids.
        (&["admin"][..], &["admin", "dev", "viewer", "suspended"][..]),
        (&["dev"], &["dev", "viewer", "suspended"]),
        // By rank it could give all but the owner, and it has one scope.
        (&["billing"], &["billing", "suspended"]),
        // Nobody but an auditor makes auditors, whom a rule names.
        (
            &["owner"],
            &[
                "owner",
                "admin",
                "dev",
                "billing",
                "viewer",
                "deputy",
                "suspended",
            ],
        ),
        (
            &["lead"],
            &["dev", "lead", "viewer", "auditor", "suspended"],
        ),
        // It is worth what it inherits, and so is its rank.
        (
            &["deputy"],
            &[
                "owner",
                "admin",
                "dev",
                "billing",
                "viewer",
                "deputy",
                "suspended",
            ],
        ),
        // What has no rank is given by those who have it.
        (&["label"], &["label"]),
        (&["labelled"], &["label", "labelled"]),
        (
            &["admin", "billing"],
            &["admin", "dev", "billing", "viewer", "suspended"],
        ),
        (&["billing", "auditor"], &[]),
        // What a role of its own forbids it, the other would do.
        (&["admin", "suspended"], &["suspended"]),
        (&[], &[]),
    ] {
        let subject = somebody(&policy, "u1").roles(roles).build();
        let covered: Vec<&str> = all
            .into_iter()
            .filter(|role| subject.covers(role))
            .collect();
        assert_eq!(covered, expected, "{roles:?}");
    }
    // A client that was trusted with scopes gives no role away.
    let limited = with_claims(
        &policy,
        &[],
        &["cases:read", "cases:write", "members:write"],
    );
    let limited = limited
        .roles(["admin"])
        .limited_to_scopes_of_credential()
        .build();
    assert!(!all.into_iter().any(|role| limited.covers(role)));
}

#[test]
fn roles_are_compared_byte_by_byte_and_look_alikes_are_nobody() {
    let policy = ready::rows().expect("a policy");
    for role in [
        "Admin",
        "ADMIN",
        "admin ",
        "\u{430}dmin",
        "a\u{200b}dmin",
        "",
        "admin\u{301}",
    ] {
        let subject = somebody(&policy, "u1").roles([role]).build();
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let decision = policy.decide(&subject, "read", &case, &policy.context(now()));
        assert!(
            !decision.is_permit() && !subject.has_role("admin"),
            "{role:?}"
        );
    }
}

#[test]
fn no_role_comes_from_a_credential_unless_that_is_said() {
    let policy = ready::rows().expect("a policy");
    let claims = || with_claims(&policy, &["admin"], &[]);
    assert!(!claims().build().has_role("admin"));
    assert!(claims().roles_of_credential().build().has_role("admin"));
}

#[test]
fn a_wildcard_in_a_credential_stands_for_all_only_where_the_policy_says_so() {
    let organisation = ready::organisation().expect("a policy");
    let key = with_claims(&organisation, &[], &["*", "runs:*", "chat:read"]);
    let key = key.scopes_of_credential().build();
    assert!(key.has_scope("chat:read"));
    assert!(!key.has_scope("runs:read") && !key.has_scope("members:write"));
    let endpoints = ready::endpoints().expect("a policy");
    let key = with_claims(&endpoints, &[], &["*"])
        .scopes_of_credential()
        .build();
    assert!(key.has_scope("discover") && key.has_scope("metrics"));
    assert!(!key.has_scope("*") && !key.has_scope("another"));
}

#[test]
fn a_scope_with_a_wildcard_stands_for_those_that_begin_alike() {
    let document = PolicyDocument::new("scopes")
        .role("writer", RoleDefinition::new().scopes(["cases:*"]))
        .resource("case", ResourceDefinition::new(["read"]))
        .rule(Rule::permit("r", "case", ["read"]).scopes(["cases:read", "casesx:read"]))
        .rule(Rule::permit("s", "case", ["read"]).scopes(["cases:write"]));
    let policy = Policy::new(document).expect("a policy");
    let subject = somebody(&policy, "u1").roles(["writer"]).build();
    assert!(subject.has_scope("cases:read") && subject.has_scope("cases:write"));
    assert!(!subject.has_scope("casesx:read"));
}

fn separated(separation: SeparationOfDuty) -> Policy {
    let document = PolicyDocument::new("duty")
        .role("payer", RoleDefinition::new())
        .role("approver", RoleDefinition::new())
        .role("chief", RoleDefinition::new().inherits(["approver"]))
        .resource("payment", ResourceDefinition::new(["pay"]))
        .rule(Rule::permit("pay", "payment", ["pay"]).roles(["payer"]))
        .separate(separation);
    Policy::new(document).expect("a policy")
}

#[test]
fn a_static_separation_counts_inherited_roles_and_stops_everything() {
    let policy = separated(SeparationOfDuty::fixed("pay", ["payer", "approver"]));
    let ask = |roles: &[&str], uses: Option<&[&str]>| {
        let mut subject = somebody(&policy, "u1").roles(roles);
        if let Some(uses) = uses {
            subject = subject.use_roles(uses.iter().copied());
        }
        let subject = subject.build();
        let payment = policy
            .resource("payment")
            .expect("declared")
            .id("p1")
            .org("o1");
        let decision = policy.decide(&subject, "pay", &payment, &policy.context(now()));
        (decision.cause(), subject.has_role("payer"))
    };
    assert_eq!(ask(&["payer"], None), (Cause::Permitted, true));
    assert_eq!(
        ask(&["payer", "approver"], None),
        (Cause::SeparationOfDuty, false)
    );
    assert_eq!(
        ask(&["payer", "chief"], None),
        (Cause::SeparationOfDuty, false),
        "inherited"
    );
    assert_eq!(
        ask(&["payer", "chief"], Some(&["payer"])),
        (Cause::SeparationOfDuty, false)
    );
}

#[test]
fn a_dynamic_separation_counts_the_roles_that_are_used() {
    let policy = separated(SeparationOfDuty::dynamic("pay", ["payer", "approver"]));
    let ask = |uses: Option<&[&str]>| {
        let mut subject = somebody(&policy, "u1").roles(["payer", "chief"]);
        if let Some(uses) = uses {
            subject = subject.use_roles(uses.iter().copied());
        }
        let payment = policy
            .resource("payment")
            .expect("declared")
            .id("p1")
            .org("o1");
        policy
            .decide(&subject.build(), "pay", &payment, &policy.context(now()))
            .cause()
    };
    assert_eq!(ask(None), Cause::SeparationOfDuty);
    assert_eq!(ask(Some(&["payer"])), Cause::Permitted);
    assert_eq!(ask(Some(&["chief"])), Cause::NoRuleApplies);
    assert_eq!(ask(Some(&["payer", "chief"])), Cause::SeparationOfDuty);
    assert_eq!(
        ask(Some(&["owner"])),
        Cause::NoRuleApplies,
        "what is not held is not used"
    );
}

#[test]
fn what_is_forbidden_to_a_role_stays_so_when_the_role_is_left_aside() {
    let document = || {
        PolicyDocument::new("aside")
            .role("analyst", RoleDefinition::new())
            .role("contractor", RoleDefinition::new().scopes(["external"]))
            .resource("case", ResourceDefinition::new(["read"]))
            .rule(Rule::permit("read", "case", ["read"]).roles(["analyst"]))
    };
    let forbid = || Rule::forbid("no-contractors", "case", ["read"]);
    for forbid in [
        forbid().roles(["contractor"]),
        forbid().scopes(["external"]),
    ] {
        stays_forbidden(&Policy::new(document().rule(forbid)).expect("a policy"));
    }
}

fn stays_forbidden(policy: &Policy) {
    for (held, used, cause) in [
        (vec!["analyst"], vec!["analyst"], Cause::Permitted),
        (
            vec!["analyst", "contractor"],
            vec!["analyst"],
            Cause::ForbiddenByRule,
        ),
        (
            vec!["analyst", "contractor"],
            vec![],
            Cause::ForbiddenByRule,
        ),
    ] {
        let subject = somebody(policy, "u1").roles(&held).use_roles(used).build();
        let case = policy.resource("case").expect("declared").org("o1");
        let context = policy.context(now());
        let decision = policy.decide(&subject, "read", &case, &context);
        assert_eq!(decision.cause(), cause, "{held:?}");
        let explanation = policy.explain(&subject, "read", &case, &context);
        assert_eq!(explanation.decision.cause(), cause);
        let forbids = explanation
            .rules
            .iter()
            .any(|rule| rule.rule == "no-contractors" && rule.applies);
        assert_eq!(forbids, cause == Cause::ForbiddenByRule, "{held:?}");
    }
}

#[test]
fn what_is_forbidden_to_the_giver_matters_where_the_other_could_be_permitted_it() {
    let text = |forbid: &str| {
        format!(
            r#"
            version = 1
            name = "bound"
            roles.owner = {{ rank = 3, inherits = ["dev"] }}
            roles.dev = {{ rank = 2, scopes = ["cases:read", "cases:delete"] }}
            roles.viewer = {{ rank = 1, scopes = ["cases:read"] }}
            roles.deleter = {{ rank = 1, scopes = ["cases:delete"] }}
            roles.frozen = {{ rank = 1, scopes = ["frozen"] }}
            resources.case = {{ actions = ["read", "delete"] }}
            rules = [
                {{ id = "read", effect = "permit", resource = "case", actions = ["read"], scopes = ["cases:read"] }},
                {{ id = "delete", effect = "permit", resource = "case", actions = ["delete"], scopes = ["cases:delete"] }},
                {{ id = "thaw", effect = "permit", resource = "case", actions = ["read"], scopes = ["frozen", "cases:read"] }},
                {{ id = "no", effect = "forbid", resource = "case", actions = ["delete"], {forbid} }},
            ]
            "#
        )
    };
    for (forbid, roles, covered) in [
        // Developers delete nothing; whoever is given another role that may, would.
        (
            r#"roles = ["dev"]"#,
            &["owner"][..],
            &["owner", "dev", "viewer"][..],
        ),
        (
            r#"roles = ["frozen"]"#,
            &["owner"],
            &["owner", "dev", "viewer", "deleter"],
        ),
        (
            r#"roles = ["frozen"]"#,
            &["owner", "frozen"],
            &["viewer", "frozen"],
        ),
        (
            r#"scopes = ["frozen"]"#,
            &["owner"],
            &["owner", "dev", "viewer", "deleter"],
        ),
        // By a scope it is the same.
        (
            r#"scopes = ["frozen"]"#,
            &["owner", "frozen"],
            &["viewer", "frozen"],
        ),
    ] {
        let policy = Policy::from_toml(&text(forbid)).expect("a policy");
        let subject = somebody(&policy, "u1").roles(roles).build();
        let all = ["owner", "dev", "viewer", "deleter", "frozen"];
        let found: Vec<&str> = all
            .into_iter()
            .filter(|role| subject.covers(role))
            .collect();
        assert_eq!(found, covered, "{forbid} {roles:?}");
    }
}

#[test]
fn a_rule_for_several_roles_decides_once() {
    let policy = PolicyDocument::new("several")
        .role("analyst", RoleDefinition::new())
        .role("manager", RoleDefinition::new())
        .resource("case", ResourceDefinition::new(["read", "delete"]))
        .rule(Rule::permit("either", "case", ["read"]).roles(["analyst", "manager"]))
        .rule(Rule::forbid("neither", "case", ["delete"]).roles(["analyst", "manager"]));
    let policy = Policy::new(policy).expect("a policy");
    let both = || somebody(&policy, "u1").roles(["analyst", "manager"]);
    let case = policy.resource("case").expect("declared").org("o1");
    let context = policy.context(now());
    for (subject, action, rule) in [
        (both(), "read", "either"),
        // Found under a role that is left aside, and judged all the same.
        (both().use_roles(["manager"]), "read", "either"),
        (both().use_roles(["analyst"]), "read", "either"),
        (both(), "delete", "neither"),
    ] {
        let decision = policy.decide(&subject.build(), action, &case, &context);
        let rules: Vec<&str> = decision.determining_rules().collect();
        assert_eq!(rules, [rule], "{action}");
        assert_eq!(decision.number_of_determining_rules(), 1);
    }
}

#[test]
fn a_role_that_is_not_held_cannot_be_used() {
    let policy = ready::rows().expect("a policy");
    let subject = somebody(&policy, "u1")
        .roles(["viewer"])
        .use_roles(["admin"])
        .build();
    assert!(!subject.has_role("admin") && !subject.has_role("viewer"));
}

#[test]
fn what_is_looked_up_once_follows_the_policy_of_the_subject() {
    let (scope, role) = (RequiredScope::new("jobs"), RequiredRole::new("reader"));
    let (endpoints, rows) = (
        ready::endpoints().expect("a policy"),
        ready::rows().expect("a policy"),
    );
    for _ in 0..3 {
        let reader = somebody(&endpoints, "u1").roles(["reader"]).build();
        assert!(scope.is_held_by(&reader) && role.is_held_by(&reader));
        let viewer = somebody(&rows, "u1").roles(["viewer", "admin"]).build();
        assert!(!scope.is_held_by(&viewer) && !role.is_held_by(&viewer));
        let nobody = somebody(&endpoints, "u1").build();
        assert!(!scope.is_held_by(&nobody) && !role.is_held_by(&nobody));
        assert!(!RequiredScope::new("unknown").is_held_by(&reader));
    }
    let policy = separated(SeparationOfDuty::fixed("pay", ["payer", "approver"]));
    let both = somebody(&policy, "u1").roles(["payer", "approver"]).build();
    assert!(!RequiredRole::new("payer").is_held_by(&both));
}
