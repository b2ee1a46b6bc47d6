//! A connection that ends with the trust in its client.

use core::fmt;
use core::future::Future;
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::io::{self, IoSlice};
use std::sync::Arc;

use ringwall_core::clock::WallClock;
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::request::TlsPeer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;

use super::live::{Active, Live};
use super::notices::seconds;
use super::peer::{PeerTls, Verdict};
use super::server::ServerTls;
use crate::Peer;

/// A connection of a [`TlsListener`](crate::TlsListener) or a
/// [`HandshakeAcceptor`](crate::HandshakeAcceptor), encrypted or plain.
///
/// An encrypted one is served for as long as a handshake would succeed. Each read, write and flush
/// compares the generation of the trust, and the time with the ends of the client's certificates; when
/// the trust changed, or a certificate ended, the client is judged again. One that is no longer
/// accepted (its root is gone, its certificate expired or revoked, or it has none and the roots now
/// demand one) gets [`io::ErrorKind::ConnectionAborted`], whatever is served above, streams as well.
/// What was written and is not sent is not sent any more, and the client sees the connection break off
/// without the end that TLS has for it.
///
/// A connection that waits (for the next request, or for a client that does not read) is woken and
/// ended as soon as the trust changes, and within 30 seconds of the end of a certificate.
pub struct TlsConnection {
    io: Io,
    peer: Peer,
    guard: Option<Guard>,
    _permit: Option<OwnedSemaphorePermit>,
}

enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How long a connection that waits goes without a look at the clock. The wall clock may be set at any
/// time, so nobody can sleep until a date.
const PATROL: Duration = Duration::from_secs(30);

impl TlsConnection {
    pub(crate) fn encrypted(
        stream: TlsStream<TcpStream>,
        address: SocketAddr,
        client: Option<Arc<PeerTls>>,
        active: &Active,
        tls: &ServerTls,
    ) -> Self {
        let certificate = client.clone().map(|client| client as Arc<dyn TlsPeer>);
        Self {
            io: Io::Tls(Box::new(stream)),
            peer: Peer::tls(address, certificate),
            guard: Some(Guard {
                accepted_by: active.trust.generation,
                verdict: None,
                client,
                live: Arc::clone(tls.live()),
                clock: Arc::clone(tls.clock()),
                events: Arc::clone(tls.events()),
                address,
                is_over: false,
                reading: None,
                writing: None,
            }),
            _permit: None,
        }
    }

    pub(crate) const fn plain(stream: TcpStream, address: SocketAddr) -> Self {
        Self {
            io: Io::Plain(stream),
            peer: Peer::plain(address),
            guard: None,
            _permit: None,
        }
    }

    /// Counts this connection for as long as it lives.
    pub(crate) fn counted(mut self, permit: OwnedSemaphorePermit) -> Self {
        self._permit = Some(permit);
        self
    }

    /// The other end, for whatever is served on this connection.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The application protocol that was agreed on (ALPN), such as `h2`.
    #[must_use]
    pub fn protocol(&self) -> Option<&[u8]> {
        match &self.io {
            Io::Plain(_) => None,
            Io::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }

    /// Whether it would be served in the second `now`.
    pub(crate) fn is_accepted(&self, now: i64) -> bool {
        self.guard.as_ref().is_none_or(|guard| guard.judge(now).0)
    }
}

/// What is looked at before each use of an encrypted connection.
struct Guard {
    client: Option<Arc<PeerTls>>,
    /// The trust that accepted the client last.
    accepted_by: u64,
    /// The last verdict on a client with a certificate: what makes a look cheap.
    verdict: Option<Verdict>,
    live: Arc<Live>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
    address: SocketAddr,
    is_over: bool,
    reading: Option<Alarm>,
    writing: Option<Alarm>,
}

#[derive(Clone, Copy)]
enum Direction {
    Reading,
    Writing,
}

impl Guard {
    /// Fails when the client is not accepted any more.
    fn check(&mut self) -> io::Result<()> {
        if self.is_over {
            return Err(over());
        }
        let is_accepted = if self.client.is_none() {
            if self.live.trust_generation() == self.accepted_by {
                return Ok(());
            }
            self.take_judgement(0)
        } else {
            // Without the time nobody can tell whether the certificate has ended.
            let Ok(now) = seconds(&*self.clock) else {
                return self.end("the time is not known: a client certificate cannot be judged");
            };
            let generation = self.live.trust_generation();
            match &self.verdict {
                Some(verdict) if verdict.holds(generation, now) => verdict.good,
                Some(_) | None => self.take_judgement(now),
            }
        };
        if is_accepted {
            Ok(())
        } else {
            self.end("the client of a running connection is no longer accepted")
        }
    }

    fn take_judgement(&mut self, now: i64) -> bool {
        let (is_accepted, generation, verdict) = self.judge(now);
        self.accepted_by = generation;
        self.verdict = verdict;
        is_accepted
    }

    fn judge(&self, now: i64) -> (bool, u64, Option<Verdict>) {
        match &self.client {
            Some(client) => {
                let verdict = client.verdict(now);
                (verdict.good, verdict.generation(), Some(verdict))
            }
            None => {
                let active = self.live.active();
                let trust = &active.trust;
                (trust.accepts_nobody_known(), trust.generation, None)
            }
        }
    }

    fn end(&mut self, cause: &'static str) -> io::Result<()> {
        self.is_over = true;
        let mut event = SecurityEvent::new(EventKind::ConnectionEnded, cause);
        event.at = self.clock.now().ok();
        event.source = Some(self.address.ip().to_canonical());
        self.events.emit(event);
        Err(over())
    }

    /// Sees to it that a waiting task is woken when the client has to be judged again.
    fn watch(&mut self, direction: Direction, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let generation = self.accepted_by;
            let left = self.client.as_ref().map(|_| self.time_left());
            let place = match direction {
                Direction::Reading => &mut self.reading,
                Direction::Writing => &mut self.writing,
            };
            if place
                .as_ref()
                .is_some_and(|alarm| alarm.generation != generation)
            {
                *place = None;
            }
            // Made before the check below: a change in between is not missed.
            let alarm = place.get_or_insert_with(|| Alarm::new(&self.live, generation));
            let rings = alarm.set(left, cx);
            if rings {
                *place = None;
            }
            self.check()?;
            if !rings && self.accepted_by == generation {
                return Ok(());
            }
        }
    }

    /// Until the next look at the clock.
    fn time_left(&self) -> Duration {
        let until = self.verdict.as_ref().map_or(i64::MAX, Verdict::until);
        let left = seconds(&*self.clock).map_or(0, |now| until.saturating_sub(now));
        Duration::from_secs(u64::try_from(left).unwrap_or(0)).clamp(SHORTEST_SLEEP, PATROL)
    }
}

/// The end of a certificate is a second, and it may take this much longer to be noticed.
const SHORTEST_SLEEP: Duration = Duration::from_millis(100);

/// Wakes a task that waits on a connection.
struct Alarm {
    /// The trust whose end it waits for.
    generation: u64,
    changed: Pin<Box<OwnedNotified>>,
    time: Option<Pin<Box<Sleep>>>,
    /// Who is woken; registered in both of the above.
    waker: Option<Waker>,
}

impl Alarm {
    fn new(live: &Live, generation: u64) -> Self {
        Self {
            generation,
            changed: Box::pin(live.changed()),
            time: None,
            waker: None,
        }
    }

    /// Wakes the task of `cx` when the trust changes, and after `left` at the latest. Answers whether
    /// that was the case already.
    fn set(&mut self, left: Option<Duration>, cx: &mut Context<'_>) -> bool {
        let is_registered = self
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()));
        let is_running = self.time.as_ref().is_none_or(|time| !time.is_elapsed());
        // Who waits again and again on a connection that is used takes no lock for it.
        if is_registered && is_running {
            return false;
        }
        self.waker = Some(cx.waker().clone());
        if self.changed.as_mut().poll(cx).is_ready() {
            return true;
        }
        let Some(left) = left else { return false };
        let time = match &mut self.time {
            Some(time) if !time.is_elapsed() => time,
            other => other.insert(Box::pin(sleep(left))),
        };
        time.as_mut().poll(cx).is_ready()
    }
}

fn over() -> io::Error {
    io::Error::new(
        io::ErrorKind::ConnectionAborted,
        "the client is no longer accepted",
    )
}

impl TlsConnection {
    fn check(&mut self) -> io::Result<()> {
        self.guard.as_mut().map_or(Ok(()), Guard::check)
    }

    /// Turns a wait into one that ends with the trust.
    fn guarded<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        direction: Direction,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending()
            && let Some(guard) = &mut self.guard
        {
            guard.watch(direction, cx)?;
        }
        polled
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check()?;
        let polled = match &mut this.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        this.guarded(polled, Direction::Reading, cx)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        let polled = match &mut this.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        this.guarded(polled, Direction::Writing, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        let polled = match &mut this.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        this.guarded(polled, Direction::Writing, cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.check()?;
        let polled = match &mut this.io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        };
        this.guarded(polled, Direction::Writing, cx)
    }

    /// On a connection that was ended: closes it without sending what is left.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let is_over = this.check().is_err();
        let polled = match &mut this.io {
            Io::Plain(stream) => return Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) if is_over => return Pin::new(stream.get_mut().0).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        };
        this.guarded(polled, Direction::Writing, cx)
    }
}

impl fmt::Debug for TlsConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnection")
            .field("peer", &self.peer)
            .field("protocol", &self.protocol())
            .finish_non_exhaustive()
    }
}
