//! Limits that processes share, against the least that one round trip to Redis costs.

use std::{env, hint::black_box, sync::Arc};

use redis::{Client, Script, aio::MultiplexedConnection};
use ringwall_core::{
    clock::{MonotonicClock as _, SystemClock},
    secret::SecretString,
};
use ringwall_rate_limit::{Dimension, KeyHasher, LimitStore, Policies, Quota};
use ringwall_redis::{RedisClient, RedisConfig, RedisLeases, RedisLimiter};
use tokio::{runtime::Builder, task::JoinSet};

use super::ONE;
use crate::{goals::Goals, race::Length, report::Report};

/// Says where the server is.
const VARIABLE: &str = "RINGWALL_TEST_REDIS_URL";

const IN_FLIGHT: usize = 64;

/// The server, and the limiters before it.
struct World {
    exact: RedisLimiter,
    leasing: RedisLimiter,
    /// Of each client, by the order of the limits.
    buckets: Vec<Vec<Dimension>>,
    raw: MultiplexedConnection,
    script: Script,
    names: Vec<Vec<String>>,
    clock: SystemClock,
}

/// Who is measured.
#[derive(Clone, Copy, Debug)]
enum Contender {
    Exact,
    Leasing,
    Raw,
}

impl World {
    async fn new(url: &str) -> Self {
        let secret = SecretString::from(url.to_owned());
        let config = RedisConfig::from_url(&secret).expect("a URL");
        let client = RedisClient::connect(config).await.expect("a server");
        // No race empties such a bucket.
        let quota = Quota::per_second(100_000).expect("a quota");
        let quota = quota.burst(100_000_000).expect("a quota");
        let mut builder = Policies::builder().hasher(KeyHasher::shared(*b"sixteen bytes ok"));
        for name in ["org", "project", "user"] {
            builder = builder.add(name, quota).expect("a name");
        }
        let policies = builder.build();
        let of = |client: usize| {
            let client = client.to_le_bytes();
            let bucket = |id| policies.dimension(id, [&client[..]]).expect("a key");
            policies.ids().map(bucket).collect()
        };
        let buckets: Vec<Vec<_>> = (0..IN_FLIGHT).map(of).collect();
        let exact = RedisLimiter::new(&client, policies.clone()).expect("a limiter");
        let leasing = RedisLimiter::builder(&client, policies).leases(RedisLeases::new());
        let leasing = leasing.tag("leases").build().expect("a limiter");
        let raw = Client::open(url).expect("a URL");
        let raw = raw.get_multiplexed_async_connection().await;
        let key = |bucket: &Dimension| {
            let bits = bucket.key().to_bits();
            format!("ringwall:bench:{{limits}}:{bits:032x}")
        };
        Self {
            names: buckets
                .iter()
                .map(|of| of.iter().map(key).collect())
                .collect(),
            exact,
            leasing: leasing.clone(),
            buckets,
            raw: raw.expect("a server"),
            script: Script::new("return 1"),
            clock: SystemClock::new(),
        }
    }

    /// One check of so many limits of a client.
    async fn once(&self, who: Contender, client: usize, limits: usize) {
        let limiter: &dyn LimitStore = match who {
            Contender::Exact => &self.exact,
            Contender::Leasing => &self.leasing,
            Contender::Raw => {
                let mut connection = self.raw.clone();
                let mut call = self.script.prepare_invoke();
                for name in &self.names[client][..limits] {
                    call.key(name);
                }
                let answer: i64 = call.invoke_async(&mut connection).await.expect("1");
                assert_eq!(answer, 1);
                return;
            }
        };
        let step = limiter.check(self.clock.elapsed(), &self.buckets[client][..limits], ONE);
        let decision = step.await.expect("an answer");
        assert!(black_box(decision.is_allowed()));
    }

    /// Seconds for so many checks, one after the other.
    async fn in_turn(&self, who: Contender, limits: usize, times: usize) -> f64 {
        let start = self.clock.elapsed();
        for _ in 0..times {
            self.once(who, 0, limits).await;
        }
        (self.clock.elapsed() - start).as_secs_f64()
    }

    /// Seconds for so many checks each of 64 tasks, of one client or of as many.
    async fn at_once(
        self: &Arc<Self>,
        who: Contender,
        clients: usize,
        limits: usize,
        times: usize,
    ) -> f64 {
        let start = self.clock.elapsed();
        let mut tasks = JoinSet::new();
        for task in 0..IN_FLIGHT {
            let world = Arc::clone(self);
            tasks.spawn(async move {
                for _ in 0..times {
                    world.once(who, task % clients, limits).await;
                }
            });
        }
        tasks.join_all().await;
        (self.clock.elapsed() - start).as_secs_f64()
    }
}

/// # Panics
///
/// When there is no server, or it does not answer.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let url = env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} says where a Redis is; `cargo xtask bench ratelimit` starts one")
    });
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(1).enable_all().build();
    let (rounds, times) = if length.is_smoke() { (1, 2) } else { (200, 50) };
    runtime.expect("a runtime").block_on(async {
        let world = Arc::new(World::new(&url).await);
        for limits in [1, 3] {
            measure(&world, limits, rounds, times, report, goals).await;
        }
    });
}

async fn measure(
    world: &Arc<World>,
    limits: usize,
    rounds: usize,
    times: usize,
    report: &mut Report,
    goals: &mut Goals,
) {
    let all = [Contender::Exact, Contender::Leasing, Contender::Raw];
    // For each contender the fastest round, and the one in the middle.
    let mut alone = all.map(|_| Vec::new());
    let mut together = all.map(|_| Vec::new());
    let mut apart = all.map(|_| Vec::new());
    for round in 0..rounds {
        for step in 0..all.len() {
            let place = (round + step) % all.len();
            let each = |seconds: f64, count: usize| seconds * 1e9 / count as f64;
            let seconds = world.in_turn(all[place], limits, times).await;
            alone[place].push(each(seconds, times));
            for (clients, samples) in [(1, &mut together), (IN_FLIGHT, &mut apart)] {
                let seconds = world.at_once(all[place], clients, limits, times / 2).await;
                samples[place].push(each(seconds, times / 2 * IN_FLIGHT));
            }
        }
    }
    let sorted = |mut samples: Vec<f64>| {
        samples.sort_unstable_by(f64::total_cmp);
        (samples[0], samples[samples.len() / 2])
    };
    let [alone, together, apart] = [alone, together, apart].map(|samples| samples.map(sorted));
    println!("\n{limits} limits in Redis, µs for each check");
    println!(
        "| contender | alone, fastest | alone, median | 64 at once of one client, fastest | \
         median | 64 clients at once, fastest | median |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let names = ["one script", "leases", "EVALSHA of `return 1`"];
    for (place, name) in names.iter().enumerate() {
        print!("| {name} |");
        for (fastest, median) in [alone[place], together[place], apart[place]] {
            print!(" {:.1} | {:.1} |", fastest / 1e3, median / 1e3);
        }
        println!();
    }
    let [exact, leasing, raw] = alone.map(|(fastest, _)| fastest);
    let [exact_many, _, raw_many] = together.map(|(fastest, _)| fastest);
    let case = |rest: &str| format!("op=redis limits={limits} {rest}");
    report.compare(
        &case("in-flight=1 leases=no"),
        exact,
        "evalsha-return-1",
        raw,
    );
    report.compare(
        &case("in-flight=1 leases=yes"),
        leasing,
        "one-round-trip",
        exact,
    );
    let [exact_apart, _, raw_apart] = apart.map(|(fastest, _)| fastest);
    for (clients, exact, raw) in [
        (1, exact_many, raw_many),
        (IN_FLIGHT, exact_apart, raw_apart),
    ] {
        let many = case(&format!(
            "in-flight={IN_FLIGHT} clients={clients} leases=no"
        ));
        report.compare(&many, exact, "evalsha-return-1", raw);
    }
    let goal = |what: &str| format!("Redis, {limits} limits, {what}");
    goals.at_most(&goal("a check against `return 1`"), 1.2, exact / raw, "×");
    for (what, exact, raw) in [
        ("64 at once of one client", exact_many, raw_many),
        ("64 clients at once", exact_apart, raw_apart),
    ] {
        let goal = goal(&format!("{what} against `return 1`"));
        goals.at_most(&goal, 1.0 / 0.9, exact / raw, "×");
    }
    goals.at_most(
        &goal("leases against a round trip"),
        1.0 / 20.0,
        leasing / exact,
        "×",
    );
}
