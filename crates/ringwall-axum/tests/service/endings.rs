//! Handlers that do not answer.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ringwall_axum::{GuardedRouter, get};
use tokio::sync::Notify;
use tower_http::catch_panic::CatchPanicLayer;

use crate::support::{Bench, serve};

#[tokio::test]
async fn a_caller_that_leaves_is_recorded_as_cancelled() {
    let bench = Bench::new();
    let started = Arc::new(Notify::new());
    let notify = started.clone();
    let handler = async move || {
        notify.notify_one();
        tokio::time::sleep(Duration::from_secs(600)).await;
    };
    let router = GuardedRouter::new(bench.gate.clone()).route("/x", get(handler));
    let site = serve(router.into_router().expect("a router")).await;
    let connection = site.begin("reader", "/x").await;
    started.notified().await;
    assert_eq!(bench.outcomes(), ["unsettled"]);
    drop(connection);
    bench.until(|bench| bench.outcomes() == ["cancelled"]).await;
}

#[tokio::test]
async fn a_handler_that_panics_is_recorded_as_cancelled() {
    async fn falls() -> StatusCode {
        panic!("on purpose")
    }
    let bench = Bench::new();
    let router = GuardedRouter::new(bench.gate.clone()).route("/x", get(falls));
    let router = router
        .into_router()
        .expect("a router")
        .layer(CatchPanicLayer::new());
    let site = serve(router).await;
    assert_eq!(site.get_as("reader", "/x").await.status, 500);
    assert_eq!(bench.outcomes(), ["cancelled"]);
    assert_eq!(site.get("/x").await.status, 401);
}
