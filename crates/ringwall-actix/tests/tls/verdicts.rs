//! The same verdicts by either protocol.

use std::sync::atomic::Ordering;
use std::time::Duration;

use ringwall_transport::ClientTrust;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::authority::Authority;
use crate::client::{ADA, Client, PATIENCE, ask, get, http1, http2};
use crate::site::Site;

#[tokio::test]
async fn by_http_1_1_the_gate_knows_the_connection() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    // With ALPN, and without it.
    for protocols in [&["http/1.1"][..], &[]] {
        let client = Client::new(&authority, None, protocols);
        let mut stream = client.connect(site.address).await.expect("TLS");
        for (path, headers, expected) in [
            ("/health", &[][..], (200, "ok")),
            ("/whoami", &[ADA], (200, "ada 127.0.0.1 Some(\"https\")")),
        ] {
            let answer = http1(&mut stream, &get(path, headers)).await;
            let (status, body) = answer.expect("an answer");
            assert_eq!((status, body.as_str()), expected);
        }
        for (path, headers, expected) in [
            ("/whoami", &[][..], 401),
            ("/unknown", &[], 401),
            ("/unknown", &[ADA], 404),
            ("/whoami", &[("authorization", "Bearer mallory")], 401),
        ] {
            let answer = http1(&mut stream, &get(path, headers)).await;
            assert_eq!(answer.expect("an answer").0, expected, "{path}");
        }
    }
}

#[tokio::test]
async fn by_http_2_the_gate_knows_the_connection_and_answers_the_same() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let client = Client::new(&authority, None, &["h2", "http/1.1"]);
    let stream = client.connect(site.address).await.expect("TLS");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let requests = http2(stream).await;
    let (status, _, body) = ask(&requests, "GET", "/whoami", &[ADA], None).await;
    assert_eq!(status, 200);
    assert_eq!(body.as_deref(), Some("ada 127.0.0.1 Some(\"https\")"));
    for (method, path, headers, expected) in [
        ("GET", "/whoami", &[][..], 401),
        ("GET", "/unknown", &[], 401),
        ("GET", "/unknown", &[ADA], 404),
        ("PUT", "/whoami", &[], 401),
        ("PUT", "/whoami", &[ADA], 405),
        ("GET", "/whoami", &[ADA, ADA], 400),
        ("GET", "/who%2fami", &[ADA], 400),
        ("GET", "/health", &[], 200),
    ] {
        let (status, headers, body) = ask(&requests, method, path, headers, None).await;
        assert_eq!(status, expected, "{method} {path}");
        if status >= 400 {
            assert_eq!(headers["content-type"], "application/problem+json");
            assert_eq!(headers["cache-control"], "no-store");
            assert!(
                body.expect("a body")
                    .contains(&format!("\"status\":{status}"))
            );
        }
    }
    for path in ["/whoami", "/health", "/unknown"] {
        let (status, headers, body) = ask(&requests, "HEAD", path, &[], None).await;
        let (same, _, text) = ask(&requests, "GET", path, &[], None).await;
        assert_eq!((status, body.as_deref()), (same, Some("")), "{path}");
        let length = text.expect("a body").len().to_string();
        assert_eq!(headers["content-length"], length.as_str());
    }
}

#[tokio::test]
async fn a_body_over_http_2_is_bounded_with_and_without_a_stated_length() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let client = Client::new(&authority, None, &["h2"]);
    let requests = http2(client.connect(site.address).await.expect("TLS")).await;
    for (path, length, stated, expected) in [
        ("/count", 10, false, 200),
        ("/count", 10, true, 200),
        ("/count", 11, false, 413),
        ("/count", 11, true, 413),
        ("/drain", 10, false, 200),
        ("/drain", 11, false, 418),
        ("/drain", 11, true, 413),
    ] {
        let text = length.to_string();
        let mut headers = vec![ADA];
        if stated {
            headers.push(("content-length", text.as_str()));
        }
        let body = Some(vec![b'x'; length]);
        let (status, ..) = ask(&requests, "POST", path, &headers, body).await;
        assert_eq!(status, expected, "{path} {length} {stated}");
    }
}

#[tokio::test]
async fn a_body_over_http_2_that_no_handler_reads_is_let_go_while_the_handler_runs() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let client = Client::new(&authority, None, &["h2"]);
    let requests = http2(client.connect(site.address).await.expect("TLS")).await;
    // Kept, the bodies of two streams would fill the window of the connection, for all others too.
    let mut open = Vec::new();
    for _ in 0..4 {
        let request = http::Request::post("https://localhost/idle").header(ADA.0, ADA.1);
        let request = request.body(()).expect("a request");
        let mut ready = requests.clone().ready().await.expect("a connection");
        let (answer, mut sending) = ready.send_request(request, false).expect("a request");
        let mut left: usize = 900_000;
        while left > 0 {
            sending.reserve_capacity(left.min(16_384));
            let capacity = std::future::poll_fn(|context| sending.poll_capacity(context));
            let capacity = timeout(PATIENCE, capacity).await.expect("room in time");
            let size = capacity.expect("open").expect("open").min(left);
            let sent = sending.send_data(vec![0; size].into(), false);
            sent.expect("sent");
            left = left.saturating_sub(size);
        }
        open.push((answer, sending));
    }
}

#[tokio::test]
async fn a_stream_over_http_2_breaks_off_with_its_credential_and_the_connection_goes_on() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let client = Client::new(&authority, None, &["h2"]);
    let requests = http2(client.connect(site.address).await.expect("TLS")).await;
    let is_revoked = site.is_revoked.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        is_revoked.store(true, Ordering::SeqCst);
    });
    let (status, _, body) = ask(&requests, "GET", "/ticks", &[ADA], None).await;
    // It was reset: what came is not the whole.
    assert_eq!((status, body), (200, None));
    let (status, ..) = ask(&requests, "GET", "/health", &[], None).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_graceful_stop_closes_the_port() {
    let authority = Authority::new("root");
    let site = Site::new(&authority, ClientTrust::none());
    let client = Client::new(&authority, None, &["http/1.1"]);
    let mut stream = client.connect(site.address).await.expect("TLS");
    let text = get("/health", &[("connection", "close")]);
    assert_eq!(http1(&mut stream, &text).await.expect("an answer").0, 200);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.ok();
    site.server.stop(true).await;
    assert!(client.connect(site.address).await.is_err());
}
