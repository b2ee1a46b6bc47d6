//! A proof is good once (RFC 9449 §11.1).

use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{
    DpopPolicy, MemoryRevocations, ProofFault, Refusal, TokenAuthenticator, TokenVerifier,
};
use ringwall_core::clock::ManualClock;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::step::Step;
use ringwall_replay::{MemoryReplay, ReplayStore};

use super::service::*;
use crate::requests::{waited, waiting_for};
use crate::support::*;

#[test]
fn a_recorded_request_is_worth_nothing_a_second_time() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let request = Request::dpop(&token, &proof);
    assert!(service.send(&request).is_ok());
    for _ in 0..2 {
        let denial = service.send(&request).unwrap_err();
        assert_eq!(status(&denial), 401);
        let told = challenge(&denial);
        assert!(told.contains(r#"error="invalid_dpop_proof""#), "{told}");
        assert_eq!(service.cause(), ProofFault::Repeated.as_str());
    }
    assert_eq!(count(&service, EventKind::CredentialReplayed), 2);
    assert_eq!(count(&service, EventKind::AuthenticationSucceeded), 1);
}

#[test]
fn an_id_is_one_keys_and_one_targets() {
    let service = Service::new();
    let (client, other) = (
        Key::new("client", Algorithm::Es256),
        Key::new("other", Algorithm::Es256),
    );
    let of = |client: &Key, path: &'static str, iat: i64| {
        let token = service.issuer.token(&bound_to(client));
        let proof = Draft::new(client, &token)
            .claim("jti", "one id")
            .claim("iat", iat)
            .claim("htu", format!("https://api.example{path}"))
            .sign(client);
        let mut request = Request::dpop(&token, &proof);
        request.path = path;
        service.send(&request).is_ok()
    };
    assert!(of(&client, "/cases", NOW));
    // Signed anew, at another time: the id is the same.
    assert!(!of(&client, "/cases", NOW - 1));
    assert!(of(&client, "/other", NOW));
    assert!(of(&other, "/cases", NOW));
}

#[test]
fn is_remembered_for_as_long_as_any_server_would_take_it() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).claim("iat", NOW - 10);
    assert!(
        service
            .send(&Request::dpop(&token, &proof.sign(&client)))
            .is_ok()
    );
    let claim = service.store.last.lock().unwrap().unwrap();
    assert_eq!(claim.now, now());
    assert_eq!(claim.valid_from, at(NOW - 15));
    assert_eq!(claim.valid_until, at(NOW + 56));
}

/// Every one of a hundred copies arrives at once.
fn winners_of(store: Arc<dyn ReplayStore>) -> usize {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build();
    let service = Arc::new(Service::with_store(store));
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let barrier = Arc::new(tokio::sync::Barrier::new(100));
    runtime.unwrap().block_on(async move {
        let mut tasks = Vec::new();
        for _ in 0..100 {
            let (service, barrier) = (Arc::clone(&service), Arc::clone(&barrier));
            let (token, proof) = (token.clone(), proof.clone());
            tasks.push(tokio::spawn(async move {
                barrier.wait().await;
                let step = service.begin(&Request::dpop(&token, &proof));
                step.await.is_ok()
            }));
        }
        let mut winners = 0;
        for task in tasks {
            winners += usize::from(task.await.unwrap());
        }
        let refused = count(&service, EventKind::CredentialReplayed);
        assert_eq!(refused, 100 - winners);
        winners
    })
}

#[test]
fn of_a_hundred_copies_at_once_exactly_one_is_accepted() {
    let start = now().checked_sub(Duration::from_secs(3600)).unwrap();
    assert_eq!(winners_of(Arc::new(MemoryReplay::strict(start))), 1);
    assert_eq!(winners_of(Arc::new(Store::default())), 1);
    assert_eq!(winners_of(Arc::new(Slow::default())), 1);
}

#[test]
fn a_store_that_cannot_tell_is_answered_with_503_and_never_allows() {
    let service = Service::with_store(Arc::new(Down));
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let denial = service.send(&Request::dpop(&token, &proof)).unwrap_err();
    assert_eq!(status(&denial), 503);
    assert_eq!(fields(&denial), [("retry-after", "7".to_owned())]);
    assert_eq!(count(&service, EventKind::ReplayStoreUnavailable), 1);
    // Bearer tokens need no store.
    let plain = service.issuer.token(&claims());
    assert!(service.send(&Request::bearer(&plain)).is_ok());
}

#[test]
fn a_store_that_was_just_restarted_refuses_what_may_have_been_used_before() {
    let service = Service::with_store(Arc::new(MemoryReplay::strict(now())));
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let mut draft = Draft::new(&client, &token);
    let denial = service.send(&Request::dpop(&token, &draft.sign(&client)));
    assert_eq!(status(&denial.unwrap_err()), 503);
    service.clock.advance(Duration::from_secs(10));
    draft = draft.claim("iat", NOW + 10).claim("jti", fresh_id());
    assert!(
        service
            .send(&Request::dpop(&token, &draft.sign(&client)))
            .is_ok()
    );
}

#[test]
fn an_answer_that_waits_for_the_store_is_the_same() {
    let slow = Arc::new(Slow::default());
    let service = Service::with_store(Arc::<Slow>::clone(&slow));
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let answer = || {
        let step = service.begin(&Request::dpop(&token, &proof));
        assert!(matches!(step, Step::Wait(_)));
        runtime.block_on(async { step.await })
    };
    let verified = answer().unwrap();
    assert_eq!(verified.principal().subject, "user-1");
    assert_eq!(status(&answer().unwrap_err()), 401);
    assert_eq!(slow.0.calls(), 2);
}

/// What was read of the request has to outlive it, and is judged by the time after the wait.
#[test]
fn a_proof_that_becomes_too_old_while_a_key_is_looked_for_is_refused() {
    for (seconds, cause) in [(0, None), (60, None), (61, Some(ProofFault::TooOld))] {
        let (old, new) = (
            Key::new("k1", Algorithm::EdDsa),
            Key::new("k2", Algorithm::EdDsa),
        );
        let store = Arc::new(Store::default());
        let policy = DpopPolicy::builder(Arc::<Store>::clone(&store))
            .public_origin("https://api.example")
            .build();
        let clock = Arc::new(ManualClock::new(now()));
        let events = Arc::new(MemoryEvents::new(8));
        let authenticator = TokenAuthenticator::builder(waiting_for(&old, &new))
            .clock(Arc::<ManualClock>::clone(&clock))
            .events(Arc::<MemoryEvents>::clone(&events))
            .dpop(policy.unwrap())
            .build();
        let client = Key::new("client", Algorithm::Es256);
        let token = new.token(&bound_to(&client));
        let step = {
            let proof = Draft::new(&client, &token).sign(&client);
            let request = Request::dpop(&token, &proof);
            authenticator.authenticate(&request.view())
        };
        let answer = waited(step, || clock.advance(Duration::from_secs(seconds)));
        assert_eq!(answer.is_ok(), cause.is_none(), "{seconds}");
        if let Some(fault) = cause {
            assert_eq!(events.snapshot().last().unwrap().cause, fault.as_str());
        }
        assert_eq!(store.calls(), usize::from(cause.is_none()));
    }
}

#[test]
fn a_clock_that_fails_while_a_key_is_looked_for_is_no_decision() {
    let (old, new) = (
        Key::new("k1", Algorithm::EdDsa),
        Key::new("k2", Algorithm::EdDsa),
    );
    let store = Arc::new(Store::default());
    let policy =
        DpopPolicy::builder(Arc::<Store>::clone(&store)).public_origin("https://api.example");
    let clock = Arc::new(ManualClock::new(now()));
    let authenticator = TokenAuthenticator::builder(waiting_for(&old, &new))
        .clock(Arc::<ManualClock>::clone(&clock))
        .dpop(policy.build().unwrap())
        .build();
    let client = Key::new("client", Algorithm::Es256);
    let token = new.token(&bound_to(&client));
    let proof = Draft::new(&client, &token).sign(&client);
    let step = authenticator.authenticate(&Request::dpop(&token, &proof).view());
    let denial = waited(step, || clock.fail(true)).unwrap_err();
    assert_eq!(status(&denial), 503);
    assert_eq!(store.calls(), 0);
}

/// The token was good when it was verified. Then the store of used proofs took its time.
#[test]
fn a_token_that_is_revoked_or_ends_while_the_store_is_waited_for_is_refused() {
    type Meanwhile = fn(&MemoryRevocations, &ManualClock);
    let cases: [(Meanwhile, Option<(u16, &str)>); 5] = [
        (|_, _| {}, None),
        (|_, clock| clock.advance(Duration::from_secs(659)), None),
        (
            |_, clock| clock.advance(Duration::from_secs(660)),
            Some((401, Refusal::Expired.as_str())),
        ),
        (
            |revocations, _| {
                let done = revocations.revoke_token(ISSUER, "token-1", at(NOW + 600), now());
                done.unwrap();
            },
            Some((401, Refusal::Revoked.as_str())),
        ),
        (
            |_, clock| clock.fail(true),
            Some((503, Refusal::ClockUnavailable.as_str())),
        ),
    ];
    for (meanwhile, expected) in cases {
        let issuer = Key::new("k1", Algorithm::EdDsa);
        let revocations = Arc::new(MemoryRevocations::new(8));
        let verifier = TokenVerifier::builder()
            .issuer(policy(&[&issuer]).build().unwrap())
            .revocations(Arc::<MemoryRevocations>::clone(&revocations))
            .build();
        let policy = DpopPolicy::builder(Arc::new(Later::default()));
        let policy = policy.public_origin("https://api.example").build();
        let clock = Arc::new(ManualClock::new(now()));
        let events = Arc::new(MemoryEvents::new(8));
        let authenticator = TokenAuthenticator::builder(verifier.unwrap())
            .clock(Arc::<ManualClock>::clone(&clock))
            .events(Arc::<MemoryEvents>::clone(&events))
            .dpop(policy.unwrap())
            .build();
        let client = Key::new("client", Algorithm::Es256);
        let token = issuer.token(&bound_to(&client));
        let proof = Draft::new(&client, &token).sign(&client);
        let step = authenticator.authenticate(&Request::dpop(&token, &proof).view());
        let answer = waited(step, || meanwhile(&revocations, &clock));
        let answer = answer.map(drop).map_err(|denial| status(&denial));
        assert_eq!(answer.err(), expected.map(|(status, _)| status));
        let last = events.snapshot().pop().unwrap();
        if let Some((_, cause)) = expected {
            assert_eq!(last.cause, cause);
            assert_eq!(events.count(EventKind::AuthenticationSucceeded), 0);
        } else {
            assert_eq!(last.kind, EventKind::AuthenticationSucceeded);
        }
    }
}
