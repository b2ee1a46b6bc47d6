//! The token issuer: what it signs, what it publishes, and how its keys are rotated.

use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::jose::{Algorithm, HmacSecret, KeyId, KeySet, StaticKeys};
use ringwall_authn::{
    IssueError, IssuerPolicy, Refusal, SigningKey, SigningKeyError, TokenIssuer, TokenRequest,
    TokenVerifier,
};
use ringwall_core::principal::{OrgId, PrincipalKind, ProjectId, Role, Scope, Subject, Tenant};
use ringwall_core::profile::Profile;
use ringwall_core::secret::SecretBytes;
use serde_json::{Value, json};

use crate::support::*;

fn signing_key() -> SigningKey {
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).unwrap();
    SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).unwrap()
}

fn request() -> TokenRequest {
    TokenRequest::new(Subject::new("user-1").unwrap(), AUDIENCE)
}

/// A verifier that knows what is published and nothing else.
fn published(issuer: &TokenIssuer) -> (Arc<StaticKeys>, TokenVerifier) {
    let keys = Arc::new(StaticKeys::new(fetch(issuer)));
    let source: Arc<dyn ringwall_authn::jose::KeySource> = Arc::<StaticKeys>::clone(&keys);
    let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, source)
        .build()
        .unwrap();
    (
        keys,
        TokenVerifier::builder().issuer(policy).build().unwrap(),
    )
}

fn fetch(issuer: &TokenIssuer) -> KeySet {
    KeySet::builder()
        .document(issuer.jwks().as_bytes())
        .unwrap()
        .build()
        .unwrap()
}

#[test]
fn an_issued_token_says_what_was_asked_for() {
    let issuer = TokenIssuer::new(ISSUER, signing_key());
    let tenant = Tenant {
        org: OrgId::new("org-1").unwrap(),
        project: Some(ProjectId::new("p-1").unwrap()),
    };
    let asked = request()
        .audience("https://other.example")
        .client_id("user-1")
        .lifetime(Duration::from_secs(90))
        .scopes([
            Scope::new("cases:read").unwrap(),
            Scope::new("cases:write").unwrap(),
        ])
        .roles([Role::new("analyst").unwrap()])
        .tenant(tenant.clone())
        .claim("plan", json!({ "name": "team", "seats": 5 }));
    let issued = issuer.issue(&asked, now()).unwrap();
    assert_eq!(issued.expires_at, at(NOW + 90));
    let (_, verifier) = published(&issuer);
    let verified = accepted(&verifier, issued.token.expose());
    let principal = verified.principal();
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.tenant, Some(tenant));
    assert!(
        principal.has_scope("cases:read")
            && principal.has_scope("cases:write")
            && principal.has_role("analyst")
    );
    assert_eq!(verified.token_id(), Some(&*issued.token_id));
    assert_eq!(principal.authentication.expires_at, Some(at(NOW + 90)));
    #[derive(serde::Deserialize)]
    struct Custom {
        plan: Plan,
    }
    #[derive(serde::Deserialize)]
    struct Plan {
        seats: u32,
    }
    let custom: Custom = verified.claims().deserialize().unwrap();
    assert_eq!(custom.plan.seats, 5);
    assert_eq!(
        verified.claims().get("jti").unwrap().as_str(),
        Some(&*issued.token_id)
    );
}

#[test]
fn an_issued_token_is_a_users_own_unless_it_says_otherwise() {
    let issuer = TokenIssuer::new(ISSUER, signing_key());
    let (keys, verifier) = published(&issuer);
    let plain = issuer.issue(&request(), now()).unwrap();
    let plain = accepted(&verifier, plain.token.expose());
    assert_eq!(plain.principal().kind, PrincipalKind::User);
    assert_eq!(plain.principal().on_behalf_of, None);
    // An actor cannot get lost on the way: who does not accept one refuses the token.
    let delegated = request().actor(Subject::new("agent-7").unwrap());
    let delegated = issuer.issue(&delegated, now()).unwrap();
    let delegated = delegated.token.expose();
    assert_eq!(refusal(&verifier, delegated), Refusal::Delegation);
    let mapping = ringwall_authn::PrincipalMapping::default().accept_actor();
    let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, keys).mapping(mapping);
    let accepting = verifier_of(policy);
    let principal = accepted(&accepting, delegated).principal().clone();
    assert_eq!(principal.kind, PrincipalKind::Agent);
    assert_eq!(principal.subject, "agent-7");
    assert_eq!(principal.on_behalf_of.as_ref().unwrap(), &"user-1");
}

#[test]
fn token_ids_are_never_the_same() {
    let issuer = TokenIssuer::new(ISSUER, signing_key());
    let mut ids: Vec<_> = (0..200)
        .map(|_| issuer.issue(&request(), now()).unwrap().token_id)
        .collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 200);
}

#[test]
fn additional_claims_cannot_replace_the_issuers_own() {
    let issuer = TokenIssuer::new(ISSUER, signing_key());
    for name in [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "roles",
        "org_id",
        "project_id",
        "act",
        "cnf",
    ] {
        let error = issuer
            .issue(&request().claim(name, json!("x")), now())
            .unwrap_err();
        assert_eq!(error, IssueError::ReservedClaim, "{name}");
    }
    let error = issuer
        .issue(&request().lifetime(Duration::ZERO), now())
        .unwrap_err();
    assert_eq!(error, IssueError::Lifetime);
    let error = issuer
        .issue(&request().lifetime(Duration::MAX), now())
        .unwrap_err();
    assert_eq!(error, IssueError::Lifetime);
    let error = issuer
        .issue(&request().claim("x", "x".repeat(9000).into()), now())
        .unwrap_err();
    assert_eq!(error, IssueError::TooLong);
}

#[test]
fn rotation_with_an_overlap_refuses_no_good_token() {
    let issuer = TokenIssuer::new(ISSUER, signing_key());
    let (keys, verifier) = published(&issuer);
    let old_id = issuer.active_key_id();
    let old = issuer.issue(&request(), now()).unwrap();
    accepted(&verifier, old.token.expose());

    let next = signing_key();
    let next_id = next.id().as_str().to_owned();
    issuer.announce(next).unwrap();
    assert_eq!(issuer.active_key_id(), old_id, "announced is not active");
    keys.replace(fetch(&issuer));
    accepted(&verifier, old.token.expose());
    issuer.activate(&next_id).unwrap();
    let new = issuer.issue(&request(), now()).unwrap();
    for token in [&old, &new] {
        accepted(&verifier, token.token.expose());
    }
    assert_eq!(
        issuer.retire(&next_id),
        Err(IssueError::NoSuchKey),
        "the signing key stays"
    );
    issuer.retire(&old_id).unwrap();
    keys.replace(fetch(&issuer));
    assert_eq!(refusal(&verifier, old.token.expose()), Refusal::KeyUnknown);
    accepted(&verifier, new.token.expose());
    assert_eq!(issuer.activate(&old_id), Err(IssueError::NoSuchKey));
}

#[test]
fn two_keys_cannot_share_an_id() {
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::Es256).unwrap();
    let key = || SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8).unwrap();
    let issuer = TokenIssuer::new(ISSUER, key());
    assert_eq!(issuer.announce(key()), Err(IssueError::DuplicateKeyId));
    issuer
        .announce(key().with_id(KeyId::new("another").unwrap()))
        .unwrap();
    assert_eq!(
        issuer.announce(key().with_id(KeyId::new("another").unwrap())),
        Err(IssueError::DuplicateKeyId)
    );
}

#[test]
fn publishes_public_parts_alone_and_never_a_shared_secret() {
    let secret = HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
    let hmac = SigningKey::hmac(KeyId::new("hs").unwrap(), Algorithm::Hs256, &secret).unwrap();
    assert_eq!(hmac.jwk(), None);
    let rsa =
        SigningKey::from_pkcs8(Algorithm::Ps384, &SecretBytes::new(RSA_PKCS8.to_vec())).unwrap();
    let quoted = signing_key().with_id(KeyId::new("a\"b\\c").unwrap());
    let issuer = TokenIssuer::new(ISSUER, hmac);
    issuer.announce(rsa).unwrap();
    issuer.announce(quoted).unwrap();
    issuer
        .announce(
            SigningKey::from_pkcs8(
                Algorithm::Es384,
                &SigningKey::generate_pkcs8(Algorithm::Es384).unwrap(),
            )
            .unwrap(),
        )
        .unwrap();
    let document: Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let keys = document["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 3);
    for key in keys {
        let names: Vec<_> = key
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert!(
            names
                .iter()
                .all(|name| ["alg", "crv", "e", "kid", "kty", "n", "use", "x", "y"].contains(name)),
            "{names:?}"
        );
    }
    assert!(fetch(&issuer).refused().is_empty());
    assert_eq!(issuer.key_set().unwrap().len(), 4);
    // What a process shows of its keys.
    let shown = format!("{issuer:?} {:?}", issuer.issue(&request(), now()).unwrap());
    assert!(!shown.contains("eyJ"), "{shown}");
}

#[test]
fn a_shared_secret_is_renamed_on_both_sides() {
    let secret = HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
    let key = SigningKey::hmac(KeyId::new("old").unwrap(), Algorithm::Hs256, &secret).unwrap();
    let issuer = TokenIssuer::new(ISSUER, key.with_id(KeyId::new("new").unwrap()));
    let keys = Arc::new(StaticKeys::new(issuer.key_set().unwrap()));
    let policy = IssuerPolicy::builder(ISSUER, AUDIENCE, keys);
    let token = issuer.issue(&request(), now()).unwrap();
    let verified = accepted(&verifier_of(policy), token.token.expose());
    assert_eq!(verified.key_id(), Some("new"));
    // Who asks for no client is no service, whatever its name.
    assert_eq!(verified.principal().kind, PrincipalKind::User);
}

#[test]
fn a_key_id_of_its_own_reaches_the_token_and_the_verification_key() {
    let key = signing_key().with_id(KeyId::new("2026-01").unwrap());
    assert_eq!(key.verification_key().id().unwrap().as_str(), "2026-01");
    let issuer = TokenIssuer::new(ISSUER, key);
    let token = issuer.issue(&request(), now()).unwrap();
    assert_eq!(
        accepted(&published(&issuer).1, token.token.expose()).key_id(),
        Some("2026-01")
    );
}

#[test]
fn refuses_keys_of_another_algorithm_and_garbage() {
    let ed25519 = SigningKey::generate_pkcs8(Algorithm::EdDsa).unwrap();
    let p256 = SigningKey::generate_pkcs8(Algorithm::Es256).unwrap();
    for (algorithm, bytes) in [
        (Algorithm::Es256, &ed25519),
        (Algorithm::EdDsa, &p256),
        (Algorithm::Es384, &p256),
        (Algorithm::Rs256, &p256),
        (Algorithm::Hs256, &p256),
        (Algorithm::EdDsa, &SecretBytes::new(vec![])),
        (Algorithm::Rs256, &SecretBytes::new(vec![0x30; 64])),
    ] {
        assert_eq!(
            SigningKey::from_pkcs8(algorithm, bytes).unwrap_err(),
            SigningKeyError::Malformed,
            "{algorithm}"
        );
    }
    for algorithm in [Algorithm::Rs256, Algorithm::Ps512, Algorithm::Hs256] {
        assert_eq!(
            SigningKey::generate_pkcs8(algorithm).unwrap_err(),
            SigningKeyError::NotGenerated
        );
    }
    let secret = HmacSecret::new(SECRET.to_vec(), Profile::Development).unwrap();
    assert!(SigningKey::hmac(KeyId::new("x").unwrap(), Algorithm::EdDsa, &secret).is_err());
}

#[test]
fn an_issued_token_is_bound_to_what_was_asked_for() {
    let issuer = TokenIssuer::new(ISSUER, signing_key());
    let (_, verifier) = published(&issuer);
    for (asked, key, certificate) in [
        (request().bound_to_key(&[1; 32]), Some([1; 32]), None),
        (
            request().bound_to_certificate(&[2; 32]),
            None,
            Some([2; 32]),
        ),
        (
            request()
                .bound_to_key(&[1; 32])
                .bound_to_certificate(&[2; 32]),
            Some([1; 32]),
            Some([2; 32]),
        ),
    ] {
        let issued = issuer.issue(&asked, now()).unwrap();
        let token = issued.token.expose();
        assert_eq!(refusal(&verifier, token), Refusal::SenderConstrained);
        let bound = verifier.verify_bound(token, now()).unwrap();
        let confirmation = bound.confirmation().unwrap();
        assert_eq!(confirmation.key_thumbprint(), key.as_ref());
        assert_eq!(confirmation.certificate_thumbprint(), certificate.as_ref());
    }
    let claimed = request().claim("cnf", json!({}));
    assert!(issuer.issue(&claimed, now()).is_err());
}
