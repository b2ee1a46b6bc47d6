//! The smallest axum service, bare and behind the gate, driven in this process: no socket, no
//! runtime, no other thread.

use std::{
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::ConnectInfo,
    http::{HeaderValue, Request, StatusCode, header::AUTHORIZATION},
};
use ringwall_authn::TokenVerifier;
use ringwall_axum::{Endpoint, GuardedRouter};
use ringwall_core::audit::MemoryAudit;
use ringwall_gate::{AuditScope, Gate};
use tower_service::Service as _;

use crate::at_once::at_once;

/// What the handler answers.
const GREETING: &str = "hello";

/// Records that are kept before the oldest make room.
const AUDIT_RECORDS: usize = 1024;

async fn hello() -> &'static str {
    GREETING
}

/// A service that is ready to be called.
#[derive(Debug)]
pub struct HelloService {
    router: Router,
    credentials: HeaderValue,
}

/// How a route is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Without the gate.
    Bare,
    /// Public, behind the gate.
    Public,
    /// For whoever is authenticated; nothing is recorded.
    AuditOff,
    /// For whoever is authenticated; denials are recorded.
    AuditDenials,
    /// For whoever has a scope; denials are recorded.
    Scope,
    /// For whoever is authenticated; intent and outcome are recorded, in memory.
    AuditAll,
}

impl Registration {
    /// All behind the gate.
    pub const GUARDED: [Self; 5] = [
        Self::Public,
        Self::AuditOff,
        Self::AuditDenials,
        Self::Scope,
        Self::AuditAll,
    ];

    /// The name in tables and cases.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "axum-hello",
            Self::Public => "access=public audit=denials",
            Self::AuditOff => "access=authenticated audit=off",
            Self::AuditDenials => "access=authenticated audit=denials",
            Self::Scope => "access=scope audit=denials",
            Self::AuditAll => "access=authenticated audit=all sink=memory",
        }
    }
}

impl HelloService {
    /// The service, whose callers present `token`.
    ///
    /// # Panics
    ///
    /// When the gate cannot be built.
    #[must_use]
    pub fn new(registration: Registration, verifier: &TokenVerifier, token: &str) -> Self {
        let credentials = HeaderValue::try_from(format!("Bearer {token}")).expect("a header value");
        let path = "/hello";
        let get = ringwall_axum::get(hello);
        let endpoint = match registration {
            Registration::Bare => {
                let router = Router::new().route(path, axum::routing::get(hello));
                return Self::ready(router, credentials);
            }
            Registration::Public => get.public().audit(AuditScope::DenialsOnly),
            Registration::AuditOff => get.audit(AuditScope::Off),
            Registration::AuditDenials => get.audit(AuditScope::DenialsOnly),
            Registration::Scope => get
                .require_scope("cases:read")
                .audit(AuditScope::DenialsOnly),
            Registration::AuditAll => get.audit(AuditScope::All),
        };
        let gate = Gate::builder("bench")
            .tokens(verifier.clone())
            .audit(Arc::new(MemoryAudit::new(AUDIT_RECORDS)))
            .build()
            .expect("a gate");
        Self::guarded(gate, endpoint, credentials)
    }

    /// The service behind this gate, for whoever is authenticated; denials are recorded.
    ///
    /// # Panics
    ///
    /// When the gate cannot guard it.
    #[must_use]
    pub fn behind(gate: Gate, token: &str) -> Self {
        let credentials = HeaderValue::try_from(format!("Bearer {token}")).expect("a header value");
        let endpoint = ringwall_axum::get(hello).audit(AuditScope::DenialsOnly);
        Self::guarded(gate, endpoint, credentials)
    }

    fn guarded(gate: Gate, endpoint: Endpoint, credentials: HeaderValue) -> Self {
        let router = GuardedRouter::new(gate)
            .route("/hello", endpoint)
            .into_router()
            .expect("a router");
        Self::ready(router, credentials)
    }

    /// With the state bound, as `axum::serve` binds it once: a router without makes its routes anew
    /// for each request.
    fn ready(router: Router, credentials: HeaderValue) -> Self {
        Self {
            router: router.with_state(()),
            credentials,
        }
    }

    /// Serves one request and reads the answer to its end.
    ///
    /// # Panics
    ///
    /// When the answer is not the handler's.
    pub fn serve(&mut self) {
        let peer = SocketAddr::from(([192, 0, 2, 7], 40_000));
        let request = Request::get("/hello")
            .header(AUTHORIZATION, self.credentials.clone())
            .extension(ConnectInfo(peer))
            .body(Body::empty())
            .expect("a request");
        let response = at_once(self.router.call(request)).expect("infallible");
        assert_eq!(response.status(), StatusCode::OK);
        let mut body = pin!(response.into_body());
        let mut bytes = 0;
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut context) {
            let frame = frame.expect("a frame");
            bytes += frame.data_ref().map_or(0, |data| data.len());
        }
        assert_eq!(bytes, GREETING.len());
    }
}
