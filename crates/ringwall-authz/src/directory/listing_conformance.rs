//! The suite that every [`SubjectListing`] passes, also one of yours.

#![expect(
    clippy::expect_used,
    reason = "a suite says what is wrong by a panic, as every test does"
)]

use core::future::Future;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject};

use super::{MAX_LISTED_SUBJECTS, StoredAttribute, SubjectDirectory, SubjectListing};

/// Names whose order by bytes is another than that by alphabet, by case or by number.
const NAMES: [&str; 10] = ["10", "9", "A", "Z", "_", "a", "b", "z", "ä", "\u{10000}"];

/// Holds a directory that lists its subjects against the contract. `fresh` gives an empty one each time.
///
/// # Panics
///
/// With what is wrong.
pub async fn run<D, F>(fresh: impl Fn() -> F)
where
    D: SubjectDirectory + SubjectListing + ?Sized,
    F: Future<Output = Arc<D>>,
{
    lists_nobody_where_nobody_is(&*fresh().await).await;
    lists_everybody_once_in_the_order_of_bytes(&*fresh().await).await;
    lists_page_by_page(&*fresh().await).await;
    lists_those_of_whom_something_is_known(&*fresh().await).await;
    lists_nobody_of_other_organisations(&*fresh().await).await;
    is_bounded(&*fresh().await).await;
}

fn org(name: &str) -> OrgId {
    OrgId::new(name).expect("an organisation")
}

fn subject(name: &str) -> Subject {
    Subject::new(name).expect("a subject")
}

async fn listed<D>(directory: &D, of: &str, after: Option<&str>, limit: usize) -> Vec<String>
where
    D: SubjectListing + ?Sized,
{
    let after = after.map(subject);
    let answer = directory.subjects(&org(of), after.as_ref(), limit).await;
    let subjects = answer.expect("it answers");
    subjects.iter().map(ToString::to_string).collect()
}

async fn join<D: SubjectDirectory + ?Sized>(directory: &D, of: &str, name: &str) {
    let granted = directory
        .grant_role(&org(of), &subject(name), "viewer")
        .await;
    granted.expect("it is granted");
}

async fn lists_nobody_where_nobody_is<D: SubjectListing + ?Sized>(directory: &D) {
    assert_eq!(listed(directory, "o1", None, 10).await, [""; 0]);
    assert_eq!(listed(directory, "o1", Some("u1"), 10).await, [""; 0]);
}

async fn lists_everybody_once_in_the_order_of_bytes<D>(directory: &D)
where
    D: SubjectDirectory + SubjectListing + ?Sized,
{
    for name in NAMES.iter().rev() {
        join(directory, "o1", name).await;
        // Of each kind of facts, and several of each.
        let (org, subject) = (org("o1"), subject(name));
        let granted = directory.grant_role(&org, &subject, "analyst").await;
        granted.expect("it is granted");
        for department in ["sales", "legal"] {
            let added = directory.add_department(&org, &subject, department).await;
            added.expect("it is added");
        }
        let region = StoredAttribute::new("region", "eu", None);
        let granted = directory.grant_attribute(&org, &subject, &region).await;
        granted.expect("it is granted");
    }
    assert_eq!(listed(directory, "o1", None, 100).await, NAMES);
}

async fn lists_page_by_page<D>(directory: &D)
where
    D: SubjectDirectory + SubjectListing + ?Sized,
{
    for name in NAMES {
        join(directory, "o1", name).await;
    }
    for limit in 1..=NAMES.len().saturating_add(1) {
        let mut all: Vec<String> = Vec::new();
        loop {
            let page = listed(directory, "o1", all.last().map(String::as_str), limit).await;
            assert!(page.len() <= limit, "a page of {limit}");
            let is_last = page.len() < limit;
            all.extend(page);
            if is_last {
                break;
            }
            assert!(all.len() <= NAMES.len(), "it ends");
        }
        assert_eq!(all, NAMES, "in pages of {limit}");
    }
    // Behind somebody who is not there.
    assert_eq!(listed(directory, "o1", Some("ZZ"), 2).await, ["_", "a"]);
    assert_eq!(listed(directory, "o1", None, 0).await, [""; 0]);
}

async fn lists_those_of_whom_something_is_known<D>(directory: &D)
where
    D: SubjectDirectory + SubjectListing + ?Sized,
{
    let org = org("o1");
    join(directory, "o1", "by-role").await;
    let added = directory
        .add_department(&org, &subject("by-department"), "sales")
        .await;
    added.expect("it is added");
    let over = StoredAttribute::new("region", "eu", Some(Timestamp::from_unix_micros(1)));
    let granted = directory
        .grant_attribute(&org, &subject("by-attribute"), &over)
        .await;
    granted.expect("it is granted");
    join(directory, "o1", "forgotten").await;
    let forgotten = directory.forget(&org, &subject("forgotten")).await;
    forgotten.expect("it is forgotten");
    join(directory, "o1", "revoked").await;
    let revoked = directory
        .revoke_role(&org, &subject("revoked"), "viewer")
        .await;
    revoked.expect("it is taken");
    let revoked = directory
        .revoke_role(&org, &subject("never"), "viewer")
        .await;
    revoked.expect("nothing to do");
    let all = listed(directory, "o1", None, 10).await;
    assert_eq!(all, ["by-attribute", "by-department", "by-role"]);
}

async fn lists_nobody_of_other_organisations<D>(directory: &D)
where
    D: SubjectDirectory + SubjectListing + ?Sized,
{
    join(directory, "o1", "u1").await;
    join(directory, "o2", "u2").await;
    join(directory, "O1", "u3").await;
    assert_eq!(listed(directory, "o1", None, 10).await, ["u1"]);
    assert_eq!(listed(directory, "o2", None, 10).await, ["u2"]);
    assert_eq!(listed(directory, "o3", None, 10).await, [""; 0]);
}

async fn is_bounded<D>(directory: &D)
where
    D: SubjectDirectory + SubjectListing + ?Sized,
{
    for number in 0..=MAX_LISTED_SUBJECTS {
        join(directory, "o1", &format!("{number:04}")).await;
    }
    let page = listed(directory, "o1", None, usize::MAX).await;
    assert_eq!(page.len(), MAX_LISTED_SUBJECTS);
    let rest = listed(directory, "o1", page.last().map(String::as_str), usize::MAX).await;
    assert_eq!(rest, [format!("{MAX_LISTED_SUBJECTS:04}")]);
}
