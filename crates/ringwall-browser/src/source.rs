//! From where a page may load something.

use core::fmt;
use core::str::FromStr as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

use crate::error::Error;
use crate::pattern::OriginPattern;

/// From where a page may load something, or what may stand in it: one entry of a directive.
///
/// Each is made of something that was parsed, so that no text can end the entry and begin another
/// directive. There is none for `'unsafe-inline'` and `'unsafe-eval'`: those are methods of the
/// [builder](crate::ContentSecurityPolicyBuilder) that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SelfOrigin,
    Origin(OriginPattern),
    WebSocket(OriginPattern),
    Https,
    Data,
    Blob,
    Hash(Arc<str>),
    Nonce,
    StrictDynamic,
    UnsafeInline,
    UnsafeEval,
    WasmUnsafeEval,
}

impl Source {
    /// `'self'`: the origin of the page.
    #[must_use]
    pub const fn self_origin() -> Self {
        Self(Kind::SelfOrigin)
    }

    /// An origin: `https://cdn.example.com`, or `https://*.example.com`, which in a
    /// Content-Security-Policy is every name below, of any depth.
    ///
    /// There is no source with a path: a redirect gets around it (CSP3 §7.6).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSource`] for everything else, and for hosts that the grammar of the field does not
    /// know: IPv6 addresses, names with an underscore or a dot at their end.
    pub fn origin(text: &str) -> Result<Self, Error> {
        pattern(text).map(|pattern| Self(Kind::Origin(pattern)))
    }

    /// Where a WebSocket may lead: `wss://live.example.com`. For the page's own host
    /// [`self_origin`](Self::self_origin) is enough.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSource`], as [`origin`](Self::origin); also for `ws:`.
    pub fn websocket(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("wss://").ok_or(Error::InvalidSource)?;
        pattern(&format!("https://{rest}")).map(|pattern| Self(Kind::WebSocket(pattern)))
    }

    /// `https:`: any host, as long as it has TLS. [`loosened`](crate::ContentSecurityPolicy::loosened)
    /// reports it, but for images, sounds and fonts.
    #[must_use]
    pub const fn any_https() -> Self {
        Self(Kind::Https)
    }

    /// `data:`, for images, sounds, fonts and `fetch`. Elsewhere it is refused: a script in a `data:`
    /// address is a script in the page.
    #[must_use]
    pub const fn data() -> Self {
        Self(Kind::Data)
    }

    /// `blob:`: what scripts of the page made.
    #[must_use]
    pub const fn blob() -> Self {
        Self(Kind::Blob)
    }

    /// The script or style with this text, whatever brings it: the SHA-256 of what stands between the
    /// tags, byte for byte.
    #[must_use]
    pub fn sha256_of(text: &str) -> Self {
        Self::hash(
            "sha256",
            digest::digest(&digest::SHA256, text.as_bytes()).as_ref(),
        )
    }

    /// The script or style with this SHA-256.
    #[must_use]
    pub fn sha256(hash: [u8; 32]) -> Self {
        Self::hash("sha256", &hash)
    }

    /// The script or style with this SHA-384.
    #[must_use]
    pub fn sha384(hash: [u8; 48]) -> Self {
        Self::hash("sha384", &hash)
    }

    /// The script or style with this SHA-512.
    #[must_use]
    pub fn sha512(hash: [u8; 64]) -> Self {
        Self::hash("sha512", &hash)
    }

    /// Scripts or styles that name the answer's [`CspNonce`](crate::CspNonce), which is made for each
    /// answer.
    #[must_use]
    pub const fn nonce() -> Self {
        Self(Kind::Nonce)
    }

    /// `'strict-dynamic'`: what a script with a nonce or a hash loads may run too, and lists of hosts
    /// count for nothing. It needs a nonce or a hash beside it.
    #[must_use]
    pub const fn strict_dynamic() -> Self {
        Self(Kind::StrictDynamic)
    }

    fn hash(name: &str, hash: &[u8]) -> Self {
        let hash = STANDARD.encode(hash);
        Self(Kind::Hash(format!("'{name}-{hash}'").into()))
    }

    pub(crate) const fn new(kind: Kind) -> Self {
        Self(kind)
    }

    pub(crate) const fn kind(&self) -> &Kind {
        &self.0
    }

    /// The host, and whether it stands for all below it.
    pub(crate) fn host(&self) -> Option<(&str, bool)> {
        match &self.0 {
            Kind::Origin(pattern) | Kind::WebSocket(pattern) => {
                Some((pattern.base().host(), pattern.is_wildcard()))
            }
            Kind::SelfOrigin
            | Kind::Https
            | Kind::Data
            | Kind::Blob
            | Kind::Hash(_)
            | Kind::Nonce
            | Kind::StrictDynamic
            | Kind::UnsafeInline
            | Kind::UnsafeEval
            | Kind::WasmUnsafeEval => None,
        }
    }

    /// Whether what comes from there comes without TLS.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(&self.0, Kind::Origin(pattern) if !pattern.base().is_secure())
    }
}

/// A host as the grammar of the field knows it (CSP3 §2.3.1, `host-source`). What it does not know,
/// browsers ignore with a line in a console that nobody reads.
fn pattern(text: &str) -> Result<OriginPattern, Error> {
    let pattern = OriginPattern::from_str(text).map_err(|_| Error::InvalidSource)?;
    let is_known = pattern.base().host().split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if is_known {
        Ok(pattern)
    } else {
        Err(Error::InvalidSource)
    }
}

impl fmt::Display for Source {
    /// As it is sent, but for a nonce, which has its value from the answer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::SelfOrigin => f.write_str("'self'"),
            Kind::Origin(pattern) => pattern.fmt(f),
            Kind::WebSocket(pattern) => {
                let text = pattern.to_string();
                write!(f, "wss{}", text.strip_prefix("https").unwrap_or_default())
            }
            Kind::Https => f.write_str("https:"),
            Kind::Data => f.write_str("data:"),
            Kind::Blob => f.write_str("blob:"),
            Kind::Hash(text) => f.write_str(text),
            Kind::Nonce => f.write_str("'nonce-'"),
            Kind::StrictDynamic => f.write_str("'strict-dynamic'"),
            Kind::UnsafeInline => f.write_str("'unsafe-inline'"),
            Kind::UnsafeEval => f.write_str("'unsafe-eval'"),
            Kind::WasmUnsafeEval => f.write_str("'wasm-unsafe-eval'"),
        }
    }
}
