//! When keys are fetched, and how long they are used.

use core::time::Duration;

/// When keys are fetched, and how long they are used. The defaults are meant for production; each
/// can be set, and what contradicts itself is refused when a client starts.
///
/// ```
/// use std::time::Duration;
/// use ringwall_jwks_client::RefreshPolicy;
///
/// let policy = RefreshPolicy {
///     max_stale: Duration::from_secs(4 * 3600),
///     ..RefreshPolicy::default()
/// };
/// assert!(policy.check().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "options are set by name, with the rest from the default"
)]
pub struct RefreshPolicy {
    /// How long keys are fresh when the server does not say (5 min).
    pub ttl: Duration,
    /// The shortest time to which a server's `Cache-Control` can set that (1 min): a server that
    /// says `no-store` is asked this often, not with every token.
    pub min_ttl: Duration,
    /// The longest time to which it can be set (15 min). It is also how long a key that the issuer
    /// withdrew may go on verifying while all is well.
    pub max_ttl: Duration,
    /// How long before the end of their freshness keys are fetched again (30 s), on a task of
    /// their own; at most a quarter of the freshness. A random part is added, of the same length
    /// and at most an eighth of the freshness, so that a fleet does not ask all at once.
    pub refresh_ahead: Duration,
    /// The longest time that one request may take, from the resolution of the name to the last
    /// byte, and with it the building of the key set (5 s).
    pub timeout: Duration,
    /// How many attempts in a row are made with growing pauses (3); those after them come once per
    /// `max_backoff`.
    /// [`JwksClient::prefetch`](crate::JwksClient::prefetch) gives up after as many.
    pub attempts: u32,
    /// The pause after the first attempt that failed (1 s). It doubles with each, and of each
    /// pause a random part up to the half is left out.
    pub backoff: Duration,
    /// The longest pause (30 s). After an outage, keys are fresh again within it and two attempts:
    /// one that began before the end, and the one that succeeds. A server's `Retry-After` can
    /// lengthen a pause up to it.
    pub max_backoff: Duration,
    /// How long after an unknown key id caused an attempt no unknown key id causes another one
    /// (30 s), whether it succeeded or not. An attacker who sends tokens with random key ids
    /// causes one attempt in that time: one request, or up to three where the metadata has to be
    /// read again.
    pub missing_key_cool_down: Duration,
    /// How many callers may wait at once for a fetch that an unknown key id caused (4,096). Those
    /// beyond are told that the keys are unavailable.
    pub max_waiting: usize,
    /// How long keys are used after their freshness ended, while the server cannot be reached or
    /// sends what cannot be used (1 h). After it, no token is judged until keys are there again.
    /// How long an outage may be is [`RefreshPolicy::longest_outage`].
    pub max_stale: Duration,
    /// How long a discovered `jwks_uri` is used before the metadata is read again (1 h). It is
    /// also read again after the keys could not be fetched.
    pub metadata_ttl: Duration,
    /// The longest document in bytes (256 KiB).
    pub max_bytes: usize,
}

impl Default for RefreshPolicy {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(300),
            min_ttl: Duration::from_secs(60),
            max_ttl: Duration::from_secs(900),
            refresh_ahead: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            attempts: 3,
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(30),
            missing_key_cool_down: Duration::from_secs(30),
            max_waiting: 4096,
            max_stale: Duration::from_secs(3600),
            metadata_ttl: Duration::from_secs(3600),
            max_bytes: 256 * 1024,
        }
    }
}

/// What contradicts itself in a [`RefreshPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshPolicyError {
    /// Not `min_ttl` ≤ `ttl` ≤ `max_ttl`.
    #[error("the freshness is not within its own bounds (min_ttl <= ttl <= max_ttl)")]
    TtlBounds,
    /// Not `backoff` ≤ `max_backoff`.
    #[error("the first pause is longer than the longest (backoff <= max_backoff)")]
    BackoffBounds,
    /// The longest pause, and the slowest attempts before and after it (three requests each), do
    /// not fit into the shortest freshness. They must, so that after an outage the keys are fresh
    /// again within one freshness.
    #[error("max_backoff and six timeouts together are longer than min_ttl")]
    BackoffOverTtl,
    /// A pause, a time-out or a bound is zero: it would mean asking without pause, or never.
    #[error("backoff, timeout, attempts, missing_key_cool_down and max_bytes must not be zero")]
    Zero,
    /// A time is longer than 30 days.
    #[error("a time is longer than 30 days")]
    TooLong,
    /// More than 256 KiB, which is what key sets and metadata are parsed up to.
    #[error("max_bytes is more than 256 KiB")]
    TooManyBytes,
}

/// Metadata at two places, and the keys.
pub(crate) const MAX_REQUESTS_PER_ATTEMPT: u32 = 3;

const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

impl RefreshPolicy {
    /// Checks that the values go together.
    ///
    /// # Errors
    ///
    /// [`RefreshPolicyError`].
    pub fn check(&self) -> Result<(), RefreshPolicyError> {
        let times = [
            self.ttl,
            self.min_ttl,
            self.max_ttl,
            self.refresh_ahead,
            self.timeout,
            self.backoff,
            self.max_backoff,
            self.missing_key_cool_down,
            self.max_stale,
            self.metadata_ttl,
        ];
        if times.iter().any(|time| *time > LONGEST) {
            return Err(RefreshPolicyError::TooLong);
        }
        if self.backoff.is_zero()
            || self.timeout.is_zero()
            || self.missing_key_cool_down.is_zero()
            || self.attempts == 0
            || self.max_bytes == 0
        {
            return Err(RefreshPolicyError::Zero);
        }
        if self.max_bytes > ringwall_jose::json::Limits::KEY_SET.bytes {
            return Err(RefreshPolicyError::TooManyBytes);
        }
        if self.ttl < self.min_ttl || self.ttl > self.max_ttl {
            return Err(RefreshPolicyError::TtlBounds);
        }
        if self.backoff > self.max_backoff {
            return Err(RefreshPolicyError::BackoffBounds);
        }
        if self.longest_gap() > self.min_ttl {
            return Err(RefreshPolicyError::BackoffOverTtl);
        }
        Ok(())
    }

    /// The longest time from the end of an outage to the end of an attempt that succeeds: one that
    /// still failed had just begun, then comes the longest pause, then a slow one.
    pub(crate) const fn longest_gap(&self) -> Duration {
        self.max_backoff
            .saturating_add(self.longest_attempt().saturating_mul(2))
    }

    /// The longest outage that refuses no good token, whenever it begins: `max_stale` less the
    /// longest pause and three attempts that take as long as they may (`max_backoff` and nine
    /// time-outs: 58 min 45 s). The first of them may have been under way when the outage began,
    /// the second when it ended, and the third is the one that succeeds.
    #[must_use]
    pub const fn longest_outage(&self) -> Duration {
        self.max_stale
            .saturating_sub(self.longest_gap())
            .saturating_sub(self.longest_attempt())
    }

    /// The longest time that one attempt can take.
    pub(crate) const fn longest_attempt(&self) -> Duration {
        self.timeout.saturating_mul(MAX_REQUESTS_PER_ATTEMPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&mut RefreshPolicy);

    #[test]
    fn refuses_what_contradicts_itself() {
        use RefreshPolicyError as E;
        let second = Duration::from_secs(1);
        let cases: [(E, Change); 13] = [
            (E::TtlBounds, |policy| policy.ttl = policy.min_ttl / 2),
            (E::TtlBounds, |policy| policy.ttl = policy.max_ttl * 2),
            (E::BackoffBounds, |policy| policy.backoff *= 31),
            (E::BackoffOverTtl, |policy| policy.max_backoff *= 2),
            (E::BackoffOverTtl, |policy| policy.timeout *= 3),
            (E::Zero, |policy| policy.backoff = Duration::ZERO),
            (E::Zero, |policy| policy.timeout = Duration::ZERO),
            (E::Zero, |policy| policy.attempts = 0),
            (E::Zero, |policy| policy.max_bytes = 0),
            (E::Zero, |policy| {
                policy.missing_key_cool_down = Duration::ZERO
            }),
            (E::TooLong, |policy| policy.max_stale = Duration::MAX),
            (E::TooLong, |policy| policy.ttl = Duration::MAX),
            (E::TooManyBytes, |policy| policy.max_bytes += 1),
        ];
        for (expected, change) in cases {
            let mut policy = RefreshPolicy::default();
            assert_eq!(policy.check(), Ok(()));
            change(&mut policy);
            assert_eq!(policy.check(), Err(expected), "{policy:?}");
        }
        let edge = RefreshPolicy {
            min_ttl: 60 * second,
            ..RefreshPolicy::default()
        };
        assert_eq!(edge.check(), Ok(()));
    }
}
