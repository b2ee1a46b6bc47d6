//! A handler behind its door.

use core::fmt;
use core::future::{Future, IntoFuture, Ready, ready};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::response::Response;
use http_body::Body as _;
use http_body_util::Limited;
use pin_project_lite::pin_project;
use ringwall_core::denial::Denial;
use ringwall_core::step::{Step, StepFuture};
use ringwall_gate::{Admitted, AnswerFields, Door, Entry, Exit, Lease};
use ringwall_tower::{Leased, Seen, refusal, strip, tell};

use crate::origin::origin;

/// What axum's own extractors read at most unless told otherwise.
const AXUM_LIMIT: u64 = 2 * 1024 * 1024;

/// A handler behind its [`Door`].
///
/// The guard is itself a handler, and not a layer around one: a layer would make axum box another
/// service for each route and clone it for each request.
#[derive(Clone)]
pub(crate) struct Guarded<H> {
    handler: H,
    door: Door,
}

impl<H> Guarded<H> {
    pub(crate) const fn new(handler: H, door: Door) -> Self {
        Self { handler, door }
    }
}

impl<H, T, S> Handler<T, S> for Guarded<H>
where
    H: Handler<T, S>,
    T: 'static,
    S: Send + 'static,
{
    type Future = GuardedFuture<H, T, S>;

    fn call(self, request: Request, state: S) -> Self::Future {
        let step = {
            let seen = Seen::new(&request, origin(request.extensions()));
            self.door.enter(&seen.view())
        };
        let state = match step {
            Step::Done(Ok((admitted, exit))) => State::Running {
                pass: Some(Pass::new(&admitted, exit)),
                future: self.handler.call(admit(request, admitted), state),
            },
            Step::Done(Err(denial)) => State::Answered {
                response: Some(refuse(&denial, request.method())),
            },
            Step::Wait(future) => State::Entering {
                step: Step::Wait(future).into_future(),
                waiting: Some(Waiting {
                    handler: self.handler,
                    request,
                    state,
                }),
            },
        };
        GuardedFuture { state }
    }
}

/// An answer that goes on ends when the credential of its caller does.
fn bound(response: Response, lease: Option<Lease>) -> Response {
    match lease {
        Some(lease) if Leased::is_needed(response.body()) => {
            response.map(|body| Body::new(Leased::new(body, lease)))
        }
        Some(_) | None => response,
    }
}

/// Renders a denial as axum's response.
pub(crate) fn refuse(denial: &Denial, method: &Method) -> Response {
    refusal(denial, *method == Method::HEAD).map(Body::from)
}

/// Hands the proof to the handler, in place of any that stood there, and bounds the body.
fn admit(mut request: Request, admitted: Admitted) -> Request {
    let limit = admitted.door().policy().body_limit();
    strip(request.headers_mut(), &admitted);
    request.extensions_mut().insert(admitted);
    // A body that states its length was compared already, and the server reads no more of it
    // than that. Wrapping costs an allocation, so it is left to those that might be longer.
    let bounded = request.body().size_hint().upper();
    if bounded.is_some_and(|length| length <= limit.min(AXUM_LIMIT)) {
        return request;
    }
    if limit > AXUM_LIMIT {
        // The route's policy is the limit. Without this, axum's own would cut in below it.
        DefaultBodyLimit::disable().apply(&mut request);
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    request.map(|body| Body::new(Limited::new(body, limit)))
}

pin_project! {
    /// The way of one request through its door, its handler and the exit.
    pub(crate) struct GuardedFuture<H, T, S>
    where
        H: Handler<T, S>,
    {
        #[pin]
        state: State<H, T, S>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<H, T, S>
    where
        H: Handler<T, S>,
    {
        Entering {
            step: StepFuture<Entry>,
            waiting: Option<Waiting<H, S>>,
        },
        Running {
            #[pin]
            future: H::Future,
            pass: Option<Pass>,
        },
        Settling {
            step: StepFuture<()>,
            response: Option<Response>,
        },
        Answered {
            response: Option<Response>,
        },
    }
}

/// What a request carries while its handler runs.
struct Pass {
    exit: Exit,
    lease: Option<Lease>,
    fields: Option<AnswerFields>,
}

impl Pass {
    fn new(admitted: &Admitted, exit: Exit) -> Self {
        Self {
            exit,
            lease: admitted.lease(),
            fields: admitted.answer_fields(),
        }
    }
}

struct Waiting<H, S> {
    handler: H,
    request: Request,
    state: S,
}

impl<H, T, S> Future for GuardedFuture<H, T, S>
where
    H: Handler<T, S>,
{
    type Output = Response;

    /// Like a fused future, it stays pending after its answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProject::Entering { step, waiting } => {
                    let entry = ready!(Pin::new(step).poll(context));
                    let Some(Waiting {
                        handler,
                        request,
                        state,
                    }) = waiting.take()
                    else {
                        return Poll::Pending;
                    };
                    match entry {
                        Ok((admitted, exit)) => State::Running {
                            pass: Some(Pass::new(&admitted, exit)),
                            future: handler.call(admit(request, admitted), state),
                        },
                        Err(denial) => State::Answered {
                            response: Some(refuse(&denial, request.method())),
                        },
                    }
                }
                StateProject::Running { future, pass } => {
                    let mut response = ready!(future.poll(context));
                    let Some(Pass {
                        exit,
                        lease,
                        fields,
                    }) = pass.take()
                    else {
                        return Poll::Pending;
                    };
                    if let Some(fields) = fields {
                        tell(response.headers_mut(), &fields);
                    }
                    let response = bound(response, lease);
                    match exit.finish(response.status().as_u16(), None) {
                        Step::Wait(step) => State::Settling {
                            step: Step::Wait(step).into_future(),
                            response: Some(response),
                        },
                        Step::Done(()) => State::Answered {
                            response: Some(response),
                        },
                    }
                }
                StateProject::Settling { step, response } => {
                    ready!(Pin::new(step).poll(context));
                    State::Answered {
                        response: response.take(),
                    }
                }
                StateProject::Answered { response } => {
                    return response.take().map_or(Poll::Pending, Poll::Ready);
                }
            };
            state.set(next);
        }
    }
}

impl<H, T, S> fmt::Debug for GuardedFuture<H, T, S>
where
    H: Handler<T, S>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFuture").finish_non_exhaustive()
    }
}

/// A handler that refuses whoever came through its door: an unknown path, a method that the path
/// does not have.
#[derive(Clone, Debug)]
pub(crate) struct Refuses(pub(crate) Denial);

impl<S> Handler<Denial, S> for Refuses {
    type Future = Ready<Response>;

    fn call(self, request: Request, _state: S) -> Self::Future {
        ready(refuse(&self.0, request.method()))
    }
}
