//! Revocations of this process.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use ringwall_core::clock::{MonotonicClock, SystemClock, Timestamp};

use super::kind::{Revocation, Revoked};
use super::steady::SteadyClock;
use super::{Revocations, RevocationsUnavailable, TokenFacts};

/// There is no room for another revocation. The oldest are not dropped to make some: that would
/// bring a revoked token back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another revocation")]
pub struct RevocationsFull;

/// Revocations of this process, lost with it.
///
/// Each lasts until the last token it can concern has expired; those that are over make room for
/// new ones. [`SyncedRevocations`](super::SyncedRevocations) keeps them across restarts and between
/// processes.
///
/// A wall clock that jumps ahead makes nothing over: time is believed to go on as fast as the
/// [monotonic clock](Self::monotonic_clock) does, and a clock that stays ahead is believed after one to two
/// days. A clock that is ahead from the first call on cannot be noticed.
pub struct MemoryRevocations {
    state: RwLock<State>,
    capacity: usize,
    monotonic: Arc<dyn MonotonicClock>,
}

#[derive(Default)]
struct State {
    /// By issuer, so that a look-up borrows both names.
    issuers: HashMap<Box<str>, OfIssuer>,
    /// Organisations, whoever issued the token.
    orgs: HashMap<Box<str>, IssuedBefore>,
    count: usize,
    /// Not after the end of any entry; `None` without one.
    earliest: Option<Timestamp>,
    /// How often some were dropped.
    drops: u64,
    steady: SteadyClock,
}

/// Until when issued tokens are revoked, and the end of the longest of them.
type IssuedBefore = (Timestamp, Timestamp);

#[derive(Default)]
struct OfIssuer {
    /// `jti` to the expiry of the token.
    tokens: HashMap<Box<str>, Timestamp>,
    subjects: HashMap<Box<str>, IssuedBefore>,
    /// The id of a signing key to the end of the longest token that it can have signed.
    keys: HashMap<Box<str>, Timestamp>,
}

impl OfIssuer {
    fn len(&self) -> usize {
        self.tokens
            .len()
            .saturating_add(self.subjects.len())
            .saturating_add(self.keys.len())
    }
}

impl MemoryRevocations {
    /// Room for `capacity` revocations.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            state: RwLock::default(),
            capacity,
            monotonic: Arc::new(SystemClock::new()),
        }
    }

    /// The clock that a jump of the wall clock is noticed by; the machine's unless set.
    #[must_use]
    pub fn monotonic_clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.monotonic = clock;
        self
    }

    /// Revokes one token, which expires at `expires_at`.
    ///
    /// # Errors
    ///
    /// [`RevocationsFull`].
    pub fn revoke_token(
        &self,
        issuer: &str,
        token_id: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), RevocationsFull> {
        self.enter_token(issuer, token_id, expires_at, Some(now))
    }

    /// Revokes all tokens of a subject that were issued at or before `issued_until`, and those
    /// that do not say when they were; also those with which others act on its behalf.
    /// `last_expiry` is when the longest-lived of them ends. A later call never takes an earlier
    /// one back.
    ///
    /// An issuer whose clock is ahead dates its tokens later than they are: to be sure, add the
    /// clock skew of its policy to `issued_until`.
    ///
    /// # Errors
    ///
    /// [`RevocationsFull`].
    pub fn revoke_subject(
        &self,
        issuer: &str,
        subject: &str,
        issued_until: Timestamp,
        last_expiry: Timestamp,
        now: Timestamp,
    ) -> Result<(), RevocationsFull> {
        self.enter_subject(issuer, subject, (issued_until, last_expiry), Some(now))
    }

    /// Revokes all tokens of an organisation, whoever issued them, that were issued at or before
    /// `issued_until`, and those that do not say when they were. As for
    /// [`revoke_subject`](Self::revoke_subject) otherwise.
    ///
    /// # Errors
    ///
    /// [`RevocationsFull`].
    pub fn revoke_org(
        &self,
        org: &str,
        issued_until: Timestamp,
        last_expiry: Timestamp,
        now: Timestamp,
    ) -> Result<(), RevocationsFull> {
        self.enter_org(org, (issued_until, last_expiry), Some(now))
    }

    /// Revokes all tokens that this signing key of their issuer verifies, whether they name it or not, for a
    /// key that was stolen: its issuer may publish it for a while still, and what is cached of its keys lives
    /// longer yet. A key that is published without an id cannot be named. `last_expiry` is when the
    /// longest-lived of the tokens ends.
    ///
    /// # Errors
    ///
    /// [`RevocationsFull`].
    pub fn revoke_key(
        &self,
        issuer: &str,
        key_id: &str,
        last_expiry: Timestamp,
        now: Timestamp,
    ) -> Result<(), RevocationsFull> {
        self.enter_key(issuer, key_id, last_expiry, Some(now))
    }

    /// Does what the revocation says. One that is known already needs no room and changes nothing.
    ///
    /// # Errors
    ///
    /// [`RevocationsFull`].
    pub fn apply(&self, revocation: &Revocation, now: Timestamp) -> Result<(), RevocationsFull> {
        self.apply_at(revocation, Some(now))
    }

    /// The same, where the wall clock may be unavailable: then nothing is over.
    pub(super) fn apply_at(
        &self,
        revocation: &Revocation,
        now: Option<Timestamp>,
    ) -> Result<(), RevocationsFull> {
        let last_expiry = revocation.last_expiry();
        match revocation.revoked() {
            Revoked::Token { issuer, token_id } => {
                self.enter_token(issuer, token_id, last_expiry, now)
            }
            Revoked::Subject {
                issuer,
                subject,
                issued_until,
            } => self.enter_subject(issuer, subject, (*issued_until, last_expiry), now),
            Revoked::SigningKey { issuer, key_id } => {
                self.enter_key(issuer, key_id, last_expiry, now)
            }
            Revoked::Org { org, issued_until } => {
                self.enter_org(org, (*issued_until, last_expiry), now)
            }
        }
    }

    fn enter_token(
        &self,
        issuer: &str,
        token_id: &str,
        expires_at: Timestamp,
        now: Option<Timestamp>,
    ) -> Result<(), RevocationsFull> {
        let is_known = |state: &State| {
            let of_issuer = state.issuers.get(issuer);
            of_issuer.is_some_and(|of_issuer| of_issuer.tokens.contains_key(token_id))
        };
        let Some(mut state) = self.room_for_one(now, expires_at, is_known)? else {
            return Ok(());
        };
        let tokens = &mut state.issuers.entry(issuer.into()).or_default().tokens;
        let until = tokens
            .get(token_id)
            .map_or(expires_at, |known| expires_at.max(*known));
        if tokens.insert(token_id.into(), until).is_none() {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
    }

    fn enter_subject(
        &self,
        issuer: &str,
        subject: &str,
        (issued_until, last_expiry): IssuedBefore,
        now: Option<Timestamp>,
    ) -> Result<(), RevocationsFull> {
        let is_known = |state: &State| {
            let of_issuer = state.issuers.get(issuer);
            of_issuer.is_some_and(|of_issuer| of_issuer.subjects.contains_key(subject))
        };
        let Some(mut state) = self.room_for_one(now, last_expiry, is_known)? else {
            return Ok(());
        };
        let subjects = &mut state.issuers.entry(issuer.into()).or_default().subjects;
        if is_new(subjects, subject, issued_until, last_expiry) {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
    }

    fn enter_org(
        &self,
        org: &str,
        (issued_until, last_expiry): IssuedBefore,
        now: Option<Timestamp>,
    ) -> Result<(), RevocationsFull> {
        let is_known = |state: &State| state.orgs.contains_key(org);
        let Some(mut state) = self.room_for_one(now, last_expiry, is_known)? else {
            return Ok(());
        };
        if is_new(&mut state.orgs, org, issued_until, last_expiry) {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
    }

    fn enter_key(
        &self,
        issuer: &str,
        key_id: &str,
        last_expiry: Timestamp,
        now: Option<Timestamp>,
    ) -> Result<(), RevocationsFull> {
        let is_known = |state: &State| {
            let of_issuer = state.issuers.get(issuer);
            of_issuer.is_some_and(|of_issuer| of_issuer.keys.contains_key(key_id))
        };
        let Some(mut state) = self.room_for_one(now, last_expiry, is_known)? else {
            return Ok(());
        };
        let keys = &mut state.issuers.entry(issuer.into()).or_default().keys;
        let last = keys
            .get(key_id)
            .map_or(last_expiry, |known| last_expiry.max(*known));
        if keys.insert(key_id.into(), last).is_none() {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
    }

    /// Looks at the clocks. Answers until when a token has to have ended for its revocation to be over, and
    /// for how long the clocks have been looked at.
    pub(super) fn look(&self, now: Timestamp) -> (Timestamp, Duration) {
        let elapsed = self.monotonic.elapsed();
        let mut state = self.write();
        let over = state.look(now, elapsed);
        (over, state.steady.watched(elapsed))
    }

    /// How often some were dropped to make room. Without any, those that are over are dropped first.
    pub(super) fn drops(&self, now: Option<Timestamp>) -> u64 {
        let elapsed = self.monotonic.elapsed();
        let mut state = self.write();
        if state.count >= self.capacity
            && let Some(now) = now
        {
            let over = state.look(now, elapsed);
            state.make_room(over);
        }
        state.drops
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        // Plain maps: after a panic elsewhere they are still whole.
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, with room for one more revocation. One that is known needs none; and for one that is over
    /// none is made, so there is `None`.
    fn room_for_one(
        &self,
        now: Option<Timestamp>,
        end: Timestamp,
        is_known: impl Fn(&State) -> bool,
    ) -> Result<Option<RwLockWriteGuard<'_, State>>, RevocationsFull> {
        let elapsed = self.monotonic.elapsed();
        let mut state = self.write();
        // Also with room: a jump is noticed by the looks before it.
        let over = now.map(|now| state.look(now, elapsed));
        if state.count >= self.capacity && !is_known(&state) {
            if over.is_some_and(|over| end < over) {
                return Ok(None);
            }
            if let Some(over) = over {
                state.make_room(over);
            }
            if state.count >= self.capacity {
                return Err(RevocationsFull);
            }
        }
        state.earliest = Some(state.earliest.map_or(end, |earliest| earliest.min(end)));
        Ok(Some(state))
    }
}

/// Enters it so that a later call never takes an earlier one back. Whether it was not there before.
fn is_new(
    entries: &mut HashMap<Box<str>, IssuedBefore>,
    name: &str,
    issued_until: Timestamp,
    last_expiry: Timestamp,
) -> bool {
    let known = entries.get(name).copied();
    let (until, last) = known.unwrap_or((issued_until, last_expiry));
    let entry = (until.max(issued_until), last.max(last_expiry));
    entries.insert(name.into(), entry).is_none()
}

impl State {
    /// What ended before the answer concerns no token any more, whatever the wall clock says.
    fn look(&mut self, now: Timestamp, elapsed: Duration) -> Timestamp {
        let now = self.steady.look(now, elapsed);
        // Past the expiry and the longest skew, the token is refused without us.
        now.checked_sub(crate::policy::MAX_CLOCK_SKEW)
            .unwrap_or(now)
    }

    fn make_room(&mut self, over: Timestamp) {
        // All entries are looked at, and nobody can ask meanwhile: only where it brings something.
        if self.earliest.is_some_and(|earliest| earliest < over) {
            self.drop_before(over);
        }
    }

    fn drop_before(&mut self, over: Timestamp) {
        let mut count: usize = 0;
        let mut earliest: Option<Timestamp> = None;
        let mut stays = |end: Timestamp| {
            let stays = end >= over;
            if stays {
                earliest = Some(earliest.map_or(end, |earliest| earliest.min(end)));
            }
            stays
        };
        self.issuers.retain(|_, of_issuer| {
            of_issuer.tokens.retain(|_, expires_at| stays(*expires_at));
            of_issuer
                .subjects
                .retain(|_, (_, last_expiry)| stays(*last_expiry));
            of_issuer.keys.retain(|_, last_expiry| stays(*last_expiry));
            let left = of_issuer.len();
            count = count.saturating_add(left);
            left > 0
        });
        self.orgs.retain(|_, (_, last_expiry)| stays(*last_expiry));
        count = count.saturating_add(self.orgs.len());
        if count < self.count {
            self.drops = self.drops.saturating_add(1);
        }
        self.count = count;
        self.earliest = earliest;
    }
}

impl fmt::Debug for MemoryRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryRevocations")
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl Revocations for MemoryRevocations {
    fn is_revoked(&self, token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let was_issued_before = |entry: Option<&IssuedBefore>| {
            entry.is_some_and(|(until, _)| {
                token.issued_at.is_none_or(|issued_at| issued_at <= *until)
            })
        };
        let org = token.tenant.map(|tenant| tenant.org.as_str());
        if org.is_some_and(|org| was_issued_before(state.orgs.get(org))) {
            return Ok(true);
        }
        let Some(of_issuer) = state.issuers.get(token.issuer) else {
            return Ok(false);
        };
        let is_token_revoked = token
            .token_id
            .is_some_and(|id| of_issuer.tokens.contains_key(id));
        let is_key_revoked = token
            .key_id
            .is_some_and(|id| of_issuer.keys.contains_key(id));
        let is_subject_revoked = |subject: &str| was_issued_before(of_issuer.subjects.get(subject));
        Ok(is_token_revoked
            || is_key_revoked
            || is_subject_revoked(token.subject)
            || token.on_behalf_of.is_some_and(is_subject_revoked))
    }
}

#[cfg(test)]
mod tests;
