//! A tower service as an axum handler.

use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::{IntoResponse, Response};
use tower::util::ServiceExt as _;
use tower_service::Service;

/// A tower service as an axum handler, so that it can stand behind the same guard.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Served<T>(pub(crate) T);

impl<T, S> Handler<Infallible, S> for Served<T>
where
    T: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    T::Response: IntoResponse,
    T::Future: Send,
{
    type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn call(self, request: Request, _state: S) -> Self::Future {
        Box::pin(async move {
            match self.0.oneshot(request).await {
                Ok(response) => response.into_response(),
                Err(never) => match never {},
            }
        })
    }
}
