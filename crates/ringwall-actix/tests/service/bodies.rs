//! Bodies that are longer than a route permits.

use actix_web::body::to_bytes;
use actix_web::error::ErrorInternalServerError;
use actix_web::http::StatusCode;
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::{Bytes, Data, Form, FormConfig, Json, JsonConfig, Payload, PayloadConfig};
use actix_web::{App, HttpResponse};
use ringwall_actix::{Guarded, GuardedApp, get, post};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{Bench, Site, serve, start};

const MIB: u64 = 1024 * 1024;

async fn count(body: Bytes) -> String {
    body.len().to_string()
}

/// Reads the body without actix-web's extractors and their own limit.
async fn drain(body: Payload) -> Result<String, actix_web::Error> {
    let bytes = body.to_bytes().await;
    bytes
        .map(|bytes| bytes.len().to_string())
        .map_err(|_| ErrorInternalServerError("cut off"))
}

async fn site(bench: &Bench) -> Site {
    let app = GuardedApp::new(bench.gate.clone())
        .route("/default", post(count))
        .route("/small", post(count).body_limit(10))
        .route("/drain", post(drain).body_limit(10))
        .route("/large", post(count).body_limit(4 * MIB));
    serve(app.build().expect("an app")).await
}

fn chunked(path: &str, length: usize) -> String {
    let mut text = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer reader\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for chunk in "x".repeat(length).as_bytes().chunks(4) {
        text.push_str(&format!(
            "{:x}\r\n{}\r\n",
            chunk.len(),
            "x".repeat(chunk.len())
        ));
    }
    text + "0\r\n\r\n"
}

async fn post_to(site: &Site, path: &str, length: usize) -> (u16, String) {
    let headers = [("authorization", "Bearer reader")];
    let answer = site.send("POST", path, &headers, &"x".repeat(length)).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn a_stated_length_above_the_limit_is_refused_before_the_handler() {
    let bench = Bench::new();
    let site = site(&bench).await;
    assert_eq!(post_to(&site, "/small", 10).await, (200, "10".to_owned()));
    let (status, body) = post_to(&site, "/small", 11).await;
    assert_eq!(status, 413);
    assert!(body.contains(r#""limit":10"#), "{body}");
    assert_eq!(bench.outcomes(), ["completed 200", "denied 413"]);
}

#[tokio::test]
async fn a_body_that_turns_out_longer_is_cut_off() {
    let bench = Bench::new();
    let site = site(&bench).await;
    for (path, length, status) in [
        ("/small", 10, 200),
        ("/small", 11, 413),
        ("/drain", 10, 200),
    ] {
        let answer = site.raw(&chunked(path, length)).await;
        assert_eq!(answer.status, status, "{path} {length}");
    }
    assert!(
        site.raw(&chunked("/drain", 11))
            .await
            .body
            .contains("cut off")
    );
}

#[tokio::test]
async fn the_default_is_a_mebibyte_and_the_policy_may_exceed_actix_webs_own_limit() {
    let bench = Bench::new();
    let site = site(&bench).await;
    let mib = usize::try_from(MIB).expect("fits");
    assert_eq!(post_to(&site, "/default", mib).await.0, 200);
    assert_eq!(post_to(&site, "/default", mib + 1).await.0, 413);
    assert_eq!(
        post_to(&site, "/large", 3 * mib).await,
        (200, (3 * mib).to_string())
    );
    assert_eq!(post_to(&site, "/large", 4 * mib + 1).await.0, 413);
}

#[tokio::test]
async fn strangers_do_not_learn_the_limit() {
    let bench = Bench::new();
    let answer = site(&bench)
        .await
        .send("POST", "/small", &[], "xxxxxxxxxxx")
        .await;
    assert_eq!(answer.status, 401);
}

async fn json(body: Json<Value>) -> String {
    body.as_str().unwrap_or_default().len().to_string()
}

async fn form(body: Form<Vec<(String, String)>>) -> String {
    body.first().map_or(0, |(_, value)| value.len()).to_string()
}

async fn text(body: String) -> String {
    body.len().to_string()
}

fn extracting(bench: &Bench, limit: u64) -> Guarded {
    let app = GuardedApp::new(bench.gate.clone())
        .route("/json", post(json).body_limit(limit))
        .route("/form", post(form).body_limit(limit))
        .route("/text", post(text).body_limit(limit))
        .route("/bytes", post(count).body_limit(limit));
    app.build().expect("an app")
}

/// The status and the length that the handler saw, of a body with a value of so many bytes.
async fn extract(site: &Site, path: &str, length: usize, is_chunked: bool) -> (u16, String) {
    let value = "x".repeat(length);
    let (media, body) = match path {
        "/json" => ("application/json", format!("\"{value}\"")),
        "/form" => ("application/x-www-form-urlencoded", format!("a={value}")),
        _ => ("text/plain", value),
    };
    let mut text = format!(
        "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer reader\r\ncontent-type: {media}\r\n"
    );
    if is_chunked {
        let size = body.len();
        text.push_str(&format!(
            "transfer-encoding: chunked\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
        ));
    } else {
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    }
    let answer = site.raw(&text).await;
    (answer.status, answer.body)
}

#[tokio::test]
async fn every_extractor_of_actix_web_reads_as_much_as_the_policy_permits_and_no_more() {
    let bench = Bench::new();
    let mib = usize::try_from(MIB).expect("fits");
    let large = serve(extracting(&bench, 4 * MIB)).await;
    let small = serve(extracting(&bench, 100)).await;
    for path in ["/json", "/form", "/text", "/bytes"] {
        for is_chunked in [false, true] {
            let read = extract(&large, path, 3 * mib, is_chunked).await;
            assert_eq!(read, (200, (3 * mib).to_string()), "{path} {is_chunked}");
            let (status, _) = extract(&large, path, 4 * mib + 1, is_chunked).await;
            assert_eq!(status, 413, "{path} {is_chunked}");
            let read = extract(&small, path, 90, is_chunked).await;
            assert_eq!(read, (200, "90".to_owned()), "{path} {is_chunked}");
            let (status, _) = extract(&small, path, 101, is_chunked).await;
            assert_eq!(status, 413, "{path} {is_chunked}");
        }
    }
}

#[tokio::test]
async fn what_the_service_configures_for_an_extractor_holds_below_the_policy() {
    let bench = Bench::new();
    let guarded = extracting(&bench, 100);
    let site = start(move || {
        App::new()
            .app_data(JsonConfig::default().limit(50))
            .app_data(Data::new(FormConfig::default().limit(50)))
            .app_data(PayloadConfig::new(1000))
            .configure(guarded.configure())
    });
    for path in ["/json", "/form"] {
        for is_chunked in [false, true] {
            assert_eq!(extract(&site, path, 40, is_chunked).await.0, 200, "{path}");
            assert_eq!(extract(&site, path, 60, is_chunked).await.0, 413, "{path}");
        }
    }
    for is_chunked in [false, true] {
        assert_eq!(extract(&site, "/text", 60, is_chunked).await.0, 200);
        assert_eq!(extract(&site, "/text", 101, is_chunked).await.0, 413);
    }
}

#[tokio::test]
async fn a_client_that_would_upgrade_gets_no_longer_body_by_it() {
    let bench = Bench::new();
    let site = site(&bench).await;
    // actix-http does not count what follows such a head, whatever length it states.
    let text = format!(
        "POST /drain HTTP/1.1\r\nhost: test\r\nauthorization: Bearer reader\r\nupgrade: websocket\r\ncontent-length: 5\r\n\r\n{}",
        "x".repeat(1000)
    );
    let answer = site.raw(&text).await;
    assert_eq!((answer.status, answer.body.as_str()), (500, "cut off"));
}

#[tokio::test]
async fn what_follows_a_switch_of_protocols_is_no_body() {
    let bench = Bench::new();
    let echo = async |payload: Payload| {
        HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS)
            .upgrade("websocket")
            .streaming(payload)
    };
    let app = GuardedApp::new(bench.gate.clone()).route("/echo", get(echo).body_limit(10));
    let site = serve(app.build().expect("an app")).await;
    let mut stream = tokio::net::TcpStream::connect(site.0)
        .await
        .expect("a connection");
    let head = "GET /echo HTTP/1.1\r\nhost: test\r\nauthorization: Bearer reader\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.expect("a head"));
    }
    assert!(
        seen.starts_with(b"HTTP/1.1 101"),
        "{}",
        String::from_utf8_lossy(&seen)
    );
    for _ in 0..10 {
        stream.write_all(&[7; 100]).await.expect("sent");
        let mut echoed = [0; 100];
        stream.read_exact(&mut echoed).await.expect("echoed");
        assert_eq!(echoed, [7; 100]);
    }
}

/// Without a socket: what actix-http does with the rest of such a connection is its own affair, and the
/// bound does not hang on it.
#[tokio::test]
async fn no_other_answer_than_a_switch_of_protocols_ends_the_bound_of_an_upgrade() {
    let bench = Bench::new();
    let echo = async |payload: Payload| HttpResponse::Ok().streaming(payload);
    let switch = async |payload: Payload| {
        HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS).streaming(payload)
    };
    let app = GuardedApp::new(bench.gate.clone())
        .route("/echo", post(echo).body_limit(10))
        .route("/switch", post(switch).body_limit(10));
    let guarded = app.build().expect("an app");
    let app = init_service(App::new().configure(guarded.configure())).await;
    for (path, length, whole) in [
        ("/echo", 10, true),
        ("/echo", 11, false),
        ("/switch", 11, true),
    ] {
        let request = TestRequest::post()
            .uri(path)
            .insert_header(("authorization", "Bearer reader"))
            .insert_header(("upgrade", "websocket"))
            .set_payload("x".repeat(length))
            .insert_header(("content-length", "5"));
        let answer = call_service(&app, request.to_request()).await;
        let body = to_bytes(answer.into_body()).await;
        let echoed = body.ok().map(|body| body.len());
        assert_eq!(echoed, whole.then_some(length), "{path} {length}");
    }
}
