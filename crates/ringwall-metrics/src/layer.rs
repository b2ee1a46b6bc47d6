//! Responses counted by a tower layer.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::sync::Arc;

use http::{Request, Response};
use pin_project_lite::pin_project;
use ringwall_core::clock::{MonotonicClock, SystemClock};
use tower_layer::Layer;
use tower_service::Service;

use crate::Metrics;

/// Counts each response by its status, with the time it took, and each request that ends without one.
///
/// Put it outermost, around the gate: a refusal is a response too. The time ends with the response's
/// header, so an answer that goes on for an hour took milliseconds.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    metrics: Metrics,
    clock: Arc<dyn MonotonicClock>,
}

impl MetricsLayer {
    /// Counts into `metrics`.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            clock: Arc::new(SystemClock::new()),
        }
    }

    /// What durations are measured with. The machine's clock unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.clock = clock;
        self
    }
}

impl<S> Layer<S> for MetricsLayer {
    type Service = MetricsService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MetricsService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service whose responses are counted.
#[derive(Clone, Debug)]
pub struct MetricsService<S> {
    inner: S,
    layer: MetricsLayer,
}

impl<S, B, R> Service<Request<B>> for MetricsService<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = MetricsFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let pending = Pending {
            began: self.layer.clock.elapsed(),
            layer: self.layer.clone(),
            is_over: false,
        };
        MetricsFuture {
            future: self.inner.call(request),
            pending,
        }
    }
}

pin_project! {
    /// A response that will be counted. Dropping it earlier counts its request as aborted.
    pub struct MetricsFuture<F> {
        #[pin]
        future: F,
        pending: Pending,
    }
}

impl<F, R, E> Future for MetricsFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.future.poll(context));
        this.pending
            .end(result.as_ref().ok().map(|response| response.status()));
        Poll::Ready(result)
    }
}

impl<F> fmt::Debug for MetricsFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsFuture").finish_non_exhaustive()
    }
}

/// A request without a response, so far.
struct Pending {
    layer: MetricsLayer,
    began: Duration,
    is_over: bool,
}

impl Pending {
    fn end(&mut self, status: Option<http::StatusCode>) {
        if self.is_over {
            return;
        }
        self.is_over = true;
        let MetricsLayer { metrics, clock } = &self.layer;
        match status {
            Some(status) => {
                let duration = clock.elapsed().saturating_sub(self.began);
                metrics.observe_response(status.as_u16(), duration);
            }
            None => metrics.observe_aborted(),
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.end(None);
    }
}
