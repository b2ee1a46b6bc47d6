//! What is known of subjects.

use std::sync::Arc;

use ringwall_authz::directory::{conformance, listing_conformance};
use ringwall_authz::{
    Condition, MemoryDirectory, Policy, PolicyDocument, PolicyInformationPoint as _,
    ResourceDefinition, Rule, StoredAttribute, SubjectDirectory, SubjectFacts, ready,
};
use ringwall_core::principal::{OrgId, Subject};

use crate::people::{now, somebody};

#[tokio::test]
async fn a_directory_in_memory_keeps_the_contract() {
    conformance::run(|| async { Arc::new(MemoryDirectory::new()) as Arc<dyn SubjectDirectory> })
        .await;
}

#[tokio::test]
async fn a_directory_in_memory_lists_its_subjects() {
    listing_conformance::run(|| async { Arc::new(MemoryDirectory::new()) }).await;
}

#[tokio::test]
async fn what_a_directory_knows_decides() {
    let policy = ready::rows().expect("a policy");
    let directory = MemoryDirectory::new();
    let (org, user) = (
        OrgId::new("o1").expect("valid"),
        Subject::new("u1").expect("valid"),
    );
    directory
        .grant_role(&org, &user, "manager")
        .await
        .expect("granted");
    directory
        .add_department(&org, &user, "sales")
        .await
        .expect("added");
    let facts = directory.facts(&org, &user).await.expect("it answers");
    let subject = somebody(&policy, "u1").facts(&facts).build();
    assert_eq!(subject.version(), Some(facts.version));
    let ask = |department: &'static str| {
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let case = case.attribute("department", department);
        policy
            .decide(&subject, "update", &case, &policy.context(now()))
            .is_permit()
    };
    assert!(ask("sales") && !ask("legal"));
}

#[test]
fn a_stored_text_that_is_none_of_its_type_is_unknown() {
    let document = PolicyDocument::new("types")
        .subject_attribute("limit", "integer")
        .subject_attribute("trusted", "boolean")
        .subject_attribute("since", "timestamp")
        .subject_attribute("device", "uuid")
        .subject_attribute("clearance", "sensitivity")
        .resource("case", ResourceDefinition::new(["read"]));
    for (key, value, is_set) in [
        ("limit", "7", true),
        ("limit", "-9223372036854775808", true),
        ("limit", "+7", false),
        ("limit", "007", false),
        ("limit", " 7", false),
        ("limit", "9223372036854775808", false),
        ("trusted", "true", true),
        ("trusted", "TRUE", false),
        ("trusted", "1", false),
        ("since", "2026-01-01T00:00:00Z", true),
        ("since", "yesterday", false),
        ("device", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", true),
        ("device", "f81d4fae", false),
        ("clearance", "internal", true),
        ("clearance", "Internal", false),
        ("unknown to this policy", "x", false),
    ] {
        let rule = Rule::permit("set", "case", ["read"]);
        let path = format!("subject.{key}");
        let rule = match key {
            "unknown to this policy" => rule.when(Condition::is_set("subject.limit")),
            _ => rule.when(Condition::is_set(path)),
        };
        let policy = Policy::new(document.clone().rule(rule)).expect("a policy");
        let mut facts = SubjectFacts::new(1);
        facts
            .attributes
            .push(StoredAttribute::new(key, value, None));
        let subject = somebody(&policy, "u1").facts(&facts).build();
        assert_eq!(subject.errors(), []);
        let case = policy
            .resource("case")
            .expect("declared")
            .id("c1")
            .org("o1");
        let decision = policy.decide(&subject, "read", &case, &policy.context(now()));
        assert_eq!(decision.is_permit(), is_set, "{key} {value:?}");
    }
}
