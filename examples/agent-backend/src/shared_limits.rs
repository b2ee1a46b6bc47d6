//! The Redis in which all processes count their limits, and how it stands.

use core::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Subject,
    Tenant,
};
use ringwall_gate::rate_limit::{
    Caller, DEFAULT_TIER, Dimension, Enforcement, LimitRules, LimitStore, OnFailure,
};
use ringwall_redis::{RedisClient, RedisConfig, RedisLimiter};

/// What readiness says of the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitsHealth {
    /// The Redis answers, or none is needed.
    Ok,
    /// It does not answer, and callers with a token are served all the same: each limit does what `on_failure` says.
    Degraded,
    /// It does not answer, and callers with a token are refused (503).
    Unavailable,
}

impl LimitsHealth {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Unavailable => "unavailable",
        }
    }
}

/// The connection to the Redis of the limits. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct SharedLimits {
    client: RedisClient,
    /// Whether a limit that each caller with a token meets is closed while the Redis does not answer.
    is_needed: bool,
}

impl SharedLimits {
    /// The Redis has to be there at the start: an address that is wrong, a password, or a policy by which the Redis
    /// would forget limits shows then, to whoever deploys. When it goes later, each limit does what `on_failure`
    /// says.
    pub(crate) async fn connect(
        config: RedisConfig,
        rules: &LimitRules,
    ) -> Result<(Self, Arc<dyn LimitStore>), ringwall_redis::Error> {
        let client = RedisClient::connect(config).await?;
        let limiter = RedisLimiter::builder(&client, rules.policies().clone());
        let limiter = limiter.prefix("agent-backend:limits:").build()?;
        Ok((Self::new(client, rules), Arc::new(limiter)))
    }

    pub(crate) fn new(client: RedisClient, rules: &LimitRules) -> Self {
        let is_needed = buckets(rules).is_none_or(|buckets| {
            let policies = rules.policies();
            buckets.iter().map(Dimension::policy).any(|policy| {
                rules.on_failure(policy) == OnFailure::Closed
                    && policies.enforcement(policy) != Some(Enforcement::Shadow)
            })
        });
        Self { client, is_needed }
    }

    /// Of the connection that is kept anyway: nothing is asked for it, so whoever floods a probe costs the Redis
    /// nothing.
    pub(crate) fn health(&self) -> LimitsHealth {
        match (self.client.is_ready(), self.is_needed) {
            (true, _) => LimitsHealth::Ok,
            (false, false) => LimitsHealth::Degraded,
            (false, true) => LimitsHealth::Unavailable,
        }
    }
}

/// What a request with a token takes from on a route that names no tier, that of failed credentials included. `None`
/// when such a caller cannot be counted.
fn buckets(rules: &LimitRules) -> Option<Vec<Dimension>> {
    let authentication = Authentication::new(AuthenticationMethod::Token);
    let subject = Subject::new("anybody").ok()?;
    let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
    principal.tenant = Some(Tenant {
        org: OrgId::new("any").ok()?,
        project: ProjectId::new("any").ok(),
    });
    let caller = Caller {
        principal: Some(&principal),
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ..Caller::default()
    };
    let tier = rules.tier(DEFAULT_TIER)?;
    let arrival = tier.at_arrival(rules, &caller, true).ok()?;
    let later = tier.of_caller(rules, &caller, true).ok()?;
    Some(arrival.iter().chain(later.iter()).copied().collect())
}

#[cfg(test)]
mod tests {
    use core::num::NonZeroU32;

    use ringwall_gate::rate_limit::LimitRulesBuilder;

    use super::*;

    /// One that nobody listens to.
    fn gone() -> RedisClient {
        RedisClient::start(RedisConfig::new("127.0.0.1", 1)).expect("a configuration")
    }

    /// The defaults, of which these are counted by each process while the store is away.
    fn rules(local: &[&str]) -> LimitRules {
        let divisor = NonZeroU32::MIN;
        let standard = LimitRules::standard().expect("right numbers");
        let limits: Vec<_> = standard.limits().cloned().collect();
        let failed = standard.failed().expect("a default").clone();
        let on_failure = |name: &str| match local.contains(&name) {
            true => OnFailure::Local { divisor },
            false => OnFailure::Closed,
        };
        let change = |builder: LimitRulesBuilder, limit: &ringwall_gate::rate_limit::LimitRule| {
            builder.limit(limit.clone().on_failure(on_failure(limit.name())))
        };
        let builder = limits.iter().fold(standard, change);
        let failed = failed.on_failure(on_failure("failed_credentials"));
        builder.failed_credentials(failed).build().expect("sound")
    }

    #[tokio::test]
    async fn without_its_redis_a_service_is_ready_if_nobody_with_a_token_is_refused() {
        let health = |local: &[&str]| SharedLimits::new(gone(), &rules(local)).health();
        assert_eq!(health(&[]), LimitsHealth::Unavailable);
        let all = ["tenant", "user", "failed_credentials"];
        assert_eq!(health(&all), LimitsHealth::Degraded);
        // Each of them alone refuses.
        for closed in all {
            let local: Vec<_> = all.into_iter().filter(|name| *name != closed).collect();
            assert_eq!(health(&local), LimitsHealth::Unavailable, "{closed}");
        }
    }
}
