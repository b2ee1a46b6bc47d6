//! What a check came to, limit by limit.

use core::num::NonZeroU32;
use core::time::Duration;

use arrayvec::ArrayVec;

use crate::policies::{Dimension, Enforcement, PolicyId};
use crate::quota::Quota;

/// The most limits that one request is checked against.
pub const MAX_DIMENSIONS: usize = 6;

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// Every limit allows it, and each was charged.
    Allowed,
    /// A limit does not allow it now, and none was charged.
    Denied {
        /// How long until it would be allowed, if nobody else took anything meanwhile: the longest wait of
        /// the limits that deny.
        retry_after: Duration,
    },
    /// It costs more than a limit ever holds, so waiting is of no use. None was charged.
    NeverAllowed,
}

/// What one limit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitStatus {
    dimension: Dimension,
    pub(crate) quota: Quota,
    /// Nanoseconds until the bucket is full.
    pub(crate) debt: u64,
    pub(crate) wait: u64,
    pub(crate) state: LimitState,
    pub(crate) is_shared: bool,
    pub(crate) is_shadow: bool,
    crossed_into_near: bool,
}

/// What a limit says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitState {
    /// It allows it.
    Within,
    /// It does not allow it now.
    Exceeded,
    /// The request costs more than the limit ever holds.
    BeyondBurst,
}

impl LimitStatus {
    /// For stores: what one limit says of a bucket with such a quota, that will be full after `debt`. See
    /// [`charge`](Self::charge) for a request that takes from it.
    #[must_use]
    pub fn new(
        dimension: Dimension,
        quota: Quota,
        enforcement: Enforcement,
        debt: Duration,
    ) -> Self {
        let debt = crate::quota::nanos(debt).unwrap_or(u64::MAX);
        Self::within(dimension, quota, enforcement, debt)
    }

    pub(crate) fn within(
        dimension: Dimension,
        quota: Quota,
        enforcement: Enforcement,
        debt: u64,
    ) -> Self {
        Self {
            dimension,
            quota,
            debt,
            wait: 0,
            state: LimitState::Within,
            is_shared: false,
            is_shadow: enforcement == Enforcement::Shadow,
            crossed_into_near: false,
        }
    }

    /// For stores: the bucket was charged, and will be full after `debt` now.
    pub fn charge(&mut self, debt: Duration) {
        self.charge_nanos(crate::quota::nanos(debt).unwrap_or(u64::MAX));
    }

    #[inline]
    pub(crate) fn charge_nanos(&mut self, debt: u64) {
        let capacity = self.quota.capacity_nanos();
        // A capacity is below 2^59, so five times as much fits.
        let is_near = |debt: u64| debt.wrapping_mul(5) >= capacity.wrapping_mul(4);
        self.crossed_into_near = !is_near(self.debt) && is_near(debt);
        self.debt = debt;
    }

    /// The request was denied after all, and the bucket got back what it was charged.
    pub(crate) fn uncharge(&mut self, cost: NonZeroU32) {
        let given = self.quota.interval_nanos();
        let given = given.saturating_mul(u64::from(cost.get()));
        self.debt = self.debt.saturating_sub(given);
        self.crossed_into_near = false;
    }

    /// For stores: the limit does not allow the request; `wait` from now it may.
    pub fn exceed(&mut self, wait: Duration) {
        self.state = LimitState::Exceeded;
        self.wait = crate::quota::nanos(wait).unwrap_or(u64::MAX);
    }

    /// For stores: the request costs more than the limit ever holds.
    pub const fn exceed_for_ever(&mut self) {
        self.state = LimitState::BeyondBurst;
        self.wait = 0;
    }

    /// The limit.
    #[must_use]
    pub const fn policy(&self) -> PolicyId {
        self.dimension.policy
    }

    /// Whose bucket.
    #[must_use]
    pub const fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// The quota that holds for the bucket.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// What it says.
    #[must_use]
    pub const fn state(&self) -> LimitState {
        self.state
    }

    /// Whether it is only tried out ([`Enforcement::Shadow`](crate::Enforcement::Shadow)): what it says denied
    /// nothing.
    #[must_use]
    pub const fn is_shadow(&self) -> bool {
        self.is_shadow
    }

    /// Whether the bucket is the one that all keys share for which the table had no place.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        self.is_shared
    }

    /// How many tokens a full bucket holds.
    #[must_use]
    pub const fn limit(&self) -> u32 {
        self.quota.burst_size()
    }

    /// How many whole tokens are left.
    #[must_use]
    pub fn remaining(&self) -> u32 {
        let left = self.quota.capacity_nanos().saturating_sub(self.debt);
        let tokens = left.checked_div(self.quota.interval_nanos()).unwrap_or(0);
        u32::try_from(tokens).unwrap_or(u32::MAX)
    }

    /// How long until the bucket is full again, if nothing more is taken.
    #[must_use]
    pub const fn reset_after(&self) -> Duration {
        Duration::from_nanos(self.debt)
    }

    /// How long until this limit would allow the request; zero when it does.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        Duration::from_nanos(self.wait)
    }

    /// Whether this request made it 80 % or more of the bucket that is used: once on the way up, for a metric
    /// that warns before anybody is denied.
    #[must_use]
    pub const fn crossed_into_near(&self) -> bool {
        self.crossed_into_near
    }
}

/// Who made a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The store that was asked.
    #[default]
    Store,
    /// The store, a moment ago: this process remembers what it said, or serves what it took in advance, and did not
    /// ask. That tells nothing of whether the store answers now.
    Remembered,
    /// The memory of this process, as the store was not available: it counted against this process's share of
    /// the limits ([`OnFailure::Local`](crate::OnFailure::Local)).
    Local,
    /// Nobody: the store was not available, and the limits are open then
    /// ([`OnFailure::Open`](crate::OnFailure::Open)). Tell of it, for the request was not checked.
    Unchecked,
}

/// What a check came to, and what each limit says of it.
///
/// It is the receipt of what was taken, too: whoever gives it to [`refund`](crate::LimitStore::refund) parts
/// with it, so nothing is given back twice.
#[derive(Debug)]
#[must_use]
pub struct Decision {
    verdict: Verdict,
    cost: NonZeroU32,
    /// Whether it was made to charge, and not to look.
    is_receipt: bool,
    origin: Origin,
    statuses: ArrayVec<LimitStatus, MAX_DIMENSIONS>,
}

impl Decision {
    /// For stores: the verdict that follows from what each limit says. A limit that is tried out counts for
    /// nothing. Statuses beyond [`MAX_DIMENSIONS`] are a mistake of the store's, and so are none: they deny.
    pub fn new(cost: NonZeroU32, statuses: impl IntoIterator<Item = LimitStatus>) -> Self {
        let mut decision = Self::empty(cost);
        for status in statuses {
            if !decision.push(status) {
                decision.verdict = Verdict::NeverAllowed;
                return decision;
            }
        }
        decision.conclude();
        decision
    }

    #[inline]
    pub(crate) const fn empty(cost: NonZeroU32) -> Self {
        Self {
            verdict: Verdict::NeverAllowed,
            cost,
            is_receipt: true,
            origin: Origin::Store,
            statuses: ArrayVec::new_const(),
        }
    }

    /// Whether there was a place for it.
    #[inline]
    pub(crate) fn push(&mut self, status: LimitStatus) -> bool {
        self.statuses.try_push(status).is_ok()
    }

    #[inline]
    pub(crate) fn statuses_mut(&mut self) -> core::slice::IterMut<'_, LimitStatus> {
        self.statuses.iter_mut()
    }

    #[inline]
    pub(crate) const fn settle(&mut self, verdict: Verdict) {
        self.verdict = verdict;
    }

    /// Settles the verdict.
    #[inline]
    pub(crate) fn conclude(&mut self) {
        let mut wait = None;
        for status in &self.statuses {
            if status.is_shadow {
                continue;
            }
            match status.state {
                LimitState::Within => {}
                LimitState::Exceeded => wait = wait.max(Some(status.wait)),
                LimitState::BeyondBurst => {
                    self.verdict = Verdict::NeverAllowed;
                    return;
                }
            }
        }
        self.verdict = match wait {
            _ if self.statuses.is_empty() => Verdict::NeverAllowed,
            None => Verdict::Allowed,
            Some(wait) => Verdict::Denied {
                retry_after: Duration::from_nanos(wait),
            },
        };
    }

    /// What it came to.
    pub const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Whether every limit allows it.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allowed)
    }

    /// What it cost, or would have.
    #[must_use]
    pub const fn cost(&self) -> NonZeroU32 {
        self.cost
    }

    /// What each limit says, in the order of the check; a limit that was named twice once.
    pub fn statuses(&self) -> impl Iterator<Item = &LimitStatus> + Clone {
        self.statuses.iter()
    }

    /// The limits that deny.
    pub fn violated(&self) -> impl Iterator<Item = &LimitStatus> + Clone {
        self.statuses()
            .filter(|status| !status.is_shadow && status.state != LimitState::Within)
    }

    /// The limit to tell a client about that reads but one: the one that denies for the longest, or else the
    /// one of which the least is left.
    #[must_use]
    pub fn tightest(&self) -> Option<&LimitStatus> {
        let denies = self.violated().max_by_key(|status| status.wait);
        denies.or_else(|| {
            self.statuses()
                .filter(|status| !status.is_shadow)
                .min_by_key(|status| {
                    // What is left of a hundred thousand: shares compare across limits.
                    let capacity = u128::from(status.quota.capacity_nanos()).max(1);
                    let left = capacity.saturating_sub(u128::from(status.debt));
                    left.saturating_mul(100_000).checked_div(capacity)
                })
        })
    }

    /// Who made it.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// What its process counted by itself.
    #[cfg(not(loom))]
    pub(crate) fn made_locally(mut self) -> Self {
        self.origin = Origin::Local;
        self
    }

    /// For stores: this decision as one that was made without asking, by what the store said before.
    pub const fn remembered(mut self) -> Self {
        self.origin = Origin::Remembered;
        self
    }

    /// A request that passes although nothing was checked.
    #[cfg(not(loom))]
    pub(crate) fn unchecked(cost: NonZeroU32) -> Self {
        let mut decision = Self::empty(cost);
        decision.verdict = Verdict::Allowed;
        decision.origin = Origin::Unchecked;
        decision
    }

    /// The receipt of one limit alone: the other charges of the decision stay. For what is given back although
    /// the request goes on, such as the charge for a credential that turned out to be good. `None` when that
    /// limit was not charged.
    #[must_use]
    pub fn only(self, policy: PolicyId) -> Option<Self> {
        let status = *self.charged().find(|status| status.policy() == policy)?;
        let mut only = Self::new(self.cost, [status]);
        only.origin = self.origin;
        Some(only)
    }

    /// For stores: this decision as the answer of a [`peek`](crate::LimitStore::peek), by which nothing was
    /// charged.
    pub const fn uncharged(mut self) -> Self {
        self.is_receipt = false;
        self
    }

    /// For stores: the buckets that were charged, which are none unless it is allowed.
    pub fn charged(&self) -> impl Iterator<Item = &LimitStatus> + Clone {
        let was_charged = self.is_allowed() && self.is_receipt;
        self.statuses()
            .filter(move |status| was_charged && status.state == LimitState::Within)
    }
}
