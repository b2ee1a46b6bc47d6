//! The other end of a connection.

use core::fmt;
use core::net::SocketAddr;
use std::sync::Arc;

use ringwall_core::request::TlsPeer;

/// The other end of a connection, as whoever accepted it knows it: the address that the kernel said,
/// and what the TLS handshake proved. Every adapter finds it where its framework keeps what belongs
/// to a connection.
///
/// Never fill it from a header field: it is what the rules about trusted proxies are checked against.
/// Cloning shares it.
#[derive(Clone)]
pub struct Peer {
    address: SocketAddr,
    security: Security,
}

/// What is known of the connection beneath a request.
#[derive(Clone)]
enum Security {
    Unknown,
    Plain,
    Tls(Option<Arc<dyn TlsPeer>>),
}

impl Peer {
    /// A peer of which the address alone is known. Where TLS is demanded, its requests are refused.
    #[must_use]
    pub const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            security: Security::Unknown,
        }
    }

    /// A peer on a connection that is known to be plain.
    #[must_use]
    pub const fn plain(address: SocketAddr) -> Self {
        Self {
            address,
            security: Security::Plain,
        }
    }

    /// A peer on a TLS connection of this process, with the client certificate if there is one.
    #[must_use]
    pub const fn tls(address: SocketAddr, certificate: Option<Arc<dyn TlsPeer>>) -> Self {
        Self {
            address,
            security: Security::Tls(certificate),
        }
    }

    /// The address that the kernel said.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https` or `http`; `None` when nobody said what the connection is.
    #[must_use]
    pub const fn scheme(&self) -> Option<&'static str> {
        match self.security {
            Security::Unknown => None,
            Security::Plain => Some("http"),
            Security::Tls(_) => Some("https"),
        }
    }

    /// The client certificate that the handshake verified.
    #[must_use]
    pub fn certificate(&self) -> Option<&Arc<dyn TlsPeer>> {
        match &self.security {
            Security::Unknown | Security::Plain => None,
            Security::Tls(certificate) => certificate.as_ref(),
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("address", &self.address)
            .field("scheme", &self.scheme())
            .field("certificate", &self.certificate())
            .finish()
    }
}
