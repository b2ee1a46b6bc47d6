//! Paths that two programs may read in two ways.

use ringwall_actix::{GuardedApp, any, any_config, get};
use ringwall_core::event::EventKind;

use actix_web::{App, web};

use crate::support::{Bench, serve, start};

const HOSTILE: [&str; 24] = [
    "//",
    "//health",
    "/public//x",
    "/public/../cases",
    "/public/./x",
    "/public/..",
    "/public/%2e%2e/cases",
    "/public/%2E%2e",
    "/public/..%2fcases",
    "/public/..;/cases",
    "/public/..%3b/cases",
    "/public/.%2e",
    "/public/a%2fb",
    "/public/a%252fb",
    "/public/a%5cb",
    "/public/a\\b",
    "/public/a%00",
    "/public/a%0d%0ax",
    "/public/%",
    "/public/%zz",
    "/public/%c0%af",
    "/public/%ff",
    "/cases/..",
    "/cases/a%2Fb",
];

#[tokio::test]
async fn ambiguous_paths_are_refused_at_every_door_public_ones_too() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .public_route("/health", get(async || "hello"))
        .public_route("/public/{*rest}", any(async || "hello"))
        .route("/cases/{id}", get(async || "case"))
        .fallback(any(async || "page").public());
    let site = serve(app.build().expect("an app")).await;
    for path in HOSTILE {
        for answer in [site.get(path).await, site.get_as("writer", path).await] {
            assert_eq!(answer.status, 400, "{path}");
        }
    }
    let refused = |kind: &EventKind| *kind == EventKind::RequestRefused;
    // A raw backslash does not always reach the gate: the server may refuse it before.
    assert!(bench.kinds().iter().all(refused));
    assert!(bench.kinds().len() >= 2 * (HOSTILE.len() - 1));
}

#[tokio::test]
async fn clear_paths_are_served() {
    let bench = Bench::new();
    let app =
        GuardedApp::new(bench.gate.clone()).public_route("/public/{*rest}", get(async || "hello"));
    let site = serve(app.build().expect("an app")).await;
    for path in [
        "/public/a",
        "/public/a/",
        "/public/a;v=1",
        "/public/a%20b",
        "/public/%E2%82%AC?x=//../",
    ] {
        assert_eq!(site.get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn encoded_slashes_pass_where_the_owner_says_so_by_name() {
    let bench = Bench::with(|builder| builder.permit_encoded_slashes());
    let says = "encoded slashes in paths pass (permit_encoded_slashes)";
    assert!(bench.gate.loosened().contains(&says));
    let app = GuardedApp::new(bench.gate.clone()).route("/cases/{id}", get(async || "case"));
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get_as("reader", "/cases/a%2Fb").await.status, 200);
    assert_eq!(site.get("/cases/a%2Fb").await.status, 401);
    assert_eq!(site.get_as("reader", "/cases/..%2Fb").await.status, 400);
}

#[tokio::test]
async fn the_path_is_judged_as_received_also_below_a_foreign_prefix() {
    let bench = Bench::new();
    let guarded = GuardedApp::new(bench.gate.clone())
        .route("/cases", get(async || "cases"))
        .public_route("/files/{*rest}", get(async || "file"))
        .build()
        .expect("an app");
    let site =
        start(move || App::new().service(web::scope("/{org}").configure(guarded.configure())));
    assert_eq!(site.get_as("reader", "/acme/cases").await.status, 200);
    assert_eq!(site.get_as("reader", "/%61cme/cases").await.status, 200);
    assert_eq!(site.get_as("reader", "/acme/c%61ses").await.status, 404);
    assert_eq!(site.get("/acme/unknown").await.status, 401);
    assert_eq!(site.get_as("reader", "/a%2fb/cases").await.status, 400);
    assert_eq!(site.get("/%61cme/files/a%20b").await.status, 200);
    assert_eq!(bench.trail()[0].1, "/acme/cases");
}

fn pages(config: &mut web::ServiceConfig) {
    config.route("/a", web::get().to(async || "page"));
}

#[tokio::test]
async fn escapes_are_not_undone_to_find_a_route() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .public_route("/health", get(async || "hello"))
        .public_route("/public/{*rest}", get(async || "hello"))
        .nest_service("/files", any(async || "file").public())
        .nest_service("/pages", any_config(pages).public())
        .route(
            "/cases/{id}",
            get(async |id: web::Path<String>| id.into_inner()),
        );
    let site = serve(app.build().expect("an app")).await;
    for path in [
        "/%68ealth",
        "/healt%68",
        "/p%75blic/a",
        "/f%69les/a",
        "/p%61ges/a",
        "/f%69les",
    ] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
        assert_eq!(site.get_as("reader", path).await.status, 404, "{path}");
    }
    assert_eq!(site.get("/pages/a").await.status, 200);
    // In a parameter they are undone, once.
    assert_eq!(site.get_as("reader", "/cases/%61%20b").await.body, "a b");
    assert_eq!(site.get("/public/%61").await.status, 200);
}
