//! The bodies of answers: how much is read, and what is made of an end that is not one.

use super::*;
use crate::server::Length;

const LENGTHS: [Length; 3] = [Length::Announced, Length::Chunked, Length::UntilClose];

#[tokio::test]
async fn a_body_of_the_permitted_size_is_read_and_one_byte_more_is_not() {
    let max = u64::try_from(MAX_BYTES).unwrap();
    for length in LENGTHS {
        let server = Server::start(Behaviour::Huge { bytes: max, length }).await;
        let (body, _, _) = document(fetch_from(&server).await);
        assert_eq!(body.len(), MAX_BYTES, "{length:?}");
        let bytes = max.saturating_add(1);
        let kind = kind_for(Behaviour::Huge { bytes, length }).await;
        assert_eq!(kind, FetchErrorKind::TooLarge, "{length:?}");
    }
}

#[tokio::test]
async fn ten_megabytes_are_given_up_after_the_permitted_size() {
    for length in LENGTHS {
        let bytes = 10_000_000;
        let server = Server::start(Behaviour::Huge { bytes, length }).await;
        let error = fetch_from(&server).await.expect_err("refused");
        assert_eq!(error.kind(), FetchErrorKind::TooLarge, "{length:?}");
        eventually("the connection is closed", || {
            server.open_connections() == 0
        })
        .await;
        // What was written lies in the buffers of both ends, of which ours ends with the fetch.
        assert!(
            server.bytes_written() < 2_000_000,
            "{}",
            server.bytes_written()
        );
    }
}

#[tokio::test]
async fn a_length_that_is_announced_too_long_is_refused_before_the_body_comes() {
    let server = Server::start(Behaviour::SlowDrip {
        answer: Answer::json(vec![b' '; MAX_BYTES.saturating_add(1)]),
        // The head and a little more.
        bytes: 200,
        tick: Duration::from_secs(60),
    })
    .await;
    let error = fetch_from(&server).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::TooLarge);
}

#[tokio::test]
async fn an_announced_length_reserves_no_memory() {
    // Nine exabytes, which an allocation up front could not survive.
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                content-length: 9000000000000000000\r\n\r\n{}";
    let server = Server::start(Behaviour::Raw(head.into())).await;
    let mut request = development(&server.url("/jwks"));
    request.max_bytes = usize::MAX;
    let error = fetch(&fetcher(), request).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Interrupted);
}

#[tokio::test]
async fn a_limit_of_zero_permits_an_empty_body_alone() {
    let server = Server::start(Behaviour::Empty).await;
    let mut request = development(&server.url("/jwks"));
    request.max_bytes = 0;
    let (body, _, _) = document(fetch(&fetcher(), request.clone()).await);
    assert!(body.is_empty());
    server.set(served());
    let error = fetch(&fetcher(), request).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::TooLarge);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_a_document() {
    let answer = Answer::json(BODY);
    for behaviour in [
        Behaviour::Reset(answer.clone()),
        Behaviour::Truncate(answer.clone()),
        Behaviour::Raw(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
              transfer-encoding: chunked\r\n\r\n5\r\n{\"key\r\n"
                .to_vec(),
        ),
    ] {
        let kind = kind_for(behaviour.clone()).await;
        assert_eq!(kind, FetchErrorKind::Interrupted, "{behaviour:?}");
    }
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_must_end_in_tls_too() {
    let authority = Authority::new();
    let identity = authority.identity(&["localhost"]);
    let server = Server::start_tls(&identity, Behaviour::UntilClose(Answer::json(BODY))).await;
    let request = development(&server.url_as("localhost", "/jwks"));
    let error = fetch(&fetcher_trusting(&authority), request).await;
    // Without the notice, somebody on the way may have cut it off (RFC 8446 §6.1).
    assert_eq!(
        error.expect_err("refused").kind(),
        FetchErrorKind::Interrupted
    );
}

#[tokio::test]
async fn lengths_that_contradict_each_other_are_refused() {
    for lines in [
        "content-length: 2\r\ncontent-length: 11\r\n",
        "content-length: 2, 11\r\n",
        "content-length: -1\r\n",
        "content-length: 0x2\r\n",
        "content-length: 99999999999999999999\r\n",
    ] {
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{lines}\r\n{BODY}");
        let kind = kind_for(Behaviour::Raw(head.into_bytes())).await;
        assert_eq!(kind, FetchErrorKind::Interrupted, "{lines}");
    }
}

#[tokio::test]
async fn a_slow_body_is_a_matter_of_the_clients_time_out() {
    let server = Server::start(Behaviour::SlowDrip {
        answer: Answer::json(BODY),
        bytes: 8,
        tick: Duration::from_millis(2),
    })
    .await;
    let (body, _, _) = document(fetch_from(&server).await);
    assert_eq!(body, BODY.as_bytes());
}
