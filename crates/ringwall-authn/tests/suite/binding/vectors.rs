//! What the standards publish.

use std::sync::Arc;

use base64::Engine as _;
use ringwall_authn::jose::{CompactLimits, ProofJws, RingProvider, base64url};
use ringwall_authn::{CertificateBinding, DpopError, DpopPolicy, ProofFault, ProvenKey, Refusal};
use ringwall_core::step::Step;
use serde_json::{Value, json};

use super::certificates::Peer;
use super::service::*;
use crate::support::*;

fn vectors(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn rfc9449() -> Value {
    vectors(include_str!("../../vectors/rfc9449.json"))
}

fn rfc8705() -> Value {
    vectors(include_str!("../../vectors/rfc8705.json"))
}

fn jkt() -> [u8; 32] {
    let vectors = rfc9449();
    let cnf = &vectors["6.1 the confirmation of a token that is bound to that key"]["cnf"];
    let bytes = base64url::decode(cnf["jkt"].as_str().unwrap()).unwrap();
    bytes.try_into().unwrap()
}

#[test]
fn rfc_9449_section_4_the_example_is_signed_by_its_key_and_says_what_the_text_says() {
    let vectors = rfc9449();
    let example = &vectors["4.1 a proof for the token endpoint, without an access token"];
    let text = example["proof"].as_str().unwrap();
    let proof = ProofJws::parse(text, CompactLimits::default()).unwrap();
    proof.verify(&RingProvider).unwrap();
    let content = &vectors["4.2 its content"];
    let claims: Value = serde_json::from_slice(&proof.unverified_payload().unwrap()).unwrap();
    assert_eq!(claims, content["claims"]);
    let header = text.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&base64url::decode(header).unwrap()).unwrap();
    assert_eq!(header, content["header"]);
    assert_eq!(proof.token_type(), Some("dpop+jwt"));
    // Section 6.1.
    assert_eq!(proof.thumbprint(), &jkt());
}

/// The example of section 7.1 at another time, by another method, or for another token.
fn request_of_section_7_1(
    seconds: i64,
    change: impl FnOnce(&mut Request<'_>),
    token: Option<&str>,
) -> Result<ProvenKey, DpopError> {
    let vectors = rfc9449();
    let example = &vectors["7.1 a request for a protected resource"];
    let text = |name: &str| example[name].as_str().unwrap();
    let store = Arc::new(Store::default());
    let policy = DpopPolicy::builder(store).origin_from_request();
    let policy = policy.build().unwrap();
    let mut request = Request::dpop(text("access_token"), text("proof"));
    request.method = text("method");
    request.scheme = Some(text("scheme"));
    request.authority = Some(text("host"));
    request.path = text("path");
    change(&mut request);
    let token = token.unwrap_or(text("access_token"));
    let answer = policy.verify(&request.view(), token, &jkt(), at(seconds));
    let Step::Done(answer) = answer else {
        panic!("nothing to wait for")
    };
    answer
}

#[test]
fn rfc_9449_section_7_1_the_example_proves_its_key_for_its_request_and_token_alone() {
    const ISSUED: i64 = 1_562_262_618;
    let key = request_of_section_7_1(ISSUED, |_| {}, None).unwrap();
    assert_eq!(key.thumbprint(), &jkt());
    let rejected = |fault| Some(DpopError::Rejected(fault));
    for (answer, expected) in [
        (
            request_of_section_7_1(ISSUED + 61, |_| {}, None),
            ProofFault::TooOld,
        ),
        (
            request_of_section_7_1(ISSUED, |request| request.method = "POST", None),
            ProofFault::MethodMismatch,
        ),
        (
            request_of_section_7_1(ISSUED, |request| request.path = "/other", None),
            ProofFault::TargetMismatch,
        ),
        (
            request_of_section_7_1(ISSUED, |_| {}, Some("another token")),
            ProofFault::TokenMismatch,
        ),
    ] {
        assert_eq!(answer.err(), rejected(expected));
    }
    let vectors = rfc9449();
    let example = &vectors["7.1 a request for a protected resource"];
    let proof = ProofJws::parse(example["proof"].as_str().unwrap(), CompactLimits::default());
    let claims = proof.unwrap().unverified_payload().unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims, example["claims"]);
}

#[test]
fn rfc_9449_section_4_a_proof_for_the_token_endpoint_is_none_for_a_resource() {
    let vectors = rfc9449();
    let example = &vectors["4.1 a proof for the token endpoint, without an access token"];
    let policy = DpopPolicy::builder(Arc::new(Store::default())).origin_from_request();
    let mut request = Request::dpop("token", example["proof"].as_str().unwrap());
    request.method = "POST";
    request.authority = Some("server.example.com");
    request.path = "/token";
    let policy = policy.build().unwrap();
    let answer = policy.verify(&request.view(), "token", &jkt(), at(1_562_262_616));
    let Step::Done(answer) = answer else {
        panic!("nothing to wait for")
    };
    assert_eq!(
        answer.err(),
        Some(DpopError::Rejected(ProofFault::TokenMismatch))
    );
}

#[test]
fn rfc_8705_appendix_a_the_example_is_bound_to_its_certificate() {
    let vectors = rfc8705();
    let example = &vectors["A the confirmation, and the certificate it is for"];
    let certificate = example["certificate"].as_str().unwrap();
    let certificate = base64::engine::general_purpose::STANDARD.decode(certificate);
    let peer = Peer::new(certificate.unwrap());
    let binding = CertificateBinding::builder().direct().build().unwrap();
    let service = Service::build(Arc::default(), None, Some(binding));
    let token = service.issuer.token(&with("cnf", example["cnf"].clone()));
    let mut request = Request::bearer(&token);
    assert!(service.send(&request).is_err());
    request.peer = Some(&peer);
    let verified = service.send(&request).unwrap();
    assert!(
        verified
            .confirmation()
            .unwrap()
            .certificate_thumbprint()
            .is_some()
    );
}

/// The digest of the RFC's text has two bits too many. What decodes it generously reads 32 bytes, for
/// which there is another text: two texts for one certificate, where one is enough.
#[test]
fn rfc_8705_section_3_1_the_example_is_not_what_base64url_writes() {
    let vectors = rfc8705();
    let example = &vectors["3.1 the confirmation of a token that is bound to a certificate"]["cnf"];
    let key = Key::new("k1", ringwall_authn::jose::Algorithm::EdDsa);
    let verifier = verifier(&[&key]);
    let refused = verifier.verify_bound(&key.token(&with("cnf", example.clone())), now());
    assert_eq!(
        refused.unwrap_err().refusal(),
        Refusal::ConfirmationMalformed
    );
    let text = example["x5t#S256"].as_str().unwrap();
    let canonical = format!("{}0", &text[..42]);
    let token = key.token(&with("cnf", json!({ "x5t#S256": canonical })));
    let accepted = verifier.verify_bound(&token, now()).unwrap();
    let digest = accepted.confirmation().unwrap().certificate_thumbprint();
    assert_eq!(base64url::encode(digest.unwrap()), canonical);
}
