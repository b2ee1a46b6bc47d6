//! What is wrong with limits and tiers.

use core::fmt;

use crate::policies::PolicyError;

/// Everything that is wrong with limits and tiers: one fault at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFaults(pub(crate) Vec<RuleFault>);

impl RuleFaults {
    /// The faults.
    pub fn iter(&self) -> core::slice::Iter<'_, RuleFault> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a RuleFaults {
    type Item = &'a RuleFault;
    type IntoIter = core::slice::Iter<'a, RuleFault>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for RuleFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, fault) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleFaults {}

/// Something that is wrong with limits or tiers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleFault {
    /// The limit itself cannot be.
    #[error("the limit {limit:?}: {fault}")]
    Policy {
        /// The limit.
        limit: Box<str>,
        /// Why.
        fault: PolicyError,
    },
    /// A limit for everybody together would let anybody use it up for all.
    #[error("the limit {limit:?} counts by nothing")]
    NoParts {
        /// The limit.
        limit: Box<str>,
    },
    /// The same part twice.
    #[error("the limit {limit:?} counts by the same twice")]
    RepeatedPart {
        /// The limit.
        limit: Box<str>,
    },
    /// More than a key takes: of project, user and identity two at most, and of all others few beside them.
    #[error("the limit {limit:?} counts by more than a key takes")]
    TooManyParts {
        /// The limit.
        limit: Box<str>,
    },
    /// The name that an ingress set is gone when handlers check their limits.
    #[error("the limit {limit:?} counts by identity and by what handlers give at once")]
    GivenIdentity {
        /// The limit.
        limit: Box<str>,
    },
    /// See [`LimitRule::IPV6_PREFIXES`](crate::LimitRule::IPV6_PREFIXES).
    #[error("the limit {limit:?} counts IPv6 addresses by something else than 32 to 128 bits")]
    Ipv6Prefix {
        /// The limit.
        limit: Box<str>,
    },
    /// A limit of requests without a credential counts by something that only a credential gives.
    #[error("the limit {limit:?} counts requests without a credential, and not by address alone")]
    WithoutCredential {
        /// The limit.
        limit: Box<str>,
    },
    /// Before a credential is verified nothing is known but the address.
    #[error("failed credentials are counted by address alone")]
    FailedCredentials,
    /// Whoever can disturb the store would be free to guess. See [`LimitRule::guard`](crate::LimitRule::guard).
    #[error(
        "the limit {limit:?} bounds guessing, and is to be open while its store does not answer"
    )]
    OpenGuard {
        /// The limit.
        limit: Box<str>,
    },
    /// A limit that no tier has and no handler checks limits nothing.
    #[error("the limit {limit:?} is in no tier")]
    Unused {
        /// The limit.
        limit: Box<str>,
    },
    /// A name that could not stand in a configuration.
    #[error("the name of the tier {tier:?} is not 1 to 64 of a-z, 0-9, '-' and '_'")]
    TierName {
        /// The tier.
        tier: Box<str>,
    },
    /// A tier that limits nothing.
    #[error("the tier {tier:?} has no limits")]
    EmptyTier {
        /// The tier.
        tier: Box<str>,
    },
    /// More than one request is checked against: six, failed credentials included.
    #[error(
        "the tier {tier:?} has more limits than a request is checked against, which are six, failed credentials included"
    )]
    TooManyLimits {
        /// The tier.
        tier: Box<str>,
    },
    /// A limit that does not exist.
    #[error("the tier {tier:?} names the limit {limit:?}, which does not exist")]
    UnknownLimit {
        /// The tier.
        tier: Box<str>,
        /// The limit.
        limit: Box<str>,
    },
    /// The same limit twice.
    #[error("the tier {tier:?} names the limit {limit:?} twice")]
    RepeatedLimit {
        /// The tier.
        tier: Box<str>,
        /// The limit.
        limit: Box<str>,
    },
    /// What a handler gives is known to no door.
    #[error("the tier {tier:?} names the limit {limit:?}, which its handlers have to check")]
    GivenInTier {
        /// The tier.
        tier: Box<str>,
        /// The limit.
        limit: Box<str>,
    },
}
