//! The service under axum.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use ringwall_axum::{Connection, GuardedRouter, TlsIncoming, get, origin, patch, post};
use ringwall_browser::{CorsPolicy, CspNonce};
use ringwall_tower::{CorsPolicyLayer, SecurityHeadersLayer};
use ringwall_transport::{ServerTls, TlsListener};
use tokio::net::TcpListener;

use crate::content::{PUBLIC, content};
use crate::journey::Ports;
use crate::ledger::Ledger;
use crate::policies::{gate, headers};

/// Serves over TLS and without.
pub(crate) async fn serve(tls: &ServerTls, cors: CorsPolicy, ledger: &Ledger) -> Ports {
    let router = router(ledger)
        .layer(CorsPolicyLayer::new(cors))
        .layer(SecurityHeadersLayer::new(headers()).with_origin(origin));
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

fn router(ledger: &Ledger) -> Router {
    let router = GuardedRouter::new(gate())
        .route("/whoami", get(answer))
        .route("/change", patch(answer))
        .public_route("/plain", post(answer));
    let router = PUBLIC.into_iter().fold(router, |router, path| {
        router.public_route(path, get(answer))
    });
    let router = router.with_state(ledger.clone()).into_router();
    router.expect("a router")
}

async fn answer(
    State(ledger): State<Ledger>,
    nonce: Option<Extension<CspNonce>>,
    request: Request,
) -> Response {
    let uri = request.uri();
    let visit = ledger.note(request.method().as_str(), uri.path(), uri.query(), |name| {
        request.headers().get(name)?.to_str().ok()
    });
    let nonce = nonce.as_ref().map_or("", |nonce| nonce.as_str());
    let content = content(&visit, nonce);
    let mut response = ([("content-type", content.kind)], content.text).into_response();
    for (name, value) in content.fields {
        let value = HeaderValue::from_static(value);
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), value);
    }
    response
}
