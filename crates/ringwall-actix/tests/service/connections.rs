//! What the gate knows of a connection, and what only a trusted proxy may say of it.

use actix_web::dev::Service as _;
use actix_web::web::ReqData;
use actix_web::{App, HttpRequest, HttpServer};
use ringwall_actix::{Guarded, GuardedApp, get};
use ringwall_gate::{Admitted, Gate, HttpsOnly, TrustedProxies};
use ringwall_transport::ForwardingHeader;

use crate::support::{Bench, Site, serve, start};

async fn whence(admitted: ReqData<Admitted>) -> String {
    let address = admitted.client_address();
    let address = address.map_or("nowhere".to_owned(), |address| address.to_string());
    format!("{address} {:?}", admitted.scheme())
}

async fn names(request: HttpRequest) -> String {
    let mut names: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    names.join(" ")
}

fn app(gate: &Gate) -> Guarded {
    let app = GuardedApp::new(gate.clone())
        .public_route("/probe", get(whence).permit_plain_http())
        .public_route("/whence", get(whence))
        .route("/names", get(names));
    app.build().expect("an app")
}

fn trusting() -> TrustedProxies {
    TrustedProxies::builder()
        .network("127.0.0.1")
        .header(ForwardingHeader::XForwarded)
        .build()
        .expect("proxies")
}

#[tokio::test]
async fn a_plain_connection_is_known_as_one_and_refused_where_tls_is_demanded() {
    let bench = Bench::with(|builder| builder.https_only(HttpsOnly::refuse()));
    let site = serve(app(&bench.gate)).await;
    assert_eq!(site.get("/whence").await.status, 403);
    assert_eq!(site.get("/unknown").await.status, 403);
    assert_eq!(site.get("/probe").await.body, "127.0.0.1 Some(\"http\")");
    // An absolute target is the client's word.
    assert_eq!(site.get("https://test/whence").await.status, 403);
}

#[tokio::test]
async fn a_visitor_is_redirected_with_the_location_and_no_body_to_head() {
    let https = HttpsOnly::redirect_to(["test"]).expect("a host");
    let bench = Bench::with(|builder| builder.https_only(https));
    let site = serve(app(&bench.gate)).await;
    for method in ["GET", "HEAD"] {
        let answer = site.send(method, "/whence?a=b", &[], "").await;
        assert_eq!(answer.status, 308);
        assert_eq!(answer.header("location"), Some("https://test/whence?a=b"));
        assert_eq!(answer.body.is_empty(), method == "HEAD");
    }
}

#[tokio::test]
async fn without_the_callback_the_address_is_known_and_the_scheme_is_not() {
    let start = |gate: &Gate| {
        let guarded = app(gate);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = HttpServer::new(move || App::new().configure(guarded.configure()));
        let server = server.workers(1).disable_signals().listen(listener);
        tokio::spawn(server.expect("a server").run());
        Site(address)
    };
    let site = start(&Bench::new().gate);
    assert_eq!(site.get("/whence").await.body, "127.0.0.1 None");
    let strict = Bench::with(|builder| builder.https_only(HttpsOnly::refuse()));
    assert_eq!(start(&strict.gate).get("/whence").await.status, 403);
}

#[tokio::test]
async fn what_only_a_proxy_may_set_is_taken_out_of_the_requests_of_others() {
    let bench = Bench::with(|builder| builder.proxy_header("X-Client-Subject"));
    let site = serve(app(&bench.gate)).await;
    let sent = [
        ("authorization", "Bearer reader"),
        ("x-client-subject", "CN=root"),
        ("X-Client-Subject", "CN=admin"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-other", "1"),
    ];
    let answer = site.send("GET", "/names", &sent, "").await;
    assert_eq!(answer.status, 200);
    assert!(!answer.body.contains("x-client-subject"), "{}", answer.body);
    assert!(!answer.body.contains("x-forwarded-for"), "{}", answer.body);
    assert!(answer.body.contains("x-other"), "{}", answer.body);
    // Another spelling is refused, since somebody on the way may take it for the same.
    let answer = site.send("GET", "/names", &[("x_client_subject", "CN=root")], "");
    assert_eq!(answer.await.status, 400);
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_and_its_fields_stay() {
    let bench = Bench::with(|builder| {
        let builder = builder.trusted_proxies(trusting());
        builder.proxy_header("x-client-subject")
    });
    let site = serve(app(&bench.gate)).await;
    let sent = [
        ("authorization", "Bearer reader"),
        ("x-client-subject", "CN=reader"),
        ("x-forwarded-for", "203.0.113.9, 192.0.2.7"),
        ("x-forwarded-proto", "https"),
    ];
    let answer = site.send("GET", "/names", &sent, "").await;
    assert!(answer.body.contains("x-client-subject"), "{}", answer.body);
    let answer = site.send("GET", "/whence", &sent, "").await;
    assert_eq!(answer.body, "192.0.2.7 Some(\"https\")");
}

#[tokio::test]
async fn what_a_middleware_in_front_made_actix_web_read_is_forgotten_too() {
    async fn real(request: HttpRequest) -> String {
        let info = request.connection_info();
        info.realip_remote_addr().unwrap_or("nowhere").to_owned()
    }
    let bench = Bench::with(|builder| {
        let elsewhere = TrustedProxies::builder().network("192.0.2.1");
        let elsewhere = elsewhere.header(ForwardingHeader::XForwarded).build();
        builder.trusted_proxies(elsewhere.expect("proxies"))
    });
    let app = GuardedApp::new(bench.gate.clone()).public_route("/real", get(real));
    let guarded = app.build().expect("an app");
    let site = start(move || {
        App::new()
            .configure(guarded.configure())
            .wrap_fn(|request, next| {
                // As a logger does.
                assert_eq!(
                    request.connection_info().realip_remote_addr(),
                    Some("203.0.113.9")
                );
                next.call(request)
            })
    });
    for name in ["x-forwarded-for", "X-FORWARDED-FOR"] {
        let answer = site
            .send("GET", "/real", &[(name, "203.0.113.9")], "")
            .await;
        assert_eq!(answer.body, "127.0.0.1");
    }
}
