//! The request's body, no longer than the route's policy permits.

use core::cell::Cell;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::rc::Rc;

use actix_web::HttpMessage as _;
use actix_web::dev::{Extensions, Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use actix_web::web::{Bytes, Data, FormConfig, JsonConfig, PayloadConfig};
use futures_core::Stream;

/// Ends the bound on a request's body: what follows on a connection that became a WebSocket is no
/// body.
#[derive(Debug)]
pub(crate) struct Lift(Rc<Cell<bool>>);

impl Lift {
    pub(crate) fn now(self) {
        self.0.set(true);
    }
}

/// Bounds the body of `request`, whoever reads it.
///
/// A body that states its length was compared already, and the server reads no more of it than that.
/// Wrapping costs an allocation, so it is left to those that might be longer: without a stated length,
/// and on connections that may become something else, where actix does not count.
pub(crate) fn bound(request: &mut ServiceRequest, limit: u64) -> Option<Lift> {
    let headers = request.headers();
    let upgrades = headers.contains_key(UPGRADE) || request.method() == Method::CONNECT;
    let is_counted = headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
        && !upgrades;
    if is_counted || !has_body(request) {
        return None;
    }
    let lifted = upgrades.then(|| Rc::new(Cell::new(false)));
    let bounded = Bounded {
        payload: request.take_payload(),
        left: limit,
        is_cut: false,
        lifted: lifted.clone(),
    };
    request.set_payload(Payload::Stream {
        payload: Box::pin(bounded),
    });
    lifted.map(Lift)
}

/// Whether there is anything to read. Over HTTP/2 there may be for every request.
pub(crate) fn has_body(request: &ServiceRequest) -> bool {
    let (_, payload) = request.parts();
    !matches!(payload, Payload::None)
}

/// What actix's own extractors read at most at a route of this limit: as much as its policy permits,
/// for their own defaults (256 KiB of bytes, 2 MiB of JSON, 16 KiB of a form) would cut in below it or
/// stand above it. What the service configured itself is left as it is, below the policy.
pub(crate) fn extractor_limits(request: &ServiceRequest, limit: u64) -> Extensions {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut data = Extensions::new();
    if !is_configured::<PayloadConfig>(request) {
        data.insert(PayloadConfig::new(limit));
    }
    if !is_configured::<JsonConfig>(request) {
        data.insert(JsonConfig::default().limit(limit));
    }
    if !is_configured::<FormConfig>(request) {
        data.insert(FormConfig::default().limit(limit));
    }
    data
}

fn is_configured<T: 'static>(request: &ServiceRequest) -> bool {
    request.app_data::<T>().is_some() || request.app_data::<Data<T>>().is_some()
}

struct Bounded {
    payload: Payload,
    left: u64,
    is_cut: bool,
    lifted: Option<Rc<Cell<bool>>>,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, PayloadError>>> {
        if self.is_cut {
            return Poll::Ready(None);
        }
        let chunk = match ready!(Pin::new(&mut self.payload).poll_next(context)) {
            Some(Ok(chunk)) => chunk,
            other @ (Some(Err(_)) | None) => return Poll::Ready(other),
        };
        if self.lifted.as_ref().is_some_and(|lifted| lifted.get()) {
            return Poll::Ready(Some(Ok(chunk)));
        }
        // A length that does not fit is a length above the limit.
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(chunk)))
            }
            None => {
                self.is_cut = true;
                // What is still coming is not read, nor kept.
                self.payload = Payload::None;
                Poll::Ready(Some(Err(PayloadError::Overflow)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;

    use actix_web::test::TestRequest;

    use super::*;

    /// What is read of six bytes at a route that takes four.
    async fn read(request: TestRequest) -> Result<usize, PayloadError> {
        let mut request = request.set_payload("sixsix").to_srv_request();
        bound(&mut request, 4);
        let mut payload = request.take_payload();
        let mut length = 0_usize;
        while let Some(chunk) = poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
            length = length.saturating_add(chunk?.len());
        }
        Ok(length)
    }

    /// actix-http refuses a request that states both; whoever feeds the app otherwise may not.
    #[tokio::test]
    async fn a_stated_length_is_not_believed_beside_chunks() {
        let stated = || TestRequest::post().insert_header((CONTENT_LENGTH, "3"));
        let chunked = stated().insert_header((TRANSFER_ENCODING, "chunked"));
        assert!(matches!(read(chunked).await, Err(PayloadError::Overflow)));
        // The server reads no more than was stated, and the door has compared that.
        assert_eq!(read(stated()).await.ok(), Some(6));
    }

    struct Chunks(std::vec::IntoIter<&'static str>);

    impl Stream for Chunks {
        type Item = Result<Bytes, PayloadError>;

        fn poll_next(
            mut self: Pin<&mut Self>,
            _context: &mut Context<'_>,
        ) -> Poll<Option<Self::Item>> {
            let chunk = self.0.next().map(str::as_bytes);
            Poll::Ready(chunk.map(|chunk| Ok(Bytes::from_static(chunk))))
        }
    }

    #[tokio::test]
    async fn nothing_is_handed_on_after_the_limit() {
        let mut request = TestRequest::post().to_srv_request();
        request.set_payload(Payload::Stream {
            payload: Box::pin(Chunks(vec!["ab", "cde", "f"].into_iter())),
        });
        bound(&mut request, 4);
        let mut payload = request.take_payload();
        let mut next = async || poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await;
        assert_eq!(next().await.expect("a chunk").ok(), Some(Bytes::from("ab")));
        assert!(matches!(next().await, Some(Err(PayloadError::Overflow))));
        assert!(next().await.is_none());
    }

    /// actix-http counts nothing on a connection that may become something else.
    #[tokio::test]
    async fn a_stated_length_is_not_believed_before_an_upgrade() {
        let stated = || TestRequest::post().insert_header((CONTENT_LENGTH, "3"));
        let upgrade = stated().insert_header((UPGRADE, "websocket"));
        assert!(matches!(read(upgrade).await, Err(PayloadError::Overflow)));
        let tunnel = stated().method(Method::CONNECT);
        assert!(matches!(read(tunnel).await, Err(PayloadError::Overflow)));
    }
}
