//! Connections of the TLS listener, as `axum::serve` takes them.

use std::io;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use ringwall_tower::Peer;
use ringwall_transport::{TlsConnection, TlsListener};

/// Serves the connections of a [`TlsListener`] with `axum::serve`.
///
/// ```no_run
/// use ringwall_axum::{Connection, GuardedRouter, TlsIncoming};
/// use ringwall_transport::{Pem, ServerTls, TlsListener};
///
/// # async fn serve(router: axum::Router) -> Result<(), Box<dyn std::error::Error>> {
/// let tls = ServerTls::builder(Pem::file("server.pem"), Pem::file("server.key")).load()?;
/// let listener = TlsListener::bind("0.0.0.0:8443", &tls).await?;
/// let service = router.into_make_service_with_connect_info::<Connection>();
/// axum::serve(TlsIncoming::new(listener), service).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TlsIncoming(TlsListener);

impl TlsIncoming {
    /// Takes the connections of `listener`.
    #[must_use]
    pub const fn new(listener: TlsListener) -> Self {
        Self(listener)
    }
}

impl Listener for TlsIncoming {
    type Io = TlsConnection;
    type Addr = Peer;

    async fn accept(&mut self) -> (TlsConnection, Peer) {
        self.0.accept().await
    }

    fn local_addr(&self) -> io::Result<Peer> {
        Ok(Peer::new(self.0.local_addr()))
    }
}

/// The other end of a connection of [`TlsIncoming`], by which the gate knows the client's address, that
/// the connection is encrypted, and the client's certificate:
/// `into_make_service_with_connect_info::<Connection>()`.
#[derive(Clone, Debug)]
pub struct Connection(pub Peer);

impl Connected<IncomingStream<'_, TlsIncoming>> for Connection {
    fn connect_info(stream: IncomingStream<'_, TlsIncoming>) -> Self {
        Self(stream.remote_addr().clone())
    }
}
