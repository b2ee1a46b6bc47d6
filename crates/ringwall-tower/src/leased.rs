//! A body that ends when the credential of its caller does.

use core::fmt;
use core::future::{Future as _, IntoFuture as _};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use ringwall_core::step::StepFuture;
use ringwall_gate::{Lease, Standing};
use tokio::time::{Sleep, sleep};

use crate::body::BoxError;

/// Looks at a credential again and again, and tells when it is over.
///
/// It uses tokio's timer, so it has to be polled within a tokio runtime that has one.
pub struct LeaseWatch {
    lease: Lease,
    state: Watch,
}

enum Watch {
    Looking(StepFuture<Standing>),
    Sleeping(Pin<Box<Sleep>>),
    Over,
}

impl LeaseWatch {
    /// Begins to watch. The first look is at the first poll.
    #[must_use]
    pub fn new(lease: Lease) -> Self {
        let state = Watch::Looking(lease.check().into_future());
        Self { lease, state }
    }

    /// Whether the answer may go on: `Ready(true)` when it may, `Ready(false)` when it is over, and
    /// `Pending` while that is being found out, in which nothing of the answer is to be sent. The task
    /// is woken for the next look.
    pub fn poll_good(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            let next = match &mut self.state {
                Watch::Looking(step) => match ready!(Pin::new(step).poll(context)) {
                    Standing::Good { again_in } => Watch::Sleeping(Box::pin(sleep(again_in))),
                    Standing::Over => Watch::Over,
                },
                Watch::Sleeping(sleep) => {
                    if sleep.as_mut().poll(context).is_pending() {
                        return Poll::Ready(true);
                    }
                    Watch::Looking(self.lease.check().into_future())
                }
                Watch::Over => return Poll::Ready(false),
            };
            self.state = next;
        }
    }
}

impl fmt::Debug for LeaseWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseWatch")
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A body that ends with [`CredentialOver`] when the credential of its caller is over, so that
    /// the client sees that something is missing.
    ///
    /// It is for bodies that go on. One of known length is sent as it is ([`is_needed`](Self::is_needed)):
    /// its request was decided about a moment ago.
    #[derive(Debug)]
    pub struct Leased<B> {
        #[pin]
        body: B,
        watch: LeaseWatch,
        is_ended: bool,
    }
}

impl<B: Body> Leased<B> {
    /// Bounds `body` by `lease`.
    #[must_use]
    pub fn new(body: B, lease: Lease) -> Self {
        Self {
            body,
            watch: LeaseWatch::new(lease),
            is_ended: false,
        }
    }

    /// Whether `body` goes on: its length is not known.
    #[must_use]
    pub fn is_needed(body: &B) -> bool {
        body.size_hint().exact().is_none()
    }
}

impl<B> Body for Leased<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        if *this.is_ended {
            return Poll::Ready(None);
        }
        if !ready!(this.watch.poll_good(context)) {
            *this.is_ended = true;
            return Poll::Ready(Some(Err(CredentialOver.into())));
        }
        let frame = ready!(this.body.poll_frame(context));
        *this.is_ended = frame.is_none();
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The credential of the caller ended while the answer was going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialOver;

impl fmt::Display for CredentialOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the credential of the caller no longer holds")
    }
}

impl core::error::Error for CredentialOver {}
