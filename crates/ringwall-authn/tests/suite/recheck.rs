//! Tokens that outlive the request that brought them: what a stream asks while it lasts.

use std::sync::Arc;

use ringwall_authn::jose::{Algorithm, KeySource, StaticKeys};
use ringwall_authn::{
    IssuerPolicy, MemoryRevocations, Refusal, TokenErrorKind, TokenVerifier, VerifiedToken,
};

use crate::support::*;

struct Site {
    key: Key,
    keys: Arc<StaticKeys>,
    revocations: Arc<MemoryRevocations>,
    verifier: TokenVerifier,
}

impl Site {
    fn new() -> Self {
        let key = Key::new("k1", Algorithm::EdDsa);
        let keys = Arc::new(StaticKeys::new(key_set(&[&key])));
        let revocations = Arc::new(MemoryRevocations::new(64));
        let source: Arc<dyn KeySource> = Arc::<StaticKeys>::clone(&keys);
        let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, source);
        let verifier = TokenVerifier::builder()
            .issuer(policy.build().expect("a policy"))
            .revocations(Arc::<MemoryRevocations>::clone(&revocations))
            .build()
            .expect("a verifier");
        Self {
            key,
            keys,
            revocations,
            verifier,
        }
    }

    fn token(&self) -> Arc<VerifiedToken> {
        accepted(&self.verifier, &self.key.token(&claims()))
    }

    fn refusal(&self, token: &VerifiedToken, seconds: i64) -> Option<Refusal> {
        let answer = self.verifier.recheck(token, at(seconds));
        answer.err().map(|error| error.refusal())
    }
}

#[test]
fn holds_as_long_as_a_new_request_would_be_accepted_and_no_longer() {
    let site = Site::new();
    let token = site.token();
    let end = token.expires_at().unix_seconds();
    assert_eq!(site.refusal(&token, now().unix_seconds()), None);
    assert_eq!(site.refusal(&token, end + 59), None);
    assert_eq!(site.refusal(&token, end + 60), Some(Refusal::Expired));
}

#[test]
fn ends_with_its_revocation() {
    let site = Site::new();
    let token = site.token();
    let id = token.token_id().expect("an id");
    site.revocations
        .revoke_token(ISSUER, id, token.expires_at(), now())
        .expect("room");
    let now = now().unix_seconds();
    assert_eq!(site.refusal(&token, now), Some(Refusal::Revoked));
}

#[test]
fn ends_with_its_key_and_not_with_the_publication_of_another_one() {
    let site = Site::new();
    let token = site.token();
    let now = now().unix_seconds();
    let next = Key::new("k2", Algorithm::EdDsa);
    site.keys.replace(key_set(&[&site.key, &next]));
    assert_eq!(site.refusal(&token, now), None);
    site.keys.replace(key_set(&[&next]));
    assert_eq!(site.refusal(&token, now), Some(Refusal::KeyUnknown));
}

#[test]
fn a_token_that_names_no_key_ends_with_any_change_of_the_keys() {
    let site = Site::new();
    let mut header = site.key.header();
    header.as_object_mut().expect("a header").remove("kid");
    let token = accepted(&site.verifier, &site.key.token_with_header(&header));
    let now = now().unix_seconds();
    assert_eq!(site.refusal(&token, now), None);
    let other = Key::new("k2", Algorithm::EdDsa);
    // Also when its own is still there: a request with it would be refused, since there are two.
    for keys in [&[&other][..], &[&site.key, &other]] {
        site.keys.replace(key_set(keys));
        assert_eq!(site.refusal(&token, now), Some(Refusal::KeyUnknown));
    }
}

#[test]
fn ends_with_the_trust_in_its_issuer() {
    let site = Site::new();
    let token = site.token();
    assert!(site.verifier.remove_issuer(ISSUER));
    let answer = site.verifier.recheck(&token, now());
    let error = answer.expect_err("the issuer is gone");
    assert_eq!(error.kind(), TokenErrorKind::Rejected);
    assert_eq!(error.refusal(), Refusal::IssuerUnknown);
}
