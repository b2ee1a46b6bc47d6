//! What a policy answers.

use core::fmt;

use ringwall_core::classification::Obligation;
use ringwall_core::denial::Denial;

use crate::policy::{Policy, PolicyHash};
use crate::slots::AttributeError;

/// How many determining rules a decision names. [`explain`](crate::Policy::explain) names all.
pub const MAX_NAMED_RULES: usize = 8;

/// Permit or forbid; there is nothing between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The action may be done, once the obligations are met.
    Permit,
    /// It may not.
    Forbid,
}

/// Why a decision is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// A rule permits it, and none forbids it.
    Permitted,
    /// A rule forbids it: its condition is true, or unknown.
    ForbiddenByRule,
    /// No rule permits it.
    NoRuleApplies,
    /// The resource belongs to another tenant, or to none. It does not exist for this subject.
    OtherTenant,
    /// The subject acts in no tenant.
    NoTenant,
    /// The roles of the subject break a separation of duty, so it may do nothing.
    SeparationOfDuty,
    /// The type of resource has no such action.
    UnknownAction,
    /// The subject, the resource or the context were made for another policy, or another version of this one: begin
    /// anew with one policy.
    OtherPolicy,
}

impl Cause {
    /// The stable name, for events and the audit trail.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Permitted => "permitted",
            Self::ForbiddenByRule => "forbidden_by_rule",
            Self::NoRuleApplies => "no_rule_applies",
            Self::OtherTenant => "other_tenant",
            Self::NoTenant => "no_tenant",
            Self::SeparationOfDuty => "separation_of_duty",
            Self::UnknownAction => "unknown_action",
            Self::OtherPolicy => "other_policy",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The numbers of some rules, in place.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RuleNumbers {
    numbers: [u32; MAX_NAMED_RULES],
    len: usize,
}

impl RuleNumbers {
    pub(crate) fn push(&mut self, number: u32) {
        if let Some(slot) = self.numbers.get_mut(self.len) {
            *slot = number;
        }
        self.len = self.len.saturating_add(1);
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.numbers.into_iter().take(self.len)
    }
}

/// What a policy answers.
#[derive(Clone, Debug)]
#[must_use = "a decision that nobody looks at permits everything"]
pub struct Decision {
    pub(crate) policy: Policy,
    pub(crate) outcome: Outcome,
    pub(crate) cause: Cause,
    pub(crate) rules: RuleNumbers,
    pub(crate) obligations: Vec<Obligation>,
    pub(crate) errors: Vec<AttributeError>,
}

impl Decision {
    /// Permit or forbid.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether it is a permit.
    #[must_use]
    pub const fn is_permit(&self) -> bool {
        matches!(self.outcome, Outcome::Permit)
    }

    /// Why.
    #[must_use]
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// The rules that decided: those that permit, or those that forbid. Eight at most, in the order in which they
    /// were found.
    pub fn determining_rules(&self) -> impl Iterator<Item = &str> {
        let compiled = self.policy.compiled();
        self.rules
            .iter()
            .filter_map(|number| compiled.rule(number))
            .map(|rule| &*rule.id)
    }

    /// How many rules decided.
    #[must_use]
    pub const fn number_of_determining_rules(&self) -> usize {
        self.rules.len
    }

    /// What is still owed: of every rule that permits, the strictest mask, all fields that are removed, and whether
    /// a reason is demanded. Empty for a forbid. Whoever does not know one of them denies.
    #[must_use]
    pub fn obligations(&self) -> &[Obligation] {
        &self.obligations
    }

    /// Attributes that were told in a way that the policy does not know, and that counted as unknown.
    #[must_use]
    pub fn errors(&self) -> &[AttributeError] {
        &self.errors
    }

    /// The hash of the policy that answered.
    #[must_use]
    pub fn policy_hash(&self) -> PolicyHash {
        self.policy.hash()
    }

    /// What the caller may hear: `None` for a permit; that there is no such thing for what is another tenant's; that
    /// nobody can tell for what was put together from two policies; otherwise that it is forbidden.
    #[must_use]
    pub fn denial(&self) -> Option<Denial> {
        match (self.outcome, self.cause) {
            (Outcome::Permit, _) => None,
            // Of what has a tenant, nothing exists for who has none.
            (Outcome::Forbid, Cause::OtherTenant | Cause::NoTenant) => Some(Denial::NotFound),
            (Outcome::Forbid, Cause::OtherPolicy) => Some(Denial::Unavailable {
                retry_after: core::time::Duration::from_secs(1),
            }),
            (
                Outcome::Forbid,
                Cause::Permitted
                | Cause::ForbiddenByRule
                | Cause::NoRuleApplies
                | Cause::SeparationOfDuty
                | Cause::UnknownAction,
            ) => Some(Denial::Forbidden { challenge: None }),
        }
    }
}

/// Such as `forbid: forbidden_by_rule (no-deletion)`.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Permit => "permit",
            Outcome::Forbid => "forbid",
        };
        write!(f, "{outcome}: {}", self.cause)?;
        if !self.rules.is_empty() {
            let rules: Vec<&str> = self.determining_rules().collect();
            write!(f, " ({})", rules.join(", "))?;
        }
        Ok(())
    }
}
