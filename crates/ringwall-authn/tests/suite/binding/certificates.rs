//! Tokens that are bound to the client certificate (RFC 8705 §3).

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use ringwall_authn::jose::{Algorithm, base64url};
use ringwall_authn::transport::{IdentityHeader, TrustedProxies};
use ringwall_authn::{CertificateBinding, CertificatePolicyError, Refusal};
use ringwall_core::clock::Timestamp;
use ringwall_core::event::EventKind;
use ringwall_core::request::TlsPeer;
use serde_json::{Value, json};

use super::service::*;
use crate::support::*;

/// The other end of a connection, whose trust can end.
#[derive(Debug)]
pub(crate) struct Peer {
    chain: Vec<Vec<u8>>,
    trusted: AtomicBool,
}

impl Peer {
    pub(crate) fn new(leaf: Vec<u8>) -> Self {
        Self {
            chain: vec![leaf, b"its authority".to_vec()],
            trusted: AtomicBool::new(true),
        }
    }

    /// As `x5t#S256` has it.
    pub(crate) fn digest(&self) -> String {
        base64url::encode(ring::digest::digest(&ring::digest::SHA256, &self.chain[0]))
    }
}

impl TlsPeer for Peer {
    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn trust_generation(&self) -> u64 {
        1
    }

    fn is_trusted(&self, _now: Timestamp) -> bool {
        self.trusted.load(Ordering::SeqCst)
    }
}

const XFCC: &str = "x-forwarded-client-cert";
const PROXY: &str = "10.0.0.2:443";

fn bound(digest: &str) -> Value {
    with("cnf", json!({ "x5t#S256": digest }))
}

fn proxies() -> TrustedProxies {
    TrustedProxies::builder()
        .network("10.0.0.2")
        .build()
        .unwrap()
}

fn service(binding: CertificateBinding) -> Service {
    Service::build(Arc::default(), None, Some(binding))
}

fn direct() -> Service {
    service(CertificateBinding::builder().direct().build().unwrap())
}

fn behind(header: IdentityHeader) -> Service {
    let binding = CertificateBinding::builder()
        .direct()
        .behind(proxies(), header);
    service(binding.build().unwrap())
}

fn xfcc() -> Service {
    behind(IdentityHeader::forwarded_client_cert())
}

fn hex(digest: &str) -> String {
    let bytes = base64url::decode(digest).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_token_is_good_on_connections_of_its_certificate_alone() {
    let service = direct();
    let (peer, other) = (
        Peer::new(b"a certificate".to_vec()),
        Peer::new(b"another one".to_vec()),
    );
    // The authority's digest is in the chain too, and is not the client's.
    let authority = Peer::new(peer.chain[1].clone());
    let token = service.issuer.token(&bound(&peer.digest()));
    for (tried, cause) in [
        (None, Some(Refusal::SenderConstrained)),
        (Some(&other), Some(Refusal::PossessionMismatch)),
        (Some(&peer), None),
        // From the cache.
        (Some(&other), Some(Refusal::PossessionMismatch)),
        (None, Some(Refusal::SenderConstrained)),
        (Some(&peer), None),
    ] {
        let mut request = Request::bearer(&token);
        request.peer = tried.map(|peer| peer as _);
        let answer = service.send(&request);
        assert_eq!(answer.is_ok(), cause.is_none());
        if let Err(denial) = answer {
            assert_eq!(
                challenge(&denial),
                r#"Bearer realm="api", error="invalid_token""#
            );
            assert_eq!(Some(service.cause()), cause.map(Refusal::as_str));
        }
    }
    let token = service.issuer.token(&bound(&authority.digest()));
    let mut request = Request::bearer(&token);
    request.peer = Some(&peer);
    assert!(service.send(&request).is_err());
}

#[test]
fn a_connection_that_is_no_longer_trusted_shows_nothing() {
    let service = direct();
    let peer = Peer::new(b"a certificate".to_vec());
    let token = service.issuer.token(&bound(&peer.digest()));
    let mut request = Request::bearer(&token);
    request.peer = Some(&peer);
    assert!(service.send(&request).is_ok());
    peer.trusted.store(false, Ordering::SeqCst);
    let denial = service.send(&request).unwrap_err();
    assert_eq!(status(&denial), 401);
    assert_eq!(service.cause(), "the certificate is no longer trusted");
    // A token that demands no certificate does not ask for one.
    let plain = service.issuer.token(&claims());
    let mut request = Request::bearer(&plain);
    request.peer = Some(&peer);
    assert!(service.send(&request).is_ok());
}

#[test]
fn behind_a_trusted_proxy_its_header_tells_the_certificate() {
    let service = xfcc();
    let client = Peer::new(b"the client's certificate".to_vec());
    let proxy = Peer::new(b"the proxy's own".to_vec());
    let token = service.issuer.token(&bound(&client.digest()));
    let authorization = format!("Bearer {token}");
    let own = format!("Hash={}", hex(&client.digest()));
    let other = format!("Hash={}", hex(&proxy.digest()));
    for (field, accepted) in [
        (Some(&*own), true),
        (Some(&*other), false),
        (Some("Subject=\"CN=client\""), false),
        (None, false),
    ] {
        let mut headers = vec![("authorization", &*authorization)];
        headers.extend(field.map(|field| (XFCC, field)));
        let mut request = Request::new(&headers);
        request.socket = Some(PROXY);
        request.peer = Some(&proxy);
        assert_eq!(service.send(&request).is_ok(), accepted, "{field:?}");
    }
    // The proxy's own certificate is never the client's.
    let token = service.issuer.token(&bound(&proxy.digest()));
    let mut request = Request::bearer(&token);
    request.socket = Some(PROXY);
    request.peer = Some(&proxy);
    assert!(service.send(&request).is_err());
}

#[test]
fn line_42_nobody_but_a_trusted_proxy_can_say_whose_certificate_it_is() {
    let service = xfcc();
    let client = Peer::new(b"the client's certificate".to_vec());
    let thief = Peer::new(b"the thief's".to_vec());
    let token = service.issuer.token(&bound(&client.digest()));
    let authorization = format!("Bearer {token}");
    let own = format!("Hash={}", hex(&client.digest()));
    let headers = [("authorization", &*authorization), (XFCC, &*own)];
    for socket in [Some("192.0.2.7:1"), None] {
        for peer in [None, Some(&thief)] {
            let mut request = Request::new(&headers);
            request.socket = socket;
            request.peer = peer.map(|peer| peer as _);
            assert!(service.send(&request).is_err(), "{socket:?}");
        }
    }
    // Not known whether it is a proxy: its certificate is nobody's.
    let mut request = Request::bearer(&token);
    request.socket = None;
    request.peer = Some(&client);
    assert!(service.send(&request).is_err());
    assert!(service.cause().contains("may be a proxy's"));
    // Twice, or ill-formed, from the proxy: which one did it write?
    for headers in [
        vec![
            ("authorization", &*authorization),
            (XFCC, &*own),
            (XFCC, &*own),
        ],
        vec![("authorization", &*authorization), (XFCC, "Hash=x")],
    ] {
        let mut request = Request::new(&headers);
        request.socket = Some(PROXY);
        assert_eq!(status(&service.send(&request).unwrap_err()), 400);
    }
    assert_eq!(count(&service, EventKind::CredentialsAmbiguous), 2);
    assert_eq!(
        service.authenticator.header_names(),
        [Box::<str>::from(XFCC)]
    );
    assert!(direct().authenticator.header_names().is_empty());
}

#[test]
fn where_only_proxies_tell_the_certificate_of_a_connection_counts_for_nothing() {
    let header = IdentityHeader::forwarded_client_cert();
    let binding = CertificateBinding::builder().behind(proxies(), header);
    let service = service(binding.build().unwrap());
    let peer = Peer::new(b"a certificate".to_vec());
    let token = service.issuer.token(&bound(&peer.digest()));
    for socket in [Some("192.0.2.7:1"), Some(PROXY), None] {
        let mut request = Request::bearer(&token);
        request.socket = socket;
        request.peer = Some(&peer);
        assert!(service.send(&request).is_err(), "{socket:?}");
        assert_eq!(service.cause(), Refusal::SenderConstrained.as_str());
    }
}

#[test]
fn a_forwarded_certificate_is_taken_within_its_dates() {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2027, 1, 1);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let peer = Peer::new(certificate.der().to_vec());
    let header = IdentityHeader::client_cert().proxy_refuses_unverified();
    let service = behind(header.unwrap());
    let token = service.issuer.token(&bound(&peer.digest()));
    let authorization = format!("Bearer {token}");
    let encoded = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        certificate.der(),
    );
    let field = format!(":{encoded}:");
    let mut request = Request::new(&[("authorization", &authorization), ("client-cert", &field)]);
    request.socket = Some(PROXY);
    assert!(service.send(&request).is_ok());
    let late = 1_798_761_601; // 2027-01-01T00:00:01Z
    let mut claims = bound(&peer.digest());
    claims["iat"] = late.into();
    claims["exp"] = (late + 60).into();
    let token = service.issuer.token(&claims);
    request.headers[0].1 = format!("Bearer {token}");
    service.clock.set(at(late));
    assert!(service.send(&request).is_err());
    assert_eq!(service.cause(), "the certificate is not valid at this time");
}

#[test]
fn where_each_token_has_to_be_bound_bearer_tokens_are_refused() {
    let binding = CertificateBinding::builder().direct().required();
    let service = service(binding.build().unwrap());
    let peer = Peer::new(b"a certificate".to_vec());
    for (claims, accepted) in [(claims(), false), (bound(&peer.digest()), true)] {
        let token = service.issuer.token(&claims);
        let mut request = Request::bearer(&token);
        request.peer = Some(&peer);
        assert_eq!(service.send(&request).is_ok(), accepted);
        if !accepted {
            assert_eq!(service.cause(), Refusal::NotBound.as_str());
        }
    }
}

#[test]
fn a_key_bound_token_is_not_helped_by_a_certificate() {
    let service = direct();
    let peer = Peer::new(b"a certificate".to_vec());
    let client = Key::new("client", Algorithm::Es256);
    let token = service.issuer.token(&bound_to(&client));
    let mut request = Request::bearer(&token);
    request.peer = Some(&peer);
    assert!(service.send(&request).is_err());
    assert_eq!(service.cause(), Refusal::SenderConstrained.as_str());
}

#[test]
fn a_binding_that_cannot_be_sound_is_not_built() {
    let builder = CertificateBinding::builder;
    let subject = || {
        IdentityHeader::subject("x-subject")
            .verified_by("x-verify", "SUCCESS")
            .unwrap()
    };
    for (builder, error) in [
        (builder(), CertificatePolicyError::NoSource),
        (
            builder().behind(
                TrustedProxies::none(),
                IdentityHeader::forwarded_client_cert(),
            ),
            CertificatePolicyError::NoProxy,
        ),
        (
            builder().behind(proxies(), subject()),
            CertificatePolicyError::HeaderWithoutCertificate,
        ),
        (
            builder().direct().behind(
                proxies(),
                IdentityHeader::oneline_subject("x-subject")
                    .proxy_refuses_unverified()
                    .unwrap(),
            ),
            CertificatePolicyError::HeaderWithoutCertificate,
        ),
    ] {
        assert_eq!(builder.build().unwrap_err(), error);
    }
}
