//! The limiter of one process.

use core::num::NonZeroU32;
use core::time::Duration;

use arrayvec::ArrayVec;
use ringwall_core::step::Step;

use crate::decision::{Decision, LimitState, LimitStatus, MAX_DIMENSIONS, Verdict};
use crate::gcra::{self, Answer, MAX_NOW};
use crate::policies::{Dimension, Enforcement, Policies};
use crate::quota::{Quota, nanos};
use crate::store::{LimitError, LimitStore};
use crate::sync::{AtomicU64, Ordering};
use crate::table::{Entered, Found, Table};

/// The limits of one process, in memory of a fixed size: 21.3 bytes for each key it is made for.
///
/// - **Exact.** A bucket allows its burst and its rate, and not one token more, however many threads ask.
/// - **All or nothing.** A request is checked against all of its limits, and either each is charged or none. While
///   two requests are checked at once, one of them may be denied for what the other is about to give
///   back; none is allowed for it.
/// - **Bounded.** The table is allocated when the limiter is made and never grows. A bucket that is not full is
///   never thrown out, because its key would begin again with a full one. When no place is left for a
///   new key, all such keys share one bucket of their limit (see
///   [`is_shared`](LimitStatus::is_shared)): the flood denies itself, and the keys that are there notice nothing.
/// - **Without a lock** for keys that are there, and without a task that sweeps.
///
/// The time is a value: take it from one monotonic clock. A clock that goes back gives nothing away, and
/// locks nobody out for longer than their bucket takes to fill, and a second.
#[derive(Debug)]
pub struct MemoryLimiter {
    policies: Policies,
    table: Table,
    /// For each limit the bucket of the keys without a place.
    shared: Box<[AtomicU64]>,
}

/// What reserving in one bucket came to.
enum Reserved {
    /// The bucket was charged: how far from full it is now.
    Taken { debt: u64, is_shared: bool },
    /// It does not allow it.
    Not(Answer, bool),
}

impl MemoryLimiter {
    /// With a place for `keys` buckets that are not full at the same time. A key is one bucket: a request with
    /// three limits can fill three places.
    #[must_use]
    pub fn new(policies: Policies, keys: usize) -> Self {
        Self::with_table(policies, Table::new(keys))
    }

    pub(crate) fn with_table(policies: Policies, table: Table) -> Self {
        let shared = (0..policies.count()).map(|_| AtomicU64::new(0)).collect();
        Self {
            policies,
            table,
            shared,
        }
    }

    /// What the table occupies.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.table.bytes()
    }

    /// How many buckets are not full at `now`. It reads the whole table: for a metric, not for each request.
    #[must_use]
    pub fn count_at_work(&self, now: Duration) -> usize {
        self.table.count_at_work(time(now).unwrap_or(MAX_NOW))
    }

    /// Checks a request against all of its limits, and charges each of them if all allow it.
    ///
    /// A limit that is named twice counts once.
    ///
    /// # Errors
    ///
    /// [`LimitError`], when there is nothing to check by: no limit, more than
    /// [`MAX_DIMENSIONS`](crate::MAX_DIMENSIONS), one of other policies, or a time beyond all reckoning. Deny.
    pub fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Result<Decision, LimitError> {
        self.check_by(now, dimensions, cost, Policies::limit)
    }

    /// As [`check`](Self::check), with what `limit` says of a bucket.
    #[inline]
    pub(crate) fn check_by(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
        limit: impl Fn(&Policies, &Dimension) -> Option<(Quota, Enforcement)>,
    ) -> Result<Decision, LimitError> {
        // A decision is made where it is returned: it is large enough for a move to be felt.
        let mut answer = Ok(Decision::empty(cost));
        if let Ok(decision) = &mut answer
            && let Err(error) = self.decide(now, dimensions, limit, decision)
        {
            answer = Err(error);
        }
        answer
    }

    #[inline]
    fn decide(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        limit: impl Fn(&Policies, &Dimension) -> Option<(Quota, Enforcement)>,
        decision: &mut Decision,
    ) -> Result<(), LimitError> {
        let cost = decision.cost();
        let now = time(now)?;
        let mut found = ArrayVec::new_const();
        self.look(now, dimensions, limit, decision, &mut found)?;
        if !decision.is_allowed() {
            self.set_right(now, decision, &found);
            return Ok(());
        }
        let mut refused = false;
        for (status, found) in decision.statuses_mut().zip(&found) {
            if status.state != LimitState::Within {
                // A limit that is tried out and says no is not charged.
                continue;
            }
            match self.reserve(now, status, cost, *found) {
                Reserved::Taken { debt, is_shared } => {
                    status.charge_nanos(debt);
                    status.is_shared = is_shared;
                }
                Reserved::Not(answer, is_shared) => {
                    // Somebody else was faster.
                    status.note(answer);
                    status.is_shared = is_shared;
                    if !status.is_shadow {
                        refused = true;
                        break;
                    }
                }
            }
        }
        if refused {
            for status in decision.statuses_mut() {
                // In the order of reserving: what comes after the one that refused was not reserved.
                if status.state != LimitState::Within {
                    if status.is_shadow {
                        continue;
                    }
                    break;
                }
                self.give_back(now, status, cost);
                status.uncharge(cost);
            }
            decision.conclude();
        }
        Ok(())
    }

    /// What [`check`](Self::check) would say now. Nothing is charged.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Result<Decision, LimitError> {
        self.peek_by(now, dimensions, cost, Policies::limit)
    }

    /// As [`peek`](Self::peek), with what `limit` says of a bucket.
    pub(crate) fn peek_by(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
        limit: impl Fn(&Policies, &Dimension) -> Option<(Quota, Enforcement)>,
    ) -> Result<Decision, LimitError> {
        let mut decision = Decision::empty(cost);
        let mut found = ArrayVec::new_const();
        self.look(time(now)?, dimensions, limit, &mut decision, &mut found)?;
        Ok(decision.uncharged())
    }

    /// Gives back what an allowed request took: for work that was not done after all. A bucket never gets more
    /// than full. What was not charged is not given back.
    pub fn refund(&self, now: Duration, decision: Decision) {
        let Ok(now) = time(now) else {
            return;
        };
        for status in decision.charged() {
            self.give_back(now, status, decision.cost());
        }
    }

    /// Looks at all buckets, and changes none.
    #[inline]
    fn look<'a>(
        &'a self,
        now: u64,
        dimensions: &[Dimension],
        limit: impl Fn(&Policies, &Dimension) -> Option<(Quota, Enforcement)>,
        decision: &mut Decision,
        found: &mut ArrayVec<Option<Found<'a>>, MAX_DIMENSIONS>,
    ) -> Result<(), LimitError> {
        if dimensions.is_empty() {
            return Err(LimitError::NoDimensions);
        }
        // One look-up is begun by itself; the model checker has enough steps to try.
        if cfg!(not(loom)) && dimensions.len() > 1 {
            for dimension in dimensions {
                self.table.fetch(dimension.key);
            }
        }
        let (mut wait, mut is_never) = (None, false);
        for (n, dimension) in dimensions.iter().enumerate() {
            if dimensions
                .iter()
                .take(n)
                .any(|earlier| earlier == dimension)
            {
                continue;
            }
            let applied = limit(&self.policies, dimension);
            let (quota, enforcement) = applied.ok_or(LimitError::UnknownPolicy)?;
            let place = self.table.find(dimension.key);
            let full_at = place.map_or(0, |found| found.full_at);
            let debt = gcra::debt(full_at, now, &quota);
            let mut status = LimitStatus::within(*dimension, quota, enforcement, debt);
            let longest = || self.policies.longest_nanos(dimension.policy);
            let answer = gcra::judge(full_at, now, &quota, longest, decision.cost());
            status.note(answer);
            if !status.is_shadow {
                match answer {
                    Answer::Take(_) => {}
                    Answer::Wait(time, _) => wait = wait.max(Some(time)),
                    Answer::Never => is_never = true,
                }
            }
            if found.try_push(place).is_err() || !decision.push(status) {
                return Err(LimitError::TooManyDimensions);
            }
        }
        decision.settle(match wait {
            _ if is_never => Verdict::NeverAllowed,
            None => Verdict::Allowed,
            Some(wait) => Verdict::Denied {
                retry_after: Duration::from_nanos(wait),
            },
        });
        Ok(())
    }

    /// Takes from one bucket.
    #[inline]
    fn reserve<'a>(
        &'a self,
        now: u64,
        status: &LimitStatus,
        cost: NonZeroU32,
        mut found: Option<Found<'a>>,
    ) -> Reserved {
        let key = status.dimension().key;
        loop {
            let full_at = found.map_or(0, |found| found.full_at);
            let longest = || self.policies.longest_nanos(status.policy());
            let new = match gcra::judge(full_at, now, &status.quota, longest, cost) {
                Answer::Take(new) => new,
                answer @ (Answer::Wait(..) | Answer::Never) => return Reserved::Not(answer, false),
            };
            let debt = new.saturating_sub(now);
            match found {
                Some(found) => {
                    if found.slot.swap(full_at, new) {
                        return Reserved::Taken {
                            debt,
                            is_shared: false,
                        };
                    }
                }
                None => match self.table.enter(key, now, new) {
                    Entered::Yes => {
                        return Reserved::Taken {
                            debt,
                            is_shared: false,
                        };
                    }
                    Entered::Known => {}
                    Entered::Full => return self.reserve_shared(now, status, cost),
                },
            }
            // Each turn of this loop is one that another thread used.
            found = self.table.find(key);
        }
    }

    /// Takes from the bucket of all keys that have no place.
    #[cold]
    fn reserve_shared(&self, now: u64, status: &LimitStatus, cost: NonZeroU32) -> Reserved {
        let quota = &status.quota;
        let Some(bucket) = self.shared.get(status.policy().place()) else {
            return Reserved::Not(Answer::Never, true);
        };
        let mut full_at = bucket.load(Ordering::Acquire);
        loop {
            let longest = || self.policies.longest_nanos(status.policy());
            let (new, answer) = match gcra::judge(full_at, now, quota, longest, cost) {
                Answer::Take(new) => (new, None),
                Answer::Wait(wait, Some(new)) => (new, Some(Answer::Wait(wait, None))),
                answer @ (Answer::Wait(_, None) | Answer::Never) => {
                    return Reserved::Not(answer, true);
                }
            };
            match bucket.compare_exchange(full_at, new, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    return match answer {
                        Some(answer) => Reserved::Not(answer, true),
                        None => Reserved::Taken {
                            debt: new.saturating_sub(now),
                            is_shared: true,
                        },
                    };
                }
                Err(seen) => full_at = seen,
            }
        }
    }

    /// Gives one bucket back what was taken from it.
    #[cold]
    fn give_back(&self, now: u64, status: &LimitStatus, cost: NonZeroU32) {
        let quota = &status.quota;
        if status.is_shared {
            if let Some(bucket) = self.shared.get(status.policy().place()) {
                let mut full_at = bucket.load(Ordering::Acquire);
                while let Err(seen) = bucket.compare_exchange(
                    full_at,
                    gcra::give_back(full_at, now, quota, cost),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                ) {
                    full_at = seen;
                }
            }
            return;
        }
        // A key that is no longer there has a full bucket.
        while let Some(found) = self.table.find(status.dimension().key) {
            let new = gcra::give_back(found.full_at, now, quota, cost);
            if new == found.full_at || found.slot.swap(found.full_at, new) {
                return;
            }
        }
    }

    /// Sets buckets right that are further ahead than they can owe: the trace of a clock that went back, or
    /// of a quota that was larger.
    #[cold]
    fn set_right(&self, now: u64, decision: &Decision, found: &[Option<Found<'_>>]) {
        for (status, found) in decision.statuses().zip(found) {
            let Some(found) = found else { continue };
            let longest = || self.policies.longest_nanos(status.policy());
            let cost = decision.cost();
            let answer = gcra::judge(found.full_at, now, &status.quota, longest, cost);
            if let Answer::Wait(_, Some(new)) = answer {
                // If the swap fails, somebody else has done it, or will.
                found.slot.swap(found.full_at, new);
            }
        }
    }
}

/// The time as it is counted.
fn time(now: Duration) -> Result<u64, LimitError> {
    // A slot is free when its time is past, and slots begin at zero: so time begins after it.
    let nanos = nanos(now).and_then(|nanos| nanos.checked_add(1));
    nanos
        .filter(|nanos| *nanos <= MAX_NOW)
        .ok_or(LimitError::Time)
}

impl LimitStatus {
    #[inline]
    fn note(&mut self, answer: Answer) {
        match answer {
            Answer::Take(_) => self.state = LimitState::Within,
            Answer::Wait(wait, _) => {
                self.state = LimitState::Exceeded;
                self.wait = wait;
            }
            Answer::Never => self.exceed_for_ever(),
        }
    }
}

impl LimitStore for MemoryLimiter {
    fn policies(&self) -> &Policies {
        &self.policies
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        Step::Done(Self::check(self, now, dimensions, cost))
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        Step::Done(Self::peek(self, now, dimensions, cost))
    }

    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        Self::refund(self, now, decision);
        Step::Done(Ok(()))
    }

    fn holds_failure_policies(&self) -> bool {
        true
    }
}
