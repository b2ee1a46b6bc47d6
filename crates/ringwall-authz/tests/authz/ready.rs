//! The ready-made policies decide their cases.

use ringwall_authz::{Cases, Policy, ready};

fn check(policy: &str, cases: &str, least: usize) {
    let policy = Policy::from_toml(policy).expect("a policy");
    let cases = Cases::from_toml(cases).expect("cases");
    let outcomes = cases.run(&policy);
    assert!(outcomes.len() >= least);
    for outcome in outcomes {
        assert_eq!(outcome.failure, None, "{outcome}");
    }
}

#[test]
fn rows() {
    check(
        ready::ROWS,
        include_str!("../../policies/rows.cases.toml"),
        14,
    );
}

#[test]
fn rows_and_clearance() {
    let cases = include_str!("../../policies/rows_and_clearance.cases.toml");
    check(ready::ROWS_AND_CLEARANCE, cases, 9);
}

#[test]
fn organisation() {
    check(
        ready::ORGANISATION,
        include_str!("../../policies/organisation.cases.toml"),
        14,
    );
}

#[test]
fn endpoints() {
    check(
        ready::ENDPOINTS,
        include_str!("../../policies/endpoints.cases.toml"),
        8,
    );
}

#[test]
fn a_case_that_comes_out_otherwise_is_told() {
    let policy = ready::rows().expect("a policy");
    let text = include_str!("../../policies/rows.cases.toml");
    let turned = text.replace("expect = \"permit\"", "expect = \"other\"");
    let turned = turned.replace("expect = \"forbid\"", "expect = \"permit\"");
    let turned = turned.replace("expect = \"other\"", "expect = \"forbid\"");
    let outcomes = Cases::from_toml(&turned).expect("cases").run(&policy);
    assert!(outcomes.iter().all(|outcome| outcome.failure.is_some()));
}

#[test]
fn a_case_whose_resource_belongs_to_nobody_shows_nothing() {
    let cases = |resource: &str| {
        format!(
            "[[cases]]\nname = \"one\"\nsubject = {{ id = \"u1\", org = \"o1\", roles = [\"viewer\"] }}\n\
             action = \"delete\"\nresource = {resource}\nexpect = \"forbid\"\n"
        )
    };
    let policy = Policy::from_toml(ready::ROWS).expect("a policy");
    for (resource, is_shown) in [
        (r#"{ type = "case", id = "c1", org = "o1" }"#, true),
        (r#"{ type = "case", id = "c1", org = "o2" }"#, true),
        (r#"{ type = "case", id = "c1" }"#, false),
    ] {
        let outcomes = Cases::from_toml(&cases(resource))
            .expect("cases")
            .run(&policy);
        let failure = outcomes[0].failure.as_deref();
        assert_eq!(failure.is_none(), is_shown, "{failure:?}");
    }
}

#[test]
fn what_is_shown_of_a_policy_names_it_and_is_not_all_of_it() {
    let policy = Policy::from_toml(ready::ROWS).expect("a policy");
    let shown = format!("{policy:?}");
    let hash = policy.hash().to_string();
    assert!(
        shown.contains("rows") && shown.contains(&hash) && shown.len() < 150,
        "{shown}"
    );
}
