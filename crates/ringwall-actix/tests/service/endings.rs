//! Handlers that do not answer.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use ringwall_actix::{GuardedApp, get};
use tokio::sync::Notify;

use crate::support::{Bench, serve};

#[tokio::test]
async fn a_caller_that_leaves_is_recorded_as_cancelled() {
    let bench = Bench::new();
    let started = Arc::new(Notify::new());
    let notify = started.clone();
    let handler = move || {
        notify.notify_one();
        async {
            tokio::time::sleep(Duration::from_secs(600)).await;
            ""
        }
    };
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(handler));
    let site = serve(app.build().expect("an app")).await;
    let connection = site.begin("reader", "/x").await;
    started.notified().await;
    assert_eq!(bench.outcomes(), ["unsettled"]);
    drop(connection);
    bench.until(|bench| bench.outcomes() == ["cancelled"]).await;
}

#[tokio::test]
async fn a_handler_that_panics_is_recorded_as_cancelled() {
    async fn falls() -> HttpResponse {
        panic!("on purpose")
    }
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(falls));
    let site = serve(app.build().expect("an app")).await;
    // actix-web answers nothing, and closes the connection.
    assert_eq!(site.get_as("reader", "/x").await.status, 0);
    assert_eq!(bench.outcomes(), ["cancelled"]);
    assert_eq!(site.get("/x").await.status, 401);
}
