//! The layer, around services that answer, fail and never end.
#![cfg(test)]
#![cfg(feature = "tower")]

use core::convert::Infallible;
use core::future::{Future, pending, ready};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_metrics::{Metrics, MetricsLayer};
use tower_layer::Layer as _;
use tower_service::Service;

/// Answers by a function.
struct Answering<F>(F);

impl<F, A, E> Service<Request<()>> for Answering<F>
where
    F: Fn() -> A,
    A: Future<Output = Result<Response<()>, E>>,
{
    type Response = Response<()>;
    type Error = E;
    type Future = A;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), E>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> A {
        (self.0)()
    }
}

struct Setting {
    metrics: Metrics,
    clock: Arc<ManualClock>,
}

impl Setting {
    fn new() -> Self {
        Self {
            metrics: Metrics::builder().build().unwrap(),
            clock: Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)),
        }
    }

    /// One request, which is asked once for its answer and then dropped.
    fn ask<A, E>(&self, answer: impl Fn() -> A)
    where
        A: Future<Output = Result<Response<()>, E>>,
    {
        let layer = MetricsLayer::new(self.metrics.clone()).clock(self.clock.clone());
        let mut service = layer.layer(Answering(answer));
        let future = service.call(Request::new(()));
        self.clock.advance(Duration::from_millis(20));
        let mut context = Context::from_waker(Waker::noop());
        drop(pin!(future).poll(&mut context));
    }

    fn has(&self, line: &str) {
        let rendered = self.metrics.render();
        assert!(
            rendered.contains(&format!("\n{line}\n")),
            "{line}\n{rendered}"
        );
    }
}

fn answer(status: StatusCode) -> impl Future<Output = Result<Response<()>, Infallible>> {
    let mut response = Response::new(());
    *response.status_mut() = status;
    ready(Ok(response))
}

#[test]
fn a_response_is_counted_once_with_its_status_and_time() {
    let setting = Setting::new();
    setting.ask(|| answer(StatusCode::FORBIDDEN));
    setting.has("ringwall_http_responses_total{class=\"4xx\"} 1");
    setting.has("ringwall_http_responses_by_status_total{status=\"403\"} 1");
    setting.has("ringwall_http_requests_aborted_total 0");
    setting.has("ringwall_http_request_duration_seconds_sum 0.02");
    setting.has("ringwall_http_request_duration_seconds_bucket{le=\"0.01\"} 0");
    setting.has("ringwall_http_request_duration_seconds_bucket{le=\"0.025\"} 1");
}

#[test]
fn a_request_whose_client_leaves_is_counted_as_aborted() {
    let setting = Setting::new();
    setting.ask(pending::<Result<_, Infallible>>);
    setting.has("ringwall_http_requests_aborted_total 1");
    setting.has("ringwall_http_request_duration_seconds_count 0");
}

#[test]
fn a_service_that_fails_is_counted_as_aborted() {
    let setting = Setting::new();
    setting.ask(|| ready(Err::<Response<()>, _>("a failure")));
    setting.has("ringwall_http_requests_aborted_total 1");
    setting.has("ringwall_http_responses_total{class=\"5xx\"} 0");
}
