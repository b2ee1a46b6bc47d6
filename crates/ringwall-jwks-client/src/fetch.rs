//! The contract between the client and whatever brings documents from afar.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::step::BoxFuture;

use crate::endpoint::Endpoint;

/// Brings one document: a JWK Set or the metadata of an authorization server.
///
/// # Contract
///
/// - One call is one attempt: the client owns time-outs, retries, pauses and the choice of URL, so
///   a fetcher does none of that. The future may be dropped at any time.
/// - [`FetchRequest::max_bytes`] bounds what is kept of an answer; a longer one is an error as
///   soon as that is known, without reading on.
/// - Redirects are not followed: the URL was chosen by the operator or by a document whose issuer
///   was checked, and a redirect would let somebody else choose.
/// - A panic is an attempt that failed, and the next one is made as if nothing had happened.
pub trait JwksFetcher: Send + Sync + fmt::Debug {
    /// Fetches the document at `request.url`.
    ///
    /// # Errors
    ///
    /// [`FetchError`], whatever went wrong: the client keeps the keys it has and tries again.
    fn fetch(&self, request: FetchRequest) -> BoxFuture<Result<Fetched, FetchError>>;
}

/// What to fetch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FetchRequest {
    /// Where the document is.
    pub url: Endpoint,
    /// The longest acceptable body in bytes.
    pub max_bytes: usize,
    /// The version that the client has: if it is still the current one, the answer may be
    /// [`Fetched::NotModified`]. Never sent to another URL than the one it came from.
    pub entity_tag: Option<EntityTag>,
}

impl FetchRequest {
    /// A request without an entity tag.
    #[must_use]
    pub const fn new(url: Endpoint, max_bytes: usize) -> Self {
        Self {
            url,
            max_bytes,
            entity_tag: None,
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// The document.
    Document {
        /// Its bytes, at most [`FetchRequest::max_bytes`]; the client parses them.
        body: Vec<u8>,
        /// How long the server says that it stays fresh (RFC 9111 §5.2.2.1), less the age that it
        /// already has; zero for `no-store` and `no-cache`. `None` when it says nothing.
        max_age: Option<Duration>,
        /// The version (RFC 9110 §8.8.3).
        entity_tag: Option<EntityTag>,
    },
    /// The version that was named in the request is the current one (RFC 9110 §15.4.5). An error
    /// when none was named.
    NotModified {
        /// As for a document.
        max_age: Option<Duration>,
    },
}

/// A version as the server writes it (RFC 9110 §8.8.3), weak or strong: compared by the server
/// alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityTag(Box<str>);

impl EntityTag {
    /// The longest entity tag in bytes. A longer one is not kept, and the next document is fetched
    /// whole.
    pub const MAX_BYTES: usize = 256;

    /// Takes an entity tag over when it is well formed: `"…"` or `W/"…"`, visible ASCII without
    /// quotes.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let opaque = text
            .strip_prefix("W/")
            .unwrap_or(text)
            .strip_prefix('"')?
            .strip_suffix('"')?;
        let is_valid = text.len() <= Self::MAX_BYTES
            && opaque
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b'"');
        is_valid.then(|| Self(text.into()))
    }

    /// The text, quotes included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What kind of fault a fetch met, for metrics and for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchErrorKind {
    /// The name did not resolve, or nobody answered at the address.
    Connect,
    /// Every address of the host is one that must not be asked: private, link-local, loopback.
    AddressRefused,
    /// The certificate was not accepted, or the handshake failed.
    Tls,
    /// The answer did not come in time.
    TimedOut,
    /// The answer has this status.
    Status(u16),
    /// The answer is a redirect, which is not followed.
    Redirected,
    /// The answer says that it is not JSON.
    ContentType,
    /// The answer is compressed, which was not asked for.
    ContentEncoding,
    /// The answer is longer than permitted.
    TooLarge,
    /// The connection broke, or what came is not HTTP.
    Interrupted,
    /// The fetcher panicked.
    Panicked,
    /// Anything else.
    Other,
}

impl FetchErrorKind {
    /// A fixed text for events and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "the host cannot be reached",
            Self::AddressRefused => "the host has no address that may be asked",
            Self::Tls => "the TLS connection was refused",
            Self::TimedOut => "the answer did not come in time",
            Self::Status(_) => "the answer has an unexpected status",
            Self::Redirected => "the answer is a redirect, which is not followed",
            Self::ContentType => "the answer is not JSON by its content type",
            Self::ContentEncoding => "the answer is compressed",
            Self::TooLarge => "the answer is too long",
            Self::Interrupted => "the connection broke",
            Self::Panicked => "the fetcher panicked",
            Self::Other => "the fetch failed",
        }
    }
}

/// Why a document could not be fetched.
#[derive(Clone, Debug)]
pub struct FetchError {
    kind: FetchErrorKind,
    retry_after: Option<Duration>,
    source: Option<Arc<dyn core::error::Error + Send + Sync>>,
}

impl FetchError {
    /// An error of this kind.
    #[must_use]
    pub const fn new(kind: FetchErrorKind) -> Self {
        Self {
            kind,
            retry_after: None,
            source: None,
        }
    }

    /// Keeps the cause, for logs.
    #[must_use]
    pub fn caused_by(mut self, source: impl core::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// The pause that the server asked for (`Retry-After`). The client honours it up to its
    /// longest pause.
    #[must_use]
    pub const fn retry_after(mut self, pause: Duration) -> Self {
        self.retry_after = Some(pause);
        self
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> FetchErrorKind {
        self.kind
    }

    /// The pause that the server asked for.
    #[must_use]
    pub const fn asked_pause(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if let FetchErrorKind::Status(status) = self.kind {
            write!(f, " ({status})")?;
        }
        Ok(())
    }
}

impl core::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        self.source
            .as_deref()
            .map(|source| source as &(dyn core::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_that_could_leave_its_header_line_is_not_kept() {
        for good in [r#""""#, r#""abc""#, r#"W/"1-a""#] {
            assert!(EntityTag::new(good).is_some(), "{good}");
        }
        let long = format!("\"{}\"", "x".repeat(255));
        for bad in [
            "",
            "abc",
            "\"",
            "\"a",
            "a\"",
            "w/\"a\"",
            "\"a\"b\"",
            "\"a b\"",
            "\"a\r\nX: y\"",
            "\"ä\"",
            &long,
        ] {
            assert_eq!(EntityTag::new(bad), None, "{bad:?}");
        }
    }
}
