//! What a good server can do.

use std::sync::Arc;
use std::time::Duration;

use ringwall_core::event::EventKind;
use ringwall_jose::{Health, KeySource as _};
use ringwall_jwks_client::{EntityTag, FetchError, FetchErrorKind, Fetched, RefreshPolicy};

use crate::support::*;

fn document(text: &str, max_age: Option<u64>, tag: Option<&str>) -> Answer {
    Ok(Fetched::Document {
        body: text.as_bytes().to_vec(),
        max_age: max_age.map(seconds),
        entity_tag: tag.and_then(EntityTag::new),
    })
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_again_before_they_are_stale() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    pass(seconds(239)).await;
    assert_eq!(fetcher.calls(), 1, "not more than a minute ahead");
    pass(seconds(32)).await;
    assert_eq!(fetcher.calls(), 2, "at least 30 seconds ahead");
    for _ in 0..1000 {
        pass(seconds(7)).await;
        assert_eq!(bench.health(), Health::Fresh);
    }
    let expected = 7000 / 270..=7000 / 240 + 2;
    assert!(expected.contains(&fetcher.calls()), "{}", fetcher.calls());
}

#[tokio::test(start_paused = true)]
async fn the_refresh_of_a_fleet_is_spread() {
    for (stated, bounds) in [(None, 239..=271), (Some(0), 37..=46), (Some(120), 74..=91)] {
        let mut first_refresh = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let text = set(&["a"]);
            let fetcher = Scripted::new(move |_| Reply::Now(document(&text, stated, None)));
            let _bench = Bench::ready(&fetcher).await;
            let mut waited = 0;
            while fetcher.calls() < 2 {
                pass(seconds(1)).await;
                waited += 1;
            }
            assert!(bounds.contains(&waited), "{stated:?}: {waited}");
            first_refresh.insert(waited);
        }
        assert!(first_refresh.len() > 3, "{stated:?}: {first_refresh:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn line_39_a_removed_key_is_refused_after_the_refresh() {
    let fetcher = Scripted::serving(&set(&["a", "b"]));
    let bench = Bench::ready(&fetcher).await;
    let before = bench.client.generation().unwrap();
    fetcher.serve(&set(&["b", "c"]));
    pass(seconds(271)).await;
    assert!(!bench.has("a") && bench.has("b") && bench.has("c"));
    assert_ne!(bench.client.generation().unwrap(), before);
    assert_eq!(bench.events.count(EventKind::KeysReloaded), 2);
}

#[tokio::test(start_paused = true)]
async fn another_key_under_the_same_id_is_another_generation() {
    let fetcher = Scripted::serving(&format!(r#"{{"keys":[{}]}}"#, fresh_jwk("same")));
    let bench = Bench::ready(&fetcher).await;
    let before = bench.client.generation().unwrap();
    fetcher.serve(&format!(r#"{{"keys":[{}]}}"#, fresh_jwk("same")));
    pass(seconds(271)).await;
    assert_ne!(bench.client.generation().unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn the_same_keys_keep_their_generation() {
    let fetcher = Scripted::serving(&set(&["a", "b"]));
    let bench = Bench::ready(&fetcher).await;
    let before = bench.client.generation().unwrap();
    fetcher.serve(&set(&["b", "a"]));
    pass(seconds(271)).await;
    assert_eq!(fetcher.calls(), 2);
    assert_eq!(bench.client.generation().unwrap(), before);
    assert_eq!(bench.events.count(EventKind::KeysReloaded), 1);
}

#[tokio::test(start_paused = true)]
async fn the_freshness_a_server_states_counts_within_bounds() {
    for (stated, at_least, at_most) in [
        (Some(0), 37, 45),
        (Some(1), 37, 45),
        (Some(100), 62, 75),
        (Some(600), 540, 570),
        (Some(1_000_000), 840, 870),
        (Some(u64::MAX), 840, 870),
        (None, 240, 270),
    ] {
        let text = set(&["a"]);
        let fetcher = Scripted::new(move |_| Reply::Now(document(&text, stated, None)));
        let bench = Bench::ready(&fetcher).await;
        pass(seconds(at_least - 1)).await;
        assert_eq!(fetcher.calls(), 1, "{stated:?}");
        pass(seconds(at_most - at_least + 2)).await;
        assert_eq!(fetcher.calls(), 2, "{stated:?}");
        drop(bench);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_document_prolongs_the_keys_and_changes_nothing() {
    let text = set(&["a"]);
    let fetcher = Scripted::new(move |request| {
        Reply::Now(match &request.entity_tag {
            Some(tag) if tag.as_str() == "\"1\"" => Ok(Fetched::NotModified { max_age: None }),
            Some(_) | None => document(&text, None, Some("\"1\"")),
        })
    });
    let bench = Bench::ready(&fetcher).await;
    let before = bench.client.generation().unwrap();
    // Far beyond the time that keys live without a refresh.
    pass(seconds(3 * 3600)).await;
    assert_eq!(bench.health(), Health::Fresh);
    assert_eq!(bench.client.generation().unwrap(), before);
    let requests = fetcher.requests();
    assert!(requests.len() > 30);
    assert!(requests[0].entity_tag.is_none());
    assert!(
        requests[1..]
            .iter()
            .all(|request| request.entity_tag.is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn not_modified_without_a_version_is_a_failure() {
    let fetcher = Scripted::new(|_| Reply::Now(Ok(Fetched::NotModified { max_age: None })));
    let bench = Bench::new(&fetcher);
    assert!(bench.client.prefetch().await.is_err());
    assert_eq!(bench.health(), Health::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn the_version_of_a_refused_document_is_not_kept() {
    let good = set(&["a"]);
    let text = good.clone();
    let fetcher = Scripted::new(move |_| Reply::Now(document(&text, None, Some("\"1\""))));
    let bench = Bench::ready(&fetcher).await;
    fetcher.set(|_| Reply::Now(document("<html>", None, Some("\"2\""))));
    pass(seconds(300)).await;
    fetcher.set(move |request| {
        let tag = request.entity_tag.as_ref().map(EntityTag::as_str);
        assert_eq!(tag, Some("\"1\""));
        Reply::Now(document(&good, None, Some("\"3\"")))
    });
    pass(seconds(60)).await;
    assert_eq!(bench.health(), Health::Fresh);
}

#[tokio::test(start_paused = true)]
async fn line_37_one_broken_key_among_good_ones_is_left_out_and_reported_once() {
    let broken = r#"{"kty":"OKP","crv":"Ed25519","kid":"bad","x":"AA"}"#;
    let text = format!(r#"{{"keys":[{},{broken},{}]}}"#, jwk("a"), jwk("b"));
    let fetcher = Scripted::serving(&text);
    let bench = Bench::ready(&fetcher).await;
    pass(seconds(3000)).await;
    assert!(bench.has("a") && bench.has("b") && !bench.has("bad"));
    assert_eq!(bench.events.count(EventKind::KeysRefused), 1);
    let status = bench.client.status();
    assert_eq!((status.keys, status.refused_keys), (2, 1));
    // Broken in another way: said again.
    fetcher.serve(&format!(
        r#"{{"keys":[{},{{"kty":"oct","k":"AA"}}]}}"#,
        jwk("a")
    ));
    pass(seconds(300)).await;
    assert_eq!(bench.events.count(EventKind::KeysRefused), 2);
}

#[tokio::test(start_paused = true)]
async fn keys_are_built_as_configured() {
    let fetcher = Scripted::serving(&set(&["a", "b", "c"]));
    let bench = Bench::with(&fetcher, |builder| {
        builder.key_set(|| ringwall_jose::KeySet::builder().max_keys(2))
    });
    assert!(bench.client.prefetch().await.is_err());
    let bench = Bench::with(&fetcher, |builder| {
        builder.key_set(|| ringwall_jose::KeySet::builder().max_keys(3))
    });
    bench.client.prefetch().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_contradicts_itself_does_not_start() {
    let fetcher: Arc<Scripted> = Scripted::serving("");
    let policy = RefreshPolicy {
        min_ttl: Duration::from_secs(59),
        ..policy()
    };
    let started = ringwall_jwks_client::JwksClient::builder(URL, fetcher)
        .policy(policy)
        .start();
    assert!(started.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_server_asks_for_is_honoured_up_to_the_longest() {
    for (asked, at_least, at_most) in [(5, 5, 5), (20, 20, 20), (86_400, 30, 30), (0, 0, 1)] {
        let fetcher = Scripted::new(move |_| {
            let error = FetchError::new(FetchErrorKind::Status(503));
            Reply::Now(Err(error.retry_after(seconds(asked))))
        });
        let _bench = Bench::new(&fetcher);
        pass(seconds(at_least)).await;
        let early = fetcher.calls();
        pass(seconds(at_most - at_least) + Duration::from_millis(1100)).await;
        assert!(early <= 2 && fetcher.calls() >= 2, "{asked}: {early}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_not_for_signatures_are_no_news() {
    // As Keycloak publishes one in every realm.
    let encryption = jwk("enc").replace(r#""use":"sig""#, r#""use":"enc""#);
    let text = format!(r#"{{"keys":[{},{encryption}]}}"#, jwk("a"));
    let fetcher = Scripted::serving(&text);
    let bench = Bench::ready(&fetcher).await;
    assert_eq!(bench.client.status().refused_keys, 1);
    assert_eq!(bench.events.count(EventKind::KeysRefused), 0);
    let before = bench.client.generation().unwrap();
    // The order of a set means nothing (RFC 7517 §5.1), nor does that of what was left out.
    fetcher.serve(&format!(r#"{{"keys":[{encryption},{}]}}"#, jwk("a")));
    pass(seconds(271)).await;
    assert_eq!(fetcher.calls(), 2);
    assert_eq!(bench.client.generation().unwrap(), before);
    // What cannot be used and is for signatures is.
    let broken = encryption.replace(r#""use":"enc""#, r#""use":"sig","d":"AA""#);
    fetcher.serve(&format!(r#"{{"keys":[{broken},{}]}}"#, jwk("a")));
    pass(seconds(271)).await;
    assert_eq!(bench.events.count(EventKind::KeysRefused), 1);
    assert_ne!(bench.client.generation().unwrap(), before);
}

#[tokio::test(start_paused = true)]
async fn each_change_of_what_is_wrong_with_a_set_is_said_once() {
    let broken = |id: &str, rest: &str| {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"AA"{rest}}}"#)
    };
    let (x, y, private) = (
        broken("x", ""),
        broken("y", ""),
        broken("x", r#","d":"AA""#),
    );
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    let (a, b) = (jwk("a"), jwk("b"));
    for (keys, refused, said) in [
        (vec![&a, &x], 1, 1),
        // Another good key: the same is wrong.
        (vec![&a, &b, &x], 1, 1),
        (vec![&a, &b, &x, &y], 2, 2),
        (vec![&a, &b, &y], 1, 3),
        (vec![&a, &b, &x], 1, 4),
        (vec![&a, &b, &private], 1, 5),
        // Nothing is wrong any more.
        (vec![&a, &b], 0, 5),
    ] {
        let keys: Vec<&str> = keys.into_iter().map(String::as_str).collect();
        fetcher.serve(&format!(r#"{{"keys":[{}]}}"#, keys.join(",")));
        pass(seconds(271)).await;
        assert_eq!(bench.client.status().refused_keys, refused, "{keys:?}");
        assert_eq!(bench.events.count(EventKind::KeysRefused), said, "{keys:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_version_of_a_set_goes_with_the_set() {
    let fetcher = Scripted::new(|_| Reply::Now(document(&set(&["a"]), None, Some("\"1\""))));
    let bench = Bench::ready(&fetcher).await;
    // Another set, of no version; then the first one again, which a server would not send whole to
    // somebody who says that they have it.
    fetcher.serve(&set(&["b"]));
    pass(seconds(271)).await;
    assert!(bench.has("b") && !bench.has("a"));
    fetcher.set(|request| {
        Reply::Now(match &request.entity_tag {
            Some(_) => Ok(Fetched::NotModified { max_age: None }),
            None => document(&set(&["a"]), None, Some("\"1\"")),
        })
    });
    pass(seconds(271)).await;
    assert!(bench.has("a") && !bench.has("b"));
}

#[tokio::test(start_paused = true)]
async fn the_freshness_of_an_unchanged_document_counts_too() {
    let fetcher = Scripted::new(|request| {
        Reply::Now(match &request.entity_tag {
            Some(_) => Ok(Fetched::NotModified {
                max_age: Some(seconds(900)),
            }),
            None => document(&set(&["a"]), None, Some("\"1\"")),
        })
    });
    let bench = Bench::ready(&fetcher).await;
    pass(seconds(271)).await;
    assert_eq!(fetcher.calls(), 2);
    pass(seconds(800)).await;
    assert_eq!(fetcher.calls(), 2);
    assert_eq!(bench.health(), Health::Fresh);
}
