//! What is read from a certificate: X.509-SVID §5.2, and which name counts.

use rcgen::{BasicConstraints, CustomExtension, DnValue, IsCa, KeyUsagePurpose, SanType};
use ringwall_core::clock::Timestamp;
use ringwall_transport::{
    CertificateIdentity, CertificateNames, IdentityError, IdentityRule, TrustDomain,
};

use crate::support::*;

fn identity(
    params: rcgen::CertificateParams,
    rule: &IdentityRule,
) -> Result<CertificateIdentity, IdentityError> {
    CertificateNames::from_der(&der(params))?.identity(rule)
}

fn text(params: rcgen::CertificateParams, rule: &IdentityRule) -> String {
    identity(params, rule).unwrap().to_string()
}

#[test]
fn a_good_svid_names_its_workload() {
    assert_eq!(text(with_uri(params(), WEB), &spiffe()), WEB);
    // Without basic constraints there is no authority either.
    let mut plain = with_uri(params(), WEB);
    plain.is_ca = IsCa::NoCa;
    assert_eq!(text(plain, &spiffe()), WEB);
    // DNS names and a subject may stand beside it (X.509-SVID §2, §4.1).
    let mixed = with_common_name(with_dns(with_uri(params(), WEB), "web.example"), "admin");
    assert_eq!(text(mixed, &every_kind()), WEB);
}

#[test]
fn refuses_a_certificate_that_is_an_authoritys() {
    let mut ca = with_uri(params(), WEB);
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(identity(ca, &spiffe()), Err(IdentityError::Authority));
    for usage in [KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign] {
        let mut signer = with_uri(params(), WEB);
        signer.key_usages = vec![KeyUsagePurpose::DigitalSignature, usage];
        assert_eq!(
            identity(signer, &every_kind()),
            Err(IdentityError::Authority),
            "{usage:?}"
        );
    }
    let mut leaf = with_uri(params(), WEB);
    leaf.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyAgreement,
    ];
    assert_eq!(text(leaf, &spiffe()), WEB);
}

#[test]
fn refuses_an_authority_also_by_its_other_names() {
    let mut ca = with_dns(params(), "web.example");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(
        identity(ca, &IdentityRule::dns()),
        Err(IdentityError::Authority)
    );
    let mut ca = with_common_name(params(), "web");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    assert_eq!(
        identity(ca, &IdentityRule::common_name()),
        Err(IdentityError::Authority)
    );
}

#[test]
fn refuses_an_id_without_a_path() {
    for uri in ["spiffe://prod.example", "spiffe://prod.example/"] {
        assert_eq!(
            identity(with_uri(params(), uri), &every_kind()),
            Err(IdentityError::SpiffeId)
        );
    }
}

#[test]
fn refuses_two_uris_whatever_they_are() {
    for (first, second) in [
        (WEB, ADMIN),
        (ADMIN, WEB),
        (WEB, WEB),
        (WEB, "https://web.example"),
        ("https://web.example", WEB),
        (WEB, ""),
    ] {
        let params = with_uri(with_uri(params(), first), second);
        assert_eq!(
            identity(params, &every_kind()),
            Err(IdentityError::Ambiguous),
            "{first} {second}"
        );
    }
}

#[test]
fn refuses_a_foreign_trust_domain_whoever_signed() {
    for uri in [
        "spiffe://evil.example/web",
        "spiffe://prod.example.evil.example/web",
        "spiffe://xprod.example/web",
        "spiffe://prod.exampl/web",
    ] {
        assert_eq!(
            identity(with_uri(params(), uri), &every_kind()),
            Err(IdentityError::ForeignTrustDomain),
            "{uri}"
        );
    }
    let both = spiffe().or_spiffe(TrustDomain::new("other.example").unwrap());
    assert_eq!(
        text(with_uri(params(), "spiffe://other.example/web"), &both),
        "spiffe://other.example/web"
    );
    assert_eq!(text(with_uri(params(), WEB), &both), WEB);
}

#[test]
fn no_weaker_name_takes_the_place_of_a_bad_spiffe_id() {
    for uri in [
        "spiffe://evil.example/web",
        "spiffe://prod.example",
        "SPIFFE://prod.example/web",
        "spiffe:",
        "spiffe:web",
    ] {
        let params = with_common_name(with_dns(with_uri(params(), uri), "web.example"), "web");
        assert!(identity(params, &every_kind()).is_err(), "{uri}");
    }
}

#[test]
fn another_uri_is_no_identity_and_hides_none() {
    let web = with_uri(params(), "https://web.example");
    assert_eq!(
        identity(web.clone(), &every_kind()),
        Err(IdentityError::Nameless)
    );
    assert_eq!(
        text(with_dns(web, "web.example"), &every_kind()),
        "web.example"
    );
}

#[test]
fn a_common_name_alone_counts_only_when_asked_for() {
    let cn = || with_common_name(params(), "web");
    for rule in [spiffe(), IdentityRule::dns(), spiffe().or_dns()] {
        assert_eq!(identity(cn(), &rule), Err(IdentityError::Nameless));
    }
    assert_eq!(text(cn(), &IdentityRule::common_name()), "web");
    assert_eq!(text(cn(), &every_kind()), "web");
}

#[test]
fn a_common_name_does_not_count_beside_any_alternative_name() {
    let rule = IdentityRule::common_name();
    let cn = || with_common_name(params(), "web");
    for params in [
        with_uri(cn(), WEB),
        with_uri(cn(), "https://x.example"),
        with_dns(cn(), "web"),
        with_dns(cn(), "other.example"),
        with_san(
            cn(),
            SanType::Rfc822Name("web@example.com".try_into().unwrap()),
        ),
        with_san(cn(), SanType::IpAddress([10, 0, 0, 1].into())),
    ] {
        assert_eq!(
            identity(params, &rule),
            Err(IdentityError::AlternativesPresent)
        );
    }
    // Also when the extension holds no name.
    let empty = with_extension(cn(), &[2, 5, 29, 17], &[0x30, 0]);
    assert_eq!(
        identity(empty, &rule),
        Err(IdentityError::AlternativesPresent)
    );
}

fn with_san(mut params: rcgen::CertificateParams, name: SanType) -> rcgen::CertificateParams {
    params.subject_alt_names.push(name);
    params
}

fn with_extension(
    mut params: rcgen::CertificateParams,
    oid: &[u64],
    content: &[u8],
) -> rcgen::CertificateParams {
    let extension = CustomExtension::from_oid_content(oid, content.to_vec());
    params.custom_extensions.push(extension);
    params
}

#[test]
fn refuses_several_dns_names_and_wildcards() {
    let two = with_dns(with_dns(params(), "a.example"), "b.example");
    assert_eq!(identity(two, &every_kind()), Err(IdentityError::Ambiguous));
    let same = with_dns(with_dns(params(), "a.example"), "a.example");
    assert_eq!(identity(same, &every_kind()), Err(IdentityError::Ambiguous));
    for name in ["*.example.com", "10.0.0.1", "a b", ""] {
        let bad = with_common_name(with_dns(params(), name), "web");
        assert_eq!(
            identity(bad, &every_kind()),
            Err(IdentityError::DnsName),
            "{name:?}"
        );
    }
    assert_eq!(
        text(with_dns(params(), "Web.Example"), &IdentityRule::dns()),
        "web.example"
    );
}

#[test]
fn refuses_common_names_that_are_no_text_or_twice_there() {
    let rule = IdentityRule::common_name();
    let bmp = DnValue::BmpString("web".try_into().unwrap());
    assert_eq!(
        identity(with_common_name(params(), bmp), &rule),
        Err(IdentityError::CommonName)
    );
    for name in ["web\0.evil", "\u{202e}bew", " web", ""] {
        let params = with_common_name(params(), name);
        assert_eq!(
            identity(params, &rule),
            Err(IdentityError::CommonName),
            "{name:?}"
        );
    }
    let printable = DnValue::PrintableString("web".try_into().unwrap());
    assert_eq!(text(with_common_name(params(), printable), &rule), "web");
    // rcgen writes each type once; the vectors have certificates with two.
}

#[test]
fn refuses_extensions_that_are_there_twice_or_cannot_be_read() {
    let other_name = &[
        0x30, 13, 0x86, 11, b's', b'p', b'i', b'f', b'f', b'e', b':', b'/', b'/', b'a', b'/',
    ];
    let malformed: [(&[u64], &[u8]); 9] = [
        (&[2, 5, 29, 17], other_name), // a second SAN
        (&[2, 5, 29, 19], &[0x30, 0]), // a second BasicConstraints
        (&[2, 5, 29, 15], &[0x30, 0]), // KeyUsage, and no bits
        (&[2, 5, 29, 15], &[]),
        (&[2, 5, 29, 15], &[3, 2, 9, 0x80]), // more unused bits than there are
        (&[2, 5, 29, 17], &[0x30, 0]),
        (&[2, 5, 29, 17], &[0x30, 3, 0x86, 1]),
        (&[2, 5, 29, 17], b"no DER"),
        (&[2, 5, 29, 19], &[0x30, 3, 1, 2, 0xff]),
    ];
    for (oid, content) in malformed {
        let params = with_extension(with_uri(params(), WEB), oid, content);
        assert_eq!(
            identity(params, &spiffe()),
            Err(IdentityError::CertificateMalformed),
            "{oid:?} {content:?}"
        );
    }
    // Alone, not twice.
    for (oid, content) in [
        (&[2u64, 5, 29, 17][..], &[0x30, 3, 0x86, 1][..]),
        (&[2, 5, 29, 17], b"no DER"),
        // a URI that is no ASCII
        (&[2, 5, 29, 17], &[0x30, 4, 0x86, 2, 0xc3, 0xa4]),
    ] {
        let params = with_extension(with_common_name(params(), "web"), oid, content);
        assert_eq!(
            identity(params, &every_kind()),
            Err(IdentityError::CertificateMalformed),
            "{content:?}"
        );
    }
    let mut constraints = with_extension(
        with_uri(params(), WEB),
        &[2, 5, 29, 19],
        &[0x30, 3, 1, 2, 0xff],
    );
    constraints.is_ca = IsCa::NoCa;
    assert_eq!(
        identity(constraints, &spiffe()),
        Err(IdentityError::CertificateMalformed)
    );
    let mut twice = with_extension(with_uri(params(), WEB), &[2, 5, 29, 15], &[3, 2, 7, 0x80]);
    twice.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    assert_eq!(
        identity(twice, &spiffe()),
        Err(IdentityError::CertificateMalformed)
    );
}

#[test]
fn refuses_what_is_no_certificate() {
    let good = der(with_uri(params(), WEB));
    assert!(CertificateNames::from_der(&good).is_ok());
    let mut longer = good.clone();
    longer.push(0);
    let huge = vec![0x30; CertificateNames::MAX_CERTIFICATE_BYTES + 1];
    for bytes in [
        &b""[..],
        b"\x30",
        b"no DER",
        &longer,
        &huge,
        &good[..good.len() - 1],
        &good[1..],
    ] {
        assert_eq!(
            CertificateNames::from_der(bytes),
            Err(IdentityError::CertificateMalformed)
        );
    }
}

#[test]
fn no_change_of_one_byte_makes_another_workload_of_it_and_none_panics() {
    let good = der(with_uri(params(), WEB));
    for at in 0..good.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = good.clone();
            bytes[at] ^= change;
            let Ok(names) = CertificateNames::from_der(&bytes) else {
                continue;
            };
            if let Ok(identity) = names.identity(&spiffe()) {
                // The signature would not hold; what is read is what stands there.
                assert!(identity.as_str().starts_with("spiffe://prod.example/"));
            }
        }
    }
}

#[test]
fn dates_are_inclusive_to_the_second() {
    let names = CertificateNames::from_der(&der(with_uri(params(), WEB))).unwrap();
    let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
    let (begin, end) = (1_767_225_600, 1_798_761_600); // 2026-01-01, 2027-01-01
    for (now, valid) in [
        (begin - 1, false),
        (begin, true),
        (end - 1, true),
        (end, true),
        (end + 1, false),
        (0, false),
    ] {
        assert_eq!(names.is_valid_at(at(now)), Some(valid), "{now}");
    }
    // Within the last second too.
    let last = Timestamp::from_unix_micros((end + 1) * 1_000_000 - 1);
    assert_eq!(names.is_valid_at(last), Some(true));
    assert_eq!(names.expires_at(), Some(at(end)));
}

#[test]
fn the_fingerprint_is_the_digest_of_the_certificate() {
    let der = der(with_uri(params(), WEB));
    let names = CertificateNames::from_der(&der).unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, &der);
    assert_eq!(
        names.fingerprint().map(|print| &print[..]),
        Some(digest.as_ref())
    );
}
