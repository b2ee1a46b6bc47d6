//! Servers that stall, lie and vanish.

use std::sync::Arc;
use std::time::Duration;

use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_jose::{Health, KeySource as _};
use ringwall_jwks_client::{
    FetchError, FetchErrorKind, Fetched, PrefetchError, RefreshError, RefreshPolicy,
};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn line_38_an_outage_past_the_ttl_is_served_stale_and_past_max_stale_not_at_all() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.fail();
    pass(seconds(299)).await;
    assert_eq!(bench.health(), Health::Fresh);
    let fresh_for = bench
        .client
        .status()
        .expires_in
        .checked_sub(policy().max_stale);
    pass(fresh_for.unwrap()).await;
    assert_eq!(bench.client.status().expires_in, policy().max_stale);
    assert_eq!(bench.health(), Health::Stale);
    pass(seconds(3598)).await;
    assert!(bench.has("a"));
    assert_eq!(bench.events.count(EventKind::KeysUnavailable), 0);
    pass(seconds(3)).await;
    assert_eq!(bench.health(), Health::Unavailable);
    for error in [
        bench.client.keys().map(drop).unwrap_err(),
        bench.client.generation().map(drop).unwrap_err(),
        bench.client.key(Some("a")).await.map(drop).unwrap_err(),
    ] {
        assert!((seconds(1)..=seconds(30)).contains(&error.retry_after));
    }
    pass(seconds(31)).await;
    assert!(bench.events.count(EventKind::KeysUnavailable) >= 1);
    // And back within one pause.
    fetcher.serve(&set(&["a"]));
    pass(seconds(30)).await;
    assert_eq!(bench.health(), Health::Fresh);
    assert!(bench.has("a"));
    assert!(bench.client.status().last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_the_longest_and_are_spread() {
    let fetcher = Scripted::serving("");
    fetcher.fail();
    let bench = Bench::with(&fetcher, |builder| {
        builder.policy(RefreshPolicy {
            attempts: 7,
            ..policy()
        })
    });
    let mut pauses = Vec::new();
    let mut last = tokio::time::Instant::now();
    while pauses.len() < 10 {
        let calls = fetcher.calls();
        while fetcher.calls() == calls {
            pass(Duration::from_millis(10)).await;
        }
        pauses.push(last.elapsed().as_secs_f64());
        last = tokio::time::Instant::now();
    }
    // The first is the attempt at the start.
    for (pause, step) in pauses[1..]
        .iter()
        .zip([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0, 30.0])
    {
        assert!(
            (step / 2.0 - 0.02..=step + 0.05).contains(pause),
            "{pause} of {step}: {pauses:?}"
        );
    }
    let longest = &pauses[6..];
    assert!(longest.iter().any(|pause| *pause < 29.9), "{pauses:?}");
    assert!(bench.client.status().failures >= 9);
}

#[tokio::test(start_paused = true)]
async fn line_37_an_answer_that_cannot_be_used_leaves_the_keys_as_they_are() {
    let too_long = format!(r#"{{"keys":[{}],"x":"{}"}}"#, jwk("a"), "x".repeat(300_000));
    let too_many: Vec<_> = (0..129).map(|n| jwk(&n.to_string())).collect();
    let too_many = format!(r#"{{"keys":[{}]}}"#, too_many.join(","));
    let twice = format!(r#"{{"keys":[{},{}]}}"#, fresh_jwk("a"), fresh_jwk("a"));
    let documents = [
        "",
        "{}",
        "null",
        "<!DOCTYPE html><html></html>",
        r#"{"keys":[]}"#,
        r#"{"keys":{}}"#,
        r#"{"keys":[{"kty":"oct","kid":"a","k":"c2VjcmV0"}]}"#,
        r#"{"keys":[{"kty":"EC","kid":"a"}]}"#,
        &too_long,
        &too_many,
        &twice,
    ];
    for document in documents {
        let fetcher = Scripted::serving(&set(&["a"]));
        let bench = Bench::ready(&fetcher).await;
        let before = bench.client.generation().unwrap();
        fetcher.serve(document);
        pass(seconds(600)).await;
        assert!(fetcher.calls() > 10);
        let shown: String = document.chars().take(40).collect();
        assert_eq!(bench.health(), Health::Stale, "{shown}");
        assert_eq!(bench.client.generation().unwrap(), before, "{shown}");
        let failures = bench.events.count(EventKind::KeysRefused)
            + bench.events.count(EventKind::KeysRefreshFailed);
        assert_eq!(failures, fetcher.calls() - 1, "{shown}");
        // What is not even read is not known to be wrong.
        let is_read = document.len() <= policy().max_bytes;
        let refused = bench.events.count(EventKind::KeysRefused);
        assert_eq!(refused > 0, is_read, "{shown}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_failure_of_a_fetch_leaves_the_keys_and_is_named() {
    use FetchErrorKind as K;
    for kind in [
        K::Connect,
        K::AddressRefused,
        K::Tls,
        K::TimedOut,
        K::Status(500),
        K::Redirected,
        K::ContentType,
        K::ContentEncoding,
        K::TooLarge,
        K::Interrupted,
        K::Other,
    ] {
        let fetcher = Scripted::serving(&set(&["a"]));
        let bench = Bench::ready(&fetcher).await;
        fetcher.set(move |_| Reply::Now(Err(FetchError::new(kind))));
        pass(seconds(400)).await;
        assert!(bench.has("a"));
        assert_eq!(bench.health(), Health::Stale);
        assert!(bench.causes().contains(&kind.as_str()));
        let error = bench.client.status().last_error.unwrap();
        assert_eq!(error.fetch_kind(), Some(kind));
        assert_eq!(error.is_retryable(), kind != K::AddressRefused);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stalls_is_left_after_the_time_out() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.set(|_| Reply::Never);
    while fetcher.running() == 0 {
        pass(Duration::from_millis(100)).await;
    }
    assert!(bench.has("a"));
    fetcher.serve(&set(&["b"]));
    // The time-out, and the first pause.
    pass(Duration::from_millis(6100)).await;
    assert_eq!(fetcher.running(), 0);
    assert!(bench.has("b"));
}

#[tokio::test(start_paused = true)]
async fn a_fetcher_that_panics_heals() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.set(|_| Reply::Panic);
    pass(seconds(275)).await;
    assert!(bench.has("a"));
    // In the call itself too, where the script's lock is poisoned by it.
    fetcher.set(|_| panic!("on purpose"));
    pass(seconds(300)).await;
    assert!(bench.causes().contains(&FetchErrorKind::Panicked.as_str()));
    assert_eq!(bench.health(), Health::Stale);
    assert!(bench.client.status().is_running);
}

#[tokio::test(start_paused = true)]
async fn code_that_panics_while_it_builds_a_set_heals() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let bench = Bench::with(&fetcher, |builder| {
        builder.key_set(move || {
            let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            assert_ne!(call, 0, "on purpose");
            ringwall_jose::KeySet::builder()
        })
    });
    bench.client.prefetch().await.unwrap();
    assert_eq!(fetcher.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_does_not_end_the_refreshes() {
    #[derive(Debug)]
    struct Panics;
    impl EventSink for Panics {
        fn emit(&self, _event: SecurityEvent) {
            panic!("on purpose");
        }
    }
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::with(&fetcher, |builder| builder.events(Arc::new(Panics)));
    bench.client.prefetch().await.unwrap();
    fetcher.serve(&set(&["b"]));
    pass(seconds(300)).await;
    assert!(bench.has("b"));
}

#[tokio::test(start_paused = true)]
async fn a_body_beyond_the_bound_is_refused_whatever_the_fetcher_says() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::with(&fetcher, |builder| {
        builder.policy(RefreshPolicy {
            max_bytes: 100,
            ..policy()
        })
    });
    let failed = bench.client.prefetch().await.unwrap_err();
    let PrefetchError::Failed(RefreshError::Fetch(error)) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(error.kind(), FetchErrorKind::TooLarge);
    assert_eq!(fetcher.requests()[0].max_bytes, 100);
    let bench = Bench::with(&fetcher, |builder| {
        builder.policy(RefreshPolicy {
            max_bytes: set(&["a"]).len(),
            ..policy()
        })
    });
    bench.client.prefetch().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn prefetch_gives_up_after_the_attempts_and_the_client_goes_on() {
    let fetcher = Scripted::serving("");
    fetcher.fail();
    let bench = Bench::new(&fetcher);
    let failed = bench.client.prefetch().await;
    assert!(
        matches!(failed, Err(PrefetchError::Failed(_))),
        "{failed:?}"
    );
    assert_eq!(fetcher.calls(), 3);
    assert_eq!(bench.health(), Health::Unavailable);
    fetcher.serve(&set(&["a"]));
    pass(seconds(31)).await;
    assert!(bench.has("a"));
    bench.client.prefetch().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn before_the_first_keys_nothing_is_judged() {
    let fetcher = Scripted::serving("");
    fetcher.set(|_| Reply::After(seconds(1), body(&set(&["a"]))));
    let bench = Bench::new(&fetcher);
    assert_eq!(bench.health(), Health::Unavailable);
    assert!(bench.client.keys().is_err() && bench.client.generation().is_err());
    assert!(bench.client.key(Some("a")).await.is_err());
    // Whoever asks for a key by name waits for the first fetch.
    assert_eq!(bench.client.look_for("a").await, Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_flapping_server_never_makes_the_keys_unavailable() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    let text = set(&["a"]);
    let mut n = 0_u32;
    fetcher.set(move |_| {
        n += 1;
        Reply::Now(if n.is_multiple_of(3) {
            body(&text)
        } else if n % 3 == 1 {
            status(502)
        } else {
            Ok(Fetched::Document {
                body: b"<html>".to_vec(),
                max_age: Some(Duration::ZERO),
                entity_tag: None,
            })
        })
    });
    for _ in 0..2000 {
        pass(seconds(5)).await;
        assert!(bench.has("a"));
        assert_ne!(bench.health(), Health::Unavailable);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_asks_the_client_when_it_ends_waits_for_nobody() {
    #[derive(Debug)]
    struct Asks(
        std::sync::mpsc::Sender<bool>,
        ringwall_jwks_client::JwksClient,
    );
    impl std::fmt::Display for Asks {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("asks")
        }
    }
    impl std::error::Error for Asks {}
    impl Drop for Asks {
        fn drop(&mut self) {
            let client = self.1.clone();
            let (sender, receiver) = std::sync::mpsc::channel();
            std::thread::spawn(move || sender.send(client.status().attempts));
            let answer = receiver.recv_timeout(Duration::from_secs(2));
            self.0.send(answer.is_ok()).ok();
        }
    }
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    let (sender, ended) = std::sync::mpsc::channel();
    let client = bench.client.clone();
    fetcher.set(move |_| {
        let cause = Asks(sender.clone(), client.clone());
        Reply::Now(Err(FetchError::new(FetchErrorKind::Other).caused_by(cause)))
    });
    while bench.client.status().failures == 0 {
        pass(seconds(1)).await;
    }
    fetcher.serve(&set(&["a"]));
    pass(seconds(31)).await;
    assert!(bench.client.status().last_error.is_none());
    assert_eq!(ended.try_recv(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn after_the_attempts_of_the_policy_each_pause_is_the_longest_and_a_success_starts_anew() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    for _ in 0..3 {
        fetcher.fail();
        let mut pauses = Vec::new();
        let mut last = None;
        while pauses.len() < 4 {
            let calls = fetcher.calls();
            while fetcher.calls() == calls {
                pass(Duration::from_millis(10)).await;
            }
            let now = tokio::time::Instant::now();
            if let Some(last) = last.replace(now) {
                pauses.push(now.duration_since(last).as_secs_f64());
            }
        }
        for (pause, step) in pauses.iter().zip([1.0, 2.0, 30.0, 30.0]) {
            assert!(
                (step / 2.0 - 0.02..=step + 0.05).contains(pause),
                "{pause} of {step}: {pauses:?}"
            );
        }
        assert_eq!(bench.client.status().failures, 5);
        fetcher.serve(&set(&["a"]));
        pass(seconds(31)).await;
        assert_eq!(bench.client.status().failures, 0);
        let cause = bench.causes().pop();
        assert_eq!(cause, Some("the key set is fresh again"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_cause_that_panics_when_it_ends_does_not_end_the_refreshes() {
    #[derive(Debug)]
    struct Panics;
    impl std::fmt::Display for Panics {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("panics")
        }
    }
    impl std::error::Error for Panics {}
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.set(|_| Reply::Now(Err(FetchError::new(FetchErrorKind::Other).caused_by(Panics))));
    while bench.client.status().failures == 0 {
        pass(seconds(1)).await;
    }
    fetcher.serve(&set(&["b"]));
    pass(seconds(31)).await;
    assert!(bench.has("b") && bench.client.status().is_running);
}

#[tokio::test(start_paused = true)]
async fn those_who_are_turned_away_learn_when_the_next_attempt_is() {
    let fetcher = Scripted::new(|_| {
        let error = FetchError::new(FetchErrorKind::Status(503));
        Reply::Now(Err(error.retry_after(seconds(20))))
    });
    let bench = Bench::new(&fetcher);
    pass(seconds(1)).await;
    let error = bench.client.keys().map(drop).unwrap_err();
    assert!((seconds(18)..=seconds(19)).contains(&error.retry_after));
}
