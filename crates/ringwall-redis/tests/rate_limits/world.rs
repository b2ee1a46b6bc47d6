//! What the tests have in common.

use std::hash::{BuildHasher as _, RandomState};
use std::num::NonZeroU32;
use std::time::Duration;

use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use ringwall_rate_limit::{
    Decision, Dimension, KeyHasher, LimitError, LimitStore, Policies, Quota,
};
use ringwall_redis::{RedisClient, RedisLimiter};

use crate::servers::Server;
use crate::setting::config;

/// A secret of its own, so that no test meets another's buckets.
pub(crate) fn secret() -> [u8; 16] {
    let word = |salt: u8| u128::from(RandomState::new().hash_one(salt));
    (word(0) << 64 | word(1)).to_le_bytes()
}

pub(crate) fn policies_of(secret: [u8; 16], limits: &[(&str, Quota)]) -> Policies {
    let mut policies = Policies::builder().hasher(KeyHasher::shared(secret));
    for (name, quota) in limits {
        policies = policies.add(name, *quota).expect("a limit");
    }
    policies.build()
}

/// A token an hour: nothing comes while a test runs.
pub(crate) fn hourly(burst: u32) -> Quota {
    let quota = Quota::per_hour(1).expect("a quota");
    quota.burst(burst).expect("a quota")
}

/// Processors are few where tests run, and waiting is long.
pub(crate) async fn patient(url: &str) -> RedisClient {
    let config = config(url).timeout(Duration::from_secs(10));
    RedisClient::connect(config).await.expect("it runs")
}

pub(crate) async fn limiter(url: &str, limits: &[(&str, Quota)]) -> RedisLimiter {
    let policies = policies_of(secret(), limits);
    RedisLimiter::new(&patient(url).await, policies).expect("valid")
}

pub(crate) fn bucket(limiter: &dyn LimitStore, limit: &str, key: &str) -> Dimension {
    let policies = limiter.policies();
    let policy = policies.find(limit).expect("a limit");
    policies.dimension(policy, [key.as_bytes()]).expect("a key")
}

pub(crate) fn tokens(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("not zero")
}

/// This process's clock, as its services read it.
pub(crate) fn now() -> Duration {
    static CLOCK: std::sync::LazyLock<SystemClock> = std::sync::LazyLock::new(SystemClock::new);
    // Nobody's time begins at zero.
    CLOCK.elapsed() + Duration::from_secs(1)
}

pub(crate) async fn check(
    limiter: &dyn LimitStore,
    buckets: &[Dimension],
    cost: u32,
) -> Result<Decision, LimitError> {
    limiter.check(now(), buckets, tokens(cost)).await
}

/// How many of so many requests pass.
pub(crate) async fn passed(limiter: &dyn LimitStore, buckets: &[Dimension], tries: u32) -> u32 {
    let mut passed = 0;
    for _ in 0..tries {
        let decision = check(limiter, buckets, 1).await.expect("it answers");
        passed += u32::from(decision.is_allowed());
    }
    passed
}

/// What is left in a bucket by the server's word.
pub(crate) async fn left(limiter: &dyn LimitStore, bucket: Dimension) -> u32 {
    let peeked = limiter.peek(now(), &[bucket], tokens(1)).await;
    let peeked = peeked.expect("it answers");
    peeked.statuses().next().expect("a status").remaining()
}

/// The name of a bucket's key.
pub(crate) fn name(bucket: Dimension) -> String {
    format!("ringwall:limits:{{limits}}:{:032x}", bucket.key().to_bits())
}

/// An operator's connection.
pub(crate) struct Admin(redis::Connection);

impl Admin {
    pub(crate) fn new(url: &str) -> Self {
        let client = redis::Client::open(url).expect("valid");
        Self(client.get_connection().expect("up"))
    }

    pub(crate) fn of(server: &Server) -> Self {
        Self::new(server.url())
    }

    pub(crate) fn run<T: redis::FromRedisValue>(&mut self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        self.query(command.arg(&words[1..]))
    }

    pub(crate) fn query<T: redis::FromRedisValue>(&mut self, command: &redis::Cmd) -> T {
        command.query(&mut self.0).expect("up")
    }

    /// How often a command was run since the server started.
    pub(crate) fn runs(&mut self, command: &str) -> u64 {
        let info: String = self.run(&["INFO", "commandstats"]);
        let prefix = format!("cmdstat_{command}:calls=");
        let line = info.lines().find_map(|line| line.strip_prefix(&prefix));
        let calls = line.and_then(|line| line.split(',').next());
        calls.map_or(0, |calls| calls.parse().expect("a number"))
    }

    /// The server's time in microseconds.
    pub(crate) fn time(&mut self) -> u64 {
        let (seconds, micros): (u64, u64) = self.run(&["TIME"]);
        seconds * 1_000_000 + micros
    }
}
