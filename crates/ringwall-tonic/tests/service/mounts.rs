//! Several services, other routers, and what tonic brings along.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use ringwall_core::audit::{AuditIntent, AuditOutcome, AuditSink, AuditTicket, AuditUnavailable};
use ringwall_core::step::Step;
use ringwall_gate::Gate;
use ringwall_tonic::{GuardedRoutes, guard, public, require_scope};
use tokio::net::TcpListener;
use tonic::Code;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

use crate::cases::text;
use crate::raw::Call;
use crate::support::{Bench, Site, ask, ask_text, listen, serve, soon};

fn check() -> HealthCheckRequest {
    HealthCheckRequest {
        service: String::new(),
    }
}

/// A store that is gone.
#[derive(Debug)]
struct Gone;

const GONE: AuditUnavailable = AuditUnavailable {
    retry_after: Duration::from_secs(9),
};

impl AuditSink for Gone {
    fn intent(&self, _: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        Step::Done(Err(GONE))
    }

    fn outcome(&self, _: AuditTicket, _: AuditOutcome) -> Step<Result<(), AuditUnavailable>> {
        Step::Done(Err(GONE))
    }

    fn denied(&self, _: AuditIntent, _: AuditOutcome) -> Step<Result<(), AuditUnavailable>> {
        Step::Done(Err(GONE))
    }

    fn cancelled(&self, _: AuditTicket) {}
}

#[tokio::test]
async fn health_is_public_while_keys_the_trail_and_the_clock_are_down() {
    let bench = Bench::with(|builder| builder.audit(std::sync::Arc::new(Gone)));
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("", ServingStatus::Serving)
        .await;
    let routes = bench.routes().public_service(health);
    let site = serve(routes.into_routes().expect("routes")).await;
    bench.clock.fail(true);
    let channel = site.channel().await;
    let mut client = HealthClient::new(channel);
    let answer = client.check(check()).await.expect("served");
    assert_eq!(answer.into_inner().status, 1);
    let answer = client.check(ask("down", check())).await.expect("served");
    assert_eq!(answer.into_inner().status, 1);
    let stream = client.watch(ask("mallory", check())).await;
    let mut stream = stream.expect("served").into_inner();
    assert!(soon(stream.message()).await.expect("no error").is_some());

    let status = site.client().await.read(ask_text("reader", "")).await;
    assert_eq!(status.expect_err("no").code(), Code::Unavailable);
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn public_services_leave_denials_alone() {
    let bench = Bench::new();
    let (_, health) = tonic_health::server::health_reporter();
    let routes = bench.routes().public_service(health);
    let site = serve(routes.into_routes().expect("routes")).await;
    let mut client = HealthClient::new(site.channel().await);
    client.check(check()).await.expect("served");
    assert!(bench.trail().is_empty());
    let answer = site.call(Call::to("/grpc.health.v1.Health/../Check")).await;
    assert_eq!(answer.code(), Some(3));
    assert_eq!(bench.outcomes(), ["denied 400"]);
}

fn reflects(site: &Site, name: Option<&str>) -> impl Future<Output = Result<bool, Code>> {
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let messages = tokio_stream::iter([request]);
    let request = match name {
        Some(name) => ask(name, messages),
        None => tonic::Request::new(messages),
    };
    let channel = site.channel();
    async move {
        let mut client = ServerReflectionClient::new(channel.await);
        let answer = client.server_reflection_info(request).await;
        let mut stream = answer.map_err(|status| status.code())?.into_inner();
        let message = soon(stream.message()).await;
        Ok(message.map_err(|status| status.code())?.is_some())
    }
}

#[tokio::test]
async fn reflection_is_refused_unless_a_policy_opens_it() {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .build_v1()
            .expect("a service")
    };
    // Added without a word.
    let bench = Bench::new();
    let routes = bench.routes().service(guard(reflection()));
    let site = serve(routes.into_routes().expect("routes")).await;
    assert_eq!(reflects(&site, None).await, Err(Code::Unauthenticated));
    assert_eq!(
        reflects(&site, Some("reader")).await,
        Err(Code::Unimplemented)
    );

    let server = guard(reflection()).every_method(require_scope("cases:read").streaming());
    let routes = bench.routes().service(server);
    let site = serve(routes.into_routes().expect("routes")).await;
    assert_eq!(reflects(&site, None).await, Err(Code::Unauthenticated));
    assert_eq!(
        reflects(&site, Some("stranger")).await,
        Err(Code::PermissionDenied)
    );
    assert_eq!(reflects(&site, Some("reader")).await, Ok(true));

    let routes = bench.routes().public_service(reflection());
    let site = serve(routes.into_routes().expect("routes")).await;
    assert_eq!(reflects(&site, None).await, Ok(true));
}

#[tokio::test]
async fn merged_routes_keep_their_own_gates() {
    let bench = Bench::new();
    let other = Gate::builder("other")
        .without_authenticators()
        .without_audit()
        .build()
        .expect("a gate");
    let (_, health) = tonic_health::server::health_reporter();
    let closed = GuardedRoutes::new(other.clone())
        .service(guard(health).every_method(require_scope("health")));
    let routes = bench.routes().merge(closed);
    let site = serve(routes.into_routes().expect("routes")).await;
    let answer = site
        .call(Call::to("/grpc.health.v1.Health/Check").from("reader"))
        .await;
    assert_eq!(answer.code(), Some(16));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"other\"")
    );
    let answer = site.call(Call::of("Read").from("reader")).await;
    assert_eq!(answer.code(), Some(0));
    let answer = site.call(Call::to("/unknown")).await;
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"test\"")
    );
}

#[tokio::test]
async fn one_service_works_in_a_router_of_tonics_own() {
    let bench = Bench::new();
    let service = bench.desk.guarded().into_service(&bench.gate);
    let (incoming, site) = listen().await;
    let server = Server::builder().add_service(service.expect("a service"));
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    let mut client = site.client().await;
    assert!(client.read(ask_text("reader", "")).await.is_ok());
    let status = client.read(text("")).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unauthenticated);
    let answer = site.call(Call::of("Forgotten")).await;
    assert_eq!(answer.code(), Some(16));
}

/// An axum server with both protocols.
async fn axum(router: Router) -> Site {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    Site(address)
}

#[tokio::test]
async fn services_can_be_merged_into_an_axum_router_with_a_fallback_of_its_own() {
    let bench = Bench::new();
    let services = bench.routes().into_axum_router().expect("a router");
    let router = Router::new()
        .route("/page", get(async || "page"))
        .fallback(async || (http::StatusCode::IM_A_TEAPOT, "fallback"));
    let site = axum(router.merge(services)).await;
    assert_eq!(site.call(Call::to("/page").by("GET")).await.body, b"page");
    assert_eq!(site.call(Call::to("/unknown")).await.status, 418);
    assert_eq!(site.call(Call::of("Read")).await.code(), Some(16));
    assert_eq!(site.call(Call::of("Forgotten")).await.code(), Some(16));
    let mut client = site.client().await;
    assert!(client.read(ask_text("reader", "")).await.is_ok());
    let local = Some([127, 0, 0, 1].into());
    assert!(
        bench
            .audit
            .snapshot()
            .iter()
            .all(|record| record.intent.source == local)
    );
}

#[tokio::test]
async fn below_a_prefix_of_an_axum_router_policies_hold_and_the_path_is_judged_as_received() {
    let bench = Bench::new();
    let routes = bench.routes().into_routes().expect("routes");
    let site = axum(Router::new().nest("/grpc", routes.into_axum_router())).await;
    let read = Call::to("/grpc/test.v1.Cases/Read");
    assert_eq!(site.call(read.clone()).await.code(), Some(16));
    assert_eq!(
        site.call(read.clone().from("stranger")).await.code(),
        Some(7)
    );
    assert_eq!(site.call(read.from("reader")).await.code(), Some(0));
    let (action, target, _) = bench.trail().swap_remove(2);
    assert_eq!(action, "/test.v1.Cases/Read");
    assert_eq!(target, "/grpc/test.v1.Cases/Read");
    let forgotten = Call::to("/grpc/test.v1.Cases/Forgotten").from("writer");
    assert_eq!(site.call(forgotten).await.code(), Some(12));
    assert_eq!(bench.desk.reached(), ["Read"]);
}

#[tokio::test]
async fn records_name_the_peer_of_the_connection() {
    let bench = Bench::new();
    let site = bench.site().await;
    // Nobody is a trusted proxy here.
    let call = Call::of("Version").with("x-forwarded-for", "192.0.2.7");
    site.call(call).await;
    let source = bench.audit.snapshot()[0].intent.source;
    assert_eq!(source, Some([127, 0, 0, 1].into()));
}

#[tokio::test]
async fn where_tls_is_demanded_a_connection_of_unknown_kind_is_refused() {
    let bench = Bench::with(|builder| builder.https_only(ringwall_gate::HttpsOnly::refuse()));
    let server = guard(bench.desk.server())
        .method("Version", public().permit_plain_http())
        .method("Greet", public());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    let site = serve(routes.into_routes().expect("routes")).await;
    assert_eq!(site.call(Call::of("Version")).await.code(), Some(0));
    let answer = site.call(Call::of("Greet")).await;
    assert_eq!(answer.code(), Some(9));
    assert_eq!(answer.header("grpc-message"), Some("HTTPS%20Required"));
    // A scheme is the client's word.
    let answer = site.call(Call::of("Read").from("reader")).await;
    assert_eq!(answer.code(), Some(9));
    assert_eq!(bench.desk.reached(), ["Version"]);
}
