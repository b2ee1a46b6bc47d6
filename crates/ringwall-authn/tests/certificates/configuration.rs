//! Options that cannot be sound are refused when the authenticator is built.

use ringwall_authn::transport::{IdentityHeader, IdentityRule, TrustedProxies};
use ringwall_authn::{
    CertificateAuthenticator, CertificateAuthenticatorBuilder, CertificateMapping,
    CertificatePolicyError,
};
use ringwall_core::principal::Subject;

use crate::support::*;

fn error(builder: CertificateAuthenticatorBuilder) -> CertificatePolicyError {
    match builder.build() {
        Ok(built) => panic!("{built:?}"),
        Err(error) => error,
    }
}

#[test]
fn certificates_have_to_come_from_somewhere() {
    let builder = mapped(CertificateAuthenticator::builder(spiffe()));
    assert_eq!(error(builder), CertificatePolicyError::NoSource);
}

#[test]
fn somebody_has_to_be_trusted_to_set_the_header() {
    let header = IdentityHeader::forwarded_client_cert();
    let builder =
        mapped(CertificateAuthenticator::builder(spiffe())).behind(TrustedProxies::none(), header);
    assert_eq!(error(builder), CertificatePolicyError::NoProxy);
}

#[test]
fn the_header_has_to_hold_a_name_that_the_rule_accepts() {
    let builder = mapped(CertificateAuthenticator::builder(spiffe())).behind(proxies(), nginx());
    assert_eq!(error(builder), CertificatePolicyError::HeaderCannotSatisfy);
}

#[test]
fn somebody_has_to_be_accepted() {
    let builder = CertificateAuthenticator::builder(spiffe()).direct();
    assert_eq!(error(builder), CertificatePolicyError::NoMapping);
}

#[test]
fn the_rule_has_to_accept_every_mapped_identity() {
    for mapping in [
        CertificateMapping::dns("web.example").unwrap(),
        CertificateMapping::common_name("web").unwrap(),
        CertificateMapping::spiffe("spiffe://other.example/web").unwrap(),
    ] {
        let builder = direct().map(mapping);
        assert_eq!(error(builder), CertificatePolicyError::MappingNotAccepted);
    }
    let dns = CertificateAuthenticator::builder(IdentityRule::dns())
        .direct()
        .map(CertificateMapping::spiffe(WEB).unwrap());
    assert_eq!(error(dns), CertificatePolicyError::MappingNotAccepted);
}

#[test]
fn an_identity_is_mapped_once() {
    let builder = direct().map(CertificateMapping::spiffe(WEB).unwrap());
    assert_eq!(error(builder), CertificatePolicyError::DuplicateMapping);
    let dns = CertificateAuthenticator::builder(IdentityRule::dns())
        .direct()
        .map(CertificateMapping::dns("web.example").unwrap())
        .map(
            CertificateMapping::dns("WEB.example")
                .unwrap()
                .subject(Subject::new("x").unwrap()),
        );
    assert_eq!(error(dns), CertificatePolicyError::DuplicateMapping);
}

#[test]
fn two_identities_become_one_subject_only_when_somebody_says_so() {
    let rule = || IdentityRule::dns().or_common_name();
    let dns = || CertificateMapping::dns("web").unwrap();
    let name = || CertificateMapping::common_name("web").unwrap();
    let builder = || CertificateAuthenticator::builder(rule()).direct();
    assert_eq!(
        error(builder().map(dns()).map(name())),
        CertificatePolicyError::SubjectClash
    );
    let said = name().subject(Subject::new("web").unwrap());
    assert!(builder().map(dns()).map(said).build().is_ok());
    assert!(
        builder()
            .map(dns().issuer("hosts"))
            .map(name())
            .build()
            .is_ok()
    );
}

#[test]
fn an_identity_too_long_for_a_subject_needs_one() {
    let id = format!("spiffe://prod.example/{}", "x".repeat(255));
    let mapping = || CertificateMapping::spiffe(&id).unwrap();
    assert_eq!(
        error(direct().map(mapping())),
        CertificatePolicyError::SubjectNeeded
    );
    let named = mapping().subject(Subject::new("long").unwrap());
    let service = service(direct().map(named));
    assert_eq!(service.subject(from(STRANGER).with(&svid(&id))), "long");
}

#[test]
fn headers_of_grants_need_a_name_of_their_own_and_a_proxy() {
    for name in [
        "",
        "x y",
        "x_scopes",
        "x:y",
        SUBJECT,
        "X-SSL-Client-Verify",
        "ä",
    ] {
        assert_eq!(
            error(behind_nginx().scopes_header(name)),
            CertificatePolicyError::GrantHeader,
            "{name}"
        );
        assert_eq!(
            error(behind_nginx().roles_header(name)),
            CertificatePolicyError::GrantHeader,
            "{name}"
        );
    }
    let both = behind_nginx()
        .scopes_header("x-grants")
        .roles_header("X-Grants");
    assert_eq!(error(both), CertificatePolicyError::GrantHeader);
    assert_eq!(
        error(direct().scopes_header("x-scopes")),
        CertificatePolicyError::GrantHeader
    );
    assert_eq!(
        error(direct().roles_header("x-roles")),
        CertificatePolicyError::GrantHeader
    );
}

#[test]
fn errors_are_sentences_without_input() {
    let builder = behind_nginx().scopes_header("hunter2 ");
    let text = error(builder).to_string();
    assert!(!text.contains("hunter2") && !text.ends_with('.'));
}
