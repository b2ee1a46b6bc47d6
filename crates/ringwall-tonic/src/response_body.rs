//! What a client is sent, and what settles its call.

use core::fmt;
use core::future::{Future as _, IntoFuture as _};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use pin_project_lite::pin_project;
use ringwall_core::step::{Step, StepFuture};
use ringwall_gate::Exit;
use tonic::Status;

use crate::protocol::{UNKNOWN, code_in, number};
use crate::watch::{Passage, Tenure, Watch};

pin_project! {
    /// The body of a guarded service's response: the service's own, or a refusal's.
    ///
    /// The service's own passes unchanged, except that it ends early, with a status, when the caller's
    /// credential does; and its end is sent once its outcome is recorded.
    pub struct GuardedBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProject]
    enum Kind<B> {
        Service { #[pin] body: B },
        Open { #[pin] open: Open<B> },
        Refusal { body: Full<Bytes> },
    }
}

impl<B> GuardedBody<B> {
    /// A body of which nothing is owed any more.
    pub(crate) const fn settled(body: B) -> Self {
        Self {
            kind: Kind::Service { body },
        }
    }

    /// A body whose end settles the call.
    pub(crate) fn open(
        body: B,
        exit: Exit,
        status: u16,
        code: Option<u32>,
        tenure: Option<Arc<Tenure>>,
    ) -> Self {
        let open = Open {
            body: Some(body),
            pace: tenure.map_or(Pace::Free, Pace::Fresh),
            first: None,
            second: None,
            status,
            code,
            exit: Some(exit),
            ending: None,
            done: false,
        };
        Self {
            kind: Kind::Open { open },
        }
    }

    pub(crate) fn refusal(body: Bytes) -> Self {
        let body = Full::new(body);
        Self {
            kind: Kind::Refusal { body },
        }
    }
}

pin_project! {
    /// A body whose end settles the call. Dropped before its end, it drops the exit, so that the
    /// call is recorded as cancelled.
    struct Open<B> {
        #[pin]
        body: Option<B>,
        pace: Pace,
        // What was read ahead, in order.
        first: Option<Frame<Bytes>>,
        second: Option<Frame<Bytes>>,
        status: u16,
        code: Option<u32>,
        exit: Option<Exit>,
        ending: Option<Ending>,
        done: bool,
    }
}

/// How the body is let through.
///
/// An answer that is there as a whole was given under a credential that held when it was asked for,
/// and withholding it would make the client repeat an effect that has happened. One that goes on is
/// watched from its first frame. Which of them a body is shows when one reads ahead: after its one
/// message a unary answer has its trailers ready, and nothing ever waits.
enum Pace {
    /// No credential of this call can end.
    Free,
    /// Nothing was sent yet.
    Fresh(Arc<Tenure>),
    /// It goes on.
    Watched(Watch),
}

/// The end of the body, which is sent once the outcome is recorded.
struct Ending {
    code: u32,
    trailers: Option<HeaderMap>,
    /// Begun when all that comes before the end was sent.
    step: Option<StepFuture<()>>,
}

impl<B> Open<B> {
    /// Lets the service's body go. What was read ahead is still sent, then `code` is recorded, and then
    /// `trailers` are sent.
    fn end(self: Pin<&mut Self>, code: u32, trailers: Option<HeaderMap>) {
        let mut this = self.project();
        this.body.set(None);
        *this.ending = Some(Ending {
            code,
            trailers,
            step: None,
        });
    }

    /// Ends the call because the credential is over.
    fn cut(mut self: Pin<&mut Self>, status: &Status) {
        let this = self.as_mut().project();
        (*this.first, *this.second) = (None, None);
        let mut trailers = HeaderMap::new();
        let code = match status.add_header(&mut trailers) {
            Ok(()) => number(status.code()),
            // Without a status the client knows of no success either.
            Err(_) => UNKNOWN,
        };
        self.end(code, Some(trailers));
    }

    /// From here on it is watched.
    fn engage(self: Pin<&mut Self>) -> bool {
        let pace = self.project().pace;
        match core::mem::replace(pace, Pace::Free) {
            Pace::Fresh(tenure) => {
                *pace = Pace::Watched(Watch::new(tenure));
                true
            }
            kept @ (Pace::Free | Pace::Watched(_)) => {
                *pace = kept;
                false
            }
        }
    }
}

impl<B: Body<Data = Bytes>> Open<B> {
    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        loop {
            let mut this = self.as_mut().project();
            if *this.done {
                return Poll::Ready(None);
            }
            if let Some(ending) = this.ending {
                if let Some(frame) = this.first.take() {
                    return Poll::Ready(Some(Ok(frame)));
                }
                let (exit, status, code) = (this.exit, *this.status, ending.code);
                let step = ending.step.get_or_insert_with(|| {
                    match exit.take() {
                        Some(exit) => exit.finish(status, Some(code)),
                        None => Step::Done(()),
                    }
                    .into_future()
                });
                ready!(Pin::new(step).poll(context));
                *this.done = true;
                let trailers = ending.trailers.take();
                return Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))));
            }
            if let Pace::Watched(watch) = this.pace {
                match ready!(watch.poll(context)) {
                    Passage::Over => {
                        let status = watch.status();
                        self.as_mut().cut(&status);
                        continue;
                    }
                    Passage::Free => {}
                }
                if let Some(frame) = this.first.take() {
                    *this.first = this.second.take();
                    return Poll::Ready(Some(Ok(frame)));
                }
            }
            let Some(body) = this.body.as_mut().as_pin_mut() else {
                *this.done = true;
                continue;
            };
            match body.poll_frame(context) {
                Poll::Pending => {
                    if !self.as_mut().engage() {
                        return Poll::Pending;
                    }
                }
                Poll::Ready(None) => {
                    let code = this.code.unwrap_or(UNKNOWN);
                    self.as_mut().end(code, None);
                }
                Poll::Ready(Some(Err(error))) => {
                    // What the client got is unknown, so the exit is dropped: cancelled.
                    this.body.set(None);
                    *this.exit = None;
                    *this.done = true;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_trailers() {
                    Ok(trailers) => {
                        let code = code_in(&trailers).or(*this.code).unwrap_or(UNKNOWN);
                        self.as_mut().end(code, Some(trailers));
                    }
                    Err(frame) => match this.pace {
                        Pace::Free | Pace::Watched(_) => return Poll::Ready(Some(Ok(frame))),
                        Pace::Fresh(_) if this.first.is_none() => *this.first = Some(frame),
                        Pace::Fresh(_) => {
                            *this.second = Some(frame);
                            self.as_mut().engage();
                        }
                    },
                },
            }
        }
    }
}

impl<B: Body<Data = Bytes>> Body for GuardedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProject::Service { body } => body.poll_frame(context),
            KindProject::Open { open } => open.poll(context),
            KindProject::Refusal { body } => Pin::new(body)
                .poll_frame(context)
                .map_err(|never| match never {}),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Service { body } => body.is_end_stream(),
            // Not before the end was sent, even if the service has nothing more: it settles the call.
            Kind::Open { open } => open.done,
            Kind::Refusal { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body } => body.size_hint(),
            // It may be cut, so nothing is promised.
            Kind::Open { .. } => SizeHint::default(),
            Kind::Refusal { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for GuardedBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedBody").finish_non_exhaustive()
    }
}
