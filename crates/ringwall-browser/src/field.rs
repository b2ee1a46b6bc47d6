//! The header fields that are set here.

use core::fmt;
use core::str::FromStr;

use crate::error::Error;

/// The header fields of an answer, in whatever way a framework keeps them: what an adapter implements so
/// that the same is sent under each.
pub trait ResponseFields {
    /// Calls `visit` with each value of the field `name` (lower case).
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8]));

    /// Takes out each line of the field `name` (lower case).
    fn remove(&mut self, name: &'static str);

    /// Adds a line to the field `name` (lower case). The value is visible ASCII and spaces.
    fn append(&mut self, name: &'static str, value: &str);
}

/// Plain pairs, for tests and for protocols without a header map of their own. Names are compared without
/// case.
impl ResponseFields for Vec<(String, String)> {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for (_, value) in self
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
        {
            visit(value.as_bytes());
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    }

    fn append(&mut self, name: &'static str, value: &str) {
        self.push((name.to_owned(), value.to_owned()));
    }
}

/// A header field that [`SecurityHeaders`](crate::SecurityHeaders) sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SecurityField {
    /// `Strict-Transport-Security`
    StrictTransportSecurity,
    /// `Content-Security-Policy`, and its form that only reports.
    ContentSecurityPolicy,
    /// `Reporting-Endpoints`
    ReportingEndpoints,
    /// `X-Frame-Options`
    FrameOptions,
    /// `X-Content-Type-Options`
    ContentTypeOptions,
    /// `Referrer-Policy`
    ReferrerPolicy,
    /// `Permissions-Policy`
    PermissionsPolicy,
    /// `Cross-Origin-Opener-Policy`
    OpenerPolicy,
    /// `Cross-Origin-Resource-Policy`
    ResourcePolicy,
    /// `Cross-Origin-Embedder-Policy`
    EmbedderPolicy,
}

impl SecurityField {
    /// All of them, in the order in which they are sent.
    pub const ALL: [Self; 10] = [
        Self::StrictTransportSecurity,
        Self::ContentSecurityPolicy,
        Self::ReportingEndpoints,
        Self::FrameOptions,
        Self::ContentTypeOptions,
        Self::ReferrerPolicy,
        Self::PermissionsPolicy,
        Self::OpenerPolicy,
        Self::ResourcePolicy,
        Self::EmbedderPolicy,
    ];

    /// The name in lower case, as HTTP/2 wants it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StrictTransportSecurity => "strict-transport-security",
            Self::ContentSecurityPolicy => "content-security-policy",
            Self::ReportingEndpoints => "reporting-endpoints",
            Self::FrameOptions => "x-frame-options",
            Self::ContentTypeOptions => "x-content-type-options",
            Self::ReferrerPolicy => "referrer-policy",
            Self::PermissionsPolicy => "permissions-policy",
            Self::OpenerPolicy => "cross-origin-opener-policy",
            Self::ResourcePolicy => "cross-origin-resource-policy",
            Self::EmbedderPolicy => "cross-origin-embedder-policy",
        }
    }
}

impl fmt::Display for SecurityField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SecurityField {
    type Err = Error;

    /// Reads a name in any case of letters.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|field| field.as_str().eq_ignore_ascii_case(text))
            .ok_or(Error::UnknownField)
    }
}

/// Whether the bytes are a token (RFC 9110 §5.6.2), which a field's name and a method are.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| {
            byte.is_ascii_alphanumeric()
                || matches!(
                    byte,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                )
        })
}
