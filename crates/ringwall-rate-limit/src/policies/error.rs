//! Why limits cannot be.

#[cfg(doc)]
use super::{MAX_OVERRIDES, MAX_POLICIES, PoliciesBuilder};

/// Why limits cannot be as they were said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A name that could not stand in a header field or a metric.
    #[error("the name of a limit is 1 to 64 of a-z, 0-9, '-' and '_'")]
    Name,
    /// A name that is taken.
    #[error("two limits have one name")]
    Duplicate,
    /// See [`MAX_POLICIES`].
    #[error("a service has at most 256 limits")]
    TooMany,
    /// A limit of other policies.
    #[error("there is no such limit")]
    Unknown,
    /// See [`MAX_OVERRIDES`].
    #[error("at most 65536 buckets have a quota of their own")]
    TooManyOverrides,
    /// The operator's own quota is above the ceiling that the operator says: in its rate, its burst, or the time in
    /// which it fills.
    #[error("the quota of the limit is above its ceiling, or takes longer to fill than it")]
    AboveCeiling,
    /// See [`PoliciesBuilder::guard`].
    #[error("the limit bounds guessing, so it is never open while its store does not answer")]
    Guard,
    /// Tenants set nothing of this limit.
    #[error("the limit has no ceiling, so nobody but the operator sets quotas of it")]
    NoCeiling,
}
