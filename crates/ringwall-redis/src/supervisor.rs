//! The task that keeps the connection: makes it, looks at the server, and gives it up.

use core::hash::BuildHasher as _;
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use ringwall_core::clock::Timestamp;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::client::{Live, RedisStatus, Shared};
use crate::cluster::Node;
use crate::connect::{self, Driver};
use crate::server::{Facts, Memory};
use crate::{Error, RedisConfig};

/// Between two looks at a server that answers: its configuration can be changed while it runs.
const LOOK: Duration = Duration::from_secs(5);
/// After a failure, doubled with each one in a row up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Nodes that are asked in a row, each named by the one before: while a slot moves, two may name each other.
const HOPS: usize = 3;
/// Between a doubt and the look that it brings: many requests doubt at once.
const CALM: Duration = Duration::from_millis(50);

/// Runs until it is aborted.
pub(crate) async fn run(shared: Arc<Shared>, config: RedisConfig) {
    let mut memory = Memory::new(config.survives_restarts);
    let mut nodes = Vec::new();
    let jitter = RandomState::new();
    let mut failures = 0_u32;
    loop {
        let error = match connected(&config, &mut nodes).await {
            Ok(connected) => {
                failures = 0;
                let error = keep(&shared, &config, &mut memory, connected, &mut nodes).await;
                tracing::warn!(event = "redis_lost", reason = %error, "no connection to Redis");
                error
            }
            Err(error) => {
                tracing::warn!(event = "redis_unavailable", reason = %error, "no connection to Redis");
                error
            }
        };
        shared.publish(None, RedisStatus::Down(error));
        sleep(pause(failures, &jitter)).await;
        failures = failures.saturating_add(1);
    }
}

/// A server that was looked at when the connection was made.
struct Connected {
    node: Node,
    connection: MultiplexedConnection,
    driver: Driver,
    facts: Facts,
    seen: Timestamp,
}

/// Connects to the server, or to the node that serves the slot. `nodes` are those of the cluster that were last
/// heard of: they are asked when the named one is gone.
async fn connected(config: &RedisConfig, nodes: &mut Vec<Node>) -> Result<Connected, Error> {
    let named = config.node();
    let others = nodes.clone().into_iter().filter(|node| *node != named);
    let all = core::iter::once(named.clone()).chain(others);
    let mut last = None;
    for asked in all {
        match reached(config, &asked, nodes).await {
            Ok(connected) => return Ok(connected),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or(Error::Configuration("host or port is missing")))
}

/// Connects to `asked` or, if it says that another node serves the slot, to that one.
async fn reached(
    config: &RedisConfig,
    asked: &Node,
    nodes: &mut Vec<Node>,
) -> Result<Connected, Error> {
    let mut node = asked.clone();
    for _ in 0..HOPS {
        let (mut connection, mut driver) = connect::open(config, &node).await?;
        if let Some(owner) = other(config, &node, &mut connection, &mut driver, nodes).await? {
            node = owner;
            continue;
        }
        let (facts, seen) = look(config, &mut connection, &mut driver).await?;
        return Ok(Connected {
            node,
            connection,
            driver,
            facts,
            seen,
        });
    }
    Err(Error::unreachable(Moving))
}

/// The node of the cluster that serves the slot, if it is another one than this.
async fn other(
    config: &RedisConfig,
    node: &Node,
    connection: &mut MultiplexedConnection,
    driver: &mut Driver,
    nodes: &mut Vec<Node>,
) -> Result<Option<Node>, Error> {
    let Some(slot) = config.slot else {
        return Ok(None);
    };
    let (slots, is_owner) = tokio::select! {
        () = driver => return Err(Error::unreachable(BrokenOff)),
        found = connect::find(config, slot, node, connection) => found?,
    };
    *nodes = slots.nodes;
    Ok((!is_owner).then_some(slots.owner))
}

/// Looks at the server while the connection is driven.
async fn look(
    config: &RedisConfig,
    connection: &mut MultiplexedConnection,
    driver: &mut Driver,
) -> Result<(Facts, Timestamp), Error> {
    tokio::select! {
        () = driver => Err(Error::unreachable(BrokenOff)),
        seen = connect::look(config, connection) => seen,
    }
}

/// Serves until something is wrong with connection or server, and answers with what.
async fn keep(
    shared: &Shared,
    config: &RedisConfig,
    memory: &mut Memory,
    connected: Connected,
    nodes: &mut Vec<Node>,
) -> Error {
    let Connected {
        node,
        mut connection,
        mut driver,
        facts,
        seen,
    } = connected;
    let lost_at = memory.lost_at(&facts, seen);
    let live = Live {
        connection: connection.clone(),
        lost_at,
    };
    shared.publish(Some(live), RedisStatus::Ready);
    tracing::info!(event = "redis_connected", %lost_at, "connected to Redis");
    let trust = generation(config);
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and the server was just looked at.
    ticks.tick().await;
    loop {
        tokio::select! {
            () = &mut driver => return Error::unreachable(BrokenOff),
            _ = ticks.tick() => {}
            () = shared.doubt.notified() => {
                tokio::select! {
                    () = &mut driver => return Error::unreachable(BrokenOff),
                    () = sleep(CALM) => {}
                }
            }
        }
        if generation(config) != trust {
            return Error::unreachable(Replaced);
        }
        match other(config, &node, &mut connection, &mut driver, nodes).await {
            Ok(None) => {}
            Ok(Some(_)) => return Error::unreachable(Moving),
            Err(error) => return error,
        }
        match look(config, &mut connection, &mut driver).await {
            // A proxy may have gone to another server behind a connection that lasted.
            Ok((now, _)) if now.run_id != facts.run_id => return Error::unreachable(Replaced),
            // So that a later restart is told from another server.
            Ok((now, seen)) => {
                memory.lost_at(&now, seen);
            }
            Err(error) => return error,
        }
    }
}

/// Changes when the certificates were replaced.
#[cfg(feature = "tls")]
fn generation(config: &RedisConfig) -> u64 {
    config.tls.as_ref().map_or(0, |tls| tls.status().generation)
}

#[cfg(not(feature = "tls"))]
fn generation(_config: &RedisConfig) -> u64 {
    0
}

/// Between three quarters and all of a pause that doubles, so that many processes do not come at once.
fn pause(failures: u32, jitter: &RandomState) -> Duration {
    let pause = FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(failures.min(16)))
        .min(LONGEST_PAUSE);
    let draw = jitter.hash_one(failures).rem_euclid(256);
    let less = pause
        .checked_div(1024)
        .unwrap_or_default()
        .saturating_mul(u32::try_from(draw).unwrap_or(0));
    pause.saturating_sub(less)
}

#[derive(Debug, thiserror::Error)]
#[error("the connection broke off")]
struct BrokenOff;

#[derive(Debug, thiserror::Error)]
#[error("another node of the cluster serves the slot of the keys")]
struct Moving;

#[derive(Debug, thiserror::Error)]
#[error("the server or its certificates are others now")]
struct Replaced;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_never_nothing() {
        let jitter = RandomState::new();
        for failures in (0..100).chain([u32::MAX]) {
            let pause = pause(failures, &jitter);
            assert!(pause <= LONGEST_PAUSE, "{pause:?}");
            assert!(pause >= FIRST_PAUSE * 3 / 4, "{pause:?}");
        }
        assert!(pause(20, &jitter) >= LONGEST_PAUSE * 3 / 4);
    }
}
