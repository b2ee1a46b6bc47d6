//! A service behind its door.

use core::cell::OnceCell;
use core::future::{Future, IntoFuture, Ready, ready};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::rc::Rc;

use actix_service::boxed::{self, BoxServiceFactory};
use actix_web::body::MessageBody;
use actix_web::dev::{
    Extensions, Service, ServiceFactory, ServiceRequest, ServiceResponse, Transform, always_ready,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpMessage as _};
use pin_project_lite::pin_project;
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::step::{Step, StepFuture};
use ringwall_gate::{Admitted, Door, Entry, Exit};

use crate::answer_fields::tell;
use crate::body::{leased, without_content};
use crate::extract::{Misuse, Unauthorized};
use crate::payload::{self, Lift};
use crate::refusal::{mistake, refusal};
use crate::rejection::Refused;
use crate::view::{enter, strip};

/// A factory of services as actix-web's router keeps them.
pub(crate) type Factory = BoxServiceFactory<(), ServiceRequest, ServiceResponse, Error, ()>;

/// A service behind its [`Door`]. Each worker makes its own of it; the door is shared.
#[derive(Clone, Debug)]
pub(crate) struct Guard(pub(crate) Door);

impl Guard {
    /// Puts what `inner` makes behind the door.
    pub(crate) fn around<F, B>(self, inner: F) -> Factory
    where
        F: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = Error,
                InitError = (),
            > + 'static,
        F::Future: 'static,
        F::Service: 'static,
        B: MessageBody + 'static,
    {
        boxed::factory(actix_service::apply(self, inner))
    }
}

impl<S, B> Transform<S, ServiceRequest> for Guard
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Transform = Guarded<S>;
    type InitError = ();
    type Future = Ready<Result<Guarded<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(Guarded(Rc::new(Shared {
            inner,
            door: self.0.clone(),
            limits: OnceCell::new(),
        }))))
    }
}

/// A service behind a door, in one worker.
pub(crate) struct Guarded<S>(Rc<Shared<S>>);

struct Shared<S> {
    inner: S,
    door: Door,
    /// What actix's extractors read at most, once a request showed what the service configured.
    limits: OnceCell<Rc<Extensions>>,
}

impl<S, B> Service<ServiceRequest> for Guarded<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse;
    type Error = Error;
    type Future = GuardedFuture<S>;

    always_ready!();

    fn call(&self, request: ServiceRequest) -> GuardedFuture<S> {
        let state = match enter(&self.0.door, &request) {
            Step::Done(Ok((admitted, exit))) => self.0.admit(request, admitted, exit),
            Step::Done(Err(denial)) => State::Answered {
                response: Some(refuse(&denial, request)),
            },
            Step::Wait(future) => State::Entering {
                step: Step::Wait(future).into_future(),
                waiting: Some(Waiting {
                    shared: Rc::clone(&self.0),
                    request,
                }),
            },
        };
        GuardedFuture { state }
    }
}

impl<S: Service<ServiceRequest>> Shared<S> {
    /// Hands the proof to the service, in place of any that stood there, and bounds the body.
    fn admit(&self, mut request: ServiceRequest, admitted: Admitted, exit: Exit) -> State<S> {
        let limit = self.door.policy().body_limit();
        strip(&mut request, &admitted);
        request.extensions_mut().insert(admitted.clone());
        let lift = payload::bound(&mut request, limit);
        if payload::has_body(&request) {
            let make = || Rc::new(payload::extractor_limits(&request, limit));
            let limits = Rc::clone(self.limits.get_or_init(make));
            request.add_data_container(limits);
        }
        let is_head = request.method() == Method::HEAD;
        State::Running {
            future: self.inner.call(request),
            passage: Some(Passage {
                admitted,
                exit,
                is_head,
                lift,
            }),
        }
    }
}

/// What the guard keeps while the service runs. Dropping it records the request as cancelled.
struct Passage {
    /// The proof that was handed to the service, which may have put another in its place.
    admitted: Admitted,
    exit: Exit,
    is_head: bool,
    lift: Option<Lift>,
}

impl Passage {
    /// What of the service's answer is sent, and the step that settles its record.
    fn leave<B>(
        self,
        answer: Result<ServiceResponse<B>, Error>,
    ) -> (Result<ServiceResponse, Error>, Step<()>)
    where
        B: MessageBody + 'static,
    {
        let answer = answer.map(|response| {
            let mut response = self.amend(response.map_into_boxed_body());
            if let Some(fields) = self.admitted.answer_fields() {
                tell(response.headers_mut(), &fields);
            }
            response
        });
        let status = match &answer {
            Ok(response) => {
                self.report(response.response().error());
                response.status()
            }
            // Of a middleware between door and handler. actix renders it, further outside, and it tells no
            // nonce and no limits: handlers and extractors answer by themselves.
            Err(error) => {
                self.report(Some(error));
                error.error_response().status()
            }
        };
        if let (Some(lift), StatusCode::SWITCHING_PROTOCOLS) = (self.lift, status) {
            lift.now();
        }
        (answer, self.exit.finish(status.as_u16(), None))
    }

    fn amend(&self, response: ServiceResponse) -> ServiceResponse {
        let noted = response.request().extensions_mut().remove::<Misuse>();
        if noted.is_some() {
            let cause = "a handler asks who is calling on a public route";
            self.admitted.report(EventKind::Misconfigured, cause);
            return response.into_response(mistake());
        }
        let noted = response.request().extensions_mut().remove::<Unauthorized>();
        let response = match noted {
            Some(Unauthorized(denial)) => response.into_response(refusal(&denial)),
            None => response,
        };
        response.map_body(|_, body| {
            if self.is_head {
                without_content(body)
            } else {
                leased(body, || self.admitted.lease())
            }
        })
    }

    /// Emits the event of an extractor's refusal, once it is known to be the answer.
    fn report(&self, error: Option<&Error>) {
        let refused = error.and_then(|error| error.as_error::<Refused>());
        if let Some((kind, cause)) = refused.and_then(Refused::event) {
            self.admitted.report(kind, cause);
        }
    }
}

/// Renders a denial as the response to `request`.
pub(crate) fn refuse(denial: &Denial, request: ServiceRequest) -> ServiceResponse {
    let is_head = request.method() == Method::HEAD;
    let response = request.into_response(refusal(denial));
    if is_head {
        response.map_body(|_, body| without_content(body))
    } else {
        response
    }
}

pin_project! {
    /// The way of one request through its door, its service and the exit.
    pub(crate) struct GuardedFuture<S>
    where
        S: Service<ServiceRequest>,
    {
        #[pin]
        state: State<S>,
    }
}

pin_project! {
    #[project = StateProject]
    enum State<S>
    where
        S: Service<ServiceRequest>,
    {
        Entering {
            step: StepFuture<Entry>,
            waiting: Option<Waiting<S>>,
        },
        Running {
            #[pin]
            future: S::Future,
            passage: Option<Passage>,
        },
        Settling {
            step: StepFuture<()>,
            answer: Option<Result<ServiceResponse, Error>>,
        },
        Answered {
            response: Option<ServiceResponse>,
        },
    }
}

struct Waiting<S> {
    shared: Rc<Shared<S>>,
    request: ServiceRequest,
}

impl<S, B> Future for GuardedFuture<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody + 'static,
{
    type Output = Result<ServiceResponse, Error>;

    /// Like a fused future, it stays pending after its answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            let next = match state.as_mut().project() {
                StateProject::Entering { step, waiting } => {
                    let entry = ready!(Pin::new(step).poll(context));
                    let Some(Waiting { shared, request }) = waiting.take() else {
                        return Poll::Pending;
                    };
                    match entry {
                        Ok((admitted, exit)) => shared.admit(request, admitted, exit),
                        Err(denial) => State::Answered {
                            response: Some(refuse(&denial, request)),
                        },
                    }
                }
                StateProject::Running { future, passage } => {
                    let answer = ready!(future.poll(context));
                    let Some(passage) = passage.take() else {
                        return Poll::Pending;
                    };
                    let (answer, step) = passage.leave(answer);
                    State::Settling {
                        step: step.into_future(),
                        answer: Some(answer),
                    }
                }
                StateProject::Settling { step, answer } => {
                    ready!(Pin::new(step).poll(context));
                    return answer.take().map_or(Poll::Pending, Poll::Ready);
                }
                StateProject::Answered { response } => {
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            };
            state.set(next);
        }
    }
}
