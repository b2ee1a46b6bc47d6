//! The smallest service of each framework, bare and behind the gate, driven in this process: no
//! socket, no other thread.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use actix_web::{
    App, Error,
    body::{BoxBody, MessageBody as _},
    dev::{Service, ServiceResponse},
    test::{TestRequest, init_service},
};
use axum::{body::HttpBody as _, extract::ConnectInfo};
use ringwall_actix::GuardedApp;
use ringwall_authn::TokenVerifier;
use ringwall_core::audit::MemoryAudit;
use ringwall_gate::{AuditScope, Gate, RateLimits};
use ringwall_rate_limit::{KeyPart, LimitRule, LimitRules, Quota};
use ringwall_tonic::{GuardedRoutes, authenticated, guard};
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};
use tower_service::Service as _;

use crate::{
    at_once::at_once,
    contenders::services::{HelloService, Registration},
};

const GREETING: &str = "hello";

/// The message of an empty request: not compressed, no bytes (gRPC over HTTP/2, Length-Prefixed-Message).
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// A framework.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framework {
    Axum,
    Actix,
    Tonic,
}

impl Framework {
    /// All that there are adapters for.
    pub const ALL: [Self; 3] = [Self::Axum, Self::Actix, Self::Tonic];

    /// The name in tables and cases.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Axum => "axum",
            Self::Actix => "actix",
            Self::Tonic => "tonic",
        }
    }
}

/// A service that is ready to be called.
pub trait Serve {
    /// Serves one request and reads the answer to its end.
    fn serve(&mut self);
}

/// What stands before a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Nothing.
    None,
    /// The gate.
    Gate,
    /// The gate with three limits, in memory: failed credentials by address, which is charged and given back; and
    /// organisation with project, and user, which are charged. None of them is ever used up.
    Limits,
}

impl Guard {
    /// The gate that stands there, if one does.
    ///
    /// # Panics
    ///
    /// When it cannot be built.
    #[must_use]
    pub fn gate(self, verifier: &TokenVerifier) -> Option<Gate> {
        let gate = Gate::builder("bench")
            .tokens(verifier.clone())
            .audit(Arc::new(MemoryAudit::new(1024)));
        let gate = match self {
            Self::None => return None,
            Self::Gate => gate,
            Self::Limits => gate.rate_limits(RateLimits::in_memory(limits(), 100_000)),
        };
        Some(gate.build().expect("a gate"))
    }
}

/// The defaults, with quotas that no bench uses up.
fn limits() -> LimitRules {
    let quota = Quota::per_second(100_000).and_then(|quota| quota.burst(100_000_000));
    let quota = quota.expect("a quota");
    let parts = [KeyPart::Organisation, KeyPart::Project];
    LimitRules::standard()
        .expect("the defaults")
        .limit(LimitRule::new("tenant", quota, parts).skip_absent())
        .limit(LimitRule::new("user", quota, [KeyPart::User]))
        .failed_credentials(LimitRule::new(
            "failed_credentials",
            quota,
            [KeyPart::Address],
        ))
        .build()
        .expect("rules")
}

/// The service of `framework`, whose callers present `token`, behind `guard`. Behind the gate it is for whoever
/// is authenticated, and denials are recorded.
///
/// # Panics
///
/// When it cannot be built.
#[must_use]
pub fn service(
    framework: Framework,
    guard: Guard,
    verifier: &TokenVerifier,
    token: &str,
) -> Box<dyn Serve> {
    let gate = guard.gate(verifier);
    let credentials = format!("Bearer {token}");
    match framework {
        Framework::Axum => Box::new(match gate {
            None => HelloService::new(Registration::Bare, verifier, token),
            Some(gate) => HelloService::behind(gate, token),
        }),
        Framework::Actix => actix(gate, credentials),
        Framework::Tonic => {
            let (_, health) = tonic_health::server::health_reporter();
            Box::new(Grpc::new(health, gate, credentials))
        }
    }
}

impl Serve for HelloService {
    fn serve(&mut self) {
        Self::serve(self);
    }
}

struct Actix<S> {
    app: S,
    credentials: String,
}

async fn hello() -> &'static str {
    GREETING
}

fn actix(gate: Option<Gate>, credentials: String) -> Box<dyn Serve> {
    let runtime = actix_web::rt::System::new();
    match gate {
        None => {
            let app = App::new().route("/hello", actix_web::web::get().to(hello));
            let app = runtime.block_on(init_service(app));
            Box::new(Actix { app, credentials })
        }
        Some(gate) => {
            let endpoint = ringwall_actix::get(hello).audit(AuditScope::DenialsOnly);
            let guarded = GuardedApp::new(gate)
                .route("/hello", endpoint)
                .build()
                .expect("an app");
            let app = App::new().configure(guarded.configure());
            let app = runtime.block_on(init_service(app));
            Box::new(Actix { app, credentials })
        }
    }
}

impl<S> Serve for Actix<S>
where
    S: Service<actix_http::Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    fn serve(&mut self) {
        let request = TestRequest::get()
            .uri("/hello")
            .peer_addr(([192, 0, 2, 7], 40_000).into())
            .insert_header(("authorization", self.credentials.as_str()))
            .to_request();
        let response = at_once(self.app.call(request)).expect("an answer");
        assert_eq!(response.status().as_u16(), 200);
        let body = response.into_body().try_into_bytes().expect("a whole body");
        assert_eq!(body, GREETING);
    }
}

struct Grpc {
    routes: Routes,
    credentials: http::HeaderValue,
}

impl Grpc {
    fn new(health: HealthServer<impl Health>, gate: Option<Gate>, credentials: String) -> Self {
        let routes = match gate {
            None => Routes::new(health),
            Some(gate) => GuardedRoutes::new(gate)
                .service(
                    guard(health).method("Check", authenticated().audit(AuditScope::DenialsOnly)),
                )
                .into_routes()
                .expect("routes"),
        };
        Self {
            routes: routes.prepare(),
            credentials: credentials.try_into().expect("a header value"),
        }
    }
}

impl Serve for Grpc {
    fn serve(&mut self) {
        let body = axum::body::Body::from(EMPTY_MESSAGE);
        let request = http::Request::post("/grpc.health.v1.Health/Check")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("authorization", self.credentials.clone())
            .extension(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_000))))
            .body(tonic::body::Body::new(body))
            .expect("a request");
        let response = at_once(self.routes.call(request)).expect("infallible");
        assert_eq!(response.status(), 200);
        let mut body = pin!(response.into_body());
        let mut context = Context::from_waker(Waker::noop());
        let mut is_good = false;
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
            if let Ok(trailers) = frame.expect("a frame").into_trailers() {
                is_good = trailers["grpc-status"] == "0";
            }
        }
        assert!(is_good);
    }
}
