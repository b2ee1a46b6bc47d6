//! The routes of the corpus in axum.

use core::convert::Infallible;
use std::net::SocketAddr;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::serve::ListenerExt as _;
use axum::{Extension, Router};
use ringwall_axum::{
    CurrentPrincipal, CurrentSubject, CurrentTenant, GuardedRouter, PermittedRows, Rejection, any,
    any_service, delete, get, head, post,
};
use ringwall_gate::authz::Duties;
use ringwall_gate::{Admitted, AuditScope, Gate};
use ringwall_transport::Peer;
use tokio::net::TcpListener;

use crate::authorization::{Dossier, ROW, ReadDossier};
use crate::echo::{DENIAL, denial, echo, parts, said};
use crate::gates::{Bench, LARGE, step_up};

/// Serves the routes behind the gate of `bench`.
pub(crate) async fn serve(bench: &Bench) -> SocketAddr {
    let router = routes(&bench.gate).into_router().expect("a router");
    listen(router, bench).await
}

/// Serves `router`, and plants the proof of another request in each.
pub(crate) async fn listen(router: Router, bench: &Bench) -> SocketAddr {
    let router = router
        .layer(Extension(bench.planted.clone()))
        .layer(from_fn(tell_connection));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    // Small frames that wait for each other would take most of the time.
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).ok();
    });
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

async fn tell_connection(
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    request.extensions_mut().insert(Peer::plain(address));
    next.run(request).await
}

fn routes(gate: &Gate) -> GuardedRouter {
    let router = || GuardedRouter::new(gate.clone());
    let described = match gate.protected_resource() {
        Some(_) => router().resource_metadata(),
        None => router(),
    };
    let cases = get(show)
        .require_scope("cases:read")
        .and(post(show).require_scope("cases:write").body_limit(64));
    let case = get(show).require_scope("cases:read").and(
        delete(show)
            .require_scope("cases:delete")
            .step_up(step_up()),
    );
    let report = get(show)
        .require_scope("cases:read")
        .and(head(show).require_scope("cases:write"));
    let health = get(show).audit(AuditScope::DenialsOnly).permit_plain_http();
    let api = router()
        .route("/", get(show))
        .route("/admin", get(show).require_scope("admin"))
        .public_route("/public", get(show))
        .nest(
            "/orgs/{org}",
            router().route("/cases/{id}", get(show).require_scope("cases:read")),
        );
    let described = match gate.authorization() {
        Some(_) => demanding(described),
        None => described,
    };
    described
        .route("/cases", cases)
        .route("/cases/{id}", case)
        .route(
            "/either",
            get(show).require_any_scope(["cases:read", "cases:write"]),
        )
        .route("/me", get(me))
        .route("/optional", get(maybe).optional())
        .public_route("/public", get(show))
        .public_route("/health", health)
        .public_route("/deny", get(deny))
        .public_route("/misplaced", get(me))
        .route("/tenant", get(tenant))
        .route("/watch", get(watch).require_scope("cases:read"))
        .route("/report", report)
        .route("/page", get(show).public().and(any(show)))
        .route(
            "/drain",
            post(drain).require_scope("cases:write").body_limit(64),
        )
        .route(
            "/large",
            post(show).require_scope("cases:write").body_limit(LARGE),
        )
        .nest("/api", api)
        .nest_service(
            "/files",
            any_service(everything()).require_scope("files:read"),
        )
        .nest_service("/open", any_service(everything()).public())
}

/// The routes that demand something of the authorization policy.
fn demanding(router: GuardedRouter) -> GuardedRouter {
    let payments = get(show)
        .require_permission("read", "payment")
        .and(post(show).require_permission("write", "payment"));
    let vault = get(show)
        .require_scope("vault:open")
        .require_role("manager");
    router
        .route("/ledger", get(show).require_role("manager"))
        .route("/payments", payments)
        .route("/payroll", get(show).require_permission("read", "payroll"))
        .route("/vault", vault)
        .route("/dossier", get(dossier))
        .route("/feed", get(watch).require_role("manager"))
}

/// A router of axum's own that answers every path.
pub(crate) fn everything() -> Router {
    Router::new().fallback(show)
}

pub(crate) async fn show(
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
    body: Bytes,
) -> (HeaderMap, String) {
    let pair = |(name, value): (&str, &[u8])| {
        let value = HeaderValue::from_bytes(value).expect("a value");
        (HeaderName::try_from(name).expect("a name"), value)
    };
    let answer = said(fields(&headers)).map(pair).collect();
    (answer, seen(&admitted, &headers, body.len()))
}

fn fields(headers: &HeaderMap) -> impl Iterator<Item = (&str, &[u8])> {
    let fields = headers.iter();
    fields.map(|(name, value)| (name.as_str(), value.as_bytes()))
}

pub(crate) async fn me(
    CurrentPrincipal(principal): CurrentPrincipal,
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
) -> Result<String, Rejection> {
    match admitted.principal() {
        Some(same) if same.subject == principal.subject => Ok(seen(&admitted, &headers, 0)),
        Some(_) | None => Err(Rejection::Misconfigured),
    }
}

pub(crate) async fn maybe(
    caller: Option<CurrentPrincipal>,
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
) -> Result<String, Rejection> {
    match (caller, admitted.principal()) {
        (None, None) => Ok(seen(&admitted, &headers, 0)),
        (Some(CurrentPrincipal(one)), Some(other)) if one.subject == other.subject => {
            Ok(seen(&admitted, &headers, 0))
        }
        (Some(_), _) | (None, Some(_)) => Err(Rejection::Misconfigured),
    }
}

pub(crate) async fn tenant(
    CurrentTenant(_): CurrentTenant,
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
) -> String {
    seen(&admitted, &headers, 0)
}

pub(crate) async fn deny(headers: HeaderMap) -> Result<String, Rejection> {
    let asked = headers.get(DENIAL).map(|value| value.as_bytes());
    match asked.and_then(denial) {
        Some(denial) => Err(denial.into()),
        None => Err(Rejection::Misconfigured),
    }
}

/// Reads the row that the caller names, once the policy permits it.
pub(crate) async fn dossier(
    CurrentSubject(subject): CurrentSubject,
    PermittedRows(rows): PermittedRows<ReadDossier>,
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
) -> Result<String, Rejection> {
    let row = Dossier::named(headers.get(ROW).map(HeaderValue::as_bytes));
    let _permit = subject.authorize::<ReadDossier>(&row, &Duties::none())?;
    if rows.nothing().is_some() {
        return Err(Rejection::Misconfigured);
    }
    Ok(seen(&admitted, &headers, 0))
}

pub(crate) async fn watch() -> Body {
    Body::from_stream(parts::<Infallible>())
}

/// Reads the body without axum's extractors and their own limit.
pub(crate) async fn drain(
    Extension(admitted): Extension<Admitted>,
    headers: HeaderMap,
    body: Body,
) -> Result<String, StatusCode> {
    let body = to_bytes(body, usize::MAX).await;
    body.map(|body| seen(&admitted, &headers, body.len()))
        .map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)
}

fn seen(admitted: &Admitted, headers: &HeaderMap, body: usize) -> String {
    echo(admitted, fields(headers), body)
}
