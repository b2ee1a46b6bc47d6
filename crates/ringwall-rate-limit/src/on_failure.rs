//! What a limit says while its store does not answer.

use core::num::NonZeroU32;

#[cfg(doc)]
use crate::{Enforcement, Quota};

/// What a limit says while its store does not answer.
///
/// A request whose limits say different things is treated as the strictest of them says: if one is closed, it is
/// denied; if one is local, that one counts it; it passes unchecked only if all are open. A limit that is
/// tried out ([`Enforcement::Shadow`]) is never closed, for it denies nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnFailure {
    /// Requests are denied as unavailable (503).
    #[default]
    Closed,
    /// Requests pass unchecked. A limit that bounds guessing refuses it
    /// ([`PoliciesBuilder::guard`](crate::PoliciesBuilder::guard)): whoever can disturb the store would be free of it.
    Open,
    /// This process counts alone, against its share of the quota.
    Local {
        /// How many processes share the limit. Each allows that part of the rate and of the burst, and one token
        /// at least: see [`Quota::divided`].
        divisor: NonZeroU32,
    },
}
