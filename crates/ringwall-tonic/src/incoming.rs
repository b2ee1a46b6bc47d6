//! Connections of a TLS listener, as tonic takes them.

use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IoSlice};

use futures_core::Stream;
use ringwall_transport::{Peer, TlsConnection, TlsListener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

/// The connections of a [`TlsListener`], for
/// [`serve_with_incoming`](tonic::transport::server::Router::serve_with_incoming).
///
/// The door of each method learns the client's address, that the connection is encrypted, and the
/// client's certificate. tonic's own `ServerTlsConfig` takes no verifier that could be replaced, so a
/// root that is removed stays trusted there until the process ends, and what its clients show is not
/// looked at.
///
/// ```no_run
/// use ringwall_tonic::{GuardedRoutes, TlsIncoming};
/// use ringwall_transport::{ClientTrust, Pem, ServerTls, TlsListener};
/// use tonic::transport::Server;
///
/// # async fn serve(routes: GuardedRoutes) -> Result<(), Box<dyn std::error::Error>> {
/// let tls = ServerTls::builder(Pem::file("server.pem"), Pem::file("server.key"))
///     .client_trust(ClientTrust::required([Pem::file("clients.pem")]))
///     .protocols(["h2"])
///     .load()?;
/// let incoming = TlsIncoming::new(TlsListener::bind("0.0.0.0:8443", &tls).await?);
/// Server::builder()
///     .add_routes(routes.into_routes()?)
///     .serve_with_incoming(incoming)
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TlsIncoming(TlsListener);

impl TlsIncoming {
    /// The connections of `listener`.
    #[must_use]
    pub const fn new(listener: TlsListener) -> Self {
        Self(listener)
    }
}

impl Stream for TlsIncoming {
    type Item = Result<TlsIo, Infallible>;

    /// Ends once the listener is closed.
    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let connection = self.0.poll_next(context);
        connection.map(|connection| connection.map(|connection| Ok(TlsIo(connection))))
    }
}

/// A [`TlsConnection`] that tells tonic its [`Peer`].
#[derive(Debug)]
pub struct TlsIo(TlsConnection);

impl From<TlsConnection> for TlsIo {
    fn from(connection: TlsConnection) -> Self {
        Self(connection)
    }
}

impl Connected for TlsIo {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.0.peer().clone()
    }
}

impl AsyncRead for TlsIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsIo {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
