//! The target of a proof, and the URI of a request.

use core::net::{Ipv4Addr, Ipv6Addr};
use std::borrow::Cow;

use ringwall_core::request::RequestView;

use super::ProofFault;

/// The longest `htu` in bytes.
const MAX_TARGET_BYTES: usize = 2048;

/// The longest host in bytes (RFC 1035 §2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// Why a text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum OriginFault {
    /// It does not begin with `https://` or `http://`.
    #[error("it does not begin with https:// or http://")]
    Scheme,
    /// It names a user, or its host is missing or no name or address.
    #[error("it names a user, or its host is missing or no name or address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// Something follows the host and the port.
    #[error("it has a path, a query or a fragment")]
    Path,
}

/// Scheme, host and port in their one spelling: scheme and host in lower case, addresses as RFC 5952
/// has them, the scheme's own port left out (RFC 3986 §6.2.2.1, §6.2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin(Box<str>);

impl Origin {
    /// From a configured text, after which nothing may stand.
    pub(super) fn parse(text: &str) -> Result<Self, OriginFault> {
        let (scheme, rest) = split_scheme(text).ok_or(OriginFault::Scheme)?;
        if rest.contains(['/', '?', '#']) {
            return Err(OriginFault::Path);
        }
        Self::new(scheme, rest)
    }

    fn new(scheme: &str, authority: &str) -> Result<Self, OriginFault> {
        let (scheme, usual) = if scheme.eq_ignore_ascii_case("https") {
            ("https", 443)
        } else if scheme.eq_ignore_ascii_case("http") {
            ("http", 80)
        } else {
            return Err(OriginFault::Scheme);
        };
        let (host, port) = split_port(authority)?;
        let host = host_name(host)?;
        Ok(Self(match port {
            Some(port) if port != usual => format!("{scheme}://{host}:{port}").into(),
            Some(_) | None => format!("{scheme}://{host}").into(),
        }))
    }
}

/// What the targets of proofs are compared with.
#[derive(Clone, Debug)]
pub(super) enum Origins {
    /// These, whatever the request says.
    Public(Vec<Origin>),
    /// Scheme and host of the request.
    OfRequest,
}

impl Origins {
    /// Compares `htu` with the URI of the request, both without query and fragment (RFC 9449 §4.3), after
    /// syntax-based and scheme-based normalisation (RFC 3986 §6.2.2, §6.2.3).
    pub(super) fn check(&self, target: &str, view: &RequestView<'_>) -> Result<(), ProofFault> {
        if target.len() > MAX_TARGET_BYTES || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ProofFault::TargetMalformed);
        }
        let target = target.split(['?', '#']).next().unwrap_or_default();
        let (scheme, rest) = split_scheme(target).ok_or(ProofFault::TargetMalformed)?;
        let slash = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest
            .split_at_checked(slash)
            .ok_or(ProofFault::TargetMalformed)?;
        let origin = Origin::new(scheme, authority).map_err(|_| ProofFault::TargetMalformed)?;
        let is_ours = match self {
            Self::Public(origins) => origins.contains(&origin),
            Self::OfRequest => {
                let (Some(scheme), Some(authority)) = (view.scheme, view.authority) else {
                    return Err(ProofFault::TargetUnknown);
                };
                let ours = Origin::new(scheme, authority).map_err(|_| ProofFault::TargetUnknown)?;
                ours == origin
            }
        };
        // Texts that are the same are the same path, whatever its normal form.
        let is_same = path == view.raw_path || {
            let asked = normal_path(path).ok_or(ProofFault::TargetMalformed)?;
            normal_path(view.raw_path).is_some_and(|ours| ours == asked)
        };
        if is_ours && is_same {
            Ok(())
        } else {
            Err(ProofFault::TargetMismatch)
        }
    }
}

fn split_scheme(text: &str) -> Option<(&str, &str)> {
    text.split_once("://")
}

/// The host, and the port if there is one. An empty port is none (RFC 3986 §6.2.3).
fn split_port(authority: &str) -> Result<(&str, Option<u16>), OriginFault> {
    let after_address = authority.rfind(']').unwrap_or(0);
    let colon = authority
        .rfind(':')
        .filter(|colon| *colon >= after_address)
        .unwrap_or(authority.len());
    let (host, port) = authority.split_at_checked(colon).ok_or(OriginFault::Port)?;
    let digits = port.strip_prefix(':').unwrap_or_default();
    if digits.is_empty() {
        return Ok((host, None));
    }
    if digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(OriginFault::Port);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(OriginFault::Port),
        Ok(port) => Ok((host, Some(port))),
    }
}

/// A name in lower case, or an address. Percent-encoding in a host is refused: no client needs it, and
/// readers differ in what they make of it.
fn host_name(host: &str) -> Result<Cow<'_, str>, OriginFault> {
    if let Some(address) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address: Ipv6Addr = address.parse().map_err(|_| OriginFault::Host)?;
        return Ok(format!("[{address}]").into());
    }
    let is_listed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if host.is_empty() || host.len() > MAX_HOST_BYTES || !host.bytes().all(is_listed) {
        return Err(OriginFault::Host);
    }
    // WHATWG URL §3.5: a host whose last label is a number is an IPv4 address, in one of many spellings.
    let is_number = host.rsplit('.').next().is_some_and(|label| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit())
            || label
                .get(..2)
                .is_some_and(|start| start.eq_ignore_ascii_case("0x"))
    });
    if is_number && host.parse::<Ipv4Addr>().is_err() {
        return Err(OriginFault::Host);
    }
    Ok(if host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        host.to_ascii_lowercase().into()
    } else {
        host.into()
    })
}

/// The path with percent-encoded unreserved characters decoded, the other ones' digits in upper case,
/// dot segments removed, and `/` for nothing. `None` for what no path is.
fn normal_path(path: &str) -> Option<String> {
    let mut decoded = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            if !byte.is_ascii_graphic() {
                return None;
            }
            decoded.push(char::from(byte));
            continue;
        }
        let (high, low) = (hex(bytes.next()?)?, hex(bytes.next()?)?);
        let value = high.wrapping_shl(4) | low;
        if value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~') {
            decoded.push(char::from(value));
        } else {
            decoded.push('%');
            for digit in [high, low] {
                decoded.push(char::from_digit(digit.into(), 16)?.to_ascii_uppercase());
            }
        }
    }
    if decoded.is_empty() {
        return Some("/".to_owned());
    }
    // RFC 3986 §5.2.4.
    let mut segments: Vec<&str> = Vec::new();
    let mut parts = decoded.strip_prefix('/')?.split('/').peekable();
    while let Some(segment) = parts.next() {
        let is_last = parts.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    segments.pop();
                }
                if is_last {
                    segments.push("");
                }
            }
            _ => segments.push(segment),
        }
    }
    Some(
        segments
            .iter()
            .fold(String::new(), |path, segment| path + "/" + segment),
    )
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(byte.wrapping_sub(b'a').wrapping_add(10)),
        b'A'..=b'F' => Some(byte.wrapping_sub(b'A').wrapping_add(10)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, scheme: &str, authority: &str, path: &str) -> Result<(), ProofFault> {
        let headers: [(&str, &str); 0] = [];
        let view = RequestView {
            method: "GET",
            scheme: Some(scheme),
            authority: Some(authority),
            raw_path: path,
            raw_query: Some("a=b"),
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: &headers,
        };
        Origins::OfRequest.check(target, &view)
    }

    /// RFC 3986 §6.2.2, §6.2.3.
    #[test]
    fn spellings_of_one_uri_are_one_target() {
        for (target, authority, path) in [
            ("https://api.example/a", "api.example", "/a"),
            ("HTTPS://API.Example/a", "api.example", "/a"),
            ("https://api.example/a", "API.EXAMPLE:443", "/a"),
            ("https://api.example:443/a", "api.example", "/a"),
            ("https://api.example:/a", "api.example", "/a"),
            ("https://api.example:0443/a", "api.example", "/a"),
            ("https://api.example:8443/a", "api.example:8443", "/a"),
            ("https://api.example", "api.example", "/"),
            ("https://api.example/", "api.example", ""),
            ("https://api.example/%7Ea%2db", "api.example", "/~a-b"),
            ("https://api.example/a%2fb", "api.example", "/a%2Fb"),
            ("https://api.example/a/./b/../c", "api.example", "/a/c"),
            ("https://api.example/a/%2e%2E/c", "api.example", "/c"),
            ("https://api.example/../a", "api.example", "/a"),
            ("https://api.example/a/b/..", "api.example", "/a/"),
            ("https://api.example/a/.", "api.example", "/a/"),
            ("https://api.example/a?x=y#z", "api.example", "/a"),
            ("https://api.example/a#?", "api.example", "/a"),
            ("https://api.example?x", "api.example", "/"),
            ("https://[2001:DB8:0::1]/a", "[2001:db8::1]:443", "/a"),
            ("https://192.0.2.7/a", "192.0.2.7", "/a"),
        ] {
            assert_eq!(check(target, "https", authority, path), Ok(()), "{target}");
        }
        assert_eq!(
            check("http://a.example:80/", "HTTP", "a.example", "/"),
            Ok(())
        );
    }

    #[test]
    fn other_uris_are_other_targets() {
        for (target, authority, path) in [
            ("http://api.example/a", "api.example", "/a"),
            ("https://api.example/a", "api.example:8443", "/a"),
            ("https://api.example:8443/a", "api.example", "/a"),
            ("https://api.example:80/a", "api.example", "/a"),
            ("https://api.example.evil/a", "api.example", "/a"),
            ("https://evilapi.example/a", "api.example", "/a"),
            ("https://api.example./a", "api.example", "/a"),
            ("https://api.example/a/", "api.example", "/a"),
            ("https://api.example/A", "api.example", "/a"),
            ("https://api.example//a", "api.example", "/a"),
            ("https://api.example/a%2Fb", "api.example", "/a/b"),
            ("https://api.example/a%252e", "api.example", "/a."),
            ("https://api.example/a;b", "api.example", "/a"),
            ("https://api.example/", "api.example", "/a"),
            ("https://api.example", "api.example", "/a"),
            ("https://api.example/a?/b", "api.example", "/a/b"),
            ("https://[2001:db8::1]/a", "[2001:db8::2]", "/a"),
        ] {
            let answer = check(target, "https", authority, path);
            assert_eq!(
                answer,
                Err(ProofFault::TargetMismatch),
                "{target} {authority}{path}"
            );
        }
    }

    #[test]
    fn what_is_no_absolute_uri_is_no_target() {
        let long = format!("https://api.example/{}", "a".repeat(MAX_TARGET_BYTES));
        for target in [
            "",
            "/a",
            "//api.example/a",
            "api.example/a",
            "https:/api.example/a",
            "https:///a",
            "ftp://api.example/a",
            "https://user@api.example/a",
            "https://api.example@evil.example/a",
            "https://api%2Eexample/a",
            "https://api.example:x/a",
            "https://api.example:0/a",
            "https://api.example:65536/a",
            "https://api.example:000443/a",
            "https://api.example\\@evil.example/a",
            "https://api.example/%",
            "https://api.example/%2",
            "https://api.example/%zz",
            "https://api.example/a b",
            "https://api.example/\u{e4}",
            "https://api.example/a\n",
            "https://[::1/a",
            "https://::1]/a",
            "https://[1.2.3.4]/a",
            "https://0x7f.1/a",
            "https://1.2.3/a",
            "https://a..%00/a",
            " https://api.example/a",
            long.as_str(),
        ] {
            let answer = check(target, "https", "api.example", "/x");
            assert_eq!(answer, Err(ProofFault::TargetMalformed), "{target}");
        }
    }

    #[test]
    fn what_no_uri_holds_matches_nothing_even_if_the_request_holds_it() {
        for path in ["/\u{e4}", "/a b", "/a\u{7f}"] {
            let answer = check(
                &format!("https://a.example{path}"),
                "https",
                "a.example",
                path,
            );
            assert_eq!(answer, Err(ProofFault::TargetMalformed), "{path}");
        }
    }

    #[test]
    fn a_request_of_unknown_scheme_or_host_matches_nothing() {
        let headers: [(&str, &str); 0] = [];
        let view = |scheme, authority| RequestView {
            method: "GET",
            scheme,
            authority,
            raw_path: "/a",
            raw_query: None,
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: &headers,
        };
        let target = "https://api.example/a";
        for (scheme, authority) in [
            (None, Some("api.example")),
            (Some("https"), None),
            (None, None),
            (Some("https"), Some("")),
            (Some("https"), Some("api.example/a")),
            (Some("https"), Some("user@api.example")),
            (Some("ws"), Some("api.example")),
        ] {
            let answer = Origins::OfRequest.check(target, &view(scheme, authority));
            assert_eq!(
                answer,
                Err(ProofFault::TargetUnknown),
                "{scheme:?} {authority:?}"
            );
        }
        // Named origins need neither, and do not look at them.
        let public = Origins::Public(vec![
            Origin::parse("https://www.example").unwrap(),
            Origin::parse("https://API.example:443").unwrap(),
        ]);
        for authority in [None, Some("internal:8080")] {
            assert_eq!(public.check(target, &view(None, authority)), Ok(()));
        }
        assert_eq!(
            public.check(
                "https://internal:8080/a",
                &view(Some("https"), Some("internal:8080"))
            ),
            Err(ProofFault::TargetMismatch)
        );
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_and_nothing_else() {
        for (text, fault) in [
            ("api.example", OriginFault::Scheme),
            ("ftp://api.example", OriginFault::Scheme),
            ("https://", OriginFault::Host),
            ("https://a b", OriginFault::Host),
            ("https://*.example", OriginFault::Host),
            ("https://user@api.example", OriginFault::Host),
            ("https://api.example:99999", OriginFault::Port),
            ("https://api.example/", OriginFault::Path),
            ("https://api.example?x", OriginFault::Path),
        ] {
            assert_eq!(Origin::parse(text), Err(fault), "{text}");
        }
    }
}
