//! Connections: how many, for how long, and how they end.

use core::convert::Infallible;
use core::future::Future;
use core::pin::pin;
use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use ringwall_tower::Peer;
use ringwall_transport::HandshakeAcceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tower_service::Service as _;

use crate::config::Limits;

/// The longest header of a request, in bytes: an 8 KiB token, an 8 KiB path, and room.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The pause after a connection could not be accepted, which is when file descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves `router` on `listener` until `stop` resolves and running requests have ended; over TLS when
/// `acceptor` is given.
///
/// axum's own `serve` bounds neither connections nor the time that a header takes, and a few
/// hundred silent clients would keep everybody else out.
pub(crate) async fn run(
    listener: TcpListener,
    acceptor: Option<HandshakeAcceptor>,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let timeout = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, limits.request_time);
    // What belongs to one tenant stays out of caches, unless its route says otherwise.
    let no_store = HeaderValue::from_static("no-store");
    let no_store = SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, no_store);
    let router = router.layer(no_store).layer(timeout);
    let connections = usize::try_from(limits.connections).unwrap_or(Semaphore::MAX_PERMITS);
    let places = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let next = next(&listener, &places);
        let (stream, address, place) = tokio::select! {
            () = &mut stop => break,
            next = next => match next {
                Some(next) => next,
                None => continue,
            },
        };
        let router = router.clone();
        let watcher = graceful.watcher();
        let Some(acceptor) = acceptor.clone() else {
            let connection = serve_connection(stream, Peer::plain(address), router, limits);
            tokio::spawn(ended(watcher.watch(connection), address, place));
            continue;
        };
        // A handshake has a bound and a time of its own, so it holds no place: clients that begin one
        // and fall silent keep nobody out.
        drop(place);
        let places = Arc::clone(&places);
        tokio::spawn(async move {
            // What went wrong was counted and reported.
            let Ok(stream) = acceptor.accept(stream).await else {
                return;
            };
            let Ok(place) = places.try_acquire_owned() else {
                tracing::warn!(%address, "there is no place for another connection");
                return;
            };
            let peer = stream.peer().clone();
            let connection = serve_connection(stream, peer, router, limits);
            ended(watcher.watch(connection), address, place).await;
        });
    }
    drop(listener);
    tracing::info!("stopping: running requests may end");
    if tokio::time::timeout(limits.grace, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("some requests took longer than the grace, and are cut off");
    }
}

/// The whole life of a connection, which holds its place.
async fn ended(
    connection: impl Future<Output = hyper::Result<()>>,
    address: SocketAddr,
    place: OwnedSemaphorePermit,
) {
    if let Err(error) = connection.await {
        tracing::debug!(%address, %error, "the connection ended early");
    }
    drop(place);
}

/// The next connection, once there is a place for it.
async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            // Answers are short, and waiting to fill a packet only delays them.
            stream.set_nodelay(true).ok();
            Some((stream, peer, place))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

fn serve_connection<C: AsyncRead + AsyncWrite + Unpin>(
    stream: C,
    peer: Peer,
    router: Router,
    limits: Limits,
) -> http1::Connection<
    TokioIo<C>,
    impl hyper::service::Service<
        Request<Incoming>,
        Response = Response,
        Error = Infallible,
        Future: Send,
    >,
> {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        // What the kernel and the handshake say about the other end, and never a header field.
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request)
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_time)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service)
}
