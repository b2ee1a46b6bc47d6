//! Calls that do not end by an answer.

use std::time::Duration;

use h2::Reason;
use tokio::net::TcpStream;
use tonic::transport::Server;
use tonic::{Code, Request};

use crate::raw::{Call, framed};
use crate::support::{Bench, ask_text, serve_by, soon};

#[tokio::test]
async fn a_caller_that_leaves_is_recorded_as_cancelled() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let call = client.read(ask_text("reader", "sleep"));
    let gone = tokio::time::timeout(Duration::from_millis(200), call).await;
    assert!(gone.is_err());
    bench.until(|bench| bench.outcomes() == ["cancelled"]).await;
    assert_eq!(bench.desk.reached(), ["Read"]);
}

#[tokio::test]
async fn a_caller_that_leaves_a_stream_is_recorded_as_cancelled() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    for said in ["first", "silent", "busy"] {
        let answer = client.watch(ask_text("reader", said)).await;
        let mut stream = answer.expect("served").into_inner();
        if said != "silent" {
            soon(stream.message())
                .await
                .expect("no error")
                .expect("one");
        }
        drop(stream);
    }
    bench
        .until(|bench| bench.outcomes() == ["cancelled"; 3])
        .await;
}

#[tokio::test]
async fn a_handler_that_panics_is_recorded_as_cancelled() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let status = client.read(ask_text("reader", "fall")).await;
    assert!(status.is_err());
    bench.until(|bench| bench.outcomes() == ["cancelled"]).await;
}

#[tokio::test]
async fn a_call_whose_deadline_passes_is_recorded_as_cancelled() {
    let bench = Bench::new();
    let site = bench.site().await;
    let call = Call::of("Read").from("reader").saying("sleep");
    let answer = site.call(call.with("grpc-timeout", "100m")).await;
    assert_eq!(answer.code(), Some(1));
    bench.until(|bench| bench.outcomes() == ["cancelled"]).await;

    let routes = bench.routes().into_routes().expect("routes");
    let server = Server::builder().timeout(Duration::from_millis(100));
    let mut client = serve_by(server, routes).await.client().await;
    let status = client.read(ask_text("reader", "sleep")).await;
    assert_eq!(status.expect_err("no").code(), Code::Cancelled);
    bench
        .until(|bench| bench.outcomes() == ["cancelled"; 2])
        .await;
}

#[tokio::test]
async fn a_deadline_that_passes_while_the_door_waits_reaches_no_handler() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let mut request: Request<_> = ask_text("slow", "");
    request.set_timeout(Duration::from_millis(1));
    assert!(client.read(request).await.is_err());
    assert!(bench.desk.reached().is_empty());
    assert!(bench.outcomes().is_empty());
}

#[tokio::test]
async fn a_stream_that_its_client_cancels_is_not_taken_for_a_whole_one() {
    let bench = Bench::new();
    let site = bench.site().await;
    for reason in [Reason::CANCEL, Reason::INTERNAL_ERROR] {
        let stream = TcpStream::connect(site.0).await.expect("a connection");
        let (client, connection) = h2::client::handshake(stream).await.expect("a handshake");
        tokio::spawn(connection);
        let mut client = client.ready().await.expect("ready");
        let request = http::Request::post("http://test/test.v1.Cases/Upload")
            .header("content-type", "application/grpc")
            .header("authorization", "Bearer reader")
            .body(())
            .expect("a request");
        let (_response, mut sending) = client.send_request(request, false).expect("sent");
        let half = framed("half").into();
        sending.send_data(half, false).expect("sent");
        bench.until(|bench| bench.desk.parts() == 1).await;
        sending.send_reset(reason);
        bench
            .until(|bench| {
                bench
                    .outcomes()
                    .iter()
                    .all(|outcome| outcome != "unsettled")
            })
            .await;
        bench.desk.forget();
    }
    assert!(
        !bench.outcomes().contains(&"grpc 0".to_owned()),
        "{:?}",
        bench.outcomes()
    );
    assert!(!bench.desk.reached().contains(&"Upload, whole"));
}
