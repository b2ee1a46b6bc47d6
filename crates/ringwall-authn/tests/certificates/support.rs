//! Certificates to order, peers that hold them, and an authenticator that is asked about them.

use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, SanType, date_time_ymd};
use ringwall_authn::transport::{IdentityHeader, IdentityRule, TrustDomain, TrustedProxies};
use ringwall_authn::{
    CertificateAuthenticator, CertificateAuthenticatorBuilder, CertificateMapping,
};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{Scope, VerifiedPrincipal};
use ringwall_core::request::{RequestView, TlsPeer};
use ringwall_core::step::Step;

pub(crate) const WEB: &str = "spiffe://prod.example/web";
pub(crate) const ADMIN: &str = "spiffe://prod.example/admin";
pub(crate) const PROXY: &str = "spiffe://prod.example/proxy";
pub(crate) const SUBJECT: &str = "x-ssl-client-subject";
pub(crate) const VERIFY: &str = "x-ssl-client-verify";
pub(crate) const XFCC: &str = "x-forwarded-client-cert";

/// Where the trusted proxy sits, and where others do.
pub(crate) const TRUSTED: &str = "10.0.0.2";
pub(crate) const STRANGER: &str = "192.0.2.7";

/// 2026-07-01T00:00:00Z, within the life of [`params`].
pub(crate) const NOW: i64 = 1_782_864_000;

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

/// A certificate without any name, of a caller and not of an authority, valid from 2026 to 2027.
pub(crate) fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.is_ca = IsCa::ExplicitNoCa;
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

pub(crate) fn with_uri(mut params: CertificateParams, uri: &str) -> CertificateParams {
    let uri = Ia5String::try_from(uri).unwrap();
    params.subject_alt_names.push(SanType::URI(uri));
    params
}

pub(crate) fn with_dns(mut params: CertificateParams, name: &str) -> CertificateParams {
    let name = Ia5String::try_from(name).unwrap();
    params.subject_alt_names.push(SanType::DnsName(name));
    params
}

pub(crate) fn with_common_name(mut params: CertificateParams, name: &str) -> CertificateParams {
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

pub(crate) fn der(params: CertificateParams) -> Vec<u8> {
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().der().to_vec()
}

pub(crate) fn svid(uri: &str) -> Peer {
    Peer::new(der(with_uri(params(), uri)))
}

/// The other end of a connection, whose trust can end.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) chain: Vec<Vec<u8>>,
    trusted: AtomicBool,
}

impl Peer {
    pub(crate) fn new(leaf: Vec<u8>) -> Self {
        Self {
            chain: vec![leaf],
            trusted: AtomicBool::new(true),
        }
    }

    pub(crate) fn distrust(&self) {
        self.trusted.store(false, Ordering::SeqCst);
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

pub(crate) fn spiffe() -> IdentityRule {
    IdentityRule::spiffe(TrustDomain::new("prod.example").unwrap())
}

pub(crate) fn proxies() -> TrustedProxies {
    TrustedProxies::builder()
        .network("10.0.0.2/32")
        .network("fd00::/64")
        .build()
        .unwrap()
}

pub(crate) fn nginx() -> IdentityHeader {
    IdentityHeader::subject(SUBJECT)
        .verified_by(VERIFY, "SUCCESS")
        .unwrap()
}

pub(crate) fn scope(text: &str) -> Scope {
    Scope::new(text).unwrap()
}

/// Certificates of connections, by SPIFFE id.
pub(crate) fn direct() -> CertificateAuthenticatorBuilder {
    mapped(CertificateAuthenticator::builder(spiffe()).direct())
}

/// Headers of the trusted proxy, by common name.
pub(crate) fn behind_nginx() -> CertificateAuthenticatorBuilder {
    CertificateAuthenticator::builder(IdentityRule::common_name())
        .behind(proxies(), nginx())
        .map(CertificateMapping::common_name("web").unwrap())
}

/// Envoy's header of the trusted proxy, by SPIFFE id.
pub(crate) fn behind_envoy() -> CertificateAuthenticatorBuilder {
    let header = IdentityHeader::forwarded_client_cert();
    mapped(CertificateAuthenticator::builder(spiffe()).behind(proxies(), header))
}

/// With the ids that the tests use.
pub(crate) fn mapped(builder: CertificateAuthenticatorBuilder) -> CertificateAuthenticatorBuilder {
    builder
        .map(
            CertificateMapping::spiffe(WEB)
                .unwrap()
                .scopes([scope("cases:read")]),
        )
        .map(
            CertificateMapping::spiffe(PROXY)
                .unwrap()
                .scopes([scope("proxy:all")]),
        )
}

pub(crate) struct Service {
    pub(crate) authenticator: CertificateAuthenticator,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: Arc<MemoryEvents>,
}

pub(crate) fn service(builder: CertificateAuthenticatorBuilder) -> Service {
    let clock = Arc::new(ManualClock::new(at(NOW)));
    let events = Arc::new(MemoryEvents::new(64));
    let authenticator = builder
        .realm("ringwall")
        .clock(Arc::<ManualClock>::clone(&clock))
        .events(Arc::<MemoryEvents>::clone(&events))
        .build()
        .unwrap();
    Service {
        authenticator,
        clock,
        events,
    }
}

/// A request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Request<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) peer: Option<&'a Peer>,
    pub(crate) fields: &'a [(&'a str, &'a str)],
}

pub(crate) const fn from(address: &str) -> Request<'_> {
    Request {
        from: Some(address),
        peer: None,
        fields: &[],
    }
}

impl<'a> Request<'a> {
    pub(crate) const fn with(mut self, peer: &'a Peer) -> Self {
        self.peer = Some(peer);
        self
    }

    pub(crate) const fn saying(mut self, fields: &'a [(&'a str, &'a str)]) -> Self {
        self.fields = fields;
        self
    }
}

impl Service {
    fn view<T>(&self, request: Request<'_>, ask: impl FnOnce(&RequestView<'_>) -> T) -> T {
        let address = request.from.map(|text| text.parse::<IpAddr>().unwrap());
        ask(&RequestView {
            method: "GET",
            scheme: None,
            authority: None,
            raw_path: "/",
            raw_query: None,
            socket_peer: address.map(|address| SocketAddr::new(address, 4711)),
            client_address: address,
            tls_peer: request.peer.map(|peer| peer as &dyn TlsPeer),
            headers: &request.fields,
        })
    }

    pub(crate) fn presented(&self, request: Request<'_>) -> bool {
        self.view(request, |view| self.authenticator.presented(view))
    }

    pub(crate) fn ask(&self, request: Request<'_>) -> Result<VerifiedPrincipal, Denial> {
        self.view(request, |view| {
            match self.authenticator.authenticate(view) {
                Step::Done(answer) => answer,
                Step::Wait(_) => panic!("there is nothing to wait for"),
            }
        })
    }

    /// The status of the refusal, and the cause that the last event has.
    pub(crate) fn refused(&self, request: Request<'_>) -> (u16, EventKind, &'static str) {
        let denial = match self.ask(request) {
            Ok(principal) => panic!("{principal:?} was let in"),
            Err(denial) => denial,
        };
        let event = self.events.snapshot().pop().expect("an event");
        assert!(event.principal.is_none());
        assert_eq!(event.source, request.from.map(|text| text.parse().unwrap()));
        (denial.http_status(), event.kind, event.cause)
    }

    pub(crate) fn subject(&self, request: Request<'_>) -> String {
        assert!(self.presented(request), "what is accepted was presented");
        let answer = self.ask(request);
        let principal = answer.unwrap_or_else(|denial| {
            let cause = self.events.snapshot().pop().map(|event| event.cause);
            panic!("{denial}: {cause:?}")
        });
        principal.subject.to_string()
    }
}
