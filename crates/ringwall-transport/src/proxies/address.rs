//! Addresses as entries of forwarding fields spell them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest zone in bytes: the kernels' names of interfaces have 15, and URLs escape some of theirs.
const MAX_ZONE: usize = 32;

/// `192.0.2.1`. Leading zeros are refused: some readers take them for octal.
pub(super) fn v4(text: &str) -> Option<IpAddr> {
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

/// `2001:db8::1`, or a link-local address with a zone, `fe80::1%eth0`. An IPv4-mapped address is the
/// IPv4 address.
pub(super) fn v6(text: &str) -> Option<IpAddr> {
    let (text, zone) = match text.split_once('%') {
        None => (text, None),
        Some((text, zone)) => (text, Some(zone)),
    };
    let address: Ipv6Addr = text.parse().ok()?;
    match zone {
        Some(zone) if !(address.is_unicast_link_local() && is_zone(zone)) => None,
        // Nobody outside its link can tell the interfaces of a host apart, so neither do we.
        Some(_) | None => Some(IpAddr::V6(address).to_canonical()),
    }
}

/// Splits `[2001:db8::1]:443` into the address and what follows the bracket.
pub(super) fn bracketed(text: &str) -> Option<(IpAddr, &str)> {
    let (inner, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((v6(inner)?, rest))
}

/// Whether `text` is a port: digits up to 65535, without leading zeros.
pub(super) fn is_port(text: &str) -> bool {
    let is_one_spelling = text == "0" || !text.starts_with(['0', '+']);
    is_one_spelling && text.parse::<u16>().is_ok()
}

/// RFC 6874 §2: unreserved characters, and `%` for those that a URL escapes.
fn is_zone(text: &str) -> bool {
    (1..=MAX_ZONE).contains(&text.len())
        && text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%')
        })
}
