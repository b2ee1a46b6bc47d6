//! What handlers learn about the caller, and what they must not be told.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse, fn_service};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ReqData};
use actix_web::{App, Error, HttpMessage as _, HttpResponse};
use ringwall_actix::{
    Claims, CurrentPrincipal, CurrentTenant, GuardedApp, OptionalPrincipal, any, any_config,
    any_service, get,
};
use ringwall_core::event::EventKind;
use ringwall_gate::Admitted;

use crate::support::{Bench, Site, serve, start};

async fn who(CurrentPrincipal(principal): CurrentPrincipal) -> String {
    principal.subject.to_string()
}

async fn perhaps(OptionalPrincipal(caller): OptionalPrincipal) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.subject.to_string())
}

/// What actix-web lets anybody write, and must not go wrong.
async fn swallows(caller: Option<CurrentPrincipal>) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.0.subject.to_string())
}

async fn claims(Claims(()): Claims<()>) -> &'static str {
    ""
}

async fn tenant(CurrentTenant(tenant): CurrentTenant) -> String {
    tenant.org.to_string()
}

#[tokio::test]
async fn a_handler_gets_the_principal_and_the_tenant() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .route("/who", get(who))
        .route("/perhaps", get(perhaps))
        .route("/tenant", get(tenant));
    let site = serve(app.build().expect("an app")).await;
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
    let app = GuardedApp::new(bench.gate.clone())
        .route("/who", get(who).optional())
        .route("/tenant", get(tenant).optional());
    let site = serve(app.build().expect("an app")).await;
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
    let app = GuardedApp::new(bench.gate.clone())
        .public_route("/who", get(who))
        .public_route("/perhaps", get(perhaps))
        .public_route("/tenant", get(tenant));
    let site = serve(app.build().expect("an app")).await;
    for path in ["/who", "/perhaps", "/tenant"] {
        for answer in [site.get(path).await, site.get_as("reader", path).await] {
            assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
        }
    }
    assert_eq!(bench.kinds(), [EventKind::Misconfigured; 6]);
}

#[tokio::test]
async fn an_option_is_nobody_on_an_optional_route_alone_and_refuses_nobody_there() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(swallows).optional());
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get("/x").await.body, "nobody");
    assert_eq!(site.get_as("reader", "/x").await.body, "reader");
    assert_eq!(site.get_as("mallory", "/x").await.status, 401);
    // The extractor refused, but nobody was refused: there is no event of it.
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing; 0]);
}

#[tokio::test]
async fn an_option_that_would_swallow_the_mistake_of_a_public_route_denies_and_nothing_runs() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    async fn option(caller: Option<CurrentPrincipal>) -> String {
        RUNS.fetch_add(1, Ordering::SeqCst);
        format!("{}", caller.is_some())
    }
    async fn result(caller: Result<CurrentTenant, Error>) -> String {
        RUNS.fetch_add(1, Ordering::SeqCst);
        format!("{}", caller.is_ok())
    }
    async fn claims(_: Option<Claims<()>>, _: Option<OptionalPrincipal>) -> &'static str {
        RUNS.fetch_add(1, Ordering::SeqCst);
        ""
    }
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .public_route("/option", get(option))
        .public_route("/result", get(result))
        .public_route("/claims", get(claims));
    let site = serve(app.build().expect("an app")).await;
    for path in ["/option", "/result", "/claims"] {
        for answer in [site.get(path).await, site.get_as("reader", path).await] {
            assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
        }
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 0);
    assert_eq!(bench.kinds(), [EventKind::Misconfigured; 6]);
    assert_eq!(bench.outcomes(), ["completed 500"; 6]);
}

#[tokio::test]
async fn behind_a_foreign_handler_the_mistake_is_found_in_its_answer() {
    let bench = Bench::new();
    let foreign = any_config(|config| {
        config.route("/x", web::get().to(swallows));
    });
    let app = GuardedApp::new(bench.gate.clone()).nest_service("/in", foreign.public());
    let site = serve(app.build().expect("an app")).await;
    let answer = site.get_as("reader", "/in/x").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    assert_eq!(bench.kinds(), [EventKind::Misconfigured]);
}

fn bare() -> Site {
    start(|| {
        App::new()
            .route("/who", web::get().to(who))
            .route("/perhaps", web::get().to(perhaps))
            .route("/tenant", web::get().to(tenant))
            .route("/claims", web::get().to(claims))
    })
}

#[tokio::test]
async fn behind_no_gate_every_extractor_denies() {
    let site = bare();
    for path in ["/who", "/perhaps", "/tenant", "/claims"] {
        let answer = site.get_as("reader", path).await;
        assert_eq!((answer.status, answer.body.as_str()), (500, ""), "{path}");
    }
}

#[tokio::test]
async fn the_proof_of_another_door_is_replaced() {
    async fn forget(
        mut request: ServiceRequest,
        next: Next<impl MessageBody>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        request.headers_mut().remove("authorization");
        next.call(request).await
    }
    let bench = Bench::new();
    // An outer door admits the reader, whose request then goes to the door of an inner app.
    let inner = GuardedApp::new(bench.gate.clone())
        .route("/who", get(perhaps).optional())
        .public_route(
            "/public",
            get(async |proof: ReqData<Admitted>| {
                format!("{} {}", proof.route(), proof.principal().is_some())
            }),
        );
    let inner = inner.build().expect("an app");
    let nested = any_config(move |config| {
        let scope = web::scope("").configure(inner.configure());
        config.service(scope.wrap(from_fn(forget)));
    });
    let outer = GuardedApp::new(bench.gate.clone()).nest_service("/x", nested);
    let site = serve(outer.build().expect("an app")).await;
    assert_eq!(site.get("/x/who").await.status, 401);
    assert_eq!(site.get_as("reader", "/x/who").await.body, "nobody");
    assert_eq!(
        site.get_as("reader", "/x/public").await.body,
        "GET /public false"
    );
}

#[tokio::test]
async fn a_middleware_around_a_handler_is_behind_the_door_and_sees_the_proof() {
    async fn look(
        request: ServiceRequest,
        next: Next<impl MessageBody>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        let known = request.extensions().get::<Admitted>().is_some();
        assert!(known, "the middleware runs behind the door");
        next.call(request).await
    }
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).route("/who", any(who).wrap(|| from_fn(look)));
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get("/who").await.status, 401);
    assert_eq!(site.get_as("reader", "/who").await.body, "reader");
}

#[tokio::test]
async fn typed_claims_deny_on_public_routes_too() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).public_route("/x", get(claims));
    let answer = serve(app.build().expect("an app")).await;
    let answer = answer.get_as("reader", "/x").await;
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
}

#[tokio::test]
async fn a_refusal_that_a_service_hands_on_as_an_error_is_reported_too() {
    let bench = Bench::new();
    let service = || {
        fn_service(async |mut request: ServiceRequest| {
            let CurrentPrincipal(who) = request.extract::<CurrentPrincipal>().await?;
            let answer = HttpResponse::Ok().body(who.subject.to_string());
            Ok::<_, Error>(request.into_response(answer))
        })
    };
    let app = GuardedApp::new(bench.gate.clone()).route("/who", any_service(service).optional());
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get_as("reader", "/who").await.body, "reader");
    assert_eq!(site.get("/who").await.status, 401);
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing]);
}
