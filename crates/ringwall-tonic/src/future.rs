//! The way of one call through its door, its service and the exit.

use core::fmt;
use core::future::{Future, IntoFuture as _};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use ringwall_core::step::{Step, StepFuture};
use ringwall_gate::{Admitted, AnswerFields, Entry, Exit};
use ringwall_tower::tell_grpc;
use tower_service::Service;

use crate::protocol::{Asked, UNKNOWN, code_in};
use crate::request_body::{BoxError, RequestBody};
use crate::response_body::GuardedBody;
use crate::watch::Tenure;

pin_project! {
    /// The way of one call through its door and its service. Its exit goes on with the body of the
    /// answer, since a gRPC call says at its end how it went.
    ///
    /// Dropping it while the service runs (the client left, its deadline passed) drops the exit, so
    /// that the call is recorded as cancelled.
    pub struct GuardedFuture<S, B, R>
    where
        S: Service<Request<tonic::body::Body>, Response = Response<R>>,
    {
        #[pin]
        state: State<S, B, R>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<S, B, R>
    where
        S: Service<Request<tonic::body::Body>, Response = Response<R>>,
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
            response: Option<Response<GuardedBody<R>>>,
        },
    }
}

struct Waiting<S, B> {
    service: S,
    request: Request<B>,
    asked: Asked,
}

/// What a call carries while its service runs.
struct Pass {
    exit: Exit,
    tenure: Option<Arc<Tenure>>,
    fields: Option<AnswerFields>,
}

impl<S, B, R> GuardedFuture<S, B, R>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes>,
{
    /// After the door has answered at once.
    pub(crate) fn decided(
        entry: Entry,
        service: &mut S,
        request: Request<B>,
        asked: Asked,
    ) -> Self {
        Self {
            state: State::decided(entry, service, request, asked),
        }
    }

    /// While the door waits. The service was polled ready.
    pub(crate) fn entering(
        step: Step<Entry>,
        service: S,
        request: Request<B>,
        asked: Asked,
    ) -> Self {
        Self {
            state: State::Entering {
                step: step.into_future(),
                waiting: Some(Waiting {
                    service,
                    request,
                    asked,
                }),
            },
        }
    }
}

impl<S, B, R> State<S, B, R>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes>,
{
    fn decided(entry: Entry, service: &mut S, request: Request<B>, asked: Asked) -> Self {
        match (entry, asked.turn_away()) {
            (Err(denial), _) => Self::answered(asked.refuse(&denial), Step::Done(())),
            (Ok((admitted, exit)), Some(mut answer)) => {
                if let Some(fields) = admitted.answer_fields() {
                    tell_grpc(answer.response.headers_mut(), &fields);
                }
                let status = answer.response.status().as_u16();
                Self::answered(answer.response, exit.finish(status, answer.grpc))
            }
            (Ok((admitted, exit)), None) => {
                let tenure = Tenure::of(&admitted);
                let fields = admitted.answer_fields();
                let request = admit(request, admitted, tenure.clone());
                Self::Running {
                    future: service.call(request),
                    pass: Some(Pass {
                        exit,
                        tenure,
                        fields,
                    }),
                }
            }
        }
    }

    fn answered(response: Response<Bytes>, step: Step<()>) -> Self {
        Self::Settling {
            step: step.into_future(),
            response: Some(response.map(GuardedBody::refusal)),
        }
    }

    /// After the service has answered. An answer without a body is the end of the call
    /// (`Trailers-Only`), so it is recorded before it is sent.
    fn sending(mut response: Response<R>, pass: Pass) -> Self {
        let status = response.status().as_u16();
        let code = code_in(response.headers());
        let Pass {
            exit,
            tenure,
            fields,
        } = pass;
        if let Some(fields) = fields {
            tell_grpc(response.headers_mut(), &fields);
        }
        if response.body().is_end_stream() {
            return Self::Settling {
                step: exit
                    .finish(status, Some(code.unwrap_or(UNKNOWN)))
                    .into_future(),
                response: Some(response.map(GuardedBody::settled)),
            };
        }
        Self::Settling {
            step: Step::Done(()).into_future(),
            response: Some(
                response.map(|body| GuardedBody::open(body, exit, status, code, tenure)),
            ),
        }
    }
}

/// Hands the proof to the service, in place of any that stood there; takes out the header fields that
/// this caller may not set; and wraps what the client sends.
fn admit<B>(
    mut request: Request<B>,
    admitted: Admitted,
    tenure: Option<Arc<Tenure>>,
) -> Request<tonic::body::Body>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    if !admitted.stripped().is_empty() {
        let names = request.headers().keys();
        let stripped: Vec<_> = names
            .filter(|name| admitted.is_stripped(name.as_str()))
            .cloned()
            .collect();
        for name in stripped {
            request.headers_mut().remove(name);
        }
    }
    let (mut parts, body) = request.into_parts();
    let body = tonic::body::Body::new(RequestBody::new(body, &admitted, tenure));
    parts.extensions.insert(admitted);
    Request::from_parts(parts, body)
}

impl<S, B, R> Future for GuardedFuture<S, B, R>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes>,
{
    type Output = Result<Response<GuardedBody<R>>, S::Error>;

    /// Like a fused future, it stays pending after its answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProject::Entering { step, waiting } => {
                    let entry = ready!(Pin::new(step).poll(context));
                    let Some(waiting) = waiting.take() else {
                        return Poll::Pending;
                    };
                    let Waiting {
                        mut service,
                        request,
                        asked,
                    } = waiting;
                    State::decided(entry, &mut service, request, asked)
                }
                StateProject::Running { future, pass } => {
                    // On an error the exit is dropped with this future: no answer, so cancelled.
                    let response = ready!(future.poll(context))?;
                    let Some(pass) = pass.take() else {
                        return Poll::Pending;
                    };
                    State::sending(response, pass)
                }
                StateProject::Settling { step, response } => {
                    ready!(Pin::new(step).poll(context));
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response)),
                        None => Poll::Pending,
                    };
                }
            };
            state.set(next);
        }
    }
}

impl<S, B, R> fmt::Debug for GuardedFuture<S, B, R>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedFuture").finish_non_exhaustive()
    }
}
