//! Connections: that they fail as they should, and that none is left behind.

use super::*;

#[tokio::test]
async fn a_port_where_nobody_listens_cannot_be_reached_until_somebody_does() {
    let mut server = Server::start(served()).await;
    server.stop_listening().await;
    let error = fetch_from(&server).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Connect);
    server.listen_again();
    document(fetch_from(&server).await);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_cannot_be_reached() {
    // RFC 6761 §6.4: `invalid` never resolves.
    let error = fetch(&fetcher(), production("https://keys.invalid/jwks")).await;
    assert_eq!(error.expect_err("refused").kind(), FetchErrorKind::Connect);
}

#[tokio::test]
async fn a_connection_without_an_answer_was_interrupted() {
    for behaviour in [
        Behaviour::CloseAtOnce,
        Behaviour::Close,
        Behaviour::Garbage,
        Behaviour::Banner(b"220 mail ready\r\n".to_vec()),
    ] {
        let kind = kind_for(behaviour.clone()).await;
        assert_eq!(kind, FetchErrorKind::Interrupted, "{behaviour:?}");
    }
}

#[tokio::test]
async fn an_old_answer_without_a_head_is_not_http() {
    // HTTP/0.9 has bodies alone; any service's banner would be one.
    assert_eq!(
        kind_for(Behaviour::Raw(BODY.into())).await,
        FetchErrorKind::Interrupted
    );
}

#[tokio::test]
async fn a_head_without_an_end_is_given_up() {
    let tick = Duration::ZERO;
    for behaviour in [
        Behaviour::HeadersForever { tick },
        Behaviour::HugeHeaders { bytes: 2_000_000 },
    ] {
        let server = Server::start(behaviour).await;
        let error = fetch_from(&server).await.expect_err("refused");
        assert_eq!(error.kind(), FetchErrorKind::Interrupted);
        eventually("the connection is closed", || {
            server.open_connections() == 0
        })
        .await;
        assert!(server.bytes_written() < 1_500_000);
    }
}

#[tokio::test]
async fn one_fetch_is_one_attempt() {
    for behaviour in [Behaviour::CloseAtOnce, Behaviour::Close, Behaviour::Garbage] {
        let server = Server::start(behaviour.clone()).await;
        fetch_from(&server).await.expect_err("refused");
        assert_eq!(server.connections(), 1, "{behaviour:?}");
    }
}

#[tokio::test]
async fn no_connection_is_kept_for_later() {
    let server = Server::start(served()).await;
    let fetcher = fetcher();
    for count in 1..=2 {
        document(fetch(&fetcher, development(&server.url("/jwks"))).await);
        eventually("the connection is closed", || {
            server.open_connections() == 0
        })
        .await;
        assert_eq!(server.connections(), count);
    }
}

#[tokio::test]
async fn a_fetch_that_is_dropped_leaves_no_connection() {
    let slow = Behaviour::SlowDrip {
        answer: Answer::json(BODY),
        bytes: 1,
        tick: Duration::from_secs(60),
    };
    let interim = Behaviour::InterimForever;
    for behaviour in [Behaviour::Mute, Behaviour::Stall, slow, interim] {
        let server = Server::start(behaviour.clone()).await;
        let fetcher = fetcher();
        let fetch = fetcher.fetch(development(&server.url("/jwks")));
        let ended = tokio::time::timeout(Duration::from_millis(150), fetch).await;
        assert!(ended.is_err(), "{behaviour:?}");
        assert_eq!(server.connections(), 1, "{behaviour:?}");
        // A server that only writes notices at its next portion.
        if !matches!(behaviour, Behaviour::SlowDrip { .. }) {
            eventually("the connection is closed", || {
                server.open_connections() == 0
            })
            .await;
        }
    }
}
