//! Which origins are meant.

use core::fmt;
use core::str::FromStr;
use std::sync::Arc;

use crate::error::Error;
use crate::origin::{HostKind, MAX_LABEL, Origin};

/// Which origins are meant: one, or all that differ in one label of their host.
///
/// `https://app.example.com` is that origin. `https://*.example.com` is every origin with `https`, the
/// usual port, and a host of exactly one label before `.example.com`: `https://app.example.com`, but not
/// `https://example.com`, `https://a.b.example.com`, `https://evilexample.com`,
/// `https://app.example.com.evil.test`, `http://app.example.com` or `https://app.example.com:8443`.
///
/// At least two labels follow the wildcard. That keeps `https://*.com` out, and not `https://*.co.uk` or
/// `https://*.github.io`: there is no list of the names under which strangers register theirs here, since
/// it would be out of date. A wildcard trusts each name below it, also the one whose server was given back
/// last year; where a list will do, write the list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OriginPattern {
    /// For a wildcard, the origin without the wildcard's label.
    base: Origin,
    wildcard: bool,
}

impl OriginPattern {
    /// The pattern for one origin.
    #[must_use]
    pub const fn exact(origin: Origin) -> Self {
        Self {
            base: origin,
            wildcard: false,
        }
    }

    /// Whether `origin` is meant.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        self.accepts(origin.as_str().as_bytes())
    }

    /// Whether the pattern has a wildcard.
    #[must_use]
    pub const fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The origin that is meant; of a pattern with a wildcard, the one without its label.
    pub(crate) const fn base(&self) -> &Origin {
        &self.base
    }

    /// Whether what a browser sent is meant. It is compared as it is, and never parsed: whatever is not
    /// in the form that browsers send is not equal to it either.
    #[must_use]
    pub fn accepts(&self, received: &[u8]) -> bool {
        let base = self.base.as_str();
        if !self.wildcard {
            return received == base.as_bytes();
        }
        self.label(received).is_some_and(is_label)
    }

    /// What stands for the wildcard, if all else is equal: `https://` + label + `.` + the base's host
    /// and port.
    fn label<'a>(&self, received: &'a [u8]) -> Option<&'a [u8]> {
        let (scheme, rest) = self.base.as_str().split_once("://")?;
        received
            .strip_prefix(scheme.as_bytes())?
            .strip_prefix(b"://")?
            .strip_suffix(rest.as_bytes())?
            .strip_suffix(b".")
    }
}

/// One label as it stands in an origin: no dot, so that it cannot be two, and no capitals, which
/// browsers do not send. Browsers do send underscores.
fn is_label(label: &[u8]) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL
        && label
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

impl From<Origin> for OriginPattern {
    fn from(origin: Origin) -> Self {
        Self::exact(origin)
    }
}

impl FromStr for OriginPattern {
    type Err = Error;

    /// Reads an origin as [`Origin`] does, or one with `*.` before the host.
    fn from_str(text: &str) -> Result<Self, Error> {
        if !text.contains('*') {
            return text.parse().map(Self::exact);
        }
        let (scheme, rest) = text.split_once("://").ok_or(Error::InvalidWildcard)?;
        let host = rest.strip_prefix("*.").ok_or(Error::InvalidWildcard)?;
        if scheme.contains('*') || host.contains('*') {
            return Err(Error::InvalidWildcard);
        }
        let base: Origin = format!("{scheme}://{host}").parse()?;
        let is_name = matches!(base.kind(), HostKind::Name);
        let labels = base.host().split('.');
        if !is_name || labels.clone().any(str::is_empty) || labels.count() < 2 {
            return Err(Error::InvalidWildcard);
        }
        Ok(Self {
            base,
            wildcard: true,
        })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base.as_str().split_once("://") {
            Some((scheme, rest)) if self.wildcard => write!(f, "{scheme}://*.{rest}"),
            Some(_) | None => f.write_str(self.base.as_str()),
        }
    }
}

impl fmt::Debug for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OriginPattern({:?})", self.to_string())
    }
}

/// The text of the origin that one of `patterns` accepts.
pub(crate) fn accepted(patterns: &[OriginPattern], received: &[u8]) -> Option<Arc<str>> {
    let pattern = patterns.iter().find(|pattern| pattern.accepts(received))?;
    if pattern.wildcard {
        // Only visible ASCII was accepted, so that this cannot fail.
        core::str::from_utf8(received).ok().map(Arc::from)
    } else {
        Some(Arc::clone(pattern.base.shared()))
    }
}
