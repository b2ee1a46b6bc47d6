//! One store with fresh keys, and what is asked of it.

use core::hash::BuildHasher as _;
use core::num::NonZeroU32;
use core::time::Duration;
use std::hash::RandomState;
use std::sync::Arc;

use super::{Setting, Violation};
use crate::{Decision, Dimension, KeyHasher, LimitError, LimitStore, Policies, Quota};

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const HALF_AN_HOUR: Duration = Duration::from_secs(1800);
/// A clock that went back is noticed by more than a second.
pub(super) const HOUR_AND_A_SECOND: Duration = Duration::from_secs(3601);

/// A token each hour.
pub(super) fn hourly(burst: u32) -> Result<Quota, Violation> {
    made(Quota::per_hour(1).and_then(|quota| quota.burst(burst)))
}

pub(super) fn made<T, E: core::fmt::Display>(result: Result<T, E>) -> Result<T, Violation> {
    result.map_err(|error| Violation(error.to_string()))
}

pub(super) fn answered<T>(answer: Result<T, LimitError>) -> Result<T, Violation> {
    answer.map_err(|error| Violation(format!("no answer: {error:?}")))
}

pub(super) fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds {
        Ok(())
    } else {
        Err(Violation(otherwise()))
    }
}

/// One store with fresh keys.
pub(super) struct World<'a> {
    setting: &'a dyn Setting,
    pub(super) store: Arc<dyn LimitStore>,
}

impl<'a> World<'a> {
    pub(super) fn new(
        setting: &'a dyn Setting,
        limits: &[(&str, Quota)],
    ) -> Result<Self, Violation> {
        let word = |salt: u8| u128::from(RandomState::new().hash_one(salt));
        let secret = word(0) << 64 | word(1);
        let hasher = KeyHasher::shared(secret.to_le_bytes());
        let mut policies = Policies::builder().hasher(hasher);
        for (name, quota) in limits {
            policies = made(policies.add(name, *quota))?;
        }
        let store = setting.store(policies.build());
        Ok(Self { setting, store })
    }

    pub(super) fn bucket(&self, limit: &str, key: &str) -> Result<Dimension, Violation> {
        let policies = self.store.policies();
        let policy = policies.find(limit);
        let policy = policy.ok_or_else(|| Violation("it has other limits".to_owned()))?;
        made(policies.dimension(policy, [key.as_bytes()]))
    }

    pub(super) async fn check(
        &self,
        dimensions: &[Dimension],
        tokens: u32,
    ) -> Result<Decision, Violation> {
        let tokens = NonZeroU32::new(tokens).unwrap_or(NonZeroU32::MIN);
        answered(
            self.store
                .check(self.setting.now(), dimensions, tokens)
                .await,
        )
    }

    pub(super) async fn peek(
        &self,
        dimensions: &[Dimension],
        tokens: u32,
    ) -> Result<Decision, Violation> {
        let tokens = NonZeroU32::new(tokens).unwrap_or(NonZeroU32::MIN);
        answered(
            self.store
                .peek(self.setting.now(), dimensions, tokens)
                .await,
        )
    }

    pub(super) async fn refund(&self, decision: Decision) -> Result<(), Violation> {
        answered(self.store.refund(self.setting.now(), decision).await)
    }

    /// How many of so many requests pass.
    pub(super) async fn count(
        &self,
        dimensions: &[Dimension],
        tokens: u32,
        requests: u32,
    ) -> Result<u32, Violation> {
        let mut passed: u32 = 0;
        for _ in 0..requests {
            let decision = self.check(dimensions, tokens).await?;
            passed = passed.saturating_add(u32::from(decision.is_allowed()));
        }
        Ok(passed)
    }

    /// How many tokens are left, without taking one.
    pub(super) async fn left(&self, bucket: Dimension) -> Result<u32, Violation> {
        let decision = self.peek(&[bucket], 1).await?;
        let status = decision.statuses().next().copied();
        let status = status.ok_or_else(|| Violation("a peek without a status".to_owned()))?;
        Ok(status.remaining())
    }
}
