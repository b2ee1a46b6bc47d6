//! SPIFFE-ID §2: what is an id, and what is none.

use ringwall_transport::{IdentityError, SpiffeId, TrustDomain};

#[test]
fn takes_an_id_apart() {
    for (text, domain, path) in [
        ("spiffe://prod.example/web", "prod.example", "/web"),
        ("spiffe://a/b", "a", "/b"),
        (
            "spiffe://1.2.3.4/9eebccd2-12bf-40a6-b262-65fe0487d453",
            "1.2.3.4",
            "/9eebccd2-12bf-40a6-b262-65fe0487d453",
        ),
        (
            "spiffe://k8s-west.example_x/ns/staging/sa/default",
            "k8s-west.example_x",
            "/ns/staging/sa/default",
        ),
        ("spiffe://t.d/.../..a/a..", "t.d", "/.../..a/a.."),
        ("spiffe://t.d/A_b.C-d", "t.d", "/A_b.C-d"),
    ] {
        let id = SpiffeId::new(text).expect(text);
        assert_eq!(id.as_str(), text);
        assert_eq!(id.trust_domain(), domain);
        assert_eq!(id.path(), path);
        assert_eq!(id.to_string(), text);
        assert_eq!(format!("{id:?}"), format!("{text:?}"));
    }
}

#[test]
fn refuses_what_two_readers_could_read_differently() {
    for text in [
        "",
        "/",
        "spiffe:",
        "spiffe://",
        "spiffe:///",
        "spiffe:///web",
        "spiffe:/prod.example/web",
        "//prod.example/web",
        "prod.example/web",
        "SPIFFE://prod.example/web",
        "Spiffe://prod.example/web",
        " spiffe://prod.example/web",
        "spiffe://prod.example/web ",
        "http://prod.example/web",
        "spiffes://prod.example/web",
        // no path: the trust domain itself
        "spiffe://prod.example",
        "spiffe://prod.example/",
        // segments
        "spiffe://prod.example//",
        "spiffe://prod.example//web",
        "spiffe://prod.example/web/",
        "spiffe://prod.example/web//api",
        "spiffe://prod.example/.",
        "spiffe://prod.example/..",
        "spiffe://prod.example/./web",
        "spiffe://prod.example/web/../admin",
        "spiffe://prod.example/web/.",
        "spiffe://prod.example/%61dmin",
        "spiffe://prod.example/web%2Fapi",
        "spiffe://prod.example/w eb",
        "spiffe://prod.example/wéb",
        "spiffe://prod.example/web;v=1",
        "spiffe://prod.example/web:8080",
        "spiffe://prod.example/web\\admin",
        "spiffe://prod.example/web\0",
        "spiffe://prod.example/web\n",
        // queries, fragments, users, ports
        "spiffe://prod.example/web?x",
        "spiffe://prod.example?x/web",
        "spiffe://prod.example/web#x",
        "spiffe://prod.example#x/web",
        "spiffe://user@prod.example/web",
        "spiffe://user:secret@prod.example/web",
        "spiffe://prod.example:443/web",
        "spiffe://prod.example:/web",
        // trust domains
        "spiffe://PROD.example/web",
        "spiffe://pröd.example/web",
        "spiffe://prod%2Eexample/web",
        "spiffe://[::1]/web",
        "spiffe://prod example/web",
        "spiffe://prod.example,evil.example/web",
        "spiffe://*/web",
    ] {
        assert_eq!(
            SpiffeId::new(text),
            Err(IdentityError::SpiffeId),
            "{text:?}"
        );
    }
}

#[test]
fn an_id_has_at_most_2048_bytes_and_a_trust_domain_255() {
    let of_length = |length: usize| {
        let head = "spiffe://prod.example/";
        format!("{head}{}", "x".repeat(length - head.len()))
    };
    assert!(SpiffeId::new(&of_length(2048)).is_ok());
    assert!(SpiffeId::new(&of_length(2049)).is_err());
    let of_domain = |length: usize| format!("spiffe://{}/x", "d".repeat(length));
    assert!(SpiffeId::new(&of_domain(255)).is_ok());
    assert!(SpiffeId::new(&of_domain(256)).is_err());
    assert!(TrustDomain::new(&"d".repeat(255)).is_ok());
    assert!(TrustDomain::new(&"d".repeat(256)).is_err());
}

#[test]
fn a_trust_domain_has_one_spelling() {
    for text in ["prod.example", "a", "a-b_c.1", "10.0.0.1"] {
        assert_eq!(TrustDomain::new(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "Prod.example",
        "spiffe://prod.example",
        "prod.example/",
        "prod.example:1",
        "a b",
        "ä",
        "a%2e",
        "a@b",
        "*",
        "a,b",
        "a\n",
    ] {
        assert_eq!(
            TrustDomain::new(text),
            Err(IdentityError::TrustDomain),
            "{text:?}"
        );
    }
}

#[test]
fn a_path_that_differs_by_case_is_another_workload() {
    let one = SpiffeId::new("spiffe://prod.example/web").unwrap();
    let other = SpiffeId::new("spiffe://prod.example/Web").unwrap();
    assert_ne!(one, other);
}
