//! What a service tells browsers, as tower layers. What is told is decided by `ringwall-browser`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use ringwall_browser::{About, CorsPolicy, CorsVerdict, CspNonce, ResponseFields, SecurityHeaders};
use ringwall_transport::TrustedProxies;
use tower_layer::Layer;
use tower_service::Service;

use crate::view::{Origin, OriginOf, Seen};

/// Answers preflights and says which pages of other origins may read answers, as a [`CorsPolicy`]
/// decides.
///
/// It belongs in front of the gate, since browsers send no credentials with a preflight, and in front of
/// whatever may answer instead of the service (a time-out, a limit), so that pages can read those
/// answers too. Whatever else put CORS fields into an answer is overruled, so that one service has one
/// policy: around a part of a service that has its own, it must not be there a second time.
#[derive(Clone, Debug)]
pub struct CorsPolicyLayer {
    policy: CorsPolicy,
}

impl CorsPolicyLayer {
    /// A layer for `policy`.
    #[must_use]
    pub const fn new(policy: CorsPolicy) -> Self {
        Self { policy }
    }
}

impl<S> Layer<S> for CorsPolicyLayer {
    type Service = CorsPolicyService<S>;

    fn layer(&self, inner: S) -> CorsPolicyService<S> {
        CorsPolicyService {
            inner,
            policy: self.policy.clone(),
        }
    }
}

/// A service behind a [`CorsPolicyLayer`].
#[derive(Clone, Debug)]
pub struct CorsPolicyService<S> {
    inner: S,
    policy: CorsPolicy,
}

impl<S, B, R> Service<Request<B>> for CorsPolicyService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: Default,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = CorsPolicyFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The origin that a page names is in a header field; whose connection it is plays no part.
        let verdict = self
            .policy
            .judge(&Seen::new(&request, Origin::default()).view());
        let running = (!verdict.is_preflight()).then(|| self.inner.call(request));
        CorsPolicyFuture { running, verdict }
    }
}

pin_project! {
    /// The way of one request behind a [`CorsPolicyLayer`].
    pub struct CorsPolicyFuture<F> {
        // None for a preflight, which the service does not see.
        #[pin]
        running: Option<F>,
        verdict: CorsVerdict,
    }
}

impl<F, R, E> Future for CorsPolicyFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Default,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = match this.running.as_pin_mut() {
            Some(running) => ready!(running.poll(context))?,
            None => {
                let mut response = Response::new(R::default());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
        };
        this.verdict.apply(&mut Fields(response.headers_mut()));
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for CorsPolicyFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsPolicyFuture").finish_non_exhaustive()
    }
}

/// Puts [`SecurityHeaders`] into every answer.
///
/// It belongs outside of everything that answers, so that no refusal and no error page goes without. When
/// the policy has nonces, the service finds the request's [`CspNonce`] among its extensions. Should the
/// system give no random bytes, there is none, and the policy blocks what would have carried it.
#[derive(Clone)]
pub struct SecurityHeadersLayer {
    headers: SecurityHeaders,
    proxies: TrustedProxies,
    origin: OriginOf,
}

impl SecurityHeadersLayer {
    /// A layer that finds the scheme of the connection in an extension of type [`Peer`](crate::Peer). It
    /// sends `Strict-Transport-Security` only when that is `https`.
    #[must_use]
    pub const fn new(headers: SecurityHeaders) -> Self {
        Self {
            headers,
            proxies: TrustedProxies::none(),
            origin: Origin::plain,
        }
    }

    /// Takes the scheme from these proxies, when a request comes from one.
    #[must_use]
    pub fn with_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }

    /// Finds the connection by another function: for frameworks that keep it elsewhere.
    #[must_use]
    pub const fn with_origin(mut self, origin: OriginOf) -> Self {
        self.origin = origin;
        self
    }

    fn is_secure<B>(&self, request: &Request<B>) -> bool {
        let seen = Seen::new(request, (self.origin)(request.extensions()));
        self.proxies.client(&seen.view()).scheme() == Some("https")
    }
}

impl fmt::Debug for SecurityHeadersLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityHeadersLayer")
            .field("headers", &self.headers)
            .field("proxies", &self.proxies)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for SecurityHeadersLayer {
    type Service = SecurityHeadersService<S>;

    fn layer(&self, inner: S) -> SecurityHeadersService<S> {
        SecurityHeadersService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind a [`SecurityHeadersLayer`].
#[derive(Clone, Debug)]
pub struct SecurityHeadersService<S> {
    inner: S,
    layer: SecurityHeadersLayer,
}

impl<S, B, R> Service<Request<B>> for SecurityHeadersService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = SecurityHeadersFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let is_secure = self.layer.is_secure(&request);
        let nonce = self.layer.headers.begin().unwrap_or_else(|error| {
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
            headers: self.layer.headers.clone(),
            is_secure,
            nonce,
        }
    }
}

pin_project! {
    /// The way of one request behind a [`SecurityHeadersLayer`].
    pub struct SecurityHeadersFuture<F> {
        #[pin]
        running: F,
        headers: SecurityHeaders,
        is_secure: bool,
        nonce: Option<CspNonce>,
    }
}

impl<F, R, E> Future for SecurityHeadersFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.running.poll(context))?;
        let about = About {
            is_secure: *this.is_secure,
            status: response.status().as_u16(),
            nonce: this.nonce.as_ref(),
        };
        this.headers
            .apply(about, &mut Fields(response.headers_mut()));
        Poll::Ready(Ok(response))
    }
}

impl<F> fmt::Debug for SecurityHeadersFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecurityHeadersFuture")
            .finish_non_exhaustive()
    }
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
