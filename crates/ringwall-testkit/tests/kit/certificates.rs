//! Client certificates that nobody has to own.

use std::time::Duration;

use ringwall_axum::get;
use ringwall_core::request::TlsPeer as _;
use ringwall_testkit::{FakeAuthority, Kit};

use crate::support::{app, run, said, says};

#[test]
fn a_certificate_says_its_names_and_stands_before_its_authority() {
    let authority = FakeAuthority::new();
    let certificate = authority
        .certificate()
        .spiffe_id("spiffe://example.org/billing")
        .dns("billing.example.org")
        .common_name("billing")
        .issue();
    let [own, root] = certificate.chain() else {
        panic!("a chain of another length");
    };
    assert_eq!(root, authority.root());
    for name in [
        "spiffe://example.org/billing",
        "billing.example.org",
        "billing",
    ] {
        let holds = |der: &[u8]| {
            der.windows(name.len())
                .any(|window| window == name.as_bytes())
        };
        assert!(holds(own) && !holds(root), "{name}");
    }
    assert!(
        certificate
            .to_string()
            .contains("spiffe://example.org/billing")
    );
}

#[test]
fn a_certificate_is_trusted_as_long_as_its_authority_and_its_time_are() {
    let kit = Kit::new();
    let authority = FakeAuthority::new();
    let [one, two] = [(); 2].map(|()| authority.certificate().common_name("a").issue());
    let other = FakeAuthority::new().certificate().issue();
    let now = kit.issuer().now();
    assert!(one.is_trusted(now) && two.is_trusted(now));
    let generation = one.trust_generation();
    one.distrust();
    assert!(!one.is_trusted(now) && !two.is_trusted(now) && other.is_trusted(now));
    assert_ne!(one.trust_generation(), generation);
    authority.set_trusted(true);
    authority.set_trusted(true);
    assert!(one.is_trusted(now) && one.trust_generation() != generation);
    let month = Duration::from_secs(31 * 24 * 3600);
    assert!(!one.is_trusted(now.checked_add(month).unwrap()));
    assert!(!one.is_trusted(now.checked_sub(month).unwrap()));
}

#[test]
fn a_gate_refuses_connections_whose_certificate_ended() {
    run(async {
        let app = app(get(async || "cases"));
        let certificate = FakeAuthority::new()
            .certificate()
            .common_name("billing")
            .issue();
        let ask = || {
            app.get("/cases")
                .as_user("alice", [])
                .with_certificate(&certificate)
        };
        ask().await.assert_ok();
        app.kit().advance(Duration::from_secs(31 * 24 * 3600));
        let answer = ask().await;
        says(
            &said(|| {
                answer.assert_ok();
            }),
            &["certificate billing"],
        );
    });
}

#[test]
fn a_name_that_cannot_stand_in_a_certificate_fails() {
    let authority = FakeAuthority::new();
    let draft = authority.certificate().spiffe_id("spiffe://exämple.org/a");
    says(
        &said(|| drop(draft.issue())),
        &["the URI of the certificate"],
    );
}
