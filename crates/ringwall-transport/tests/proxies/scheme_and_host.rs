//! How the client asked, by `X-Forwarded-Proto` and `X-Forwarded-Host`.

use ringwall_core::request::RequestView;
use ringwall_transport::ForwardingHeader;

use crate::support::{PROXY, ask, ip, view, without_host, x_forwarded};

/// The scheme by these lines, and then the same with a client named.
fn scheme(lines: &[&str]) -> Option<String> {
    let mut headers: Vec<_> = lines
        .iter()
        .map(|line| ("X-Forwarded-Proto", *line))
        .collect();
    let proxies = x_forwarded();
    let alone = proxies
        .client(&view(Some(PROXY), &headers))
        .scheme()
        .map(str::to_owned);
    headers.push(("X-Forwarded-For", "203.0.113.9"));
    let client = proxies.client(&view(Some(PROXY), &headers));
    assert_eq!(client.address(), Some(ip("203.0.113.9")));
    assert_eq!(client.authority(), Some("own.example"));
    assert_eq!(client.scheme(), alone.as_deref());
    alone
}

fn authority(lines: &[&str]) -> Option<String> {
    let mut headers: Vec<_> = lines
        .iter()
        .map(|line| ("X-Forwarded-Host", *line))
        .collect();
    headers.push(("X-Forwarded-For", "203.0.113.9"));
    let client = x_forwarded().client(&view(Some(PROXY), &headers));
    assert_eq!(client.address(), Some(ip("203.0.113.9")));
    assert_eq!(client.scheme(), Some("http"));
    client.authority().map(Into::into)
}

#[test]
fn a_trusted_proxy_says_the_scheme() {
    for text in ["https", "HTTPS", "Https", " https\t"] {
        assert_eq!(scheme(&[text]).as_deref(), Some("https"), "{text:?}");
    }
    for text in ["http", "HTTP", " http "] {
        assert_eq!(scheme(&[text]).as_deref(), Some("http"), "{text:?}");
    }
}

#[test]
fn http_from_a_proxy_over_tls_is_http() {
    let headers = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "http"),
    ];
    let over_tls = RequestView {
        scheme: Some("https"),
        ..view(Some(PROXY), &headers)
    };
    assert_eq!(x_forwarded().client(&over_tls).scheme(), Some("http"));
}

#[test]
fn without_a_word_of_the_proxy_the_scheme_is_the_views_own() {
    assert_eq!(scheme(&[]).as_deref(), Some("http"));
    let headers = [("X-Forwarded-For", "203.0.113.9")];
    for own in [Some("https"), Some("http"), None] {
        let view = RequestView {
            scheme: own,
            ..view(Some(PROXY), &headers)
        };
        assert_eq!(x_forwarded().client(&view).scheme(), own);
    }
}

#[test]
fn what_is_no_scheme_or_more_than_one_is_unknown() {
    for lines in [
        &[""][..],
        &[" "],
        &["ftp"],
        &["wss"],
        &["https://"],
        &["http s"],
        &["httpss"],
        &["\"https\""],
        &["https,http"],
        &["https, https"],
        &["http, https"],
        &["https,"],
        &[",https"],
        &["https;"],
        &["on"],
        &["https\0"],
        &["https", "https"],
        &["https", "http"],
        &["http", "https"],
        &["", "https"],
        &["https", "", ""],
    ] {
        assert_eq!(scheme(lines), None, "{lines:?}");
    }
}

#[test]
fn a_trusted_proxy_says_the_host() {
    for text in [
        "api.example.com",
        "api.example.com:8443",
        "API.Example.com",
        "api.example.com.",
        "localhost",
        "a_b.example",
        "192.0.2.1",
        "192.0.2.1:80",
        "[2001:db8::1]",
        "[2001:db8::1]:8443",
        "xn--bcher-kva.example",
    ] {
        assert_eq!(authority(&[text]).as_deref(), Some(text));
        assert_eq!(authority(&[&format!(" {text}\t")]).as_deref(), Some(text));
    }
}

#[test]
fn without_a_word_of_the_proxy_the_host_is_the_views_own() {
    assert_eq!(authority(&[]).as_deref(), Some("own.example"));
}

#[test]
fn what_is_no_host_or_more_than_one_is_unknown() {
    let long = format!("{}.example", "a".repeat(250));
    for lines in [
        &[""][..],
        &["."],
        &[".example"],
        &["a..example"],
        &["a.example.."],
        &["a.example:"],
        &["a.example:0443"],
        &["a.example:65536"],
        &["a.example:x"],
        &["a.example:80:80"],
        &[":80"],
        &["a.example, b.example"],
        &["a.example,"],
        &["a example"],
        &["a@b.example"],
        &["user:word@b.example"],
        &["a.example/path"],
        &["a.example?x"],
        &["a.example#x"],
        &["https://a.example"],
        &["a\\b.example"],
        &["a.example\r\nX: y"],
        &["<a>.example"],
        &["%61.example"],
        &["b\u{fc}cher.example"],
        &["*.example"],
        &["2001:db8::1"],
        &["[2001:db8::1"],
        &["[2001:db8::1]8443"],
        &["[2001:db8::1]:"],
        &["[fe80::1%eth0]"],
        &["[192.0.2.1]"],
        &["[a.example]"],
        &["[]"],
        &["\"a.example\""],
        &[&long],
        &["a.example", "a.example"],
        &["a.example", "b.example"],
        &["", "a.example"],
    ] {
        assert_eq!(authority(lines), None, "{lines:?}");
    }
}

#[test]
fn a_host_of_the_longest_length_is_one() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    assert_eq!(longest.len(), 253);
    assert_eq!(authority(&[&longest]).as_deref(), Some(&*longest));
    let with_port = format!("{longest}:65535");
    assert_eq!(authority(&[&with_port]).as_deref(), Some(&*with_port));
    assert_eq!(authority(&[&format!("{longest}a")]), None);
}

#[test]
fn scheme_and_host_are_known_even_where_the_address_is_not() {
    let headers = [
        ("X-Forwarded-For", "203.0.113.9, unknown"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "api.example.com"),
    ];
    let proxies = x_forwarded();
    let client = ask(&proxies, &headers);
    assert_eq!(client.address(), None);
    assert_eq!(client.scheme(), Some("https"));
    assert_eq!(client.authority(), Some("api.example.com"));
}

#[test]
fn the_port_that_a_proxy_says_does_not_count() {
    let headers = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Host", "api.example.com"),
        ("X-Forwarded-Port", "8443"),
    ];
    let proxies = x_forwarded();
    let client = ask(&proxies, &headers);
    assert_eq!(client.authority(), Some("api.example.com"));
}

#[test]
fn a_proxy_that_says_no_host_is_not_believed_in_it() {
    let headers = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
        ("Forwarded", "for=203.0.113.9;proto=https;host=evil.example"),
    ];
    for header in [ForwardingHeader::XForwarded, ForwardingHeader::Forwarded] {
        let proxies = without_host(header);
        let client = ask(&proxies, &headers);
        assert_eq!(client.address(), Some(ip("203.0.113.9")));
        assert_eq!(client.scheme(), Some("https"));
        assert_eq!(client.authority(), Some("own.example"));
    }
}
