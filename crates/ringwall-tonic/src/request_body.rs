//! What a client sends, as the service reads it.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use ringwall_core::denial::Denial;
use ringwall_gate::Admitted;
use tonic::{Code, Status};

use crate::refusal::refusal;
use crate::watch::{Passage, Tenure, Watch};

/// What bodies fail with.
pub(crate) type BoxError = Box<dyn core::error::Error + Send + Sync>;

pin_project! {
    /// What a client sends: bounded as the policy says, ended with the caller's credential, and
    /// without trailers.
    ///
    /// A gRPC request has none. tonic would merge them into the metadata that a handler sees, *after*
    /// the door decided by the header fields: they could bring what the door took out, or a second
    /// `authorization` beside the one that was judged.
    pub(crate) struct RequestBody<B> {
        #[pin]
        inner: B,
        limit: u64,
        left: u64,
        tenure: Option<Arc<Tenure>>,
        watch: Option<Watch>,
        ended: bool,
    }
}

impl<B> RequestBody<B> {
    pub(crate) fn new(inner: B, admitted: &Admitted, tenure: Option<Arc<Tenure>>) -> Self {
        let limit = admitted.door().policy().body_limit();
        Self {
            inner,
            limit,
            left: limit,
            tenure,
            watch: None,
            ended: false,
        }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut this = self.project();
        loop {
            if *this.ended {
                return Poll::Ready(None);
            }
            if let Some(watch) = this.watch
                && ready!(watch.poll(context)) == Passage::Over
            {
                *this.ended = true;
                return Poll::Ready(Some(Err(watch.status())));
            }
            let frame = match this.inner.as_mut().poll_frame(context) {
                // Something is still to come, so time passes: from here on it is watched.
                Poll::Pending => match this.tenure.take() {
                    Some(tenure) => {
                        *this.watch = Some(Watch::new(tenure));
                        continue;
                    }
                    None => return Poll::Pending,
                },
                Poll::Ready(None) => None,
                Poll::Ready(Some(Err(error))) => Some(Err(broken(error.into()))),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Err(_trailers) => continue,
                    Ok(data) => {
                        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
                        match this.left.checked_sub(length) {
                            Some(left) => {
                                *this.left = left;
                                Some(Ok(Frame::data(data)))
                            }
                            None => {
                                let limit = *this.limit;
                                Some(Err(refusal(&Denial::PayloadTooLarge { limit })))
                            }
                        }
                    }
                },
            };
            *this.ended = !matches!(frame, Some(Ok(_)));
            return Poll::Ready(frame);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// tonic takes a stream that its client cancelled for one that ended, and a handler would take half an
/// upload for a whole one. The status is the handler's alone; nobody is there to receive it.
fn broken(error: BoxError) -> Status {
    let status = Status::from_error(error);
    if status.code() == Code::Cancelled {
        Status::aborted("the client cancelled the call")
    } else {
        status
    }
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;

    use super::*;

    /// Frames of a client.
    struct Frames(std::vec::IntoIter<&'static str>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let frame = self.0.next().map(str::as_bytes);
            Poll::Ready(frame.map(|frame| Ok(Frame::data(Bytes::from_static(frame)))))
        }
    }

    #[tokio::test]
    async fn nothing_is_handed_on_after_the_limit() {
        let mut body = RequestBody {
            inner: Frames(vec!["ab", "cde", "f"].into_iter()),
            limit: 4,
            left: 4,
            tenure: None,
            watch: None,
            ended: false,
        };
        let mut next = async || poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert!(next().await.expect("a frame").is_ok());
        let status = next().await.expect("an end").expect_err("a status");
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(next().await.is_none());
    }
}
