//! How a client begins and ends.

use std::sync::Arc;

use ringwall_core::profile::Profile;
use ringwall_jose::{Health, KeySource as _};
use ringwall_jwks_client::{EndpointError, JwksClient, JwksFetcher, PrefetchError, StartError};

use crate::support::*;

#[tokio::test(start_paused = true)]
async fn the_task_ends_with_the_last_clone() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    let weak = Arc::downgrade(&fetcher);
    let Bench {
        fetcher: ours,
        client,
        ..
    } = bench;
    drop((ours, fetcher));
    let clone = client.clone();
    drop(client);
    pass(seconds(1)).await;
    assert!(weak.upgrade().is_some());
    drop(clone);
    pass(seconds(1)).await;
    assert!(weak.upgrade().is_none(), "the task still holds the fetcher");
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_a_fetch_and_those_who_wait_for_it() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let bench = Bench::ready(&fetcher).await;
    fetcher.set(|_| Reply::Never);
    let step = bench.client.look_for("b");
    let waiting = tokio::spawn(async move { step.await });
    pass(seconds(1)).await;
    assert_eq!(fetcher.running(), 1);
    bench.client.shutdown().await;
    assert!(
        !bench.client.status().is_running,
        "it has ended, not only been told to"
    );
    pass(std::time::Duration::from_millis(1)).await;
    assert_eq!(fetcher.running(), 0);
    assert!(waiting.await.unwrap().is_err());
    // What is there stays until it expires, and nothing waits for what will not come.
    assert!(bench.has("a"));
    assert!(bench.client.look_for("b").await.is_err());
    assert_eq!(bench.client.status().waiting, 0);
    pass(seconds(3901)).await;
    assert_eq!(bench.health(), Health::Unavailable);
    assert!(matches!(
        bench.client.prefetch().await,
        Err(PrefetchError::Stopped)
    ));
    bench.client.shutdown().await;
}

#[test]
fn a_client_needs_a_runtime_to_start_in() {
    let fetcher: Arc<dyn JwksFetcher> = Scripted::serving("");
    let started = JwksClient::builder(URL, fetcher).start();
    assert_eq!(started.map(drop), Err(StartError::NoRuntime));
}

#[test]
fn the_end_of_the_runtime_is_no_panic_and_the_keys_expire() {
    let fetcher = Scripted::serving(&set(&["a"]));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let shared: Arc<dyn JwksFetcher> = Arc::<Scripted>::clone(&fetcher);
    let client = runtime.block_on(async {
        let client = JwksClient::builder(URL, shared).start().unwrap();
        client.prefetch().await.unwrap();
        client
    });
    drop(runtime);
    assert!(client.keys().is_ok());
    assert!(!client.status().is_running);
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert!(other.block_on(client.look_for("b").into_future()).is_err());
}

#[tokio::test]
async fn an_unacceptable_url_does_not_start() {
    let fetcher: Arc<dyn JwksFetcher> = Scripted::serving("");
    for (started, error) in [
        (
            JwksClient::builder("http://issuer.example/jwks", Arc::clone(&fetcher)),
            EndpointError::Scheme,
        ),
        (
            JwksClient::builder("http://localhost/jwks", Arc::clone(&fetcher)),
            EndpointError::Scheme,
        ),
        (
            JwksClient::discover("http://localhost", Arc::clone(&fetcher)),
            EndpointError::Scheme,
        ),
        (
            JwksClient::discover("http://issuer.example", Arc::clone(&fetcher)),
            EndpointError::Scheme,
        ),
        (
            JwksClient::discover("https://issuer.example?x", Arc::clone(&fetcher)),
            EndpointError::Query,
        ),
        (
            JwksClient::builder("accounts.google.com", Arc::clone(&fetcher)),
            EndpointError::Malformed,
        ),
    ] {
        let started = started.start().map(drop);
        assert_eq!(started, Err(StartError::Endpoint(error)));
    }
    for builder in [
        JwksClient::builder("http://localhost/jwks", Arc::clone(&fetcher)),
        JwksClient::discover("http://localhost", Arc::clone(&fetcher)),
    ] {
        assert!(builder.profile(Profile::Development).start().is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn the_failures_of_one_issuer_touch_no_other() {
    let good = Scripted::serving(&set(&["a"]));
    let bad = Scripted::serving(&set(&["b"]));
    let (first, second) = (Bench::ready(&good).await, Bench::ready(&bad).await);
    bad.set(|_| Reply::Panic);
    pass(seconds(2 * 3600)).await;
    assert_eq!(first.health(), Health::Fresh);
    assert_eq!(second.health(), Health::Unavailable);
    assert!(good.calls() < 35, "{}", good.calls());
}

#[tokio::test(start_paused = true)]
async fn a_client_shows_what_it_is_about_and_no_query() {
    let fetcher: Arc<dyn JwksFetcher> = Scripted::serving(&set(&["a"]));
    let client = JwksClient::builder("https://issuer.example/jwks?key=secret", fetcher)
        .start()
        .unwrap();
    assert_eq!(&**client.about(), "https://issuer.example/jwks");
    assert!(!format!("{client:?}").contains("secret"));
}
