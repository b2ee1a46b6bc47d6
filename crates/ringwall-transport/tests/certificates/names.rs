//! DNS names and common names of callers.

use ringwall_transport::{CertificateIdentity, CommonName, DnsName, IdentityError};

#[test]
fn a_dns_name_is_kept_in_lower_case() {
    for (text, name) in [
        ("payments.svc.example", "payments.svc.example"),
        ("Payments.SVC.Example", "payments.svc.example"),
        ("localhost", "localhost"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("1.example", "1.example"),
        ("a-b.c1", "a-b.c1"),
    ] {
        assert_eq!(DnsName::new(text).expect(text).as_str(), name);
    }
    assert_eq!(DnsName::new("A.example"), DnsName::new("a.EXAMPLE"));
}

#[test]
fn refuses_a_dns_name_of_no_or_of_many_hosts() {
    for text in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "*",
        "*.example.com",
        "a.*.example",
        "a*.example",
        "-a.example",
        "a-.example",
        "a_b.example",
        "a b",
        " a",
        "a ",
        "a\0.example",
        "a\n",
        "münchen.example",
        "a.example:443",
        "a.example/x",
        "user@a.example",
        "10.0.0.1",
        "127.1",
        "1",
        "::1",
        "[::1]",
        "a.example,b.example",
        "a.123",
    ] {
        assert_eq!(DnsName::new(text), Err(IdentityError::DnsName), "{text:?}");
    }
}

#[test]
fn labels_have_at_most_63_bytes_and_names_253() {
    let label = "a".repeat(63);
    assert!(DnsName::new(&label).is_ok());
    assert!(DnsName::new(&"a".repeat(64)).is_err());
    let long = format!("{label}.{label}.{label}.{}", "b".repeat(61));
    assert_eq!(long.len(), 253);
    assert!(DnsName::new(&long).is_ok());
    assert!(DnsName::new(&format!("{long}b")).is_err());
}

#[test]
fn a_common_name_is_printable_and_bounded() {
    for text in [
        "payments",
        "Zoë Ω",
        "a,b+c\"d\\e",
        "CN=admin",
        "#0C05",
        "🦀",
    ] {
        assert_eq!(CommonName::new(text).expect(text).as_str(), text);
    }
    for text in [
        "",
        " ",
        " admin",
        "admin ",
        "admin\u{a0}",
        "\u{3000}admin",
        "admin\0",
        "admin\0.mallory",
        "admin\n",
        "admin\r\nX-Role: admin",
        "\u{7f}",
        "\u{85}x\u{85}",
        "\u{202e}nimda",
        "admin\u{200f}",
        "\u{feff}admin",
        "a\u{2028}b",
    ] {
        assert_eq!(
            CommonName::new(text),
            Err(IdentityError::CommonName),
            "{text:?}"
        );
    }
    assert!(CommonName::new(&"x".repeat(64)).is_ok());
    assert!(CommonName::new(&"x".repeat(65)).is_err());
    assert!(CommonName::new(&"é".repeat(64)).is_ok());
    // 64 characters, and one byte more than a subject may have
    assert!(CommonName::new(&"🦀".repeat(64)).is_err());
    assert!(CommonName::new(&"🦀".repeat(63)).is_ok());
}

#[test]
fn names_of_two_kinds_that_read_the_same_are_two_identities() {
    let host = CertificateIdentity::from(DnsName::new("payments").unwrap());
    let name = CertificateIdentity::from(CommonName::new("payments").unwrap());
    assert_eq!(host.as_str(), name.as_str());
    assert_ne!(host, name);
    assert_ne!(host.kind(), name.kind());
    assert_ne!(host.kind().as_str(), name.kind().as_str());
}

#[test]
fn no_error_repeats_what_was_refused() {
    let secret = "hunter2\n";
    for error in [
        DnsName::new(secret).unwrap_err(),
        CommonName::new(secret).unwrap_err(),
    ] {
        assert!(!error.to_string().contains("hunter2"));
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
