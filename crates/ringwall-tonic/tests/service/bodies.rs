//! How much a client may send.

use std::io::Write as _;

use ringwall_tonic::{GuardedRoutes, authenticated, guard, public};
use tonic::Code;
use tonic::codec::CompressionEncoding;

use crate::cases::text;
use crate::raw::{Call, framed};
use crate::support::{Bench, Site, ask, ask_text, serve, soon};

/// `Write` may take 64 bytes in one call, `Version` too, `Upload` as well, `Talk` anything.
async fn narrow(bench: &Bench) -> Site {
    let server = guard(bench.desk.server())
        .method("Version", public().body_limit(64))
        .method("Write", authenticated().body_limit(64))
        .method("Upload", authenticated().body_limit(64))
        .method("Talk", authenticated().streaming());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    serve(routes.into_routes().expect("routes")).await
}

#[tokio::test]
async fn a_unary_call_has_its_limit_in_total_with_its_frame() {
    let bench = Bench::new();
    let site = narrow(&bench).await;
    let mut client = site.client().await;
    // Five bytes of frame, two of tag and length.
    let fits = client.write(ask_text("writer", &"x".repeat(57))).await;
    assert_eq!(fits.expect("it fits").into_inner().text, "wrote 57 bytes");
    let status = client.write(ask_text("writer", &"x".repeat(58))).await;
    let status = status.expect_err("one byte too many");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.message(), "Content Too Large: at most 64 bytes");
    let status = client.version(text("x".repeat(58))).await;
    assert_eq!(status.expect_err("no").code(), Code::ResourceExhausted);
    assert_eq!(bench.desk.reached(), ["Write"]);
    assert_eq!(bench.outcomes(), ["grpc 0", "grpc 8", "grpc 8"]);
}

#[tokio::test]
async fn a_stated_length_above_the_limit_is_refused_before_the_handler() {
    let bench = Bench::new();
    let site = narrow(&bench).await;
    let call = Call::of("Write").from("writer");
    let said = "x".repeat(100);
    let answer = site
        .call(call.saying(&said).with("content-length", "107"))
        .await;
    assert_eq!(answer.code(), Some(8));
    assert!(bench.desk.reached().is_empty());
    assert_eq!(bench.outcomes(), ["denied 413"]);
}

#[tokio::test]
async fn strangers_do_not_learn_the_limit() {
    let bench = Bench::new();
    let site = narrow(&bench).await;
    let said = "x".repeat(100);
    let answer = site.call(Call::of("Write").saying(&said)).await;
    assert_eq!(answer.code(), Some(16));
}

#[tokio::test]
async fn the_limit_counts_all_that_a_client_streams() {
    let bench = Bench::new();
    let site = narrow(&bench).await;
    let parts = |count: usize| vec![framed("1234567890"); count];
    let call = Call::of("Upload").from("reader");
    let answer = site.call(call.clone().sending(parts(3))).await;
    assert_eq!((answer.code(), answer.text().as_str()), (Some(0), "30"));
    let answer = site.call(call.sending(parts(4))).await;
    assert_eq!(answer.code(), Some(8));
    assert_eq!(bench.outcomes(), ["grpc 0", "grpc 8"]);
}

#[tokio::test]
async fn a_method_that_streams_has_no_total_and_a_limit_for_each_message() {
    let bench = Bench::new();
    let site = narrow(&bench).await;
    let mut client = site.client().await;
    let parts = std::iter::repeat_n(text("x".repeat(100_000)), 30);
    let stream = tokio_stream::iter(parts);
    let answer = client.talk(ask("writer", stream)).await.expect("served");
    let mut echoed = answer.into_inner();
    let mut count = 0_usize;
    while let Some(part) = soon(echoed.message()).await.expect("no error") {
        count += part.text.len();
    }
    assert_eq!(count, 3_000_000);

    let stream = tokio_stream::iter([text("x".repeat(5_000_000))]);
    let answer = client.talk(ask("writer", stream)).await.expect("begun");
    let status = soon(answer.into_inner().message()).await.expect_err("no");
    assert_eq!(status.code(), Code::OutOfRange, "tonic's own limit");
}

#[tokio::test]
async fn the_default_is_a_mebibyte() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let fits = "x".repeat(1024 * 1024 - 9);
    assert!(client.write(ask_text("writer", &fits)).await.is_ok());
    let status = client.write(ask_text("writer", &format!("{fits}x"))).await;
    assert_eq!(status.expect_err("no").code(), Code::ResourceExhausted);
}

fn gzipped(message: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(message).expect("in memory");
    let packed = encoder.finish().expect("in memory");
    let length = u32::try_from(packed.len()).expect("short");
    let mut bytes = vec![1];
    bytes.extend(length.to_be_bytes());
    bytes.extend(packed);
    bytes
}

#[tokio::test]
async fn compressed_messages_pass_and_are_bounded_after_they_are_unpacked() {
    let bench = Bench::new();
    let server = bench
        .desk
        .server()
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    let server = guard(server).method("Write", authenticated());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    let site = serve(routes.into_routes().expect("routes")).await;

    let mut client = site
        .client()
        .await
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let long = "x".repeat(2 * 1024 * 1024);
    let answer = client.write(ask_text("writer", &long)).await;
    assert_eq!(
        answer.expect("short on the wire").into_inner().text,
        "wrote 2097152 bytes"
    );

    // A bomb: 64 MiB in 64 KiB.
    let bomb = gzipped(&vec![0; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    let call = Call::of("Write").from("writer").sending(vec![bomb]);
    let answer = site.call(call.with("grpc-encoding", "gzip")).await;
    assert_eq!(answer.code(), Some(8));
}
