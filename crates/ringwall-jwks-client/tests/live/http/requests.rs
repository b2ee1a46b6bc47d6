//! What is sent.

use super::*;

#[tokio::test]
async fn a_request_says_what_is_expected_and_nothing_else() {
    let server = Server::start(served()).await;
    document(fetch(&fetcher(), development(&server.url("/a/jwks?v=1&x=%20"))).await);
    let requests = server.requests();
    let [request] = requests.as_slice() else {
        panic!("one request: {requests:?}");
    };
    assert_eq!(request.method, "GET");
    assert_eq!(request.target, "/a/jwks?v=1&x=%20");
    let mut headers = request.headers.clone();
    headers.sort();
    let agent = format!("ringwall-jwks-client/{}", env!("CARGO_PKG_VERSION"));
    let expected = [
        ("accept", "application/json, application/jwk-set+json"),
        ("accept-encoding", "identity"),
        ("host", &server.address().to_string()),
        ("user-agent", &agent),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn the_version_is_sent_as_it_came() {
    let server = Server::start(served()).await;
    for tag in ["\"v1\"", "W/\"2-x\""] {
        let mut request = development(&server.url("/jwks"));
        request.entity_tag = EntityTag::new(tag);
        document(fetch(&fetcher(), request).await);
        let requests = server.requests();
        let sent = requests.last().unwrap().header("if-none-match").unwrap();
        assert_eq!(sent, tag);
    }
}

#[tokio::test]
async fn a_cookie_is_not_brought_back() {
    let answer = Answer::json(BODY).header("set-cookie", "a=b; Path=/");
    let server = Server::start(Behaviour::Serve(answer)).await;
    let fetcher = fetcher();
    for _ in 0..2 {
        document(fetch(&fetcher, development(&server.url("/jwks"))).await);
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(
        requests
            .iter()
            .all(|request| request.header("cookie").is_none())
    );
}

#[tokio::test]
async fn no_error_shows_the_query() {
    let mut server = Server::start(Behaviour::Garbage).await;
    let url = server.url("/jwks?key=c2VjcmV0");
    for behaviour in [
        Behaviour::Garbage,
        Behaviour::Close,
        Behaviour::Truncate(Answer::json(BODY)),
        Behaviour::Html200,
        Behaviour::Redirect {
            status: 302,
            to: url.clone(),
        },
    ] {
        server.set(behaviour);
        let error = fetch(&fetcher(), development(&url))
            .await
            .expect_err("refused");
        assert!(!shown(&error).contains("c2VjcmV0"), "{}", shown(&error));
    }
    server.stop_listening().await;
    let error = fetch(&fetcher(), development(&url))
        .await
        .expect_err("refused");
    assert!(!shown(&error).contains("c2VjcmV0"), "{}", shown(&error));
    let error = fetch(&fetcher(), production("https://keys.invalid/?key=c2VjcmV0")).await;
    let error = error.expect_err("refused");
    assert!(!shown(&error).contains("c2VjcmV0"), "{}", shown(&error));
}
