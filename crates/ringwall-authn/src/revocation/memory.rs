//! Revocations of this process.

use core::fmt;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use ringwall_core::clock::Timestamp;

use super::kind::{Revocation, Revoked};
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
pub struct MemoryRevocations {
    state: RwLock<State>,
    capacity: usize,
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
        }
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
        let is_known = |state: &State| {
            let of_issuer = state.issuers.get(issuer);
            of_issuer.is_some_and(|of_issuer| of_issuer.tokens.contains_key(token_id))
        };
        let mut state = self.room_for_one(now, expires_at, is_known)?;
        let tokens = &mut state.issuers.entry(issuer.into()).or_default().tokens;
        let until = tokens
            .get(token_id)
            .map_or(expires_at, |known| expires_at.max(*known));
        if tokens.insert(token_id.into(), until).is_none() {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
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
        let is_known = |state: &State| {
            let of_issuer = state.issuers.get(issuer);
            of_issuer.is_some_and(|of_issuer| of_issuer.subjects.contains_key(subject))
        };
        let mut state = self.room_for_one(now, last_expiry, is_known)?;
        let subjects = &mut state.issuers.entry(issuer.into()).or_default().subjects;
        if is_new(subjects, subject, issued_until, last_expiry) {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
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
        let mut state =
            self.room_for_one(now, last_expiry, |state| state.orgs.contains_key(org))?;
        if is_new(&mut state.orgs, org, issued_until, last_expiry) {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
    }

    /// Revokes all tokens that name this signing key of their issuer, for a key that was stolen: its
    /// issuer may publish it for a while still, and what is cached of its keys lives longer yet. A token
    /// that names no key is not concerned. `last_expiry` is when the longest-lived of them ends.
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
        let is_known = |state: &State| {
            let of_issuer = state.issuers.get(issuer);
            of_issuer.is_some_and(|of_issuer| of_issuer.keys.contains_key(key_id))
        };
        let mut state = self.room_for_one(now, last_expiry, is_known)?;
        let keys = &mut state.issuers.entry(issuer.into()).or_default().keys;
        let last = keys
            .get(key_id)
            .map_or(last_expiry, |known| last_expiry.max(*known));
        if keys.insert(key_id.into(), last).is_none() {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
    }

    /// Does what the revocation says. One that is known already needs no room and changes nothing.
    ///
    /// # Errors
    ///
    /// [`RevocationsFull`].
    pub fn apply(&self, revocation: &Revocation, now: Timestamp) -> Result<(), RevocationsFull> {
        let last_expiry = revocation.last_expiry();
        match revocation.revoked() {
            Revoked::Token { issuer, token_id } => {
                self.revoke_token(issuer, token_id, last_expiry, now)
            }
            Revoked::Subject {
                issuer,
                subject,
                issued_until,
            } => self.revoke_subject(issuer, subject, *issued_until, last_expiry, now),
            Revoked::SigningKey { issuer, key_id } => {
                self.revoke_key(issuer, key_id, last_expiry, now)
            }
            Revoked::Org { org, issued_until } => {
                self.revoke_org(org, *issued_until, last_expiry, now)
            }
        }
    }

    /// The state, with room for one more revocation. One that is known needs none.
    fn room_for_one(
        &self,
        now: Timestamp,
        end: Timestamp,
        is_known: impl Fn(&State) -> bool,
    ) -> Result<RwLockWriteGuard<'_, State>, RevocationsFull> {
        // Plain maps: after a panic elsewhere they are still whole.
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.count >= self.capacity && !is_known(&state) {
            // Past the expiry and the longest skew, the token is refused without us.
            let over = now
                .checked_sub(crate::policy::MAX_CLOCK_SKEW)
                .unwrap_or(now);
            // All entries are looked at, and nobody can ask meanwhile: only where it brings something.
            if state.earliest.is_some_and(|earliest| earliest < over) {
                state.drop_before(over);
            }
            if state.count >= self.capacity {
                return Err(RevocationsFull);
            }
        }
        state.earliest = Some(state.earliest.map_or(end, |earliest| earliest.min(end)));
        Ok(state)
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
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).expect("in range")
    }

    fn facts<'a>(
        subject: &'a str,
        token_id: Option<&'a str>,
        issued_at: Option<i64>,
    ) -> TokenFacts<'a> {
        TokenFacts {
            issuer: "https://issuer.example",
            subject,
            on_behalf_of: None,
            token_id,
            key_id: None,
            issued_at: issued_at.map(at),
            tenant: None,
        }
    }

    #[test]
    fn revokes_one_token_of_one_issuer() {
        let revocations = MemoryRevocations::new(8);
        revocations
            .revoke_token("https://issuer.example", "t1", at(100), at(0))
            .unwrap();
        assert_eq!(
            revocations.is_revoked(&facts("u", Some("t1"), None)),
            Ok(true)
        );
        assert_eq!(
            revocations.is_revoked(&facts("u", Some("t2"), None)),
            Ok(false)
        );
        assert_eq!(revocations.is_revoked(&facts("u", None, None)), Ok(false));
        let other = TokenFacts {
            issuer: "https://other.example",
            ..facts("u", Some("t1"), None)
        };
        assert_eq!(revocations.is_revoked(&other), Ok(false));
    }

    #[test]
    fn revokes_what_a_subject_was_given_so_far_and_nothing_later() {
        let revocations = MemoryRevocations::new(8);
        revocations
            .revoke_subject("https://issuer.example", "u", at(50), at(500), at(50))
            .unwrap();
        revocations
            .revoke_subject("https://issuer.example", "u", at(40), at(400), at(51))
            .unwrap();
        for (issued_at, revoked) in [
            (Some(49), true),
            (Some(50), true),
            (Some(51), false),
            (None, true),
        ] {
            assert_eq!(
                revocations.is_revoked(&facts("u", None, issued_at)),
                Ok(revoked),
                "{issued_at:?}"
            );
        }
        assert_eq!(revocations.is_revoked(&facts("v", None, None)), Ok(false));
    }

    #[test]
    fn revokes_what_others_do_on_behalf_of_a_subject() {
        let revocations = MemoryRevocations::new(8);
        revocations
            .revoke_subject("https://issuer.example", "u", at(50), at(500), at(50))
            .unwrap();
        for (issued_at, revoked) in [(Some(50), true), (Some(51), false), (None, true)] {
            let delegated = TokenFacts {
                on_behalf_of: Some("u"),
                ..facts("agent", None, issued_at)
            };
            assert_eq!(revocations.is_revoked(&delegated), Ok(revoked));
        }
        assert_eq!(
            revocations.is_revoked(&facts("agent", None, None)),
            Ok(false)
        );
    }

    #[test]
    fn a_later_call_never_takes_an_earlier_one_back_and_needs_no_room() {
        let revocations = MemoryRevocations::new(2);
        revocations.revoke_token("i", "a", at(5000), at(0)).unwrap();
        revocations
            .revoke_subject("i", "u", at(10), at(5000), at(0))
            .unwrap();
        revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
        revocations
            .revoke_subject("i", "u", at(20), at(100), at(0))
            .unwrap();
        // Both are still live long after the shorter expiry, so there is no room for a third.
        assert_eq!(
            revocations.revoke_token("i", "b", at(5000), at(1000)),
            Err(RevocationsFull)
        );
        assert_eq!(
            revocations.revoke_subject("i", "v", at(10), at(5000), at(1000)),
            Err(RevocationsFull)
        );
        let of = |token_id, issued_at| TokenFacts {
            issuer: "i",
            ..facts("u", token_id, Some(issued_at))
        };
        assert_eq!(revocations.is_revoked(&of(Some("a"), 21)), Ok(true));
        assert_eq!(revocations.is_revoked(&of(None, 20)), Ok(true));
        assert_eq!(revocations.is_revoked(&of(None, 21)), Ok(false));
    }

    #[test]
    fn revokes_an_organisation_whoever_issued_the_token() {
        let revocations = MemoryRevocations::new(8);
        revocations
            .revoke_org("acme", at(50), at(500), at(50))
            .unwrap();
        let tenant = |org| ringwall_core::principal::Tenant {
            org: ringwall_core::principal::OrgId::new(org).unwrap(),
            project: Some(ringwall_core::principal::ProjectId::new("p").unwrap()),
        };
        let (acme, other) = (tenant("acme"), tenant("other"));
        for (tenant, issued_at, revoked) in [
            (Some(&acme), Some(50), true),
            (Some(&acme), Some(51), false),
            (Some(&acme), None, true),
            (Some(&other), Some(50), false),
            (None, Some(50), false),
        ] {
            for issuer in ["https://one.example", "https://two.example"] {
                let facts = TokenFacts {
                    issuer,
                    tenant,
                    ..facts("u", None, issued_at)
                };
                assert_eq!(revocations.is_revoked(&facts), Ok(revoked), "{facts:?}");
            }
        }
    }

    #[test]
    fn revokes_what_a_stolen_key_signed_and_nothing_of_another_issuer() {
        let revocations = MemoryRevocations::new(8);
        let issuer = "https://issuer.example";
        revocations
            .revoke_key(issuer, "k1", at(500), at(50))
            .unwrap();
        let signed_by = |key_id| TokenFacts {
            key_id,
            ..facts("u", Some("t"), Some(60))
        };
        assert_eq!(revocations.is_revoked(&signed_by(Some("k1"))), Ok(true));
        assert_eq!(revocations.is_revoked(&signed_by(Some("k2"))), Ok(false));
        assert_eq!(revocations.is_revoked(&signed_by(None)), Ok(false));
        let other = TokenFacts {
            issuer: "https://other.example",
            ..signed_by(Some("k1"))
        };
        assert_eq!(revocations.is_revoked(&other), Ok(false));
    }

    #[test]
    fn organisations_and_keys_count_and_end_too() {
        let revocations = MemoryRevocations::new(2);
        revocations
            .revoke_org("acme", at(10), at(100), at(0))
            .unwrap();
        revocations.revoke_key("i", "k", at(100), at(0)).unwrap();
        assert_eq!(
            revocations.revoke_org("acme", at(20), at(100), at(0)),
            Ok(())
        );
        assert_eq!(revocations.revoke_key("i", "k", at(100), at(0)), Ok(()));
        assert_eq!(
            revocations.revoke_org("b", at(10), at(900), at(0)),
            Err(RevocationsFull)
        );
        assert_eq!(
            revocations.revoke_key("i", "l", at(900), at(0)),
            Err(RevocationsFull)
        );
        assert_eq!(
            revocations.revoke_org("b", at(10), at(900), at(401)),
            Ok(())
        );
        assert_eq!(revocations.revoke_key("i", "l", at(900), at(401)), Ok(()));
        assert_eq!(
            revocations.revoke_token("i", "t", at(900), at(401)),
            Err(RevocationsFull)
        );
    }

    #[test]
    fn a_full_one_is_searched_only_when_something_can_be_over() {
        let revocations = MemoryRevocations::new(2);
        let earliest = || revocations.state.read().unwrap().earliest;
        revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
        revocations
            .revoke_org("acme", at(0), at(5000), at(0))
            .unwrap();
        assert_eq!(earliest(), Some(at(100)));
        // It ends later than was thought.
        revocations.revoke_token("i", "a", at(9000), at(0)).unwrap();
        for (now, answer, then) in [
            (399, Err(RevocationsFull), 100),
            (400, Err(RevocationsFull), 100),
            // The search finds out.
            (401, Err(RevocationsFull), 5000),
            (5300, Err(RevocationsFull), 5000),
            (5301, Ok(()), 8000),
        ] {
            let revoked = revocations.revoke_token("i", "b", at(8000), at(now));
            assert_eq!(revoked, answer, "{now}");
            assert_eq!(earliest(), Some(at(then)), "{now}");
        }
    }

    #[test]
    fn is_bounded_and_never_drops_a_live_revocation() {
        let revocations = MemoryRevocations::new(2);
        revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
        revocations.revoke_token("i", "b", at(5000), at(0)).unwrap();
        assert_eq!(
            revocations.revoke_token("i", "c", at(100), at(399)),
            Err(RevocationsFull)
        );
        // 300 s after its expiry the first is over, whatever the skew.
        assert_eq!(
            revocations.revoke_token("i", "c", at(5000), at(401)),
            Ok(())
        );
        assert_eq!(
            revocations.revoke_token("j", "c", at(9000), at(5301)),
            Ok(())
        );
        assert_eq!(
            revocations.state.read().unwrap().issuers.len(),
            1,
            "an issuer without revocations takes no room"
        );
        let revocations = MemoryRevocations::new(2);
        revocations.revoke_token("i", "b", at(5000), at(0)).unwrap();
        revocations.revoke_token("i", "c", at(5000), at(0)).unwrap();
        assert_eq!(
            revocations.revoke_token("i", "d", at(5000), at(401)),
            Err(RevocationsFull)
        );
    }
}
