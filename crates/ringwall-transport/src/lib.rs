#![doc = include_str!("../README.md")]

mod peer;
mod proxies;
#[cfg(feature = "tls")]
mod tls;

pub use peer::Peer;
pub use proxies::{Client, ForwardingHeader, ProxiesError, TrustedProxies, TrustedProxiesBuilder};
#[cfg(feature = "tls")]
pub use tls::{
    ClientTls, ClientTlsBuilder, ClientTrust, HandshakeAcceptor, HandshakeAcceptorBuilder,
    HandshakeCounts, HandshakeError, PeerTls, Pem, ServerTls, ServerTlsBuilder, TlsConnection,
    TlsError, TlsFault, TlsListener, TlsListenerBuilder, TlsProblem, TlsStatus, TlsWatch,
};
