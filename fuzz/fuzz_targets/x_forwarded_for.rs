//! What a client puts into `X-Forwarded-For` changes nothing, and the fields of a trusted proxy are
//! read as a simple reader reads them.
//!
//! The lines of the input are field lines. A line of one `|` ends what the client sent.

#![no_main]

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ringwall_core::request::RequestView;
use ringwall_transport::{Client, TrustedProxies};
use url::Url;

static PROXIES: LazyLock<TrustedProxies> = LazyLock::new(|| {
    TrustedProxies::builder()
        .network("10.0.0.0/8")
        .network("fd00::/16")
        .build()
        .unwrap()
});

const PROXY: &str = "10.0.0.1";
const CLIENT: &str = "203.0.113.9";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn client<'a>(peer: &str, headers: &'a Vec<(&'a str, &'a [u8])>) -> Client<'a> {
    PROXIES.client(&RequestView {
        method: "GET",
        scheme: None,
        authority: None,
        raw_path: "/",
        raw_query: None,
        socket_peer: Some(SocketAddr::new(ip(peer), 443)),
        client_address: None,
        tls_peer: None,
        headers,
    })
}

fn address(lines: &[&[u8]]) -> Option<IpAddr> {
    let headers = lines
        .iter()
        .map(|line| ("x-forwarded-for", *line))
        .collect();
    client(PROXY, &headers).address()
}

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let middle = lines.iter().position(|line| *line == b"|");
    let (left, right) = match middle {
        Some(at) => (&lines[..at], &lines[at + 1..]),
        None => (&lines[..], &[][..]),
    };
    says_nothing_when_untrusted(&lines);
    does_not_reach(left, right);
    is_read_simply(&lines);
    names_a_scheme_and_a_host(&lines);
});

fn says_nothing_when_untrusted(lines: &[&[u8]]) {
    for name in PROXIES.header_names() {
        let headers = lines.iter().map(|line| (*name, *line)).collect();
        let found = client(CLIENT, &headers);
        assert_eq!(found.address(), Some(ip(CLIENT)));
        assert!(found.scheme().is_none() && found.authority().is_none() && !found.via_proxy());
    }
}

/// Where two clients that differ are answered the same, nothing that they could send changes it.
fn does_not_reach(left: &[&[u8]], right: &[&[u8]]) {
    let own: [&[u8]; 1] = [CLIENT.as_bytes()];
    assert_eq!(address(&[left, &own].concat()), Some(ip(CLIENT)));
    let mut joined = left.join(&b","[..]);
    joined.extend_from_slice(b", 203.0.113.9");
    assert_eq!(address(&[&joined]), Some(ip(CLIENT)));

    let probes =
        [&b"198.51.100.1"[..], b"2001:db8::2"].map(|probe| address(&[&[probe], right].concat()));
    if probes[0] == probes[1] {
        assert_eq!(address(&[left, right].concat()), probes[0]);
    }
}

fn is_read_simply(lines: &[&[u8]]) {
    let answer = address(lines);
    let joined = lines.join(&b","[..]);
    let split: Vec<&[u8]> = joined.split(|byte| *byte == b',').collect();
    assert_eq!(answer, address(&[&joined]), "one line is as several");
    assert_eq!(answer, address(&split), "each entry on a line");
    let expected = simple(&split);
    if let Some(answer) = answer {
        assert_eq!(expected, Some(answer));
        assert_eq!(answer, answer.to_canonical());
    } else if let Some(expected) = expected {
        // Where we are stricter: length, number, zeros that lead a port.
        let is_long =
            split.len() > TrustedProxies::MAX_HOPS || split.iter().any(|entry| entry.len() > 128);
        let is_zero = joined.windows(2).any(|pair| pair == b":0");
        assert!(is_long || is_zero, "{expected} was not found");
    }
}

fn simple(entries: &[&[u8]]) -> Option<IpAddr> {
    let mut leftmost = None;
    for entry in entries.iter().rev() {
        let text = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
        let address = read(text)?.to_canonical();
        leftmost = Some(address);
        if !PROXIES.trusts(address) {
            break;
        }
    }
    leftmost
}

fn read(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let (bare, port) = match text.rsplit_once("]:") {
        Some((bare, port)) => (bare.strip_prefix('[')?, Some(port)),
        None => match text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(bare) => (bare, None),
            None if text.matches(':').count() == 1 => {
                return text.parse().ok().map(|socket: SocketAddr| socket.ip());
            }
            None => (text, None),
        },
    };
    if !port.is_none_or(|port| !port.starts_with('+') && port.parse::<u16>().is_ok()) {
        return None;
    }
    let (bare, zone) = match bare.split_once('%') {
        None => (bare, None),
        Some((bare, zone)) => (bare, Some(zone)),
    };
    let address: std::net::Ipv6Addr = bare.parse().ok()?;
    let is_zone = |zone: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
        !zone.is_empty() && zone.len() <= 32 && zone.chars().all(is_plain)
    };
    if zone.is_some_and(|zone| !address.is_unicast_link_local() || !is_zone(zone)) {
        return None;
    }
    Some(address.into())
}

fn names_a_scheme_and_a_host(lines: &[&[u8]]) {
    let headers = lines
        .iter()
        .flat_map(|line| [("x-forwarded-proto", *line), ("x-forwarded-host", *line)])
        .collect();
    let found = client(PROXY, &headers);
    assert_eq!(found.address(), None, "somebody, and nobody says who");
    if let Some(scheme) = found.scheme() {
        assert!(lines.len() == 1 && (scheme == "http" || scheme == "https"));
    }
    if let Some(authority) = found.authority() {
        assert_eq!(lines.len(), 1);
        // It can be written into a URL and stays what it was there.
        if let Ok(url) = Url::parse(&format!("https://{authority}/path")) {
            assert!(url.username().is_empty() && url.password().is_none());
            assert_eq!(url.path(), "/path");
            assert!(url.query().is_none() && url.fragment().is_none());
        }
    }
}
