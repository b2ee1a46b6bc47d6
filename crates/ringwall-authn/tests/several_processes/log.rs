//! Revocations that several processes append while others read, and processes that are killed meanwhile.
//! The crate that includes this says in `crate::setting` where a store is and how it is opened.

use std::collections::BTreeSet;
use std::num::NonZeroU16;
use std::time::Duration;

use ringwall_authn::revocation::{Revocation, RevocationCursor, RevocationStore, Revoked};
use ringwall_core::clock::Timestamp;

use crate::setting;
use crate::worker::{Worker, draw, kills, place, say, told};

const WORKERS: usize = 3;
const APPENDS: usize = 40;

fn token(id: &str) -> Revocation {
    let revoked = Revoked::Token {
        issuer: "https://issuer.example".into(),
        token_id: id.into(),
    };
    // In 2100: a store that forgets by its own clock does not forget it yet.
    Revocation::new(revoked, Timestamp::from_unix_micros(4_102_444_800_000_000)).expect("a name")
}

fn id_of(revocation: &Revocation) -> String {
    let Revoked::Token { token_id, .. } = revocation.revoked() else {
        panic!("{revocation:?} was not appended");
    };
    token_id.to_string()
}

/// Reads to the end.
async fn follow(store: &dyn RevocationStore, cursor: &mut RevocationCursor) -> Vec<String> {
    let limit = NonZeroU16::new(7).expect("not zero");
    let mut ids = Vec::new();
    loop {
        let page = store.read(*cursor, limit).await.expect("the store answers");
        assert!(page.next >= *cursor, "a cursor went back");
        *cursor = page.next;
        ids.extend(page.revocations.iter().map(id_of));
        if page.is_last {
            return ids;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_passes_over_no_revocation_that_several_processes_append() {
    let place = setting::fresh().await;
    let store = setting::revocations(&place.address).await;
    let path = concat!(module_path!(), "::appends_what_it_is_told");
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|_| Worker::start(path, &place.address))
        .collect();
    for (n, worker) in workers.iter_mut().enumerate() {
        for m in 0..APPENDS {
            worker.tell(&format!("t-{n}-{m}"));
        }
    }
    let mut cursor = RevocationCursor::START;
    let mut seen = Vec::new();
    let mut answered = BTreeSet::new();
    for _ in 0..APPENDS {
        for worker in &mut workers {
            answered.insert(worker.hear().expect("alive"));
            seen.extend(follow(&*store, &mut cursor).await);
            // Between the answer and this reading, others were appended: a reader sees no less.
            let now: BTreeSet<_> = seen.iter().cloned().collect();
            let missed: Vec<_> = answered.difference(&now).collect();
            assert!(missed.is_empty(), "{missed:?} were passed over");
        }
    }
    seen.extend(follow(&*store, &mut cursor).await);
    assert_eq!(seen.len(), WORKERS * APPENDS, "each is there once");
    // Each process's own come in its order.
    for n in 0..WORKERS {
        let prefix = format!("t-{n}-");
        let own: Vec<_> = seen.iter().filter(|id| id.starts_with(&prefix)).collect();
        let expected: Vec<_> = (0..APPENDS).map(|m| format!("{prefix}{m}")).collect();
        assert_eq!(own, expected.iter().collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a worker of the tests around it, which start it"]
async fn appends_what_it_is_told() {
    let store = setting::revocations(&place()).await;
    say("ready");
    while let Some(id) = told() {
        store.append(&token(&id)).await.expect("the store answers");
        say(&id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn soak_a_revocation_that_was_answered_outlives_the_process_that_is_killed_after_it() {
    let place = setting::fresh().await;
    let store = setting::revocations(&place.address).await;
    let path = concat!(module_path!(), "::appends_what_it_is_told");
    let mut cursor = RevocationCursor::START;
    for round in 0..kills() {
        let mut worker = Worker::start(path, &place.address);
        for n in 0..1000 {
            worker.tell(&format!("t-{round}-{n}"));
        }
        let mut answered = Vec::new();
        for _ in 0..=draw(12) {
            answered.push(worker.hear().expect("alive"));
        }
        std::thread::sleep(Duration::from_micros(draw(4000)));
        worker.kill();
        answered.extend(std::iter::from_fn(|| worker.hear()));
        // What it had sent may still be on its way.
        let mut seen = Vec::new();
        for _ in 0..100 {
            seen.extend(follow(&*store, &mut cursor).await);
            if seen.len() > answered.len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(
            seen.starts_with(&answered),
            "what was answered is not there"
        );
        assert!(seen.len() <= answered.len() + 1, "more than was sent");
    }
}
