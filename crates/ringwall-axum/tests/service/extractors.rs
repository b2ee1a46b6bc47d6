//! What handlers learn about the caller, and what they must not be told.

use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::{Extension, Router};
use ringwall_axum::{CurrentPrincipal, CurrentTenant, GuardedRouter, any, get};
use ringwall_core::event::EventKind;
use ringwall_gate::Admitted;

use crate::support::{Bench, serve};

async fn who(CurrentPrincipal(principal): CurrentPrincipal) -> String {
    principal.subject.to_string()
}

async fn perhaps(caller: Option<CurrentPrincipal>) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.0.subject.to_string())
}

async fn tenant(CurrentTenant(tenant): CurrentTenant) -> String {
    tenant.org.to_string()
}

#[tokio::test]
async fn a_handler_gets_the_principal_and_the_tenant() {
    let bench = Bench::new();
    let router = GuardedRouter::new(bench.gate.clone())
        .route("/who", get(who))
        .route("/perhaps", get(perhaps))
        .route("/tenant", get(tenant));
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get_as("reader", "/who").await.body, "reader");
    assert_eq!(site.get_as("reader", "/perhaps").await.body, "reader");
    assert_eq!(site.get_as("reader", "/tenant").await.body, "acme");
    // Without a tenant there is no default one.
    assert_eq!(site.get_as("stranger", "/tenant").await.status, 403);
    assert_eq!(bench.kinds(), [EventKind::AccessDenied]);
}

#[tokio::test]
async fn who_must_be_known_is_401_on_an_optional_route_without_credentials() {
    let bench = Bench::new();
    let router = GuardedRouter::new(bench.gate.clone())
        .route("/who", get(who).optional())
        .route("/tenant", get(tenant).optional());
    let site = serve(router.into_router().expect("a router")).await;
    for path in ["/who", "/tenant"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"test\"")
        );
    }
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing; 2]);
}

#[tokio::test]
async fn asking_on_a_public_route_is_a_mistake_that_denies_and_is_reported() {
    let bench = Bench::new();
    let router = GuardedRouter::new(bench.gate.clone())
        .public_route("/who", get(who))
        .public_route("/perhaps", get(perhaps))
        .public_route("/tenant", get(tenant));
    let site = serve(router.into_router().expect("a router")).await;
    for path in ["/who", "/perhaps", "/tenant"] {
        for answer in [site.get(path).await, site.get_as("reader", path).await] {
            assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
        }
    }
    assert_eq!(bench.kinds(), [EventKind::Misconfigured; 6]);
}

#[tokio::test]
async fn behind_no_gate_every_extractor_denies() {
    let router = Router::new()
        .route("/who", axum::routing::get(who))
        .route("/perhaps", axum::routing::get(perhaps))
        .route("/tenant", axum::routing::get(tenant));
    let site = serve(router).await;
    for path in ["/who", "/perhaps", "/tenant"] {
        let answer = site.get_as("reader", path).await;
        assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
    }
}

#[tokio::test]
async fn the_proof_of_another_door_is_replaced() {
    let bench = Bench::new();
    // An outer guard admits the reader, whose request then goes to the door of an inner router.
    let inner = GuardedRouter::new(bench.gate.clone())
        .route("/x/who", get(perhaps).optional())
        .public_route(
            "/x/public",
            get(async |Extension(proof): Extension<Admitted>| {
                format!("{} {}", proof.route(), proof.principal().is_some())
            }),
        );
    let inner = inner.into_router().expect("a router");
    let strip = middleware::from_fn(async |mut request: Request, next: Next| {
        request.headers_mut().remove("authorization");
        next.run(request).await
    });
    let outer = GuardedRouter::<()>::new(bench.gate.clone())
        .route("/x/{rest}", ringwall_axum::any_service(inner.layer(strip)));
    let site = serve(outer.into_router().expect("a router")).await;
    assert_eq!(site.get_as("reader", "/x/who").await.body, "nobody");
    assert_eq!(
        site.get_as("reader", "/x/public").await.body,
        "GET /x/public false"
    );
}

#[tokio::test]
async fn a_layer_around_a_handler_is_behind_the_door_and_sees_the_proof() {
    use axum::handler::Handler as _;
    let bench = Bench::new();
    let look = middleware::from_fn(async |request: Request, next: Next| {
        let known = request.extensions().get::<Admitted>().is_some();
        assert!(known, "the layer runs behind the door");
        next.run(request).await
    });
    let router = GuardedRouter::new(bench.gate.clone()).route("/who", any(who.layer(look)));
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get("/who").await.status, 401);
    assert_eq!(site.get_as("reader", "/who").await.body, "reader");
}

#[tokio::test]
async fn typed_claims_deny_without_a_gate_and_on_public_routes_too() {
    use ringwall_axum::Claims;
    async fn read(Claims(()): Claims<()>) {}
    let bench = Bench::new();
    let public = GuardedRouter::new(bench.gate.clone()).public_route("/x", get(read));
    let bare = Router::new().route("/x", axum::routing::get(read));
    for router in [public.into_router().expect("a router"), bare] {
        let answer = serve(router).await.get_as("reader", "/x").await;
        assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    }
}
