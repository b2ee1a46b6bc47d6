//! Keys whose place the issuer's metadata tells.

use ringwall_core::event::EventKind;
use ringwall_jose::Health;
use ringwall_jwks_client::{
    FetchErrorKind, FetchRequest, MetadataError, PrefetchError, RefreshError,
};

use crate::support::*;

const OPENID: &str = "https://issuer.example/.well-known/openid-configuration";
const OAUTH: &str = "https://issuer.example/.well-known/oauth-authorization-server";

fn paths(requests: &[FetchRequest]) -> Vec<&str> {
    requests
        .iter()
        .map(|request| request.url.as_str())
        .collect()
}

/// Metadata at `place`, the keys at `keys`, and nothing else.
fn site(
    place: &'static str,
    document: String,
    keys: &'static str,
) -> impl FnMut(&FetchRequest) -> Reply + Send + 'static {
    move |request| {
        let url = request.url.as_str();
        Reply::Now(if url == place {
            body(&document)
        } else if url == keys {
            body(&set(&["a"]))
        } else {
            status(404)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_where_the_metadata_says() {
    let fetcher = Scripted::new(site(OPENID, metadata(ISSUER, URL), URL));
    let bench = Bench::discovering(&fetcher);
    bench.client.prefetch().await.unwrap();
    assert_eq!(paths(&fetcher.requests()), [OPENID, URL]);
    assert!(bench.has("a"));
    assert_eq!(&**bench.client.about(), ISSUER);
    // The metadata is not asked for with every refresh.
    pass(seconds(3000)).await;
    let requests = fetcher.requests();
    let asked = paths(&requests);
    assert_eq!(asked.iter().filter(|url| **url == OPENID).count(), 1);
    pass(seconds(1200)).await;
    let requests = fetcher.requests();
    let asked = paths(&requests);
    assert_eq!(asked.iter().filter(|url| **url == OPENID).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn rfc_8414_metadata_is_found_where_openid_has_none() {
    let fetcher = Scripted::new(site(OAUTH, metadata(ISSUER, URL), URL));
    let bench = Bench::discovering(&fetcher);
    bench.client.prefetch().await.unwrap();
    assert_eq!(paths(&fetcher.requests()), [OPENID, OAUTH, URL]);
}

#[tokio::test(start_paused = true)]
async fn metadata_of_another_issuer_brings_no_keys() {
    let fetcher = Scripted::new(site(OPENID, metadata("https://evil.example", URL), URL));
    let bench = Bench::discovering(&fetcher);
    let failed = bench.client.prefetch().await.unwrap_err();
    assert!(
        matches!(
            failed,
            PrefetchError::Failed(RefreshError::Metadata(MetadataError::Issuer))
        ),
        "{failed:?}"
    );
    assert!(!failed.is_retryable(), "no waiting makes it another issuer");
    assert!(paths(&fetcher.requests()).iter().all(|url| *url == OPENID));
    assert!(bench.events.count(EventKind::KeysRefused) > 0);
}

#[tokio::test(start_paused = true)]
async fn keys_that_moved_are_found_again() {
    const MOVED: &str = "https://keys.example/new";
    let fetcher = Scripted::new(site(OPENID, metadata(ISSUER, URL), URL));
    let bench = Bench::discovering(&fetcher);
    bench.client.prefetch().await.unwrap();
    fetcher.set(site(OPENID, metadata(ISSUER, MOVED), MOVED));
    pass(seconds(300)).await;
    assert_eq!(bench.health(), Health::Fresh);
    let requests = fetcher.requests();
    let asked = paths(&requests);
    assert_eq!(&asked[2..], [URL, OPENID, MOVED]);
    pass(seconds(271)).await;
    let requests = fetcher.requests();
    assert_eq!(&paths(&requests)[5..], [MOVED]);
}

#[tokio::test(start_paused = true)]
async fn metadata_that_is_gone_or_wrong_does_not_take_good_keys_away() {
    for document in [
        "",
        "{}",
        &metadata("https://evil.example", "https://evil.example/"),
    ] {
        let fetcher = Scripted::new(site(OPENID, metadata(ISSUER, URL), URL));
        let bench = Bench::discovering(&fetcher);
        bench.client.prefetch().await.unwrap();
        fetcher.set(site(OPENID, document.to_owned(), URL));
        pass(seconds(3 * 3600)).await;
        assert_eq!(bench.health(), Health::Fresh, "{document}");
        let requests = fetcher.requests();
        assert!(paths(&requests).iter().all(|url| !url.contains("evil")));
    }
}

#[tokio::test(start_paused = true)]
async fn no_version_is_sent_to_a_place_that_it_did_not_come_from() {
    const MOVED: &str = "https://keys.example/new";
    let mut moved = false;
    let fetcher = Scripted::new(move |request| {
        let url = request.url.as_str();
        Reply::Now(if url == OPENID {
            let place = if moved { MOVED } else { URL };
            moved = true;
            assert!(request.entity_tag.is_none());
            body(&metadata(ISSUER, place))
        } else {
            if url == MOVED {
                assert!(request.entity_tag.is_none(), "sent to another place");
            }
            let Ok(ringwall_jwks_client::Fetched::Document { body, max_age, .. }) =
                body(&set(&["a"]))
            else {
                unreachable!()
            };
            Ok(ringwall_jwks_client::Fetched::Document {
                body,
                max_age,
                entity_tag: ringwall_jwks_client::EntityTag::new("\"1\""),
            })
        })
    });
    let bench = Bench::discovering(&fetcher);
    bench.client.prefetch().await.unwrap();
    while !paths(&fetcher.requests()).contains(&MOVED) {
        pass(seconds(60)).await;
    }
    assert_eq!(bench.health(), Health::Fresh);
}

#[tokio::test(start_paused = true)]
async fn metadata_that_turns_wrong_is_reported_as_refused() {
    for (document, kind) in [
        (
            metadata("https://evil.example", "https://evil.example/"),
            EventKind::KeysRefused,
        ),
        ("<html>".to_owned(), EventKind::KeysRefused),
        (String::new(), EventKind::KeysRefused),
    ] {
        let fetcher = Scripted::new(site(OPENID, metadata(ISSUER, URL), URL));
        let bench = Bench::discovering(&fetcher);
        bench.client.prefetch().await.unwrap();
        fetcher.set(site(OPENID, document.clone(), URL));
        pass(seconds(2 * 3600)).await;
        assert_eq!(bench.health(), Health::Fresh);
        assert!(bench.events.count(kind) > 0, "{document}");
    }
    // Gone is not wrong.
    let fetcher = Scripted::new(site(OPENID, metadata(ISSUER, URL), URL));
    let bench = Bench::discovering(&fetcher);
    bench.client.prefetch().await.unwrap();
    fetcher.set(site("", String::new(), URL));
    pass(seconds(2 * 3600)).await;
    assert_eq!(bench.events.count(EventKind::KeysRefused), 0);
    assert!(bench.events.count(EventKind::KeysRefreshFailed) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_asks_for_fewer_requests_gets_no_second_one_at_once() {
    for (answer, requests) in [(404, 2), (400, 2), (499, 2), (429, 1), (399, 1), (500, 1)] {
        let fetcher = Scripted::new(move |_| Reply::Now(status(answer)));
        let _bench = Bench::discovering(&fetcher);
        pass(std::time::Duration::from_millis(400)).await;
        assert_eq!(fetcher.calls(), requests, "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_that_stalls_is_left_after_the_time_out() {
    let fetcher = Scripted::new(|_| Reply::Never);
    let bench = Bench::discovering(&fetcher);
    pass(std::time::Duration::from_millis(5100)).await;
    assert_eq!(fetcher.running(), 0);
    let error = bench.client.status().last_error;
    assert!(
        matches!(error, Some(RefreshError::MetadataFetch(_))),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn metadata_that_is_at_neither_place_is_missed_at_the_first() {
    let fetcher = Scripted::new(|request| {
        Reply::Now(status(if request.url.as_str() == OPENID {
            403
        } else {
            404
        }))
    });
    let bench = Bench::discovering(&fetcher);
    let failed = bench.client.prefetch().await.unwrap_err();
    let PrefetchError::Failed(RefreshError::MetadataFetch(error)) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(error.kind(), FetchErrorKind::Status(403));
}

#[tokio::test(start_paused = true)]
async fn metadata_is_never_unmodified_since_no_version_of_it_is_known() {
    let fetcher = Scripted::new(|_| {
        Reply::Now(Ok(ringwall_jwks_client::Fetched::NotModified {
            max_age: None,
        }))
    });
    let bench = Bench::discovering(&fetcher);
    let failed = bench.client.prefetch().await.unwrap_err();
    let PrefetchError::Failed(RefreshError::MetadataFetch(error)) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(error.kind(), FetchErrorKind::Status(304));
    let requests = fetcher.requests();
    assert!(paths(&requests).iter().all(|url| *url == OPENID));
}
