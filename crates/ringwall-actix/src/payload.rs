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
