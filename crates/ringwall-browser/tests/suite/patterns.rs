use ringwall_browser::{Error, Origin, OriginPattern};

fn matches(pattern: &str, origin: &str) -> bool {
    let pattern: OriginPattern = pattern.parse().expect("a pattern");
    pattern.matches(&origin.parse::<Origin>().expect("an origin"))
}

#[test]
fn an_exact_one_means_that_origin_alone() {
    let pattern = "https://app.example.com";
    assert!(matches(pattern, "https://app.example.com"));
    for other in [
        "https://evilapp.example.com",
        "https://app.example.com.evil.test",
        "https://a.app.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://app.example.com.",
    ] {
        assert!(!matches(pattern, other), "{other}");
    }
    let pattern = OriginPattern::from(pattern.parse::<Origin>().expect("an origin"));
    assert!(!pattern.is_wildcard());
}

#[test]
fn a_wildcard_means_exactly_one_label() {
    let pattern = "https://*.example.com";
    for one in [
        "https://a.example.com",
        "https://pr-17.example.com",
        "https://xn--a.example.com",
    ] {
        // What is no valid Punycode cannot be an origin at all.
        if one.parse::<Origin>().is_ok() {
            assert!(matches(pattern, one), "{one}");
        }
    }
    for other in [
        "https://example.com",
        "https://a.b.example.com",
        "https://evilexample.com",
        "https://a.evilexample.com",
        "https://a.example.com.evil.test",
        "https://a.example.com.",
        "http://a.example.com",
        "https://a.example.com:8443",
    ] {
        assert!(!matches(pattern, other), "{other}");
    }
    assert!(matches(
        "https://*.example.com:8443",
        "https://a.example.com:8443"
    ));
    assert!(!matches(
        "https://*.example.com:8443",
        "https://a.example.com"
    ));
    assert!(matches("http://*.example.com", "http://a.example.com"));
    assert!(matches(
        "https://*.Bücher.example",
        "https://a.xn--bcher-kva.example"
    ));
}

#[test]
fn a_wildcard_is_the_first_label_before_at_least_two_more() {
    for text in [
        "*",
        "https://*",
        "https://*.",
        "https://*.com",
        "https://*.localhost",
        "https://*:443",
        "https://*.*.example.com",
        "https://a.*.example.com",
        "https://*a.example.com",
        "https://a*.example.com",
        "https://**.example.com",
        "https://example.*",
        "https://*.example.com.",
        "https://*.com.",
        "https://*.1.2.3.4",
        "https://*.[::1]",
        "*://*.example.com",
        "*://example.com",
        "*.example.com",
        "https://*.example.com:*",
    ] {
        let read = text.parse::<OriginPattern>();
        let expected = [Err(Error::InvalidWildcard), Err(Error::InvalidOrigin)];
        assert!(expected.contains(&read), "{text}: {read:?}");
    }
    let read = "https://*.example.com/path".parse::<OriginPattern>();
    assert_eq!(read, Err(Error::InvalidOrigin));
}

#[test]
fn is_shown_as_it_is_meant() {
    for text in [
        "https://app.example.com",
        "https://*.example.com",
        "https://*.example.com:8443",
    ] {
        let pattern: OriginPattern = text.parse().expect("a pattern");
        assert_eq!(pattern.to_string(), text);
        assert_eq!(pattern.to_string().parse(), Ok(pattern));
    }
}
