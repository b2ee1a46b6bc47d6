//! Limits, put together.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::live::{Limit, Live};
use super::{Enforcement, MAX_POLICIES, MAX_POLICY_NAME_BYTES, Policies, PolicyError, Shared};
use crate::key::KeyHasher;
use crate::mirror::Mirror;
use crate::quota::Quota;

/// Builds [`Policies`].
#[derive(Clone, Debug)]
#[must_use]
pub struct PoliciesBuilder {
    names: Vec<Arc<str>>,
    guards: Vec<bool>,
    limits: Vec<Limit>,
    hasher: Option<KeyHasher>,
}

impl PoliciesBuilder {
    pub(super) const fn new() -> Self {
        Self {
            names: Vec::new(),
            guards: Vec::new(),
            limits: Vec::new(),
            hasher: None,
        }
    }

    /// Adds a limit. Its name goes into header fields and into metrics: 1 to 64 of `a-z`, `0-9`, `-`, `_`.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Name`], [`PolicyError::Duplicate`], [`PolicyError::TooMany`].
    pub fn add(self, name: &str, quota: Quota) -> Result<Self, PolicyError> {
        self.add_with(name, quota, None, Enforcement::Enforced)
    }

    /// Adds a limit with all that there is to say of it: a ceiling, under which tenants may set a quota of their own
    /// ([`Policies::set_tenant_override`]), and whether it denies.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add); and [`PolicyError::AboveCeiling`].
    pub fn add_with(
        mut self,
        name: &str,
        quota: Quota,
        ceiling: Option<Quota>,
        enforcement: Enforcement,
    ) -> Result<Self, PolicyError> {
        let is_name = (1..=MAX_POLICY_NAME_BYTES).contains(&name.len())
            && name
                .bytes()
                .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
        if !is_name {
            return Err(PolicyError::Name);
        }
        if self.names.iter().any(|known| **known == *name) {
            return Err(PolicyError::Duplicate);
        }
        if self.names.len() >= MAX_POLICIES {
            return Err(PolicyError::TooMany);
        }
        let limit = Limit {
            quota,
            ceiling,
            enforcement,
        };
        if !limit.is_under_ceiling() {
            return Err(PolicyError::AboveCeiling);
        }
        self.names.push(name.into());
        self.guards.push(false);
        self.limits.push(limit);
        Ok(self)
    }

    /// Says of a limit that it bounds guessing, such as one of logins: it is never open while its store does not
    /// answer ([`OnFailure::Open`](crate::OnFailure::Open)), for whoever can disturb the store would be free of it.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Unknown`] for a name that was not added.
    pub fn guard(mut self, name: &str) -> Result<Self, PolicyError> {
        let place = self.names.iter().position(|known| **known == *name);
        let guard = place.and_then(|place| self.guards.get_mut(place));
        *guard.ok_or(PolicyError::Unknown)? = true;
        Ok(self)
    }

    /// How keys are made: by default for this process alone. Nodes that share a store share a hasher's secret.
    pub fn hasher(mut self, hasher: KeyHasher) -> Self {
        self.hasher = Some(hasher);
        self
    }

    /// The limits.
    #[must_use]
    pub fn build(self) -> Policies {
        let hasher = self.hasher.unwrap_or_else(KeyHasher::random);
        Policies(Arc::new(Shared {
            hashers: self.names.iter().map(|name| hasher.derive(name)).collect(),
            names: self.names.into(),
            guards: self.guards.into(),
            mirrors: self
                .limits
                .iter()
                .map(|limit| Mirror::new(&limit.quota, limit.enforcement))
                .collect(),
            longest: self
                .limits
                .iter()
                .map(|limit| AtomicU64::new(limit.longest()))
                .collect(),
            has_overrides: AtomicBool::new(false),
            live: ArcSwap::from_pointee(Live {
                limits: self.limits,
                overrides: HashMap::new(),
            }),
            changing: Mutex::new(()),
        }))
    }
}
