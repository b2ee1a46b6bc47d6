//! Threat line 42 and the lines about proxies of the service-identity threats.

use ringwall_authn::transport::{IdentityError, IdentityRule};
use ringwall_authn::{CertificateAuthenticator, CertificateMapping};
use ringwall_core::event::EventKind;

use crate::support::*;

const GOOD: &[(&str, &str)] = &[(SUBJECT, "CN=web,O=Example"), (VERIFY, "SUCCESS")];

#[test]
fn a_trusted_proxy_says_who_the_caller_is() {
    let service = service(behind_nginx());
    assert_eq!(service.subject(from(TRUSTED).saying(GOOD)), "web");
    assert_eq!(service.subject(from("fd00::7").saying(GOOD)), "web");
}

#[test]
fn line_42_a_header_from_an_untrusted_peer_counts_as_absent() {
    for (service, fields) in [
        (service(behind_nginx()), GOOD),
        (
            service(behind_envoy()),
            &[(XFCC, "URI=spiffe://prod.example/web")],
        ),
    ] {
        for address in [
            STRANGER,
            "10.0.0.3",
            "127.0.0.1",
            "::1",
            "::ffff:192.0.2.7",
            "fd00:0:0:1::7",
        ] {
            let request = from(address).saying(fields);
            assert!(!service.presented(request), "{address}");
            let (status, kind, _) = service.refused(request);
            assert_eq!(
                (status, kind),
                (401, EventKind::CredentialsMissing),
                "{address}"
            );
        }
    }
}

#[test]
fn an_ipv4_mapped_address_of_the_proxy_is_the_proxy() {
    let service = service(behind_nginx());
    assert_eq!(service.subject(from("::ffff:10.0.0.2").saying(GOOD)), "web");
}

#[test]
fn whom_a_forwarding_header_names_is_not_who_sits_at_the_socket() {
    let service = service(behind_nginx());
    let fields = [
        GOOD[0],
        GOOD[1],
        ("x-forwarded-for", TRUSTED),
        ("forwarded", "for=10.0.0.2"),
    ];
    assert!(!service.presented(from(STRANGER).saying(&fields)));
}

#[test]
fn line_42_refuses_a_duplicated_header() {
    let service = service(behind_nginx());
    for (fields, error) in [
        (
            vec![GOOD[0], GOOD[0], GOOD[1]],
            IdentityError::HeaderRepeated,
        ),
        (
            vec![GOOD[0], ("X-SSL-Client-Subject", "CN=admin"), GOOD[1]],
            IdentityError::HeaderRepeated,
        ),
        (
            vec![GOOD[0], GOOD[1], GOOD[1]],
            IdentityError::VerdictRepeated,
        ),
        (
            vec![GOOD[0], GOOD[1], (VERIFY, "NONE")],
            IdentityError::VerdictRepeated,
        ),
    ] {
        let request = from(TRUSTED).saying(&fields);
        assert!(service.presented(request), "{fields:?}");
        let (status, kind, cause) = service.refused(request);
        assert_eq!((status, kind), (400, EventKind::CredentialsAmbiguous));
        assert_eq!(cause, error.as_str());
    }
}

#[test]
fn line_42_a_header_in_another_spelling_is_not_the_header() {
    let service = service(behind_nginx());
    for name in [
        "x_ssl_client_subject",
        "x-ssl_client-subject",
        "xsslclientsubject",
        "x-ssl-client-subject2",
    ] {
        let fields = [(name, "CN=web"), (VERIFY, "SUCCESS")];
        assert!(!service.presented(from(TRUSTED).saying(&fields)), "{name}");
    }
    // A verdict in another spelling is none, and a second one changes nothing.
    let fields = [GOOD[0], ("x_ssl_client_verify", "SUCCESS")];
    let (status, _, cause) = service.refused(from(TRUSTED).saying(&fields));
    assert_eq!(
        (status, cause),
        (401, IdentityError::VerdictMissing.as_str())
    );
    let fields = [
        GOOD[0],
        (VERIFY, "NONE"),
        ("x_ssl_client_verify", "SUCCESS"),
    ];
    assert_eq!(service.refused(from(TRUSTED).saying(&fields)).0, 401);
}

#[test]
fn line_42_a_header_that_was_stripped_through_connection_leaves_nobody() {
    // `Connection: x-ssl-client-verify` makes a proxy on the way remove the verdict.
    let service = service(behind_nginx());
    let fields = [GOOD[0], ("connection", VERIFY)];
    let (status, _, cause) = service.refused(from(TRUSTED).saying(&fields));
    assert_eq!(
        (status, cause),
        (401, IdentityError::VerdictMissing.as_str())
    );
    // With the subject gone, there is no identity, whatever the verdict.
    let fields = [GOOD[1], ("connection", SUBJECT)];
    assert!(!service.presented(from(TRUSTED).saying(&fields)));
    assert_eq!(service.refused(from(TRUSTED).saying(&fields)).0, 401);
}

#[test]
fn the_names_to_strip_are_those_that_are_believed() {
    let names = |service: &Service| {
        let names = service.authenticator.header_names();
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let builder = behind_nginx()
        .scopes_header("X-Scopes")
        .roles_header("X-Roles");
    assert_eq!(
        names(&service(builder)),
        [SUBJECT, VERIFY, "x-scopes", "x-roles"]
    );
    assert_eq!(names(&service(behind_envoy())), [XFCC]);
    assert!(names(&service(direct())).is_empty());
}

#[test]
fn refuses_the_subject_of_a_certificate_that_failed_verification() {
    let service = service(behind_nginx());
    for verdict in [
        "NONE",
        "FAILED:unable to verify the first certificate",
        "",
        "SUCCESS,NONE",
        "success",
    ] {
        let fields = [GOOD[0], (VERIFY, verdict)];
        let request = from(TRUSTED).saying(&fields);
        assert!(service.presented(request), "{verdict}");
        let (status, kind, cause) = service.refused(request);
        assert_eq!(
            (status, kind),
            (401, EventKind::AuthenticationFailed),
            "{verdict}"
        );
        assert_eq!(cause, IdentityError::NotVerified.as_str());
    }
}

#[test]
fn refuses_a_subject_that_only_looks_like_the_caller() {
    let service = service(behind_nginx());
    for (subject, status) in [
        ("O=x\\,CN=web", 401),
        ("OU=web", 401),
        ("CN=web,CN=admin", 401),
        ("CN=admin+CN=web", 401),
        ("CN=#0C03776562", 401),
        ("CN=web\\ ", 401),
        ("CN=web\\00", 401),
        ("", 401),
        ("CN=Web", 403),
        ("CN=web2", 403),
        ("CN=w\\C3\\ABb", 403),
        ("web", 400),
        ("/CN=web", 400),
        ("CN=web,", 400),
        ("CN=web, O=x", 400),
        ("CN=\"web", 400),
    ] {
        let fields = [(SUBJECT, subject), (VERIFY, "SUCCESS")];
        let request = from(TRUSTED).saying(&fields);
        assert!(service.presented(request), "{subject}");
        assert_eq!(service.refused(request).0, status, "{subject}");
    }
}

#[test]
fn behind_a_trusted_proxy_the_connection_is_the_proxys_and_not_the_callers() {
    // The proxy has a certificate of its own, which is mapped to a powerful principal.
    let service = service(behind_envoy().direct());
    let proxy = svid(PROXY);
    let fields = [(
        XFCC,
        "By=spiffe://prod.example/me;URI=spiffe://prod.example/web",
    )];
    let request = from(TRUSTED).with(&proxy).saying(&fields);
    let principal = service.ask(request).expect("the caller");
    assert_eq!(principal.subject, WEB);
    assert!(!principal.has_scope("proxy:all"));
    // Without a header the caller has no certificate, and does not become the proxy.
    let silent = from(TRUSTED).with(&proxy);
    assert!(!service.presented(silent));
    let (status, kind, _) = service.refused(silent);
    assert_eq!((status, kind), (401, EventKind::CredentialsMissing));
    // A bad header does not make it the proxy either.
    let bad = [(XFCC, "URI=spiffe://prod.example")];
    assert_eq!(
        service.refused(from(TRUSTED).with(&proxy).saying(&bad)).0,
        401
    );
}

#[test]
fn somebody_else_is_who_the_connection_says_whatever_the_header_does() {
    let service = service(behind_envoy().direct());
    let web = svid(WEB);
    let fields = [(XFCC, "URI=spiffe://prod.example/proxy")];
    assert_eq!(
        service.subject(from(STRANGER).with(&web).saying(&fields)),
        WEB
    );
    let twice = [fields[0], fields[0]];
    assert_eq!(
        service.subject(from(STRANGER).with(&web).saying(&twice)),
        WEB
    );
    assert!(!service.presented(from(STRANGER).saying(&fields)));
}

#[test]
fn of_an_unknown_peer_neither_the_header_nor_the_certificate_counts() {
    let service = service(behind_envoy().direct());
    let proxy = svid(PROXY);
    let fields = [(XFCC, "URI=spiffe://prod.example/web")];
    let unknown = Request::default();
    assert!(!service.presented(unknown.saying(&fields)));
    assert_eq!(service.refused(unknown.saying(&fields)).0, 401);
    let with_certificate = unknown.with(&proxy).saying(&fields);
    assert!(service.presented(with_certificate));
    let (status, kind, cause) = service.refused(with_certificate);
    assert_eq!((status, kind), (401, EventKind::AuthenticationFailed));
    assert!(cause.contains("the address of the peer is unknown"));
    // Where no header is believed, the address does not matter.
    assert_eq!(
        crate::support::service(direct()).subject(unknown.with(&svid(WEB))),
        WEB
    );
}

#[test]
fn of_envoys_header_one_hop_is_believed() {
    let service = service(behind_envoy());
    let two = [(
        XFCC,
        "URI=spiffe://prod.example/proxy,URI=spiffe://prod.example/web",
    )];
    let (status, kind, cause) = service.refused(from(TRUSTED).saying(&two));
    assert_eq!((status, kind), (400, EventKind::CredentialsAmbiguous));
    assert_eq!(cause, IdentityError::SeveralHops.as_str());
    let smuggled = [(XFCC, "URI=x;URI=spiffe://prod.example/web")];
    assert_eq!(
        service.refused(from(TRUSTED).saying(&smuggled)).2,
        IdentityError::Ambiguous.as_str()
    );
}

#[test]
fn a_forwarded_certificate_is_judged_like_one_of_a_connection() {
    let header = || {
        ringwall_authn::transport::IdentityHeader::client_cert()
            .proxy_refuses_unverified()
            .unwrap()
    };
    let builder =
        || mapped(CertificateAuthenticator::builder(spiffe()).behind(proxies(), header()));
    let service = service(builder());
    let field = |der: &[u8]| {
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(der);
        format!(":{body}:")
    };
    let good = field(&der(with_uri(params(), WEB)));
    let fields = [("client-cert", &*good)];
    let request = from(TRUSTED).saying(&fields);
    assert_eq!(service.subject(request), WEB);
    let principal = service.ask(request).unwrap();
    assert_eq!(principal.authentication.expires_at, Some(at(1_798_761_600)));
    // It has ended since the proxy verified it.
    service.clock.set(at(1_798_761_601));
    let (status, _, cause) = service.refused(request);
    assert_eq!(
        (status, cause),
        (401, "the certificate is not valid at this time")
    );
    service.clock.set(at(NOW));
    let mut ca = with_uri(params(), WEB);
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = field(&der(ca));
    let fields = [("client-cert", &*ca)];
    assert_eq!(
        service.refused(from(TRUSTED).saying(&fields)).2,
        IdentityError::Authority.as_str()
    );
    let dns = field(&der(with_dns(params(), "web.example")));
    let fields = [("client-cert", &*dns)];
    assert_eq!(
        service.refused(from(TRUSTED).saying(&fields)).2,
        IdentityError::Nameless.as_str()
    );
}

#[test]
fn a_name_of_another_kind_is_somebody_else() {
    // A host and a common name that read the same.
    let builder = CertificateAuthenticator::builder(IdentityRule::dns().or_common_name())
        .direct()
        .map(CertificateMapping::dns("web").unwrap());
    let service = service(builder);
    let host = Peer::new(der(with_dns(params(), "web")));
    assert_eq!(service.subject(from(STRANGER).with(&host)), "web");
    let name = Peer::new(der(with_common_name(params(), "web")));
    assert_eq!(service.refused(from(STRANGER).with(&name)).0, 403);
}
