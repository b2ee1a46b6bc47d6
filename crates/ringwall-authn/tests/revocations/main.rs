//! Revocations that survive a restart and reach every process.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod clocks;
mod room;

use core::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use ringwall_authn::api_key::{ApiKeyUse, MemoryApiKeys};
use ringwall_authn::revocation::{
    MemoryRevocationStore, Revocation, RevocationCursor, RevocationPage, RevocationStore,
    RevocationStoreAnswer, RevocationStoreError, Revocations, Revoked, SyncedRevocations,
    SyncedRevocationsBuilder, TokenFacts,
};
use ringwall_authn::{ApiKeyRequest, ApiKeys, Revoker, SecretHasher};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::principal::{OrgId, Subject, Tenant};
use ringwall_core::request::HeaderValues;
use ringwall_core::step::Step;

const NOW: i64 = 1_767_225_600;
const ISSUER: &str = "https://issuer.example";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn facts(token_id: &str) -> TokenFacts<'_> {
    TokenFacts {
        issuer: ISSUER,
        subject: "u",
        on_behalf_of: None,
        token_id: Some(token_id),
        key_id: None,
        issued_at: Some(at(NOW)),
        tenant: None,
    }
}

fn token(id: &str) -> Revocation {
    token_until(id, NOW + 600)
}

fn token_until(id: &str, end: i64) -> Revocation {
    let revoked = Revoked::Token {
        issuer: ISSUER.into(),
        token_id: id.into(),
    };
    Revocation::new(revoked, at(end)).unwrap()
}

/// A store that can be out of reach, or be another one from now on.
#[derive(Debug, Default)]
struct Scripted {
    inner: std::sync::Mutex<Arc<MemoryRevocationStore>>,
    failing: AtomicBool,
    reads: AtomicI64,
    /// Reads from the start fail.
    forgets_its_start: AtomicBool,
    /// Appends wait for this, if it is there.
    held: std::sync::Mutex<Option<Arc<tokio::sync::Semaphore>>>,
}

impl Scripted {
    fn inner(&self) -> Arc<MemoryRevocationStore> {
        self.inner.lock().unwrap().clone()
    }

    /// From now on appends wait, and nothing is in the log before.
    fn hold(&self) {
        *self.held.lock().unwrap() = Some(Arc::new(tokio::sync::Semaphore::new(0)));
    }

    fn release(&self) {
        if let Some(held) = self.held.lock().unwrap().take() {
            held.add_permits(1000);
        }
    }

    fn check<T>(&self, answer: RevocationStoreAnswer<T>) -> RevocationStoreAnswer<T> {
        if self.failing.load(Ordering::SeqCst) {
            let retry_after = Duration::from_secs(1);
            return Step::Done(Err(RevocationStoreError::unavailable(retry_after, None)));
        }
        answer
    }
}

impl RevocationStore for Scripted {
    fn append(&self, revocation: &Revocation) -> RevocationStoreAnswer<()> {
        let Some(held) = self.held.lock().unwrap().clone() else {
            return self.check(self.inner().append(revocation));
        };
        let (log, revocation) = (self.inner(), revocation.clone());
        Step::wait(async move {
            held.acquire().await.unwrap().forget();
            log.append(&revocation).await
        })
    }

    fn read(
        &self,
        after: RevocationCursor,
        limit: NonZeroU16,
    ) -> RevocationStoreAnswer<RevocationPage> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if after == RevocationCursor::START && self.forgets_its_start.load(Ordering::SeqCst) {
            return Step::Done(Err(RevocationStoreError::corrupt(None)));
        }
        self.check(self.inner().read(after, limit))
    }

    fn purge(&self, over: Timestamp) -> RevocationStoreAnswer<u64> {
        self.check(self.inner().purge(over))
    }
}

struct Bench {
    store: Arc<Scripted>,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        Self {
            store: Arc::default(),
            clock: Arc::new(ManualClock::new(at(NOW))),
        }
    }

    fn process(&self) -> SyncedRevocations {
        self.builder().build()
    }

    fn builder(&self) -> SyncedRevocationsBuilder {
        SyncedRevocations::builder(self.store.clone())
            .clock(self.clock.clone())
            .monotonic_clock(self.clock.clone())
    }
}

#[tokio::test]
async fn the_memory_store_keeps_its_contract() {
    ringwall_authn::revocation::conformance::run(|| async {
        Arc::new(MemoryRevocationStore::new()) as Arc<dyn RevocationStore>
    })
    .await;
}

#[tokio::test]
async fn nothing_can_be_said_before_the_log_was_read() {
    let bench = Bench::new();
    let process = bench.process();
    assert!(process.is_revoked(&facts("t")).is_err());
    assert!(!process.is_ready());
    bench.store.failing.store(true, Ordering::SeqCst);
    assert!(process.sync().await.is_err());
    assert!(process.is_revoked(&facts("t")).is_err());
    bench.store.failing.store(false, Ordering::SeqCst);
    process.sync().await.unwrap();
    assert_eq!(process.is_revoked(&facts("t")), Ok(false));
    assert!(process.is_ready());
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let bench = Bench::new();
    let before = bench.process();
    before.sync().await.unwrap();
    before.revoke(&token("t")).await.unwrap();
    assert_eq!(before.is_revoked(&facts("t")), Ok(true));
    drop(before);
    let after = bench.process();
    assert!(
        after.is_revoked(&facts("t")).is_err(),
        "it is not accepted meanwhile"
    );
    after.sync().await.unwrap();
    assert_eq!(after.is_revoked(&facts("t")), Ok(true));
    assert_eq!(after.is_revoked(&facts("other")), Ok(false));
}

#[tokio::test]
async fn other_processes_have_it_with_their_next_look() {
    let bench = Bench::new();
    let (one, two) = (bench.process(), bench.process());
    one.sync().await.unwrap();
    two.sync().await.unwrap();
    for n in 0..2500 {
        one.revoke(&token(&format!("t{n}"))).await.unwrap();
    }
    assert_eq!(
        two.is_revoked(&facts("t2499")),
        Ok(false),
        "within the staleness"
    );
    two.sync().await.unwrap();
    for n in [0, 999, 1000, 1001, 2499] {
        assert_eq!(two.is_revoked(&facts(&format!("t{n}"))), Ok(true), "{n}");
    }
}

#[tokio::test]
async fn a_log_that_is_out_of_reach_for_too_long_stops_all_but_refusals() {
    let bench = Bench::new();
    let process = bench.process();
    process.sync().await.unwrap();
    process.revoke(&token("t")).await.unwrap();
    bench.store.failing.store(true, Ordering::SeqCst);
    bench.clock.advance(Duration::from_secs(60));
    assert!(process.sync().await.is_err());
    assert_eq!(process.is_revoked(&facts("other")), Ok(false));
    bench.clock.advance(Duration::from_micros(1));
    assert!(process.is_revoked(&facts("other")).is_err());
    assert_eq!(
        process.is_revoked(&facts("t")),
        Ok(true),
        "what is known is known"
    );
    bench.store.failing.store(false, Ordering::SeqCst);
    process.sync().await.unwrap();
    assert_eq!(process.is_revoked(&facts("other")), Ok(false));
}

#[tokio::test]
async fn a_revocation_is_in_force_here_also_when_the_store_fails() {
    let bench = Bench::new();
    let process = bench.process();
    process.sync().await.unwrap();
    bench.store.failing.store(true, Ordering::SeqCst);
    assert!(process.revoke(&token("t")).await.is_err());
    assert_eq!(process.is_revoked(&facts("t")), Ok(true));
}

#[tokio::test]
async fn a_log_that_went_back_is_read_again_from_its_start() {
    let bench = Bench::new();
    let (one, two) = (bench.process(), bench.process());
    one.sync().await.unwrap();
    for n in 0..5 {
        one.revoke(&token(&format!("t{n}"))).await.unwrap();
    }
    two.sync().await.unwrap();
    // The log is restored from a copy of before, and grows again, by less than it had.
    *bench.store.inner.lock().unwrap() = Arc::default();
    one.revoke(&token("new")).await.unwrap();
    two.sync().await.unwrap();
    assert_eq!(two.is_revoked(&facts("new")), Ok(true));
    assert_eq!(
        two.is_revoked(&facts("t4")),
        Ok(true),
        "what was known is not forgotten"
    );
}

#[tokio::test]
async fn now_and_then_the_whole_log_is_read() {
    let bench = Bench::new();
    let (one, two) = (bench.process(), bench.process());
    one.sync().await.unwrap();
    one.revoke(&token("a")).await.unwrap();
    two.sync().await.unwrap();
    // Another log, as long as the old one was: its entry hides behind the cursor.
    *bench.store.inner.lock().unwrap() = Arc::default();
    one.revoke(&token("hidden")).await.unwrap();
    two.sync().await.unwrap();
    assert_eq!(two.is_revoked(&facts("hidden")), Ok(false));
    bench.clock.advance(Duration::from_secs(600));
    two.sync().await.unwrap();
    assert_eq!(two.is_revoked(&facts("hidden")), Ok(true));
}

#[tokio::test]
async fn a_long_log_is_read_again_in_parts_behind_what_is_new() {
    let bench = Bench::new();
    let store = bench.store.inner();
    for n in 0..40_000 {
        store.append(&token(&format!("t{n}"))).await.unwrap();
    }
    let process = bench.process();
    let reads = async || {
        let before = bench.store.reads.load(Ordering::SeqCst);
        process.sync().await.unwrap();
        bench.store.reads.load(Ordering::SeqCst) - before
    };
    assert_eq!(reads().await, 41);
    assert_eq!(reads().await, 1);
    bench.clock.advance(Duration::from_secs(600));
    store.append(&token("late")).await.unwrap();
    assert_eq!(reads().await, 1 + 32);
    assert_eq!(process.is_revoked(&facts("late")), Ok(true));
    assert_eq!(reads().await, 1 + 9, "it goes on where it was");
    assert_eq!(reads().await, 1);
}

#[tokio::test]
async fn everything_of_an_organisation_is_revoked_by_one_call() {
    let bench = Bench::new();
    let process = bench.process();
    process.sync().await.unwrap();
    let keys = ApiKeys::builder(Arc::new(MemoryApiKeys::new(10)), SecretHasher::sha256())
        .clock(bench.clock.clone())
        .build();
    let org = OrgId::new("acme").unwrap();
    let tenant = Tenant {
        org: org.clone(),
        project: None,
    };
    let request = ApiKeyRequest::new("x", tenant.clone(), Subject::new("u").unwrap()).unwrap();
    let created = keys.create(request).await.unwrap();
    let revoker = Revoker::new(keys.clone(), process.clone(), Duration::from_secs(3600));
    let done = revoker.revoke_org(&org, at(NOW)).await.unwrap();
    assert_eq!(done.api_keys, 1);
    let usage = ApiKeyUse {
        address: None,
        origin: HeaderValues::Absent,
    };
    assert!(
        keys.verify(created.key.text().expose().as_bytes(), usage)
            .await
            .is_err()
    );
    let of_org = TokenFacts {
        tenant: Some(&tenant),
        ..facts("t")
    };
    for (issued_at, revoked) in [(NOW, true), (NOW + 60, true), (NOW + 61, false)] {
        let token = TokenFacts {
            issued_at: Some(at(issued_at)),
            ..of_org
        };
        assert_eq!(process.is_revoked(&token), Ok(revoked));
    }
    // An issuer whose policy permits more may have dated its tokens so much later.
    let patient = revoker.clone().clock_skew(Duration::from_secs(300));
    let done = patient.revoke_org(&org, at(NOW)).await.unwrap();
    assert_eq!(done.tokens_issued_until, at(NOW + 300));
    for (issued_at, revoked) in [(NOW + 300, true), (NOW + 301, false)] {
        let token = TokenFacts {
            issued_at: Some(at(issued_at)),
            ..of_org
        };
        assert_eq!(process.is_revoked(&token), Ok(revoked));
    }
    // The other half is tried also when one fails, and the answer says so.
    bench.store.failing.store(true, Ordering::SeqCst);
    let error = revoker.revoke_org(&org, at(NOW)).await.unwrap_err();
    assert!(error.api_keys.is_ok() && error.tokens.is_err() && error.is_retryable());
}

#[test]
fn a_revocation_names_something() {
    for (issuer, token_id) in [("", "t"), ("i", ""), ("i", "a\nb"), ("i\u{0}", "t")] {
        let revoked = Revoked::Token {
            issuer: issuer.into(),
            token_id: token_id.into(),
        };
        assert!(Revocation::new(revoked, at(NOW)).is_err());
    }
    let long = Revoked::SigningKey {
        issuer: "i".into(),
        key_id: "k".repeat(513).into(),
    };
    assert!(Revocation::new(long, at(NOW)).is_err());
}
