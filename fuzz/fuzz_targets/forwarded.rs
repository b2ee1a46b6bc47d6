//! What a client puts into `Forwarded` changes nothing, and what RFC 7239 permits is read from the right
//! as it is read from the left.
//!
//! The lines of the input are field lines. A line of one `|` ends what the client sent.

#![no_main]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ringwall_core::request::RequestView;
use ringwall_transport::{ForwardingHeader, TrustedProxies};
use url::Url;

static PROXIES: LazyLock<TrustedProxies> = LazyLock::new(|| {
    TrustedProxies::builder()
        .network("10.0.0.0/8")
        .network("fd00::/16")
        .header(ForwardingHeader::Forwarded)
        .build()
        .unwrap()
});

/// Address, scheme, authority.
type Found = (Option<IpAddr>, Option<String>, Option<String>);

const NOTHING: Found = (None, None, None);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn found(lines: &[&[u8]]) -> Found {
    let headers: Vec<_> = lines.iter().map(|line| ("forwarded", *line)).collect();
    let client = PROXIES.client(&RequestView {
        method: "GET",
        scheme: Some("own"),
        authority: Some("own.example"),
        raw_path: "/",
        raw_query: None,
        socket_peer: Some(SocketAddr::new(ip("10.0.0.1"), 443)),
        client_address: None,
        tls_peer: None,
        headers: &headers,
    });
    (
        client.address(),
        client.scheme().map(Into::into),
        client.authority().map(Into::into),
    )
}

fuzz_target!(|data: &[u8]| {
    let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    let middle = lines.iter().position(|line| *line == b"|");
    let (left, right) = match middle {
        Some(at) => (&lines[..at], &lines[at + 1..]),
        None => (&lines[..], &[][..]),
    };
    does_not_reach(left, right);
    is_read_from_either_side(&lines);
    is_of_its_form(&found(&lines));
});

/// Where two clients that differ are answered the same, nothing that they could send changes it.
fn does_not_reach(left: &[&[u8]], right: &[&[u8]]) {
    for own in [
        "for=203.0.113.9;proto=https;host=api.example",
        "for=\"203.0.113.9:80\";host=\"api.example\";proto=\"https\";ext=\"a,\\\"b\"",
    ] {
        let expected = (
            Some(ip("203.0.113.9")),
            Some("https".into()),
            Some("api.example".into()),
        );
        assert_eq!(found(&[left, &[own.as_bytes()]].concat()), expected);
        let mut joined = left.join(&b","[..]);
        joined.extend_from_slice(b", ");
        joined.extend_from_slice(own.as_bytes());
        assert_eq!(found(&[&joined]), expected);
    }

    let probes: [&[u8]; 2] = [
        b"for=198.51.100.1;proto=http;host=a.example",
        b"for=\"[2001:db8::2]\";proto=https;host=b.example",
    ];
    let answers = probes.map(|probe| found(&[&[probe], right].concat()));
    if answers[0] == answers[1] {
        assert_eq!(found(&[left, right].concat()), answers[0]);
    }
}

/// One parameter: its name in lower case, its value without escapes, and whether there were some.
type Parameter = (Vec<u8>, Vec<u8>, bool);

fn is_read_from_either_side(lines: &[&[u8]]) {
    let answer = found(lines);
    let mut all = Vec::new();
    for line in lines {
        let Some(elements) = elements(line) else {
            return;
        };
        all.extend(elements);
    }
    let written: Vec<Vec<u8>> = all.iter().map(|element| write(element)).collect();
    let is_bounded = all.len() <= TrustedProxies::MAX_HOPS
        && lines.iter().all(|line| line.len() <= 1024)
        && written.iter().all(|line| line.len() <= 1024)
        && all.iter().flatten().all(|(_, value, _)| value.len() <= 256)
        && all.iter().all(|element| element.len() <= 16);
    if !is_bounded {
        return;
    }
    assert_eq!(answer, evaluate(&all));
    // Written anew, on a line each and on one.
    let written: Vec<&[u8]> = written.iter().map(|line| &line[..]).collect();
    assert_eq!(answer, found(&written));
    assert_eq!(answer, found(&[&written.join(&b", "[..])]));
}

/// Reads a line from the left, as the grammar is written. An empty element is one without parameters.
fn elements(line: &[u8]) -> Option<Vec<Vec<Parameter>>> {
    let mut elements = Vec::new();
    let mut rest = line;
    loop {
        rest = blank(rest);
        let mut element = Vec::new();
        loop {
            if let [b';', after @ ..] = rest {
                rest = after;
                continue;
            }
            if rest.is_empty() || rest[0] == b',' || matches!(rest[0], b' ' | b'\t') {
                break;
            }
            let (parameter, after) = parameter(rest)?;
            element.push(parameter);
            rest = after;
            if !matches!(rest, [] | [b';' | b',' | b' ' | b'\t', ..]) {
                return None;
            }
        }
        elements.push(element);
        rest = blank(rest);
        match rest {
            [] => return Some(elements),
            [b',', after @ ..] => rest = after,
            _ => return None,
        }
    }
}

fn blank(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let end = text.iter().take_while(|byte| is_token(byte)).count();
    (end > 0).then(|| text.split_at(end))
}

fn parameter(text: &[u8]) -> Option<(Parameter, &[u8])> {
    let (name, rest) = token(text)?;
    let rest = rest.strip_prefix(b"=")?;
    let name = name.to_ascii_lowercase();
    let Some(mut rest) = rest.strip_prefix(b"\"") else {
        let (value, rest) = token(rest)?;
        return Some(((name, value.to_vec(), false), rest));
    };
    let (mut value, mut is_escaped) = (Vec::new(), false);
    loop {
        let byte = match rest {
            [b'"', after @ ..] => return Some(((name, value, is_escaped), after)),
            [b'\\', byte, after @ ..] => {
                is_escaped = true;
                rest = after;
                *byte
            }
            [b'\\'] | [] => return None,
            [byte, after @ ..] => {
                rest = after;
                *byte
            }
        };
        if byte == 0x7f || (byte < b' ' && byte != b'\t') {
            return None;
        }
        value.push(byte);
    }
}

fn evaluate(elements: &[Vec<Parameter>]) -> Found {
    let mut answer = NOTHING;
    for element in elements.iter().rev() {
        let names: BTreeSet<&[u8]> = element.iter().map(|(name, _, _)| &name[..]).collect();
        if element.is_empty() || names.len() != element.len() {
            return NOTHING;
        }
        let value = |name: &str| {
            element
                .iter()
                .find(|(other, _, _)| other == name.as_bytes())
        };
        let address = match value("for") {
            None => None,
            Some((_, value, _)) => match node(value) {
                None => return NOTHING,
                Some(address) => address,
            },
        };
        let scheme = match value("proto") {
            None => Some("own".to_owned()),
            Some((_, value, _)) => Some(String::from_utf8_lossy(value).to_ascii_lowercase())
                .filter(|scheme| scheme == "http" || scheme == "https"),
        };
        let authority = match value("host") {
            None => Some("own.example".to_owned()),
            Some((_, value, is_escaped)) => host(value).filter(|_| !is_escaped),
        };
        answer = (address, scheme, authority);
        if !address.is_some_and(|address| PROXIES.trusts(address)) {
            break;
        }
    }
    answer
}

/// `None` when it is none; otherwise its address, if it says it.
fn node(value: &[u8]) -> Option<Option<IpAddr>> {
    let text = std::str::from_utf8(value).ok()?;
    let is_made_up = |text: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        text.len() > 1 && text.starts_with('_') && text.chars().all(is_plain)
    };
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, Some(port)),
        _ => (text, None),
    };
    if !port.is_none_or(|port| is_port(port) || is_made_up(port)) {
        return None;
    }
    if name.eq_ignore_ascii_case("unknown") || is_made_up(name) {
        return Some(None);
    }
    if let Ok(address) = name.parse::<Ipv4Addr>() {
        return Some(Some(address.into()));
    }
    let inner = name.strip_prefix('[')?.strip_suffix(']')?;
    let (inner, zone) = match inner.split_once('%') {
        None => (inner, None),
        Some((inner, zone)) => (inner, Some(zone)),
    };
    let address: Ipv6Addr = inner.parse().ok()?;
    let is_zone = |zone: &str| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~%".contains(c);
        !zone.is_empty() && zone.len() <= 32 && zone.chars().all(is_plain)
    };
    if zone.is_some_and(|zone| !address.is_unicast_link_local() || !is_zone(zone)) {
        return None;
    }
    Some(Some(IpAddr::V6(address).to_canonical()))
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>()
        .is_ok_and(|port| port.to_string() == text)
}

fn host(value: &[u8]) -> Option<String> {
    let text = String::from_utf8(value.to_vec()).ok()?;
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !text.ends_with(']') => (name, Some(port)),
        _ => (&text[..], None),
    };
    let inner = name
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_host = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
        None => {
            let labels = name.strip_suffix('.').unwrap_or(name);
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            name.len() <= 253
                && labels
                    .split('.')
                    .all(|label| !label.is_empty() && label.chars().all(is_plain))
        }
    };
    (is_host && port.is_none_or(is_port)).then_some(text)
}

/// Writes an element with all values quoted, and escapes where there were some or must be.
fn write(element: &[Parameter]) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value, is_escaped) in element {
        text.extend_from_slice(name);
        text.extend_from_slice(b"=\"");
        for byte in value {
            if *is_escaped || matches!(byte, b'"' | b'\\') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.extend_from_slice(b"\";");
    }
    text
}

fn is_of_its_form(found: &Found) {
    let (address, scheme, authority) = found;
    if let Some(address) = address {
        assert_eq!(*address, address.to_canonical());
    }
    if let Some(scheme) = scheme {
        assert!(["http", "https", "own"].contains(&&scheme[..]));
    }
    if let Some(authority) = authority
        && let Ok(url) = Url::parse(&format!("https://{authority}/path"))
    {
        // It can be written into a URL and stays what it was there.
        assert!(url.username().is_empty() && url.password().is_none());
        assert_eq!(url.path(), "/path");
        assert!(url.query().is_none() && url.fragment().is_none());
    }
}
