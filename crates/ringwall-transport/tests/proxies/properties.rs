//! What holds of every request.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::collection::vec;
use proptest::prelude::*;
use ringwall_transport::{ForwardingHeader, TrustedProxies};

use crate::support::{PROXY, forwarded, ip, proxies, view, x_forwarded};

/// Lines that a client sends, of the bytes that have a meaning here more often than of others.
fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    const TELLING: [&str; 18] = [
        "for=",
        "for=127.0.0.1",
        "127.0.0.1",
        "10.0.0.2",
        "proto=https",
        "host=evil.example",
        "unknown",
        "\"",
        "\\",
        ",",
        ", ",
        ";",
        "=",
        "[",
        "]",
        ":",
        "::1",
        " ",
    ];
    let telling = proptest::sample::select(&TELLING[..]).prop_map(|text| text.as_bytes().to_vec());
    let piece = prop_oneof![4 => telling, 1 => vec(any::<u8>(), 0..6)];
    vec(vec(piece, 0..8).prop_map(|pieces| pieces.concat()), 0..5)
}

/// An address that is no proxy.
fn client() -> impl Strategy<Value = IpAddr> {
    let proxies = x_forwarded();
    any::<IpAddr>()
        .prop_map(|address| address.to_canonical())
        .prop_filter("a client", move |address| !proxies.trusts(*address))
}

fn proxy() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u8>().prop_map(|last| Ipv4Addr::new(10, 0, 0, last).into()),
        any::<u16>().prop_map(|last| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last).into()),
    ]
}

/// An entry of `X-Forwarded-For`, as one proxy or another writes it.
fn entry(address: IpAddr, port: Option<u16>) -> String {
    match (address, port) {
        (_, None) => address.to_string(),
        (IpAddr::V4(_), Some(port)) => format!("{address}:{port}"),
        (IpAddr::V6(_), Some(port)) => format!("[{address}]:{port}"),
    }
}

/// An element of `Forwarded`, as one proxy or another writes it.
fn element(address: IpAddr, port: Option<u16>, more: &str) -> String {
    match (address, port) {
        (IpAddr::V4(_), None) => format!("for={address}{more}"),
        (IpAddr::V6(_), None) => format!("for=\"[{address}]\"{more}"),
        (_, Some(_)) => format!("for=\"{}\"{more}", entry(address, port)),
    }
}

/// Parameters that change nothing about the address.
fn more() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        Just(""),
        Just(";"),
        Just(";proto=http"),
        Just(";proto=\"https\";host=\"api.example:8443\""),
        Just(";ext=\"a, for=127.0.0.1;\\\"\""),
        Just(";ext=\"\\\\\""),
        Just(";by=_a"),
    ]
}

/// Appends as proxies do: to the last line, or as a line of its own.
fn append(lines: &mut Vec<Vec<u8>>, entry: &str, separator: Option<&str>) {
    match (lines.last_mut(), separator) {
        (Some(last), Some(separator)) => {
            last.extend_from_slice(separator.as_bytes());
            last.extend_from_slice(entry.as_bytes());
        }
        (_, _) => lines.push(entry.as_bytes().to_vec()),
    }
}

fn separator() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![
        Just(None),
        Just(Some(",")),
        Just(Some(", ")),
        Just(Some(" ,\t"))
    ]
}

type Found = (Option<IpAddr>, Option<String>, Option<String>, bool);

fn found(proxies: &TrustedProxies, peer: &str, name: &str, lines: &[Vec<u8>]) -> Found {
    let headers: Vec<(&str, &[u8])> = lines.iter().map(|line| (name, &line[..])).collect();
    let client = proxies.client(&view(Some(peer), &headers));
    (
        client.address(),
        client.scheme().map(Into::into),
        client.authority().map(Into::into),
        client.via_proxy(),
    )
}

/// `X-Forwarded-For` as one would read it without any thought of cost.
fn simple(proxies: &TrustedProxies, lines: &[Vec<u8>]) -> Option<IpAddr> {
    let all = lines.join(&b","[..]);
    let mut leftmost = None;
    for entry in all.split(|byte| *byte == b',').rev() {
        let text = core::str::from_utf8(entry).ok()?;
        let text = text.trim_matches([' ', '\t']);
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        let address = if bare == text {
            text.parse()
                .or_else(|_| {
                    text.parse()
                        .map(|socket: core::net::SocketAddr| socket.ip())
                })
                .ok()?
        } else {
            IpAddr::V6(bare.parse().ok()?)
        };
        if !proxies.trusts(address) {
            return Some(address.to_canonical());
        }
        leftmost = Some(address.to_canonical());
    }
    leftmost
}

proptest! {
    /// The one that matters most: what the client sends does not change who it is.
    #[test]
    fn property_the_client_is_whom_the_first_trusted_proxy_spoke_with(
        mut lines in lines(),
        client in client(),
        first in (any::<Option<u16>>(), separator(), more()),
        chain in vec((proxy(), any::<Option<u16>>(), separator(), more()), 0..4),
    ) {
        let mut by_elements = lines.clone();
        append(&mut lines, &entry(client, first.0), first.1);
        append(&mut by_elements, &element(client, first.0, first.2), first.1);
        for (address, port, separator, more) in chain {
            append(&mut lines, &entry(address, port), separator);
            append(&mut by_elements, &element(address, port, more), separator);
        }
        let by_entries = found(&x_forwarded(), PROXY, "x-forwarded-for", &lines);
        prop_assert_eq!(by_entries.0, Some(client));
        let by_elements = found(&forwarded(), PROXY, "forwarded", &by_elements);
        prop_assert_eq!(by_elements.0, Some(client));
        let scheme = if first.2.contains("https") { "https" } else { "http" };
        prop_assert_eq!(by_elements.1.as_deref(), Some(scheme));
    }

    /// Whatever the entry at the client's place is, what stands left of it changes nothing.
    #[test]
    fn property_what_stands_left_of_the_clients_entry_changes_nothing(
        left in lines(),
        other in lines(),
        place in "(unknown|_x|garbage|1\\.2\\.3\\.4|for=1\\.2\\.3\\.4;proto=https|for=unknown|for=\"\\[::1\\]\"|for=;)",
        joined in any::<bool>(),
    ) {
        let separator = joined.then_some(",");
        for (name, header) in [
            ("x-forwarded-for", ForwardingHeader::XForwarded),
            ("forwarded", ForwardingHeader::Forwarded),
        ] {
            let proxies = proxies(header);
            let answers = [&left, &other, &Vec::new()].map(|before| {
                let mut lines = before.clone();
                append(&mut lines, &place, separator);
                found(&proxies, PROXY, name, &lines)
            });
            prop_assert_eq!(&answers[0], &answers[1]);
            prop_assert_eq!(&answers[0], &answers[2]);
        }
    }

    /// RFC 9110 §5.3: a list is the same in one line and in several.
    #[test]
    fn property_how_entries_are_spread_over_lines_changes_nothing(
        entries in vec(
            (prop_oneof![client(), proxy(), proxy()], any::<Option<u16>>(), more(), separator(), 0..9_u8),
            1..12,
        ),
    ) {
        for (name, header) in [
            ("x-forwarded-for", ForwardingHeader::XForwarded),
            ("forwarded", ForwardingHeader::Forwarded),
        ] {
            let proxies = proxies(header);
            let (mut one, mut each, mut spread) = (Vec::new(), Vec::new(), Vec::new());
            for (address, port, more, separator, fault) in &entries {
                let text = match (fault, header) {
                    (0, _) => "unknown".to_owned(),
                    (1, _) => String::new(),
                    (_, ForwardingHeader::Forwarded) => element(*address, *port, more),
                    (_, _) => entry(*address, *port),
                };
                append(&mut one, &text, Some(", "));
                append(&mut each, &text, None);
                append(&mut spread, &text, *separator);
            }
            let answer = found(&proxies, PROXY, name, &one);
            prop_assert_eq!(&answer, &found(&proxies, PROXY, name, &each));
            prop_assert_eq!(&answer, &found(&proxies, PROXY, name, &spread));
        }
    }

    #[test]
    fn property_x_forwarded_for_is_read_as_a_simple_reader_reads_it(
        lines in prop_oneof![
            vec("[0-9a-f:.,\\[\\] ]{0,40}", 1..4),
            vec("(10\\.0\\.0\\.[1-9]|fd00::[1-9]|1\\.2\\.3\\.4|\\[::1\\]|\\[fd00::1\\]:80|unknown|,|, | ){0,8}", 1..4),
        ],
    ) {
        let proxies = x_forwarded();
        let lines: Vec<Vec<u8>> = lines.into_iter().map(String::into_bytes).collect();
        let expected = simple(&proxies, &lines);
        let answer = found(&proxies, PROXY, "x-forwarded-for", &lines).0;
        // Ports with leading zeros are where we are stricter.
        if answer.is_some() || !lines.concat().windows(2).any(|pair| pair == b":0") {
            prop_assert_eq!(answer, expected);
        }
    }

    #[test]
    fn property_a_peer_that_is_not_trusted_is_the_client(peer in client(), lines in lines()) {
        let own = (Some(peer), Some("http".to_owned()), Some("own.example".to_owned()), false);
        for name in x_forwarded().header_names() {
            for proxies in [x_forwarded(), forwarded(), TrustedProxies::none()] {
                prop_assert_eq!(&found(&proxies, &peer.to_string(), name, &lines), &own);
            }
        }
    }

    #[test]
    fn property_scheme_and_host_are_of_their_form_or_unknown(lines in lines()) {
        for (name, proxies) in [
            ("x-forwarded-proto", x_forwarded()),
            ("x-forwarded-host", x_forwarded()),
            ("forwarded", forwarded()),
        ] {
            let (_, scheme, authority, _) = found(&proxies, PROXY, name, &lines);
            if let Some(scheme) = scheme {
                prop_assert!(scheme == "http" || scheme == "https");
            }
            if let Some(authority) = authority {
                prop_assert!(!authority.is_empty() && authority.len() <= 259);
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte);
                prop_assert!(authority.bytes().all(is_plain));
            }
        }
    }

    #[test]
    fn property_an_address_is_trusted_when_one_of_the_networks_holds_it(
        networks in vec((any::<IpAddr>(), 1..=128_u8), 0..40),
        addresses in vec(any::<IpAddr>(), 0..20),
        near in any::<bool>(),
    ) {
        let networks: Vec<ipnet::IpNet> = networks
            .into_iter()
            .map(|(address, length)| {
                let most = if address.is_ipv4() { 32 } else { 128 };
                ipnet::IpNet::new(address, length.min(most)).expect("a network").trunc()
            })
            // Mapped ones are IPv4 networks, which are tested by name.
            .filter(|network| network.addr().to_canonical() == network.addr())
            .collect();
        let proxies = networks
            .iter()
            .fold(TrustedProxies::builder(), |builder, network| builder.network(network))
            .build()
            .expect("networks");
        let edges = networks.iter().flat_map(|network| [network.network(), network.broadcast()]);
        let asked: Vec<IpAddr> = if near { edges.collect() } else { addresses };
        for address in asked {
            let address = address.to_canonical();
            let expected = networks.iter().any(|network| network.contains(&address));
            prop_assert_eq!(proxies.trusts(address), expected, "{}", address);
        }
    }
}

#[test]
fn the_simple_reader_reads_what_it_should() {
    let proxies = x_forwarded();
    let lines = [b"1.2.3.4, 10.0.0.1".to_vec(), b"[fd00::1]:80".to_vec()];
    assert_eq!(simple(&proxies, &lines), Some(ip("1.2.3.4")));
}
