//! HEAD, OPTIONS and methods that nobody registered.

use axum::http::{HeaderValue, Method};
use ringwall_axum::{GuardedRouter, any, get, head, options, post};
use tower_http::cors::CorsLayer;

use crate::support::{Bench, Site, serve};

fn router(bench: &Bench) -> GuardedRouter {
    GuardedRouter::new(bench.gate.clone())
        .route(
            "/cases",
            get(async || "list")
                .require_scope("cases:read")
                .and(post(async || "create").require_scope("cases:write")),
        )
        .public_route("/health", get(async || "hello"))
}

async fn site(bench: &Bench) -> Site {
    serve(router(bench).into_router().expect("a router")).await
}

#[tokio::test]
async fn head_is_served_under_the_policy_of_get_and_never_has_a_body() {
    let bench = Bench::new();
    let site = site(&bench).await;
    for (answer, status) in [
        (site.send("HEAD", "/cases", &[], "").await, 401),
        (site.send_as("stranger", "HEAD", "/cases").await, 403),
        (site.send_as("reader", "HEAD", "/cases").await, 200),
        (site.send("HEAD", "/health", &[], "").await, 200),
        (site.send("HEAD", "/unknown", &[], "").await, 401),
        (site.send_as("reader", "HEAD", "/unknown").await, 404),
    ] {
        assert_eq!((answer.status, answer.body.as_str()), (status, ""));
    }
    assert_eq!(bench.trail()[0].0, "GET /cases");
}

#[tokio::test]
async fn a_head_of_its_own_has_its_own_policy() {
    let bench = Bench::new();
    let endpoints = get(async || "list").and(head(async || ()).require_scope("cases:write"));
    let router = GuardedRouter::new(bench.gate.clone()).route("/cases", endpoints);
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.send_as("reader", "HEAD", "/cases").await.status, 403);
    assert_eq!(site.send_as("reader", "GET", "/cases").await.status, 200);
}

#[tokio::test]
async fn each_method_has_its_own_policy() {
    let bench = Bench::new();
    let site = site(&bench).await;
    assert_eq!(site.send_as("reader", "GET", "/cases").await.body, "list");
    assert_eq!(site.send_as("reader", "POST", "/cases").await.status, 403);
    assert_eq!(
        site.send_as("writer", "POST", "/cases").await.body,
        "create"
    );
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_401_to_strangers_and_405_to_others() {
    let bench = Bench::new();
    let site = site(&bench).await;
    for method in [
        "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "X",
    ] {
        for path in ["/cases", "/health"] {
            let answer = site.send(method, path, &[], "").await;
            assert_eq!(answer.status, 401, "{method} {path}");
            assert_eq!(answer.header("allow"), None, "{method} {path}");
            let answer = site.send_as("stranger", method, path).await;
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    let answer = site.send_as("stranger", "PUT", "/cases").await;
    assert_eq!(answer.header("allow"), Some("GET, POST, HEAD"));
}

#[tokio::test]
async fn options_is_protected_unless_it_is_registered() {
    let bench = Bench::new();
    let site = serve(
        router(&bench)
            .route("/open", options(async || "open").public())
            .into_router()
            .expect("a router"),
    )
    .await;
    assert_eq!(site.send("OPTIONS", "/open", &[], "").await.status, 200);
    for path in ["/cases", "/health", "/unknown", "*"] {
        assert_eq!(
            site.send("OPTIONS", path, &[], "").await.status,
            401,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_cors_layer_around_the_router_answers_preflights_before_the_gate() {
    let bench = Bench::new();
    let origin = "https://app.example";
    let cors = CorsLayer::new()
        .allow_origin([HeaderValue::from_static("https://app.example")])
        .allow_methods([Method::POST]);
    let site = serve(router(&bench).into_router().expect("a router").layer(cors)).await;
    let preflight = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
    ];
    let answer = site.send("OPTIONS", "/cases", &preflight, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
    assert!(bench.trail().is_empty());
    // The request itself is not let in by its origin.
    let answer = site.send("POST", "/cases", &[("origin", origin)], "").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin));
}

#[tokio::test]
async fn any_answers_what_is_left_under_its_own_policy() {
    let bench = Bench::new();
    let endpoints = get(async || "get").public().and(any(async || "any"));
    let router = GuardedRouter::new(bench.gate.clone()).route("/x", endpoints);
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get("/x").await.body, "get");
    assert_eq!(site.send("PUT", "/x", &[], "").await.status, 401);
    assert_eq!(site.send_as("reader", "PUT", "/x").await.body, "any");
}
