//! Nested and merged routers, fallbacks, raw services.

use axum::Router;
use axum::extract::{Path, State};
use ringwall_axum::{CurrentPrincipal, Error, GuardedRouter, any, any_service, get};

use crate::support::{Bench, serve};

#[tokio::test]
async fn nested_routes_keep_their_policies_and_are_recorded_under_the_whole_path() {
    let bench = Bench::new();
    let cases = || {
        GuardedRouter::new(bench.gate.clone())
            .route("/", get(async || "list").require_scope("cases:read"))
            .route(
                "/{id}",
                get(async |Path((org, id)): Path<(String, String)>| format!("{org} {id}"))
                    .require_scope("cases:write"),
            )
            .public_route("/help", get(async || "help"))
    };
    let orgs = GuardedRouter::new(bench.gate.clone()).nest("/{org}/cases", cases());
    let router = GuardedRouter::new(bench.gate.clone()).nest("/api", orgs);
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get("/api/acme/cases").await.status, 401);
    assert_eq!(site.get_as("reader", "/api/acme/cases").await.body, "list");
    assert_eq!(site.get_as("reader", "/api/acme/cases/7").await.status, 403);
    assert_eq!(
        site.get_as("writer", "/api/acme/cases/7").await.body,
        "acme 7"
    );
    assert_eq!(site.get("/api/acme/cases/help").await.body, "help");
    for path in [
        "/api",
        "/api/",
        "/api/acme",
        "/api/acme/cases/",
        "/api/acme/cases/7/x",
        "/cases",
    ] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
        assert_eq!(site.get_as("writer", path).await.status, 404, "{path}");
    }
    let (action, target, _) = bench.trail()[3].clone();
    assert_eq!(action, "GET /api/{org}/cases/{id}");
    assert_eq!(target, "/api/acme/cases/7");
}

#[tokio::test]
async fn merged_routers_keep_their_own_gates() {
    let one = Bench::new();
    let other = Bench::with(|builder| builder.permit_encoded_slashes());
    let router = GuardedRouter::new(one.gate.clone())
        .route("/one/{id}", get(async || "one"))
        .merge(GuardedRouter::new(other.gate.clone()).route("/other/{id}", get(async || "other")));
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get_as("reader", "/one/a%2fb").await.status, 400);
    assert_eq!(site.get_as("reader", "/other/a%2fb").await.status, 200);
    assert_eq!(one.outcomes(), ["denied 400"]);
    assert_eq!(other.outcomes(), ["completed 200"]);
}

#[tokio::test]
async fn unknown_paths_are_401_to_strangers_and_404_to_others() {
    let bench = Bench::new();
    let router = GuardedRouter::new(bench.gate.clone()).public_route("/health", get(async || ""));
    let site = serve(router.into_router().expect("a router")).await;
    for method in ["GET", "POST", "DELETE", "X"] {
        for path in [
            "/",
            "/healt",
            "/health/",
            "/HEALTH",
            "/health;x",
            "/health%20",
        ] {
            assert_eq!(
                site.send(method, path, &[], "").await.status,
                401,
                "{method} {path}"
            );
            assert_eq!(
                site.send_as("reader", method, path).await.status,
                404,
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_fallback_of_ones_own_is_protected_unless_it_says_otherwise() {
    let bench = Bench::new();
    let router = GuardedRouter::new(bench.gate.clone()).fallback(get(async || "page"));
    let site = serve(router.into_router().expect("a router")).await;
    for method in ["GET", "POST"] {
        assert_eq!(site.send(method, "/x", &[], "").await.status, 401);
        assert_eq!(site.send_as("reader", method, "/x").await.status, 200);
    }
    let router = GuardedRouter::new(bench.gate.clone()).fallback(any(async || "page").public());
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get("/x").await.body, "page");
}

#[test]
fn there_is_one_fallback() {
    let bench = Bench::new();
    let with = || GuardedRouter::<()>::new(bench.gate.clone()).fallback(any(async || "page"));
    let without = || GuardedRouter::<()>::new(bench.gate.clone());
    assert!(without().merge(with()).into_router().is_ok());
    for router in [
        with().merge(with()),
        without().nest("/x", with()),
        with().fallback(any(async || "page")),
    ] {
        assert_eq!(router.into_router().err(), Some(Error::SecondFallback));
    }
}

#[test]
fn the_faults_of_a_merged_or_nested_router_are_faults_of_the_whole() {
    let bench = Bench::new();
    let good = || GuardedRouter::<()>::new(bench.gate.clone());
    let faulty = || good().route("x", get(async || ""));
    for router in [good().merge(faulty()), good().nest("/y", faulty())] {
        let path = "x".to_owned();
        assert_eq!(
            router.into_router().err(),
            Some(Error::InvalidPath { path })
        );
    }
}

#[tokio::test]
async fn a_raw_service_of_a_nested_router_is_below_its_prefix() {
    let bench = Bench::new();
    let files = any_service(Router::new().fallback(async || "file"));
    let inner = GuardedRouter::<()>::new(bench.gate.clone())
        .nest_service("/files", files.require_scope("cases:read"));
    let router = GuardedRouter::new(bench.gate.clone()).nest("/api", inner);
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get("/api/files/a").await.status, 401);
    assert_eq!(site.get_as("stranger", "/api/files/a").await.status, 403);
    assert_eq!(site.get_as("reader", "/api/files/a").await.body, "file");
    assert_eq!(bench.trail()[2].0, "ANY /api/files/*");
    assert_eq!(site.get_as("reader", "/files/a").await.status, 404);
}

#[tokio::test]
async fn a_raw_service_stands_behind_one_door_and_sees_paths_without_the_prefix() {
    let bench = Bench::new();
    let files = Router::new()
        .route("/a", axum::routing::get(async || "file"))
        .route(
            "/who",
            axum::routing::get(async |CurrentPrincipal(who): CurrentPrincipal| {
                who.subject.to_string()
            }),
        );
    let router = GuardedRouter::<()>::new(bench.gate.clone())
        .nest_service(
            "/files",
            any_service(files.clone()).require_scope("cases:read"),
        )
        .route("/{name}", any_service(files));
    let site = serve(router.into_router().expect("a router")).await;
    for path in ["/files", "/files/", "/files/a", "/files/x", "/a"] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
    }
    assert_eq!(site.get_as("stranger", "/files/a").await.status, 403);
    assert_eq!(site.get_as("reader", "/files/a").await.body, "file");
    assert_eq!(site.get_as("reader", "/files/who").await.body, "reader");
    assert_eq!(site.get_as("stranger", "/a").await.body, "file");
    assert_eq!(bench.trail().last().expect("a record").0, "ANY /{name}");
    let hostile = site.get_as("reader", "/files/..%2f").await;
    assert_eq!(hostile.status, 400);
}

#[tokio::test]
async fn state_reaches_handlers_fallbacks_and_nested_routers() {
    let bench = Bench::new();
    let show = async |State(number): State<u32>| number.to_string();
    let inner = GuardedRouter::new(bench.gate.clone()).route("/x", get(show));
    let router = GuardedRouter::new(bench.gate.clone())
        .nest("/in", inner)
        .fallback(any(show))
        .with_state(7);
    let site = serve(router.into_router().expect("a router")).await;
    for path in ["/in/x", "/elsewhere"] {
        assert_eq!(site.get_as("reader", path).await.body, "7");
        assert_eq!(site.get(path).await.status, 401);
    }
    // State may also be given after the doors are made.
    let router = GuardedRouter::new(bench.gate.clone()).route("/x", get(show));
    let site = serve(router.into_router().expect("a router").with_state(8)).await;
    assert_eq!(site.get_as("reader", "/x").await.body, "8");
    assert_eq!(site.send_as("reader", "PUT", "/x").await.status, 405);
}
