//! What is known of subjects.

use std::sync::Arc;

use ringwall_authz::directory::{conformance, listing_conformance};
use ringwall_authz::{
    AttributeDefinition, Condition, DirectorySubjects, MemoryDirectory, Policy, PolicyDocument,
    PolicyInformationPoint as _, ResourceDefinition, RoleDefinition, Rule, StoredAttribute,
    SubjectBuilder, SubjectDirectory, SubjectFacts, SubjectResolver as _, ready, session_settings,
};
use ringwall_core::principal::{OrgId, Role, Subject};

use crate::people::{now, principal, somebody, verified};

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

#[tokio::test]
async fn a_namesake_of_another_issuer_is_somebody_else() {
    let document = PolicyDocument::new("owners")
        .role("analyst", RoleDefinition::new())
        .subject_attribute("clearance", "sensitivity")
        .resource(
            "case",
            ResourceDefinition::new(["read"]).attribute("owner", AttributeDefinition::new("text")),
        )
        .rule(
            Rule::permit("own", "case", ["read"])
                .roles(["analyst"])
                .when(Condition::eq("resource.owner", "subject.id")),
        );
    let policy = Policy::new(document).expect("a policy");
    let directory = MemoryDirectory::new();
    let (org, user) = (
        OrgId::new("o1").expect("valid"),
        Subject::new("u1").expect("valid"),
    );
    let clearance = StoredAttribute::new("clearance", "restricted", None);
    directory
        .grant_attribute(&org, &user, &clearance)
        .await
        .expect("granted");
    let subjects = DirectorySubjects::of_issuer(Arc::new(directory), "https://ours.example")
        .and_roles_of_credentials();
    for (issuer, is_ours) in [
        (None, true),
        (Some("https://ours.example"), true),
        (Some("https://partner.example"), false),
    ] {
        let mut caller = principal("u1", Some("o1"), None);
        caller.issuer = issuer.map(Into::into);
        caller.roles.push(Role::new("analyst").expect("a role"));
        let known = subjects
            .resolve(&verified(caller), now())
            .await
            .expect("known");
        let subject = known.for_policy(&policy);
        let owned = || {
            let case = policy.resource("case").expect("declared").org("o1");
            case.attribute("owner", "u1")
        };
        let context = policy.context(now());
        let decision = policy.decide(&subject, "read", &owned(), &context);
        assert_eq!(decision.is_permit(), is_ours, "{issuer:?}");
        // Nor does a session hear a name under which the database holds somebody else's.
        let settings = session_settings(&subject, &context).expect("it can be told");
        for name in [
            "ringwall.directory_org",
            "ringwall.directory_subject",
            "ringwall.subject_id",
        ] {
            let told = settings.iter().find(|setting| setting.name == name);
            let told = told.expect("it is told").value.as_str();
            assert_eq!(!told.is_empty(), is_ours, "{issuer:?} {name}");
        }
        // Under an id that the service gave it, it is somebody.
        let named = known.with_id("partner-u1").for_policy(&policy);
        let case = owned().attribute("owner", "partner-u1");
        let decision = policy.decide(&named, "read", &case, &context);
        assert!(decision.is_permit(), "{issuer:?}");
    }
}

#[test]
fn a_session_is_told_the_name_under_which_the_directory_was_asked() {
    let policy = ready::rows().expect("a policy");
    let told = |subject: SubjectBuilder| {
        let settings = session_settings(&subject.build(), &policy.context(now()));
        let settings = settings.expect("it can be told");
        let found = settings
            .into_iter()
            .find(|setting| setting.name == "ringwall.directory_subject");
        found.expect("it is told").value
    };
    let facts = SubjectFacts::new(1);
    assert_eq!(told(somebody(&policy, "u1")), "");
    assert_eq!(told(somebody(&policy, "u1").facts(&facts)), "vu1");
    let internal = somebody(&policy, "u1").in_directory_as("17");
    assert_eq!(told(internal.clone().facts(&facts)), "v17");
    assert_eq!(told(internal), "v17");
}

#[test]
fn a_session_is_told_for_which_relations_the_database_knows_the_pairs() {
    const ALL: &str = "user_departments";
    let policy = ready::rows().expect("a policy");
    let none: [&str; 0] = [];
    let u1 = || somebody(&policy, "u1");
    let foreign = || u1().of_foreign_issuer();
    for (subject, is_known) in [
        (u1(), false),
        (u1().related(ALL, ["sales"]), true),
        (u1().related(ALL, none), true),
        (u1().related_in_database(ALL), true),
        // One pair says nothing of the others.
        (u1().is_related(ALL, "sales", true), false),
        (
            u1().is_related(ALL, "sales", true).related_in_database(ALL),
            true,
        ),
        // What cannot be is unknown, whatever the database knows.
        (u1().related(ALL, [7_i64]).related_in_database(ALL), false),
        // Under the name, the database holds those of somebody else.
        (foreign().related_in_database(ALL), false),
        (foreign().related(ALL, ["sales"]), false),
        (foreign().related(ALL, none), true),
        (foreign().known_as("17").related_in_database(ALL), true),
    ] {
        let settings = session_settings(&subject.clone().build(), &policy.context(now()));
        let settings = settings.expect("it can be told");
        let found = settings
            .iter()
            .find(|setting| setting.name == "ringwall.relations");
        let words = &found.expect("it is told").value;
        let expected = if is_known {
            "v user_departments "
        } else {
            "v "
        };
        assert_eq!(words, expected, "{subject:?}");
    }
}
