//! HEAD, OPTIONS and methods that nobody registered.

use ringwall_actix::{CorsPolicyMiddleware, GuardedApp, any, get, head, options, post};
use ringwall_browser::CorsPolicy;

use std::task::{Context, Poll};

use actix_web::web::Bytes;
use actix_web::{App, HttpResponse};

use crate::support::{Bench, Polled, Site, serve, start};

fn app(bench: &Bench) -> GuardedApp {
    GuardedApp::new(bench.gate.clone())
        .route(
            "/cases",
            get(async || "list")
                .require_scope("cases:read")
                .and(post(async || "create").require_scope("cases:write")),
        )
        .public_route("/health", get(async || "hello"))
}

async fn site(bench: &Bench) -> Site {
    serve(app(bench).build().expect("an app")).await
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
    let endpoints = get(async || "list").and(head(async || "").require_scope("cases:write"));
    let app = GuardedApp::new(bench.gate.clone()).route("/cases", endpoints);
    let site = serve(app.build().expect("an app")).await;
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
        app(&bench)
            .route("/open", options(async || "open").public())
            .build()
            .expect("an app"),
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
async fn a_cors_middleware_around_the_app_answers_preflights_before_the_gate() {
    let bench = Bench::new();
    let origin = "https://app.example";
    let guarded = app(&bench).build().expect("an app");
    let policy = CorsPolicy::builder().origin(origin).methods(["POST"]);
    let policy = policy.build().expect("a policy");
    let site = start(move || {
        let cors = CorsPolicyMiddleware::new(policy.clone());
        App::new().configure(guarded.configure()).wrap(cors)
    });
    let preflight = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
    ];
    let answer = site.send("OPTIONS", "/cases", &preflight, "").await;
    assert_eq!(answer.status, 204);
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
    let app = GuardedApp::new(bench.gate.clone()).route("/x", endpoints);
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get("/x").await.body, "get");
    assert_eq!(site.send("PUT", "/x", &[], "").await.status, 401);
    assert_eq!(site.send_as("reader", "PUT", "/x").await.body, "any");
}

#[tokio::test]
async fn an_answer_to_head_says_how_long_it_would_be_and_reads_no_stream_to_its_end() {
    let bench = Bench::new();
    let endless = async || {
        HttpResponse::Ok().streaming(Polled(|_: &mut Context<'_>| {
            Poll::Ready(Some(Bytes::from_static(b"on and on")))
        }))
    };
    let app = GuardedApp::new(bench.gate.clone())
        .public_route("/four", get(async || "four"))
        .public_route("/endless", get(endless));
    let site = serve(app.build().expect("an app")).await;
    let answer = site.send("HEAD", "/four", &[], "").await;
    assert_eq!(answer.header("content-length"), Some("4"));
    assert_eq!(answer.body, "");
    // A body that never ends is not asked for.
    let answer = site.send("HEAD", "/endless", &[], "").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let refused = site.send("HEAD", "/unknown", &[], "").await;
    assert_eq!(
        refused.header("content-length"),
        site.get("/unknown").await.header("content-length")
    );
}

#[tokio::test]
async fn a_method_named_any_is_no_wildcard() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .route("/x", get(async || "get").public().and(any(async || "any")));
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.send("ANY", "/x", &[], "").await.status, 401);
    assert_eq!(site.send_as("reader", "ANY", "/x").await.body, "any");
    assert_eq!(site.send("CONNECT", "/x", &[], "").await.status, 401);
    assert_eq!(site.send("CONNECT", "test:443", &[], "").await.status, 400);
}
