//! The circumstances of an action.

use ringwall_core::clock::Timestamp;

use crate::compile::shapes::find;
use crate::policy::Policy;
use crate::slots::{AttributeError, Slots};
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

    pub(crate) fn value(&self, place: u16) -> Datum<'_> {
        self.slots.get(place)
    }
}
