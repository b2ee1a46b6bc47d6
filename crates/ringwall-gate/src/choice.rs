//! Whose credential a request presents.

use std::sync::Arc;

use crate::authenticator::Authenticator;
use crate::refusal::Refusal;

/// Whose credential a request presents.
pub(crate) enum Choice<'a> {
    /// The route looks at none.
    NotAsked,
    /// It presents none.
    Nobody,
    /// One, which this authenticator reads.
    One(&'a Arc<dyn Authenticator>),
    /// One that nobody reads, or several.
    Refused(Refusal),
}

/// The same by its own, while something waits.
pub(crate) enum HeldChoice {
    NotAsked,
    Nobody,
    One(Arc<dyn Authenticator>),
    Refused(Refusal),
}

impl Choice<'_> {
    /// Whether a credential is presented that somebody would look at.
    pub(crate) const fn presents(&self) -> bool {
        matches!(self, Self::One(_) | Self::Refused(_))
    }

    pub(crate) fn held(self) -> HeldChoice {
        match self {
            Self::NotAsked => HeldChoice::NotAsked,
            Self::Nobody => HeldChoice::Nobody,
            Self::One(authenticator) => HeldChoice::One(Arc::clone(authenticator)),
            Self::Refused(refusal) => HeldChoice::Refused(refusal),
        }
    }
}

impl HeldChoice {
    pub(crate) fn lend(&self) -> Choice<'_> {
        match self {
            Self::NotAsked => Choice::NotAsked,
            Self::Nobody => Choice::Nobody,
            Self::One(authenticator) => Choice::One(authenticator),
            Self::Refused(refusal) => Choice::Refused(refusal.clone()),
        }
    }
}
