//! What a decision is.

use ringwall_authz::{
    AttributeDefinition, Cause, Condition, Decision, Operand, Policy, PolicyDocument,
    ResourceDefinition, RoleDefinition, Rule, Value,
};

use ringwall_core::principal::Subject;

use crate::people::{now, principal, somebody, verified};

pub(crate) fn document() -> PolicyDocument {
    PolicyDocument::new("semantics")
        .role("analyst", RoleDefinition::new())
        .subject_attribute("clearance", "sensitivity")
        .subject_attribute("team", "text")
        .subject_attribute("regions", "text_set")
        .context_attribute("purpose", "text")
        .resource(
            "case",
            ResourceDefinition::new(["read", "delete"])
                .attribute("owner", AttributeDefinition::new("text"))
                .attribute("sensitivity", AttributeDefinition::new("sensitivity"))
                .attribute("amount", AttributeDefinition::new("integer"))
                .attribute("region", AttributeDefinition::new("text")),
        )
}

pub(crate) fn policy(rules: impl IntoIterator<Item = Rule>) -> Policy {
    let document = rules.into_iter().fold(document(), PolicyDocument::rule);
    Policy::new(document).expect("a policy")
}

pub(crate) fn permit_when(condition: Condition) -> Rule {
    Rule::permit("permit", "case", ["read"]).when(condition)
}

pub(crate) fn forbid_when(condition: Condition) -> Rule {
    Rule::forbid("forbid", "case", ["read"]).when(condition)
}

fn forbid_named(id: &str, condition: Condition) -> Rule {
    Rule::forbid(id, "case", ["read"]).when(condition)
}

pub(crate) fn everybody() -> Rule {
    Rule::permit("everybody", "case", ["read"]).anyone()
}

/// Somebody reads a case of which these attributes are told.
pub(crate) fn read(policy: &Policy, attributes: &[(&str, Value<'_>)]) -> Decision {
    let subject = somebody(policy, "u1").roles(["analyst"]).build();
    let mut case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    for (name, value) in attributes {
        case = case.attribute(name, *value);
    }
    policy.decide(&subject, "read", &case, &policy.context(now()))
}

#[test]
fn what_no_rule_permits_is_forbidden() {
    let decision = read(&policy([]), &[]);
    assert_eq!(
        (decision.is_permit(), decision.cause()),
        (false, Cause::NoRuleApplies)
    );
    let policy = policy([Rule::permit("other", "case", ["delete"]).anyone()]);
    assert_eq!(read(&policy, &[]).cause(), Cause::NoRuleApplies);
}

#[test]
fn a_forbid_wins_over_every_permit() {
    let policy = policy([
        everybody(),
        permit_when(Condition::eq("resource.owner", "subject.id")),
        forbid_when(Condition::eq("resource.region", Operand::text("eu"))),
    ]);
    let decision = read(&policy, &[("owner", "u1".into()), ("region", "eu".into())]);
    assert_eq!(decision.cause(), Cause::ForbiddenByRule);
    assert_eq!(decision.determining_rules().collect::<Vec<_>>(), ["forbid"]);
    let decision = read(&policy, &[("owner", "u1".into()), ("region", "us".into())]);
    assert!(decision.is_permit());
    let rules: Vec<&str> = decision.determining_rules().collect();
    assert_eq!(rules.len(), 2);
    assert!(rules.contains(&"permit") && rules.contains(&"everybody"));
}

#[test]
fn null_and_missing_are_the_same_and_a_permit_needs_what_is_true() {
    let policy = policy([permit_when(Condition::ne(
        "resource.owner",
        Operand::text("u2"),
    ))]);
    assert!(read(&policy, &[("owner", "u1".into())]).is_permit());
    assert!(!read(&policy, &[("owner", "u2".into())]).is_permit());
    assert!(!read(&policy, &[("owner", Value::Null)]).is_permit());
    assert!(!read(&policy, &[]).is_permit());
}

#[test]
fn a_forbid_acts_when_nobody_can_tell() {
    // An engine that skips a forbid whose condition fails to evaluate is open where it should be shut.
    let policy = policy([
        everybody(),
        forbid_when(Condition::gt("resource.sensitivity", "subject.clearance")),
    ]);
    let decision = read(&policy, &[("sensitivity", "public".into())]);
    assert_eq!(
        decision.cause(),
        Cause::ForbiddenByRule,
        "no clearance was told"
    );
    let subject = somebody(&policy, "u1")
        .attribute("clearance", "internal", None)
        .build();
    let ask = |sensitivity: Value<'static>| {
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let case = case.attribute("sensitivity", sensitivity);
        policy
            .decide(&subject, "read", &case, &policy.context(now()))
            .is_permit()
    };
    assert!(ask("internal".into()));
    assert!(!ask("confidential".into()));
    assert!(!ask(Value::Null));
    assert!(!ask("secret".into()), "no such level");
}

#[test]
fn a_forbid_that_asks_what_is_equal_is_not_skipped_for_what_is_null() {
    // The index finds rules by the value of an attribute; where there is none, all of them may apply.
    let rules = (0..20).map(|number| {
        let region = Operand::text(format!("r{number}"));
        Rule::forbid(format!("f{number}"), "case", ["read"])
            .when(Condition::eq("resource.region", region))
    });
    let policy = policy(rules.chain([everybody()]));
    assert!(read(&policy, &[("region", "elsewhere".into())]).is_permit());
    assert_eq!(
        read(&policy, &[("region", "r7".into())]).number_of_determining_rules(),
        1
    );
    assert_eq!(read(&policy, &[]).number_of_determining_rules(), 20);
}

#[test]
fn is_set_is_the_only_question_that_null_answers() {
    let set = policy([permit_when(Condition::is_set("resource.owner"))]);
    assert!(read(&set, &[("owner", "u1".into())]).is_permit());
    assert!(!read(&set, &[]).is_permit());
    let unset = policy([permit_when(Condition::not(Condition::is_set(
        "resource.owner",
    )))]);
    assert!(read(&unset, &[]).is_permit());
    // What is compared with null is unknown, and so is its contrary.
    let not = policy([permit_when(Condition::not(Condition::eq(
        "resource.owner",
        Operand::text("u2"),
    )))]);
    assert!(!read(&not, &[]).is_permit());
}

/// With cases that are numbered.
#[test]
fn what_a_foreign_issuer_calls_somebody_is_the_name_of_nobody_here() {
    let owner_is = |path: &str| {
        let own = Condition::eq("resource.owner", path);
        policy([permit_when(own)])
    };
    let set = Condition::is_set("subject.id");
    let named = policy([everybody(), forbid_when(Condition::not(set.clone()))]);
    let nameless = policy([everybody(), forbid_when(set)]);
    for (policy, is_ours, is_foreign) in [
        (owner_is("subject.id"), true, false),
        (owner_is("subject.on_behalf_of"), true, false),
        // It has an id, which nobody knows here.
        (named, true, false),
        (nameless, false, false),
    ] {
        let mut caller = principal("u1", Some("o1"), None);
        caller.on_behalf_of = Some(Subject::new("u1").expect("a subject"));
        let subject = policy.subject(&verified(caller));
        for (subject, is_read) in [
            (subject.clone(), is_ours),
            (subject.of_foreign_issuer(), is_foreign),
        ] {
            let case = policy.resource("case").expect("declared").org("o1");
            let case = case.attribute("owner", "u1");
            let context = policy.context(now());
            let decision = policy.decide(&subject.build(), "read", &case, &context);
            assert_eq!(decision.is_permit(), is_read);
        }
    }
}

#[test]
fn the_connectives_are_those_of_sql() {
    let unknown = || Condition::eq("resource.owner", Operand::text("u1"));
    let yes = || Condition::is_set("subject.id");
    let no = || Condition::not(Condition::is_set("subject.id"));
    for (condition, expected) in [
        (Condition::all([yes(), unknown()]), false),
        (Condition::any([yes(), unknown()]), true),
        (Condition::any([no(), unknown()]), false),
        (Condition::not(Condition::all([no(), unknown()])), true),
        (Condition::not(Condition::any([no(), unknown()])), false),
    ] {
        let policy = policy([permit_when(condition.clone())]);
        assert_eq!(read(&policy, &[]).is_permit(), expected, "{condition:?}");
    }
    // A forbid acts on what is true and on what is unknown.
    for (condition, acts) in [
        (Condition::all([yes(), unknown()]), true),
        (Condition::all([no(), unknown()]), false),
        (Condition::any([no(), unknown()]), true),
    ] {
        let policy = policy([everybody(), forbid_when(condition.clone())]);
        assert_eq!(!read(&policy, &[]).is_permit(), acts, "{condition:?}");
    }
}

#[test]
fn an_empty_set_contains_nothing_and_what_is_null_stays_unknown() {
    let policy = policy([
        everybody(),
        forbid_when(Condition::member("resource.region", "subject.regions")),
    ]);
    let ask = |region: Value<'static>, is_complete: bool| {
        let mut subject = somebody(&policy, "u1");
        if is_complete {
            subject = subject.attribute_is_complete("regions");
        }
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let case = case.attribute("region", region);
        policy
            .decide(&subject.build(), "read", &case, &policy.context(now()))
            .is_permit()
    };
    assert!(ask("eu".into(), true));
    assert!(!ask(Value::Null, true));
    assert!(!ask("eu".into(), false), "nobody told the set");
}

#[test]
fn an_attribute_of_another_type_is_unknown_and_an_error() {
    let policy = policy([permit_when(Condition::ge("resource.amount", 1_i64))]);
    let decision = read(&policy, &[("amount", "1".into())]);
    assert!(!decision.is_permit());
    assert_eq!(decision.errors().len(), 1);
    assert_eq!(decision.errors()[0].attribute.as_ref(), "amount");
    let decision = read(
        &policy,
        &[
            ("amount", Value::Integer(1)),
            ("ammount", Value::Integer(2)),
        ],
    );
    assert!(decision.is_permit());
    assert_eq!(
        decision.errors()[0].to_string(),
        "resource.ammount is no attribute of this policy"
    );
}

#[test]
fn what_is_told_last_counts_also_when_it_does_not_fit() {
    let policy = policy([permit_when(Condition::ge("resource.amount", 1_i64))]);
    let decision = read(
        &policy,
        &[("amount", Value::Integer(1)), ("amount", "x".into())],
    );
    assert!(!decision.is_permit());
}

#[test]
fn another_tenants_resource_does_not_exist() {
    let policy = policy([everybody()]);
    let subject = somebody(&policy, "u1").build();
    let context = policy.context(now());
    for org in [Some("o2"), Some(""), Some("O1"), Some("o1 "), None] {
        let mut case = policy.resource("case").expect("declared").id("c1");
        if let Some(org) = org {
            case = case.org(org);
        }
        let decision = policy.decide(&subject, "read", &case, &context);
        assert_eq!(decision.cause(), Cause::OtherTenant, "{org:?}");
        assert_eq!(decision.denial().expect("a denial").http_status(), 404);
    }
}

#[test]
fn a_caller_of_one_project_acts_upon_that_project_alone() {
    let policy = policy([everybody()]);
    let bound = policy
        .subject(&verified(principal("k1", Some("o1"), Some("p1"))))
        .build();
    let free = somebody(&policy, "u1").build();
    let context = policy.context(now());
    let ask = |subject: &ringwall_authz::Subject, project: Option<&'static str>| {
        let mut case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        if let Some(project) = project {
            case = case.project(project);
        }
        policy.decide(subject, "read", &case, &context).is_permit()
    };
    assert!(ask(&bound, Some("p1")));
    assert!(!ask(&bound, Some("p2")) && !ask(&bound, None));
    assert!(ask(&free, Some("p1")) && ask(&free, Some("p2")) && ask(&free, None));
}

#[test]
fn a_subject_without_a_tenant_may_do_nothing_to_what_has_one() {
    let policy = policy([everybody()]);
    let subject = policy
        .subject(&verified(principal("u1", None, None)))
        .build();
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    let decision = policy.decide(&subject, "read", &case, &policy.context(now()));
    assert_eq!(decision.cause(), Cause::NoTenant);
    // Whoever belongs to nobody does not learn what there is.
    assert_eq!(decision.denial().expect("a denial").http_status(), 404);
    let decision = policy.decide(&subject, "unheard", &case, &policy.context(now()));
    assert_eq!(decision.cause(), Cause::NoTenant, "the tenant comes first");
}

#[test]
fn what_was_made_for_another_policy_is_not_judged_by_this_one() {
    let (one, other) = (policy([everybody()]), policy([everybody()]));
    assert_eq!(one.hash(), other.hash());
    let subject = somebody(&one, "u1").build();
    let case = one.resource("case").expect("declared").id("c1").org("o1");
    let context = one.context(now());
    assert!(one.decide(&subject, "read", &case, &context).is_permit());
    let decision = other.decide(&subject, "read", &case, &context);
    assert_eq!(decision.cause(), Cause::OtherPolicy);
    let decision = one.decide(&subject, "read", &case, &other.context(now()));
    assert_eq!(decision.denial().expect("a denial").http_status(), 503);
}

#[test]
fn an_attribute_ends_while_the_subject_is_still_there() {
    let policy = policy([permit_when(Condition::eq(
        "subject.team",
        Operand::text("red"),
    ))]);
    let end = now();
    let subject = somebody(&policy, "u1")
        .attribute("team", "red", Some(end))
        .build();
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    let before = ringwall_core::clock::Timestamp::from_unix_micros(end.unix_micros() - 1);
    assert!(
        policy
            .decide(&subject, "read", &case, &policy.context(before))
            .is_permit()
    );
    assert!(
        !policy
            .decide(&subject, "read", &case, &policy.context(end))
            .is_permit()
    );
}

#[test]
fn of_two_values_of_one_attribute_none_counts() {
    let policy = policy([permit_when(Condition::le(
        "resource.sensitivity",
        "subject.clearance",
    ))]);
    let ask = |second: Option<ringwall_core::clock::Timestamp>| {
        let subject = somebody(&policy, "u1")
            .attribute("clearance", "restricted", second)
            .attribute("clearance", "internal", None)
            .build();
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let case = case.attribute("sensitivity", "public");
        policy
            .decide(&subject, "read", &case, &policy.context(now()))
            .is_permit()
    };
    assert!(!ask(None), "two hold at once");
    assert!(ask(Some(now())), "one is over");
}

#[test]
fn texts_are_compared_byte_by_byte() {
    let policy = policy([permit_when(Condition::lt(
        "resource.owner",
        Operand::text("a"),
    ))]);
    assert!(read(&policy, &[("owner", "B".into())]).is_permit());
    assert!(read(&policy, &[("owner", "".into())]).is_permit());
    assert!(!read(&policy, &[("owner", "ä".into())]).is_permit());
}

#[test]
fn explains_why_a_rule_does_not_apply() {
    let policy = policy([
        permit_when(Condition::all([
            Condition::eq("resource.owner", "subject.id"),
            Condition::one_of("resource.region", ["us"]),
        ])),
        Rule::permit("managers", "case", ["read"])
            .roles(["analyst"])
            .when(Condition::eq("resource.amount", 1_i64)),
    ]);
    let subject = somebody(&policy, "u1").build();
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1");
    let case = case.attribute("owner", "u1").attribute("region", "eu");
    let explanation = policy.explain(&subject, "read", &case, &policy.context(now()));
    let text = explanation.to_string();
    assert!(
        text.contains(r#"resource.region = "eu" is not in {"us"}"#),
        "{text}"
    );
    assert!(
        text.contains("the subject uses none of the roles analyst"),
        "{text}"
    );
    assert_eq!(explanation.decision.cause(), Cause::NoRuleApplies);
}

#[test]
fn explains_levels_by_their_names_and_what_is_unknown() {
    let policy = policy([
        everybody(),
        forbid_when(Condition::gt("resource.sensitivity", "subject.clearance")),
        forbid_named(
            "secret",
            Condition::ge("resource.sensitivity", Operand::text("restricted")),
        ),
    ]);
    let subject = somebody(&policy, "u1").build();
    let case = policy
        .resource("case")
        .expect("declared")
        .id("c1")
        .org("o1")
        .attribute("sensitivity", "confidential");
    let text = policy
        .explain(&subject, "read", &case, &policy.context(now()))
        .to_string();
    let unknown = "resource.sensitivity = confidential > subject.clearance = unknown is unknown";
    assert!(text.contains(unknown), "{text}");
    let known = "resource.sensitivity = confidential >= restricted is false";
    assert!(text.contains(known), "{text}");
}

#[test]
fn what_was_told_wrong_once_is_not_made_known_by_what_is_told_later() {
    let policy = policy([
        everybody(),
        forbid_when(Condition::member("resource.region", "subject.regions")),
    ]);
    let ask = |subject: ringwall_authz::Subject| {
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1")
            .attribute("region", "eu");
        policy
            .decide(&subject, "read", &case, &policy.context(now()))
            .is_permit()
    };
    let good = somebody(&policy, "u1").attribute("regions", "us", None);
    assert!(ask(good.build()));
    let broken = somebody(&policy, "u1")
        .attribute("regions", "eu", None)
        .attribute("regions", 7_i64, None)
        .attribute("regions", "us", None)
        .attribute_is_complete("regions");
    assert!(!ask(broken.build()), "the first value was forgotten");
}

#[test]
fn a_relation_that_nobody_told_is_unknown_in_the_process_and_in_a_filter() {
    let policy = ringwall_authz::ready::rows().expect("a policy");
    let case = || {
        policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1")
    };
    let viewer = || somebody(&policy, "u1").roles(["viewer"]);
    let context = policy.context(now());
    let decide = |subject: &ringwall_authz::Subject| {
        policy
            .decide(subject, "read", &case(), &context)
            .is_permit()
    };
    let lists = |subject: &ringwall_authz::Subject| {
        let filter = policy.filter(subject, "read", "case", &context);
        filter.expect("it can be pushed").rows().is_some()
    };
    let untold = viewer().build();
    assert!(!decide(&untold) && !lists(&untold));
    let told = viewer().related("case_assignments", ["c1"]).build();
    assert!(decide(&told) && lists(&told));
    let asked = viewer()
        .related_in_database("case_assignments")
        .is_related("case_assignments", "c1", true)
        .build();
    assert!(decide(&asked) && lists(&asked));
}
