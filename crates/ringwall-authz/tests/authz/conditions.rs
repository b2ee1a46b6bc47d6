//! What rules and their conditions may hold.

use ringwall_authz::{
    AttributeDefinition, Condition, Constant, MAX_CONDITION_PARTS, Operand, Policy, PolicyDocument,
    RelationDefinition, ResourceDefinition, RoleDefinition, Rule, RuleObligations, SetOperand,
};

use crate::people::{now, somebody};

fn policy(condition: Condition) -> Result<Policy, String> {
    with_rules([Rule::permit("rule", "case", ["read"]).when(condition)])
}

fn with_rules(rules: impl IntoIterator<Item = Rule>) -> Result<Policy, String> {
    let document = PolicyDocument::new("conditions").resource(
        "case",
        ResourceDefinition::new(["read"])
            .attribute("owner", AttributeDefinition::new("text"))
            .attribute("amount", AttributeDefinition::new("integer"))
            .attribute("flag", AttributeDefinition::new("boolean")),
    );
    let document = rules.into_iter().fold(document, PolicyDocument::rule);
    Policy::new(document).map_err(|faults| faults.to_string())
}

fn members(path: &str, members: impl IntoIterator<Item = Constant>) -> Condition {
    Condition::In(
        path.into(),
        SetOperand::Constants(members.into_iter().collect()),
    )
}

#[test]
fn a_constant_of_another_type_is_refused() {
    for condition in [
        Condition::eq("resource.owner", 3_i64),
        Condition::eq(3_i64, "resource.owner"),
        Condition::eq("resource.amount", true),
        Condition::eq("resource.flag", 1_i64),
        Condition::eq("resource.amount", Operand::text("3")),
        members("resource.owner", [Constant::Integer(3)]),
        members(
            "resource.owner",
            [Constant::from("a"), Constant::Boolean(true)],
        ),
        members(
            "resource.amount",
            [Constant::Integer(3), Constant::from("3")],
        ),
        members("resource.flag", [Constant::Integer(1)]),
    ] {
        assert!(policy(condition.clone()).is_err(), "{condition:?}");
    }
}

#[test]
fn a_condition_has_no_more_parts_than_it_may() {
    let parts = |number: usize| {
        let leaf =
            |number: usize| Condition::eq("resource.owner", Operand::text(format!("u{number}")));
        // The connective is a part too.
        policy(Condition::any((1..number).map(leaf)))
    };
    assert!(parts(MAX_CONDITION_PARTS).is_ok());
    let refused = parts(MAX_CONDITION_PARTS + 1).expect_err("it is refused");
    assert!(refused.contains("1024 parts at most"), "{refused}");
}

#[test]
fn members_stand_in_any_order_and_more_than_once() {
    let texts = ["us", "de", "eu", "de", "at"].map(Constant::from);
    let numbers = [7, -1, 3, 7, i64::MIN].map(Constant::Integer);
    for condition in [
        members("resource.owner", texts),
        members("resource.amount", numbers),
    ] {
        let policy = policy(condition.clone()).expect("a policy");
        let subject = somebody(&policy, "u1").build();
        let reads = |owner: &str, amount: i64| {
            let case = policy
                .resource("case")
                .expect("declared")
                .id("c1")
                .org("o1");
            let case = case.attribute("owner", owner).attribute("amount", amount);
            let decision = policy.decide(&subject, "read", &case, &policy.context(now()));
            decision.is_permit()
        };
        for (owner, amount) in [("us", 7), ("de", -1), ("eu", 3), ("at", i64::MIN)] {
            assert!(reads(owner, amount), "{condition:?} {owner} {amount}");
        }
        assert!(!reads("fr", 0) && !reads("", i64::MAX));
    }
}

#[test]
fn a_rule_that_says_two_things_is_refused() {
    let everybody = || Rule::permit("everybody", "case", ["read"]).anyone();
    let owned = || Condition::eq("resource.owner", "subject.id");
    assert!(with_rules([everybody()]).is_ok());
    let owing = RuleObligations::default().reason_required();
    for (rules, expected) in [
        (vec![everybody().when(owned())], "anyone is for a permit"),
        (
            vec![
                everybody(),
                Rule::forbid("forbid", "case", ["read"])
                    .when(owned())
                    .anyone(),
            ],
            "anyone is for a permit",
        ),
        (
            vec![
                everybody(),
                Rule::forbid("forbid", "case", ["read"])
                    .when(owned())
                    .owes(owing),
            ],
            "a forbid permits nothing that could owe something",
        ),
        (vec![everybody(), everybody()], "is named \"everybody\" too"),
    ] {
        let refused = with_rules(rules).expect_err("it is refused");
        assert!(refused.contains(expected), "{refused}");
    }
}

#[test]
fn roles_that_are_not_in_use_grant_no_scopes() {
    let document = PolicyDocument::new("scopes")
        .role("reader", RoleDefinition::new().scopes(["cases:read"]))
        .role("viewer", RoleDefinition::new());
    let policy = Policy::new(document).expect("a policy");
    let subject = somebody(&policy, "u1").roles(["reader", "viewer"]);
    assert!(subject.clone().build().has_scope("cases:read"));
    assert!(
        !subject
            .use_roles(["viewer"])
            .build()
            .has_scope("cases:read")
    );
}

#[test]
fn a_relation_that_was_told_wrong_is_not_made_known_by_what_is_told_later() {
    let document = PolicyDocument::new("relations")
        .relation("friends", RelationDefinition::new("text"))
        .resource(
            "case",
            ResourceDefinition::new(["read"]).attribute("owner", AttributeDefinition::new("text")),
        )
        .rule(
            Rule::permit("rule", "case", ["read"])
                .when(Condition::related("friends", "resource.owner")),
        );
    let policy = Policy::new(document).expect("a policy");
    let reads = |subject: ringwall_authz::SubjectBuilder| {
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let case = case.attribute("owner", "u2");
        let context = policy.context(now());
        policy
            .decide(&subject.build(), "read", &case, &context)
            .is_permit()
    };
    let subject = somebody(&policy, "u1");
    assert!(reads(subject.clone().related("friends", ["u2"])));
    let wrong = subject.related("friends", [1_i64]);
    assert!(!reads(wrong.clone().related("friends", ["u2"])));
    assert!(!reads(wrong.is_related("friends", "u2", true)));
}
