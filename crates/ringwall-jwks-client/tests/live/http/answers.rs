//! The heads of answers.

use super::*;

#[tokio::test]
async fn a_document_comes_with_its_lifetime_and_its_version() {
    let answer = Answer::json(BODY)
        .header("cache-control", "public, max-age=600")
        .header("age", "100")
        .header("etag", "\"v1\"");
    let server = Server::start(Behaviour::Serve(answer)).await;
    let (body, max_age, tag) = document(fetch_from(&server).await);
    assert_eq!(body, BODY.as_bytes());
    assert_eq!(max_age, Some(Duration::from_secs(500)));
    assert_eq!(tag, EntityTag::new("\"v1\""));
}

#[tokio::test]
async fn a_document_without_headers_has_neither() {
    let server = Server::start(served()).await;
    let (body, max_age, tag) = document(fetch_from(&server).await);
    assert_eq!(
        (body.as_slice(), max_age, tag),
        (BODY.as_bytes(), None, None)
    );
}

#[tokio::test]
async fn a_redirect_is_refused_and_its_target_is_not_asked() {
    let target = Server::start(served()).await;
    let server = Server::start(served()).await;
    for status in [300, 301, 302, 303, 305, 307, 308] {
        for to in [target.url("/"), "/elsewhere".to_owned(), "::".to_owned()] {
            server.set_path("/jwks", Behaviour::Redirect { status, to });
            let error = fetch_from(&server).await.expect_err("refused");
            assert_eq!(error.kind(), FetchErrorKind::Redirected, "{status}");
        }
    }
    assert_eq!(target.connections(), 0);
    assert_eq!(server.request_count(), 7 * 3);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| request.target == "/jwks")
    );
}

#[tokio::test]
async fn a_status_other_than_200_is_an_error_with_its_number() {
    for status in [
        201, 202, 203, 204, 206, 400, 401, 403, 404, 410, 429, 500, 502, 503,
    ] {
        let answer = Answer::json(BODY).status(status);
        let kind = kind_for(Behaviour::Serve(answer)).await;
        assert_eq!(kind, FetchErrorKind::Status(status));
    }
}

#[tokio::test]
async fn a_switch_of_protocols_is_not_an_answer() {
    let bytes = b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n";
    let kind = kind_for(Behaviour::Raw(bytes.to_vec())).await;
    assert_eq!(kind, FetchErrorKind::Status(101));
}

#[tokio::test]
async fn not_modified_is_an_answer_to_a_version_and_to_nothing_else() {
    let answer = Answer::json(BODY).header("etag", "\"v1\"");
    let server = Server::start(Behaviour::Revalidate(
        answer.clone().header("cache-control", "max-age=60"),
    ))
    .await;
    let fetcher = fetcher();
    let mut request = development(&server.url("/jwks"));
    let (_, _, tag) = document(fetch(&fetcher, request.clone()).await);
    request.entity_tag = tag;
    let again = fetch(&fetcher, request.clone()).await.unwrap();
    assert!(
        matches!(again, Fetched::NotModified { max_age } if max_age == Some(Duration::from_secs(60))),
        "{again:?}"
    );
    server.set(Behaviour::NotModified);
    request.entity_tag = None;
    let error = fetch(&fetcher, request).await.expect_err("refused");
    assert_eq!(error.kind(), FetchErrorKind::Status(304));
}

#[tokio::test]
async fn html_with_status_200_is_not_a_document() {
    assert_eq!(
        kind_for(Behaviour::Html200).await,
        FetchErrorKind::ContentType
    );
}

#[tokio::test]
async fn a_document_must_say_that_it_is_json_and_say_it_once() {
    for answer in [
        Answer::json(BODY).content_type(None),
        Answer::json(BODY).content_type(Some("text/plain")),
        Answer::json(BODY).content_type(Some("application/octet-stream")),
        Answer::json(BODY).header("content-type", "application/json"),
        Answer::json(BODY).header("content-type", "text/html"),
    ] {
        let kind = kind_for(Behaviour::Serve(answer.clone())).await;
        assert_eq!(kind, FetchErrorKind::ContentType, "{answer:?}");
    }
    let answer = Answer::json(BODY).content_type(Some("application/jwk-set+json; charset=utf-8"));
    let server = Server::start(Behaviour::Serve(answer)).await;
    document(fetch_from(&server).await);
}

#[tokio::test]
async fn static_hosting_is_accepted_by_name() {
    let authority = Authority::new();
    let fetcher = HttpFetcher::builder()
        .root_certificates_pem(authority.pem())
        .only_root_certificates()
        .any_content_type()
        .build()
        .unwrap();
    for content_type in [None, Some("text/plain"), Some("application/octet-stream")] {
        let answer = Answer::json(BODY).content_type(content_type);
        let server = Server::start(Behaviour::Serve(answer)).await;
        document(fetch(&fetcher, development(&server.url("/jwks"))).await);
    }
}

#[tokio::test]
async fn a_compressed_answer_is_refused() {
    assert_eq!(
        kind_for(Behaviour::Compressed).await,
        FetchErrorKind::ContentEncoding
    );
    let answer = Answer::json(BODY).header("content-encoding", "identity");
    let server = Server::start(Behaviour::Serve(answer)).await;
    document(fetch_from(&server).await);
}

#[tokio::test]
async fn the_pause_that_a_server_asks_for_is_handed_on() {
    for (status, expected) in [(429, true), (503, true), (500, false)] {
        let answer = Answer::json("").status(status).header("retry-after", "120");
        let server = Server::start(Behaviour::Serve(answer)).await;
        let error = fetch_from(&server).await.expect_err("refused");
        let shown = format!("{error:?}");
        assert_eq!(
            shown.contains("retry_after: Some(120s)"),
            expected,
            "{shown}"
        );
    }
}
