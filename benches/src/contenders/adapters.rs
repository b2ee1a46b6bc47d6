//! The smallest service of each framework, bare and behind the gate, driven in this process: no
//! socket, no other thread.

use std::{
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
use axum::body::HttpBody as _;
use ringwall_actix::GuardedApp;
use ringwall_authn::TokenVerifier;
use ringwall_core::audit::MemoryAudit;
use ringwall_gate::{AuditScope, Gate};
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

/// The service of `framework`, whose callers present `token`, with the gate or without. Behind the
/// gate it is for whoever is authenticated, and denials are recorded.
///
/// # Panics
///
/// When it cannot be built.
#[must_use]
pub fn service(
    framework: Framework,
    is_guarded: bool,
    verifier: &TokenVerifier,
    token: &str,
) -> Box<dyn Serve> {
    let gate = || {
        Gate::builder("bench")
            .tokens(verifier.clone())
            .audit(Arc::new(MemoryAudit::new(1024)))
            .build()
            .expect("a gate")
    };
    let credentials = format!("Bearer {token}");
    match framework {
        Framework::Axum => {
            let registration = if is_guarded {
                Registration::AuditDenials
            } else {
                Registration::Bare
            };
            Box::new(HelloService::new(registration, verifier, token))
        }
        Framework::Actix => actix(is_guarded.then(gate), credentials),
        Framework::Tonic => {
            let (_, health) = tonic_health::server::health_reporter();
            Box::new(Grpc::new(health, is_guarded.then(gate), credentials))
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
