//! The suite that every store passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ringwall_core::step::{BoxFuture, Step};
use ringwall_rate_limit::conformance::{self, Answer, Setting};
use ringwall_rate_limit::{Decision, Dimension, LimitError, LimitStore, Policies};
use ringwall_redis::{RedisClient, RedisLimiter};

use crate::setting::shared_url;
use crate::world::{now, patient};

/// Several processes' limiters, asked in turn.
#[derive(Debug)]
struct Several {
    limiters: Vec<RedisLimiter>,
    turn: AtomicUsize,
}

impl Several {
    fn next(&self) -> &RedisLimiter {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        &self.limiters[turn % self.limiters.len()]
    }
}

impl LimitStore for Several {
    fn policies(&self) -> &Policies {
        self.limiters[0].policies()
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: std::num::NonZeroU32,
    ) -> Step<Answer> {
        self.next().check(now, dimensions, cost)
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: std::num::NonZeroU32,
    ) -> Step<Answer> {
        self.next().peek(now, dimensions, cost)
    }

    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        self.next().refund(now, decision)
    }
}

struct World {
    clients: Vec<RedisClient>,
    denials: Duration,
}

impl Setting for World {
    fn store(&self, policies: Policies) -> Arc<dyn LimitStore> {
        let of = |client| {
            RedisLimiter::builder(client, policies.clone())
                .remember_denials(self.denials)
                .build()
                .expect("valid")
        };
        Arc::new(Several {
            limiters: self.clients.iter().map(of).collect(),
            turn: AtomicUsize::new(0),
        })
    }

    fn now(&self) -> Duration {
        now()
    }

    fn pass(&self, time: Duration) -> BoxFuture<()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn together(&self, checks: Vec<BoxFuture<Answer>>) -> BoxFuture<Vec<Answer>> {
        Box::pin(async {
            let tasks: Vec<_> = checks.into_iter().map(tokio::spawn).collect();
            let mut answers = Vec::new();
            for task in tasks {
                answers.push(task.await.expect("no panic"));
            }
            answers
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_limiter_keeps_the_contract() {
    let world = World {
        clients: vec![patient(&shared_url()).await],
        denials: Duration::from_secs(1),
    };
    conformance::all(&world).await.expect("conforming");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limiters_of_several_processes_keep_the_contract_together() {
    let url = shared_url();
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(patient(&url).await);
    }
    // What one of them remembers, another may have given back.
    let world = World {
        clients,
        denials: Duration::ZERO,
    };
    conformance::all(&world).await.expect("conforming");
}
