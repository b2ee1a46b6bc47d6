//! One door in front of one service.

use core::fmt;
use core::task::{Context, Poll};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Body;
use http_body_util::Limited;
use ringwall_core::denial::Denial;
use ringwall_core::step::Step;
use ringwall_gate::Door;
use tower_layer::Layer;
use tower_service::Service;

use crate::body::GateBody;
use crate::future::{GateFuture, Pass};
use crate::refusal::refusal;
use crate::view::{Origin, OriginOf, Seen};

/// Renders a denial; the flag says whether the request was a `HEAD`.
pub type Refuse = fn(&Denial, bool) -> Response<Bytes>;

/// Puts one [`Door`] in front of a service.
///
/// Everything behind the layer shares the door's policy. Where routes differ, each route needs its
/// own layer: a layer in front of a router cannot know which route will be taken, and one that
/// guessed from the path would be a second router that disagrees with the first.
#[derive(Clone)]
pub struct GateLayer {
    door: Door,
    origin: OriginOf,
    refuse: Refuse,
}

impl GateLayer {
    /// A layer for `door`, with refusals as [`refusal`] renders them and the peer's address from
    /// [`Peer`](crate::Peer).
    #[must_use]
    pub fn new(door: Door) -> Self {
        Self {
            door,
            origin: Origin::plain,
            refuse: refusal,
        }
    }

    /// Finds the request's origin by another function: for frameworks that keep it elsewhere.
    #[must_use]
    pub fn with_origin(mut self, origin: OriginOf) -> Self {
        self.origin = origin;
        self
    }

    /// Renders refusals by another function: for protocols such as gRPC that answer HTTP 200.
    #[must_use]
    pub fn with_refusals(mut self, refuse: Refuse) -> Self {
        self.refuse = refuse;
        self
    }
}

impl fmt::Debug for GateLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateLayer")
            .field("door", &self.door)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind a [`Door`].
///
/// The inner service gets requests with an `Admitted` among their extensions, which replaces
/// any that was there, and with a body that fails once it is longer than the policy permits.
#[derive(Clone, Debug)]
pub struct GateService<S> {
    inner: S,
    layer: GateLayer,
}

impl<S, B, R> Service<Request<B>> for GateService<S>
where
    S: Service<Request<Limited<B>>, Response = Response<R>> + Clone,
    R: Body,
{
    type Response = Response<GateBody<R>>;
    type Error = S::Error;
    type Future = GateFuture<S, B, R>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let GateLayer {
            door,
            origin,
            refuse,
        } = &self.layer;
        let head = request.method() == Method::HEAD;
        let step = door.enter(&Seen::new(&request, origin(request.extensions())).view());
        match step {
            Step::Done(Ok((admitted, exit))) => {
                let pass = Pass::new(&admitted, exit);
                let request = crate::future::admit(request, admitted);
                GateFuture::running(self.inner.call(request), pass)
            }
            Step::Done(Err(denial)) => GateFuture::refused(refuse(&denial, head)),
            Step::Wait(future) => {
                // The service that was polled ready is the one that must be called: it may hold
                // a permit. The clone that takes its place has to be polled ready again.
                let clone = self.inner.clone();
                let ready = core::mem::replace(&mut self.inner, clone);
                let refuse = *refuse;
                GateFuture::entering(Step::Wait(future), ready, request, refuse, head)
            }
        }
    }
}
