//! Where documents are fetched from.

use core::fmt;
use core::net::IpAddr;

use ringwall_core::profile::Profile;
use url::{Host, Url};

/// The URL of a document, checked once: `https` without user, password and fragment, at most
/// 2,048 bytes. In the development profile also `http` to this machine (`localhost`, 127.0.0.0/8,
/// `[::1]`). Written as RFC 3986 has it: two slashes before the host, and no backslash anywhere.
///
/// Whether the *addresses* behind a name may be asked is decided by the fetcher, after the name was
/// resolved and for the very address that it connects to.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: Url,
    profile: Profile,
}

/// Why a text is not an acceptable URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not an absolute URL of a host, or longer than 2,048 bytes.
    #[error("it is not an absolute URL with a host, of at most 2048 bytes")]
    Malformed,
    /// Neither `https` nor, in development, `http` to this machine.
    #[error("it is not https (http is for this machine, in the development profile)")]
    Scheme,
    /// It holds a user or a password, which would end up in logs.
    #[error("it holds a user or a password")]
    UserInfo,
    /// It holds a fragment, which is never sent.
    #[error("it holds a fragment")]
    Fragment,
    /// It holds a query, which an issuer must not have (RFC 8414 §2).
    #[error("an issuer has no query")]
    Query,
}

impl Endpoint {
    /// The longest URL in bytes.
    pub const MAX_BYTES: usize = 2048;

    /// Checks `text`.
    ///
    /// # Errors
    ///
    /// [`EndpointError`].
    pub fn new(text: &str, profile: Profile) -> Result<Self, EndpointError> {
        if text.len() > Self::MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            // Before the parser, which drops tabs and line breaks in silence.
            return Err(EndpointError::Malformed);
        }
        let url = Url::parse(text).map_err(|_| EndpointError::Malformed)?;
        if url.host().is_none() || !names_its_host_plainly(text, &url) {
            return Err(EndpointError::Malformed);
        }
        let endpoint = Self { url, profile };
        match endpoint.url.scheme() {
            "https" => {}
            "http" if profile.is_development() && endpoint.is_this_machine() => {}
            _ => return Err(EndpointError::Scheme),
        }
        if !endpoint.url.username().is_empty() || endpoint.url.password().is_some() {
            return Err(EndpointError::UserInfo);
        }
        if endpoint.url.fragment().is_some() {
            return Err(EndpointError::Fragment);
        }
        Ok(endpoint)
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// The host when it is written as an address, in whatever notation.
    #[must_use]
    pub fn literal_address(&self) -> Option<IpAddr> {
        match self.url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) | None => None,
        }
    }

    /// Whether the host is this machine by its name: `localhost` or a loopback address.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        match self.url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// The profile under which it was accepted.
    #[must_use]
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    #[cfg(feature = "http")]
    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }
}

/// The parser is that of browsers (WHATWG), which takes a backslash for a slash and any number of
/// slashes for two. Where it finds a host, RFC 3986 may see none or another one, and so would people
/// and proxies; nor could a path be inserted behind the host by text (RFC 8414 §3.1).
fn names_its_host_plainly(text: &str, url: &Url) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    scheme.eq_ignore_ascii_case(url.scheme()) && !rest.starts_with('/') && !text.contains('\\')
}

/// Without its query, which some providers fill with identifiers.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        shown.set_query(None);
        write!(f, "Endpoint({shown})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_https() {
        let long = format!("https://a.example/{}", "x".repeat(2048));
        for (text, error) in [
            ("", EndpointError::Malformed),
            ("issuer.example/jwks", EndpointError::Malformed),
            ("https://", EndpointError::Malformed),
            ("https://a.example/\tjwks", EndpointError::Malformed),
            (" https://a.example", EndpointError::Malformed),
            ("https://ä.example", EndpointError::Malformed),
            // Hosts that only a browser's parser sees there.
            ("https:a.example/jwks", EndpointError::Malformed),
            ("https:/a.example/jwks", EndpointError::Malformed),
            ("https:///a.example/jwks", EndpointError::Malformed),
            ("https:////a.example/jwks", EndpointError::Malformed),
            ("https:\\\\a.example/jwks", EndpointError::Malformed),
            ("https://\\a.example/jwks", EndpointError::Malformed),
            ("https://a.example\\@b.example/", EndpointError::Malformed),
            ("https:a://b.example/", EndpointError::Malformed),
            (&long, EndpointError::Malformed),
            ("http://a.example/jwks", EndpointError::Scheme),
            ("http://127.0.0.1/jwks", EndpointError::Scheme),
            ("ftp://a.example/jwks", EndpointError::Scheme),
            ("file://localhost/etc/passwd", EndpointError::Malformed),
            ("https://u@a.example/", EndpointError::UserInfo),
            ("https://:p@a.example/", EndpointError::UserInfo),
            ("https://a.example/#x", EndpointError::Fragment),
        ] {
            assert_eq!(
                Endpoint::new(text, Profile::Production),
                Err(error),
                "{text}"
            );
        }
        assert!(Endpoint::new("https://a.example:8443/jwks?x=1", Profile::Production).is_ok());
    }

    #[test]
    fn in_development_plain_http_reaches_this_machine_alone() {
        for good in [
            "http://localhost:1/jwks",
            "http://127.8.9.1/",
            "http://[::1]:9/",
            "http://2130706433/",
        ] {
            let endpoint = Endpoint::new(good, Profile::Development);
            assert!(endpoint.is_ok_and(|url| url.is_this_machine()), "{good}");
        }
        for bad in [
            "http://localhost.example/",
            "http://127.0.0.1.example/",
            "http://10.0.0.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
        ] {
            assert_eq!(
                Endpoint::new(bad, Profile::Development),
                Err(EndpointError::Scheme),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_address_is_seen_in_every_notation() {
        for (text, address) in [
            ("https://0x7f.1/", "127.0.0.1"),
            ("https://0251.0376.0251.0376/", "169.254.169.254"),
            ("https://[::ffff:10.0.0.1]/", "::ffff:10.0.0.1"),
        ] {
            let endpoint = Endpoint::new(text, Profile::Production).expect(text);
            assert_eq!(endpoint.literal_address(), address.parse().ok(), "{text}");
        }
    }

    #[test]
    fn a_query_is_not_shown() {
        let endpoint = Endpoint::new("https://a.example/jwks?key=secret", Profile::Production);
        assert!(!format!("{endpoint:?}").contains("secret"));
    }
}
