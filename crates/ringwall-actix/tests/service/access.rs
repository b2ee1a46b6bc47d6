//! Who is served.

use ringwall_actix::{GuardedApp, OptionalPrincipal, get};
use ringwall_core::event::EventKind;
use ringwall_core::profile::Profile;
use ringwall_gate::AuditScope;

use crate::support::{Bench, Site, serve};

async fn hello() -> &'static str {
    "hello"
}

async fn greet(OptionalPrincipal(caller): OptionalPrincipal) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.subject.to_string())
}

async fn site(bench: &Bench) -> Site {
    let app = GuardedApp::new(bench.gate.clone())
        .route("/plain", get(hello))
        .route("/read", get(hello).require_scope("cases:read"))
        .route(
            "/both",
            get(hello)
                .require_scope("cases:read")
                .require_scope("cases:write"),
        )
        .route(
            "/either",
            get(hello).require_any_scope(["cases:admin", "cases:read"]),
        )
        .route("/none", get(hello).require_any_scope([]))
        .route("/greet", get(greet).optional())
        .public_route("/health", get(hello).audit(AuditScope::DenialsOnly))
        .public_route("/page", get(hello));
    serve(app.build().expect("an app")).await
}

#[tokio::test]
async fn without_credentials_the_answer_is_401_with_a_bare_challenge() {
    let bench = Bench::new();
    let answer = site(&bench).await.get("/plain").await;
    assert_eq!(answer.status, 401);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"test\"")
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(
        answer.body,
        r#"{"type":"about:blank","title":"Unauthorized","status":401}"#
    );
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing]);
}

#[tokio::test]
async fn good_credentials_are_served_at_once_and_after_a_wait() {
    let bench = Bench::new();
    let site = site(&bench).await;
    for name in ["stranger", "slow"] {
        let answer = site.get_as(name, "/plain").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "hello"),
            "{name}"
        );
    }
    assert_eq!(site.get_as("slow", "/both").await.status, 403);
    assert_eq!(
        bench.outcomes(),
        ["completed 200", "completed 200", "denied 403"]
    );
}

#[tokio::test]
async fn wrong_credentials_are_refused_with_the_authenticators_own_challenge() {
    let bench = Bench::new();
    let site = site(&bench).await;
    for path in ["/plain", "/read", "/greet"] {
        let answer = site.get_as("mallory", path).await;
        assert_eq!(answer.status, 401, "{path}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.contains("invalid_token"), "{challenge}");
    }
}

#[tokio::test]
async fn scopes_are_demanded_as_registered() {
    let bench = Bench::new();
    let site = site(&bench).await;
    let cases = [
        ("/read", "stranger", 403),
        ("/read", "reader", 200),
        ("/both", "stranger", 403),
        ("/both", "reader", 403),
        ("/both", "writer", 200),
        ("/either", "stranger", 403),
        ("/either", "reader", 200),
        ("/none", "writer", 403),
    ];
    for (path, name, status) in cases {
        assert_eq!(
            site.get_as(name, path).await.status,
            status,
            "{path} {name}"
        );
    }
    let refused = site.get_as("reader", "/both").await;
    assert_eq!(
        refused.header("www-authenticate"),
        Some(r#"Bearer realm="test", error="insufficient_scope", scope="cases:read cases:write""#)
    );
    assert!(
        bench
            .kinds()
            .iter()
            .all(|kind| *kind == EventKind::AccessDenied)
    );
}

#[tokio::test]
async fn optional_is_nobody_only_when_credentials_are_absent() {
    let bench = Bench::new();
    let site = site(&bench).await;
    assert_eq!(site.get("/greet").await.body, "nobody");
    assert_eq!(site.get_as("reader", "/greet").await.body, "reader");
    assert_eq!(site.get_as("down", "/greet").await.status, 503);
    for value in [
        "Bearer mallory",
        "Bearer ",
        "Basic cmVhZGVyOg==",
        "reader",
        "",
        "bearer",
    ] {
        let answer = site
            .send("GET", "/greet", &[("authorization", value)], "")
            .await;
        assert_eq!(answer.status, 401, "{value:?}");
    }
    assert_eq!(
        site.send("GET", "/greet", &[("x-api-key", "mallory")], "")
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_key_source_that_is_down_answers_503_and_never_401() {
    let bench = Bench::new();
    let answer = site(&bench).await.get_as("down", "/plain").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.header("www-authenticate"), None);
}

#[tokio::test]
async fn a_public_route_looks_at_no_credentials() {
    let bench = Bench::new();
    let site = site(&bench).await;
    for name in ["mallory", "down", "reader"] {
        assert_eq!(site.get_as(name, "/health").await.status, 200, "{name}");
    }
    let twice = [("authorization", "Bearer reader"), ("x-api-key", "reader")];
    assert_eq!(site.send("GET", "/health", &twice, "").await.status, 200);
    assert!(bench.kinds().is_empty());
}

#[tokio::test]
async fn without_a_clock_everything_is_503_but_a_public_route_without_a_trail() {
    let bench = Bench::new();
    let site = site(&bench).await;
    bench.clock.fail(true);
    assert_eq!(site.get("/health").await.status, 200);
    for path in ["/plain", "/greet", "/page", "/unknown"] {
        assert_eq!(site.get_as("reader", path).await.status, 503, "{path}");
    }
    assert_eq!(bench.kinds(), [EventKind::ClockUnavailable; 4]);
    bench.clock.fail(false);
    assert_eq!(site.get_as("reader", "/plain").await.status, 200);
}

#[tokio::test]
async fn an_unchecked_principal_passes_in_development_alone() {
    let bench = Bench::new();
    assert_eq!(
        site(&bench)
            .await
            .get_as("unchecked", "/plain")
            .await
            .status,
        401
    );
    assert_eq!(bench.kinds(), [EventKind::Misconfigured]);
    let bench = Bench::with(|builder| builder.profile(Profile::Development));
    assert_eq!(
        site(&bench)
            .await
            .get_as("unchecked", "/plain")
            .await
            .status,
        200
    );
}
