//! The suite that every [`SubjectDirectory`] passes, also one of yours.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a suite says what is wrong by a panic, as every test does"
)]

use core::future::Future;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject};

use super::{DirectoryError, MAX_FACTS, StoredAttribute, SubjectDirectory, SubjectFacts};

/// Holds a directory against its contract. `fresh` gives an empty one each time.
///
/// What a suite within one process cannot show is left to tests of the store: durability across a crash, and changes by
/// several processes.
///
/// # Panics
///
/// With what is wrong.
pub async fn run<F>(fresh: impl Fn() -> F)
where
    F: Future<Output = Arc<dyn SubjectDirectory>>,
{
    knows_nothing_of_nobody(&*fresh().await).await;
    gives_back_what_was_granted(&*fresh().await).await;
    takes_back_what_was_granted(&*fresh().await).await;
    tells_nothing_of_other_organisations(&*fresh().await).await;
    keeps_every_text_as_it_is(&*fresh().await).await;
    every_change_makes_the_version_greater(&*fresh().await).await;
    refuses_what_is_no_fact(&*fresh().await).await;
    is_bounded(&*fresh().await).await;
    purges_what_is_over(&*fresh().await).await;
    leaves_everybody_else_alone(&*fresh().await).await;
}

fn org(name: &str) -> OrgId {
    OrgId::new(name).expect("an organisation")
}

fn subject(name: &str) -> Subject {
    Subject::new(name).expect("a subject")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(seconds * 1_000_000 + 123_456)
}

async fn facts(directory: &dyn SubjectDirectory, of: &str) -> SubjectFacts {
    let facts = directory.facts(&org("o1"), &subject(of)).await;
    let mut facts = facts.expect("it answers");
    facts.roles.sort();
    facts.attributes.sort();
    facts.departments.sort();
    facts
}

fn attribute(key: &str, value: &str, end: Option<i64>) -> StoredAttribute {
    StoredAttribute::new(key, value, end.map(at))
}

async fn grant(directory: &dyn SubjectDirectory, attribute: &StoredAttribute) {
    let (org, subject) = (org("o1"), subject("u1"));
    let granted = directory.grant_attribute(&org, &subject, attribute).await;
    granted.expect("it is granted");
}

async fn knows_nothing_of_nobody(directory: &dyn SubjectDirectory) {
    assert_eq!(facts(directory, "u1").await, SubjectFacts::new(0));
    let (org, subject) = (org("o1"), subject("u1"));
    directory
        .revoke_role(&org, &subject, "admin")
        .await
        .expect("nothing to do");
    assert_eq!(facts(directory, "u1").await.count(), 0);
}

async fn gives_back_what_was_granted(directory: &dyn SubjectDirectory) {
    let (org, subject) = (org("o1"), subject("u1"));
    for role in ["manager", "admin", "manager"] {
        directory
            .grant_role(&org, &subject, role)
            .await
            .expect("it is granted");
    }
    for department in ["sales", "legal", "sales"] {
        let added = directory.add_department(&org, &subject, department).await;
        added.expect("it is added");
    }
    grant(directory, &attribute("region", "eu", None)).await;
    grant(directory, &attribute("region", "us", Some(7))).await;
    grant(directory, &attribute("clearance", "internal", Some(7))).await;
    // A value that is granted again gets the new end.
    grant(directory, &attribute("clearance", "internal", Some(9))).await;
    let known = facts(directory, "u1").await;
    assert_eq!(known.roles, [Box::from("admin"), "manager".into()]);
    assert_eq!(known.departments, [Box::from("legal"), "sales".into()]);
    assert_eq!(
        known.attributes,
        [
            attribute("clearance", "internal", Some(9)),
            attribute("region", "eu", None),
            attribute("region", "us", Some(7)),
        ]
    );
}

async fn takes_back_what_was_granted(directory: &dyn SubjectDirectory) {
    let (org, subject) = (org("o1"), subject("u1"));
    for role in ["admin", "manager"] {
        directory
            .grant_role(&org, &subject, role)
            .await
            .expect("it is granted");
        directory
            .add_department(&org, &subject, role)
            .await
            .expect("it is added");
        grant(directory, &attribute(role, "x", None)).await;
        grant(directory, &attribute(role, "y", None)).await;
    }
    directory
        .revoke_role(&org, &subject, "admin")
        .await
        .expect("it is taken");
    directory
        .remove_department(&org, &subject, "admin")
        .await
        .expect("it is taken");
    directory
        .revoke_attribute(&org, &subject, "admin", "x")
        .await
        .expect("it is taken");
    let known = facts(directory, "u1").await;
    assert_eq!(known.roles, [Box::from("manager")]);
    assert_eq!(known.departments, [Box::from("manager")]);
    assert_eq!(known.attributes.len(), 3);
    assert_eq!(
        known.attributes.first(),
        Some(&attribute("admin", "y", None))
    );
    directory
        .forget(&org, &subject)
        .await
        .expect("it is forgotten");
    let after = facts(directory, "u1").await;
    assert_eq!(after.count(), 0);
    assert!(
        after.version > known.version,
        "{} {}",
        after.version,
        known.version
    );
}

async fn tells_nothing_of_other_organisations(directory: &dyn SubjectDirectory) {
    for (name, role) in [("o2", "admin"), ("O1", "manager"), ("o1 ", "viewer")] {
        let Ok(other) = OrgId::new(name) else {
            continue;
        };
        directory
            .grant_role(&other, &subject("u1"), role)
            .await
            .expect("it is granted");
    }
    directory
        .grant_role(&org("o1"), &subject("U1"), "admin")
        .await
        .expect("it is granted");
    assert_eq!(facts(directory, "u1").await.count(), 0);
}

async fn keeps_every_text_as_it_is(directory: &dyn SubjectDirectory) {
    let (org, subject) = (org("o1"), subject("Zoë Ω'; DROP TABLE x --"));
    for text in ["'\"\\%_", "Ω", "ä", " a ", "A", "a", &"x".repeat(256)] {
        directory
            .grant_role(&org, &subject, text)
            .await
            .expect("it is granted");
        let kept = attribute(text, text, None);
        directory
            .grant_attribute(&org, &subject, &kept)
            .await
            .expect("it is granted");
    }
    let empty = attribute("key", "", None);
    directory
        .grant_attribute(&org, &subject, &empty)
        .await
        .expect("a value may be empty");
    let known = facts(directory, subject.as_str()).await;
    assert_eq!((known.roles.len(), known.attributes.len()), (7, 8));
    assert!(known.attributes.contains(&empty));
    assert!(known.roles.contains(&"x".repeat(256).into()) && known.roles.contains(&" a ".into()));
}

async fn every_change_makes_the_version_greater(directory: &dyn SubjectDirectory) {
    let (org, subject) = (org("o1"), subject("u1"));
    let mut before = facts(directory, "u1").await.version;
    for step in 0..4 {
        match step {
            0 | 1 => directory.grant_role(&org, &subject, "admin").await,
            2 => {
                let value = attribute("a", "b", None);
                directory.grant_attribute(&org, &subject, &value).await
            }
            _ => directory.revoke_role(&org, &subject, "admin").await,
        }
        .expect("it is changed");
        let after = facts(directory, "u1").await.version;
        assert!(after > before, "{after} {before}");
        before = after;
    }
}

async fn refuses_what_is_no_fact(directory: &dyn SubjectDirectory) {
    let (org, subject) = (org("o1"), subject("u1"));
    for text in ["", "a\0b", "a\nb", &"x".repeat(257)] {
        let role = directory.grant_role(&org, &subject, text).await;
        assert!(matches!(role, Err(DirectoryError::Invalid(_))), "{text:?}");
        let department = directory.add_department(&org, &subject, text).await;
        assert!(
            matches!(department, Err(DirectoryError::Invalid(_))),
            "{text:?}"
        );
        let value = attribute(text, "x", None);
        let value = directory.grant_attribute(&org, &subject, &value).await;
        assert!(matches!(value, Err(DirectoryError::Invalid(_))), "{text:?}");
        let role = directory.revoke_role(&org, &subject, text).await;
        assert!(matches!(role, Err(DirectoryError::Invalid(_))), "{text:?}");
        let department = directory.remove_department(&org, &subject, text).await;
        assert!(
            matches!(department, Err(DirectoryError::Invalid(_))),
            "{text:?}"
        );
        let value = directory.revoke_attribute(&org, &subject, text, "x").await;
        assert!(matches!(value, Err(DirectoryError::Invalid(_))), "{text:?}");
    }
    let value = attribute("key", "a\0b", None);
    let value = directory.grant_attribute(&org, &subject, &value).await;
    assert!(matches!(value, Err(DirectoryError::Invalid(_))));
    assert_eq!(facts(directory, "u1").await.count(), 0);
}

async fn is_bounded(directory: &dyn SubjectDirectory) {
    let (org, subject) = (org("o1"), subject("u1"));
    for number in 0..MAX_FACTS {
        let role = format!("role{number}");
        directory
            .grant_role(&org, &subject, &role)
            .await
            .expect("it is granted");
    }
    let full = directory.grant_role(&org, &subject, "one more").await;
    assert!(matches!(full, Err(DirectoryError::Full)));
    let value = attribute("a", "b", None);
    let full = directory.grant_attribute(&org, &subject, &value).await;
    assert!(matches!(full, Err(DirectoryError::Full)));
    // What is there already is no more.
    directory
        .grant_role(&org, &subject, "role7")
        .await
        .expect("it is there");
    assert_eq!(facts(directory, "u1").await.count(), MAX_FACTS);
    directory
        .revoke_role(&org, &subject, "role7")
        .await
        .expect("it is taken");
    directory
        .grant_role(&org, &subject, "one more")
        .await
        .expect("there is room");
}

async fn purges_what_is_over(directory: &dyn SubjectDirectory) {
    grant(directory, &attribute("a", "over", Some(5))).await;
    grant(directory, &attribute("a", "now", Some(7))).await;
    grant(directory, &attribute("a", "never", None)).await;
    assert_eq!(directory.purge(at(7)).await.expect("it is purged"), 1);
    let left = facts(directory, "u1").await.attributes;
    let left: Vec<&str> = left.iter().map(|attribute| &*attribute.value).collect();
    assert_eq!(left, ["never", "now"]);
}

/// What is taken from one subject in one organisation stays with the others.
async fn leaves_everybody_else_alone(directory: &dyn SubjectDirectory) {
    let everybody = [("o1", "u1"), ("o1", "u2"), ("o2", "u1")];
    let value = attribute("region", "eu", Some(7));
    for (of, name) in everybody {
        let (org, subject) = (org(of), subject(name));
        directory
            .grant_role(&org, &subject, "admin")
            .await
            .expect("it is granted");
        directory
            .add_department(&org, &subject, "sales")
            .await
            .expect("it is added");
        directory
            .grant_attribute(&org, &subject, &value)
            .await
            .expect("it is granted");
    }
    let (o1, u1) = (org("o1"), subject("u1"));
    // A value that is granted again without an end has none.
    grant(directory, &attribute("region", "eu", None)).await;
    let known = facts(directory, "u1").await;
    assert_eq!(known.attributes, [attribute("region", "eu", None)]);
    directory
        .revoke_role(&o1, &u1, "admin")
        .await
        .expect("it is taken");
    directory
        .remove_department(&o1, &u1, "sales")
        .await
        .expect("it is taken");
    directory
        .revoke_attribute(&o1, &u1, "region", "eu")
        .await
        .expect("it is taken");
    assert_eq!(facts(directory, "u1").await.count(), 0);
    directory.forget(&o1, &u1).await.expect("it is forgotten");
    for (of, name) in everybody.into_iter().skip(1) {
        let facts = directory.facts(&org(of), &subject(name)).await;
        assert_eq!(facts.expect("it answers").count(), 3, "{of} {name}");
    }
    assert_eq!(directory.purge(at(8)).await.expect("it is purged"), 2);
}
