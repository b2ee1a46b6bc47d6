//! The limits of a service: their names, their quotas, and how strictly they are meant.

mod builder;
mod error;
mod live;

use core::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::key::{KeyError, KeyHasher, LimitKey};
use crate::mirror::Mirror;
use crate::quota::Quota;

pub use builder::PoliciesBuilder;
pub use error::PolicyError;

use live::{Live, Own};

/// Whether a limit denies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Enforcement {
    /// What is above the limit is denied.
    #[default]
    Enforced,
    /// The limit counts and says what it would have denied, and denies nothing: to try a limit out
    /// on real traffic.
    Shadow,
}

/// A limit's place in its [`Policies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PolicyId(u16);

impl PolicyId {
    pub(crate) fn place(self) -> usize {
        usize::from(self.0)
    }
}

/// One bucket that a request takes from: a limit, and whose bucket of it.
///
/// It is made by [`Policies::dimension`] alone, so the limit's name is a part of what was hashed, and two
/// limits never share a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dimension {
    pub(crate) policy: PolicyId,
    pub(crate) key: LimitKey,
}

impl Dimension {
    /// The limit.
    #[must_use]
    pub const fn policy(&self) -> PolicyId {
        self.policy
    }

    /// Whose bucket.
    #[must_use]
    pub const fn key(&self) -> LimitKey {
        self.key
    }
}

/// The most limits of a service.
pub const MAX_POLICIES: usize = 256;

/// The longest name of a limit, in bytes.
pub const MAX_POLICY_NAME_BYTES: usize = 64;

/// The most buckets with a quota of their own. Changing one copies the list of them.
pub const MAX_OVERRIDES: usize = 65_536;

/// The limits of a service. Their names stay as they are built; quotas, overrides and enforcement change while
/// requests are served, and no bucket is reset by it.
///
/// What a bucket owes is kept as the time in which it fills. Under a new quota it owes the same time, and
/// never more than an empty bucket of the new quota does. So whoever had used up the old quota has none of a new one
/// that fills as fast or faster, and of a slower one what fills in the difference; and a lowered quota locks nobody
/// out for longer than its own bucket takes to fill, and a second. Where tenants set quotas of their own, under a
/// ceiling, what is owed up to the ceiling's time stays owed.
///
/// Cloning shares them.
#[derive(Clone)]
pub struct Policies(Arc<Shared>);

struct Shared {
    names: Box<[Arc<str>]>,
    /// Which of them bound guessing.
    guards: Box<[bool]>,
    /// One for each limit, so that two limits never share a bucket.
    hashers: Box<[KeyHasher]>,
    live: ArcSwap<Live>,
    /// What `live` says of each limit, for every request.
    mirrors: Box<[Mirror]>,
    /// The longest that a bucket of each limit can owe by the quotas that tenants set, in nanoseconds; zero where
    /// they set none.
    longest: Box<[AtomicU64]>,
    /// Whether a bucket has a quota of its own.
    has_overrides: AtomicBool,
    /// Held while `live` is replaced, so that of two changes at once none is lost.
    changing: Mutex<()>,
}

impl Policies {
    /// No limits yet.
    pub fn builder() -> PoliciesBuilder {
        PoliciesBuilder::new()
    }

    /// The limit of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PolicyId> {
        let place = self.0.names.iter().position(|known| **known == *name)?;
        u16::try_from(place).ok().map(PolicyId)
    }

    /// The limits, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = PolicyId> + '_ {
        (0..self.0.names.len()).filter_map(|place| u16::try_from(place).ok().map(PolicyId))
    }

    /// The name of a limit; empty for one of other policies.
    #[must_use]
    pub fn name(&self, policy: PolicyId) -> &str {
        self.0.names.get(policy.place()).map_or("", |name| name)
    }

    /// The same, shared: for events and for what answers tell.
    #[must_use]
    pub fn shared_name(&self, policy: PolicyId) -> Option<&Arc<str>> {
        self.0.names.get(policy.place())
    }

    /// The quota of a limit, as of now.
    #[must_use]
    pub fn quota(&self, policy: PolicyId) -> Option<Quota> {
        let live = self.0.live.load();
        live.limits.get(policy.place()).map(|limit| limit.quota)
    }

    /// The most that a tenant may set for itself, if anything.
    #[must_use]
    pub fn ceiling(&self, policy: PolicyId) -> Option<Quota> {
        let live = self.0.live.load();
        live.limits.get(policy.place())?.ceiling
    }

    /// Whether a limit denies.
    #[must_use]
    pub fn enforcement(&self, policy: PolicyId) -> Option<Enforcement> {
        let live = self.0.live.load();
        live.limits
            .get(policy.place())
            .map(|limit| limit.enforcement)
    }

    /// Whether the limit bounds guessing ([`PoliciesBuilder::guard`]).
    #[must_use]
    pub fn is_guard(&self, policy: PolicyId) -> bool {
        let guards = &self.0.guards;
        guards.get(policy.place()).copied().unwrap_or_default()
    }

    /// The quota that holds for a bucket: its own, or the limit's.
    #[must_use]
    pub fn quota_of(&self, dimension: &Dimension) -> Option<Quota> {
        Some(self.limit(dimension)?.0)
    }

    /// A bucket: the one of the limit `policy` for whatever `parts` name. Compute it once a request.
    ///
    /// # Errors
    ///
    /// [`KeyError`], for what cannot be counted by, and for a limit of other policies.
    #[inline]
    pub fn dimension<'a>(
        &self,
        policy: PolicyId,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Dimension, KeyError> {
        // One of other policies has no bucket here.
        let hasher = self.0.hashers.get(policy.place()).ok_or(KeyError::Empty)?;
        let key = hasher.key(parts)?;
        Ok(Dimension { policy, key })
    }

    /// Changes the quota of a limit.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Unknown`]; [`PolicyError::AboveCeiling`].
    pub fn set_quota(&self, policy: PolicyId, quota: Quota) -> Result<(), PolicyError> {
        self.change(|live| {
            let limit = live.limit_mut(policy)?;
            limit.quota = quota;
            if limit.is_under_ceiling() {
                Ok(())
            } else {
                Err(PolicyError::AboveCeiling)
            }
        })
    }

    /// Begins or ends the trial of a limit.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Unknown`].
    pub fn set_enforcement(
        &self,
        policy: PolicyId,
        enforcement: Enforcement,
    ) -> Result<(), PolicyError> {
        self.change(|live| {
            live.limit_mut(policy)?.enforcement = enforcement;
            Ok(())
        })
    }

    /// Gives one bucket a quota of its own (`None`: takes it away again), by the operator's word: no ceiling
    /// holds.
    ///
    /// # Errors
    ///
    /// [`PolicyError::Unknown`], [`PolicyError::TooManyOverrides`].
    pub fn set_override(
        &self,
        dimension: &Dimension,
        quota: Option<Quota>,
    ) -> Result<(), PolicyError> {
        self.change(|live| {
            live.limit_mut(dimension.policy)?;
            let own = quota.map(|quota| Own {
                quota,
                is_operators: true,
            });
            live.put(dimension.key, own)
        })
    }

    /// Gives one bucket the quota that its owner asks for, held under the operator's ceiling: its rate, its burst,
    /// and the time in which it fills. Answers what holds now. Where the operator gave the bucket a quota of its own
    /// ([`set_override`](Self::set_override)), that one stays.
    ///
    /// The time matters because a bucket owes time: what is a second of a bucket that fills in two is a hundredth of
    /// one that fills in a hundred. With it, and since asking for a small bucket makes none owe less, nobody gets more
    /// than the ceiling by changing a quota back and forth.
    ///
    /// # Errors
    ///
    /// [`PolicyError::NoCeiling`] where the operator said none: then tenants set nothing.
    /// [`PolicyError::Unknown`], [`PolicyError::TooManyOverrides`].
    pub fn set_tenant_override(
        &self,
        dimension: &Dimension,
        quota: Quota,
    ) -> Result<Quota, PolicyError> {
        self.change(|live| live.put_under_ceiling(dimension, quota))
    }

    /// The same for many buckets at once; `None` takes a bucket's own quota away. All of them are in force together,
    /// or none where one is refused. A change copies the list of all quotas of single buckets once, however many
    /// it changes.
    ///
    /// # Errors
    ///
    /// As [`set_tenant_override`](Self::set_tenant_override).
    pub fn set_tenant_overrides(
        &self,
        changes: impl IntoIterator<Item = (Dimension, Option<Quota>)>,
    ) -> Result<(), PolicyError> {
        self.change(|live| {
            for (dimension, quota) in changes {
                match quota {
                    Some(quota) => live.put_under_ceiling(&dimension, quota).map(drop)?,
                    None => live.take_tenants(&dimension)?,
                }
            }
            Ok(())
        })
    }

    /// Whether the hasher's secret was given ([`KeyHasher::shared`]), so that other processes can make the same
    /// keys. A store that processes share refuses limits of which this is not so: each process would count for
    /// itself, and nobody would notice.
    #[must_use]
    pub fn has_shared_keys(&self) -> bool {
        self.0.hashers.iter().all(KeyHasher::is_shared)
    }

    /// Whether these are the same limits, and not only of the same names: buckets and ids of one are none of
    /// another's.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// What holds for a bucket now; `None` for a limit of other policies.
    #[inline]
    pub(crate) fn limit(&self, dimension: &Dimension) -> Option<(Quota, Enforcement)> {
        if !self.0.has_overrides.load(Ordering::Acquire)
            && let Some(limit) = self.0.mirrors.get(dimension.policy.place())?.read()
        {
            return Some(limit);
        }
        self.0.live.load().limit(dimension)
    }

    /// The longest that a bucket of the limit can owe by the quotas that tenants set, in nanoseconds; zero where they
    /// set none.
    pub(crate) fn longest_nanos(&self, policy: PolicyId) -> u64 {
        let longest = self.0.longest.get(policy.place());
        longest.map_or(0, |longest| longest.load(Ordering::Relaxed))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.names.len()
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut Live) -> Result<T, PolicyError>,
    ) -> Result<T, PolicyError> {
        let _guard = self
            .0
            .changing
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut live = Live::clone(&self.0.live.load());
        let answer = change(&mut live)?;
        let has_overrides = !live.overrides.is_empty();
        for (mirror, limit) in self.0.mirrors.iter().zip(&live.limits) {
            mirror.write(&limit.quota, limit.enforcement);
        }
        for (longest, limit) in self.0.longest.iter().zip(&live.limits) {
            longest.store(limit.longest(), Ordering::Relaxed);
        }
        self.0.live.store(Arc::new(live));
        // Whoever sees this sees the overrides.
        self.0.has_overrides.store(has_overrides, Ordering::Release);
        Ok(answer)
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.0.live.load();
        let limits = self.0.names.iter().zip(&live.limits);
        f.debug_map()
            .entries(limits.map(|(name, limit)| (name, (limit.quota, limit.enforcement))))
            .finish()
    }
}
