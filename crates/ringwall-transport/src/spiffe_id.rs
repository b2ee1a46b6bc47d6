//! SPIFFE ids.

use core::fmt;

use crate::certificate::IdentityError;

/// A SPIFFE trust domain (SPIFFE-ID §2.1), such as `prod.example`: whose roots vouch for an id.
///
/// 1 to 255 bytes of `a-z`, `0-9`, `.`, `-` and `_`. The standard compares trust domains without case
/// and lets a certificate carry lower-case letters alone, so there is one spelling and it is compared
/// byte for byte.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Box<str>);

impl TrustDomain {
    /// The longest permitted name in bytes (SPIFFE-ID §2.3).
    pub const MAX_BYTES: usize = 255;

    /// Checks `text` once; from here on the type vouches for it.
    ///
    /// # Errors
    ///
    /// [`IdentityError::TrustDomain`].
    pub fn new(text: &str) -> Result<Self, IdentityError> {
        if is_trust_domain(text) {
            Ok(Self(text.into()))
        } else {
            Err(IdentityError::TrustDomain)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_trust_domain(text: &str) -> bool {
    let is_listed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
    !text.is_empty() && text.len() <= TrustDomain::MAX_BYTES && text.bytes().all(is_listed)
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The SPIFFE id of a workload (SPIFFE-ID §2), such as `spiffe://prod.example/payments/api`.
///
/// `spiffe://`, a trust domain, and a path of at least one segment; at most 2048 bytes. A segment is
/// made of ASCII letters, digits, `.`, `-` and `_`, and is neither empty nor `.` nor `..`. So there is
/// no port, no user, no query, no fragment, no percent-encoding and no trailing slash: nothing that
/// two readers could read differently. The id of a trust domain itself has no path and names no
/// workload; it is refused. Compared byte for byte.
///
/// ```
/// use ringwall_transport::SpiffeId;
///
/// let id = SpiffeId::new("spiffe://prod.example/payments/api")?;
/// assert_eq!(id.trust_domain(), "prod.example");
/// assert_eq!(id.path(), "/payments/api");
/// assert!(SpiffeId::new("spiffe://prod.example").is_err());
/// assert!(SpiffeId::new("spiffe://prod.example/payments/../admin").is_err());
/// # Ok::<(), ringwall_transport::IdentityError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: Box<str>,
    /// Where the path begins. At a character, since everything before it is ASCII.
    path_at: usize,
}

/// The scheme and what follows it, in the one spelling that a certificate may have.
const SCHEME: &str = "spiffe://";

impl SpiffeId {
    /// The longest permitted id in bytes (SPIFFE-ID §2.3).
    pub const MAX_BYTES: usize = 2048;

    /// Checks `text` once; from here on the type vouches for it.
    ///
    /// # Errors
    ///
    /// [`IdentityError::SpiffeId`].
    pub fn new(text: &str) -> Result<Self, IdentityError> {
        if text.len() > Self::MAX_BYTES {
            return Err(IdentityError::SpiffeId);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(IdentityError::SpiffeId)?;
        let (domain, path) = rest.split_once('/').ok_or(IdentityError::SpiffeId)?;
        if !is_trust_domain(domain) || !path.split('/').all(is_segment) {
            return Err(IdentityError::SpiffeId);
        }
        Ok(Self {
            text: text.into(),
            path_at: SCHEME.len().saturating_add(domain.len()),
        })
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The trust domain: whose roots must have vouched for it.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.text
            .get(SCHEME.len()..self.path_at)
            .unwrap_or_default()
    }

    /// The path, with its leading slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path_at..).unwrap_or_default()
    }
}

fn is_segment(segment: &str) -> bool {
    let is_listed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_listed)
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
