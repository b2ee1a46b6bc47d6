//! The client, its scheme and its host by `Forwarded` (RFC 7239).

use crate::support::{PROXY, ask, by_forwarded, forwarded, ip};

fn address(lines: &[&str]) -> Option<String> {
    by_forwarded(lines).0.map(|address| address.to_string())
}

/// What is known of an element that RFC 7239 does not permit.
const NOTHING: (Option<core::net::IpAddr>, Option<String>, Option<String>) = (None, None, None);

#[test]
fn reads_the_examples_of_rfc_7239() {
    // Section 4.
    for (line, expected) in [
        ("for=\"_gazonk\"", None),
        (
            "For=\"[2001:db8:cafe::17]:4711\"",
            Some("2001:db8:cafe::17"),
        ),
        (
            "for=192.0.2.60;proto=http;by=203.0.113.43",
            Some("192.0.2.60"),
        ),
        ("for=192.0.2.43, for=198.51.100.17", Some("198.51.100.17")),
        // Section 6.
        ("for=\"192.0.2.43:47011\"", Some("192.0.2.43")),
        (
            "for=\"[2001:db8:cafe::17]:47011\"",
            Some("2001:db8:cafe::17"),
        ),
        ("for=_hidden, for=_SEVKISEK", None),
        // Section 7.1: the same in one line and in two.
        (
            "for=192.0.2.43, for=\"[2001:db8:cafe::17]\"",
            Some("2001:db8:cafe::17"),
        ),
        // Section 7.4.
        (
            "for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com",
            Some("198.51.100.17"),
        ),
    ] {
        assert_eq!(address(&[line]).as_deref(), expected, "{line}");
    }
    assert_eq!(
        address(&["for=192.0.2.43", "for=\"[2001:db8:cafe::17]\""]).as_deref(),
        Some("2001:db8:cafe::17")
    );
}

#[test]
fn what_the_client_put_at_the_left_is_not_believed() {
    for spoofed in [
        "for=127.0.0.1",
        "for=10.0.0.2",
        "for=127.0.0.1;proto=https;host=evil.example",
        "for=127.0.0.1, for=10.0.0.2",
        "for=unknown",
        "",
        ",,",
        ";;",
        "for",
        "for=",
        "garbage, garbage",
        // What the proxy appends must not fall into a string that the client opened.
        "for=\"127.0.0.1",
        "for=127.0.0.1;a=\"",
        "for=127.0.0.1;a=\"\\",
        "for=127.0.0.1;a=\"b\\\"",
        "for=127.0.0.1;a=\"b\\\\\\\"",
        "\"",
        "\\",
        "\"\"\"",
        "\u{0}",
    ] {
        let entry = "for=203.0.113.9;proto=http;host=api.example";
        let expected = (
            Some(ip("203.0.113.9")),
            Some("http".into()),
            Some("api.example".into()),
        );
        let quoted = "for=\"203.0.113.9:80\";proto=\"http\";host=\"api.example\"";
        for entry in [entry, quoted] {
            let joined = format!("{spoofed}, {entry}");
            assert_eq!(by_forwarded(&[&joined]), expected, "{joined}");
            let joined = format!("{spoofed},{entry}");
            assert_eq!(by_forwarded(&[&joined]), expected, "{joined}");
            assert_eq!(by_forwarded(&[spoofed, entry]), expected, "{spoofed}");
            let chain = format!("{spoofed}, {entry}, for=10.0.0.3, for=\"[fd00::7]:80\";by=_a");
            assert_eq!(by_forwarded(&[&chain]), expected, "{chain}");
        }
    }
}

#[test]
fn the_element_that_names_the_client_says_scheme_and_host() {
    let line = "for=203.0.113.9;proto=https;host=api.example, \
                for=10.0.0.3;proto=http;host=inner.example";
    assert_eq!(
        by_forwarded(&[line]),
        (
            Some(ip("203.0.113.9")),
            Some("https".into()),
            Some("api.example".into())
        )
    );
    // What the inner proxies say of each other does not take the place of what is not said.
    let line = "for=203.0.113.9, for=10.0.0.3;proto=https;host=inner.example";
    assert_eq!(
        by_forwarded(&[line]),
        (
            Some(ip("203.0.113.9")),
            Some("http".into()),
            Some("own.example".into())
        )
    );
    // Nor does what the client said.
    let line = "for=198.51.100.7;proto=https;host=evil.example, for=203.0.113.9";
    assert_eq!(
        by_forwarded(&[line]),
        (
            Some(ip("203.0.113.9")),
            Some("http".into()),
            Some("own.example".into())
        )
    );
}

#[test]
fn when_all_are_proxies_the_leftmost_element_is_the_clients() {
    let line = "for=10.0.0.9;proto=https;host=inside.example, for=10.0.0.2;proto=http";
    assert_eq!(
        by_forwarded(&[line]),
        (
            Some(ip("10.0.0.9")),
            Some("https".into()),
            Some("inside.example".into())
        )
    );
}

#[test]
fn a_proxy_that_says_nothing_speaks_for_itself() {
    assert_eq!(
        by_forwarded(&[]),
        (
            Some(ip(PROXY)),
            Some("http".into()),
            Some("own.example".into())
        )
    );
}

#[test]
fn a_hidden_client_has_no_address_and_keeps_its_scheme() {
    for node in [
        "unknown",
        "Unknown",
        "_hidden",
        "\"_hidden:_port\"",
        "\"unknown:80\"",
    ] {
        let line =
            format!("for=203.0.113.9, for={node};proto=https;host=api.example, for=10.0.0.2");
        assert_eq!(
            by_forwarded(&[&line]),
            (None, Some("https".into()), Some("api.example".into())),
            "{line}"
        );
    }
}

#[test]
fn an_element_without_a_client_has_no_address() {
    let line = "for=203.0.113.9, proto=https;host=api.example;by=10.0.0.1";
    assert_eq!(
        by_forwarded(&[line]),
        (None, Some("https".into()), Some("api.example".into()))
    );
}

#[test]
fn names_of_parameters_and_schemes_have_no_case() {
    let line = "FOR=203.0.113.9;Proto=HTTPS;hOST=API.example;BY=_x";
    assert_eq!(
        by_forwarded(&[line]),
        (
            Some(ip("203.0.113.9")),
            Some("https".into()),
            Some("API.example".into())
        )
    );
}

#[test]
fn parameters_come_in_any_order_with_unknown_ones_and_empty_pairs() {
    for line in [
        "proto=https;for=203.0.113.9;host=api.example",
        "host=api.example;by=_a;secret=\"a,b;c=\\\"d\\\"\";for=203.0.113.9;proto=https",
        ";for=203.0.113.9;;proto=https;host=api.example;",
        "x!#$%&'*+-.^_`|~=1;for=203.0.113.9;proto=https;host=api.example",
        "\t for=203.0.113.9;proto=https;host=api.example \t",
        "a=\"\t \u{fc}\\\\\\\t\";for=203.0.113.9;proto=https;host=api.example",
    ] {
        assert_eq!(
            by_forwarded(&[line]),
            (
                Some(ip("203.0.113.9")),
                Some("https".into()),
                Some("api.example".into())
            ),
            "{line}"
        );
    }
}

#[test]
fn a_value_may_be_quoted_and_escaped() {
    for value in [
        "203.0.113.9",
        "\"203.0.113.9\"",
        "\"203.0.113.9:80\"",
        "\"203.0.113.9:_p\"",
        "\"\\2\\0\\3.0.113.9\"",
        "\"203\\.0\\.113\\.9\\:80\"",
        "\"[::ffff:203.0.113.9]\"",
    ] {
        let line = format!("for={value};proto=\"htt\\ps\";host=\"api.example:8443\"");
        assert_eq!(
            by_forwarded(&[&line]),
            (
                Some(ip("203.0.113.9")),
                Some("https".into()),
                Some("api.example:8443".into())
            ),
            "{line}"
        );
    }
    assert_eq!(
        address(&["for=\"\\[2001:db8::1\\]:4711\""]).as_deref(),
        Some("2001:db8::1")
    );
    assert_eq!(
        address(&["for=\"[fe80::1%eth0]:80\""]).as_deref(),
        Some("fe80::1")
    );
}

#[test]
fn a_comma_or_a_semicolon_in_a_string_separates_nothing() {
    for string in [
        "a,b",
        ", for=127.0.0.1",
        ";for=127.0.0.1;",
        "a\\\", for=127.0.0.1, b=\\\"",
        "\\\\",
        "\\\"",
        "\\\\\\\"",
        ",",
        "",
    ] {
        let line = format!("for=198.51.100.7, for=203.0.113.9;ext=\"{string}\"");
        assert_eq!(address(&[&line]).as_deref(), Some("203.0.113.9"), "{line}");
        let line = format!("ext=\"{string}\";for=203.0.113.9, ext=\"{string}\";for=10.0.0.2");
        assert_eq!(address(&[&line]).as_deref(), Some("203.0.113.9"), "{line}");
    }
}

#[test]
fn a_parameter_that_is_there_twice_makes_the_element_unknown() {
    for element in [
        "for=203.0.113.9;for=203.0.113.9",
        "for=203.0.113.9;For=127.0.0.1",
        "for=127.0.0.1;for=203.0.113.9",
        "for=203.0.113.9;proto=https;proto=https",
        "for=203.0.113.9;proto=http;Proto=https",
        "for=203.0.113.9;host=a.example;host=b.example",
        "for=203.0.113.9;by=_a;by=_b",
        "for=203.0.113.9;ext=1;EXT=2",
        "for=203.0.113.9;ext=1;;ext=1",
    ] {
        for line in [
            element.to_owned(),
            format!("for=198.51.100.7;proto=https, {element}"),
            format!("for=198.51.100.7, {element}, for=10.0.0.2;proto=https"),
        ] {
            assert_eq!(by_forwarded(&[&line]), NOTHING, "{line}");
        }
    }
}

#[test]
fn an_element_of_another_form_is_unknown() {
    for element in [
        "",
        " ",
        ";",
        ";;",
        "for",
        "for=",
        "=203.0.113.9",
        "for=\"\"",
        "203.0.113.9",
        "for 203.0.113.9",
        "for =203.0.113.9",
        "for= 203.0.113.9",
        "for=203.0.113.9; proto=https",
        "for=203.0.113.9 ;proto=https",
        "for=203.0.113.9 proto=https",
        "for=203.0.113.9:80",
        "for=[2001:db8::1]",
        "for=\"[2001:db8::1]",
        "for=[2001:db8::1]:80\"",
        "for=2001:db8::1",
        "for=\"2001:db8::1\"",
        "for=\"[2001:db8::1%eth0]\"",
        "for=\"[203.0.113.9]\"",
        "for=\"203.0.113.9\"80",
        "for=\"203.0.113.9\"proto=https",
        "for=\"203.0.113.9\"\"80\"",
        "for=\"203.0.113.9\\\"",
        "for=203.0.113.9;proto=\"https\\\"",
        "for='203.0.113.9'",
        "for=203.0.113.999",
        "for=203.0.113.09",
        "for=\"203.0.113.9:65536\"",
        "for=\"203.0.113.9:\"",
        "for=\"203.0.113.9:_\"",
        "for=_",
        "for=hidden",
        "for=\"a b\"",
        "for=203.0.113.9;ext",
        "for=203.0.113.9;ext=",
        "for=203.0.113.9;ext=a/b",
        "for=203.0.113.9;ext=\"\u{7f}\"",
        "for=203.0.113.9;ext=\"\u{1}\"",
        "for=203.0.113.9;ext=\"\\\u{1}\"",
        "f\u{f6}r=203.0.113.9",
        "for=203.0.113.9;(=1",
        "for=203.0.113.9\0",
    ] {
        for line in [
            element.to_owned(),
            format!("for=198.51.100.7;proto=https, {element}"),
            format!("for=198.51.100.7, {element}, for=10.0.0.2;proto=https;host=a.example"),
        ] {
            assert_eq!(by_forwarded(&[&line]), NOTHING, "{line}");
        }
        assert_eq!(by_forwarded(&["for=198.51.100.7", element]), NOTHING);
    }
}

#[test]
fn what_is_no_scheme_or_no_host_is_unknown_and_the_address_is_not() {
    for (parameters, scheme, host) in [
        ("proto=ftp", None, Some("own.example")),
        ("proto=\"\"", None, Some("own.example")),
        ("proto=\"https, http\"", None, Some("own.example")),
        ("proto=\" https\"", None, Some("own.example")),
        ("host=\"a@b.example\"", Some("http"), None),
        ("host=\"\"", Some("http"), None),
        ("host=\"a.example/x\"", Some("http"), None),
        ("host=\"a\\.example\"", Some("http"), None),
        ("host=\"a.example, b.example\"", Some("http"), None),
        ("host=a..example", Some("http"), None),
        ("host=\"a.example\\\"\"", Some("http"), None),
        ("proto=wss;host=\"[fe80::1%eth0]\"", None, None),
    ] {
        let line = format!("for=203.0.113.9;{parameters}");
        assert_eq!(
            by_forwarded(&[&line]),
            (
                Some(ip("203.0.113.9")),
                scheme.map(Into::into),
                host.map(Into::into)
            ),
            "{line}"
        );
    }
}

#[test]
fn bytes_that_are_no_text_make_the_element_unknown() {
    let proxies = forwarded();
    let headers: [(&str, &[u8]); 1] = [("forwarded", b"for=203.0.113.9;host=\xff.example")];
    let client = ask(&proxies, &headers);
    assert_eq!((client.address(), client.authority()), (None, None));
    // Within quotes they are permitted, as old text; a host they are not.
    let headers: [(&str, &[u8]); 1] = [("forwarded", b"for=203.0.113.9;host=\"\xff.example\"")];
    let client = ask(&proxies, &headers);
    assert_eq!(client.address(), Some(ip("203.0.113.9")));
    assert_eq!(client.authority(), None);
    let headers: [(&str, &[u8]); 1] = [("forwarded", b"for=\"\xff\"")];
    assert_eq!(ask(&proxies, &headers).address(), None);
}
