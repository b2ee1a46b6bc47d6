//! The id that a client gave to its request.

use core::future::Future;
use core::pin::Pin;

use axum::extract::Request;
use axum::handler::Handler;
use axum::http::HeaderName;
use axum::response::Response;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A handler whose answer has the `X-Request-ID` of its request, as it was received, and none where there was none
/// (OpenID AuthZEN §10.1.3). It stands around the guard, so that refusals have it too. Of several the first counts.
#[derive(Clone, Debug)]
pub(crate) struct EchoesRequestId<H>(pub(crate) H);

impl<H, T, S> Handler<T, S> for EchoesRequestId<H>
where
    H: Handler<T, S>,
    T: 'static,
    S: Send + 'static,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, state: S) -> Self::Future {
        let id = request.headers().get(X_REQUEST_ID).cloned();
        let answer = self.0.call(request, state);
        Box::pin(async move {
            let mut response = answer.await;
            if let Some(id) = id {
                response.headers_mut().insert(X_REQUEST_ID, id);
            }
            response
        })
    }
}
