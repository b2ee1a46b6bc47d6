//! Tokens that say less than a revocation asks for.

use std::sync::Arc;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{MemoryRevocations, Refusal, TokenProfile, TokenVerifier};
use serde_json::{Value, json};

use crate::support::*;

/// A verifier of one key that does not ask for `iat`, and what was revoked.
fn site(key: &Key) -> (TokenVerifier, Arc<MemoryRevocations>) {
    let revocations = Arc::new(MemoryRevocations::new(64));
    let mapping = ringwall_authn::PrincipalMapping::default().accept_actor();
    let policy = policy(&[key])
        .profile(TokenProfile::plain())
        .mapping(mapping);
    let verifier = TokenVerifier::builder()
        .issuer(policy.build().unwrap())
        .revocations(Arc::<MemoryRevocations>::clone(&revocations))
        .build();
    (verifier.unwrap(), revocations)
}

/// The claims, with and without `iat`.
fn dated(name: &str, value: Value) -> [Value; 2] {
    let claims = with(name, value);
    let mut undated = claims.clone();
    undated.as_object_mut().unwrap().remove("iat").unwrap();
    [claims, undated]
}

#[test]
fn a_token_that_does_not_say_when_it_was_issued_falls_under_every_revocation_until_a_time() {
    type Revoke = fn(&MemoryRevocations);
    // Long ago: a token that says when it was issued was issued later.
    let cases: [(Revoke, [Value; 2]); 3] = [
        (
            |all| {
                let done = all.revoke_subject(ISSUER, "user-1", at(1), at(NOW + 600), now());
                done.unwrap();
            },
            dated("sub", json!("user-1")),
        ),
        (
            |all| {
                let done = all.revoke_subject(ISSUER, "user-1", at(1), at(NOW + 600), now());
                done.unwrap();
            },
            dated("act", json!({ "sub": "agent-7" })),
        ),
        (
            |all| {
                all.revoke_org("org-1", at(1), at(NOW + 600), now())
                    .unwrap()
            },
            dated("org_id", json!("org-1")),
        ),
    ];
    for (revoke, [claims, undated]) in cases {
        let key = Key::new("k1", Algorithm::EdDsa);
        let (verifier, revocations) = site(&key);
        let (claims, undated) = (key.plain_token(&claims), key.plain_token(&undated));
        let verified = accepted(&verifier, &undated);
        accepted(&verifier, &claims);
        revoke(&revocations);
        accepted(&verifier, &claims);
        // In the cache, in a stream, and anew.
        assert_eq!(refusal(&verifier, &undated), Refusal::Revoked);
        let stream = verifier.recheck(&verified, now()).unwrap_err();
        assert_eq!(stream.refusal(), Refusal::Revoked);
        let (fresh, revocations) = site(&key);
        revoke(&revocations);
        accepted(&fresh, &claims);
        assert_eq!(refusal(&fresh, &undated), Refusal::Revoked);
    }
}

#[test]
fn whoever_stole_the_only_key_of_an_issuer_does_not_escape_by_leaving_its_name_out() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let (verifier, revocations) = site(&key);
    let mut header = key.header();
    header["typ"] = "JWT".into();
    header.as_object_mut().unwrap().remove("kid").unwrap();
    let unnamed = key.token_with_header(&header);
    let verified = accepted(&verifier, &unnamed);
    assert_eq!(verified.key_id(), Some("k1"));
    revocations
        .revoke_key(ISSUER, "k1", at(NOW + 600), now())
        .unwrap();
    assert_eq!(refusal(&verifier, &unnamed), Refusal::Revoked);
    assert_eq!(
        refusal(&verifier, &key.plain_token(&claims())),
        Refusal::Revoked
    );
    let stream = verifier.recheck(&verified, now()).unwrap_err();
    assert_eq!(stream.refusal(), Refusal::Revoked);
    let (fresh, revocations) = site(&key);
    revocations
        .revoke_key(ISSUER, "k1", at(NOW + 600), now())
        .unwrap();
    assert_eq!(refusal(&fresh, &unnamed), Refusal::Revoked);
    let (other, revocations) = site(&key);
    revocations
        .revoke_key(ISSUER, "k2", at(NOW + 600), now())
        .unwrap();
    accepted(&other, &unnamed);
}
