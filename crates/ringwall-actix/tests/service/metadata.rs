//! The metadata of the protected resource (RFC 9728), where clients look for it.

use ringwall_actix::{CurrentPrincipal, Error, GuardedApp, any_config, get};
use ringwall_core::event::EventKind;
use ringwall_gate::{AuditScope, Gate, ProtectedResource};

use crate::support::{Bench, serve};
use crate::tokens::Tokens;

const PATH: &str = "/.well-known/oauth-protected-resource/mcp";
const CHALLENGE: &str = "Bearer realm=\"test\", \
    resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/mcp\"";

fn resource(identifier: &str) -> ProtectedResource {
    ProtectedResource::builder(identifier, "https://login.example")
        .build()
        .expect("metadata")
}

fn bench() -> Bench {
    Bench::with(|builder| builder.protected_resource(resource("https://api.example/mcp")))
}

#[tokio::test]
async fn a_stranger_is_led_from_the_refusal_to_the_metadata() {
    let bench = bench();
    let app = GuardedApp::new(bench.gate.clone())
        .route("/mcp", get(async || "hello"))
        .resource_metadata();
    let site = serve(app.build().expect("an app")).await;
    let refused = site.get("/mcp").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some(CHALLENGE));
    let answer = site.get(PATH).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(answer.body, resource("https://api.example/mcp").document());
    let head = site.send("HEAD", PATH, &[], "").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    // A stale token does not stand in the way of a client that looks for a new one.
    assert_eq!(site.get_as("nobody", PATH).await.status, 200);
    // Successes are not recorded; anybody could fill the trail.
    assert_eq!(bench.outcomes(), ["denied 401"]);
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing]);
}

#[tokio::test]
async fn other_methods_and_neighbouring_paths_stay_closed() {
    let app = GuardedApp::new(bench().gate).resource_metadata();
    let site = serve(app.build().expect("an app")).await;
    for (method, path) in [
        ("POST", PATH),
        ("DELETE", PATH),
        ("OPTIONS", PATH),
        ("GET", "/.well-known/oauth-protected-resource"),
        ("GET", "/.well-known/oauth-protected-resource/"),
        ("GET", "/.well-known/oauth-protected-resource/mcp/"),
        ("GET", "/.well-known/oauth-protected-resource/mcp/x"),
        ("GET", "/.well-known"),
    ] {
        let answer = site.send(method, path, &[], "").await;
        assert_eq!(answer.status, 401, "{method} {path}");
        assert_eq!(answer.header("www-authenticate"), Some(CHALLENGE));
    }
    let doubled = site.get("/.well-known//oauth-protected-resource/mcp").await;
    assert_eq!(doubled.status, 400);
}

#[tokio::test]
async fn the_path_is_at_the_root_wherever_the_app_is_nested() {
    let other = Bench::with(|builder| builder.protected_resource(resource("https://api.example")));
    let inner = GuardedApp::new(bench().gate)
        .route("/x", get(async || "x"))
        .resource_metadata();
    let app = GuardedApp::new(other.gate)
        .resource_metadata()
        .nest("/v1", GuardedApp::new(bench().gate).nest("/deep", inner));
    let routes = app.routes().expect("no fault").to_string();
    assert!(routes.contains(&format!("GET     {PATH} ")), "{routes}");
    let site = serve(app.build().expect("an app")).await;
    for (path, identifier) in [
        (PATH, "https://api.example/mcp"),
        (
            "/.well-known/oauth-protected-resource",
            "https://api.example",
        ),
    ] {
        let answer = site.get(path).await;
        assert_eq!(answer.body, resource(identifier).document(), "{path}");
    }
    let nested = site.get(&format!("/v1/deep{PATH}")).await;
    assert_eq!(nested.status, 401);
    assert_eq!(site.get_as("reader", "/v1/deep/x").await.status, 200);
}

#[test]
fn metadata_that_nobody_gave_or_that_a_route_cannot_serve_is_a_fault_at_start() {
    let fault = |gate: &Gate| {
        let app = GuardedApp::new(gate.clone()).resource_metadata();
        app.build().expect_err("a fault")
    };
    assert_eq!(fault(&Bench::new().gate), Error::NoProtectedResource);
    for identifier in ["https://api.example/:id", "https://api.example/*rest"] {
        let bench = Bench::with(|builder| builder.protected_resource(resource(identifier)));
        assert!(matches!(fault(&bench.gate), Error::InvalidPath { .. }));
    }
    let twice = GuardedApp::new(bench().gate)
        .resource_metadata()
        .resource_metadata();
    assert!(matches!(twice.build(), Err(Error::Duplicate { .. })));
}

#[test]
fn the_list_of_routes_shows_it_as_public() {
    let app = GuardedApp::new(bench().gate).resource_metadata();
    let routes = app.routes().expect("no fault");
    let entry = routes.iter().next().expect("listed");
    assert!(entry.is_open());
    assert_eq!((entry.method, entry.path.as_str()), ("GET", PATH));
    assert_eq!(entry.audit, AuditScope::DenialsOnly);
}

#[tokio::test]
async fn refusals_of_a_real_token_and_of_extractors_name_the_metadata() {
    let tokens = Tokens::new();
    let gate = Gate::builder("test")
        .tokens(tokens.verifier())
        .without_audit()
        .clock(tokens.clock())
        .protected_resource(resource("https://api.example/mcp"))
        .build()
        .expect("a gate");
    let app = GuardedApp::new(gate)
        .route("/write", get(async || "").require_scope("cases:write"))
        .route(
            "/maybe",
            get(async |CurrentPrincipal(who): CurrentPrincipal| who.subject.to_string()).optional(),
        )
        .nest_service("/files", any_config(|_| {}));
    let site = serve(app.build().expect("an app")).await;
    let parameter =
        "resource_metadata=\"https://api.example/.well-known/oauth-protected-resource/mcp\"";
    let good = format!("Bearer {}", tokens.token(|request| request));
    for (path, value, status) in [
        ("/write", "Bearer a.b.c", 401),
        ("/write", "Bearer", 400),
        ("/write", "Basic eDp5", 401),
        ("/write", good.as_str(), 403),
        ("/maybe", "Bearer a.b.c", 401),
        ("/files/x", "Bearer a.b.c", 401),
        ("/unknown", "Bearer a.b.c", 401),
    ] {
        let answer = site
            .send("GET", path, &[("authorization", value)], "")
            .await;
        assert_eq!(answer.status, status, "{path} {value}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.ends_with(parameter), "{challenge}");
        assert_eq!(challenge.matches("resource_metadata").count(), 1);
    }
    // The extractor's own refusal.
    let answer = site.get("/maybe").await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), Some(CHALLENGE));
}
