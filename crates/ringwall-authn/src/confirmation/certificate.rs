//! Tokens that are bound to the client certificate of the connection (RFC 8705).

use ringwall_core::clock::Timestamp;
use ringwall_core::request::{RequestView, TlsPeer};
use ringwall_transport::{IdentityError, IdentityHeader, TrustedProxies};

use super::ShownCertificate;
use crate::certificate::CertificatePolicyError;

/// Where the certificate comes from that a token can be bound to (RFC 8705 §3).
///
/// Which certificate counts is decided by the socket peer alone, as for
/// [`CertificateAuthenticator`](crate::CertificateAuthenticator):
///
/// | socket peer | what is taken | what is ignored |
/// |---|---|---|
/// | a trusted proxy, given with [`behind`](CertificateBindingBuilder::behind) | the certificate, or its digest, in the identity header that the proxy set | the certificate of the connection, which is the proxy's own |
/// | anybody else | the certificate of the connection, if [`direct`](CertificateBindingBuilder::direct) | the identity header |
/// | unknown, where headers are believed | nothing: a certificate may be the proxy's | both |
///
/// The names in the certificate mean nothing here: the token says who its holder is. A connection
/// whose certificate is no longer trusted shows nothing any more.
///
/// # Answers that go on
///
/// The certificate is looked at when a request comes. An answer that goes on (server-sent events, a gRPC
/// stream) is asked about again and again whether its **token** still holds
/// ([`TokenAuthenticator::recheck`](crate::TokenAuthenticator::recheck)), and not about the certificate:
///
/// | socket peer | when the certificate ends, or loses its root |
/// |---|---|
/// | the client itself | its connection is ended by whoever serves it, the answer with it, where that watches trust as the listeners of the adapters do |
/// | a trusted proxy | nothing, until the token ends or is revoked: the connection is the proxy's, and the client's certificate was in the header of that one request |
///
/// So behind a proxy a stream lives for as long as its token, and at most for the clock skew longer. Where that
/// is too long, give out tokens that live for minutes, bound the duration of streams at the proxy (Envoy:
/// `max_stream_duration`), and revoke the token together with the certificate.
#[derive(Clone, Debug)]
pub struct CertificateBinding {
    direct: bool,
    behind: Option<(TrustedProxies, IdentityHeader)>,
    required: bool,
}

/// Collects the options of a [`CertificateBinding`].
#[must_use = "nothing is bound until it is built"]
#[derive(Clone, Debug)]
pub struct CertificateBindingBuilder(CertificateBinding);

impl CertificateBindingBuilder {
    /// Clients connect to this process themselves, over TLS, and their certificates were verified in
    /// the handshake.
    pub const fn direct(mut self) -> Self {
        self.0.direct = true;
        self
    }

    /// Clients connect to one of `proxies`, which says in `header` whose certificate it verified. The
    /// header has to hold the certificate or its digest: `X-Forwarded-Client-Cert` (`Hash` or
    /// `Cert`), `Client-Cert`, or a field with percent-encoded PEM.
    ///
    /// A proxy has to set or remove the field in every request.
    pub fn behind(mut self, proxies: TrustedProxies, header: IdentityHeader) -> Self {
        self.0.behind = Some((proxies, header));
        self
    }

    /// Refuses every token that is not bound to a certificate. Unless set, tokens without `cnf` are
    /// bearer tokens.
    pub const fn required(mut self) -> Self {
        self.0.required = true;
        self
    }

    /// The binding.
    ///
    /// # Errors
    ///
    /// [`CertificatePolicyError::NoSource`], [`CertificatePolicyError::NoProxy`], and
    /// [`CertificatePolicyError::HeaderWithoutCertificate`] for a header that says a subject alone.
    pub fn build(self) -> Result<CertificateBinding, CertificatePolicyError> {
        match &self.0.behind {
            None if !self.0.direct => Err(CertificatePolicyError::NoSource),
            Some((proxies, _)) if proxies.is_empty() => Err(CertificatePolicyError::NoProxy),
            Some((_, header)) if !header.tells_certificate() => {
                Err(CertificatePolicyError::HeaderWithoutCertificate)
            }
            None | Some(_) => Ok(self.0),
        }
    }
}

/// Why the certificate behind a request cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// There is one, and it may be a proxy's own.
    #[error("the address of the peer is unknown, so its certificate may be a proxy's")]
    UnknownPeer,
    /// The connection's certificate lost its root, or ended.
    #[error("the certificate is no longer trusted")]
    Untrusted,
    /// The certificate in the header is not valid at this time.
    #[error("the certificate is not valid at this time")]
    Expired,
    /// The header cannot be read.
    #[error("{}", .0.as_str())]
    Identity(#[source] IdentityError),
}

impl CertificateFault {
    /// The fixed text of the cause.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownPeer => {
                "the address of the peer is unknown, so its certificate may be a proxy's"
            }
            Self::Untrusted => "the certificate is no longer trusted",
            Self::Expired => "the certificate is not valid at this time",
            Self::Identity(error) => error.as_str(),
        }
    }

    /// Whether the request itself is ill-formed: 400 rather than 401.
    #[must_use]
    pub const fn is_malformed(self) -> bool {
        match self {
            Self::UnknownPeer | Self::Untrusted | Self::Expired => false,
            Self::Identity(error) => error.is_malformed(),
        }
    }
}

impl CertificateBinding {
    /// Certificates come from nowhere yet.
    pub const fn builder() -> CertificateBindingBuilder {
        CertificateBindingBuilder(Self {
            direct: false,
            behind: None,
            required: false,
        })
    }

    pub(crate) const fn is_required(&self) -> bool {
        self.required
    }

    /// The header fields, in lower case, that are believed from trusted proxies: they have to be
    /// removed from everybody else's requests before a handler sees them.
    #[must_use]
    pub fn header_names(&self) -> Vec<Box<str>> {
        let header = self.behind.as_ref().map(|(_, header)| header);
        header
            .into_iter()
            .flat_map(|header| header.header_names().map(Box::from))
            .collect()
    }

    /// The certificate behind the request, if there is one: for whoever authenticates by other means
    /// than a [`TokenAuthenticator`](crate::TokenAuthenticator).
    ///
    /// # Errors
    ///
    /// [`CertificateFault`] when there is one that must not be taken.
    pub fn shown(
        &self,
        view: &RequestView<'_>,
        now: Timestamp,
    ) -> Result<Option<ShownCertificate>, CertificateFault> {
        if let Some((proxies, header)) = &self.behind {
            match view.socket_peer {
                None if self.direct && view.tls_peer.is_some() => {
                    return Err(CertificateFault::UnknownPeer);
                }
                None => return Ok(None),
                Some(peer) if proxies.trusts(peer.ip()) => return forwarded(header, view, now),
                Some(_) => {}
            }
        }
        match view.tls_peer {
            Some(peer) if self.direct => of_connection(peer, now).map(Some),
            Some(_) | None => Ok(None),
        }
    }
}

fn forwarded(
    header: &IdentityHeader,
    view: &RequestView<'_>,
    now: Timestamp,
) -> Result<Option<ShownCertificate>, CertificateFault> {
    if !header.is_presented(view) {
        return Ok(None);
    }
    let names = header.read(view).map_err(CertificateFault::Identity)?;
    // The handshake with the proxy may be hours ago.
    if names.is_valid_at(now) == Some(false) {
        return Err(CertificateFault::Expired);
    }
    let digest = names.fingerprint().copied();
    Ok(digest.map(|digest| ShownCertificate { digest }))
}

fn of_connection(peer: &dyn TlsPeer, now: Timestamp) -> Result<ShownCertificate, CertificateFault> {
    // Roots are removed, and certificates end, while connections go on.
    if !peer.is_trusted(now) {
        return Err(CertificateFault::Untrusted);
    }
    let leaf = peer.chain().first().ok_or(CertificateFault::Untrusted)?;
    Ok(ShownCertificate {
        digest: crate::digest::sha256(leaf),
    })
}
