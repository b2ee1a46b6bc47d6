//! DNS names of callers.

use core::fmt;

use super::IdentityError;

/// The DNS name of one host, as the certificate of a client has it.
///
/// 1 to 253 bytes; labels of 1 to 63 ASCII letters, digits and inner hyphens, in lower case
/// (internationalised names in their `xn--` form); no wildcard, no trailing dot, and the last label is
/// not a number, since `10.0.0.1` is no name. Names are compared without case (RFC 4343), so upper-case
/// letters become lower-case ones here, once.
///
/// A wildcard says for which hosts a *server* may answer. As the name of a caller it would be all of
/// them at once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(Box<str>);

impl DnsName {
    /// The longest permitted name in bytes (RFC 1035 §2.3.4, as text).
    pub const MAX_BYTES: usize = 253;

    /// The longest permitted label in bytes (RFC 1035 §2.3.4).
    const MAX_LABEL_BYTES: usize = 63;

    /// Checks `text` once; from here on the type vouches for it.
    ///
    /// # Errors
    ///
    /// [`IdentityError::DnsName`].
    pub fn new(text: &str) -> Result<Self, IdentityError> {
        let last = text.rsplit('.').next().unwrap_or_default();
        if text.len() > Self::MAX_BYTES
            || !text.split('.').all(is_label)
            || last.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(IdentityError::DnsName);
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    /// The name, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_label(label: &str) -> bool {
    let is_listed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    !label.is_empty()
        && label.len() <= DnsName::MAX_LABEL_BYTES
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(is_listed)
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
