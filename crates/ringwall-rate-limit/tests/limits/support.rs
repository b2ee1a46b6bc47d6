//! Limiters and requests.

use core::num::NonZeroU32;
use core::time::Duration;

use ringwall_rate_limit::{Decision, Dimension, MemoryLimiter, Policies, PolicyId, Quota, Verdict};

pub(crate) fn cost(cost: u32) -> NonZeroU32 {
    NonZeroU32::new(cost).unwrap()
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A limiter with one limit.
pub(crate) fn limiter(quota: Quota) -> (MemoryLimiter, PolicyId) {
    let policies = Policies::builder().add("test", quota).unwrap().build();
    let policy = policies.find("test").unwrap();
    (MemoryLimiter::new(policies, 1000), policy)
}

pub(crate) fn bucket(limiter: &MemoryLimiter, policy: PolicyId, key: &str) -> Dimension {
    use ringwall_rate_limit::LimitStore as _;
    limiter
        .policies()
        .dimension(policy, [key.as_bytes()])
        .unwrap()
}

pub(crate) fn take(
    limiter: &MemoryLimiter,
    at: Duration,
    bucket: Dimension,
    tokens: u32,
) -> Decision {
    limiter.check(at, &[bucket], cost(tokens)).unwrap()
}

/// How many requests for one token each pass.
pub(crate) fn passed(limiter: &MemoryLimiter, at: Duration, bucket: Dimension, tries: u32) -> u32 {
    let allowed = (0..tries).filter(|_| take(limiter, at, bucket, 1).is_allowed());
    u32::try_from(allowed.count()).unwrap()
}

pub(crate) fn wait(decision: &Decision) -> Duration {
    match decision.verdict() {
        Verdict::Denied { retry_after } => retry_after,
        other @ (Verdict::Allowed | Verdict::NeverAllowed) => panic!("{other:?}"),
    }
}
