//! URLs as metadata names them.

use core::net::{Ipv4Addr, Ipv6Addr};

use ringwall_core::profile::Profile;

/// The longest URL in bytes. Clients and proxies cut off longer ones.
const MAX_URL_BYTES: usize = 2048;

/// The longest host in bytes (RFC 1035 §2.3.4).
const MAX_HOST_BYTES: usize = 253;

/// An absolute URL that was taken apart (RFC 3986 §3): `https`, or in the development profile `http`
/// to a loopback address. It has exactly one spelling as far as its origin goes, because clients
/// compare identifiers code point by code point (RFC 9728 §6) after their URL parsers normalised
/// what they were given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Url<'a> {
    /// Scheme and authority: `https://api.example.com:8443`.
    pub(crate) origin: &'a str,
    /// Empty, or with a leading slash.
    pub(crate) path: &'a str,
    pub(crate) query: Option<&'a str>,
    pub(crate) fragment: Option<&'a str>,
}

/// Why a text is not a URL that metadata may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlFault {
    /// It is empty or longer than 2048 bytes.
    #[error("it is empty or longer than 2048 bytes")]
    Length,
    /// It holds a character that a URL cannot have (RFC 3986 §2), or a `%` without two digits.
    #[error("it holds a character that a URL cannot have")]
    Character,
    /// It does not begin with `https://`; `http://` is for loopback addresses in the development
    /// profile.
    #[error("it does not begin with https:// (http:// is for loopback in development)")]
    Scheme,
    /// The host is missing, is not in lower case, or is no name or address.
    #[error("its host is missing, not in lower case, or no name or address")]
    Host,
    /// The port is not a number, or the scheme's own, which clients leave out.
    #[error("its port is not a number, or the scheme's own, which clients leave out")]
    Port,
    /// It names a user, which is how a host is hidden from a reader.
    #[error("it names a user before the host")]
    User,
    /// It has a query where none may be.
    #[error("it has a query")]
    Query,
    /// It has a fragment where none may be.
    #[error("it has a fragment")]
    Fragment,
    /// The path has an empty segment, a `.` or `..`, or is percent-encoded, so that it can be
    /// spelt and read in several ways.
    #[error("its path has an empty or a dot segment, or is percent-encoded")]
    Path,
}

impl<'a> Url<'a> {
    pub(crate) fn parse(text: &'a str, profile: Profile) -> Result<Self, UrlFault> {
        if text.is_empty() || text.len() > MAX_URL_BYTES {
            return Err(UrlFault::Length);
        }
        if !text.bytes().all(is_url_byte) || !has_whole_escapes(text) {
            return Err(UrlFault::Character);
        }
        let (rest, is_secure) = match (text.strip_prefix("https://"), text.strip_prefix("http://"))
        {
            (Some(rest), _) => (rest, true),
            (None, Some(rest)) if profile.is_development() => (rest, false),
            (None, _) => return Err(UrlFault::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).ok_or(UrlFault::Host)?;
        let is_loopback = check_authority(authority, is_secure)?;
        if !is_secure && !is_loopback {
            return Err(UrlFault::Scheme);
        }
        let origin = text.strip_suffix(tail).ok_or(UrlFault::Host)?;
        let (tail, fragment) = cut(tail, '#');
        let (path, query) = cut(tail, '?');
        Ok(Self {
            origin,
            path,
            query,
            fragment,
        })
    }

    /// Refuses a query and a fragment.
    pub(crate) fn without_query(self) -> Result<Self, UrlFault> {
        match (self.query, self.fragment) {
            (_, Some(_)) => Err(UrlFault::Fragment),
            (Some(_), None) => Err(UrlFault::Query),
            (None, None) => Ok(self),
        }
    }

    /// Refuses a path that is not the one spelling of itself. A slash at its end is permitted.
    pub(crate) fn with_plain_path(self) -> Result<Self, UrlFault> {
        let path = self.path.strip_suffix('/').unwrap_or(self.path);
        let is_plain = |segment: &str| !matches!(segment, "" | "." | "..");
        if path.contains('%') || !path.split('/').skip(1).all(is_plain) {
            return Err(UrlFault::Path);
        }
        Ok(self)
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// Whether the authority is a loopback address.
fn check_authority(authority: &str, is_secure: bool) -> Result<bool, UrlFault> {
    if authority.contains('@') {
        return Err(UrlFault::User);
    }
    if let Some(rest) = authority.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or(UrlFault::Host)?;
        check_port(port, is_secure)?;
        let parsed: Ipv6Addr = address.parse().map_err(|_| UrlFault::Host)?;
        // RFC 5952: one spelling of each address.
        if parsed.to_string() != address {
            return Err(UrlFault::Host);
        }
        return Ok(parsed.is_loopback());
    }
    let colon = authority.find(':').unwrap_or(authority.len());
    let (host, port) = authority.split_at_checked(colon).ok_or(UrlFault::Host)?;
    check_port(port, is_secure)?;
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(address.is_loopback());
    }
    let is_label = |label: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // WHATWG URL §3.5: a host whose last label is a number is an IPv4 address in one of its odd
    // spellings, or nothing.
    let is_number = host.rsplit('.').next().is_some_and(|label| {
        label.starts_with("0x") || label.bytes().all(|byte| byte.is_ascii_digit())
    });
    if host.len() > MAX_HOST_BYTES || is_number || !host.split('.').all(is_label) {
        return Err(UrlFault::Host);
    }
    Ok(host == "localhost")
}

/// Nothing, or a colon and a number that is not the scheme's own.
fn check_port(text: &str, is_secure: bool) -> Result<(), UrlFault> {
    if text.is_empty() {
        return Ok(());
    }
    let digits = text.strip_prefix(':').ok_or(UrlFault::Port)?;
    let port: u16 = digits.parse().map_err(|_| UrlFault::Port)?;
    let usual = if is_secure { 443 } else { 80 };
    if port == 0 || port == usual || port.to_string() != digits {
        return Err(UrlFault::Port);
    }
    Ok(())
}

/// RFC 3986 §2.2, §2.3: reserved and unreserved characters, and `%`.
const fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'.'
                | b'_'
                | b'~'
                | b':'
                | b'/'
                | b'?'
                | b'#'
                | b'['
                | b']'
                | b'@'
                | b'!'
                | b'$'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b'+'
                | b','
                | b';'
                | b'='
                | b'%'
        )
}

fn has_whole_escapes(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        let mut digits = after.bytes();
        let mut is_digit = || digits.next().is_some_and(|byte| byte.is_ascii_hexdigit());
        is_digit() && is_digit()
    })
}
