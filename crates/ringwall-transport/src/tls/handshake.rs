//! Handshakes, each bounded in time and all of them in number.

use core::fmt;
use core::future::Future;
use core::net::SocketAddr;
use core::num::NonZeroUsize;
use core::pin::pin;
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use ringwall_core::event::{EventKind, SecurityEvent};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::connection::TlsConnection;
use super::live::Active;
use super::notices::seconds;
use super::peer::PeerTls;
use super::server::ServerTls;
use super::slots::{Slot, Slots, Source};

/// What a handshake may take: two round trips on the worst of networks, and not the minutes that a
/// silent client would like.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Handshakes in flight. Each holds a descriptor and some 20 KiB, and at 1,024 of them that take a
/// tenth of a second each, ten thousand new ones a second find a place.
const IN_FLIGHT: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// Handshakes in flight of one source: no single one can take all places.
const PER_SOURCE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// Makes TLS connections of accepted ones, for listeners that bring their own accept loop.
///
/// The bounds: a handshake takes [10 seconds](HandshakeAcceptorBuilder::time_limit) at most, and there
/// are [1,024](HandshakeAcceptorBuilder::in_flight) at once, [256](HandshakeAcceptorBuilder::per_source)
/// of them of one source (an IPv4 address, or a /64 of IPv6). When all places are taken, the oldest
/// unfinished handshake is dropped for the newcomer.
///
/// So a client that finishes within *t* is served unless 1,024 others come within *t* after it, or 256
/// of its own source; clients that connect and say nothing, however many they were before, do not keep
/// it out. Behind a proxy that passes TCP on, everybody is one source: set the bound per source to that
/// of all.
///
/// Cloning shares the bounds. It needs a tokio runtime with time and I/O.
#[derive(Clone)]
pub struct HandshakeAcceptor(Arc<Inner>);

struct Inner {
    tls: ServerTls,
    time_limit: Duration,
    slots: Arc<Slots>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    finished: AtomicU64,
    failed: AtomicU64,
    timed_out: AtomicU64,
    displaced: AtomicU64,
}

/// How handshakes ended since the acceptor was made, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeCounts {
    /// Handshakes that are not finished.
    pub in_flight: usize,
    /// Connections that were made.
    pub finished: u64,
    /// No TLS, no acceptable certificate, or a client that left.
    pub failed: u64,
    /// Handshakes that took too long.
    pub timed_out: u64,
    /// Handshakes that were dropped to make room.
    pub displaced: u64,
}

/// Options of [`HandshakeAcceptor`].
#[must_use]
#[derive(Debug)]
pub struct HandshakeAcceptorBuilder {
    tls: ServerTls,
    time_limit: Duration,
    in_flight: NonZeroUsize,
    per_source: NonZeroUsize,
}

impl HandshakeAcceptorBuilder {
    /// How long one handshake may take. 10 seconds unless set.
    pub const fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// How many handshakes may be in flight. 1,024 unless set; each holds a descriptor.
    pub const fn in_flight(mut self, handshakes: NonZeroUsize) -> Self {
        self.in_flight = handshakes;
        self
    }

    /// How many handshakes of one source may be in flight. 256 unless set.
    pub const fn per_source(mut self, handshakes: NonZeroUsize) -> Self {
        self.per_source = handshakes;
        self
    }

    /// The acceptor.
    #[must_use]
    pub fn build(self) -> HandshakeAcceptor {
        HandshakeAcceptor(Arc::new(Inner {
            tls: self.tls,
            time_limit: self.time_limit,
            slots: Slots::new(self.in_flight, self.per_source),
            counts: Counts::default(),
        }))
    }
}

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// It took longer than the time limit.
    #[error("the handshake took too long")]
    TimedOut,
    /// All places were taken, and this was the oldest unfinished handshake.
    #[error("the handshake was dropped to make room for another")]
    Displaced,
    /// The client speaks no acceptable TLS, or shows no acceptable certificate.
    #[error("the handshake was refused: {reason}")]
    Refused {
        /// What was wrong: a fixed text, never input.
        reason: &'static str,
    },
    /// The wall clock cannot tell the time, so that no certificate can be checked.
    #[error("the wall clock is not available")]
    ClockUnavailable,
    /// The client left, or the network failed.
    #[error("the connection failed")]
    Connection(#[source] io::Error),
}

impl HandshakeAcceptor {
    /// An acceptor with the default bounds.
    #[must_use]
    pub fn new(tls: &ServerTls) -> Self {
        Self::builder(tls).build()
    }

    /// Options.
    pub fn builder(tls: &ServerTls) -> HandshakeAcceptorBuilder {
        HandshakeAcceptorBuilder {
            tls: tls.clone(),
            time_limit: TIME_LIMIT,
            in_flight: IN_FLIGHT,
            per_source: PER_SOURCE,
        }
    }

    /// Does the handshake of the server on `tcp`. The place is taken when this is called, and the
    /// connection closed when the future is dropped. Call it on a task of its own: whoever awaits it
    /// in an accept loop serves one silent client at a time.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]. It has been counted and reported.
    pub fn accept(
        &self,
        tcp: TcpStream,
    ) -> impl Future<Output = Result<TlsConnection, HandshakeError>> + Send + use<> {
        let held = self.accept_held(tcp);
        async move { held.await.map(|(connection, _slot)| connection) }
    }

    /// How handshakes ended so far.
    #[must_use]
    pub fn counts(&self) -> HandshakeCounts {
        let Inner { slots, counts, .. } = &*self.0;
        HandshakeCounts {
            in_flight: slots.in_flight(),
            finished: counts.finished.load(Ordering::Relaxed),
            failed: counts.failed.load(Ordering::Relaxed),
            timed_out: counts.timed_out.load(Ordering::Relaxed),
            displaced: counts.displaced.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn tls(&self) -> &ServerTls {
        &self.0.tls
    }

    /// Drops the oldest handshakes, for when the system has no descriptor left.
    pub(crate) fn shed(&self) {
        self.0.slots.shed();
    }

    /// The connection, and its place, which whoever hands it on keeps until it is handed on.
    pub(crate) fn accept_held(
        &self,
        tcp: TcpStream,
    ) -> impl Future<Output = Result<(TlsConnection, Slot), HandshakeError>> + Send + use<> {
        let inner = Arc::clone(&self.0);
        // Without an address the client left already; it takes a place nevertheless, for a moment.
        let address = tcp.peer_addr();
        let source = address
            .as_ref()
            .map_or(Source::UNKNOWN, |address| Source::of(address.ip()));
        let (slot, is_first_at_bound) = inner.slots.take(source);
        if is_first_at_bound {
            inner.report(
                EventKind::ConnectionsDropped,
                "too many handshakes at once: the oldest are dropped for the new ones",
                address.as_ref().ok(),
            );
        }
        async move {
            let address = address.map_err(HandshakeError::Connection);
            let result = match address {
                Ok(address) => inner.within_bounds(tcp, address, slot).await,
                Err(error) => Err(error),
            };
            inner.count(result.as_ref().map(|_| ()));
            result
        }
    }
}

impl Inner {
    async fn within_bounds(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
        mut slot: Slot,
    ) -> Result<(TlsConnection, Slot), HandshakeError> {
        let result = {
            let mut handshake = pin!(timeout(self.time_limit, self.handshake(tcp, address)));
            poll_fn(|cx| {
                // A handshake that is done is done, even when its place was given away meanwhile.
                if let Poll::Ready(done) = handshake.as_mut().poll(cx) {
                    return Poll::Ready(done.unwrap_or(Err(HandshakeError::TimedOut)));
                }
                if slot.poll_displaced(cx).is_ready() {
                    return Poll::Ready(Err(HandshakeError::Displaced));
                }
                Poll::Pending
            })
            .await
        };
        if let Err(HandshakeError::Refused { reason }) = &result {
            self.report(EventKind::HandshakeFailed, reason, Some(&address));
        } else if let Err(HandshakeError::TimedOut) = &result {
            let cause = "the handshake took too long";
            self.report(EventKind::HandshakeFailed, cause, Some(&address));
        }
        result.map(|connection| (connection, slot))
    }

    async fn handshake(
        &self,
        tcp: TcpStream,
        address: SocketAddr,
    ) -> Result<TlsConnection, HandshakeError> {
        let clock = &**self.tls.clock();
        let active = self.tls.live().active_full();
        let began = seconds(clock).map_err(|_| HandshakeError::ClockUnavailable)?;
        let acceptor = TlsAcceptor::from(Arc::clone(&active.config));
        let stream = acceptor.accept(tcp).await.map_err(failure)?;
        let peer = self.client(&active, stream.get_ref().1, began);
        let connection = TlsConnection::encrypted(stream, address, peer, &active, &self.tls);
        let now = seconds(clock).map_err(|_| HandshakeError::ClockUnavailable)?;
        // The trust may have changed, or the certificate have ended, while the handshake ran.
        if connection.is_accepted(now) {
            Ok(connection)
        } else {
            Err(HandshakeError::Refused {
                reason: "the client is no longer accepted",
            })
        }
    }

    fn client(
        &self,
        active: &Active,
        session: &rustls::ServerConnection,
        began: i64,
    ) -> Option<Arc<PeerTls>> {
        let chain = session.peer_certificates()?;
        let chain: Vec<_> = chain.iter().map(|der| der.to_vec()).collect();
        let live = Arc::clone(self.tls.live());
        Some(Arc::new(PeerTls::accepted(
            chain,
            live,
            &active.trust,
            began,
        )))
    }

    fn count(&self, result: Result<(), &HandshakeError>) {
        let counter = match result {
            Ok(()) => &self.counts.finished,
            Err(HandshakeError::TimedOut) => &self.counts.timed_out,
            Err(HandshakeError::Displaced) => &self.counts.displaced,
            Err(
                HandshakeError::Refused { .. }
                | HandshakeError::ClockUnavailable
                | HandshakeError::Connection(_),
            ) => &self.counts.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn report(&self, kind: EventKind, cause: &'static str, source: Option<&SocketAddr>) {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = self.tls.clock().now().ok();
        event.source = source.map(|address| address.ip().to_canonical());
        self.tls.events().emit(event);
    }
}

/// What an operator is told of a failure: enough to know what to do, nothing of what was sent.
fn failure(error: io::Error) -> HandshakeError {
    use rustls::{CertificateError as Certificate, Error as Tls};

    let Some(tls) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Tls>())
    else {
        return HandshakeError::Connection(error);
    };
    let reason = if let Tls::InvalidCertificate(certificate) = tls {
        if matches!(
            certificate,
            Certificate::Expired | Certificate::ExpiredContext { .. }
        ) {
            "the client certificate has expired"
        } else if matches!(
            certificate,
            Certificate::NotValidYet | Certificate::NotValidYetContext { .. }
        ) {
            "the client certificate is not valid yet"
        } else if matches!(certificate, Certificate::Revoked) {
            "the client certificate is revoked"
        } else if matches!(certificate, Certificate::UnknownIssuer) {
            "the client certificate leads to no root"
        } else if matches!(
            certificate,
            Certificate::ExpiredRevocationList | Certificate::ExpiredRevocationListContext { .. }
        ) {
            "the revocation list is out of date"
        } else if matches!(certificate, Certificate::UnknownRevocationStatus) {
            "no revocation list covers the client certificate"
        } else if matches!(
            certificate,
            Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. }
        ) {
            "the client certificate is not for client authentication"
        } else {
            "the client certificate is not acceptable"
        }
    } else if matches!(tls, Tls::NoCertificatesPresented) {
        "the client showed no certificate"
    } else if matches!(tls, Tls::PeerIncompatible(_)) {
        "the client has no TLS version, cipher or group in common"
    } else if matches!(tls, Tls::NoApplicationProtocol) {
        "the client has no application protocol in common"
    } else if matches!(tls, Tls::InvalidMessage(_)) {
        "the client does not speak TLS"
    } else if matches!(tls, Tls::AlertReceived(_)) {
        "the client refused this server"
    } else if matches!(tls, Tls::FailedToGetCurrentTime) {
        return HandshakeError::ClockUnavailable;
    } else {
        "the client broke the protocol"
    };
    HandshakeError::Refused { reason }
}

impl fmt::Debug for HandshakeAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeAcceptor")
            .field("time_limit", &self.0.time_limit)
            .field("slots", &self.0.slots)
            .field("counts", &self.counts())
            .finish_non_exhaustive()
    }
}
