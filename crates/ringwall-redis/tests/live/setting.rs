//! A Redis, and a runtime on several threads, as the world of the contract's suite.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use ringwall_core::clock::{SystemClock, Timestamp, WallClock as _};
use ringwall_core::secret::SecretString;
use ringwall_core::step::BoxFuture;
use ringwall_redis::{RedisClient, RedisConfig, RedisReplay};
use ringwall_replay::conformance::{Answer, Setting};
use ringwall_replay::{ClaimKey, ClaimRequest, ReplayStore};

use crate::servers::Server;

/// The Redis that `cargo xtask test` started.
pub(crate) fn shared_url() -> String {
    std::env::var("RINGWALL_TEST_REDIS_URL")
        .expect("RINGWALL_TEST_REDIS_URL names no Redis: run `cargo xtask test -p ringwall-redis`")
}

/// With more patience than a service has: the processors of a test are busy.
pub(crate) fn config(url: &str) -> RedisConfig {
    let url = SecretString::new(url.to_owned());
    let config = RedisConfig::from_url(&url).expect("valid");
    config.timeout(Duration::from_secs(2))
}

/// To a server that stores each write before it answers, as those of the tests do.
pub(crate) async fn client(url: &str) -> RedisClient {
    let config = config(url).survives_restarts();
    RedisClient::connect(config).await.expect("it runs")
}

pub(crate) async fn store(server: &Server) -> RedisReplay {
    RedisReplay::new(&client(server.url()).await)
}

pub(crate) fn now() -> Timestamp {
    SystemClock::new().now().expect("a machine with a clock")
}

/// A claim that nobody else makes, for a minute.
pub(crate) fn request(name: &str) -> ClaimRequest {
    let now = now();
    let process = std::process::id().to_be_bytes();
    ClaimRequest {
        key: ClaimKey::new("live", &[&process, name.as_bytes()]),
        valid_from: now,
        valid_until: now.checked_add(Duration::from_secs(60)).expect("in range"),
        now,
    }
}

/// Looks until it is so, for half a minute.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    for _ in 0..600 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come to be");
}

pub(crate) async fn ready(client: &RedisClient) {
    eventually("a connection", || async { client.is_ready() }).await;
}

/// Stores over connections of their own, as several processes have.
pub(crate) struct World {
    pub(crate) stores: Vec<RedisReplay>,
}

impl World {
    pub(crate) fn of(store: RedisReplay) -> Self {
        Self {
            stores: vec![store],
        }
    }
}

impl Setting for World {
    fn store(&self) -> Arc<dyn ReplayStore> {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static TURN: AtomicUsize = AtomicUsize::new(0);
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let turn = turn.checked_rem(self.stores.len()).expect("a store");
        Arc::new(self.stores[turn].clone())
    }

    fn now(&self) -> Timestamp {
        now()
    }

    fn pass(&self, time: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn together(&self, claims: Vec<BoxFuture<Answer>>) -> BoxFuture<Vec<Answer>> {
        Box::pin(async {
            let tasks: Vec<_> = claims.into_iter().map(tokio::spawn).collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.expect("no panic"));
            }
            answers
        })
    }
}

/// A log of its own in the shared Redis.
#[cfg(feature = "revocations")]
pub(crate) struct Place {
    /// The URL, and the prefix behind a space.
    pub(crate) address: String,
}

#[cfg(feature = "revocations")]
pub(crate) async fn fresh() -> Place {
    let salt = crate::worker::draw(u64::MAX);
    Place {
        address: format!("{} test:{salt:016x}:", shared_url()),
    }
}

#[cfg(feature = "revocations")]
pub(crate) async fn revocations(
    address: &str,
) -> Arc<dyn ringwall_authn::revocation::RevocationStore> {
    let (url, prefix) = address.split_once(' ').expect("two words");
    // Processors are few where tests run.
    let config = config(url).survives_restarts();
    let config = config.timeout(Duration::from_secs(10));
    let client = RedisClient::connect(config).await.expect("it runs");
    Arc::new(ringwall_redis::RedisRevocations::with_prefix(&client, prefix).expect("short"))
}
