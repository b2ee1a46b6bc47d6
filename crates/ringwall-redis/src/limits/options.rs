//! How a limiter keeps its buckets.

use core::num::NonZeroU32;
use core::time::Duration;

use ringwall_rate_limit::Policies;

use super::limiter::RedisLimiter;
use super::micros;
use crate::{Error, RedisClient, cluster};

/// Before the keys, unless set.
const PREFIX: &str = "ringwall:limits:";
/// So that a key stays small.
const MAX_PREFIX: usize = 128;
/// Between the braces, unless set.
const TAG: &str = "limits";
/// So that a key stays small.
const MAX_TAG: usize = 64;
/// For how long a denial is remembered, unless set: so late a refund or a change on another process is
/// noticed at most.
const DENIALS: Duration = Duration::from_secs(1);
/// The most that can be set.
const MAX_DENIALS: Duration = Duration::from_secs(60);
/// Buckets that are remembered, unless set: about 20 MB when all are in use.
const KEYS: usize = 65_536;
/// The most that can be set.
const MAX_KEYS: usize = 1 << 22;
/// The share of a burst that a process takes in advance, unless set: a tenth.
const SHARE: NonZeroU32 = match NonZeroU32::new(10) {
    Some(ten) => ten,
    None => NonZeroU32::MIN,
};
/// For how long it serves them, unless set.
const LASTING: Duration = Duration::from_millis(100);
/// The longest that can be set.
const MAX_LASTING: Duration = Duration::from_secs(10);

/// Tokens taken in advance, which spare round trips: a process takes a part of a bucket's burst in one round
/// trip, and serves requests from it for a short time without asking.
///
/// The tokens are **charged at the server before any is served**, so all processes together never serve a token
/// that the bucket did not have: the over-admission is zero. What leases cost:
///
/// - **Time.** A token is served up to the lease's time after it was taken. So in a window of time, what was
///   taken before it and served in it can come on top of what the bucket allows in it: at most one lease of each
///   process, which is `processes × (burst / share)` tokens.
/// - **Use.** Tokens that a process took and does not need are out of everybody's reach until the lease is over;
///   then they are given back. A process that ends keeps them, and they come back at the bucket's rate. So at a moment
///   `processes × (burst / share)` tokens fewer may be there than without leases.
/// - **Sight.** What is left, as a lease's answer says it, is of the moment when it was taken.
///
/// A lease is never more than half of what is left in the bucket, so the last tokens stay for everybody. It is
/// taken for buckets that were asked for a moment ago, so a key that comes once costs one round trip and no lease.
/// A burst below the share has no lease: with a tenth, a limit of five attempts a minute stays exact to the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedisLeases {
    pub(super) share: NonZeroU32,
    pub(super) lasting: Duration,
}

impl Default for RedisLeases {
    fn default() -> Self {
        Self {
            share: SHARE,
            lasting: LASTING,
        }
    }
}

impl RedisLeases {
    /// A tenth of the burst, for 100 ms.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The burst is divided by this to give the lease, rounded down: 10 unless set. Twice the number of
    /// processes leaves half of the tokens to those who come later.
    #[must_use]
    pub const fn share(mut self, share: NonZeroU32) -> Self {
        self.share = share;
        self
    }

    /// For how long a lease is served: 100 ms unless set, ten seconds at most.
    #[must_use]
    pub const fn lasting(mut self, time: Duration) -> Self {
        self.lasting = time;
        self
    }
}

/// Options of a [`RedisLimiter`].
#[derive(Debug)]
#[must_use = "nothing is made before `build`"]
pub struct RedisLimiterBuilder {
    pub(super) client: RedisClient,
    pub(super) policies: Policies,
    pub(super) prefix: String,
    pub(super) tag: String,
    pub(super) leases: Option<RedisLeases>,
    pub(super) denials: Duration,
    pub(super) keys: usize,
}

impl RedisLimiterBuilder {
    pub(super) fn new(client: &RedisClient, policies: Policies) -> Self {
        Self {
            client: client.clone(),
            policies,
            prefix: PREFIX.to_owned(),
            tag: TAG.to_owned(),
            leases: None,
            denials: DENIALS,
            keys: KEYS,
        }
    }

    /// What the name of each key begins with; services that share limits share it. At most 128 bytes, without
    /// braces; `ringwall:limits:` unless set.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// What stands in the braces of each key, by which a cluster chooses the node: all limits of a
    /// service are on one, for they are checked in one step. 1 to 64 bytes, without braces; `limits` unless
    /// set.
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.tag = tag.into();
        self
    }

    /// Takes tokens in advance. Without this, each request that passes is one round trip.
    pub const fn leases(mut self, leases: RedisLeases) -> Self {
        self.leases = Some(leases);
        self
    }

    /// For how long a denial is remembered at most, so that a client that goes on against an empty bucket costs no
    /// round trips: until its wait is over, and for a second unless set. So late a refund by another process is
    /// noticed. Zero remembers none; a minute at most.
    pub const fn remember_denials(mut self, longest: Duration) -> Self {
        self.denials = longest;
        self
    }

    /// Buckets of which something is remembered, for leases and denials: 65,536 unless set. Others are asked of
    /// the server.
    pub const fn keys(mut self, keys: usize) -> Self {
        self.keys = keys;
        self
    }

    /// The limiter.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], for an option out of its range; for limits whose keys are of this process alone
    /// ([`KeyHasher::random`](ringwall_rate_limit::KeyHasher::random)), which nobody would share; and for a quota
    /// that would lose more than a thousandth of its rate in whole microseconds per token. A quota like that
    /// that is set later counts by the next slower one.
    pub fn build(self) -> Result<RedisLimiter, Error> {
        let braces = |text: &str| text.contains(['{', '}']);
        if self.prefix.len() > MAX_PREFIX || braces(&self.prefix) {
            return Err(Error::Configuration(
                "the prefix has more than 128 bytes, or a brace",
            ));
        }
        if self.tag.is_empty() || self.tag.len() > MAX_TAG || braces(&self.tag) {
            return Err(Error::Configuration(
                "the tag is 1 to 64 bytes without a brace",
            ));
        }
        let slot = self.client.shared().slot;
        if slot.is_some_and(|slot| slot != cluster::slot_of(&self.tag)) {
            return Err(Error::Configuration(
                "the client speaks to the node of a cluster that serves another tag",
            ));
        }
        if let Some(leases) = self.leases
            && (leases.lasting.is_zero() || leases.lasting > MAX_LASTING)
        {
            return Err(Error::Configuration("a lease lasts for up to ten seconds"));
        }
        if self.denials > MAX_DENIALS {
            return Err(Error::Configuration(
                "a denial is remembered for a minute at most",
            ));
        }
        if self.keys > MAX_KEYS {
            return Err(Error::Configuration(
                "at most 4,194,304 buckets are remembered",
            ));
        }
        if !self.policies.has_shared_keys() {
            return Err(Error::Configuration(
                "the limits' keys are of this process alone: give them `KeyHasher::shared` with a \
                 secret that all processes have",
            ));
        }
        let policies = &self.policies;
        let loses = policies
            .ids()
            .filter_map(|policy| policies.quota(policy))
            .any(|quota| micros::loses_too_much(&quota));
        if loses {
            return Err(Error::Configuration(
                "a quota is too fast to be counted in whole microseconds per token",
            ));
        }
        Ok(RedisLimiter::with(self))
    }
}
