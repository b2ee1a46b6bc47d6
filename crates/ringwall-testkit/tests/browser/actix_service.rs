//! The service under actix-web.

use std::net::TcpListener;
use std::num::NonZeroUsize;

use actix_web::web::{Data, ReqData};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use ringwall_actix::{
    CorsPolicyMiddleware, Guarded, GuardedApp, SecurityHeadersMiddleware, get, on_connect, patch,
    post,
};
use ringwall_browser::{CorsPolicy, CspNonce};
use ringwall_transport::{HandshakeAcceptor, ServerTls};

use crate::content::{PUBLIC, content};
use crate::journey::Ports;
use crate::ledger::Ledger;
use crate::policies::{gate, headers};

/// Serves over TLS and without.
pub(crate) fn serve(tls: &ServerTls, cors: CorsPolicy, ledger: &Ledger) -> Ports {
    let guarded = guarded();
    let ledger = ledger.clone();
    let headers = headers();
    let app = move || {
        App::new()
            .app_data(Data::new(ledger.clone()))
            .configure(guarded.configure())
            .wrap(CorsPolicyMiddleware::new(cors.clone()))
            .wrap(SecurityHeadersMiddleware::new(headers.clone()))
    };
    let listen = || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (listener, port)
    };
    let ((encrypted, encrypted_port), (plain, plain_port)) = (listen(), listen());
    let server = ringwall_actix::serve(encrypted, HandshakeAcceptor::new(tls), app.clone())
        .workers(NonZeroUsize::MIN)
        .disable_signals()
        .run();
    tokio::spawn(server.expect("a server"));
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .on_connect(on_connect)
        .listen(plain)
        .expect("a server");
    tokio::spawn(server.run());
    Ports {
        encrypted: encrypted_port,
        plain: plain_port,
    }
}

fn guarded() -> Guarded {
    let app = GuardedApp::new(gate())
        .route("/whoami", get(answer))
        .route("/change", patch(answer))
        .public_route("/plain", post(answer));
    let app = PUBLIC
        .into_iter()
        .fold(app, |app, path| app.public_route(path, get(answer)));
    app.build().expect("an app")
}

async fn answer(
    ledger: Data<Ledger>,
    nonce: Option<ReqData<CspNonce>>,
    request: HttpRequest,
) -> HttpResponse {
    let uri = request.uri();
    let visit = ledger.note(request.method().as_str(), uri.path(), uri.query(), |name| {
        request.headers().get(name)?.to_str().ok()
    });
    let nonce = nonce.as_ref().map_or("", |nonce| nonce.as_str());
    let content = content(&visit, nonce);
    let mut response = HttpResponse::Ok();
    response.content_type(content.kind);
    for field in content.fields {
        response.insert_header(*field);
    }
    response.body(content.text)
}
