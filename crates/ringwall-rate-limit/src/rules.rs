//! What is limited by what: limits, tiers of routes, and the defaults.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use crate::caller::{Caller, KeyPart, NoKey};
use crate::decision::MAX_DIMENSIONS;
use crate::key::KeyHasher;
use crate::on_failure::OnFailure;
use crate::policies::{Dimension, Policies, PolicyId};
use crate::quota::{Quota, QuotaError};
use crate::rule::LimitRule;
use crate::rule_fault::{RuleFault, RuleFaults};
use crate::tiers::{Bound, Tier};

/// The name of the tier of routes that name none.
pub const DEFAULT_TIER: &str = "default";

/// The name of the tier of routes at which credentials are tried: login, registration, a new password. Its limits
/// bound guessing ([`LimitRule::guard`]).
pub const AUTH_TIER: &str = "auth";

/// The limits of a service and its tiers, ready to be checked. Cloning shares them.
#[derive(Clone)]
pub struct LimitRules(Arc<Shared>);

struct Shared {
    policies: Policies,
    bounds: Vec<Bound>,
    /// What each says while its store does not answer.
    failures: Vec<OnFailure>,
    tiers: Vec<Tier>,
    failed_credentials: Option<Bound>,
    has_identities: bool,
}

impl LimitRules {
    /// No limits and no tiers.
    pub fn builder() -> LimitRulesBuilder {
        LimitRulesBuilder {
            limits: Vec::new(),
            tiers: Vec::new(),
            failed_credentials: None,
            hasher: None,
        }
    }

    /// The defaults, to be changed by name:
    ///
    /// | limit | how much | counted by |
    /// |---|---|---|
    /// | `tenant` | 20 a second, burst 40 | organisation and project; callers without an organisation are left to the others |
    /// | `user` | 100 a minute | subject within its issuer, of whoever is authenticated |
    /// | `anonymous` | 60 a minute | address, of requests without a credential |
    /// | `auth_address` | 5 a minute | address |
    /// | `auth_account` | 5 a minute | the account, which the handler gives |
    /// | `heavy` | 10 a minute, burst 5 | identity: the principal, the name that an ingress set, or the address |
    /// | `failed_credentials` | 20 a minute, burst 40 | address |
    ///
    /// | tier | limits |
    /// |---|---|
    /// | `default` | `tenant`, `user`, `anonymous` |
    /// | `auth` | `auth_address`; its handlers check `auth_account` |
    /// | `heavy` | `tenant`, `user`, `anonymous`, `heavy` |
    ///
    /// # Errors
    ///
    /// None, in truth: the numbers are right.
    pub fn standard() -> Result<LimitRulesBuilder, QuotaError> {
        const MINUTE: Duration = Duration::from_secs(60);
        let minute = |count| Quota::new(count, MINUTE);
        let tenant = Quota::per_second(20)?.burst(40)?;
        Ok(Self::builder()
            .limit(
                LimitRule::new("tenant", tenant, [KeyPart::Organisation, KeyPart::Project])
                    .skip_absent(),
            )
            .limit(LimitRule::new("user", minute(100)?, [KeyPart::User]))
            .limit(
                LimitRule::new("anonymous", minute(60)?, [KeyPart::Address]).without_credential(),
            )
            .limit(LimitRule::new(
                "auth_address",
                minute(5)?,
                [KeyPart::Address],
            ))
            .limit(LimitRule::new("auth_account", minute(5)?, [KeyPart::Given]))
            .limit(LimitRule::new(
                "heavy",
                minute(10)?.burst(5)?,
                [KeyPart::Identity],
            ))
            .tier(DEFAULT_TIER, ["tenant", "user", "anonymous"])
            .tier(AUTH_TIER, ["auth_address"])
            .tier("heavy", ["tenant", "user", "anonymous", "heavy"])
            .failed_credentials(LimitRule::new(
                "failed_credentials",
                minute(20)?.burst(40)?,
                [KeyPart::Address],
            )))
    }

    /// The limits: for the store, and to change them while requests are served.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.0.policies
    }

    /// The tier of this name.
    #[must_use]
    pub fn tier(&self, name: &str) -> Option<&Tier> {
        self.0.tiers.iter().find(|tier| tier.name() == name)
    }

    /// The tiers.
    pub fn tiers(&self) -> impl Iterator<Item = &Tier> {
        self.0.tiers.iter()
    }

    /// The name of a limit, shared: for events.
    #[must_use]
    pub fn name(&self, policy: PolicyId) -> Option<&Arc<str>> {
        self.policies().shared_name(policy)
    }

    /// The limit of failed credentials, if there is one.
    #[must_use]
    pub fn failed_credentials(&self) -> Option<PolicyId> {
        self.0.failed_credentials.as_ref().map(|bound| bound.policy)
    }

    /// Whether a limit counts by [`KeyPart::Identity`], for which the name that an ingress sets is wanted.
    #[must_use]
    pub fn has_identities(&self) -> bool {
        self.0.has_identities
    }

    /// The bucket of a caller under one limit, whatever its tier: for a quota of its own
    /// ([`Policies::set_override`]), and for limits that handlers check, who say what is `given`.
    ///
    /// `None` when there is no such limit.
    ///
    /// # Errors
    ///
    /// [`NoKey`], when the caller cannot be counted by it.
    #[must_use]
    pub fn bucket(
        &self,
        limit: &str,
        caller: &Caller<'_>,
        given: Option<&str>,
    ) -> Option<Result<Dimension, NoKey>> {
        let policy = self.policies().find(limit)?;
        let bound = self.0.bounds.get(policy.place())?;
        Some(bound.bucket(self.policies(), caller, given))
    }

    /// What a limit says while its store does not answer.
    #[must_use]
    pub fn on_failure(&self, policy: PolicyId) -> OnFailure {
        let failures = &self.0.failures;
        failures.get(policy.place()).copied().unwrap_or_default()
    }

    /// By the places of the limits.
    pub(crate) fn failures(&self) -> &[OnFailure] {
        &self.0.failures
    }

    pub(crate) fn failed_credentials_bound(&self) -> Option<&Bound> {
        self.0.failed_credentials.as_ref()
    }
}

impl fmt::Debug for LimitRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitRules")
            .field("policies", &self.0.policies)
            .field("tiers", &self.0.tiers)
            .finish_non_exhaustive()
    }
}

/// Collects limits and tiers.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct LimitRulesBuilder {
    limits: Vec<LimitRule>,
    tiers: Vec<(Box<str>, Vec<Box<str>>)>,
    failed_credentials: Option<LimitRule>,
    hasher: Option<KeyHasher>,
}

impl LimitRulesBuilder {
    /// Adds a limit, in place of one of its name.
    pub fn limit(mut self, limit: LimitRule) -> Self {
        match self.limits.iter_mut().find(|one| one.name == limit.name) {
            Some(place) => *place = limit,
            None => self.limits.push(limit),
        }
        self
    }

    /// Takes a limit away. A tier that names it is a fault.
    pub fn without_limit(mut self, name: &str) -> Self {
        self.limits.retain(|limit| *limit.name != *name);
        self
    }

    /// Takes those of these limits away that no tier names.
    pub fn without_unused<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        for name in names {
            let is_used = self
                .tiers
                .iter()
                .any(|(_, all)| all.iter().any(|one| **one == *name));
            self.limits
                .retain(|limit| *limit.name != *name || is_used || limit.is_given());
        }
        self
    }

    /// Adds a tier of these limits, in place of one of its name. A request of a route of the tier is
    /// checked against each of them that counts it.
    pub fn tier<'a>(mut self, name: &str, limits: impl IntoIterator<Item = &'a str>) -> Self {
        self.tiers.retain(|(known, _)| **known != *name);
        let limits = limits.into_iter().map(Box::from).collect();
        self.tiers.push((name.into(), limits));
        self
    }

    /// Takes a tier away.
    pub fn without_tier(mut self, name: &str) -> Self {
        self.tiers.retain(|(known, _)| **known != *name);
        self
    }

    /// Bounds how many wrong credentials may come from one address: by addresses alone. It is charged
    /// before a credential is verified, and given back when it was good, so that guesses which are made at the
    /// same time cannot pass together. While it is used up every request from there that presents a
    /// credential is refused, also a good one, since nobody looks at it.
    pub fn failed_credentials(mut self, limit: LimitRule) -> Self {
        self.failed_credentials = Some(limit);
        self
    }

    /// Bounds no wrong credentials.
    pub fn without_failed_credentials(mut self) -> Self {
        self.failed_credentials = None;
        self
    }

    /// How keys are made. See [`PoliciesBuilder::hasher`](crate::PoliciesBuilder::hasher).
    pub fn hasher(mut self, hasher: KeyHasher) -> Self {
        self.hasher = Some(hasher);
        self
    }

    /// The limits as they stand, but for that of failed credentials.
    pub fn limits(&self) -> core::slice::Iter<'_, LimitRule> {
        self.limits.iter()
    }

    /// The limit of failed credentials, as it stands.
    #[must_use]
    pub const fn failed(&self) -> Option<&LimitRule> {
        self.failed_credentials.as_ref()
    }

    /// The limit of this name, as it stands: to change a part of it.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&LimitRule> {
        self.limits.iter().find(|limit| *limit.name == *name)
    }

    /// The limits and tiers.
    ///
    /// # Errors
    ///
    /// [`RuleFaults`]: everything that is wrong, at once.
    pub fn build(self) -> Result<LimitRules, RuleFaults> {
        let mut faults = Vec::new();
        let mut builder = Policies::builder();
        for limit in self.limits.iter().chain(&self.failed_credentials) {
            limit.faults(&mut faults);
            let added = builder.clone().add_with(
                &limit.name,
                limit.quota,
                limit.ceiling,
                limit.enforcement,
            );
            match added {
                Ok(more) if self.is_guard(limit) => {
                    if limit.on_failure == OnFailure::Open {
                        faults.push(RuleFault::OpenGuard {
                            limit: limit.name.clone(),
                        });
                    }
                    match more.guard(&limit.name) {
                        Ok(more) => builder = more,
                        Err(fault) => faults.push(RuleFault::Policy {
                            limit: limit.name.clone(),
                            fault,
                        }),
                    }
                }
                Ok(more) => builder = more,
                Err(fault) => faults.push(RuleFault::Policy {
                    limit: limit.name.clone(),
                    fault,
                }),
            }
        }
        if let Some(limit) = &self.failed_credentials
            && !limit.is_by_address()
        {
            faults.push(RuleFault::FailedCredentials);
        }
        self.tier_faults(&mut faults);
        if let Some(hasher) = self.hasher {
            builder = builder.hasher(hasher);
        }
        let policies = builder.build();
        let bind = |limit: &LimitRule| policies.find(&limit.name).map(|policy| limit.bind(policy));
        let bounds: Vec<Bound> = self
            .limits
            .iter()
            .chain(&self.failed_credentials)
            .filter_map(bind)
            .collect();
        let bound = |name: &str| bounds.get(policies.find(name)?.place()).cloned();
        let failure = |limit: &LimitRule| limit.on_failure;
        let failures = self
            .limits
            .iter()
            .chain(&self.failed_credentials)
            .map(failure)
            .collect();
        let tiers = self.tiers.iter().map(|(name, limits)| {
            let bounds = limits.iter().filter_map(|limit| bound(limit));
            Tier::new(name, bounds)
        });
        let tiers = tiers.collect();
        if !faults.is_empty() {
            return Err(RuleFaults(faults));
        }
        Ok(LimitRules(Arc::new(Shared {
            has_identities: bounds
                .iter()
                .any(|bound| bound.parts.contains(&KeyPart::Identity)),
            failed_credentials: self.failed_credentials.as_ref().and_then(bind),
            bounds,
            failures,
            tiers,
            policies,
        })))
    }

    /// Whether it bounds guessing.
    fn is_guard(&self, limit: &LimitRule) -> bool {
        let is_in_auth = |(tier, limits): &(Box<str>, Vec<Box<str>>)| {
            **tier == *AUTH_TIER && limits.contains(&limit.name)
        };
        let failed = self.failed_credentials.as_ref();
        limit.is_guard
            || limit.is_given()
            || failed.is_some_and(|failed| failed.name == limit.name)
            || self.tiers.iter().any(is_in_auth)
    }

    fn tier_faults(&self, faults: &mut Vec<RuleFault>) {
        let is_name = |name: &str| {
            (1..=crate::MAX_POLICY_NAME_BYTES).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
        };
        // One place is the failed credentials'.
        let most = MAX_DIMENSIONS.saturating_sub(usize::from(self.failed_credentials.is_some()));
        for (tier, limits) in &self.tiers {
            let tier = || tier.clone();
            if !is_name(&tier()) {
                faults.push(RuleFault::TierName { tier: tier() });
            }
            if limits.is_empty() {
                faults.push(RuleFault::EmptyTier { tier: tier() });
            }
            if limits.len() > most {
                faults.push(RuleFault::TooManyLimits { tier: tier() });
            }
            for (n, limit) in limits.iter().enumerate() {
                if limits.iter().take(n).any(|earlier| earlier == limit) {
                    faults.push(RuleFault::RepeatedLimit {
                        tier: tier(),
                        limit: limit.clone(),
                    });
                }
                match self.find(limit) {
                    None => faults.push(RuleFault::UnknownLimit {
                        tier: tier(),
                        limit: limit.clone(),
                    }),
                    Some(known) if known.is_given() => faults.push(RuleFault::GivenInTier {
                        tier: tier(),
                        limit: limit.clone(),
                    }),
                    Some(_) => {}
                }
            }
        }
        for limit in &self.limits {
            let is_used = self.tiers.iter().any(|(_, all)| all.contains(&limit.name));
            if !is_used && !limit.is_given() {
                faults.push(RuleFault::Unused {
                    limit: limit.name.clone(),
                });
            }
        }
    }
}
