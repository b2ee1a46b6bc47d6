//! A listener whose handshakes do not wait for each other.

use core::fmt;
use core::net::SocketAddr;
use core::num::NonZeroUsize;
use core::task::{Context, Poll};
use core::time::Duration;
use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;

use ringwall_core::clock::{SystemClock, WallClock};
use ringwall_core::event::{DiscardEvents, EventKind, EventSink, SecurityEvent};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::connection::TlsConnection;
use super::handshake::HandshakeAcceptor;
use super::server::ServerTls;
use crate::Peer;

/// Connections at once. Each holds a descriptor; an HTTP server needs some 50 KiB for one.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Finished connections that wait for the application. It accepts in a loop, so this is a breath.
const FINISHED: usize = 64;

/// The pause after an accept that failed, most often for want of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and does their handshakes, each on a task of its own, within the bounds of a
/// [`HandshakeAcceptor`]: a client that says nothing delays nobody.
///
/// `ringwall-axum` serves it as it is, `ringwall-tonic` as a stream of connections. When it is dropped
/// or [closed](TlsListener::close), the port is closed and the handshakes that run are broken off;
/// connections that were handed over are their holder's.
///
/// A connection beyond [`max_connections`](TlsListenerBuilder::max_connections) is closed at once, so
/// that its client can try elsewhere, and told of as an event. When the system has no descriptor left,
/// the oldest unfinished handshakes are dropped to get some, and accepting pauses for a tenth of a
/// second.
pub struct TlsListener {
    address: SocketAddr,
    finished: mpsc::Receiver<TlsConnection>,
    task: AbortOnDrop,
}

/// Options of [`TlsListener`].
#[must_use]
#[derive(Debug)]
pub struct TlsListenerBuilder {
    acceptor: Option<HandshakeAcceptor>,
    max_connections: NonZeroUsize,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

impl TlsListenerBuilder {
    /// How many connections there may be at once, those with the application included. 10,000 unless
    /// set.
    pub const fn max_connections(mut self, connections: NonZeroUsize) -> Self {
        self.max_connections = connections;
        self
    }

    /// Where dropped connections and failing accepts are reported. Those of the [`ServerTls`] unless
    /// set.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// Listens on `address`.
    ///
    /// # Errors
    ///
    /// When the system does not give the port.
    pub async fn bind(self, address: impl ToSocketAddrs) -> io::Result<TlsListener> {
        self.listen(TcpListener::bind(address).await?)
    }

    /// Accepts from `listener`, in a task of the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// When the system does not say the listener's address.
    pub fn listen(self, listener: TcpListener) -> io::Result<TlsListener> {
        let address = listener.local_addr()?;
        let (hand_over, finished) = mpsc::channel(FINISHED);
        let permits = self.max_connections.get().min(Semaphore::MAX_PERMITS);
        let reception = Reception {
            listener,
            acceptor: self.acceptor,
            room: Arc::new(Semaphore::new(permits)),
            connections: permits,
            hand_over,
            clock: self.clock,
            events: self.events,
        };
        Ok(TlsListener {
            address,
            finished,
            task: AbortOnDrop(tokio::spawn(reception.run())),
        })
    }
}

impl TlsListener {
    /// Listens on `address` with the default bounds.
    ///
    /// # Errors
    ///
    /// When the system does not give the port.
    pub async fn bind(address: impl ToSocketAddrs, tls: &ServerTls) -> io::Result<Self> {
        Self::builder(HandshakeAcceptor::new(tls))
            .bind(address)
            .await
    }

    /// Options for a listener with these handshakes.
    pub fn builder(acceptor: HandshakeAcceptor) -> TlsListenerBuilder {
        TlsListenerBuilder {
            clock: Arc::clone(acceptor.tls().clock()),
            events: Arc::clone(acceptor.tls().events()),
            acceptor: Some(acceptor),
            max_connections: CONNECTIONS,
        }
    }

    /// Options for a listener without TLS, for a port behind a proxy that ends TLS. It has the bound on
    /// connections, and its peers are known to be plain.
    pub fn plain() -> TlsListenerBuilder {
        TlsListenerBuilder {
            acceptor: None,
            max_connections: CONNECTIONS,
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }

    /// The address it listens on, with the port that the system chose.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The next connection. It never fails, and waits for ever once the listener is closed. Dropping
    /// the future loses nothing.
    pub async fn accept(&mut self) -> (TlsConnection, Peer) {
        match self.next().await {
            Some(connection) => {
                let peer = connection.peer().clone();
                (connection, peer)
            }
            None => pending().await,
        }
    }

    /// The next connection, or `None` once the listener is closed. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<TlsConnection> {
        self.finished.recv().await
    }

    /// As [`TlsListener::next`], for streams.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<TlsConnection>> {
        self.finished.poll_recv(cx)
    }

    /// Stops listening: when it returns, the port is closed and no handshake runs any more. Connections
    /// that were finished before can still be taken.
    pub async fn close(&mut self) {
        self.task.0.abort();
        // A handle is not awaited twice, and the task has nothing to say.
        if !self.task.0.is_finished() {
            (&mut self.task.0).await.ok();
        }
    }
}

impl fmt::Debug for TlsListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsListener")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The task behind a listener.
struct Reception {
    listener: TcpListener,
    acceptor: Option<HandshakeAcceptor>,
    room: Arc<Semaphore>,
    /// What there is room for.
    connections: usize,
    hand_over: mpsc::Sender<TlsConnection>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

/// What keeps a listener from accepting, so that it is told of once.
#[derive(Default)]
struct Told {
    full: bool,
    failing: bool,
}

impl Reception {
    /// Runs until it is aborted. Dropping the set breaks off the handshakes in it.
    async fn run(self) {
        let mut handshakes = JoinSet::new();
        let mut told = Told::default();
        loop {
            let accepted = poll_fn(|cx| {
                // Those that ended are forgotten; one that panicked lost its own connection alone.
                while let Poll::Ready(Some(_)) = handshakes.poll_join_next(cx) {}
                self.listener.poll_accept(cx)
            })
            .await;
            match accepted {
                Ok((stream, address)) => {
                    told.failing = false;
                    self.receive(stream, address, &mut handshakes, &mut told);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(_) => {
                    if !core::mem::replace(&mut told.failing, true) {
                        self.report(
                            "the system gives no more connections: accepting pauses",
                            None,
                        );
                    }
                    if let Some(acceptor) = &self.acceptor {
                        acceptor.shed();
                    }
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn receive(
        &self,
        stream: TcpStream,
        address: SocketAddr,
        handshakes: &mut JoinSet<()>,
        told: &mut Told,
    ) {
        // A record is a whole; waiting for more to send with it only delays answers. A socket on which
        // it cannot be set works without.
        stream.set_nodelay(true).ok();
        let room = self.room.available_permits();
        if room == 0 {
            if !core::mem::replace(&mut told.full, true) {
                self.report("too many connections: new ones are closed", Some(address));
            }
            return;
        }
        // At the bound, room comes and goes with each connection: that is one piece of news, not many.
        if room > self.connections / 8 {
            told.full = false;
        }
        let hand_over = self.hand_over.clone();
        match &self.acceptor {
            Some(acceptor) => {
                let accepting = acceptor.accept_held(stream);
                let room = Arc::clone(&self.room);
                handshakes.spawn(async move {
                    let Ok((connection, mut slot)) = accepting.await else {
                        return; // counted and reported
                    };
                    // Counted only now: a handshake has bounds of its own, and silence takes no room
                    // from those who finish.
                    let Ok(permit) = room.try_acquire_owned() else {
                        return;
                    };
                    // The place is kept until the application takes the connection: while it does
                    // not, the bound on handshakes holds for what waits, too.
                    let mut handing = core::pin::pin!(hand_over.send(connection.counted(permit)));
                    poll_fn(|cx| {
                        if handing.as_mut().poll(cx).is_ready() {
                            return Poll::Ready(());
                        }
                        slot.poll_displaced(cx)
                    })
                    .await;
                });
            }
            None => {
                let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
                    return;
                };
                let connection = TlsConnection::plain(stream, address).counted(permit);
                handshakes.spawn(async move {
                    // The listener was dropped, if it fails.
                    hand_over.send(connection).await.ok();
                });
            }
        }
    }

    fn report(&self, cause: &'static str, source: Option<SocketAddr>) {
        let mut event = SecurityEvent::new(EventKind::ConnectionsDropped, cause);
        event.at = self.clock.now().ok();
        event.source = source.map(|address| address.ip().to_canonical());
        self.events.emit(event);
    }
}

/// Errors of a client that left while it was accepted: the next one is there at once.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}
