//! The policy that a service follows, replaced while it runs.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::context::Context;
use crate::decision::Decision;
use crate::fault::PolicyFaults;
use crate::policy::{Policy, PolicyHash};
use crate::resource::{Resource, UnknownResourceType};
use crate::subject::Subject;

/// The policy that a service follows. Clones are handles of the same one.
///
/// A request takes the policy once ([`load`](Self::load)) and keeps it to its end, so that it is judged by one policy
/// also while that is replaced.
#[derive(Clone, Debug)]
pub struct PolicyHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    live: ArcSwap<Policy>,
    candidate: ArcSwapOption<Policy>,
    /// Held while a text is read and put into force, so that of two the later one stays.
    turn: Mutex<()>,
    observer: Arc<dyn PolicyObserver>,
}

/// Is told what happens to the policy of a service. Implementations answer at once and never block.
pub trait PolicyObserver: Send + Sync + core::fmt::Debug {
    /// Another policy is in force.
    fn replaced(&self, before: PolicyHash, now: PolicyHash);

    /// A policy that was to come into force is refused; the one before stays in force.
    fn refused(&self, faults: &PolicyFaults);

    /// The candidate decides otherwise than the policy in force, which counts. `None` when it could not be asked: it
    /// has no such type of resource.
    fn differs(&self, live: &Decision, candidate: Option<&Decision>);
}

/// Tells nobody: for tests, and for services that never replace their policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl PolicyObserver for NoObserver {
    fn replaced(&self, _: PolicyHash, _: PolicyHash) {}
    fn refused(&self, _: &PolicyFaults) {}
    fn differs(&self, _: &Decision, _: Option<&Decision>) {}
}

/// All that a decision is about, made for one policy.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// Who acts.
    pub subject: Subject,
    /// On what.
    pub resource: Resource<'a>,
    /// Under which circumstances.
    pub context: Context<'a>,
}

impl PolicyHandle {
    /// Follows `policy`.
    #[must_use]
    pub fn new(policy: Policy, observer: Arc<dyn PolicyObserver>) -> Self {
        Self(Arc::new(Shared {
            live: ArcSwap::from_pointee(policy),
            candidate: ArcSwapOption::empty(),
            turn: Mutex::new(()),
            observer,
        }))
    }

    /// The policy in force now.
    #[must_use]
    pub fn load(&self) -> Policy {
        Policy::clone(&self.0.live.load())
    }

    /// Puts `policy` into force, for requests that begin from here on.
    pub fn replace(&self, policy: Policy) {
        let now = policy.hash();
        let before = self.0.live.swap(Arc::new(policy)).hash();
        self.0.observer.replaced(before, now);
    }

    /// Puts a policy in TOML into force. One in which something is wrong changes nothing: the policy before stays in
    /// force, and the observer is told.
    ///
    /// # Errors
    ///
    /// [`PolicyFaults`].
    pub fn replace_toml(&self, text: &str) -> Result<PolicyHash, PolicyFaults> {
        self.read(|| Policy::from_toml(text))
    }

    /// As [`replace_toml`](Self::replace_toml), in JSON.
    ///
    /// # Errors
    ///
    /// [`PolicyFaults`].
    pub fn replace_json(&self, text: &str) -> Result<PolicyHash, PolicyFaults> {
        self.read(|| Policy::from_json(text))
    }

    fn read(
        &self,
        read: impl FnOnce() -> Result<Policy, PolicyFaults>,
    ) -> Result<PolicyHash, PolicyFaults> {
        // Nothing is half done under it, whoever panicked.
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match read() {
            Ok(policy) => {
                let hash = policy.hash();
                self.replace(policy);
                Ok(hash)
            }
            Err(faults) => {
                self.0.observer.refused(&faults);
                Err(faults)
            }
        }
    }

    /// Lets a candidate decide beside the policy in force, or no longer. What it decides counts for nothing; where it
    /// differs, the observer is told.
    pub fn shadow(&self, candidate: Option<Policy>) {
        self.0.candidate.store(candidate.map(Arc::new));
    }

    /// Decides by the policy in force, and asks the candidate too, if there is one. `question` puts together what is
    /// known for the policy that it is given, so it may be called twice.
    ///
    /// # Errors
    ///
    /// [`UnknownResourceType`] when the policy in force has no such type.
    pub fn decide<'a>(
        &self,
        action: &str,
        question: impl Fn(&Policy) -> Result<Question<'a>, UnknownResourceType>,
    ) -> Result<Decision, UnknownResourceType> {
        let policy = self.load();
        let asked = question(&policy)?;
        let live = policy.decide(&asked.subject, action, &asked.resource, &asked.context);
        self.compare(&live, action, question);
        Ok(live)
    }

    /// Asks the candidate, if there is one, what the policy in force has decided, and tells the observer where it
    /// differs. `question` puts together what is known for the candidate.
    pub fn compare<'a>(
        &self,
        live: &Decision,
        action: &str,
        question: impl FnOnce(&Policy) -> Result<Question<'a>, UnknownResourceType>,
    ) {
        let Some(candidate) = self.0.candidate.load_full() else {
            return;
        };
        let other = question(&candidate)
            .map(|asked| candidate.decide(&asked.subject, action, &asked.resource, &asked.context));
        let is_same = other.as_ref().is_ok_and(|other| {
            other.outcome() == live.outcome() && other.obligations() == live.obligations()
        });
        if !is_same {
            self.0.observer.differs(live, other.as_ref().ok());
        }
    }

    /// Whether a candidate decides beside the policy in force.
    #[must_use]
    pub fn has_candidate(&self) -> bool {
        self.0.candidate.load().is_some()
    }
}
