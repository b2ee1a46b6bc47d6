//! The suite that every [`RevocationStore`] passes, also one of yours.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a suite says what is wrong by a panic, as every test does"
)]

use core::future::Future;
use core::num::NonZeroU16;
use std::collections::HashSet;
use std::sync::Arc;

use ringwall_core::clock::Timestamp;

use super::kind::{Revocation, Revoked};
use super::store::{RevocationCursor, RevocationPage, RevocationStore};

/// Holds a store against its contract. `fresh` gives an empty log each time.
///
/// What a suite within one process cannot show is left to tests of the store: durability across a
/// crash, and the order of appends by several processes.
///
/// # Panics
///
/// With what is wrong.
pub async fn run<F>(fresh: impl Fn() -> F)
where
    F: Future<Output = Arc<dyn RevocationStore>>,
{
    gives_back_what_was_appended_in_order(&*fresh().await).await;
    goes_on_where_it_was(&*fresh().await).await;
    forgets_what_is_over_and_keeps_its_numbers(&*fresh().await).await;
    an_append_that_has_answered_is_read(&*fresh().await).await;
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros(seconds * 1_000_000 + 123_456)
}

fn token(id: &str, end: i64) -> Revocation {
    let revoked = Revoked::Token {
        issuer: "https://issuer.example/'\"\\%_".into(),
        token_id: id.into(),
    };
    Revocation::new(revoked, at(end)).expect("a name")
}

fn kinds() -> Vec<Revocation> {
    let issuer = || "https://issuer.example".into();
    let all = [
        Revoked::Token {
            issuer: issuer(),
            token_id: "Zoë Ω'; DROP TABLE x --".into(),
        },
        Revoked::Subject {
            issuer: issuer(),
            subject: "s".repeat(512).into(),
            issued_until: at(7),
        },
        Revoked::SigningKey {
            issuer: issuer(),
            key_id: "k".into(),
        },
        Revoked::Org {
            org: "acme".into(),
            issued_until: at(-7),
        },
    ];
    all.map(|one| Revocation::new(one, at(1_000_000)).expect("a name"))
        .to_vec()
}

fn limit(limit: u16) -> NonZeroU16 {
    NonZeroU16::new(limit).expect("not zero")
}

async fn append(store: &dyn RevocationStore, revocation: &Revocation) {
    let appended = store.append(revocation).await;
    appended.expect("a revocation can be appended");
}

async fn read(store: &dyn RevocationStore, after: RevocationCursor, most: u16) -> RevocationPage {
    let page = store.read(after, limit(most)).await;
    page.expect("the log can be read")
}

async fn gives_back_what_was_appended_in_order(store: &dyn RevocationStore) {
    let empty = read(store, RevocationCursor::START, 10).await;
    assert!(
        empty.revocations.is_empty() && empty.is_last,
        "a new log is empty"
    );
    for one in kinds() {
        append(store, &one).await;
    }
    let page = read(store, RevocationCursor::START, 100).await;
    assert_eq!(page.revocations, kinds());
    assert!(page.is_last, "there is nothing behind the last one");
}

async fn goes_on_where_it_was(store: &dyn RevocationStore) {
    let all: Vec<_> = (0..7).map(|n| token(&format!("t{n}"), 1_000_000)).collect();
    for one in &all {
        append(store, one).await;
    }
    let mut cursor = RevocationCursor::START;
    let mut seen = Vec::new();
    for _ in 0..10 {
        let page = read(store, cursor, 3).await;
        assert!(
            page.revocations.len() <= 3,
            "a page is longer than its limit"
        );
        assert!(page.next >= cursor, "a cursor went back");
        seen.extend(page.revocations);
        cursor = page.next;
        if page.is_last {
            break;
        }
    }
    assert_eq!(seen, all);
    let nothing = read(store, cursor, 3).await;
    assert!(nothing.revocations.is_empty() && nothing.is_last);
    assert_eq!(nothing.next, cursor);
    append(store, &token("new", 1_000_000)).await;
    let page = read(store, cursor, 3).await;
    assert_eq!(page.revocations, [token("new", 1_000_000)]);
    // A cursor from a log that was longer is answered by the end of this one.
    let ahead = RevocationCursor::behind(page.next.number() + 1000);
    let behind = read(store, ahead, 3).await;
    assert!(
        behind.is_last && behind.next < ahead,
        "a cursor ahead of the log was not noticed"
    );
    assert_eq!(behind.next, page.next);
}

async fn forgets_what_is_over_and_keeps_its_numbers(store: &dyn RevocationStore) {
    for (id, end) in [("a", 10), ("b", 30), ("c", 20)] {
        append(store, &token(id, end)).await;
    }
    let before = read(store, RevocationCursor::START, 10).await.next;
    let gone = store.purge(at(20)).await.expect("the store answers");
    assert_eq!(gone, 1, "one ended before, one ends at that time and stays");
    let page = read(store, RevocationCursor::START, 10).await;
    assert_eq!(page.revocations, [token("b", 30), token("c", 20)]);
    assert_eq!(page.next, before, "a purge moved the end of the log");
    assert_eq!(store.purge(at(31)).await.expect("the store answers"), 2);
    let page = read(store, RevocationCursor::START, 10).await;
    assert!(page.revocations.is_empty());
    assert_eq!(page.next, before, "an empty log forgot its end");
    append(store, &token("d", 99)).await;
    let page = read(store, before, 10).await;
    assert_eq!(
        page.revocations,
        [token("d", 99)],
        "a number was given twice"
    );
    // A purge of the newest entry takes its number away, not back.
    let end = page.next;
    assert_eq!(store.purge(at(100)).await.expect("the store answers"), 1);
    append(store, &token("e", 200)).await;
    assert_eq!(read(store, end, 10).await.revocations, [token("e", 200)]);
}

async fn an_append_that_has_answered_is_read(store: &dyn RevocationStore) {
    let mut cursor = RevocationCursor::START;
    let mut seen = HashSet::new();
    for round in 0..20 {
        let some: Vec<_> = (0..8)
            .map(|n| token(&format!("t{round}-{n}"), 1_000_000))
            .collect();
        let appends = some
            .iter()
            .map(|one| async { store.append(one).await.is_ok() });
        let done = crate::api_key::conformance::all(appends).await;
        assert_eq!(done, [true; 8], "appends at once");
        loop {
            let page = read(store, cursor, 5).await;
            cursor = page.next;
            seen.extend(page.revocations);
            if page.is_last {
                break;
            }
        }
        assert!(
            some.iter().all(|one| seen.contains(one)),
            "an append was passed over"
        );
    }
}
