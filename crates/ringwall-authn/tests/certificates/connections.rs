//! Certificates of the connection: the lines about SVIDs of the service-identity threats.

use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose, date_time_ymd};
use ringwall_authn::CertificateAuthenticator;
use ringwall_authn::CertificateMapping;
use ringwall_authn::transport::{IdentityError, IdentityRule};
use ringwall_core::event::EventKind;

use crate::support::*;

fn refused(peer: &Peer) -> (u16, &'static str) {
    let service = service(direct());
    assert!(
        service.presented(from(STRANGER).with(peer)),
        "it was presented"
    );
    let (status, kind, cause) = service.refused(from(STRANGER).with(peer));
    assert_eq!(kind, EventKind::AuthenticationFailed);
    (status, cause)
}

#[test]
fn a_good_svid_is_its_workload() {
    let service = service(direct());
    assert_eq!(service.subject(from(STRANGER).with(&svid(WEB))), WEB);
    assert_eq!(service.events.count(EventKind::AuthenticationSucceeded), 1);
}

#[test]
fn refuses_an_expired_svid_and_one_that_is_yet_to_begin() {
    let mut expired = with_uri(params(), WEB);
    expired.not_after = date_time_ymd(2026, 6, 30);
    let mut early = with_uri(params(), WEB);
    early.not_before = date_time_ymd(2026, 7, 2);
    for params in [expired, early] {
        // The handshake trusts it still: this check does not rely on that one.
        let (status, cause) = refused(&Peer::new(der(params)));
        assert_eq!(status, 401);
        assert_eq!(cause, "the certificate is not valid at this time");
    }
}

#[test]
fn refuses_an_svid_that_expires_while_its_connection_goes_on() {
    let service = service(direct());
    let peer = svid(WEB);
    let request = from(STRANGER).with(&peer);
    let end = 1_798_761_600; // 2027-01-01
    service.clock.set(at(end));
    assert_eq!(service.subject(request), WEB);
    service.clock.set(at(end + 1));
    assert_eq!(service.refused(request).0, 401);
}

#[test]
fn refuses_an_svid_whose_root_was_removed_in_mid_connection() {
    let service = service(direct());
    let peer = svid(WEB);
    let request = from(STRANGER).with(&peer);
    assert_eq!(service.subject(request), WEB);
    peer.distrust();
    let (status, kind, cause) = service.refused(request);
    assert_eq!((status, kind), (401, EventKind::AuthenticationFailed));
    assert_eq!(cause, "the certificate is no longer trusted");
}

#[test]
fn refuses_a_certificate_of_an_authority() {
    let mut ca = with_uri(params(), WEB);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut signer = with_uri(params(), WEB);
    signer.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    for params in [ca, signer] {
        let peer = Peer::new(der(params));
        assert_eq!(refused(&peer), (401, IdentityError::Authority.as_str()));
    }
}

#[test]
fn refuses_an_svid_without_a_path() {
    let peer = svid("spiffe://prod.example");
    assert_eq!(refused(&peer), (401, IdentityError::SpiffeId.as_str()));
}

#[test]
fn refuses_two_uris() {
    let two = with_uri(with_uri(params(), WEB), PROXY);
    assert_eq!(
        refused(&Peer::new(der(two))),
        (401, IdentityError::Ambiguous.as_str())
    );
}

#[test]
fn refuses_a_foreign_trust_domain_with_a_trusted_root() {
    let peer = svid("spiffe://other.example/web");
    assert_eq!(
        refused(&peer),
        (401, IdentityError::ForeignTrustDomain.as_str())
    );
}

#[test]
fn refuses_a_common_name_alone_unless_it_was_asked_for() {
    let cn = Peer::new(der(with_common_name(params(), "web")));
    assert_eq!(refused(&cn), (401, IdentityError::Nameless.as_str()));
    let asked = CertificateAuthenticator::builder(IdentityRule::common_name())
        .direct()
        .map(CertificateMapping::common_name("web").unwrap());
    assert_eq!(service(asked).subject(from(STRANGER).with(&cn)), "web");
}

#[test]
fn refuses_what_is_no_certificate_and_a_chain_without_one() {
    let garbage = Peer::new(b"no certificate".to_vec());
    assert_eq!(
        refused(&garbage),
        (401, IdentityError::CertificateMalformed.as_str())
    );
    let mut empty = svid(WEB);
    empty.chain.clear();
    assert_eq!(
        refused(&empty),
        (401, "the certificate is no longer trusted")
    );
}

#[test]
fn only_the_leaf_says_who_it_is() {
    let service = service(direct());
    let mut peer = svid(WEB);
    peer.chain.push(der(with_uri(params(), PROXY)));
    assert_eq!(service.subject(from(STRANGER).with(&peer)), WEB);
    peer.chain.remove(0);
    peer.chain.insert(0, der(params()));
    assert_eq!(
        service.refused(from(STRANGER).with(&peer)).2,
        IdentityError::Nameless.as_str()
    );
}

#[test]
fn an_identity_without_a_mapping_is_refused_for_good() {
    let service = service(direct());
    let peer = svid(ADMIN);
    let request = from(STRANGER).with(&peer);
    assert!(service.presented(request));
    let (status, kind, cause) = service.refused(request);
    assert_eq!((status, kind), (403, EventKind::AuthenticationFailed));
    assert_eq!(
        cause,
        "the identity of the certificate is not mapped to a principal"
    );
}

#[test]
fn a_connection_without_a_certificate_presents_nothing() {
    let service = service(direct());
    assert!(!service.presented(from(STRANGER)));
    let (status, kind, _) = service.refused(from(STRANGER));
    assert_eq!((status, kind), (401, EventKind::CredentialsMissing));
}

#[test]
fn certificates_of_connections_count_only_when_callers_connect_directly() {
    let service = service(behind_envoy());
    let peer = svid(WEB);
    for address in [STRANGER, TRUSTED] {
        let request = from(address).with(&peer);
        assert!(!service.presented(request), "{address}");
        assert_eq!(service.refused(request).0, 401);
    }
}
