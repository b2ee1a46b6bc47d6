//! One service of which every method is behind its door.

use core::convert::Infallible;
use core::fmt;
use core::future::{Ready, ready};
use core::task::{Context, Poll};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Empty;
use ringwall_core::step::Step;
use ringwall_tower::Seen;
use tonic::Status;
use tonic::server::NamedService;
use tower_service::Service;

use crate::doors::Doors;
use crate::future::GuardedFuture;
use crate::origin::origin;
use crate::protocol::Asked;
use crate::request_body::BoxError;
use crate::response_body::GuardedBody;

/// A service of which every method is behind its door: what a
/// [`GuardedServer`](crate::GuardedServer) becomes.
///
/// The service behind it gets requests with an `Admitted` among their extensions, which replaces any
/// that was there, without the header fields that this caller may not set, and with a body that is
/// bounded and watched.
#[derive(Clone)]
pub struct GuardedService<S> {
    inner: S,
    doors: Arc<Doors>,
}

impl<S> GuardedService<S> {
    pub(crate) const fn new(inner: S, doors: Arc<Doors>) -> Self {
        Self { inner, doors }
    }
}

impl<S: NamedService> NamedService for GuardedService<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B, R> Service<Request<B>> for GuardedService<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes>,
{
    type Response = Response<GuardedBody<R>>;
    type Error = S::Error;
    type Future = GuardedFuture<S, B, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The path that the service itself will compare, and not the one that was received: a
        // router in front may have cut a prefix off. What was received is what the door judges.
        let (door, behind) = self.doors.find(request.uri().path());
        let asked = Asked::of(&request, behind);
        let step = door.enter(&Seen::new(&request, origin(request.extensions())).view());
        match step {
            Step::Done(entry) => GuardedFuture::decided(entry, &mut self.inner, request, asked),
            Step::Wait(future) => {
                // The service that was polled ready is the one that must be called: it may hold
                // a permit. The clone that takes its place has to be polled ready again.
                let clone = self.inner.clone();
                let ready = core::mem::replace(&mut self.inner, clone);
                GuardedFuture::entering(Step::Wait(future), ready, request, asked)
            }
        }
    }
}

impl<S> fmt::Debug for GuardedService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedService").finish_non_exhaustive()
    }
}

/// What stands behind the door of unknown paths. The door knows that it is nothing, so it is never
/// called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nothing;

impl<B> Service<Request<B>> for Nothing {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Ok(Status::unimplemented("").into_http()))
    }
}
