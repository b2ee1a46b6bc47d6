//! A bound token yields the token only against what it demands.

use std::sync::Arc;

use ringwall_authn::jose::{Algorithm, base64url};
use ringwall_authn::{
    CertificateBinding, DpopPolicy, Possession, ProvenKey, Refusal, TokenVerifier,
};
use ringwall_core::clock::{ManualClock, WallClock};
use ringwall_core::step::Step;
use serde_json::json;

use super::certificates::Peer;
use super::service::*;
use crate::requests::{waited, waiting_for};
use crate::support::*;

fn proven(client: &Key, token: &str) -> ProvenKey {
    let policy = DpopPolicy::builder(Arc::new(Store::default()))
        .public_origin("https://api.example")
        .build()
        .unwrap();
    let proof = Draft::new(client, token).sign(client);
    let request = Request::dpop(token, &proof);
    let thumbprint = client.public().thumbprint();
    match policy.verify(&request.view(), token, &thumbprint, now()) {
        Step::Done(answer) => answer.unwrap(),
        Step::Wait(_) => panic!("nothing to wait for"),
    }
}

fn refusal_of(verifier: &TokenVerifier, token: &str, possession: Possession) -> Option<Refusal> {
    let bound = verifier.verify_bound(token, now()).unwrap();
    let answer = bound.confirmed_by(possession);
    answer.err().map(|error| error.refusal())
}

#[test]
fn the_verifier_gives_no_bound_token_away_from_scratch_or_from_the_cache() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let client = Key::new("client", Algorithm::Es256);
    let token = key.token(&bound_to(&client));
    let verifier = verifier(&[&key]);
    for _ in 0..2 {
        assert_eq!(refusal(&verifier, &token), Refusal::SenderConstrained);
        let clock: Arc<dyn WallClock> = Arc::new(ManualClock::new(now()));
        let Step::Done(answer) = verifier.verify_refreshing(&token, &clock) else {
            panic!("nothing to wait for")
        };
        assert_eq!(answer.unwrap_err().refusal(), Refusal::SenderConstrained);
        let nothing = refusal_of(&verifier, &token, Possession::nothing());
        assert_eq!(nothing, Some(Refusal::SenderConstrained));
        // It is in the cache now.
        assert_eq!(verifier.cache_usage().unwrap().entries, 1);
    }
    let possession = Possession::nothing().key(proven(&client, &token));
    assert_eq!(refusal_of(&verifier, &token, possession), None);
    assert_eq!(refusal(&verifier, &token), Refusal::SenderConstrained);
}

#[test]
fn another_key_is_not_the_one() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let (client, other) = (
        Key::new("client", Algorithm::Es256),
        Key::new("other", Algorithm::Es256),
    );
    let token = key.token(&bound_to(&client));
    let possession = Possession::nothing().key(proven(&other, &token));
    assert_eq!(
        refusal_of(&verifier(&[&key]), &token, possession),
        Some(Refusal::PossessionMismatch)
    );
}

#[test]
fn another_certificate_is_not_the_one_and_a_key_replaces_none() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let client = Key::new("client", Algorithm::Es256);
    let (peer, other) = (
        Peer::new(b"a certificate".to_vec()),
        Peer::new(b"another one".to_vec()),
    );
    let token = key.token(&with("cnf", json!({ "x5t#S256": peer.digest() })));
    let binding = CertificateBinding::builder().direct().build().unwrap();
    let shown = |peer: &Peer| {
        let mut request = Request::new(&[]);
        request.peer = Some(peer);
        let shown = binding.shown(&request.view(), now()).unwrap();
        Possession::nothing().certificate(shown.unwrap())
    };
    let verifier = verifier(&[&key]);
    assert_eq!(refusal_of(&verifier, &token, shown(&peer)), None);
    let refused = refusal_of(&verifier, &token, shown(&other));
    assert_eq!(refused, Some(Refusal::PossessionMismatch));
    let only_key = Possession::nothing().key(proven(&client, &token));
    let shown = format!("{:?} {only_key:?}", shown(&peer));
    let refused = refusal_of(&verifier, &token, only_key);
    assert_eq!(refused, Some(Refusal::SenderConstrained));
    assert!(!shown.contains(&peer.digest()), "{shown}");
}

#[test]
fn a_bearer_token_demands_nothing() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let token = key.token(&claims());
    assert_eq!(refusal_of(&verifier, &token, Possession::nothing()), None);
    let bound = verifier.verify_bound(&token, now()).unwrap();
    assert_eq!(bound.confirmation(), None);
    assert_eq!(accepted(&verifier, &token).confirmation(), None);
}

#[test]
fn a_bound_token_whose_key_is_looked_for_stays_bound() {
    let client = Key::new("client", Algorithm::Es256);
    for unbound in [false, true] {
        let (old, new) = (
            Key::new("k1", Algorithm::EdDsa),
            Key::new("k2", Algorithm::EdDsa),
        );
        let verifier = waiting_for(&old, &new);
        let clock: Arc<dyn WallClock> = Arc::new(ManualClock::new(now()));
        let token = new.token(&bound_to(&client));
        let refusal = if unbound {
            let step = verifier.verify_refreshing(&token, &clock);
            waited(step, || {}).unwrap_err().refusal()
        } else {
            let step = verifier.verify_bound_refreshing(&token, &clock);
            let bound = waited(step, || {}).unwrap();
            bound
                .confirmed_by(Possession::nothing())
                .unwrap_err()
                .refusal()
        };
        assert_eq!(refusal, Refusal::SenderConstrained);
    }
}

/// RFC 7800 §3.1 foresees one method; with two of them, either alone is too little.
#[test]
fn a_token_that_is_bound_to_both_needs_both() {
    let peer = Peer::new(b"a certificate".to_vec());
    let stranger = Peer::new(b"another one".to_vec());
    let store = Arc::new(Store::default());
    let policy =
        DpopPolicy::builder(Arc::<Store>::clone(&store)).public_origin("https://api.example");
    let binding = CertificateBinding::builder().direct().build().unwrap();
    let service = Service::build(
        Arc::<Store>::clone(&store),
        Some(policy.build().unwrap()),
        Some(binding),
    );
    let client = Key::new("client", Algorithm::Es256);
    let mut claims = bound_to(&client);
    claims["cnf"]["x5t#S256"] = peer.digest().into();
    let token = service.issuer.token(&claims);
    let send = |with_proof: bool, peer: Option<&Peer>| {
        let proof = Draft::new(&client, &token).sign(&client);
        let mut request = if with_proof {
            Request::dpop(&token, &proof)
        } else {
            Request::bearer(&token)
        };
        request.peer = peer.map(|peer| peer as _);
        service.send(&request).is_ok()
    };
    assert!(!send(true, None));
    assert!(!send(false, Some(&peer)));
    assert!(!send(true, Some(&stranger)));
    assert!(!send(false, None));
    // What is wrong with the certificate uses up no proof.
    assert_eq!(store.calls(), 0);
    assert!(send(true, Some(&peer)));
    assert_eq!(store.calls(), 1);
    // And the other way round: a proof for a token that wants a certificate alone.
    let only = with("cnf", json!({ "x5t#S256": peer.digest() }));
    let token = service.issuer.token(&only);
    let proof = Draft::new(&client, &token).sign(&client);
    let mut request = Request::dpop(&token, &proof);
    request.peer = Some(&peer);
    assert!(service.send(&request).is_err());
    let mut request = Request::bearer(&token);
    request.peer = Some(&peer);
    assert!(service.send(&request).is_ok());
    assert_eq!(base64url::decode(&peer.digest()).unwrap().len(), 32);
}
