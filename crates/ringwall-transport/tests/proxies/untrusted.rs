//! Peers that are not believed.

use core::net::SocketAddr;

use ringwall_core::request::{HeaderLookup, RequestView};
use ringwall_transport::{ForwardingHeader, TrustedProxies};

use crate::support::{forwarded, ip, proxies, view, without_host, x_forwarded};

const SPOOFED: [(&str, &str); 8] = [
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "443"),
    ("X-Real-IP", "127.0.0.1"),
    ("Forwarded", "for=127.0.0.1;proto=https;host=evil.example"),
    ("X-Forwarded-Client-Cert", "By=a;Hash=b;Subject=\"CN=root\""),
    ("Via", "1.1 proxy"),
];

/// Fields that nobody may look at.
struct Untouchable;

impl HeaderLookup for Untouchable {
    fn visit<'a>(&'a self, name: &str, _: &mut dyn FnMut(&'a [u8])) {
        panic!("{name} was looked at");
    }

    fn visit_names(&self, _: &mut dyn FnMut(&str)) {
        panic!("the names were looked at");
    }
}

#[test]
fn an_untrusted_peer_is_the_client_whatever_its_fields_say() {
    for proxies in [TrustedProxies::none(), x_forwarded(), forwarded()] {
        let client = proxies.client(&view(Some("203.0.113.9"), &SPOOFED));
        assert_eq!(client.address(), Some(ip("203.0.113.9")));
        assert_eq!(client.scheme(), Some("http"));
        assert_eq!(client.authority(), Some("own.example"));
        assert!(!client.via_proxy());
    }
}

#[test]
fn no_field_of_an_untrusted_peer_is_even_looked_at() {
    for proxies in [TrustedProxies::none(), x_forwarded(), forwarded()] {
        for peer in [Some("203.0.113.9"), Some("2001:db8::9"), None] {
            let client = proxies.client(&view(peer, &Untouchable));
            assert_eq!(client.address(), peer.map(ip));
            assert!(!client.via_proxy());
        }
    }
}

#[test]
fn nobody_is_believed_by_default() {
    for proxies in [
        TrustedProxies::default(),
        TrustedProxies::none(),
        TrustedProxies::builder().build().expect("nobody"),
    ] {
        assert!(proxies.is_empty());
        assert_eq!(proxies.header(), None);
        for address in ["127.0.0.1", "10.0.0.1", "::1", "0.0.0.0"] {
            assert!(!proxies.trusts(ip(address)));
            let client = proxies.client(&view(Some(address), &SPOOFED));
            assert_eq!(client.address(), Some(ip(address)));
        }
    }
}

#[test]
fn a_peer_without_an_address_is_not_believed_and_has_none() {
    for proxies in [x_forwarded(), forwarded()] {
        let client = proxies.client(&view(None, &SPOOFED));
        assert_eq!(client.address(), None);
        assert_eq!(client.scheme(), Some("http"));
        assert_eq!(client.authority(), Some("own.example"));
        assert!(!client.via_proxy());
    }
}

#[test]
fn what_the_view_does_not_know_stays_unknown() {
    let view = RequestView {
        scheme: None,
        authority: None,
        ..view(Some("203.0.113.9"), &SPOOFED)
    };
    let client = x_forwarded().client(&view);
    assert_eq!((client.scheme(), client.authority()), (None, None));
}

#[test]
fn the_address_of_a_mapped_peer_is_the_ipv4_address() {
    let client = x_forwarded().client(&view(Some("::ffff:203.0.113.9"), &SPOOFED));
    assert_eq!(client.address(), Some(ip("203.0.113.9")));
    assert!(!client.via_proxy());
}

#[test]
fn a_mapped_peer_is_believed_as_the_ipv4_address_is() {
    let client = x_forwarded().client(&view(Some("::ffff:10.0.0.1"), &SPOOFED));
    assert_eq!(client.address(), Some(ip("127.0.0.1")));
    assert!(client.via_proxy());
}

#[test]
fn the_port_and_the_zone_of_a_peer_do_not_count() {
    let proxies = TrustedProxies::builder()
        .network("fe80::1")
        .build()
        .expect("an address");
    for socket in ["[fe80::1%3]:1", "[fe80::1%4]:65535", "[fe80::1]:80"] {
        let socket: SocketAddr = socket.parse().expect("a socket's address");
        let view = RequestView {
            socket_peer: Some(socket),
            ..view(None, &SPOOFED)
        };
        assert!(proxies.client(&view).via_proxy(), "{socket}");
    }
}

#[test]
fn the_address_that_an_adapter_put_into_the_view_is_not_believed() {
    let view = RequestView {
        client_address: Some(ip("10.0.0.1")),
        ..view(Some("203.0.113.9"), &SPOOFED)
    };
    let client = x_forwarded().client(&view);
    assert_eq!(client.address(), Some(ip("203.0.113.9")));
}

#[test]
fn a_trusted_peer_is_not_believed_in_the_other_family() {
    let only_forwarded = [(
        "Forwarded",
        "for=198.51.100.7;proto=https;host=evil.example",
    )];
    let client = x_forwarded().client(&view(Some("10.0.0.1"), &only_forwarded));
    assert_eq!(client.address(), Some(ip("10.0.0.1")));
    assert_eq!(client.scheme(), Some("http"));
    assert_eq!(client.authority(), Some("own.example"));

    let only_x = [
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "evil.example"),
    ];
    let client = forwarded().client(&view(Some("10.0.0.1"), &only_x));
    assert_eq!(client.address(), Some(ip("10.0.0.1")));
    assert_eq!(client.scheme(), Some("http"));
    assert_eq!(client.authority(), Some("own.example"));
}

#[test]
fn nobody_is_believed_in_fields_of_single_vendors() {
    let headers = [
        ("X-Real-IP", "198.51.100.7"),
        ("X-Client-IP", "198.51.100.7"),
        ("True-Client-IP", "198.51.100.7"),
        ("CF-Connecting-IP", "198.51.100.7"),
        ("X-Forwarded", "198.51.100.7"),
        ("Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Scheme", "https"),
        ("X-Forwarded-Ssl", "on"),
        ("Front-End-Https", "on"),
        ("X-Url-Scheme", "https"),
        ("X-Original-Host", "evil.example"),
        ("X-Forwarded-Server", "evil.example"),
    ];
    for header in [ForwardingHeader::XForwarded, ForwardingHeader::Forwarded] {
        let proxies = proxies(header);
        let client = proxies.client(&view(Some("10.0.0.1"), &headers));
        assert_eq!(client.address(), Some(ip("10.0.0.1")));
        assert_eq!(client.scheme(), Some("http"));
        assert_eq!(client.authority(), Some("own.example"));
        // So a handler must not find them either, unless it wants to.
        for (name, _) in headers {
            let name = name.to_ascii_lowercase();
            assert!(proxies.header_names().contains(&&*name), "{name}");
            assert!(
                proxies.unbelieved_header_names().contains(&&*name),
                "{name}"
            );
        }
    }
}

#[test]
fn a_spelling_with_underscores_is_another_field() {
    let headers = [
        ("X_Forwarded_For", "198.51.100.7"),
        ("X_Forwarded_Proto", "https"),
        ("X-Forwarded_Host", "evil.example"),
    ];
    let client = x_forwarded().client(&view(Some("10.0.0.1"), &headers));
    assert_eq!(client.address(), Some(ip("10.0.0.1")));
    assert_eq!(client.scheme(), Some("http"));
    assert_eq!(client.authority(), Some("own.example"));
}

#[test]
fn names_of_fields_are_told_apart_by_family() {
    let all = TrustedProxies::none();
    assert_eq!(all.header_names(), all.unbelieved_header_names());
    let believed = |proxies: &TrustedProxies| -> Vec<&str> {
        let rest = proxies.unbelieved_header_names();
        let names = proxies.header_names().iter().copied();
        names.filter(|name| !rest.contains(name)).collect()
    };
    assert_eq!(
        believed(&x_forwarded()),
        [
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-port",
            "x-forwarded-host"
        ]
    );
    assert_eq!(
        believed(&without_host(ForwardingHeader::XForwarded)),
        ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-port"]
    );
    assert_eq!(believed(&forwarded()), ["forwarded"]);
}
