//! Nested and merged apps, fallbacks, raw services.

use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{App, HttpRequest};
use ringwall_actix::{CurrentPrincipal, Error, GuardedApp, any, any_config, any_service, get};

use crate::support::{Bench, serve, start};

#[tokio::test]
async fn nested_routes_keep_their_policies_and_are_recorded_under_the_whole_path() {
    let bench = Bench::new();
    let cases = || {
        GuardedApp::new(bench.gate.clone())
            .route("/", get(async || "list").require_scope("cases:read"))
            .route(
                "/{id}",
                get(async |path: Path<(String, String)>| format!("{} {}", path.0, path.1))
                    .require_scope("cases:write"),
            )
            .public_route("/help", get(async || "help"))
    };
    let orgs = GuardedApp::new(bench.gate.clone()).nest("/{org}/cases", cases());
    let app = GuardedApp::new(bench.gate.clone()).nest("/api", orgs);
    let site = serve(app.build().expect("an app")).await;
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
    let app = GuardedApp::new(one.gate.clone())
        .route("/one/{id}", get(async || "one"))
        .merge(GuardedApp::new(other.gate.clone()).route("/other/{id}", get(async || "other")));
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get_as("reader", "/one/a%2fb").await.status, 400);
    assert_eq!(site.get_as("reader", "/other/a%2fb").await.status, 200);
    assert_eq!(one.outcomes(), ["denied 400"]);
    assert_eq!(other.outcomes(), ["completed 200"]);
}

#[tokio::test]
async fn unknown_paths_are_401_to_strangers_and_404_to_others() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).public_route("/health", get(async || ""));
    let site = serve(app.build().expect("an app")).await;
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
    let app = GuardedApp::new(bench.gate.clone()).fallback(get(async || "page"));
    let site = serve(app.build().expect("an app")).await;
    for method in ["GET", "POST"] {
        assert_eq!(site.send(method, "/x", &[], "").await.status, 401);
        assert_eq!(site.send_as("reader", method, "/x").await.status, 200);
    }
    let app = GuardedApp::new(bench.gate.clone()).fallback(any(async || "page").public());
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get("/x").await.body, "page");
}

#[test]
fn there_is_one_fallback() {
    let bench = Bench::new();
    let with = || GuardedApp::new(bench.gate.clone()).fallback(any(async || "page"));
    let without = || GuardedApp::new(bench.gate.clone());
    assert!(without().merge(with()).build().is_ok());
    for app in [
        with().merge(with()),
        without().nest("/x", with()),
        with().fallback(any(async || "page")),
    ] {
        assert_eq!(app.build().err(), Some(Error::SecondFallback));
    }
}

fn files(config: &mut ServiceConfig) {
    config
        .route("/a", web::get().to(async || "file"))
        .route("/a", web::post().to(async || "written"))
        .route(
            "/who",
            web::get().to(async |CurrentPrincipal(who): CurrentPrincipal| who.subject.to_string()),
        )
        .service(web::scope("/deep").route("/b", web::get().to(async || "deep")));
}

#[tokio::test]
async fn a_configuration_of_actix_web_stands_behind_one_door() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .nest_service("/files", any_config(files).require_scope("cases:read"))
        .nest_service("/orgs/{org}", any_config(files).public());
    let site = serve(app.build().expect("an app")).await;
    for path in [
        "/files",
        "/files/",
        "/files/a",
        "/files/x",
        "/files/deep/b",
        "/filesa",
    ] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
    }
    assert_eq!(site.send("PUT", "/files/a", &[], "").await.status, 401);
    assert_eq!(site.get_as("stranger", "/files/a").await.status, 403);
    assert_eq!(site.get_as("reader", "/files/a").await.body, "file");
    assert_eq!(
        site.send_as("reader", "POST", "/files/a").await.body,
        "written"
    );
    assert_eq!(site.get_as("reader", "/files/deep/b").await.body, "deep");
    assert_eq!(site.get_as("reader", "/files/who").await.body, "reader");
    assert_eq!(site.get("/orgs/acme/a").await.body, "file");
    let hostile = site.get_as("reader", "/files/..%2f").await;
    assert_eq!(hostile.status, 400);
    // What it does not have is not found, and recorded once.
    let before = bench.trail().len();
    let missing = site.get_as("reader", "/files/x").await;
    assert_eq!(missing.status, 404);
    assert_eq!(
        missing.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(bench.trail().len(), before + 1);
    assert_eq!(bench.trail().last().expect("a record").0, "ANY /files/*");
}

#[test]
fn the_faults_of_a_merged_or_nested_app_are_faults_of_the_whole() {
    let bench = Bench::new();
    let good = || GuardedApp::new(bench.gate.clone());
    // The gate has no metadata.
    let faulty = || good().resource_metadata();
    for app in [good().merge(faulty()), good().nest("/y", faulty())] {
        assert_eq!(app.build().err(), Some(Error::NoProtectedResource));
    }
}

#[tokio::test]
async fn a_raw_service_of_a_nested_app_is_below_its_prefix() {
    let bench = Bench::new();
    let file = any_service(|| web::to(async || "file"));
    let inner = GuardedApp::new(bench.gate.clone())
        .nest_service("/files", file.require_scope("cases:read"));
    let app = GuardedApp::new(bench.gate.clone()).nest("/api", inner);
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get("/api/files/a").await.status, 401);
    assert_eq!(site.get_as("stranger", "/api/files/a").await.status, 403);
    assert_eq!(site.get_as("reader", "/api/files/a").await.body, "file");
    assert_eq!(bench.trail()[2].0, "ANY /api/files/*");
    assert_eq!(site.get_as("reader", "/files/a").await.status, 404);
}

#[tokio::test]
async fn a_raw_service_stands_behind_one_door_and_sees_what_is_left_of_the_path() {
    let bench = Bench::new();
    let show =
        || web::to(async |request: HttpRequest| request.match_info().unprocessed().to_owned());
    let app = GuardedApp::new(bench.gate.clone())
        .nest_service("/files", any_service(show).require_scope("cases:read"))
        .route("/{name}", any_service(show));
    let site = serve(app.build().expect("an app")).await;
    for path in ["/files", "/files/", "/files/a", "/a"] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
    }
    assert_eq!(site.get_as("stranger", "/files/a").await.status, 403);
    assert_eq!(site.get_as("reader", "/files/a/b").await.body, "/a/b");
    assert_eq!(site.get_as("stranger", "/a").await.status, 200);
    assert_eq!(bench.trail().last().expect("a record").0, "ANY /{name}");
}

#[tokio::test]
async fn the_data_of_the_app_reaches_handlers_fallbacks_and_nested_apps() {
    let bench = Bench::new();
    let show = async |number: Data<u32>| number.to_string();
    let inner = GuardedApp::new(bench.gate.clone()).route("/x", get(show));
    let app = GuardedApp::new(bench.gate.clone())
        .nest("/in", inner)
        .fallback(any(show));
    let guarded = app.build().expect("an app");
    let site = start(move || {
        App::new()
            .app_data(Data::new(7_u32))
            .configure(guarded.configure())
    });
    for path in ["/in/x", "/elsewhere"] {
        assert_eq!(site.get_as("reader", path).await.body, "7");
        assert_eq!(site.get(path).await.status, 401);
    }
}

#[tokio::test]
async fn a_text_goes_before_a_parameter_in_whatever_order_they_are_registered() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .public_route("/{*rest}", get(async || "rest"))
        .public_route("/cases/{id}", get(async || "case"))
        .route("/cases/{id}/notes", get(async || "notes"))
        .route("/cases/secret", get(async || "secret"))
        .nest_service("/cases", any(async || "mount").public());
    let site = serve(app.build().expect("an app")).await;
    for (path, answer) in [
        ("/cases/7", "case"),
        ("/cases/7/x", "mount"),
        ("/cases", "mount"),
        ("/x/y", "rest"),
    ] {
        assert_eq!(site.get(path).await.body, answer, "{path}");
    }
    for path in ["/cases/secret", "/cases/7/notes"] {
        assert_eq!(site.get(path).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn every_worker_serves_the_same() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(async || "x"));
    let guarded = app.build().expect("an app");
    let sites = [serve(guarded.clone()).await, serve(guarded).await];
    for site in sites {
        assert_eq!(site.get("/x").await.status, 401);
        assert_eq!(site.get_as("reader", "/x").await.body, "x");
    }
    assert_eq!(bench.outcomes().len(), 4);
}
