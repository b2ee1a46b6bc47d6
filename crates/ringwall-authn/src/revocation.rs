//! Tokens that are taken back before they expire.

use core::fmt;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{Principal, Subject, Tenant};

use crate::token::VerifiedToken;

/// What a revocation can be about.
#[derive(Clone, Copy, Debug)]
pub struct TokenFacts<'a> {
    /// `iss`.
    pub issuer: &'a str,
    /// The party that acts, unique within the issuer: the subject, or the actor of a delegated
    /// token.
    pub subject: &'a str,
    /// The subject for whom an actor acts. Whoever revokes a subject means what others do in its
    /// name too.
    pub on_behalf_of: Option<&'a str>,
    /// `jti`, if the token has one.
    pub token_id: Option<&'a str>,
    /// The id of the signing key, if the token names it.
    pub key_id: Option<&'a str>,
    /// `iat`, if the token has one.
    pub issued_at: Option<Timestamp>,
    /// The tenant, if the token has one.
    pub tenant: Option<&'a Tenant>,
}

impl<'a> TokenFacts<'a> {
    pub(crate) fn new(
        issuer: &'a str,
        principal: &'a Principal,
        key_id: Option<&'a str>,
        issued_at: Option<Timestamp>,
    ) -> Self {
        Self {
            issuer,
            subject: principal.subject.as_str(),
            on_behalf_of: principal.on_behalf_of.as_ref().map(Subject::as_str),
            token_id: principal.authentication.credential_id.as_deref(),
            key_id,
            issued_at,
            tenant: principal.tenant.as_ref(),
        }
    }

    pub(crate) fn of(token: &'a VerifiedToken) -> Self {
        Self::new(
            token.issuer(),
            &token.principal,
            token.key_id(),
            token.issued_at(),
        )
    }
}

/// Whether a token was revoked cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the revocations are not available")]
pub struct RevocationsUnavailable {
    /// When to try again.
    pub retry_after: Duration,
}

/// Says whether a token was taken back. It is asked for every token, cached ones too, so it
/// answers from memory: a remote list is kept in step in the background, and its staleness is
/// stated by whoever keeps it.
pub trait Revocations: Send + Sync + fmt::Debug {
    /// Whether the token was revoked.
    ///
    /// # Errors
    ///
    /// [`RevocationsUnavailable`] when it cannot be said; the request is then answered 503.
    fn is_revoked(&self, token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable>;
}

/// Nothing is ever revoked: short-lived tokens are the whole answer.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRevocations;

impl Revocations for NoRevocations {
    fn is_revoked(&self, _token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable> {
        Ok(false)
    }
}

/// There is no room for another revocation. The oldest are not dropped to make some: that would
/// bring a revoked token back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no room for another revocation")]
pub struct RevocationsFull;

/// Revocations of this process, lost with it.
///
/// Each lasts until the last token it can concern has expired; those that are over make room for
/// new ones.
pub struct MemoryRevocations {
    state: RwLock<State>,
    capacity: usize,
}

#[derive(Default)]
struct State {
    /// By issuer, so that a look-up borrows both names.
    issuers: HashMap<Box<str>, OfIssuer>,
    count: usize,
}

#[derive(Default)]
struct OfIssuer {
    /// `jti` to the expiry of the token.
    tokens: HashMap<Box<str>, Timestamp>,
    /// Subject to the time up to which issued tokens are revoked, and the end of the longest of
    /// them.
    subjects: HashMap<Box<str>, (Timestamp, Timestamp)>,
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
        let is_known = |of_issuer: &OfIssuer| of_issuer.tokens.contains_key(token_id);
        let mut state = self.room_for_one(now, issuer, is_known)?;
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
        let is_known = |of_issuer: &OfIssuer| of_issuer.subjects.contains_key(subject);
        let mut state = self.room_for_one(now, issuer, is_known)?;
        let subjects = &mut state.issuers.entry(issuer.into()).or_default().subjects;
        let known = subjects.get(subject).copied();
        let (until, last) = known.unwrap_or((issued_until, last_expiry));
        let entry = (until.max(issued_until), last.max(last_expiry));
        if subjects.insert(subject.into(), entry).is_none() {
            state.count = state.count.saturating_add(1);
        }
        Ok(())
    }

    /// The state, with room for one more revocation. One that is known needs none.
    fn room_for_one(
        &self,
        now: Timestamp,
        issuer: &str,
        is_known: impl Fn(&OfIssuer) -> bool,
    ) -> Result<RwLockWriteGuard<'_, State>, RevocationsFull> {
        // Plain maps: after a panic elsewhere they are still whole.
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.count >= self.capacity {
            // Past the expiry and the longest skew, the token is refused without us.
            let over = now
                .checked_sub(crate::policy::MAX_CLOCK_SKEW)
                .unwrap_or(now);
            state.drop_before(over);
        }
        if state.count >= self.capacity && !state.issuers.get(issuer).is_some_and(is_known) {
            return Err(RevocationsFull);
        }
        Ok(state)
    }
}

impl State {
    fn drop_before(&mut self, over: Timestamp) {
        let mut count: usize = 0;
        self.issuers.retain(|_, of_issuer| {
            of_issuer.tokens.retain(|_, expires_at| *expires_at >= over);
            of_issuer
                .subjects
                .retain(|_, (_, last_expiry)| *last_expiry >= over);
            let left = of_issuer
                .tokens
                .len()
                .saturating_add(of_issuer.subjects.len());
            count = count.saturating_add(left);
            left > 0
        });
        self.count = count;
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
        let Some(of_issuer) = state.issuers.get(token.issuer) else {
            return Ok(false);
        };
        let is_token_revoked = token
            .token_id
            .is_some_and(|id| of_issuer.tokens.contains_key(id));
        let is_subject_revoked = |subject: &str| {
            let revoked_until = of_issuer.subjects.get(subject);
            revoked_until.is_some_and(|(until, _)| {
                token.issued_at.is_none_or(|issued_at| issued_at <= *until)
            })
        };
        Ok(is_token_revoked
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
