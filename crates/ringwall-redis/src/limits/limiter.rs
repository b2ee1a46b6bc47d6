//! The limiter of several processes.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::step::Step;
use ringwall_rate_limit::{Decision, Dimension, LimitError, LimitKey, LimitStore, Policies};

use super::local::Local;
use super::micros::Micros;
use super::options::RedisLimiterBuilder;
use super::queue::Queue;
use super::request::{Inner, Reached};
use super::script::Bucket;
use super::server::{Failure, Server};
use crate::{Error, RedisClient};

/// A [`LimitStore`] that several processes share: one script of the server for all limits of a request.
///
/// - **Exact.** The server runs one script at a time, so the buckets allow their burst and their rate, and not one
///   token more, however many processes ask; with [`RedisLeases`](crate::RedisLeases), see there. All limits of a request are charged,
///   or none.
/// - **The server's clock** counts, in microseconds; the clocks of the processes do not matter. One that goes
///   back (a correction, or a failover to a server with another clock) gives nothing away, and locks nobody out
///   for longer than their bucket takes to fill, and five minutes. One that goes ahead fills buckets by as much.
/// - **Intervals are whole microseconds**, rounded up: never more is allowed than was said. What a status
///   says of the time until its bucket is full is by the quota's own interval, so it may be too short by a
///   thousandth.
/// - **Round trips are shared.** Four calls are at the server at most. Requests that come meanwhile wait for
///   one of them to be back, and the next call takes up to 64 of them: under load a round trip, a run of the script
///   and, for requests of one bucket, its read and its write serve many. Whoever gives up while waiting is not
///   charged.
/// - **One slot.** The keys are `prefix{tag}:` and 32 hexadecimal digits, which tell nothing of whose they are; the
///   tag keeps all of them on one node of a cluster.
/// - **Durability** is the server's, and little depends on it: a bucket that was forgotten is a full one. A
///   restart without persistence, a failover that lost the last second, a `FLUSHALL`: each gives every client up to
///   one burst more. A key goes by itself a second after its bucket is full.
/// - **Failures.** Without a connection, at the time-out, for a script that the server cannot run, and for a key
///   that holds something else, the answer is [`LimitError::Unavailable`], and never that it is allowed. Nothing is
///   sent twice, but for a script that the server said it does not know.
///   [`FallbackLimiter`](ringwall_rate_limit::FallbackLimiter) says what holds then.
/// - **Bounds.** The time-out and the commands in flight are the client's. Of denials, and of leases, a bounded
///   number is remembered. An answer from there tells of the limits that deny, and of no others.
///
/// `now`, as [`LimitStore`] has it, is used for what is remembered alone.
#[derive(Clone)]
pub struct RedisLimiter {
    inner: Arc<Inner>,
}

impl RedisLimiter {
    /// A limiter with the default options: without leases.
    ///
    /// # Errors
    ///
    /// As [`RedisLimiterBuilder::build`].
    pub fn new(client: &RedisClient, policies: Policies) -> Result<Self, Error> {
        Self::builder(client, policies).build()
    }

    /// A limiter with options of your own.
    pub fn builder(client: &RedisClient, policies: Policies) -> RedisLimiterBuilder {
        RedisLimiterBuilder::new(client, policies)
    }

    pub(super) fn with(options: RedisLimiterBuilder) -> Self {
        let lasting = options
            .leases
            .map_or(Duration::ZERO, |leases| leases.lasting);
        let local = Local::new(options.keys, lasting, options.denials);
        Self {
            inner: Arc::new(Inner {
                queue: Queue::new(Server {
                    client: options.client,
                    prefix: format!("{}{{{}}}:", options.prefix, options.tag),
                }),
                policies: options.policies,
                leases: options.leases,
                local: Arc::new(local),
            }),
        }
    }

    fn ask(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
        charge: bool,
    ) -> Step<Result<Decision, LimitError>> {
        let limits = match self.inner.policies.apply(dimensions) {
            Ok(limits) => limits,
            Err(error) => return Step::Done(Err(error)),
        };
        match self.inner.reach(now, &limits, cost, charge) {
            Reached::Decided(decision) => Step::Done(Ok(decision)),
            Reached::Missing(part) => {
                let inner = Arc::clone(&self.inner);
                Step::wait(async move {
                    let decide = inner.decide(now, &limits, cost, charge, part);
                    let shared = inner.queue.client().shared();
                    tokio::time::timeout(shared.timeout, decide)
                        .await
                        .unwrap_or_else(|_| {
                            shared.doubt.notify_one();
                            Err(Failure::TooSlow.into())
                        })
                })
            }
        }
    }
}

impl LimitStore for RedisLimiter {
    fn policies(&self) -> &Policies {
        &self.inner.policies
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.ask(now, dimensions, cost, true)
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.ask(now, dimensions, cost, false)
    }

    fn refund(&self, _now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        let cost = decision.cost();
        let buckets: Vec<Bucket> = decision
            .charged()
            .map(|status| {
                let micros = Micros::of(&status.quota()).tokens(cost.get());
                Bucket::giving_back(status.dimension().key(), micros)
            })
            .collect();
        if buckets.is_empty() {
            return Step::Done(Ok(()));
        }
        let inner = Arc::clone(&self.inner);
        Step::wait(async move {
            let keys: Vec<LimitKey> = buckets.iter().map(|bucket| bucket.key).collect();
            let answer = inner.queue.give_back(buckets).await;
            for key in keys {
                inner.local.forget_denial(key);
            }
            answer
        })
    }
}

impl fmt::Debug for RedisLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLimiter")
            .field("queue", &self.inner.queue)
            .field("policies", &self.inner.policies)
            .field("leases", &self.inner.leases)
            .finish_non_exhaustive()
    }
}
