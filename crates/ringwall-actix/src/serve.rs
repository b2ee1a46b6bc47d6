//! Serving an app over TLS.

use core::fmt;
use core::marker::PhantomData;
use core::net::SocketAddr;
use core::num::{NonZeroU16, NonZeroUsize};
use core::time::Duration;
use std::io;
use std::net::TcpListener;

use actix_http::error::DispatchError;
use actix_http::{HttpService, KeepAlive, Protocol, Request};
use actix_server::{Server, ServerBuilder};
use actix_service::{
    IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt as _, map_config,
};
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Extensions, Response, fn_service};
use actix_web::rt::net::TcpStream;
use ringwall_transport::{HandshakeAcceptor, TlsConnection};

/// Connections of one worker at once. Each holds a descriptor, and some 50 KiB while it is used.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// How long a client may take to send the head of a request, and an idle connection is kept.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a client may take to close a connection.
const FAREWELL: Duration = Duration::from_secs(1);

/// How long a graceful stop waits for answers.
const STOPPING: NonZeroU16 = NonZeroU16::new(30).unwrap();

/// What [`serve`] serves, with its options.
#[must_use = "it serves nothing until `run`"]
pub struct Serve<F, S, B> {
    listener: TcpListener,
    acceptor: HandshakeAcceptor,
    factory: F,
    workers: Option<NonZeroUsize>,
    connections: NonZeroUsize,
    request_timeout: Duration,
    keep_alive: Duration,
    shutdown_timeout: NonZeroU16,
    signals: bool,
    app: PhantomData<fn(S) -> B>,
}

/// Serves the app that `factory` makes in each worker over TLS, with everything known of the connection
/// at the gate: its address, its scheme, and the client certificate.
///
/// It speaks HTTP/1.1, and with the feature `http2` HTTP/2 too, as the client and the acceptor agree.
/// Without that feature the acceptor must offer HTTP/1.1 alone, as below, and a connection on which
/// HTTP/2 was agreed on is closed.
///
/// Handshakes run beside each other within the bounds of the [`HandshakeAcceptor`], so that clients who
/// connect and say nothing delay nobody; its certificates are reloaded while it serves, and running
/// connections end with the trust in their client. Over plain TCP, behind a proxy that ends TLS, serve
/// with actix-web's own `HttpServer` and [`on_connect`](crate::on_connect).
///
/// ```no_run
/// use std::net::TcpListener;
/// use actix_web::App;
/// use ringwall_actix::Guarded;
/// use ringwall_transport::{HandshakeAcceptor, Pem, ServerTls};
///
/// async fn run(guarded: Guarded) -> Result<(), Box<dyn std::error::Error>> {
///     let tls = ServerTls::builder(Pem::file("chain.pem"), Pem::file("key.pem"))
///         .protocols(["http/1.1"])
///         .load()?;
///     let listener = TcpListener::bind("0.0.0.0:8443")?;
///     let app = move || App::new().configure(guarded.configure());
///     ringwall_actix::serve(listener, HandshakeAcceptor::new(&tls), app).run()?.await?;
///     Ok(())
/// }
/// ```
pub fn serve<F, I, S, B>(
    listener: TcpListener,
    acceptor: HandshakeAcceptor,
    factory: F,
) -> Serve<F, S, B>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig>,
{
    Serve {
        listener,
        acceptor,
        factory,
        workers: None,
        connections: CONNECTIONS,
        request_timeout: PATIENCE,
        keep_alive: PATIENCE,
        shutdown_timeout: STOPPING,
        signals: true,
        app: PhantomData,
    }
}

impl<F, S, B> Serve<F, S, B> {
    /// How many threads serve. One for each processor unless set.
    pub const fn workers(mut self, workers: NonZeroUsize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// How many connections one worker has at once, handshakes included; at that, no worker accepts
    /// any more. Keep it above what the acceptor permits of handshakes in flight, or clients who say
    /// nothing can take all places. 10,000 unless set.
    pub const fn max_connections(mut self, connections: NonZeroUsize) -> Self {
        self.connections = connections;
        self
    }

    /// How long a client may take to send the head of its first request. 5 seconds unless set.
    pub const fn client_request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long an idle connection is kept. 5 seconds unless set.
    pub const fn keep_alive(mut self, timeout: Duration) -> Self {
        self.keep_alive = timeout;
        self
    }

    /// How many seconds a graceful stop waits for answers that are on their way. 30 unless set.
    pub const fn shutdown_timeout(mut self, seconds: NonZeroU16) -> Self {
        self.shutdown_timeout = seconds;
        self
    }

    /// Leaves signals to the program. Otherwise SIGINT stops it at once, SIGTERM gracefully.
    pub const fn disable_signals(mut self) -> Self {
        self.signals = false;
        self
    }

    /// Starts the workers. The answer is actix-web's server: it serves as long as it is awaited, and
    /// its handle stops it.
    ///
    /// # Errors
    ///
    /// When the listener cannot be used.
    pub fn run<I>(self) -> io::Result<Server>
    where
        F: Fn() -> I + Send + Clone + 'static,
        I: IntoServiceFactory<S, Request> + 'static,
        S: ServiceFactory<Request, Config = AppConfig> + 'static,
        S::Error: Into<Error> + 'static,
        S::InitError: fmt::Debug,
        S::Response: Into<Response<B>> + 'static,
        <S::Service as Service<Request>>::Future: 'static,
        S::Service: 'static,
        S::Future: 'static,
        B: MessageBody + 'static,
    {
        let address = self.listener.local_addr()?;
        let mut builder = ServerBuilder::new()
            .max_concurrent_connections(self.connections.get())
            .shutdown_timeout(u64::from(self.shutdown_timeout.get()));
        if let Some(workers) = self.workers {
            builder = builder.workers(workers.get().min(MAX_WORKERS));
        }
        if !self.signals {
            builder = builder.disable_signals();
        }
        let (acceptor, factory) = (self.acceptor, self.factory);
        let (request_timeout, keep_alive) = (self.request_timeout, self.keep_alive);
        let builder = builder.listen("ringwall-actix", self.listener, move || {
            let app = factory()
                .into_factory()
                .map_err(|error| error.into().error_response());
            let http = HttpService::build()
                .secure()
                .local_addr(address)
                .client_request_timeout(request_timeout)
                .client_disconnect_timeout(FAREWELL)
                .keep_alive(KeepAlive::from(keep_alive))
                // A client that is gone gets no answer, and its handler is told by being dropped.
                .h1_allow_half_closed(false)
                .on_connect_ext(|connection: &TlsConnection, data: &mut Extensions| {
                    data.insert(connection.peer().clone());
                })
                .finish(map_config(app, |()| AppConfig::default()));
            let acceptor = acceptor.clone();
            fn_service(move |stream| handshake(acceptor.clone(), stream)).and_then(http)
        })?;
        Ok(builder.run())
    }
}

/// More workers are refused by actix-server, by a panic.
const MAX_WORKERS: usize = 512;

/// What actix-http takes for a connection.
type Connected = (TlsConnection, Protocol, Option<SocketAddr>);

/// Runs on the connection's own task, of the worker that was given it.
async fn handshake(
    acceptor: HandshakeAcceptor,
    stream: TcpStream,
) -> Result<Connected, DispatchError> {
    // A record is a whole; waiting for more to send with it only delays answers. A socket on which it
    // cannot be set works without.
    stream.set_nodelay(true).ok();
    let connection = acceptor
        .accept(stream)
        .await
        .map_err(|error| DispatchError::Io(io::Error::other(error)))?;
    let protocol = match connection.protocol() {
        Some(b"h2") => http2()?,
        Some(_) | None => Protocol::Http1,
    };
    let address = connection.peer().address();
    Ok((connection, protocol, Some(address)))
}

#[cfg(feature = "http2")]
#[expect(clippy::unnecessary_wraps, reason = "it fails without the feature")]
const fn http2() -> Result<Protocol, DispatchError> {
    Ok(Protocol::Http2)
}

/// What was agreed on cannot be taken back.
#[cfg(not(feature = "http2"))]
fn http2() -> Result<Protocol, DispatchError> {
    tracing::error!(
        target: "ringwall",
        "a client and the acceptor agreed on HTTP/2: offer HTTP/1.1 alone, or enable the feature http2"
    );
    Err(DispatchError::Io(io::ErrorKind::Unsupported.into()))
}

impl<F, S, B> fmt::Debug for Serve<F, S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}
