//! The way of one request through a door, its service and the exit.

use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Limited;
use pin_project_lite::pin_project;
use ringwall_core::step::{Step, StepFuture};
use ringwall_gate::{Admitted, AnswerFields, Entry, Exit, Lease};
use tower_service::Service;

use crate::answer_fields::tell;
use crate::body::GateBody;
use crate::layer::Refuse;
use crate::view::strip;

pin_project! {
    /// The way of one request through a door, its service and the exit. Nothing is boxed unless
    /// the gate has to wait.
    ///
    /// Dropping it while the service runs drops the exit too, so the request is recorded as
    /// cancelled.
    pub struct GateFuture<S, B, R>
    where
        S: Service<Request<Limited<B>>, Response = Response<R>>,
    {
        #[pin]
        state: State<S, B, R>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<S, B, R>
    where
        S: Service<Request<Limited<B>>, Response = Response<R>>,
    {
        Entering {
            step: StepFuture<Entry>,
            waiting: Option<Waiting<S, B>>,
        },
        Running {
            #[pin]
            future: S::Future,
            pass: Option<Pass>,
        },
        Settling {
            step: StepFuture<()>,
            response: Option<Response<R>>,
            lease: Option<Lease>,
        },
        Refused {
            response: Option<Response<Bytes>>,
        },
    }
}

/// What a request carries while its service runs.
pub(crate) struct Pass {
    exit: Exit,
    lease: Option<Lease>,
    fields: Option<AnswerFields>,
}

impl Pass {
    pub(crate) fn new(admitted: &Admitted, exit: Exit) -> Self {
        Self {
            exit,
            lease: admitted.lease(),
            fields: admitted.answer_fields(),
        }
    }
}

struct Waiting<S, B> {
    service: S,
    request: Request<B>,
    refuse: Refuse,
    head: bool,
}

/// Hands the proof to the service, in place of any that stood there, and bounds the body.
pub(crate) fn admit<B>(mut request: Request<B>, admitted: Admitted) -> Request<Limited<B>> {
    let limit = admitted.door().policy().body_limit();
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    strip(request.headers_mut(), &admitted);
    request.extensions_mut().insert(admitted);
    request.map(|body| Limited::new(body, limit))
}

impl<S, B, R> GateFuture<S, B, R>
where
    S: Service<Request<Limited<B>>, Response = Response<R>>,
{
    pub(crate) const fn running(future: S::Future, pass: Pass) -> Self {
        Self {
            state: State::Running {
                future,
                pass: Some(pass),
            },
        }
    }

    pub(crate) const fn refused(response: Response<Bytes>) -> Self {
        Self {
            state: State::Refused {
                response: Some(response),
            },
        }
    }

    pub(crate) fn entering(
        step: Step<Entry>,
        service: S,
        request: Request<B>,
        refuse: Refuse,
        head: bool,
    ) -> Self {
        Self {
            state: State::Entering {
                step: step.into_future(),
                waiting: Some(Waiting {
                    service,
                    request,
                    refuse,
                    head,
                }),
            },
        }
    }
}

impl<S, B, R> Future for GateFuture<S, B, R>
where
    S: Service<Request<Limited<B>>, Response = Response<R>>,
    R: Body,
{
    type Output = Result<Response<GateBody<R>>, S::Error>;

    /// Like a fused future, it stays pending after its answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProject::Entering { step, waiting } => {
                    let entry = ready!(Pin::new(step).poll(context));
                    let Some(Waiting {
                        mut service,
                        request,
                        refuse,
                        head,
                    }) = waiting.take()
                    else {
                        return Poll::Pending;
                    };
                    match entry {
                        Ok((admitted, exit)) => State::Running {
                            pass: Some(Pass::new(&admitted, exit)),
                            future: service.call(admit(request, admitted)),
                        },
                        Err(denial) => State::Refused {
                            response: Some(refuse(&denial, head)),
                        },
                    }
                }
                StateProject::Running { future, pass } => {
                    // On an error the exit is dropped with this future: no answer, so cancelled.
                    let mut response = ready!(future.poll(context))?;
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
                    match exit.finish(response.status().as_u16(), None) {
                        Step::Wait(step) => State::Settling {
                            step: Step::Wait(step).into_future(),
                            response: Some(response),
                            lease,
                        },
                        Step::Done(()) => {
                            state.set(State::Refused { response: None });
                            let response = response.map(|body| GateBody::service(body, lease));
                            return Poll::Ready(Ok(response));
                        }
                    }
                }
                StateProject::Settling {
                    step,
                    response,
                    lease,
                } => {
                    ready!(Pin::new(step).poll(context));
                    return match response.take() {
                        Some(response) => {
                            let lease = lease.take();
                            Poll::Ready(Ok(response.map(|body| GateBody::service(body, lease))))
                        }
                        None => Poll::Pending,
                    };
                }
                StateProject::Refused { response } => {
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response.map(GateBody::refusal))),
                        None => Poll::Pending,
                    };
                }
            };
            state.set(next);
        }
    }
}

impl<S, B, R> fmt::Debug for GateFuture<S, B, R>
where
    S: Service<Request<Limited<B>>, Response = Response<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GateFuture").finish_non_exhaustive()
    }
}
