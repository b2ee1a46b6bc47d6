//! What is known of a key.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use ipnet::IpNet;
use ringwall_browser::OriginPattern;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Scope, Subject, Tenant};

use super::digest::SecretDigest;
use super::id::ApiKeyId;

/// The most scopes, networks and origins of one key, each.
pub const MAX_API_KEY_ENTRIES: usize = 64;

/// What a person called a key: 1 to 128 bytes without control or direction-turning characters. It
/// names nothing to a machine, and two keys may have the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ApiKeyName(Box<str>);

/// The text cannot be the name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name of a key is 1 to 128 bytes of printable text")]
pub struct InvalidApiKeyName;

impl ApiKeyName {
    /// Checks `text` once.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeyName`].
    pub fn new(text: &str) -> Result<Self, InvalidApiKeyName> {
        // A subject has the same alphabet, for the same reason: it stands in log lines.
        if text.len() <= 128 && Subject::new(text).is_ok() {
            Ok(Self(text.into()))
        } else {
            Err(InvalidApiKeyName)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for ApiKeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Addresses that a key may be used from: a network such as `192.0.2.0/24`, `2001:db8::/32`, or one
/// address.
///
/// An IPv4 address in an IPv6 socket (`::ffff:192.0.2.1`) is that IPv4 address. A network written with
/// bits behind its prefix (`192.0.2.1/24`) is refused: whoever wrote it may have meant one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllowedNetwork(IpNet);

/// The text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a network is an address, or an address and a prefix length with no bits set behind it, such as 192.0.2.0/24"
)]
pub struct InvalidNetwork;

impl AllowedNetwork {
    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for AllowedNetwork {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        // The standard library's parser, which refuses leading zeros: some read `010.0.0.0` as octal.
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        if address.to_canonical() != address {
            return Err(InvalidNetwork); // an IPv4 network in IPv6 clothes would never match
        }
        let Some(length) = length else {
            return Ok(Self(IpNet::from(address)));
        };
        let is_plain = (1..=3).contains(&length.len())
            && length.bytes().all(|byte| byte.is_ascii_digit())
            && (length == "0" || !length.starts_with('0'));
        if !is_plain {
            return Err(InvalidNetwork);
        }
        let length = length.parse().map_err(|_| InvalidNetwork)?;
        let net = IpNet::new(address, length).map_err(|_| InvalidNetwork)?;
        if net.network() != address {
            return Err(InvalidNetwork);
        }
        Ok(Self(net))
    }
}

impl fmt::Display for AllowedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// All that is stored of one key. The key itself is not among it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// The public part, by which it is found.
    pub id: ApiKeyId,
    /// What a person called it.
    pub name: ApiKeyName,
    /// Whose data it reaches. Without a project, the organisation's.
    pub tenant: Tenant,
    /// What it may do: exactly these, and nothing when there are none.
    pub scopes: Vec<Scope>,
    /// Who made it.
    pub created_by: Subject,
    /// When.
    pub created_at: Timestamp,
    /// From when on it is refused; `None` when it has no end.
    pub expires_at: Option<Timestamp>,
    /// From where it may be used; everywhere when there are none. An unknown address is nowhere.
    pub networks: Vec<AllowedNetwork>,
    /// On which pages it may be used; everywhere, also outside browsers, when there are none. With
    /// some, a request without an `Origin` is refused.
    pub origins: Vec<OriginPattern>,
    /// What is stored of its secret.
    pub digest: SecretDigest,
    /// When it was used last, as far as that was written down yet: some minutes late.
    pub last_used_at: Option<Timestamp>,
    /// When it was taken back. It stays in the store, refused, so that its id keeps its meaning.
    pub revoked_at: Option<Timestamp>,
    /// The key that replaced it, and until when this one is accepted beside it.
    pub replaced: Option<Replaced>,
}

/// A key that was rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// The key that took its place.
    pub by: ApiKeyId,
    /// From when on the old one is refused.
    pub grace_ends_at: Timestamp,
}

impl ApiKeyRecord {
    /// What keeps the key from being accepted at `now`, if anything does.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ApiKeyState {
        if self.revoked_at.is_some() {
            return ApiKeyState::Revoked;
        }
        if self.expires_at.is_some_and(|end| now >= end) {
            return ApiKeyState::Expired;
        }
        match &self.replaced {
            Some(replaced) if now >= replaced.grace_ends_at => ApiKeyState::Rotated,
            Some(_) => ApiKeyState::InGrace,
            None => ApiKeyState::Active,
        }
    }

    /// Whether it is accepted whenever and from wherever it is used, as things stand.
    pub(crate) fn is_unconditional(&self) -> bool {
        self.revoked_at.is_none()
            && self.ends_at().is_none()
            && self.networks.is_empty()
            && self.origins.is_empty()
    }

    /// From when on the key is refused, as things stand.
    #[must_use]
    pub fn ends_at(&self) -> Option<Timestamp> {
        let grace = self
            .replaced
            .as_ref()
            .map(|replaced| replaced.grace_ends_at);
        match (self.expires_at, grace) {
            (Some(expiry), Some(grace)) => Some(expiry.min(grace)),
            (one, other) => one.or(other),
        }
    }
}

/// Whether a key is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApiKeyState {
    /// It is.
    Active,
    /// It is still, beside the one that replaced it.
    InGrace,
    /// It was replaced, and its grace is over.
    Rotated,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl ApiKeyState {
    /// The stable lower-case name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::InGrace => "in_grace",
            Self::Rotated => "rotated",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether a key in this state is accepted.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Active | Self::InGrace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_41_an_ipv4_address_in_an_ipv6_socket_is_that_ipv4_address() {
        let network: AllowedNetwork = "192.0.2.0/24".parse().unwrap();
        assert!(network.contains("192.0.2.7".parse().unwrap()));
        assert!(network.contains("::ffff:192.0.2.7".parse().unwrap()));
        assert!(!network.contains("192.0.3.7".parse().unwrap()));
        assert!(!network.contains("::ffff:192.0.3.7".parse().unwrap()));
        assert!(!network.contains("::192.0.2.7".parse().unwrap()));
        assert!(!network.contains("64:ff9b::192.0.2.7".parse().unwrap()));
        let network: AllowedNetwork = "2001:db8::/32".parse().unwrap();
        assert!(network.contains("2001:db8:ffff::1".parse().unwrap()));
        assert!(!network.contains("2001:db9::1".parse().unwrap()));
    }

    #[test]
    fn a_network_is_written_in_one_way() {
        for text in [
            "",
            "/",
            "192.0.2.0/",
            "192.0.2.0/33",
            "192.0.2.1/24",
            "192.0.2.0/024",
            "192.0.2.0/+24",
            "192.0.2.0/24 ",
            " 192.0.2.0/24",
            "010.0.0.0/8",
            "10.0.0/8",
            "10/8",
            "0x0a.0.0.0/8",
            "::ffff:192.0.2.0/120",
            "2001:db8::1/32",
            "2001:db8::/129",
            "fe80::1%eth0",
            "*",
            "example.com",
        ] {
            assert_eq!(
                text.parse::<AllowedNetwork>(),
                Err(InvalidNetwork),
                "{text:?}"
            );
        }
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1/32"),
            ("::1", "::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(text.parse::<AllowedNetwork>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn a_name_is_printable() {
        for text in ["", "a\nb", "\u{202e}", &"x".repeat(129)] {
            assert!(ApiKeyName::new(text).is_err(), "{text:?}");
        }
        assert_eq!(ApiKeyName::new("Zoë's key").unwrap().as_str(), "Zoë's key");
    }
}
