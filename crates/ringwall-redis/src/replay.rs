//! Claims that are granted once, by all processes together.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use redis::Value;
use redis::aio::ConnectionLike as _;
use ringwall_core::step::Step;
use ringwall_replay::memory::{DEFAULT_LONGEST, MAX_LONGEST};
use ringwall_replay::{Claim, ClaimKey, ClaimRequest, ReplayStore, ReplayUnavailable};

use crate::client::{Live, Shared};
use crate::error::OTHER_SLOTS;
use crate::{Error, RedisClient};

/// Before the key of each claim, unless set.
const PREFIX: &str = "ringwall:replay:";
/// So that a key stays small.
const MAX_PREFIX: usize = 128;
/// How far the clocks of two processes may be apart, unless set.
const CLOCK_DIFFERENCE: Duration = Duration::from_secs(30);
/// More is no difference between clocks, but a clock that is wrong.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(60 * 60);
/// What a caller is told to wait for when Redis does not answer.
const SOON: Duration = Duration::from_secs(1);

/// A [`ReplayStore`] that several processes share: `SET key 1 NX PX remaining`, one command and so one
/// decision of the server.
///
/// - **Atomicity.** The server's: of all claims with one key, exactly one is answered `OK`.
/// - **Lost answers.** An attempt is never repeated. When its answer does not come in time, the claim may
///   stand, so its credential is used up: the caller is answered [`ReplayUnavailable`], and a new credential
///   passes. (To repeat it with a value of one's own would tell the own claim from another's, and would
///   make a slow server slower.)
/// - **Durability.** What the server may have forgotten is refused: what can have been claimed before it
///   started, unless [`survives_restarts`](crate::RedisConfig::survives_restarts), and before another server
///   took its place, in any case, as replication is asynchronous. Nobody can see a `FLUSHALL`, a `DEL` of the keys,
///   or a server's clock that is set forward.
/// - **Eviction.** A server whose policy is not `noeviction` is not used, also when the policy is changed
///   later (within five seconds).
/// - **Time.** A claim is remembered for its remaining time, rounded up to milliseconds, and for as long as
///   the clocks of two processes may be apart on top.
/// - **Bounds.** A time-out, commands in flight, the longest time that a claim may be valid, and the
///   server's `maxmemory`, at which it refuses new claims. A claim takes about 130 bytes there.
#[derive(Clone)]
pub struct RedisReplay {
    client: RedisClient,
    prefix: Arc<[u8]>,
    longest: Duration,
    clock_difference: Duration,
}

/// Options of a [`RedisReplay`].
#[derive(Debug)]
#[must_use = "nothing is made before `build`"]
pub struct RedisReplayBuilder {
    client: RedisClient,
    prefix: String,
    longest: Duration,
    clock_difference: Duration,
}

impl RedisReplay {
    /// A store with the default options.
    #[must_use]
    pub fn new(client: &RedisClient) -> Self {
        Self::with(Self::builder(client))
    }

    /// A store with options of your own.
    pub fn builder(client: &RedisClient) -> RedisReplayBuilder {
        RedisReplayBuilder {
            client: client.clone(),
            prefix: PREFIX.to_owned(),
            longest: DEFAULT_LONGEST,
            clock_difference: CLOCK_DIFFERENCE,
        }
    }

    fn with(options: RedisReplayBuilder) -> Self {
        Self {
            client: options.client,
            prefix: options.prefix.into_bytes().into(),
            longest: options.longest,
            clock_difference: options.clock_difference,
        }
    }

    /// The command, for a claim that has `left` to live.
    fn command(&self, key: &ClaimKey, left: Duration) -> redis::Cmd {
        let mut name = Vec::with_capacity(self.prefix.len().saturating_add(32));
        name.extend_from_slice(&self.prefix);
        name.extend_from_slice(key.as_bytes());
        let mut command = redis::cmd("SET");
        command
            .arg(name)
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(milliseconds(left.saturating_add(self.clock_difference)));
        command
    }
}

/// Rounded up: a claim must not end before its time.
fn milliseconds(time: Duration) -> u64 {
    let millis = time.as_nanos().div_ceil(1_000_000);
    u64::try_from(millis).unwrap_or(u64::MAX)
}

impl RedisReplayBuilder {
    /// What the key of each claim begins with; services that share claims share it. At most 128 bytes;
    /// `ringwall:replay:` unless set.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// For how long after `now` a claim may be valid: longer ones are answered [`ReplayUnavailable`].
    /// [`DEFAULT_LONGEST`] unless set, at most [`MAX_LONGEST`].
    pub const fn longest(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// How far the clocks of two processes may be apart: for so long after its end a claim is kept, for
    /// those by whose clock it is not over. 30 seconds unless set, at most an hour.
    pub const fn clock_difference(mut self, difference: Duration) -> Self {
        self.clock_difference = difference;
        self
    }

    /// The store.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] for an option that is out of its range, and for a client of a cluster
    /// ([`RedisConfig::cluster`](crate::RedisConfig::cluster)).
    pub fn build(self) -> Result<RedisReplay, Error> {
        if self.client.shared().slot.is_some() {
            return Err(Error::Configuration(OTHER_SLOTS));
        }
        if self.prefix.len() > MAX_PREFIX {
            return Err(Error::Configuration("the prefix has more than 128 bytes"));
        }
        if self.longest.is_zero() || self.longest > MAX_LONGEST {
            return Err(Error::Configuration("claims may be valid for up to a day"));
        }
        if self.clock_difference > MAX_CLOCK_DIFFERENCE {
            return Err(Error::Configuration("clocks may be apart by up to an hour"));
        }
        Ok(RedisReplay::with(self))
    }
}

impl ReplayStore for RedisReplay {
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        let left = request.valid_until.saturating_since(request.now);
        if left.is_zero() {
            return Step::Done(Ok(Claim::Repeated));
        }
        if left > self.longest {
            return Step::Done(Err(ReplayUnavailable {
                retry_after: left.saturating_sub(self.longest),
            }));
        }
        let shared = Arc::clone(self.client.shared());
        let Some(live) = shared.live.load_full() else {
            return Step::Done(Err(ReplayUnavailable { retry_after: SOON }));
        };
        if request.valid_from <= live.lost_at {
            let until = live.lost_at.saturating_since(request.valid_from);
            return Step::Done(Err(ReplayUnavailable {
                retry_after: until.saturating_add(Duration::from_micros(1)).min(left),
            }));
        }
        let command = self.command(&request.key, left);
        Step::wait(async move {
            send(&shared, &live, &command)
                .await
                .ok_or(ReplayUnavailable { retry_after: SOON })
        })
    }
}

/// `None` when it cannot be told.
async fn send(shared: &Shared, live: &Live, command: &redis::Cmd) -> Option<Claim> {
    // The keys of claims are in all slots of a cluster, and this one speaks to the node of one.
    if shared.slot.is_some() {
        return None;
    }
    let _permit = shared.in_flight.try_acquire().ok()?;
    let mut connection = live.connection.clone();
    let answer = tokio::time::timeout(shared.timeout, connection.req_packed_command(command)).await;
    match answer {
        Ok(Ok(Value::Okay)) => Some(Claim::First),
        Ok(Ok(Value::Nil)) => Some(Claim::Repeated),
        // Too slow, broken off, full, a replica by now: the task finds out what it is.
        other => {
            match other {
                Ok(Err(error)) => tracing::debug!(
                    event = "redis_claim_failed",
                    code = error.code().unwrap_or("none"),
                    "a claim was not decided"
                ),
                Ok(Ok(_)) | Err(_) => tracing::debug!(
                    event = "redis_claim_failed",
                    code = "none",
                    "a claim was not decided"
                ),
            }
            shared.doubt.notify_one();
            None
        }
    }
}

impl fmt::Debug for RedisReplay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisReplay")
            .field("client", &self.client)
            .field("prefix", &String::from_utf8_lossy(&self.prefix))
            .field("longest", &self.longest)
            .field("clock_difference", &self.clock_difference)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remaining_time_is_rounded_up() {
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_micros(1000)), 1);
        assert_eq!(milliseconds(Duration::from_micros(1001)), 2);
        assert_eq!(milliseconds(Duration::MAX), u64::MAX);
    }
}
