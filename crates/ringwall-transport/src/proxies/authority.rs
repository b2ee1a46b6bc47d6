//! Hosts as proxies say them.

use core::net::Ipv6Addr;

use super::address;

/// The longest name of a host, in bytes (RFC 1035 §2.3.4).
const MAX_NAME: usize = 253;

/// `host` or `host:port`, where the host is a name, an IPv4 address or an IPv6 address in brackets.
///
/// Only the characters of names may stand in it: whoever copies it into a URL, a header field or a page
/// can be made to write something else otherwise (`a@b`, `a/b`, a line break).
pub(super) fn authority(text: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(text).ok()?;
    let (is_host, rest) = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, rest) = rest.split_once(']')?;
            (inner.parse::<Ipv6Addr>().is_ok(), rest)
        }
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (name, rest) = text.split_at_checked(end)?;
            (is_name(name), rest)
        }
    };
    let is_port = rest.is_empty() || rest.strip_prefix(':').is_some_and(address::is_port);
    (is_host && is_port).then_some(text)
}

/// A dot at the end is permitted: it says that the name is complete.
fn is_name(text: &str) -> bool {
    let labels = text.strip_suffix('.').unwrap_or(text);
    text.len() <= MAX_NAME
        && labels.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}
