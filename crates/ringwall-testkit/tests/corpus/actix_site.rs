//! The routes of the corpus in actix-web.

use core::convert::Infallible;
use std::net::{SocketAddr, TcpListener};

use actix_web::dev::Service as _;
use actix_web::error::PayloadError;
use actix_web::rt::net::TcpStream;
use actix_web::web::{Bytes, Payload, ReqData};
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse, HttpServer};
use ringwall_actix::{
    CurrentPrincipal, CurrentSubject, CurrentTenant, GuardedApp, OptionalPrincipal, PermittedRows,
    Rejection, any, any_service, delete, get, head, post,
};
use ringwall_gate::authz::Duties;
use ringwall_gate::{Admitted, AuditScope, Gate};
use tokio_stream::StreamExt as _;

use crate::authorization::{Dossier, ROW, ReadDossier};
use crate::echo::{DENIAL, denial, echo, parts, said};
use crate::gates::{Bench, LARGE, step_up};

/// Serves the routes behind the gate of `bench`.
pub(crate) fn serve(bench: &Bench) -> SocketAddr {
    let guarded = routes(&bench.gate).build().expect("an app");
    let planted = bench.planted.clone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = HttpServer::new(move || {
        let planted = planted.clone();
        App::new()
            .configure(guarded.configure())
            .wrap_fn(move |request, next| {
                request.extensions_mut().insert(planted.clone());
                next.call(request)
            })
    });
    let server = server
        .workers(1)
        .on_connect(|connection, data| {
            // Small frames that wait for each other would take most of the time.
            if let Some(stream) = connection.downcast_ref::<TcpStream>() {
                stream.set_nodelay(true).ok();
            }
            ringwall_actix::on_connect(connection, data);
        })
        .disable_signals()
        .listen_auto_h2c(listener)
        .expect("a server")
        .run();
    tokio::spawn(server);
    address
}

fn routes(gate: &Gate) -> GuardedApp {
    let app = || GuardedApp::new(gate.clone());
    let described = match gate.protected_resource() {
        Some(_) => app().resource_metadata(),
        None => app(),
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
    let api = app()
        .route("/", get(show))
        .route("/admin", get(show).require_scope("admin"))
        .public_route("/public", get(show))
        .nest(
            "/orgs/{org}",
            app().route("/cases/{id}", get(show).require_scope("cases:read")),
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
        .nest_service("/files", everything().require_scope("files:read"))
        .nest_service("/open", everything().public())
}

/// The routes that demand something of the authorization policy.
fn demanding(app: GuardedApp) -> GuardedApp {
    let payments = get(show)
        .require_permission("read", "payment")
        .and(post(show).require_permission("write", "payment"));
    let vault = get(show)
        .require_scope("vault:open")
        .require_role("manager");
    app.route("/ledger", get(show).require_role("manager"))
        .route("/payments", payments)
        .route("/payroll", get(show).require_permission("read", "payroll"))
        .route("/vault", vault)
        .route("/dossier", get(dossier))
        .route("/feed", get(watch).require_role("manager"))
}

/// A service of actix-web's own that answers every path.
fn everything() -> ringwall_actix::Endpoint {
    any_service(|| actix_web::web::to(show))
}

async fn show(admitted: ReqData<Admitted>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    for (name, value) in said(fields(&request)) {
        answer.append_header((name, value));
    }
    answer.body(seen(&admitted, &request, body.len()))
}

fn fields(request: &HttpRequest) -> impl Iterator<Item = (&str, &[u8])> {
    let fields = request.headers().iter();
    fields.map(|(name, value)| (name.as_str(), value.as_bytes()))
}

async fn me(
    CurrentPrincipal(principal): CurrentPrincipal,
    admitted: ReqData<Admitted>,
    request: HttpRequest,
) -> Result<String, Rejection> {
    match admitted.principal() {
        Some(same) if same.subject == principal.subject => Ok(seen(&admitted, &request, 0)),
        Some(_) | None => Err(Rejection::Misconfigured),
    }
}

async fn maybe(
    OptionalPrincipal(caller): OptionalPrincipal,
    admitted: ReqData<Admitted>,
    request: HttpRequest,
) -> Result<String, Rejection> {
    match (caller, admitted.principal()) {
        (None, None) => Ok(seen(&admitted, &request, 0)),
        (Some(one), Some(other)) if one.subject == other.subject => {
            Ok(seen(&admitted, &request, 0))
        }
        (Some(_), _) | (None, Some(_)) => Err(Rejection::Misconfigured),
    }
}

async fn tenant(
    CurrentTenant(_): CurrentTenant,
    admitted: ReqData<Admitted>,
    request: HttpRequest,
) -> String {
    seen(&admitted, &request, 0)
}

async fn deny(request: HttpRequest) -> Result<String, Rejection> {
    let asked = request.headers().get(DENIAL).map(|value| value.as_bytes());
    match asked.and_then(denial) {
        Some(denial) => Err(denial.into()),
        None => Err(Rejection::Misconfigured),
    }
}

/// Reads the row that the caller names, once the policy permits it.
async fn dossier(
    CurrentSubject(subject): CurrentSubject,
    PermittedRows(rows): PermittedRows<ReadDossier>,
    admitted: ReqData<Admitted>,
    request: HttpRequest,
) -> Result<String, Rejection> {
    let row = Dossier::named(request.headers().get(ROW).map(|value| value.as_bytes()));
    let _permit = subject.authorize::<ReadDossier>(&row, &Duties::none())?;
    if rows.nothing().is_some() {
        return Err(Rejection::Misconfigured);
    }
    Ok(seen(&admitted, &request, 0))
}

async fn watch() -> HttpResponse {
    let parts = parts::<Infallible>().map(|part| part.map(Bytes::from));
    HttpResponse::Ok().streaming(parts)
}

/// Reads the body without actix-web's extractors of bytes and their own limit.
async fn drain(
    admitted: ReqData<Admitted>,
    request: HttpRequest,
    mut body: Payload,
) -> Result<String, PayloadError> {
    let mut length = 0_usize;
    while let Some(chunk) = body.next().await {
        length = length.saturating_add(chunk?.len());
    }
    Ok(seen(&admitted, &request, length))
}

fn seen(admitted: &Admitted, request: &HttpRequest, body: usize) -> String {
    echo(admitted, fields(request), body)
}
