//! Nonces of the server (RFC 9449 §9).

use core::time::Duration;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{DpopNonces, ProofFault};
use ringwall_core::denial::Denial;
use ringwall_core::secret::SecretBytes;

use super::service::*;
use crate::support::*;

fn nonces() -> DpopNonces {
    DpopNonces::shared(&SecretBytes::new(vec![7; 32])).unwrap()
}

fn service() -> Service {
    Service::with_policy(|policy| policy.nonces(nonces()))
}

fn told_nonce(denial: &Denial) -> Option<String> {
    let fields = fields(denial);
    let found = fields.into_iter().find(|(name, _)| *name == "dpop-nonce");
    found.map(|(_, value)| value)
}

#[test]
fn a_client_is_told_the_nonce_and_accepted_with_it() {
    let service = service();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let draft = Draft::new(&client, &token);
    let denial = service
        .send(&Request::dpop(&token, &draft.sign(&client)))
        .unwrap_err();
    assert_eq!(status(&denial), 401);
    assert_eq!(
        challenge(&denial),
        r#"DPoP realm="api", algs="ES256 EdDSA ES384 PS256 RS256", error="use_dpop_nonce", Bearer realm="api""#
    );
    assert_eq!(service.cause(), ProofFault::NonceMissing.as_str());
    let nonce = told_nonce(&denial).unwrap();
    assert_eq!(service.authenticator.dpop_nonce(now()), Some(nonce.clone()));
    // The same proof, with the nonce: it was not used up by the refusal.
    let proof = draft.claim("nonce", nonce).sign(&client);
    assert!(service.send(&Request::dpop(&token, &proof)).is_ok());
    assert_eq!(service.store.calls(), 1);
}

#[test]
fn a_nonce_that_is_over_or_somebody_elses_is_replaced() {
    let service = service();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let send = |nonce: &str, seconds: i64| {
        service.clock.set(at(seconds));
        let proof = Draft::new(&client, &token)
            .claim("iat", seconds)
            .claim("nonce", nonce);
        service.send(&Request::dpop(&token, &proof.sign(&client)))
    };
    let nonce = nonces().issue(at(NOW));
    assert!(send(&nonce, NOW).is_ok());
    assert!(send(&nonce, NOW + 299).is_ok());
    let denial = send(&nonce, NOW + 300).unwrap_err();
    assert_eq!(told_nonce(&denial), Some(nonces().issue(at(NOW + 300))));
    for other in [
        "".to_owned(),
        "x".to_owned(),
        format!("{nonce}="),
        nonces()
            .step(Duration::from_secs(10))
            .unwrap()
            .issue(at(NOW)),
        DpopNonces::of_this_process().unwrap().issue(at(NOW)),
    ] {
        let denial = send(&other, NOW).unwrap_err();
        assert!(challenge(&denial).contains("use_dpop_nonce"), "{other}");
        assert_eq!(told_nonce(&denial), Some(nonce.clone()));
    }
}

#[test]
fn a_server_whose_clock_is_behind_takes_what_another_one_has_just_given_out() {
    let client = Key::new("client", Algorithm::Es256);
    for (behind, lead, accepted) in [(5, 5, true), (6, 5, false), (1, 0, false), (60, 60, true)] {
        let lead = Duration::from_secs(lead);
        let service = Service::with_policy(|policy| policy.nonces(nonces()).max_lead(lead));
        let token = service.issuer.token(&bound_to(&client));
        service.clock.set(at(NOW - behind));
        let proof = Draft::new(&client, &token)
            .claim("iat", NOW - behind)
            .claim("nonce", nonces().issue(at(NOW)));
        let answer = service.send(&Request::dpop(&token, &proof.sign(&client)));
        assert_eq!(answer.is_ok(), accepted, "{behind} {lead:?}");
    }
}

#[test]
fn every_refusal_of_a_token_tells_the_nonce_and_a_bare_challenge_does_not() {
    let service = service();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let draft = Draft::new(&client, &token).claim("htm", "POST");
    for request in [
        Request::dpop(&token, &draft.sign(&client)),
        Request::bearer(&token),
        Request::bearer("a.b.c"),
    ] {
        let denial = service.send(&request).unwrap_err();
        assert_eq!(told_nonce(&denial), Some(nonces().issue(now())));
    }
    let denial = service.send(&Request::new(&[])).unwrap_err();
    assert_eq!(told_nonce(&denial), None);
}

#[test]
fn a_proof_that_is_bad_in_another_way_too_is_not_led_on() {
    let service = service();
    let client = Key::new("client", Algorithm::Es256);
    let cause = service.refuses(&client, |draft| draft.claim("htm", "POST"));
    assert_eq!(cause, ProofFault::MethodMismatch.as_str());
}

#[test]
fn where_none_is_demanded_none_is_told_and_any_is_taken() {
    let service = Service::new();
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    assert_eq!(service.authenticator.dpop_nonce(now()), None);
    let draft = Draft::new(&client, &token).claim("nonce", "of somebody else");
    assert!(
        service
            .send(&Request::dpop(&token, &draft.sign(&client)))
            .is_ok()
    );
    let denial = service.send(&Request::dpop(&token, "junk")).unwrap_err();
    assert_eq!(told_nonce(&denial), None);
}
