//! Tokens that are bound to a key, through a door.

use std::sync::Arc;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ringwall_authn::jose::{Algorithm, Curve, PublicKey, StaticKeys, base64url};
use ringwall_authn::transport::{IdentityHeader, TrustedProxies};
use ringwall_authn::{
    CertificateBinding, DpopNonces, DpopPolicy, DpopPolicyBuilder, IssuerPolicy, SigningKey,
    TokenAuthenticator, TokenIssuer, TokenRequest, TokenVerifier,
};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::principal::{Scope, Subject};
use ringwall_core::request::RequestView;
use ringwall_gate::{Access, Admitted, Entry, Gate, RoutePolicy};
use ringwall_replay::MemoryReplay;

use crate::support::done;

const NOW: i64 = 1_767_225_600;

/// A client's key.
struct Client {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl Client {
    fn new() -> Self {
        let random = SystemRandom::new();
        let parameters = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(parameters, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(parameters, pkcs8.as_ref(), &random).expect("a key");
        let point = pair.public_key().as_ref().to_vec();
        let (x, y) = point[1..].split_at(32);
        Self {
            public: PublicKey::ec(Curve::P256, x, y).expect("a point"),
            pair,
        }
    }

    fn prove(&self, token: &str, id: &str) -> String {
        self.prove_with(token, id, "")
    }

    /// With further claims, each after a comma.
    fn prove_with(&self, token: &str, id: &str, more: &str) -> String {
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        let header = format!(
            r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#,
            self.public.required_members()
        );
        let claims = format!(
            r#"{{"jti":"{id}","htm":"POST","htu":"https://api.example/cases","iat":{NOW},"ath":"{}"{more}}}"#,
            base64url::encode(digest)
        );
        let signed = format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(claims)
        );
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = base64url::encode(signature.expect("a signature"));
        format!("{signed}.{signature}")
    }
}

struct Site {
    gate: Gate,
    issuer: TokenIssuer,
    clock: Arc<ManualClock>,
}

impl Site {
    fn new() -> Self {
        Self::with(|proofs| proofs)
    }

    fn with(change: impl FnOnce(DpopPolicyBuilder) -> DpopPolicyBuilder) -> Self {
        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("a key");
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
        let issuer = TokenIssuer::new("https://issuer.example", key);
        let keys = StaticKeys::new(issuer.key_set().expect("keys"));
        let policy = IssuerPolicy::builder(issuer.issuer(), "api", Arc::new(keys));
        let verifier = TokenVerifier::builder().issuer(policy.build().expect("a policy"));
        let start = Timestamp::from_unix_seconds(NOW - 3600).expect("in range");
        let proofs = DpopPolicy::builder(Arc::new(MemoryReplay::strict(start)))
            .public_origin("https://api.example");
        let proofs = change(proofs).build();
        let proxies = TrustedProxies::builder().network("10.0.0.2").build();
        let header = IdentityHeader::forwarded_client_cert();
        let certificates = CertificateBinding::builder()
            .direct()
            .behind(proxies.expect("networks"), header)
            .build();
        let now = Timestamp::from_unix_seconds(NOW).expect("in range");
        let clock = Arc::new(ManualClock::new(now));
        let tokens = TokenAuthenticator::builder(verifier.build().expect("a verifier"))
            .realm("test")
            .clock(Arc::<ManualClock>::clone(&clock))
            .dpop(proofs.expect("a policy"))
            .certificate_bound(certificates.expect("a binding"))
            .build();
        let gate = Gate::builder("test")
            .authenticator(Arc::new(tokens))
            .without_audit()
            .clock(Arc::<ManualClock>::clone(&clock))
            .build();
        Self {
            gate: gate.expect("a gate"),
            issuer,
            clock,
        }
    }

    fn token(&self, client: &Client) -> String {
        let request = TokenRequest::new(Subject::new("ada").expect("a subject"), "api")
            .scopes([Scope::new("cases:read").expect("a scope")])
            .bound_to_key(&client.public.thumbprint());
        let now = Timestamp::from_unix_seconds(NOW).expect("in range");
        let issued = self.issuer.issue(&request, now).expect("a token");
        issued.token.expose().to_owned()
    }

    fn enter(&self, scope: &str, headers: &[(&str, &str)]) -> Entry {
        let policy = RoutePolicy::new("cases", Access::all_scopes([scope]).expect("a scope"));
        let headers = headers.to_vec();
        let view = RequestView {
            method: "POST",
            scheme: Some("https"),
            authority: Some("api.example"),
            raw_path: "/cases",
            raw_query: None,
            socket_peer: Some(([192, 0, 2, 1], 4711).into()),
            client_address: None,
            tls_peer: None,
            headers: &headers,
        };
        done(self.gate.door(policy).enter(&view))
    }
}

/// The status and the challenge of a refusal.
#[track_caller]
fn refused(entry: Entry) -> (u16, String) {
    let denial = entry.expect_err("refused");
    let mut told = String::new();
    denial.headers(|_, value| told = value);
    (denial.http_status(), told)
}

const ALGORITHMS: &str = r#"algs="ES256 EdDSA ES384 PS256 RS256""#;

#[test]
fn a_bound_token_passes_with_a_proof_once() {
    let (site, client) = (Site::new(), Client::new());
    let token = site.token(&client);
    let authorization = format!("DPoP {token}");
    let proof = client.prove(&token, "1");
    let headers = [("authorization", &*authorization), ("dpop", &*proof)];
    let (admitted, _exit) = site.enter("cases:read", &headers).expect("admitted");
    assert_eq!(admitted.principal().expect("a caller").subject, "ada");
    let (status, told) = refused(site.enter("cases:read", &headers));
    assert_eq!(status, 401);
    assert!(told.contains(r#"error="invalid_dpop_proof""#), "{told}");
    let bearer = format!("Bearer {token}");
    let (status, told) = refused(site.enter("cases:read", &[("authorization", &bearer)]));
    assert_eq!(status, 401);
    assert!(told.contains(r#"error="invalid_token""#), "{told}");
}

#[test]
fn challenges_of_the_gate_offer_proofs_and_speak_the_callers_scheme() {
    let (site, client) = (Site::new(), Client::new());
    let (status, told) = refused(site.enter("cases:read", &[]));
    assert_eq!(status, 401);
    assert_eq!(
        told,
        format!(r#"Bearer realm="test", DPoP realm="test", {ALGORITHMS}"#)
    );
    let token = site.token(&client);
    let authorization = format!("DPoP {token}");
    let proof = client.prove(&token, "1");
    let headers = [("authorization", &*authorization), ("dpop", &*proof)];
    let (status, told) = refused(site.enter("cases:write", &headers));
    assert_eq!(status, 403);
    let expected = format!(
        r#"DPoP realm="test", {ALGORITHMS}, error="insufficient_scope", scope="cases:write", Bearer realm="test""#
    );
    assert_eq!(told, expected);
}

#[test]
fn the_field_of_the_proxy_is_taken_out_of_everybody_elses_requests() {
    let (site, client) = (Site::new(), Client::new());
    let token = site.token(&client);
    let authorization = format!("DPoP {token}");
    let proof = client.prove(&token, "1");
    let headers = [
        ("authorization", &*authorization),
        ("dpop", &*proof),
        ("x-forwarded-client-cert", "Hash=00"),
    ];
    let (admitted, _exit) = site.enter("cases:read", &headers).expect("admitted");
    assert!(admitted.is_stripped("X-Forwarded-Client-Cert"));
    let spelt = [
        ("authorization", &*authorization),
        ("x_forwarded_client_cert", "Hash=00"),
    ];
    assert_eq!(refused(site.enter("cases:read", &spelt)).0, 400);
}

/// The header fields that an answer gets which says this of caches.
fn told(admitted: &Admitted, said: &[(&str, &str)]) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if let Some(renewal) = admitted.nonce_renewal() {
        renewal.headers(&said, |name, value| fields.push((name, value)));
    }
    fields
}

#[test]
fn an_answer_tells_the_nonce_of_the_time_when_it_is_given() {
    let nonces = DpopNonces::of_this_process().expect("random bytes");
    let at = |seconds| Timestamp::from_unix_seconds(seconds).expect("in range");
    let (now, later) = (nonces.issue(at(NOW)), nonces.issue(at(NOW + 150)));
    let site = Site::with(|proofs| proofs.nonces(nonces));
    let client = Client::new();
    let token = site.token(&client);
    let authorization = format!("DPoP {token}");
    let proof = client.prove_with(&token, "1", &format!(r#","nonce":"{now}""#));
    let headers = [("authorization", &*authorization), ("dpop", &*proof)];
    let (admitted, _exit) = site.enter("cases:read", &headers).expect("admitted");
    let unsaid = |nonce: &str| {
        let no_store = ("cache-control", "no-store".to_owned());
        vec![("dpop-nonce", nonce.to_owned()), no_store]
    };
    assert_eq!(told(&admitted, &[]), unsaid(&now));
    assert_eq!(told(&admitted, &[("cache-control", "max-age=9")]), []);
    let no_store = told(&admitted, &[("cache-control", "no-store")]);
    assert_eq!(no_store, [("dpop-nonce", now)]);
    site.clock.set(at(NOW + 150));
    assert_eq!(told(&admitted, &[]), unsaid(&later));
    site.clock.fail(true);
    assert_eq!(told(&admitted, &[]), []);
}

#[test]
fn nobody_is_told_a_nonce_who_showed_no_proof_or_is_asked_for_none() {
    let (site, client) = (Site::new(), Client::new());
    let token = site.token(&client);
    let authorization = format!("DPoP {token}");
    let proof = client.prove(&token, "1");
    let headers = [("authorization", &*authorization), ("dpop", &*proof)];
    let (admitted, _exit) = site.enter("cases:read", &headers).expect("admitted");
    assert_eq!(admitted.nonce_renewal().expect("a proof").nonce(), None);
    assert_eq!(told(&admitted, &[]), []);

    let nonces = DpopNonces::of_this_process().expect("random bytes");
    let site = Site::with(|proofs| proofs.nonces(nonces));
    let request = TokenRequest::new(Subject::new("ada").expect("a subject"), "api")
        .scopes([Scope::new("cases:read").expect("a scope")]);
    let now = Timestamp::from_unix_seconds(NOW).expect("in range");
    let issued = site.issuer.issue(&request, now).expect("a token");
    let bearer = format!("Bearer {}", issued.token.expose());
    let (admitted, _exit) = site
        .enter("cases:read", &[("authorization", &bearer)])
        .expect("admitted");
    assert!(admitted.nonce_renewal().is_none());
}
