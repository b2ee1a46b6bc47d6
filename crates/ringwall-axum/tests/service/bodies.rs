//! Bodies that are longer than a route permits.

use axum::body::{Body, Bytes};
use ringwall_axum::{GuardedRouter, post};

use crate::support::{Bench, Site, serve};

const MIB: u64 = 1024 * 1024;

async fn count(body: Bytes) -> String {
    body.len().to_string()
}

/// Reads the body without axum's extractors and their own limit.
async fn drain(body: Body) -> Result<String, String> {
    let bytes = axum::body::to_bytes(body, usize::MAX).await;
    bytes
        .map(|bytes| bytes.len().to_string())
        .map_err(|_| "cut off".to_owned())
}

async fn site(bench: &Bench) -> Site {
    let router = GuardedRouter::new(bench.gate.clone())
        .route("/default", post(count))
        .route("/small", post(count).body_limit(10))
        .route("/drain", post(drain).body_limit(10))
        .route("/large", post(count).body_limit(4 * MIB));
    serve(router.into_router().expect("a router")).await
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
async fn the_default_is_a_mebibyte_and_the_policy_may_exceed_axums_own_limit() {
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
