//! One limit: how much, counted by what.

use crate::caller::KeyPart;
use crate::key::KeyHasher;
use crate::on_failure::OnFailure;
use crate::policies::{Enforcement, PolicyId};
use crate::quota::Quota;
use crate::rule_fault::RuleFault;
use crate::tiers::Bound;

/// One limit: how much, counted by what.
#[derive(Clone, Debug)]
#[must_use = "a limit does nothing until it is given to a builder"]
pub struct LimitRule {
    pub(crate) name: Box<str>,
    pub(crate) quota: Quota,
    parts: Vec<KeyPart>,
    without_credential: bool,
    skips_absent: bool,
    ipv6_prefix: u8,
    pub(crate) ceiling: Option<Quota>,
    pub(crate) enforcement: Enforcement,
    pub(crate) on_failure: OnFailure,
    pub(crate) is_guard: bool,
}

impl LimitRule {
    /// The network of an IPv6 address unless said otherwise, in bits: what one site gets at least (RFC 6177), so
    /// that whoever goes through the addresses of its own network stays in one bucket.
    pub const IPV6_PREFIX: u8 = 64;

    /// The shortest and the longest network of IPv6 addresses.
    pub const IPV6_PREFIXES: core::ops::RangeInclusive<u8> = 32..=128;

    /// So much for each that `parts` name together. The name goes into header fields and metrics.
    ///
    /// A limit by addresses alone is checked before anybody is authenticated, and every other one after it. A
    /// limit that counts by something that only authenticated callers have leaves everybody else to the
    /// other limits of the tier.
    pub fn new(name: &str, quota: Quota, parts: impl IntoIterator<Item = KeyPart>) -> Self {
        Self {
            name: name.into(),
            quota,
            parts: parts.into_iter().collect(),
            without_credential: false,
            skips_absent: false,
            ipv6_prefix: Self::IPV6_PREFIX,
            ceiling: None,
            enforcement: Enforcement::Enforced,
            on_failure: OnFailure::Closed,
            is_guard: false,
        }
    }

    /// Counts only requests that present no credential, and all requests of routes that look at none. For
    /// limits by address.
    pub const fn without_credential(mut self) -> Self {
        self.without_credential = true;
        self
    }

    /// Leaves authenticated callers without a part of the key (an organisation, an API key) to the other
    /// limits of the tier, where they are denied otherwise. They are denied still where no limit of the tier
    /// counts them.
    pub const fn skip_absent(mut self) -> Self {
        self.skips_absent = true;
        self
    }

    /// Counts IPv6 addresses by networks of so many bits: 64 unless said. A second limit by 48 bits holds those
    /// who own a larger network and change through it.
    pub const fn ipv6_prefix(mut self, bits: u8) -> Self {
        self.ipv6_prefix = bits;
        self
    }

    /// The most that a tenant may set for itself ([`Policies::set_tenant_override`](crate::Policies::set_tenant_override)).
    pub const fn ceiling(mut self, ceiling: Quota) -> Self {
        self.ceiling = Some(ceiling);
        self
    }

    /// Tries the limit out: it denies nothing.
    pub const fn shadow(mut self) -> Self {
        self.enforcement = Enforcement::Shadow;
        self
    }

    /// What it says while its store does not answer: closed unless said. A request is treated as the strictest
    /// of its limits says, so a tier is as open as the least open of its limits.
    pub const fn on_failure(mut self, rule: OnFailure) -> Self {
        self.on_failure = rule;
        self
    }

    /// It bounds guessing, so it is never open while its store does not answer. What handlers give
    /// ([`KeyPart::Given`]), the tier `auth` ([`AUTH_TIER`](crate::AUTH_TIER)) and failed credentials are counted by
    /// such limits anyway.
    pub const fn guard(mut self) -> Self {
        self.is_guard = true;
        self
    }

    /// Whether it was said to bound guessing ([`guard`](Self::guard)).
    #[must_use]
    pub const fn is_guard(&self) -> bool {
        self.is_guard
    }

    /// What it says while its store does not answer.
    #[must_use]
    pub const fn failure_policy(&self) -> OnFailure {
        self.on_failure
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How much it allows.
    #[must_use]
    pub const fn quota(&self) -> Quota {
        self.quota
    }

    /// What it counts by.
    #[must_use]
    pub fn parts(&self) -> &[KeyPart] {
        &self.parts
    }

    /// Whether it counts only requests that present no credential.
    #[must_use]
    pub const fn counts_strangers_alone(&self) -> bool {
        self.without_credential
    }

    /// Whether it leaves callers without a part of the key to other limits.
    #[must_use]
    pub const fn skips_absent(&self) -> bool {
        self.skips_absent
    }

    /// By networks of how many bits it counts IPv6 addresses.
    #[must_use]
    pub const fn ipv6_bits(&self) -> u8 {
        self.ipv6_prefix
    }

    /// Whether it denies.
    #[must_use]
    pub const fn enforcement(&self) -> Enforcement {
        self.enforcement
    }

    pub(crate) fn is_given(&self) -> bool {
        self.parts.contains(&KeyPart::Given)
    }

    pub(crate) fn is_by_address(&self) -> bool {
        self.parts.iter().all(|part| *part == KeyPart::Address)
    }

    pub(crate) fn faults(&self, faults: &mut Vec<RuleFault>) {
        let limit = || self.name.clone();
        if self.parts.is_empty() {
            faults.push(RuleFault::NoParts { limit: limit() });
        }
        let mut seen: Vec<KeyPart> = Vec::new();
        for part in &self.parts {
            if seen.contains(part) {
                faults.push(RuleFault::RepeatedPart { limit: limit() });
            }
            seen.push(*part);
        }
        // A project is named with its organisation.
        let is_in_project =
            |part: KeyPart| part == KeyPart::Organisation && self.parts.contains(&KeyPart::Project);
        let widths = self.parts.iter().filter(|part| !is_in_project(**part));
        let width = widths.fold(0, |sum: usize, part| sum.saturating_add(part.width()));
        if width > KeyHasher::MAX_PARTS {
            faults.push(RuleFault::TooManyParts { limit: limit() });
        }
        if self.is_given() && self.parts.contains(&KeyPart::Identity) {
            faults.push(RuleFault::GivenIdentity { limit: limit() });
        }
        if !Self::IPV6_PREFIXES.contains(&self.ipv6_prefix) {
            faults.push(RuleFault::Ipv6Prefix { limit: limit() });
        }
        if self.without_credential && !self.is_by_address() {
            faults.push(RuleFault::WithoutCredential { limit: limit() });
        }
    }

    pub(crate) fn bind(&self, policy: PolicyId) -> Bound {
        Bound {
            policy,
            parts: self.parts.as_slice().into(),
            needs_principal: self.parts.iter().any(|part| part.needs_principal()),
            without_credential: self.without_credential,
            skips_absent: self.skips_absent,
            ipv6_prefix: self.ipv6_prefix,
        }
    }
}
