//! What a service tells browsers, as middleware of actix-web. What is told is decided by
//! `ringwall-browser`.

use core::future::{Future, Ready, ready};
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::{Error, HttpMessage as _, HttpResponse};
use pin_project_lite::pin_project;
use ringwall_browser::{About, CorsPolicy, CorsVerdict, CspNonce, ResponseFields, SecurityHeaders};
use ringwall_transport::TrustedProxies;

use crate::view::view;

/// Answers preflights and says which pages of other origins may read answers, as a [`CorsPolicy`]
/// decides: `App::new().wrap(CorsPolicyMiddleware::new(policy)).configure(…)`.
///
/// It belongs in front of the gate, since browsers send no credentials with a preflight, and in front of
/// whatever may answer instead of the app (a time-out, a limit), so that pages can read those answers too:
/// in actix-web what is wrapped last is outermost. Whatever else put CORS fields into an answer is
/// overruled, so that one app has one policy: around a part of an app that has its own, it must not be
/// there a second time.
#[derive(Clone, Debug)]
pub struct CorsPolicyMiddleware {
    policy: CorsPolicy,
}

impl CorsPolicyMiddleware {
    /// Middleware for `policy`.
    #[must_use]
    pub const fn new(policy: CorsPolicy) -> Self {
        Self { policy }
    }
}

impl<S, B> Transform<S, ServiceRequest> for CorsPolicyMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Transform = CorsPolicyService<S>;
    type InitError = ();
    type Future = Ready<Result<CorsPolicyService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(CorsPolicyService {
            inner,
            policy: self.policy.clone(),
        }))
    }
}

/// An app behind a [`CorsPolicyMiddleware`], in one worker.
#[derive(Debug)]
pub struct CorsPolicyService<S> {
    inner: S,
    policy: CorsPolicy,
}

impl<S, B> Service<ServiceRequest> for CorsPolicyService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    type Response = ServiceResponse<EitherBody<B>>;
    type Error = Error;
    type Future = CorsPolicyFuture<S::Future>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let verdict = view(&request, |view| self.policy.judge(view));
        let state = if verdict.is_preflight() {
            let response = request.into_response(HttpResponse::NoContent().finish());
            CorsState::Preflight {
                response: Some(response),
            }
        } else {
            CorsState::Actual {
                running: self.inner.call(request),
            }
        };
        CorsPolicyFuture { state, verdict }
    }
}

pin_project! {
    /// The way of one request behind a [`CorsPolicyMiddleware`].
    pub struct CorsPolicyFuture<F> {
        #[pin]
        state: CorsState<F>,
        verdict: CorsVerdict,
    }
}

pin_project! {
    #[project = CorsStateProject]
    enum CorsState<F> {
        Preflight { response: Option<ServiceResponse> },
        Actual { #[pin] running: F },
    }
}

impl<F, B> Future for CorsPolicyFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
    B: MessageBody,
{
    type Output = Result<ServiceResponse<EitherBody<B>>, Error>;

    /// Like a fused future, it stays pending after a preflight's answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.state.project() {
            CorsStateProject::Preflight { response } => match response.take() {
                Some(response) => response.map_into_right_body(),
                None => return Poll::Pending,
            },
            CorsStateProject::Actual { running } => match ready!(running.poll(context)) {
                Ok(response) => response.map_into_left_body(),
                Err(error) => {
                    let verdict = this.verdict.clone();
                    return Poll::Ready(Err(amend(error, move |_, answer| verdict.apply(answer))));
                }
            },
        };
        this.verdict.apply(&mut Fields(response.headers_mut()));
        Poll::Ready(Ok(response))
    }
}

/// Puts [`SecurityHeaders`] into every answer:
/// `App::new().configure(…).wrap(SecurityHeadersMiddleware::new(headers))`.
///
/// It belongs outside of everything that answers, so that no refusal and no error page goes without: in
/// actix-web what is wrapped last is outermost. What actix-web answers before there is a request (a
/// malformed head, a head that takes too long) no middleware sees.
///
/// When the policy has nonces, the app finds the request's [`CspNonce`] among its extensions
/// (`web::ReqData<CspNonce>`). Should the system give no random bytes, there is none, and the policy
/// blocks what would have carried it.
#[derive(Clone, Debug)]
pub struct SecurityHeadersMiddleware {
    headers: SecurityHeaders,
    proxies: TrustedProxies,
}

impl SecurityHeadersMiddleware {
    /// Middleware that takes the scheme from the connection, of which
    /// [`on_connect`](crate::on_connect) or `serve` (feature `tls`) knows. It sends
    /// `Strict-Transport-Security` only when that is `https`.
    #[must_use]
    pub const fn new(headers: SecurityHeaders) -> Self {
        Self {
            headers,
            proxies: TrustedProxies::none(),
        }
    }

    /// Takes the scheme from these proxies, when a request comes from one.
    #[must_use]
    pub fn with_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }
}

impl<S, B> Transform<S, ServiceRequest> for SecurityHeadersMiddleware
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Transform = SecurityHeadersService<S>;
    type InitError = ();
    type Future = Ready<Result<SecurityHeadersService<S>, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(SecurityHeadersService {
            inner,
            middleware: self.clone(),
        }))
    }
}

/// An app behind a [`SecurityHeadersMiddleware`], in one worker.
#[derive(Debug)]
pub struct SecurityHeadersService<S> {
    inner: S,
    middleware: SecurityHeadersMiddleware,
}

impl<S, B> Service<ServiceRequest> for SecurityHeadersService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error>,
{
    type Response = ServiceResponse<B>;
    type Error = Error;
    type Future = SecurityHeadersFuture<S::Future>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let SecurityHeadersMiddleware { headers, proxies } = &self.middleware;
        let is_secure = view(&request, |view| {
            proxies.client(view).scheme() == Some("https")
        });
        let nonce = headers.begin().unwrap_or_else(|error| {
            tracing::error!(%error, "a page goes out without a nonce, so its scripts are blocked");
            None
        });
        match &nonce {
            Some(nonce) => request.extensions_mut().insert(nonce.clone()),
            // One that somebody else left there is announced to nobody.
            None => request.extensions_mut().remove::<CspNonce>(),
        };
        SecurityHeadersFuture {
            running: self.inner.call(request),
            answer: Some(Pending {
                headers: headers.clone(),
                is_secure,
                nonce,
            }),
        }
    }
}

pin_project! {
    /// The way of one request behind a [`SecurityHeadersMiddleware`].
    pub struct SecurityHeadersFuture<F> {
        #[pin]
        running: F,
        answer: Option<Pending>,
    }
}

/// What is kept until the app has answered.
struct Pending {
    headers: SecurityHeaders,
    is_secure: bool,
    nonce: Option<CspNonce>,
}

impl Pending {
    fn apply(&self, status: u16, answer: &mut Fields<'_>) {
        let about = About {
            is_secure: self.is_secure,
            status,
            nonce: self.nonce.as_ref(),
        };
        self.headers.apply(about, answer);
    }
}

impl<F, B> Future for SecurityHeadersFuture<F>
where
    F: Future<Output = Result<ServiceResponse<B>, Error>>,
{
    type Output = Result<ServiceResponse<B>, Error>;

    /// Like a fused future, it stays pending after its answer was taken.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let outcome = ready!(this.running.poll(context));
        let Some(pending) = this.answer.take() else {
            return Poll::Pending;
        };
        Poll::Ready(match outcome {
            Ok(mut response) => {
                let status = response.status().as_u16();
                pending.apply(status, &mut Fields(response.headers_mut()));
                Ok(response)
            }
            Err(error) => Err(amend(error, move |status, answer| {
                pending.apply(status, answer);
            })),
        })
    }
}

/// Amends what actix-web makes of an error, further outside.
fn amend(mut error: Error, change: impl Fn(u16, &mut Fields<'_>) + 'static) -> Error {
    error.add_response_mapper(move |mut response| {
        let status = response.status().as_u16();
        change(status, &mut Fields(response.headers_mut()));
        response
    });
    error
}

/// The fields of a response.
struct Fields<'a>(&'a mut HeaderMap);

impl ResponseFields for Fields<'_> {
    fn visit(&self, name: &str, visit: &mut dyn FnMut(&[u8])) {
        for value in self.0.get_all(name) {
            visit(value.as_bytes());
        }
    }

    fn remove(&mut self, name: &'static str) {
        self.0.remove(name);
    }

    fn append(&mut self, name: &'static str, value: &str) {
        // Every value is visible ASCII, so that this cannot fail.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.append(HeaderName::from_static(name), value);
        }
    }
}
