//! What handlers learn about their callers.

use ringwall_core::event::EventKind;
use ringwall_core::principal::AuthenticationMethod;
use ringwall_gate::Admitted;
use ringwall_tonic::{
    Claims, CurrentPrincipal, CurrentTenant, GuardedRoutes, authenticated, guard, optional, public,
};
use tonic::{Code, Request, Status};

use crate::cases::text;
use crate::generated::cases_server::CasesServer;
use crate::support::{Bench, Site, ask_text, serve};

type Asks = fn(&Request<()>) -> Result<String, Status>;

fn principal(request: &Request<()>) -> Result<String, Status> {
    CurrentPrincipal::from_request(request).map(|who| who.0.subject.to_string())
}

fn maybe(request: &Request<()>) -> Result<String, Status> {
    let who = CurrentPrincipal::optional(request)?;
    Ok(who.map_or("nobody".to_owned(), |who| who.0.subject.to_string()))
}

fn tenant(request: &Request<()>) -> Result<String, Status> {
    CurrentTenant::from_request(request).map(|tenant| tenant.0.org.to_string())
}

fn claims(request: &Request<()>) -> Result<String, Status> {
    Claims::<serde_json::Value>::from_request(request).map(|claims| claims.0.to_string())
}

/// An interceptor runs behind the door, and sees what a handler sees. What it learns is told as
/// metadata, which `Version` repeats.
async fn site(bench: &Bench, asks: Asks) -> Site {
    let tells = move |mut request: Request<()>| {
        let told = asks(&request)?;
        let value = told.parse().expect("a value");
        request.metadata_mut().insert("told", value);
        Ok(request)
    };
    let server = CasesServer::with_interceptor(bench.desk.clone(), tells);
    let server = guard(server)
        .method("Version", authenticated())
        .method("Greet", optional())
        .method("Read", public());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    serve(routes.into_routes().expect("routes")).await
}

async fn told(site: &Site, name: &str) -> Result<String, Code> {
    let mut client = site.client().await;
    let answer = client.version(ask_text(name, "metadata told")).await;
    answer
        .map(|answer| answer.into_inner().text)
        .map_err(|status| status.code())
}

#[tokio::test]
async fn a_handler_gets_the_principal_and_the_tenant() {
    let bench = Bench::new();
    for (asks, told_to) in [
        (principal as Asks, ["reader", "stranger"]),
        (maybe, ["reader", "stranger"]),
    ] {
        let site = site(&bench, asks).await;
        for name in told_to {
            assert_eq!(told(&site, name).await.as_deref(), Ok(name));
        }
    }
    let site = site(&bench, tenant).await;
    assert_eq!(told(&site, "reader").await.as_deref(), Ok("acme"));
    assert_eq!(told(&site, "stranger").await, Err(Code::PermissionDenied));
    let event = bench.events.snapshot().pop().expect("an event");
    assert_eq!(event.kind, EventKind::AccessDenied);
    assert_eq!(event.cause, "the caller acts in no tenant");
}

#[tokio::test]
async fn who_must_be_known_is_asked_for_where_credentials_are_optional() {
    for asks in [principal as Asks, tenant, claims] {
        let bench = Bench::new();
        let site = site(&bench, asks).await;
        let mut client = site.client().await;
        let status = client.greet(text("")).await.expect_err("refused");
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.metadata().contains_key("www-authenticate"));
        assert_eq!(bench.kinds(), [EventKind::CredentialsMissing]);
        assert!(bench.desk.reached().is_empty());
    }
    let bench = Bench::new();
    let mut client = site(&bench, maybe).await.client().await;
    assert!(client.greet(text("")).await.is_ok());
}

#[tokio::test]
async fn asking_in_a_public_method_is_a_mistake_that_denies_and_is_reported() {
    for asks in [principal as Asks, maybe, tenant, claims] {
        let bench = Bench::new();
        let mut client = site(&bench, asks).await.client().await;
        let status = client.read(ask_text("reader", "")).await;
        let status = status.expect_err("refused");
        assert_eq!(status.code(), Code::Internal);
        assert_eq!(status.message(), "the service is misconfigured");
        assert_eq!(bench.kinds(), [EventKind::Misconfigured]);
        assert_eq!(bench.outcomes(), ["grpc 13"]);
    }
}

#[test]
fn behind_no_gate_every_question_denies() {
    let mut request = Request::new(());
    // A principal among the extensions is no proof that the request came through a door.
    let verified = crate::support::principal("writer", AuthenticationMethod::Token);
    request.extensions_mut().insert(verified.expect("somebody"));
    for asks in [principal as Asks, maybe, tenant, claims] {
        let status = asks(&request).expect_err("refused");
        assert_eq!(status.code(), Code::Internal);
    }
}

#[tokio::test]
async fn who_has_no_token_has_no_claims() {
    let bench = Bench::new();
    let site = site(&bench, claims).await;
    assert_eq!(told(&site, "reader").await, Err(Code::PermissionDenied));
}

#[tokio::test]
async fn the_proof_itself_is_among_the_extensions() {
    let bench = Bench::new();
    let site = site(&bench, |request| {
        let admitted = request.extensions().get::<Admitted>().expect("a proof");
        Ok(admitted.route().to_string())
    })
    .await;
    assert_eq!(
        told(&site, "reader").await.as_deref(),
        Ok("/test.v1.Cases/Version")
    );
}
