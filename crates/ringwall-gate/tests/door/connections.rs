//! What a connection must be like, and what only a trusted proxy may say of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringwall_authn::transport::{IdentityHeader, IdentityRule};
use ringwall_authn::{CertificateAuthenticator, CertificateMapping};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::request::{RequestView, TlsPeer};
use ringwall_gate::{Access, Entry, Error, HttpsOnly, RoutePolicy, TrustedProxies};

use crate::support::{Bench, Says, done, principal, status, view};

/// A client certificate that is trusted as long as it is told so.
#[derive(Debug)]
struct Certificate {
    chain: Vec<Vec<u8>>,
    is_trusted: AtomicBool,
}

impl Certificate {
    fn new(is_trusted: bool) -> Self {
        Self {
            chain: vec![vec![0x30]],
            is_trusted: AtomicBool::new(is_trusted),
        }
    }
}

impl TlsPeer for Certificate {
    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    fn trust_generation(&self) -> u64 {
        1
    }

    fn is_trusted(&self, _now: Timestamp) -> bool {
        self.is_trusted.load(Ordering::Relaxed)
    }
}

fn bench(https: Option<HttpsOnly>) -> Bench {
    let says = Says {
        answer: Ok(principal(&[])),
        waits: false,
    };
    Bench::new(says, |builder| match https {
        Some(https) => builder.https_only(https),
        None => builder,
    })
}

fn enter(bench: &Bench, policy: RoutePolicy, view: &RequestView<'_>) -> Entry {
    done(bench.gate.door(policy).enter(view))
}

fn route() -> RoutePolicy {
    RoutePolicy::new("the route", Access::Authenticated)
}

fn public() -> RoutePolicy {
    RoutePolicy::new("a public route", Access::Public)
}

fn cause(bench: &Bench) -> &'static str {
    bench.events.snapshot().last().expect("an event").cause
}

#[test]
fn a_connection_whose_certificate_is_no_longer_trusted_is_refused_on_every_route() {
    let headers = vec![("authorization", "x")];
    let certificate = Certificate::new(true);
    let asked = RequestView {
        scheme: Some("https"),
        tls_peer: Some(&certificate),
        ..view(&headers)
    };
    let bench = bench(None);
    for policy in [route(), public()] {
        certificate.is_trusted.store(true, Ordering::Relaxed);
        assert_eq!(status(&enter(&bench, policy.clone(), &asked)), 200);
        certificate.is_trusted.store(false, Ordering::Relaxed);
        assert_eq!(status(&enter(&bench, policy, &asked)), 401);
        assert_eq!(
            cause(&bench),
            "the certificate that opened the connection is no longer trusted"
        );
    }
}

#[test]
fn plain_http_and_an_unknown_scheme_are_refused_where_tls_is_demanded() {
    for scheme in [Some("http"), None, Some("HTTPS"), Some("wss")] {
        let bench = bench(Some(HttpsOnly::refuse()));
        let headers = vec![];
        let asked = RequestView {
            scheme,
            ..view(&headers)
        };
        for policy in [route(), public()] {
            assert_eq!(status(&enter(&bench, policy, &asked)), 403, "{scheme:?}");
            assert_eq!(cause(&bench), "the request came over plain HTTP");
        }
    }
    let bench = bench(Some(HttpsOnly::refuse()));
    let headers = vec![("authorization", "x")];
    let asked = RequestView {
        scheme: Some("https"),
        ..view(&headers)
    };
    assert_eq!(status(&enter(&bench, route(), &asked)), 200);
}

#[test]
fn a_credential_in_the_clear_is_refused_and_reported_and_never_looked_at() {
    let bench = bench(Some(
        HttpsOnly::redirect_to(["api.example.com"]).expect("a host"),
    ));
    let headers = vec![("authorization", "x")];
    let asked = RequestView {
        method: "GET",
        scheme: Some("http"),
        authority: Some("api.example.com"),
        ..view(&headers)
    };
    let Err(denial) = enter(&bench, route(), &asked) else {
        panic!("it was let in");
    };
    assert_eq!(denial, Denial::PlainHttp { location: None });
    assert_eq!(cause(&bench), "a credential was sent over plain HTTP");
    assert_eq!(bench.kinds(), [EventKind::RequestRefused]);
}

#[test]
fn a_visitor_is_led_to_the_same_page_over_tls() {
    let bench = bench(Some(
        HttpsOnly::redirect_to(["api.example.com"]).expect("a host"),
    ));
    let headers = vec![];
    let asked = RequestView {
        method: "GET",
        scheme: Some("http"),
        authority: Some("api.example.com"),
        ..view(&headers)
    };
    let Err(denial) = enter(&bench, route(), &asked) else {
        panic!("it was let in");
    };
    assert_eq!(denial.http_status(), 308);
    let mut told = Vec::new();
    denial.headers(|name, value| told.push((name, value)));
    let location = "https://api.example.com/cases/7?q=secret".to_owned();
    assert_eq!(told, [("location", location)]);
}

#[test]
fn a_probe_is_excepted_by_name() {
    let bench = bench(Some(HttpsOnly::refuse()));
    let headers = vec![];
    let asked = RequestView {
        scheme: Some("http"),
        ..view(&headers)
    };
    assert_eq!(
        status(&enter(&bench, public().permit_plain_http(), &asked)),
        200
    );
    // The exception is from TLS alone.
    assert_eq!(
        status(&enter(&bench, route().permit_plain_http(), &asked)),
        401
    );
}

#[test]
fn a_gate_that_serves_plain_http_says_so() {
    let says = "plain HTTP is served (https_only was not said)";
    assert!(bench(None).gate.loosened().contains(&says));
    let strict = bench(Some(HttpsOnly::refuse()));
    assert!(!strict.gate.loosened().contains(&says));
}

#[test]
fn a_connection_field_that_makes_proxies_remove_another_field_is_refused() {
    let bench = bench(None);
    for value in [
        "x-forwarded-for",
        "X-Forwarded-For",
        "close, authorization",
        "keep-alive,x-ssl-client-verify",
        "x-service-nonce , close",
        "close\tx",
        "content-length",
        "host",
        "\u{e4}",
    ] {
        let headers = vec![("connection", value)];
        assert_eq!(
            status(&enter(&bench, public(), &view(&headers))),
            400,
            "{value}"
        );
    }
    let twice = vec![("connection", "close"), ("connection", "authorization")];
    assert_eq!(status(&enter(&bench, public(), &view(&twice))), 400);
    for value in [
        "",
        "close",
        "Keep-Alive",
        "keep-alive, Upgrade",
        "Upgrade, HTTP2-Settings",
        "close , TE",
        ",close,",
    ] {
        let headers = vec![("connection", value)];
        assert_eq!(
            status(&enter(&bench, public(), &view(&headers))),
            200,
            "{value}"
        );
    }
}

#[test]
fn what_only_a_proxy_may_set_is_listed_to_be_stripped_under_every_spelling() {
    let says = Says {
        answer: Ok(principal(&[])),
        waits: false,
    };
    let bench = Bench::new(says, |builder| builder.proxy_header("X-Auth-Request-User"));
    let headers = vec![("x-auth-request-user", "root")];
    let Ok((admitted, exit)) = enter(&bench, public(), &view(&headers)) else {
        panic!("refused");
    };
    done(exit.finish(200, None));
    assert!(admitted.stripped().contains(&"x-auth-request-user".into()));
    assert!(admitted.is_stripped("X-Auth_Request-USER"));
    assert!(!admitted.is_stripped("x-auth-request-users"));
    assert!(!admitted.is_via_proxy());

    for name in [
        "x_auth_request_user",
        "X-Auth_Request-User",
        "x-auth-request_user",
    ] {
        let headers = vec![(name, "root")];
        assert_eq!(
            status(&enter(&bench, public(), &view(&headers))),
            400,
            "{name}"
        );
    }
    let other = vec![("x_other", "root"), ("_", "")];
    assert_eq!(status(&enter(&bench, public(), &view(&other))), 200);
}

#[test]
fn where_nobody_is_trusted_no_forwarding_field_reaches_a_handler_unless_that_is_loosened() {
    let says = || Says {
        answer: Ok(principal(&[])),
        waits: false,
    };
    let reported =
        "handlers see forwarding fields that anybody can send (permit_forwarding_fields)";
    let forged = vec![
        ("x-forwarded-for", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
    ];
    let is_stripped = |bench: &Bench| {
        let Ok((admitted, exit)) = enter(bench, public(), &view(&forged)) else {
            panic!("refused");
        };
        done(exit.finish(200, None));
        assert_eq!(admitted.client_address(), Some([192, 0, 2, 1].into()));
        ["X-Forwarded-For", "forwarded", "x_real_ip"].map(|name| admitted.is_stripped(name))
    };
    let strict = Bench::new(says(), |builder| builder);
    assert_eq!(is_stripped(&strict), [true; 3]);
    assert!(!strict.gate.loosened().contains(&reported));
    let underscore = vec![("x_forwarded_for", "203.0.113.9")];
    assert_eq!(status(&enter(&strict, public(), &view(&underscore))), 400);

    let loose = Bench::new(says(), |builder| builder.permit_forwarding_fields());
    assert_eq!(is_stripped(&loose), [false; 3]);
    assert!(loose.gate.loosened().contains(&reported));

    // Where somebody is trusted, everybody else is not.
    let elsewhere = Bench::new(says(), |builder| {
        let proxies = TrustedProxies::builder().network("198.51.100.1").build();
        builder
            .trusted_proxies(proxies.expect("proxies"))
            .permit_forwarding_fields()
    });
    assert_eq!(is_stripped(&elsewhere), [true; 3]);
    assert!(!elsewhere.gate.loosened().contains(&reported));
}

#[test]
fn a_field_name_that_is_none_does_not_build() {
    for name in ["", "a b", "a:", "\u{e4}", "a\r\nb", "\"a\""] {
        let gate = ringwall_gate::Gate::builder("test")
            .without_authenticators()
            .without_audit()
            .proxy_header(name)
            .build();
        assert_eq!(gate.err(), Some(Error::InvalidHeaderName), "{name:?}");
    }
}

#[test]
fn an_identity_that_a_trusted_proxy_names_is_the_caller_and_from_anybody_else_it_is_nothing() {
    let proxies = TrustedProxies::builder()
        .network("192.0.2.0/24")
        .build()
        .expect("proxies");
    let header = IdentityHeader::subject("x-ssl-client-subject")
        .verified_by("x-ssl-client-verify", "SUCCESS")
        .expect("a name");
    let mapping = CertificateMapping::common_name("reports").expect("a name");
    let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
    let gate = ringwall_gate::Gate::builder("test")
        .certificates(
            CertificateAuthenticator::builder(IdentityRule::common_name())
                .behind(proxies.clone(), header)
                .map(mapping),
        )
        .trusted_proxies(proxies)
        .without_audit()
        .clock(Arc::new(clock))
        .build()
        .expect("a gate");
    let headers = vec![
        ("x-ssl-client-subject", "CN=reports"),
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    let door = gate.door(route());
    let Ok((admitted, exit)) = done(door.enter(&view(&headers))) else {
        panic!("refused");
    };
    done(exit.finish(200, None));
    let principal = admitted.principal().expect("somebody");
    assert_eq!(principal.subject.as_str(), "reports");
    assert_eq!(admitted.client_address(), Some([203, 0, 113, 9].into()));
    assert!(admitted.is_via_proxy());
    assert!(!admitted.is_stripped("x-ssl-client-subject"));
    assert!(admitted.is_stripped("forwarded"), "no proxy sets it here");

    let stranger = RequestView {
        socket_peer: Some(([198, 51, 100, 1], 4711).into()),
        ..view(&headers)
    };
    assert_eq!(status(&done(door.enter(&stranger))), 401);
    let door = gate.door(public());
    let Ok((admitted, exit)) = done(door.enter(&stranger)) else {
        panic!("refused");
    };
    done(exit.finish(200, None));
    assert_eq!(admitted.client_address(), Some([198, 51, 100, 1].into()));
    for name in [
        "x-ssl-client-subject",
        "X_SSL_Client_Verify",
        "x-forwarded-for",
    ] {
        assert!(admitted.is_stripped(name), "{name}");
    }
}
