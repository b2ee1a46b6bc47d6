//! The pages of other origins, and the collector that pages tell what they saw.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::HeaderName;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use ringwall_axum::{Connection, TlsIncoming};
use ringwall_transport::{ServerTls, TlsListener};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;

use crate::journey::Ports;
use crate::ledger::Ledger;

/// What a page saw at one step.
pub(crate) type Told = (String, Value);

#[derive(Clone)]
struct Collector {
    /// The address of each step's page, in order.
    steps: Arc<Vec<(&'static str, String)>>,
    told: UnboundedSender<Told>,
    ledger: Ledger,
}

/// Serves the pages, to every host, over TLS and without.
pub(crate) async fn serve(
    tls: &ServerTls,
    steps: Vec<(&'static str, String)>,
    told: UnboundedSender<Told>,
    ledger: &Ledger,
) -> Ports {
    let router = Router::new()
        .route("/verdict", post(verdict))
        .route("/referrer", get(referrer))
        .fallback(file)
        .with_state(Collector {
            steps: Arc::new(steps),
            told,
            ledger: ledger.clone(),
        });
    let encrypted = TlsListener::bind("127.0.0.1:0", tls).await.expect("a port");
    let plain = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let ports = Ports {
        encrypted: encrypted.local_addr().port(),
        plain: plain.local_addr().expect("an address").port(),
    };
    let service = router.clone();
    tokio::spawn(async move {
        let service = service.into_make_service_with_connect_info::<Connection>();
        axum::serve(TlsIncoming::new(encrypted), service).await
    });
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(plain, service).await
    });
    ports
}

/// The collector is no service under test: anybody may tell it something.
const FOR_ALL: (HeaderName, &str) = (ACCESS_CONTROL_ALLOW_ORIGIN, "*");

/// Takes what a page saw, and answers where the journey goes on.
async fn verdict(
    State(collector): State<Collector>,
    Query(query): Query<BTreeMap<String, String>>,
    body: String,
) -> Response {
    let step = query.get("step").cloned().unwrap_or_default();
    let seen = serde_json::from_str(&body).unwrap_or(Value::Null);
    let here = collector.steps.iter().position(|(name, _)| *name == step);
    let next = here.and_then(|here| collector.steps.get(here.checked_add(1)?));
    let next = next.map(|(_, address)| address.clone()).unwrap_or_default();
    collector.told.send((step, seen)).ok();
    ([FOR_ALL], next).into_response()
}

async fn referrer(State(collector): State<Collector>, request: Request) -> Response {
    let uri = request.uri();
    collector
        .ledger
        .note("GET", uri.path(), uri.query(), |name| {
            request.headers().get(name)?.to_str().ok()
        });
    ([FOR_ALL], "noted").into_response()
}

async fn file(request: Request) -> Response {
    let (kind, text) = match request.uri().path() {
        "/probe" => ("text/html", include_str!("pages/probe.html")),
        "/probe.js" => ("text/javascript", include_str!("pages/probe.js")),
        "/sandbox" => ("text/html", include_str!("pages/sandbox.html")),
        "/framing" => ("text/html", include_str!("pages/framing.html")),
        "/text.txt" => ("text/plain", "window.sniffed = true;"),
        _ => ("text/plain", ""),
    };
    ([(CONTENT_TYPE, kind)], text).into_response()
}
