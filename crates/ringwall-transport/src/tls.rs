//! TLS that is replaced while it runs: configurations, the trust in client certificates, and the
//! handshakes.

mod certificate;
mod client;
mod connection;
mod dates;
mod error;
mod handshake;
mod listener;
mod live;
mod notices;
mod part;
mod peer;
mod pem;
mod roots;
mod server;
mod slots;
mod status;
mod trust;
mod watch;

pub use client::{ClientTls, ClientTlsBuilder};
pub use connection::TlsConnection;
pub use error::{TlsError, TlsFault, TlsProblem};
pub use handshake::{HandshakeAcceptor, HandshakeAcceptorBuilder, HandshakeCounts, HandshakeError};
pub use listener::{TlsListener, TlsListenerBuilder};
pub use peer::PeerTls;
pub use pem::Pem;
pub use server::{ServerTls, ServerTlsBuilder};
pub use status::TlsStatus;
pub use trust::ClientTrust;
pub use watch::TlsWatch;
