//! What a database session is told of a subject, and which subjects it cannot be told of.

use ringwall_authz::{
    AttributeDefinition, Condition, Policy, PolicyDocument, RelationDefinition, ResourceDefinition,
    RoleDefinition, RowLevelSecurityOptions, Rule, SessionError, StoredAttribute, SubjectBuilder,
    SubjectFacts, TableDefinition, Value, session_settings,
};

use crate::people::{now, somebody};

/// Rules for rows that ask for attributes in each way, and one for no rows that asks for `mfa`.
fn policy(when: Condition) -> Policy {
    Policy::new(document(when)).expect("a policy")
}

fn document(when: Condition) -> PolicyDocument {
    let mut table = TableDefinition::new("cases");
    table.commands.select = Some("read".to_owned());
    let case = ResourceDefinition::new(["read", "export"])
        .attribute("region", AttributeDefinition::new("text"))
        .table(table);
    PolicyDocument::new("sessions")
        .role("analyst", RoleDefinition::new())
        .subject_attribute("team", "text")
        .subject_attribute("banned", "text_set")
        .subject_attribute("mfa", "boolean")
        .context_attribute("purpose", "text")
        .relation("user_departments", RelationDefinition::new("text"))
        .resource("case", case)
        .resource("route", ResourceDefinition::new(["use"]))
        .rule(Rule::permit("read", "case", ["read"]).when(when))
        .rule(Rule::permit("route", "route", ["use"]).when(Condition::eq("subject.mfa", true)))
}

fn told(subject: SubjectBuilder, setting: &str) -> Result<String, SessionError> {
    let subject = subject.build();
    let context = subject.policy().context(now());
    let settings = session_settings(&subject, &context)?;
    let name = format!("ringwall.{setting}");
    let found = settings.into_iter().find(|setting| setting.name == name);
    Ok(found.expect("it is told").value)
}

#[test]
fn what_was_told_by_hand_and_rows_are_judged_by_ends_the_session() {
    for when in [
        Condition::eq("resource.region", "subject.team"),
        Condition::is_set("subject.team"),
        Condition::not(Condition::is_set("subject.team")),
        Condition::one_of("subject.team", ["a", "b"]),
    ] {
        let policy = policy(when);
        let by_hand = || somebody(&policy, "u1").attribute("team", "a", None);
        let refused = Err(SessionError::AttributeByHand);
        assert_eq!(told(by_hand(), "org"), refused);
        let facts = SubjectFacts::new(1);
        assert_eq!(told(by_hand().facts(&facts), "org"), refused);
        assert_eq!(
            told(
                somebody(&policy, "u1")
                    .facts(&facts)
                    .attribute("team", "a", None),
                "org"
            ),
            refused
        );
        let broken = somebody(&policy, "u1").attribute("team", 7_i64, None);
        assert_eq!(told(broken, "org"), refused);
        // The database finds none either.
        let none = somebody(&policy, "u1").attribute_is_complete("team");
        assert_eq!(told(none, "org"), Ok("vo1".to_owned()));
        // It stands there too, as is said; or the directory told it.
        let stated = by_hand().in_directory_as("u1");
        assert_eq!(told(stated, "org"), Ok("vo1".to_owned()));
        let mut facts = SubjectFacts::new(1);
        facts
            .attributes
            .push(StoredAttribute::new("team", "a", None));
        assert_eq!(
            told(somebody(&policy, "u1").facts(&facts), "org"),
            Ok("vo1".to_owned())
        );
        // No rule for rows asks for it.
        let other = somebody(&policy, "u1").attribute("mfa", true, None);
        assert_eq!(told(other, "org"), Ok("vo1".to_owned()));
        assert_eq!(told(somebody(&policy, "u1"), "org"), Ok("vo1".to_owned()));
    }
    // Of a foreign subject the database knows nothing, whoever told.
    for when in [
        Condition::is_set("subject.team"),
        Condition::eq("resource.region", "subject.team"),
    ] {
        let policy = policy(when);
        let mut facts = SubjectFacts::new(1);
        facts
            .attributes
            .push(StoredAttribute::new("team", "a", None));
        let foreign = || {
            somebody(&policy, "u1")
                .facts(&facts)
                .of_foreign_issuer()
                .known_as("17")
        };
        assert_eq!(told(foreign(), "org"), Err(SessionError::AttributeByHand));
        let named = foreign().in_directory_as("17");
        assert_eq!(told(named, "org"), Ok("vo1".to_owned()));
        facts.attributes.clear();
        let nothing = somebody(&policy, "u1").facts(&facts).of_foreign_issuer();
        assert_eq!(
            told(nothing, "org"),
            Ok("vo1".to_owned()),
            "it has none in both"
        );
    }
    let by_set = policy(Condition::not(Condition::member(
        "resource.region",
        "subject.banned",
    )));
    let foreign = somebody(&by_set, "u1")
        .facts(&SubjectFacts::new(1))
        .of_foreign_issuer();
    assert_eq!(
        told(foreign, "org"),
        Err(SessionError::AttributeByHand),
        "an empty set is not an unknown one"
    );
    // Null says nothing of a set, by itself and beside what a directory told.
    for subject in [
        somebody(&by_set, "u1"),
        somebody(&by_set, "u1").facts(&SubjectFacts::new(1)),
    ] {
        let nothing = subject.attribute("banned", Value::Null, None);
        assert_eq!(told(nothing, "org"), Ok("vo1".to_owned()));
    }
    // What is no command on the table is decided in the process.
    let exports =
        Rule::permit("export", "case", ["export"]).when(Condition::eq("subject.mfa", true));
    let exports =
        Policy::new(document(Condition::is_set("subject.id")).rule(exports)).expect("a policy");
    let by_hand = somebody(&exports, "u1").attribute("mfa", true, None);
    assert_eq!(told(by_hand, "org"), Ok("vo1".to_owned()));
    // A set of which one value more was told.
    let policy = policy(Condition::not(Condition::member(
        "resource.region",
        "subject.banned",
    )));
    let more = somebody(&policy, "u1").facts(&SubjectFacts::new(1));
    let more = more.attribute("banned", "eu", None);
    assert_eq!(told(more, "org"), Err(SessionError::AttributeByHand));
}

#[test]
fn what_was_told_by_a_misspelt_name_ends_the_session_where_it_is_asked_whether_it_is_set() {
    let absent = |path: &str| Condition::not(Condition::is_set(path));
    let by_team = policy(absent("subject.team"));
    let misspelt = || somebody(&by_team, "u1").attribute("taem", "a", None);
    assert_eq!(told(misspelt(), "org"), Err(SessionError::AttributeByHand));
    // The directory told of all.
    let whole = misspelt().facts(&SubjectFacts::new(1));
    assert_eq!(told(whole, "org"), Ok("vo1".to_owned()));
    let compared = policy(Condition::eq("resource.region", "subject.team"));
    let misspelt = somebody(&compared, "u1").attribute("taem", "a", None);
    assert_eq!(
        told(misspelt, "org"),
        Ok("vo1".to_owned()),
        "unknown in both"
    );

    let by_purpose = policy(absent("context.purpose"));
    for (policy, is_told, refused) in [
        (&by_purpose, false, Some(SessionError::Context)),
        (&by_purpose, true, None),
        (&by_team, false, None),
    ] {
        let subject = somebody(policy, "u1").build();
        let mut context = policy.context(now()).attribute("purpos", "audit");
        if is_told {
            context = context.attribute("purpose", "audit");
        }
        assert_eq!(session_settings(&subject, &context).err(), refused);
    }
}

#[test]
fn departments_that_a_directory_knows_under_another_name_are_not_asked_for_under_the_id() {
    let policy = policy(Condition::related("user_departments", "resource.region"));
    let mut facts = SubjectFacts::new(1);
    facts.departments.push("sales".into());
    let u1 = || somebody(&policy, "u1").facts(&facts);
    for (subject, is_known) in [
        (u1(), true),
        (u1().known_as("17"), false),
        (u1().known_as("17").in_directory_as("17"), true),
        (u1().in_directory_as("17"), false),
        (u1().known_as("u1"), true),
        // Foreign names are not those of the directory.
        (u1().of_foreign_issuer(), false),
        (u1().of_foreign_issuer().known_as("17"), false),
        (
            u1().of_foreign_issuer()
                .known_as("17")
                .in_directory_as("17"),
            true,
        ),
        // Stated of the id.
        (
            u1().known_as("17").related_in_database("user_departments"),
            true,
        ),
        // Told apart, for the id.
        (
            u1().known_as("17").related("user_departments", ["sales"]),
            true,
        ),
    ] {
        let words = told(subject.clone(), "relations").expect("it can be told");
        let expected = if is_known {
            "v user_departments "
        } else {
            "v "
        };
        assert_eq!(words, expected, "{subject:?}");
    }
}

#[test]
fn a_foreign_name_is_not_looked_up_in_the_directory_unless_somebody_says_so() {
    let policy = policy(Condition::eq("resource.region", "subject.team"));
    let facts = SubjectFacts::new(1);
    let foreign = || somebody(&policy, "alice").of_foreign_issuer();
    for (subject, name) in [
        (foreign().facts(&facts), ""),
        (
            somebody(&policy, "alice").facts(&facts).of_foreign_issuer(),
            "",
        ),
        (foreign().facts(&facts).known_as("p-alice"), ""),
        (
            foreign().facts(&facts).in_directory_as("p-alice"),
            "vp-alice",
        ),
        (somebody(&policy, "alice").facts(&facts), "valice"),
    ] {
        assert_eq!(
            told(subject.clone(), "directory_subject").as_deref(),
            Ok(name),
            "{subject:?}"
        );
    }
}

#[test]
fn policies_of_a_later_version_or_of_another_content_are_not_replaced_unasked() {
    let options = RowLevelSecurityOptions::new("app_runtime").expect("a role");
    let parts = |policy: &Policy| {
        policy
            .row_level_security_parts(&options)
            .expect("it is asked")
    };
    let own = parts(&policy(Condition::eq("resource.region", "subject.team")));
    let other = parts(&policy(Condition::is_set("subject.team")));
    assert!(own.may_replace(&own.comment));
    assert!(!own.may_replace(&other.comment));
    let (of, generator) = own.comment.rsplit_once(' ').expect("words");
    let generator: u32 = generator.parse().expect("a number");
    assert!(own.may_replace(of), "from before they were counted");
    assert!(own.may_replace(&format!("{of} {}", generator.saturating_sub(1))));
    for wrong in [
        &format!("{of} {}", generator.saturating_add(1)),
        &format!("{of} x"),
        &format!("{of} 00"),
        &format!("{of} "),
        "",
        "ringwall",
        &own.comment
            .replacen("ringwall ringwall", "ringwall elsewhere", 1),
    ] {
        assert!(!own.may_replace(wrong), "{wrong}");
    }
}
