//! Tokens that name keys which are not there: from rotations, and from attackers.

use std::time::Duration;

use ringwall_core::event::EventKind;
use ringwall_core::step::Step;
use ringwall_jose::KeysUnavailable;
use ringwall_jwks_client::RefreshPolicy;

use crate::support::*;

/// The answer, and whether it was there at once.
async fn look(bench: &Bench, id: &str) -> (Result<bool, KeysUnavailable>, bool) {
    match bench.client.look_for(id) {
        Step::Done(answer) => (answer, true),
        Step::Wait(answer) => (answer.await, false),
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_found_with_the_first_token_that_names_it() {
    let fetcher = Scripted::serving(&set(&["old"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.serve(&set(&["new"]));
    assert_eq!(look(&bench, "new").await, (Ok(true), false));
    assert!(bench.has("new") && !bench.has("old"));
    assert_eq!(fetcher.calls(), 2);
    assert_eq!(look(&bench, "new").await, (Ok(true), true));
    assert!(bench.client.key(Some("new")).await.unwrap().is_some());
    assert_eq!(fetcher.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn line_36_ten_thousand_random_key_ids_cause_one_fetch_per_cool_down() {
    let fetcher = Scripted::serving(&set(&["good"]));
    let bench = Bench::ready(&fetcher).await;
    for window in 1..=3 {
        for n in 0..10_000 {
            let (answer, _) = look(&bench, &format!("random-{window}-{n}")).await;
            assert_eq!(answer, Ok(false));
            assert!(bench.has("good"));
        }
        assert_eq!(fetcher.calls(), 1 + window);
        pass(seconds(31)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn line_36_a_flood_while_the_server_fails_causes_one_fetch_per_cool_down_too() {
    let fetcher = Scripted::serving(&set(&["good"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.fail();
    for window in 1..=5 {
        for n in 0..1_000 {
            // Nobody can tell whether these are new keys, so nobody says that they are not.
            let (answer, _) = look(&bench, &format!("random-{window}-{n}")).await;
            let retry_after = answer.unwrap_err().retry_after;
            assert!((seconds(1)..=seconds(300)).contains(&retry_after));
            assert!(bench.has("good"));
        }
        assert_eq!(fetcher.calls(), 1 + window);
        pass(seconds(31)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn line_36_while_a_fetch_stalls_good_keys_never_wait() {
    let fetcher = Scripted::serving(&set(&["good"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.set(|_| Reply::Never);
    let waiting: Vec<_> = (0..1000)
        .map(|n| bench.client.look_for(&format!("random-{n}")))
        .collect();
    pass(seconds(1)).await;
    assert_eq!(fetcher.running(), 1);
    assert!(bench.has("good"));
    assert!(matches!(
        bench.client.look_for("good"),
        Step::Done(Ok(true))
    ));
    let mut refused = 0;
    for step in waiting {
        refused += usize::from(step.await.is_err());
    }
    assert_eq!(refused, 1000);
    assert_eq!(bench.client.status().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_during_a_fetch_share_it() {
    let fetcher = Scripted::serving(&set(&["old"]));
    let bench = Bench::ready(&fetcher).await;
    let new = set(&["old", "new"]);
    fetcher.set(move |_| Reply::After(seconds(2), body(&new)));
    let waiting: Vec<_> = (0..1000)
        .map(|n| {
            let id = if n % 2 == 0 { "new" } else { "neither" };
            let step = bench.client.look_for(id);
            tokio::spawn(async move { step.await })
        })
        .collect();
    pass(seconds(1)).await;
    assert_eq!(bench.client.status().waiting, 1000);
    for (n, task) in waiting.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), Ok(n % 2 == 0));
    }
    assert_eq!(fetcher.calls(), 2);
    assert_eq!(bench.client.status().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_published_during_a_regular_fetch_is_looked_for_once_more() {
    let fetcher = Scripted::serving(&set(&["old"]));
    let bench = Bench::ready(&fetcher).await;
    let (old, new) = (set(&["old"]), set(&["old", "new"]));
    fetcher.set(move |_| Reply::After(seconds(2), body(&old)));
    while fetcher.running() == 0 {
        pass(Duration::from_millis(100)).await;
    }
    fetcher.set(move |_| Reply::Now(body(&new)));
    assert_eq!(look(&bench, "new").await, (Ok(true), false));
    assert_eq!(fetcher.calls(), 3);
}

/// On a thread of its own: when this goes wrong, whoever asks waits for a lock that they hold, and
/// the runtime with them.
#[test]
fn a_second_look_that_fails_says_that_nobody_knows() {
    let (sender, answers) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async move {
            let fetcher = Scripted::serving(&set(&["old"]));
            let bench = Bench::ready(&fetcher).await;
            let old = set(&["old"]);
            fetcher.set(move |_| Reply::After(seconds(2), body(&old)));
            while fetcher.running() == 0 {
                pass(Duration::from_millis(100)).await;
            }
            // The refresh that is under way succeeds, and the look of those who waited fails.
            fetcher.fail();
            let answer = look(&bench, "new").await;
            assert_eq!(fetcher.calls(), 3);
            sender.send((answer, bench.has("old"))).unwrap();
        });
    });
    let ((answer, at_once), has_old) = answers.recv_timeout(seconds(30)).expect("an answer");
    assert!(answer.is_err() && !at_once && has_old, "{answer:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_says_that_nobody_knows_and_a_good_one_after_it_that_there_is_none() {
    let fetcher = Scripted::serving(&set(&["good"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.fail();
    assert!(look(&bench, "x").await.0.is_err());
    let (answer, at_once) = look(&bench, "x").await;
    assert!(answer.is_err() && at_once, "within the cool-down");
    assert!(answer.unwrap_err().retry_after <= seconds(30));
    fetcher.serve(&set(&["good"]));
    pass(seconds(31)).await;
    assert_eq!(look(&bench, "x").await, (Ok(false), false));
    assert_eq!(look(&bench, "x").await, (Ok(false), true));
}

#[tokio::test(start_paused = true)]
async fn an_attackers_key_ids_do_not_change_the_pace_of_refreshes() {
    let fetcher = Scripted::serving(&set(&["good"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.fail();
    assert!(look(&bench, "x").await.0.is_err());
    pass(seconds(200)).await;
    assert_eq!(fetcher.calls(), 2, "no retries of what nobody needs");
    assert_eq!(bench.client.status().failures, 0);
    assert_eq!(bench.events.count(EventKind::KeysRefreshFailed), 1);
}

#[tokio::test(start_paused = true)]
async fn callers_that_leave_leave_nothing_behind() {
    let fetcher = Scripted::serving(&set(&["old"]));
    let bench = Bench::ready(&fetcher).await;
    let new = set(&["new"]);
    fetcher.set(move |_| Reply::After(seconds(2), body(&new)));
    // Before the first poll, while waiting, and a whole task.
    drop(bench.client.look_for("new"));
    for n in 0..100 {
        let step = bench.client.look_for("new");
        let task = tokio::spawn(async move { step.await });
        if n % 2 == 0 {
            tokio::task::yield_now().await;
        }
        task.abort();
    }
    pass(seconds(1)).await;
    assert_eq!(bench.client.status().waiting, 0);
    assert_eq!(fetcher.running(), 1, "the fetch belongs to nobody");
    assert_eq!(look(&bench, "new").await, (Ok(true), false));
    assert_eq!(fetcher.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_those_who_wait_is_bounded() {
    let fetcher = Scripted::serving(&set(&["good"]));
    let bench = Bench::with(&fetcher, |builder| {
        builder.policy(RefreshPolicy {
            max_waiting: 10,
            ..policy()
        })
    });
    bench.client.prefetch().await.unwrap();
    let text = set(&["good"]);
    fetcher.set(move |_| Reply::After(seconds(2), body(&text)));
    let steps: Vec<_> = (0..15)
        .map(|n| bench.client.look_for(&n.to_string()))
        .collect();
    let at_once = steps
        .iter()
        .filter(|step| matches!(step, Step::Done(Err(_))))
        .count();
    assert_eq!(at_once, 5);
    for step in steps.into_iter().take(10) {
        assert_eq!(step.await, Ok(false));
    }
    assert_eq!(bench.client.status().waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn the_only_key_of_a_set_is_the_one_of_tokens_without_an_id() {
    let fetcher = Scripted::serving(&set(&["only"]));
    let bench = Bench::ready(&fetcher).await;
    assert!(bench.client.key(None).await.unwrap().is_some());
    fetcher.serve(&set(&["one", "two"]));
    pass(seconds(271)).await;
    assert!(bench.client.key(None).await.unwrap().is_none());
    assert_eq!(fetcher.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_verifier_gets_the_answer_through_the_source() {
    let fetcher = Scripted::serving(&set(&["old"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.serve(&set(&["new"]));
    let source: &dyn ringwall_jose::KeySource = &bench.client;
    assert_eq!(source.refresh("new").await, Ok(true));
    assert_eq!(source.refresh("other").await, Ok(false));
}

#[tokio::test(start_paused = true)]
async fn a_long_cool_down_does_not_send_callers_away_for_as_long() {
    let fetcher = Scripted::serving(&set(&["good"]));
    let bench = Bench::with(&fetcher, |builder| {
        builder.policy(RefreshPolicy {
            missing_key_cool_down: seconds(24 * 3600),
            ..policy()
        })
    });
    bench.client.prefetch().await.unwrap();
    fetcher.fail();
    for _ in 0..2 {
        let retry_after = look(&bench, "x").await.0.unwrap_err().retry_after;
        assert!(
            (seconds(1)..=seconds(300)).contains(&retry_after),
            "{retry_after:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_attempt_after_a_regular_one_that_lacked_the_key_decides() {
    for (second, expected) in [
        (Some(body(&set(&["old"]))), Ok(false)),
        (Some(body(&set(&["old", "new"]))), Ok(true)),
        (Some(status(500)), Err(())),
        (None, Err(())),
    ] {
        let fetcher = Scripted::serving(&set(&["old"]));
        let bench = Bench::ready(&fetcher).await;
        let old = set(&["old"]);
        fetcher.set(move |_| Reply::After(seconds(2), body(&old)));
        while fetcher.running() == 0 {
            pass(Duration::from_millis(100)).await;
        }
        fetcher.set(move |_| match &second {
            Some(answer) => Reply::After(seconds(1), answer.clone()),
            None => Reply::Never,
        });
        let (answer, at_once) = look(&bench, "new").await;
        assert!(!at_once);
        assert_eq!(answer.map_err(drop), expected);
        assert_eq!(fetcher.calls(), 3);
        assert_eq!(bench.client.status().waiting, 0);
    }
}
