//! What becomes of the body of an answer.

use core::convert::Infallible;
use core::fmt;
use core::future::{Future as _, IntoFuture as _};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::error::Error;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;
use ringwall_core::step::StepFuture;
use ringwall_gate::{Lease, Standing};
use tokio::time::{Sleep, sleep};

/// The body of the answer to a `HEAD`: nothing, which knows how long it would have been. The server
/// leaves such a body out, but reads it to its end first, and a stream may have none.
pub(crate) fn without_content(body: BoxBody) -> BoxBody {
    match body.size() {
        BodySize::None | BodySize::Sized(0) => body,
        size @ (BodySize::Sized(_) | BodySize::Stream) => BoxBody::new(Headless(size)),
    }
}

/// A body that goes on ends with an error when the credential of its caller does, so that the client
/// sees that something is missing. One of known length is sent as it is: its request was decided about
/// a moment ago.
pub(crate) fn leased(body: BoxBody, lease: impl FnOnce() -> Option<Lease>) -> BoxBody {
    if body.size() != BodySize::Stream {
        return body;
    }
    match lease() {
        None => body,
        Some(lease) => BoxBody::new(Leased {
            body,
            watch: Watch::Looking(lease.check().into_future()),
            lease,
        }),
    }
}

struct Headless(BodySize);

impl MessageBody for Headless {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

struct Leased {
    body: BoxBody,
    lease: Lease,
    watch: Watch,
}

enum Watch {
    Looking(StepFuture<Standing>),
    Sleeping(Pin<Box<Sleep>>),
    Ended,
}

impl Leased {
    /// Whether the answer may go on. Nothing of it is sent while that is being found out.
    fn poll_good(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            self.watch = match &mut self.watch {
                Watch::Looking(step) => match ready!(Pin::new(step).poll(context)) {
                    Standing::Good { again_in } => Watch::Sleeping(Box::pin(sleep(again_in))),
                    Standing::Over => return Poll::Ready(false),
                },
                Watch::Sleeping(sleep) => {
                    if sleep.as_mut().poll(context).is_pending() {
                        return Poll::Ready(true);
                    }
                    Watch::Looking(self.lease.check().into_future())
                }
                Watch::Ended => return Poll::Ready(false),
            };
        }
    }
}

impl MessageBody for Leased {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Box<dyn Error>>>> {
        if matches!(self.watch, Watch::Ended) {
            return Poll::Ready(None);
        }
        if !ready!(self.poll_good(context)) {
            self.watch = Watch::Ended;
            return Poll::Ready(Some(Err(CredentialOver.into())));
        }
        let chunk = ready!(Pin::new(&mut self.body).poll_next(context));
        if chunk.is_none() {
            self.watch = Watch::Ended;
        }
        Poll::Ready(chunk)
    }
}

/// The credential of the caller ended while the answer was going on.
#[derive(Clone, Copy, Debug)]
struct CredentialOver;

impl fmt::Display for CredentialOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the credential of the caller no longer holds")
    }
}

impl Error for CredentialOver {}
