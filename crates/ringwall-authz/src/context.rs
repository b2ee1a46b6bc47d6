//! The circumstances of an action.

use ringwall_core::clock::Timestamp;

use crate::bits::Bits;
use crate::compile::shapes::find;
use crate::policy::Policy;
use crate::slots::{AttributeError, Slots};
use crate::truth::Truth;
use crate::value::{Datum, Value};

/// The circumstances of an action: the time, and what the policy declares under `context`.
///
/// Tell what the service knows, never what the caller says of itself.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    policy: Policy,
    now: Timestamp,
    slots: Slots<'a>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(policy: Policy, now: Timestamp) -> Self {
        let number = policy.compiled().parts.context.len();
        Self {
            policy,
            now,
            slots: Slots::new(number),
        }
    }

    /// One attribute. What does not fit is an [error](Self::errors), and unknown.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value<'a>>) -> Self {
        let parts = &self.policy.compiled().parts;
        let found = find(&parts.context, name);
        self.slots
            .set("context", name, found, &parts.levels, value.into());
        self
    }

    /// The same circumstances for another policy, such as a candidate that decides beside the one in force: by their
    /// names, with what this policy does not know and that one may. What neither knows is an error of both.
    #[must_use]
    pub fn for_policy(&self, policy: &Policy) -> Context<'_> {
        let parts = &self.policy.compiled().parts;
        let mut told = policy.context(self.now);
        for (name, value) in self.slots.misfits() {
            told = told.attribute(name, value);
        }
        for (place, attribute) in (0_u16..).zip(&parts.context) {
            let value = self.slots.get(place).told(attribute.kind, &parts.levels);
            // What this policy alone declares is no mistake for that one.
            if self.slots.is_told_well(place)
                && find(&policy.compiled().parts.context, &attribute.name).is_some()
            {
                told = told.attribute(&attribute.name, value);
            }
        }
        told
    }

    /// The time.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Attributes that were told in a way that the policy does not know.
    #[must_use]
    pub fn errors(&self) -> &[AttributeError] {
        &self.slots.errors
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn is_set(&self, place: u16) -> Truth {
        self.slots.is_set(place)
    }

    /// Whether an attribute that the policy declares was told as what it is not.
    pub(crate) fn is_broken(&self) -> bool {
        self.slots.is_broken()
    }

    /// Whether one of these attributes was not told, unless by a name that was misspelt.
    pub(crate) fn has_perhaps(&self, asked: &Bits<1>) -> bool {
        self.slots.has_perhaps(asked)
    }

    pub(crate) fn value(&self, place: u16) -> Datum<'_> {
        self.slots.get(place)
    }
}
