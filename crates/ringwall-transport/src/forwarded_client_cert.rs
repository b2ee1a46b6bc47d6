//! Envoy's `X-Forwarded-Client-Cert`.

mod element;
mod parse;

pub use element::ForwardedElement;

use crate::certificate::IdentityError;

/// The value of an `X-Forwarded-Client-Cert` field: one element for each hop whose client certificate
/// a proxy forwarded, the nearest hop last.
///
/// Envoy's documentation has elements separated by commas, pairs `key=value` in them by semicolons,
/// and values in double quotes where they hold one of those. What its documentation does not say, and
/// its code (`mutateXfccRequestHeader`) does:
///
/// - `URI`, `DNS` and `By` are written **without quotes or escapes**, whatever they hold. A
///   certificate with the URI `x;DNS=admin.example` becomes a URI and a DNS name.
/// - `Subject` is put into quotes as RFC 2253 has it, and its own escapes (`\"`, `\\`) serve as those of
///   the quotes.
/// - `URI` is written empty when there is no URI; `DNS` is not written when there is no DNS name; `By`
///   is there once for each URI of the proxy's own certificate.
/// - The keys have one order: `By`, `Hash`, `Cert`, `Chain`, `Subject`, `URI`, `DNS`.
///
/// So the order is demanded, keys are there once except for `By`, `URI` and `DNS`, no other key is
/// known, a value in quotes ends the pair, and a `URI` or `DNS` has no quotes: they would be the
/// certificate's own. Keys are compared without case. That leaves two things that a name can pretend.
/// A second `URI` makes the identity ambiguous. A `DNS` name after a `URI`, even after an empty one,
/// makes both identify nobody ([`IdentityError::NamesRunTogether`]), since
/// `URI=spiffe://prod.example/web;DNS=x` may be one URI that was never anybody's. So let Envoy write
/// the certificate too (`cert: true`), or one kind of names (`uri: true` or `dns: true`).
///
/// ```
/// use ringwall_transport::ForwardedClientCert;
///
/// let text = b"By=spiffe://prod.example/api;Hash=468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688;\
///              Subject=\"CN=Test Client,O=Lyft\\, Inc.\";URI=spiffe://prod.example/web";
/// let forwarded = ForwardedClientCert::parse(text)?;
/// let hop = forwarded.only()?;
/// assert_eq!(hop.subject(), Some("CN=Test Client,O=Lyft\\, Inc."));
/// assert_eq!(hop.uris().collect::<Vec<_>>(), ["spiffe://prod.example/web"]);
/// # Ok::<(), ringwall_transport::IdentityError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedClientCert {
    elements: Vec<ForwardedElement>,
}

impl ForwardedClientCert {
    /// The longest value that is read, in bytes: as much as Envoy takes of all header fields by
    /// default (60 KiB), within which a chain in PEM fits.
    pub const MAX_BYTES: usize = 61_440;

    /// The most elements, which is to say hops.
    pub const MAX_ELEMENTS: usize = 16;

    /// The most names of one kind in an element. Certificates of callers have one or two.
    pub const MAX_NAMES: usize = 100;

    /// Reads the value of the one field line.
    ///
    /// # Errors
    ///
    /// [`IdentityError::HeaderTooLong`], [`IdentityError::ForwardedMalformed`].
    pub fn parse(text: &[u8]) -> Result<Self, IdentityError> {
        if text.len() > Self::MAX_BYTES {
            return Err(IdentityError::HeaderTooLong);
        }
        let elements = parse::parse(text)?;
        Ok(Self { elements })
    }

    /// The elements, the nearest hop last. Never empty.
    #[must_use]
    pub fn elements(&self) -> &[ForwardedElement] {
        &self.elements
    }

    /// The one element, of a proxy that removes what clients send (`SANITIZE_SET`).
    ///
    /// # Errors
    ///
    /// [`IdentityError::SeveralHops`].
    pub fn only(&self) -> Result<&ForwardedElement, IdentityError> {
        match self.elements.as_slice() {
            [only] => Ok(only),
            _ => Err(IdentityError::SeveralHops),
        }
    }

    /// The last element: what the nearest proxy appended about its own client (`APPEND_FORWARD`).
    /// Those before it are what that client said, true or not.
    ///
    /// # Errors
    ///
    /// [`IdentityError::ForwardedMalformed`] when there is none, which
    /// [`parse`](Self::parse) never yields.
    pub fn nearest(&self) -> Result<&ForwardedElement, IdentityError> {
        self.elements
            .last()
            .ok_or(IdentityError::ForwardedMalformed)
    }
}
