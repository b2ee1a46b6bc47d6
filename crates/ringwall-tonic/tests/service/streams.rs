//! Calls that go on for longer than the credential of their caller.

use std::sync::Arc;
use std::time::Duration;

use ringwall_core::event::EventKind;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::cases::text;
use crate::raw::{Call, framed};
use crate::support::{Bench, ask, ask_text, soon};

/// The client's side of a stream that stays open.
fn open() -> (
    mpsc::Sender<crate::generated::Text>,
    ReceiverStream<crate::generated::Text>,
) {
    let (sender, receiver) = mpsc::channel(8);
    (sender, ReceiverStream::new(receiver))
}

fn is_over(status: &Status) {
    assert_eq!(status.code(), Code::Unauthenticated, "{status:?}");
    let challenge = status.metadata().get("www-authenticate");
    assert_eq!(
        challenge.expect("a challenge").to_str().ok(),
        Some("Bearer realm=\"test\", error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn a_stream_to_the_client_ends_when_the_credential_does() {
    for said in ["first", "silent", "busy"] {
        for name in ["brief", "slow-brief"] {
            let bench = Bench::new();
            bench.shortly_before_the_end();
            let mut client = bench.site().await.client().await;
            let stream = client.watch(ask_text(name, said)).await;
            let mut stream = stream.expect("served").into_inner();
            if said != "silent" {
                let first = soon(stream.message()).await.expect("no error");
                assert!(first.is_some());
            }
            bench.past_the_end();
            let status = soon(async {
                loop {
                    match stream.message().await {
                        Ok(Some(_)) => {}
                        Ok(None) => panic!("it ended as if it were complete"),
                        Err(status) => return status,
                    }
                }
            })
            .await;
            is_over(&status);
            bench.until(|bench| bench.outcomes() == ["grpc 16"]).await;
            assert_eq!(bench.events.count(EventKind::StreamEnded), 1);
        }
    }
}

#[tokio::test]
async fn a_stream_to_the_client_ends_when_the_credential_is_revoked() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let mut client = bench.site().await.client().await;
    let stream = client.watch(ask_text("brief", "silent")).await;
    let mut stream = stream.expect("served").into_inner();
    bench.names.revoke("brief");
    let status = soon(stream.message()).await.expect_err("ended");
    is_over(&status);
}

#[tokio::test]
async fn a_stream_ends_when_the_clock_cannot_tell_the_time() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let mut client = bench.site().await.client().await;
    let stream = client.watch(ask_text("brief", "silent")).await;
    let mut stream = stream.expect("served").into_inner();
    bench.clock.fail(true);
    let status = soon(stream.message()).await.expect_err("ended");
    is_over(&status);
}

#[tokio::test]
async fn a_stream_goes_on_while_the_credential_holds() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let mut client = bench.site().await.client().await;
    let stream = client.watch(ask_text("brief", "silent")).await;
    let mut stream = stream.expect("served").into_inner();
    // The clock stands still, so it is looked at several times and found to hold.
    let waited = tokio::time::timeout(Duration::from_millis(900), stream.message()).await;
    assert!(waited.is_err(), "it ended: {waited:?}");
    assert_eq!(bench.events.count(EventKind::StreamEnded), 0);
    assert_eq!(bench.outcomes(), ["unsettled"]);
}

#[tokio::test]
async fn a_credential_that_ended_before_the_first_message_sends_none() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let site = bench.site().await;
    // The handler answers at once; the door is what waits, and the credential ends meanwhile.
    bench.names.revoke("reader");
    let call = Call::of("Watch").from("reader").saying("first");
    let answer = site.call(call).await;
    assert_eq!(answer.code(), Some(16));
    assert!(answer.body.is_empty(), "{answer:?}");
}

#[tokio::test]
async fn a_stream_that_is_complete_at_once_is_not_cut() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    bench.names.revoke("reader");
    let stream = client.watch(ask_text("reader", "count 3")).await;
    let mut stream = stream.expect("served").into_inner();
    for _ in 0..3 {
        assert!(soon(stream.message()).await.expect("no error").is_some());
    }
    assert!(soon(stream.message()).await.expect("no error").is_none());
    bench.until(|bench| bench.outcomes() == ["grpc 0"]).await;
}

#[tokio::test]
async fn a_unary_answer_is_not_cut() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let mut client = bench.site().await.client().await;
    let answer = tokio::spawn(async move { client.read(ask_text("brief", "nap")).await });
    bench.until(|bench| !bench.desk.reached().is_empty()).await;
    bench.past_the_end();
    let answer = soon(answer).await.expect("no panic").expect("served");
    assert_eq!(answer.into_inner().text, "read nap");
    assert_eq!(bench.outcomes(), ["grpc 0"]);
}

#[tokio::test]
async fn a_stream_from_the_client_fails_when_the_credential_ends() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let mut client = bench.site().await.client().await;
    let (sender, parts) = open();
    let answer = tokio::spawn(async move { client.upload(ask("brief", parts)).await });
    sender.send(text("begun")).await.expect("open");
    bench.until(|bench| !bench.desk.reached().is_empty()).await;
    bench.past_the_end();
    let status = soon(answer).await.expect("no panic").expect_err("ended");
    is_over(&status);
    bench.until(|bench| bench.outcomes() == ["grpc 16"]).await;
    assert_eq!(bench.events.count(EventKind::StreamEnded), 1);
    drop(sender);
}

#[tokio::test]
async fn both_directions_of_a_call_end_together_and_once() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let mut client = bench.site().await.client().await;
    let (sender, parts) = open();
    let stream = client.talk(ask("brief", parts)).await;
    let mut stream = stream.expect("served").into_inner();
    sender.send(text("one")).await.expect("open");
    let echoed = soon(stream.message()).await.expect("no error");
    assert_eq!(echoed.expect("an echo").text, "one");
    bench.past_the_end();
    let status = soon(stream.message()).await.expect_err("ended");
    is_over(&status);
    bench.until(|bench| bench.outcomes() == ["grpc 16"]).await;
    assert_eq!(bench.events.count(EventKind::StreamEnded), 1);
    soon(sender.closed()).await;
}

#[tokio::test]
async fn directions_that_are_watched_apart_end_together_and_once() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let mut client = bench.site().await.client().await;
    let (sender, parts) = open();
    let mut request = ask("brief", parts);
    request
        .metadata_mut()
        .insert("x-apart", "yes".parse().expect("a value"));
    let mut stream = client.talk(request).await.expect("served").into_inner();
    sender.send(text("one")).await.expect("open");
    bench.past_the_end();
    is_over(&soon(stream.message()).await.expect_err("ended"));
    bench
        .until(|bench| bench.desk.reached().contains(&"Talk, over"))
        .await;
    assert_eq!(bench.events.count(EventKind::StreamEnded), 1);
    drop(sender);
}

#[tokio::test]
async fn a_unary_message_that_is_not_complete_when_the_credential_ends_is_refused() {
    let bench = Bench::new();
    bench.shortly_before_the_end();
    let site = bench.site().await;
    let stream = tokio::net::TcpStream::connect(site.0).await.expect("up");
    let (client, connection) = h2::client::handshake(stream).await.expect("a handshake");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    let request = http::Request::post("http://test/test.v1.Cases/Read")
        .header("content-type", "application/grpc")
        .header("authorization", "Bearer brief")
        .body(())
        .expect("a request");
    let (response, mut sending) = client.send_request(request, false).expect("sent");
    let message = framed("it");
    let begun = message[..4].to_vec();
    sending.send_data(begun.into(), false).expect("sent");
    bench.until(|bench| bench.outcomes() == ["unsettled"]).await;
    bench.past_the_end();
    let response = soon(response).await.expect("an answer");
    assert_eq!(response.headers()["grpc-status"], "16");
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn callers_without_a_credential_that_could_end_are_left_alone() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    bench.clock.advance(Duration::from_secs(100_000));
    let (sender, parts) = open();
    let stream = client.talk(ask("reader", parts)).await;
    let mut stream = stream.expect("served").into_inner();
    for said in ["one", "two"] {
        sender.send(text(said)).await.expect("open");
        let echoed = soon(stream.message()).await.expect("no error");
        assert_eq!(echoed.expect("an echo").text, said);
    }
    drop(sender);
    assert!(soon(stream.message()).await.expect("no error").is_none());
    bench.until(|bench| bench.outcomes() == ["grpc 0"]).await;
    assert_eq!(
        Arc::strong_count(&bench.names),
        2,
        "no watch outlives its call"
    );
}
