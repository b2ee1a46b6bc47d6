//! The limits of one route, bound once and checked in two stages.

use core::fmt;
use core::ops::Deref;
use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::caller::{Caller, KeyPart, NoKey, bucket};
use crate::decision::MAX_DIMENSIONS;
use crate::policies::{Dimension, Policies, PolicyId};
use crate::rules::LimitRules;

/// One limit as a tier checks it.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) policy: PolicyId,
    pub(crate) parts: Box<[KeyPart]>,
    pub(crate) needs_principal: bool,
    pub(crate) without_credential: bool,
    pub(crate) skips_absent: bool,
    pub(crate) ipv6_prefix: u8,
}

impl Bound {
    pub(crate) fn bucket(
        &self,
        policies: &Policies,
        caller: &Caller<'_>,
        given: Option<&str>,
    ) -> Result<Dimension, NoKey> {
        bucket(
            policies,
            self.policy,
            &self.parts,
            self.ipv6_prefix,
            caller,
            given,
        )
    }

    fn is_by_address(&self) -> bool {
        self.parts.iter().all(|part| *part == KeyPart::Address)
    }
}

/// The limits of the routes that name it. Cloning shares them.
///
/// A request is checked twice, each time against all limits of the stage at once: by its address before
/// anybody is authenticated, and by who is calling after it.
#[derive(Clone)]
pub struct Tier(Arc<Stages>);

struct Stages {
    name: Box<str>,
    arrival: Box<[Bound]>,
    caller: Box<[Bound]>,
    has_identities: bool,
    is_unlimited: bool,
}

/// The buckets that a request takes from in one stage.
#[derive(Clone, Debug, Default)]
pub struct Dimensions(ArrayVec<Dimension, MAX_DIMENSIONS>);

impl Tier {
    pub(crate) fn new(name: &str, bounds: impl Iterator<Item = Bound>) -> Self {
        let (arrival, caller): (Vec<_>, Vec<_>) = bounds.partition(Bound::is_by_address);
        let has_identities = caller
            .iter()
            .any(|bound| bound.parts.contains(&KeyPart::Identity));
        Self(Arc::new(Stages {
            name: name.into(),
            arrival: arrival.into(),
            caller: caller.into(),
            has_identities,
            is_unlimited: false,
        }))
    }

    /// A tier without limits, for routes that are to have none. Failed credentials are counted there too.
    #[must_use]
    pub fn unlimited() -> Self {
        Self(Arc::new(Stages {
            name: Box::default(),
            arrival: Box::default(),
            caller: Box::default(),
            has_identities: false,
            is_unlimited: true,
        }))
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether a limit of it counts by [`KeyPart::Identity`].
    #[must_use]
    pub fn has_identities(&self) -> bool {
        self.0.has_identities
    }

    /// Whether every caller without a credential is counted by some limit of it. A tier that counts authenticated
    /// callers alone bounds nobody on a route that is open to others.
    #[must_use]
    pub fn counts_strangers(&self) -> bool {
        let all = self.0.arrival.iter().chain(&*self.0.caller);
        all.into_iter().any(|bound| !bound.needs_principal)
    }

    /// The buckets of the first stage, before anybody is authenticated: those by address. `presents` says whether
    /// the request presents a credential that will be looked at; then the limit of failed credentials
    /// is among them.
    ///
    /// # Errors
    ///
    /// [`NoKey`], when no address is known. Deny.
    pub fn at_arrival(
        &self,
        rules: &LimitRules,
        caller: &Caller<'_>,
        presents: bool,
    ) -> Result<Dimensions, NoKey> {
        let policies = rules.policies();
        let mut buckets = Dimensions::default();
        for bound in &self.0.arrival {
            if bound.without_credential && presents {
                continue;
            }
            buckets.push(bound.bucket(policies, caller, None)?)?;
        }
        if let Some(bound) = rules.failed_credentials_bound()
            && presents
        {
            buckets.push(bound.bucket(policies, caller, None)?)?;
        }
        Ok(buckets)
    }

    /// The buckets of the second stage, once it is settled who is calling. `counted` says whether a limit of the
    /// tier counted the request in the first stage.
    ///
    /// # Errors
    ///
    /// [`NoKey`], when a limit counts by what the caller does not have, or no limit of the tier counts the
    /// caller at all. Deny.
    pub fn of_caller(
        &self,
        rules: &LimitRules,
        caller: &Caller<'_>,
        counted: bool,
    ) -> Result<Dimensions, NoKey> {
        let policies = rules.policies();
        let mut buckets = Dimensions::default();
        for bound in &self.0.caller {
            if bound.needs_principal && caller.principal.is_none() {
                continue;
            }
            match bound.bucket(policies, caller, None) {
                Ok(bucket) => buckets.push(bucket)?,
                Err(NoKey::Organisation | NoKey::ApiKey) if bound.skips_absent => {}
                Err(error) => return Err(error),
            }
        }
        if buckets.is_empty() && !counted && !self.0.is_unlimited {
            return Err(NoKey::Uncounted);
        }
        Ok(buckets)
    }

    /// How many limits of the first stage count a request that presents a credential, or none.
    #[must_use]
    pub fn count_at_arrival(&self, presents: bool) -> usize {
        let counts = |bound: &&Bound| !(bound.without_credential && presents);
        self.0.arrival.iter().filter(counts).count()
    }
}

impl fmt::Debug for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tier")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Dimensions {
    fn push(&mut self, bucket: Dimension) -> Result<(), NoKey> {
        self.0.try_push(bucket).map_err(|_| NoKey::TooMany)
    }
}

impl Deref for Dimensions {
    type Target = [Dimension];

    fn deref(&self) -> &[Dimension] {
        &self.0
    }
}
