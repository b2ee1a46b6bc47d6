//! Services that no generator wrote, whose answers end in odd ways.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use ringwall_tonic::{GuardedRoutes, authenticated, guard, optional};
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;

use crate::raw::{Answer, Call, framed};
use crate::support::{Bench, serve};

/// Answers as it was told, whatever it is asked.
#[derive(Clone, Copy, Debug)]
struct Told(fn() -> Response<Body>);

impl NamedService for Told {
    const NAME: &'static str = "test.v1.Told";
}

impl tower::Service<Request<Body>> for Told {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok((self.0)()))
    }
}

fn frames(frames: Vec<Result<Frame<Bytes>, Status>>) -> Response<Body> {
    Response::new(Body::new(StreamBody::new(tokio_stream::iter(frames))))
}

fn data() -> Result<Frame<Bytes>, Status> {
    Ok(Frame::data(framed("it").into()))
}

fn fields(code: &str) -> HeaderMap {
    let mut fields = HeaderMap::new();
    fields.insert("grpc-status", code.parse().expect("a value"));
    fields
}

fn trailers(code: &str) -> Result<Frame<Bytes>, Status> {
    Ok(Frame::trailers(fields(code)))
}

fn with_header(mut response: Response<Body>, code: &str) -> Response<Body> {
    response.headers_mut().extend(fields(code));
    response
}

/// What the client gets, and what is recorded: the same whether a credential is watched or not.
async fn told(answer: fn() -> Response<Body>) -> (Option<Answer>, String) {
    let mut seen = Vec::new();
    for name in [None, Some("reader"), Some("slow-brief")] {
        let bench = Bench::new();
        let server = guard(Told(answer)).every_method(optional());
        let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
        let site = serve(routes.into_routes().expect("routes")).await;
        let call = Call::to("/test.v1.Told/Any");
        let call = name.map_or(call.clone(), |name| call.from(name));
        let answer = site.raw().await.call(call).await.ok();
        bench.until(|bench| bench.outcomes() != ["unsettled"]).await;
        seen.push((answer, bench.outcomes().swap_remove(0)));
    }
    let shown = |(answer, outcome): &(Option<Answer>, String)| {
        let answer = answer.as_ref();
        let parts = answer.map(|answer| (answer.body.clone(), answer.trailers.clone()));
        (parts, outcome.clone())
    };
    assert!(
        seen.windows(2).all(|two| shown(&two[0]) == shown(&two[1])),
        "{seen:?}"
    );
    seen.swap_remove(0)
}

#[tokio::test]
async fn an_end_without_a_code_is_unknown_and_never_a_success() {
    for answer in [
        (|| Response::new(Body::empty())) as fn() -> Response<Body>,
        || frames(vec![data()]),
        || frames(vec![data(), data(), data()]),
        || frames(vec![]),
        || frames(vec![data(), Ok(Frame::trailers(HeaderMap::new()))]),
        || frames(vec![data(), trailers("zero")]),
        || frames(vec![data(), trailers("")]),
        || frames(vec![data(), trailers("-1")]),
        || with_header(Response::new(Body::empty()), "0x0"),
        || {
            Response::new(Body::new(http_body_util::Full::new(Bytes::from_static(
                b"x",
            ))))
        },
    ] {
        assert_eq!(told(answer).await.1, "grpc 2");
    }
}

#[tokio::test]
async fn a_code_is_taken_from_the_end_and_else_from_the_beginning() {
    let (answer, outcome) = told(|| with_header(frames(vec![data(), trailers("5")]), "0")).await;
    assert_eq!(outcome, "grpc 5");
    let answer = answer.expect("an answer");
    assert_eq!(answer.text(), "it");
    assert_eq!(answer.trailers["grpc-status"], "5");
    let (_, outcome) = told(|| with_header(frames(vec![data()]), "7")).await;
    assert_eq!(outcome, "grpc 7");
    let (_, outcome) = told(|| {
        let end = Ok(Frame::trailers(HeaderMap::new()));
        with_header(frames(vec![data(), end]), "9")
    })
    .await;
    assert_eq!(outcome, "grpc 9");
    let (_, outcome) = told(|| with_header(Response::new(Body::empty()), "0")).await;
    assert_eq!(outcome, "grpc 0");
}

#[tokio::test]
async fn a_body_that_fails_is_recorded_as_cancelled() {
    let (answer, outcome) = told(|| frames(vec![data(), Err(Status::internal("broken"))])).await;
    assert!(answer.is_none());
    assert_eq!(outcome, "cancelled");
}

#[tokio::test]
async fn what_a_service_sends_passes_unchanged() {
    let (answer, _) = told(|| {
        let mut end = fields("0");
        end.insert("x-end", "kept".parse().expect("a value"));
        let data = |said| Ok(Frame::data(framed(said).into()));
        let data = ["one", "two", "three", "four"].map(data);
        frames(data.into_iter().chain([Ok(Frame::trailers(end))]).collect())
    })
    .await;
    let answer = answer.expect("an answer");
    let said = ["one", "two", "three", "four"].map(framed).concat();
    assert_eq!(answer.body, said);
    assert_eq!(answer.trailers["x-end"], "kept");
}

/// Ready once, and then only a clone of it is.
#[derive(Debug)]
struct Permit {
    is_ready: bool,
    inner: Told,
}

impl Clone for Permit {
    fn clone(&self) -> Self {
        Self {
            is_ready: false,
            inner: self.inner,
        }
    }
}

impl NamedService for Permit {
    const NAME: &'static str = Told::NAME;
}

impl tower::Service<Request<Body>> for Permit {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(self.is_ready, "it was called without having been ready");
        self.is_ready = false;
        Box::pin(self.inner.call(request))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called_also_after_a_wait() {
    let bench = Bench::new();
    let server = Permit {
        is_ready: false,
        inner: Told(|| with_header(Response::new(Body::empty()), "0")),
    };
    let server = guard(server).every_method(authenticated());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    let site = serve(routes.into_routes().expect("routes")).await;
    for name in ["slow", "reader"] {
        let call = Call::to("/test.v1.Told/Any").from(name);
        assert_eq!(site.call(call).await.code(), Some(0), "{name}");
    }
}
