//! What a route demands, looked up once.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::policy::Policy;
use crate::subject::Subject;

/// How many bits of a look-up are the answer; the others are the policy that gave it.
const ANSWER_BITS: u32 = 16;
const NOT_THERE: u64 = (1 << ANSWER_BITS) - 1;

/// A name that is looked up once for each policy, and then kept: make it where a route is registered.
#[derive(Debug)]
struct Kept {
    name: Box<str>,
    /// The policy and the number, in one word, so that both are of one look-up. Zero is of no policy.
    found: AtomicU64,
}

impl Kept {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            found: AtomicU64::new(0),
        }
    }

    fn number(&self, policy: &Policy, find: impl FnOnce(&str) -> Option<u16>) -> Option<u16> {
        let generation = policy.compiled().generation << ANSWER_BITS;
        // The word is complete in itself; nothing else is published by it.
        let kept = self.found.load(Ordering::Relaxed);
        let answer = if kept & !NOT_THERE == generation {
            kept & NOT_THERE
        } else {
            let found = find(&self.name).map_or(NOT_THERE, u64::from);
            self.found.store(generation | found, Ordering::Relaxed);
            found
        };
        u16::try_from(answer).ok().filter(|_| answer != NOT_THERE)
    }
}

/// A scope that something demands. It costs a comparison and a bit where [`Subject::has_scope`] looks a text up.
///
/// ```
/// use ringwall_authz::{RequiredScope, ready};
/// # use ringwall_core::attest::Attest;
/// # use ringwall_core::principal::*;
/// # let mut principal = Principal::new(
/// #     PrincipalKind::User,
/// #     Subject::new("u1")?,
/// #     Authentication::new(AuthenticationMethod::Token),
/// # );
/// # let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
///
/// let discover = RequiredScope::new("discover"); // once
/// let policy = ready::endpoints()?;
/// let subject = policy.subject(&principal).roles(["analyst"]).build();
/// assert!(discover.is_held_by(&subject)); // for each request
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RequiredScope(Kept);

impl RequiredScope {
    /// A scope of this name. A policy that does not have it lets nobody hold it.
    #[must_use]
    pub fn new(scope: &str) -> Self {
        Self(Kept::new(scope))
    }

    /// Whether `subject` holds it, as [`Subject::has_scope`] says.
    #[must_use]
    pub fn is_held_by(&self, subject: &Subject) -> bool {
        let known = subject.known();
        let number = self.0.number(&known.policy, |name| {
            known.policy.compiled().parts.scopes.find(name)
        });
        number.is_some_and(|number| known.has_scope(number))
    }
}

/// A role that something demands. It costs a comparison and a bit where [`Subject::has_role`] looks a text up.
#[derive(Debug)]
pub struct RequiredRole(Kept);

impl RequiredRole {
    /// A role of this name. A policy that does not have it lets nobody hold it.
    #[must_use]
    pub fn new(role: &str) -> Self {
        Self(Kept::new(role))
    }

    /// Whether `subject` uses it, as [`Subject::has_role`] says.
    #[must_use]
    pub fn is_held_by(&self, subject: &Subject) -> bool {
        let known = subject.known();
        let number = self.0.number(&known.policy, |name| {
            known.policy.compiled().parts.roles.find(name)
        });
        number.is_some_and(|number| known.has_role(number))
    }
}
