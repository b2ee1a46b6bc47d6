//! What of the limits may change while requests are served.

use core::fmt;
use std::collections::HashMap;

use super::{Dimension, Enforcement, MAX_OVERRIDES, PolicyError, PolicyId};
use crate::key::LimitKey;
use crate::quota::Quota;

/// What may change.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) limits: Vec<Limit>,
    pub(super) overrides: HashMap<LimitKey, Own>,
}

/// A bucket's own quota.
#[derive(Clone, Copy)]
pub(super) struct Own {
    pub(super) quota: Quota,
    /// By the operator's word, which a tenant does not change.
    pub(super) is_operators: bool,
}

/// What holds for a limit.
#[derive(Clone, Copy)]
pub(super) struct Limit {
    pub(super) quota: Quota,
    pub(super) ceiling: Option<Quota>,
    pub(super) enforcement: Enforcement,
}

impl Limit {
    /// The longest in which a bucket fills under any quota that a tenant may set, or has unless it does: the
    /// ceiling's; zero where tenants set nothing.
    pub(super) fn longest(&self) -> u64 {
        self.ceiling.map_or(0, |ceiling| ceiling.capacity_nanos())
    }

    /// Whether the operator's own quota is one that a tenant may set.
    pub(super) fn is_under_ceiling(&self) -> bool {
        self.ceiling
            .is_none_or(|ceiling| self.quota.is_under(ceiling))
    }
}

impl Live {
    /// `None` for a limit of other policies.
    pub(super) fn limit(&self, dimension: &Dimension) -> Option<(Quota, Enforcement)> {
        let limit = self.limits.get(dimension.policy.place())?;
        if self.overrides.is_empty() {
            return Some((limit.quota, limit.enforcement));
        }
        let own = self.overrides.get(&dimension.key);
        let quota = own.map_or(limit.quota, |own| own.quota);
        Some((quota, limit.enforcement))
    }
    pub(super) fn limit_mut(&mut self, policy: PolicyId) -> Result<&mut Limit, PolicyError> {
        self.limits
            .get_mut(policy.place())
            .ok_or(PolicyError::Unknown)
    }

    pub(super) fn put_under_ceiling(
        &mut self,
        dimension: &Dimension,
        quota: Quota,
    ) -> Result<Quota, PolicyError> {
        let limit = self.limit_mut(dimension.policy)?;
        let ceiling = limit.ceiling.ok_or(PolicyError::NoCeiling)?;
        let quota = quota.at_most(ceiling).filled_within(limit.longest());
        if let Some(operators) = self.operators(dimension) {
            return Ok(operators);
        }
        let own = Own {
            quota,
            is_operators: false,
        };
        self.put(dimension.key, Some(own))?;
        Ok(quota)
    }

    /// Takes away what a tenant set.
    pub(super) fn take_tenants(&mut self, dimension: &Dimension) -> Result<(), PolicyError> {
        let limit = self.limit_mut(dimension.policy)?;
        limit.ceiling.ok_or(PolicyError::NoCeiling)?;
        if self.operators(dimension).is_none() {
            self.put(dimension.key, None)?;
        }
        Ok(())
    }

    /// The quota that the operator gave this bucket.
    fn operators(&self, dimension: &Dimension) -> Option<Quota> {
        let own = self.overrides.get(&dimension.key)?;
        own.is_operators.then_some(own.quota)
    }

    pub(super) fn put(&mut self, key: LimitKey, own: Option<Own>) -> Result<(), PolicyError> {
        let Some(own) = own else {
            self.overrides.remove(&key);
            return Ok(());
        };
        if self.overrides.len() >= MAX_OVERRIDES && !self.overrides.contains_key(&key) {
            return Err(PolicyError::TooManyOverrides);
        }
        self.overrides.insert(key, own);
        Ok(())
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limit")
            .field("quota", &self.quota)
            .field("ceiling", &self.ceiling)
            .field("enforcement", &self.enforcement)
            .finish()
    }
}
