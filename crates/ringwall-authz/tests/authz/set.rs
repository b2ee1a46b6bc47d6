//! What is set, what is not, and what is so perhaps.

use ringwall_authz::{
    Condition, Policy, PolicyDocument, Rule, SessionError, SubjectBuilder, Value, session_settings,
};
use ringwall_core::principal::Subject;

use crate::people::{now, principal, somebody, verified};
use crate::semantics::{document, everybody, forbid_when, permit_when, policy, read};

fn numbered(rules: impl IntoIterator<Item = Rule>) -> Policy {
    let mut document = rules.into_iter().fold(document(), PolicyDocument::rule);
    let case = document.resources.get_mut("case").expect("declared");
    case.id = Some("integer".to_owned());
    Policy::new(document).expect("a policy")
}

#[test]
fn what_is_there_and_is_no_value_is_set_perhaps() {
    // A rule that forbids what is marked does not let it pass because the mark cannot be read.
    for (path, mark, is_read) in [
        ("resource.sensitivity", "none", true),
        ("resource.sensitivity", "public", false),
        ("resource.sensitivity", "PUBLIC", false),
        ("resource.id", "none", true),
        ("resource.id", "null", true),
        ("resource.id", "17", false),
        ("subject.team", "none", true),
        ("subject.team", "null", true),
        ("subject.team", "a", false),
        ("subject.team", "two", false),
        ("subject.team", "a number", false),
        ("context.purpose", "none", true),
        ("context.purpose", "audit", false),
        ("context.purpose", "a number", false),
    ] {
        let marked = numbered([everybody(), forbid_when(Condition::is_set(path))]);
        let absent = Condition::not(Condition::is_set(path));
        for policy in [marked, numbered([permit_when(absent)])] {
            let mut subject = somebody(&policy, "u1").roles(["analyst"]);
            let mut case = policy.resource("case").expect("declared").org("o1");
            let mut context = policy.context(now());
            match (path, mark) {
                (_, "none") => {}
                ("resource.sensitivity", _) => case = case.attribute("sensitivity", mark),
                // A text, where ids are numbers.
                ("resource.id", "null") => case = case.id(Value::Null),
                ("resource.id", _) => case = case.id(mark),
                ("subject.team", "two") => {
                    subject = subject.attribute("team", "a", None);
                    subject = subject.attribute("team", "b", None);
                }
                ("subject.team", "null") => {
                    subject = subject.attribute("team", Value::Null, None);
                }
                ("subject.team", "a number") => subject = subject.attribute("team", 7_i64, None),
                ("subject.team", _) => subject = subject.attribute("team", mark, None),
                (_, "a number") => context = context.attribute("purpose", 7_i64),
                _ => context = context.attribute("purpose", mark),
            }
            let subject = subject.build();
            let decision = policy.decide(&subject, "read", &case, &context);
            assert_eq!(decision.is_permit(), is_read, "{path} {mark}");
            // To a database it would be as if nobody had told it.
            let is_unheard = (path, mark) == ("context.purpose", "a number");
            let told = session_settings(&subject, &context);
            let refused = is_unheard.then_some(SessionError::Context);
            assert_eq!(told.err(), refused, "{path} {mark}");
        }
    }
    // One that is told well afterwards is what was told last.
    let policy = policy([
        everybody(),
        forbid_when(Condition::is_set("resource.amount")),
    ]);
    let subject = somebody(&policy, "u1").build();
    let case = policy.resource("case").expect("declared").org("o1");
    let case = case
        .attribute("amount", "much")
        .attribute("amount", Value::Null);
    let decision = policy.decide(&subject, "read", &case, &policy.context(now()));
    assert!(decision.is_permit());
}

#[test]
fn what_was_told_by_a_misspelt_name_is_not_taken_for_null() {
    let set = || Condition::is_set("resource.owner");
    let unowned = policy([permit_when(Condition::not(set()))]);
    let held = policy([everybody(), forbid_when(set())]);
    let is_read = |policy: &Policy, name: &str, value: Value<'_>| {
        let decision = read(policy, &[(name, value)]);
        assert_eq!(decision.errors().is_empty(), name != "ownr");
        decision.is_permit()
    };
    for policy in [&unowned, &held] {
        assert!(is_read(policy, "owner", Value::Null));
        assert!(!is_read(policy, "owner", "u2".into()));
        assert!(!is_read(policy, "ownr", "u2".into()));
        assert!(is_read(policy, "amount", 7_i64.into()));
        // One that was told as null is null, whatever else was told: by a service that is ahead of its policy.
        let both = [("owner", Value::Null), ("ownr", "u2".into())];
        assert!(read(policy, &both).is_permit());
    }
}

#[test]
fn an_attribute_of_the_subject_by_a_misspelt_name_is_perhaps_the_one_that_was_not_told() {
    let set = || Condition::is_set("subject.team");
    let marked = policy([everybody(), forbid_when(set())]);
    let unmarked = policy([permit_when(Condition::not(set()))]);
    for policy in [&marked, &unmarked] {
        let is_read = |subject: SubjectBuilder| {
            let case = policy.resource("case").expect("declared").org("o1");
            let context = policy.context(now());
            policy
                .decide(&subject.build(), "read", &case, &context)
                .is_permit()
        };
        let u1 = || somebody(policy, "u1");
        assert!(is_read(u1()));
        assert!(!is_read(u1().attribute("taem", "a", None)));
        assert!(!is_read(u1().attribute_is_complete("taem")));
        // Of which it is known that there is none.
        assert!(is_read(u1().attribute("taem", "a", None).attribute(
            "team",
            Value::Null,
            None
        )));
        assert!(is_read(u1().attribute("regions", "eu", None)));
    }
}

#[test]
fn null_says_nothing_of_a_set_and_of_anything_else_that_there_is_none() {
    let banned = policy([permit_when(Condition::not(Condition::member(
        "resource.region",
        "subject.regions",
    )))]);
    let is_read = |subject: SubjectBuilder| {
        let case = banned.resource("case").expect("declared").org("o1");
        let case = case.attribute("region", "eu");
        let context = banned.context(now());
        banned
            .decide(&subject.build(), "read", &case, &context)
            .is_permit()
    };
    let u1 = || somebody(&banned, "u1");
    assert!(!is_read(u1()));
    assert!(!is_read(u1().attribute("regions", Value::Null, None)));
    assert!(is_read(u1().attribute_is_complete("regions")));
    assert!(is_read(u1().attribute("regions", "us", None)));
    assert!(is_read(u1().attribute("regions", "us", None).attribute(
        "regions",
        Value::Null,
        None
    )));
}

#[test]
fn where_no_row_was_read_its_attributes_are_unknown_and_not_null() {
    let set = || Condition::is_set("resource.owner");
    let forbidden = policy([everybody(), forbid_when(set())]);
    let permitted = policy([permit_when(Condition::not(set()))]);
    let by_id = policy([permit_when(Condition::not(Condition::is_set(
        "resource.id",
    )))]);
    for policy in [&forbidden, &permitted, &by_id] {
        let subject = somebody(policy, "u1").build();
        let case = || policy.resource("case").expect("declared").org("o1");
        let is_read = |case| {
            policy
                .decide(&subject, "read", &case, &policy.context(now()))
                .is_permit()
        };
        assert!(is_read(case()), "a row that has none");
        assert!(!is_read(case().without_row()), "no row");
    }
}

#[test]
fn whoever_acts_for_somebody_does_so_whether_that_one_has_an_id_or_not() {
    let mut document = document();
    document.subject.id = Some("uuid".to_owned());
    let rules = [
        everybody(),
        forbid_when(Condition::is_set("subject.on_behalf_of")),
    ];
    let policy =
        Policy::new(rules.into_iter().fold(document, PolicyDocument::rule)).expect("a policy");
    for (name, is_foreign) in [
        (Some("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), false),
        (Some("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"), true),
        (Some("no uuid"), false),
        (None, false),
    ] {
        let mut caller = principal("u1", Some("o1"), None);
        caller.on_behalf_of = name.map(|name| Subject::new(name).expect("a subject"));
        let mut subject = policy.subject(&verified(caller));
        if is_foreign {
            subject = subject.of_foreign_issuer();
        }
        let case = policy.resource("case").expect("declared").org("o1");
        let decision = policy.decide(&subject.build(), "read", &case, &policy.context(now()));
        assert_eq!(decision.is_permit(), name.is_none(), "{name:?}");
    }
}
