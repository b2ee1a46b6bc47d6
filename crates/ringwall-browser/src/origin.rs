//! The origin of a page.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use url::{Host, Url};

use crate::error::Error;

/// The longest origin, in bytes: the scheme, a name of 253 bytes with a dot at its end (RFC 1035
/// §2.3.4), and a port.
pub(crate) const MAX_ORIGIN: usize = 8 + 254 + 6;

/// The longest text that is read as an origin, in bytes: a name in Unicode may become shorter.
const MAX_TEXT: usize = 1024;

/// The origin of a page: scheme, host and port, in the one form that browsers send (RFC 6454 §6.2;
/// the HTML standard's "serialization of an origin").
///
/// It is `https` or `http`. The host is in lower case, a name outside ASCII in Punycode, and the port
/// is left out where it is the scheme's own. Two origins are the same if and only if their texts are.
/// `null`, which browsers send for pages that have no origin of their own (a sandboxed frame, a file), is
/// none: it would stand for everybody. Schemes of apps (`capacitor:`, `chrome-extension:`) are none
/// either.
///
/// Cloning shares the text.
///
/// ```
/// use ringwall_browser::Origin;
///
/// let origin: Origin = "https://Bücher.example:443".parse()?;
/// assert_eq!(origin.as_str(), "https://xn--bcher-kva.example");
/// assert!("null".parse::<Origin>().is_err());
/// assert!("https://example.com/".parse::<Origin>().is_err());
/// # Ok::<(), ringwall_browser::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    text: Arc<str>,
    host: Arc<str>,
    kind: HostKind,
    port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HostKind {
    Name,
    Address { loopback: bool },
}

impl Origin {
    /// Reads what a client sent as its `Origin` (or as an address to come back to): it must be in the
    /// form that browsers send, byte for byte.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidOrigin`] for everything else, `null` included.
    pub fn received(value: &[u8]) -> Result<Self, Error> {
        if value.len() > MAX_ORIGIN {
            return Err(Error::InvalidOrigin);
        }
        let text = core::str::from_utf8(value).map_err(|_| Error::InvalidOrigin)?;
        let origin: Self = text.parse()?;
        if origin.as_str() == text {
            Ok(origin)
        } else {
            Err(Error::InvalidOrigin)
        }
    }

    /// The form that browsers send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `https` or `http`.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.is_secure() { "https" } else { "http" }
    }

    /// The host: a name, or an address (IPv6 in brackets).
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where the text leaves it out.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether the host is this machine: `localhost`, a name below it (browsers resolve those
    /// themselves), or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self.kind {
            HostKind::Address { loopback } => loopback,
            HostKind::Name => self.host() == "localhost" || self.host().ends_with(".localhost"),
        }
    }

    pub(crate) const fn kind(&self) -> HostKind {
        self.kind
    }

    pub(crate) const fn shared(&self) -> &Arc<str> {
        &self.text
    }
}

/// What a URL parser would drop, or take for the end of the host.
fn is_outside(character: char) -> bool {
    character.is_control()
        || character.is_whitespace()
        || matches!(character, '/' | '\\' | '?' | '#' | '@' | '%' | '*')
}

impl FromStr for Origin {
    type Err = Error;

    /// Reads an origin as a person writes it: in any case of letters, in Unicode, with the port that
    /// goes without saying. A path is refused, also a single slash: an origin is not a URL, and whoever
    /// writes one may expect it to be a limit.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (scheme, authority) = text.split_once("://").ok_or(Error::InvalidOrigin)?;
        // A URL parser would drop a space in front and a tab anywhere.
        let is_known = ["https", "http"]
            .into_iter()
            .any(|known| known.eq_ignore_ascii_case(scheme));
        let has_more = authority.contains(is_outside) || authority.ends_with(':');
        if text.len() > MAX_TEXT || !is_known || has_more {
            return Err(Error::InvalidOrigin);
        }
        let url = Url::parse(text).map_err(|_| Error::InvalidOrigin)?;
        let (kind, host) = match url.host().ok_or(Error::InvalidOrigin)? {
            Host::Domain(name) => (HostKind::Name, name.to_owned()),
            Host::Ipv4(address) => (loopback(address.is_loopback()), address.to_string()),
            Host::Ipv6(address) => (loopback(address.is_loopback()), format!("[{address}]")),
        };
        let text = url.origin().ascii_serialization();
        let is_long = host.split('.').any(|label| label.len() > MAX_LABEL);
        let is_name = kind != HostKind::Name || host.bytes().all(is_name_byte);
        if text.len() > MAX_ORIGIN || is_long || !is_name {
            return Err(Error::InvalidOrigin);
        }
        Ok(Self {
            text: text.into(),
            host: host.into(),
            kind,
            port: url.port_or_known_default().ok_or(Error::InvalidOrigin)?,
        })
    }
}

/// What names of hosts are made of, and underscores, which some have. A URL parser lets quotes, commas
/// and semicolons pass, which would end the entry of a policy that an origin is put into.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// The longest label of a name, in bytes (RFC 1035 §2.3.4).
pub(crate) const MAX_LABEL: usize = 63;

const fn loopback(loopback: bool) -> HostKind {
    HostKind::Address { loopback }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({:?})", self.as_str())
    }
}
