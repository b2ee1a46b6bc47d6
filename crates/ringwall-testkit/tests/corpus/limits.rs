//! The limits of the gates that have some, and what answers tell of them.

use core::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ringwall_core::clock::ManualClock;
use ringwall_core::limits::LimitReport;
use ringwall_core::step::Step;
use ringwall_gate::RateLimits;
use ringwall_gate::rate_limit::{
    Decision, Dimension, Jitter, KeyPart, LimitError, LimitRule, LimitRules, LimitStore,
    MemoryLimiter, Policies, Quota,
};
use serde::Deserialize;

use crate::answer::Answer;
use crate::case::GateName;
use crate::credentials;

/// The header field in which the ingress of one gate names callers.
const NAMES: &str = "x-auth-request-user";

/// What an answer tells of limits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// `RateLimit-Policy`.
    pub(crate) policy: String,
    /// `RateLimit`.
    pub(crate) state: String,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    pub(crate) tightest: [u64; 3],
    /// The limits that refuse the request.
    #[serde(default)]
    pub(crate) violated: Vec<String>,
}

impl Limits {
    /// The fields, in the order of [`LimitReport::FIELDS`].
    fn fields(&self) -> [String; 5] {
        let [limit, remaining, reset] = self.tightest;
        [
            self.policy.clone(),
            self.state.clone(),
            limit.to_string(),
            remaining.to_string(),
            reset.to_string(),
        ]
    }
}

/// Holds each field about limits against what is said of it: nothing, if nothing is said.
pub(crate) fn differences(said: Option<&Limits>, answer: &Answer) -> Vec<String> {
    let expected = said.map(Limits::fields);
    let differs = LimitReport::FIELDS
        .iter()
        .enumerate()
        .filter_map(|(n, name)| {
            let expected: Vec<&str> = expected.iter().map(|all| all[n].as_str()).collect();
            let found = answer.values(name);
            (found != expected).then(|| format!("{name}: expected {expected:?}, found {found:?}"))
        });
    differs.collect()
}

/// The limits of a gate; `None` for those without.
pub(crate) fn of(name: GateName) -> Option<RateLimits> {
    let rule = |name, count, part| {
        LimitRule::new(name, Quota::per_minute(count).expect("a quota"), [part])
    };
    let builder = LimitRules::builder();
    let builder = match name {
        GateName::Limited | GateName::LimitedSlow => builder
            .limit(rule("address", 4, KeyPart::Address))
            .limit(rule("user", 2, KeyPart::User))
            .tier("default", ["address", "user"])
            .failed_credentials(rule("failed", 2, KeyPart::Address)),
        GateName::LimitedProxied | GateName::LimitedForwarded => builder
            .limit(rule("address", 2, KeyPart::Address))
            .tier("default", ["address"]),
        GateName::LimitedNamed => builder
            .limit(rule("identity", 2, KeyPart::Identity))
            .tier("default", ["identity"]),
        GateName::Direct
        | GateName::Proxied
        | GateName::HttpsOnly
        | GateName::HttpsRedirect
        | GateName::Slow
        | GateName::Unrecorded
        | GateName::Described
        | GateName::Bound
        | GateName::Nonces
        | GateName::SlowNonces
        | GateName::Organisations
        | GateName::Authorized
        | GateName::AuthorizedSlow
        | GateName::AuthorizedDown
        | GateName::Alone => return None,
    };
    let rules = builder.build().expect("rules");
    let limits = if name == GateName::LimitedSlow {
        let inner = MemoryLimiter::new(rules.policies().clone(), 100);
        RateLimits::new(rules, Arc::new(Hesitant(inner)))
    } else {
        RateLimits::in_memory(rules, 100)
    };
    // The time stands still, so that every number is exact.
    let clock = Arc::new(ManualClock::new(credentials::now()));
    let limits = limits.clock(clock).jitter(Jitter::NONE);
    Some(if name == GateName::LimitedNamed {
        limits.identity_header(NAMES)
    } else {
        limits
    })
}

/// A store that takes its time, so that the adapters have to wait.
#[derive(Debug)]
struct Hesitant(MemoryLimiter);

fn later<T: Send + 'static>(answer: T) -> Step<T> {
    Step::wait(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        answer
    })
}

impl LimitStore for Hesitant {
    fn policies(&self) -> &Policies {
        self.0.policies()
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        later(self.0.check(now, dimensions, cost))
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        later(self.0.peek(now, dimensions, cost))
    }

    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        self.0.refund(now, decision);
        later(Ok(()))
    }
}
