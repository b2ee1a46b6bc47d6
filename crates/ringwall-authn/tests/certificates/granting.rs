//! What an identity is granted, and by whom.

use ringwall_authn::{CertificateAuthenticator, CertificateMapping};
use ringwall_core::event::EventKind;
use ringwall_core::principal::{
    AuthenticationMethod, OrgId, PrincipalKind, Role, Scope, Subject, Tenant,
};

use crate::support::*;

const GOOD: [(&str, &str); 2] = [(SUBJECT, "CN=web"), (VERIFY, "SUCCESS")];

#[test]
fn an_identity_is_granted_nothing_unless_its_mapping_says_so() {
    let builder = CertificateAuthenticator::builder(spiffe())
        .direct()
        .map(CertificateMapping::spiffe(WEB).unwrap());
    let principal = service(builder)
        .ask(from(STRANGER).with(&svid(WEB)))
        .unwrap();
    assert_eq!(principal.kind, PrincipalKind::Service);
    assert_eq!(principal.subject, WEB);
    assert_eq!(principal.issuer.as_deref(), Some("prod.example"));
    assert_eq!(principal.tenant, None);
    assert!(principal.roles.is_empty() && principal.scopes.is_empty());
    assert!(principal.attributes.is_empty() && principal.on_behalf_of.is_none());
    let authentication = &principal.authentication;
    assert_eq!(authentication.method, AuthenticationMethod::MutualTls);
    assert_eq!(authentication.authenticated_at, None);
    assert!(authentication.methods.is_empty() && authentication.context_class.is_none());
}

#[test]
fn an_identity_becomes_what_its_mapping_says_and_no_other_does() {
    let tenant = Tenant {
        org: OrgId::new("acme").unwrap(),
        project: None,
    };
    let builder = CertificateAuthenticator::builder(spiffe())
        .direct()
        .map(
            CertificateMapping::spiffe(WEB)
                .unwrap()
                .kind(PrincipalKind::Agent)
                .subject(Subject::new("agent-1").unwrap())
                .issuer("mesh")
                .tenant(tenant.clone())
                .roles([Role::new("reader").unwrap()])
                .scopes([scope("cases:read")])
                .scopes([scope("cases:write")]),
        )
        .map(CertificateMapping::spiffe(PROXY).unwrap());
    let service = service(builder);
    let agent = service.ask(from(STRANGER).with(&svid(WEB))).unwrap();
    assert_eq!(agent.kind, PrincipalKind::Agent);
    assert_eq!(agent.subject, "agent-1");
    assert_eq!(agent.issuer.as_deref(), Some("mesh"));
    assert_eq!(agent.tenant, Some(tenant));
    assert!(agent.has_role("reader"));
    assert!(agent.has_scope("cases:read") && agent.has_scope("cases:write"));
    let other = service.ask(from(STRANGER).with(&svid(PROXY))).unwrap();
    assert_eq!(other.subject, PROXY);
    assert!(other.scopes.is_empty() && other.roles.is_empty());
}

#[test]
fn the_credential_is_known_by_its_end_and_its_fingerprint() {
    let service = service(direct());
    let peer = svid(WEB);
    let authentication = service
        .ask(from(STRANGER).with(&peer))
        .unwrap()
        .authentication
        .clone();
    assert_eq!(authentication.expires_at, Some(at(1_798_761_600)));
    let digest = ring::digest::digest(&ring::digest::SHA256, &peer.chain[0]);
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(authentication.credential_id.as_deref(), Some(&*hex));
    // A subject in a header has neither.
    let service = crate::support::service(behind_nginx());
    let authentication = service
        .ask(from(TRUSTED).saying(&GOOD))
        .unwrap()
        .authentication
        .clone();
    assert_eq!(authentication.expires_at, None);
    assert_eq!(authentication.credential_id, None);
    // Envoy's field has the digest.
    let service = crate::support::service(behind_envoy());
    let text = format!("Hash={hex};URI={WEB}");
    let principal = service.ask(from(TRUSTED).saying(&[(XFCC, &text)])).unwrap();
    assert_eq!(
        principal.authentication.credential_id.as_deref(),
        Some(&*hex)
    );
    assert_eq!(principal.authentication.expires_at, None);
}

#[test]
fn a_trusted_proxy_can_add_scopes_and_roles() {
    let service = service(
        behind_nginx()
            .scopes_header("X-Scopes")
            .roles_header("X-Roles"),
    );
    let [subject, verdict] = GOOD;
    let fields = [
        subject,
        verdict,
        ("x-scopes", "cases:read  cases:write cases:read"),
        ("x-roles", "reader"),
    ];
    let principal = service.ask(from(TRUSTED).saying(&fields)).unwrap();
    let scopes: Vec<&str> = principal.scopes.iter().map(Scope::as_str).collect();
    assert_eq!(scopes, ["cases:read", "cases:write"]);
    let roles: Vec<&str> = principal.roles.iter().map(Role::as_str).collect();
    assert_eq!(roles, ["reader"]);
    for fields in [
        vec![subject, verdict],
        vec![subject, verdict, ("x-scopes", ""), ("x-roles", " ")],
    ] {
        let principal = service.ask(from(TRUSTED).saying(&fields)).unwrap();
        assert!(principal.scopes.is_empty() && principal.roles.is_empty());
    }
}

#[test]
fn nobody_else_can_add_scopes_and_roles() {
    let builder = behind_envoy()
        .direct()
        .scopes_header("x-scopes")
        .roles_header("x-roles");
    let service = service(builder);
    let fields = [
        ("x-scopes", "admin"),
        ("x-roles", "admin"),
        (XFCC, "URI=spiffe://prod.example/web"),
    ];
    let principal = service
        .ask(from(STRANGER).with(&svid(WEB)).saying(&fields))
        .unwrap();
    assert!(!principal.has_scope("admin") && !principal.has_role("admin"));
    assert!(principal.has_scope("cases:read"));
    // From the proxy, without an identity: nobody is there to grant it to.
    let grants = &fields[..2];
    assert!(!service.presented(from(TRUSTED).saying(grants)));
    assert_eq!(service.refused(from(TRUSTED).saying(grants)).0, 401);
    // Without a header of that name being believed, it is a field like another.
    let plain = crate::support::service(behind_envoy());
    let principal = plain.ask(from(TRUSTED).saying(&fields)).unwrap();
    assert!(!principal.has_scope("admin") && !principal.has_role("admin"));
}

#[test]
fn refuses_a_list_of_grants_that_is_not_one_list() {
    let service = service(
        behind_nginx()
            .scopes_header("x-scopes")
            .roles_header("x-roles"),
    );
    let [subject, verdict] = GOOD;
    let many = vec!["a"; 65].join(" ");
    let long = "a".repeat(4097);
    for bad in [
        vec![("x-scopes", "a"), ("x-scopes", "b")],
        vec![("x-scopes", "a"), ("X-Scopes", "a")],
        vec![("x-roles", "a"), ("x-roles", "a")],
        vec![("x-scopes", "a,b")],
        vec![("x-scopes", "a, b")],
        vec![("x-roles", "a, b")],
        vec![("x-scopes", "a\tb")],
        vec![("x-scopes", "a\"b")],
        vec![("x-scopes", "ä")],
        vec![("x-roles", "a\u{202e}")],
        vec![("x-scopes", &*many)],
        vec![("x-scopes", &*long)],
        vec![("x-roles", &*long)],
    ] {
        let mut fields = vec![subject, verdict];
        fields.extend(bad);
        let (status, kind, cause) = service.refused(from(TRUSTED).saying(&fields));
        assert_eq!(
            (status, kind),
            (400, EventKind::CredentialsAmbiguous),
            "{fields:?}"
        );
        assert!(cause.starts_with("the header of "), "{cause}");
    }
}

#[test]
fn scopes_are_not_granted_to_an_identity_without_a_mapping() {
    let service = service(behind_nginx().scopes_header("x-scopes"));
    let fields = [(SUBJECT, "CN=nobody"), GOOD[1], ("x-scopes", "admin")];
    assert_eq!(service.refused(from(TRUSTED).saying(&fields)).0, 403);
}

#[test]
fn what_one_request_was_granted_is_not_left_for_the_next() {
    let service = service(behind_nginx().scopes_header("x-scopes"));
    let [subject, verdict] = GOOD;
    let fields = [subject, verdict, ("x-scopes", "admin")];
    assert!(
        service
            .ask(from(TRUSTED).saying(&fields))
            .unwrap()
            .has_scope("admin")
    );
    assert!(
        !service
            .ask(from(TRUSTED).saying(&GOOD))
            .unwrap()
            .has_scope("admin")
    );
}
