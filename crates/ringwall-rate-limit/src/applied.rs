//! What a request is checked by.

use core::time::Duration;

use crate::decision::MAX_DIMENSIONS;
use crate::policies::{Dimension, Enforcement, Policies};
use crate::quota::Quota;
use crate::store::LimitError;

/// One limit as it holds for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppliedLimit {
    /// Which bucket.
    pub dimension: Dimension,
    /// What it allows.
    pub quota: Quota,
    /// Whether it denies.
    pub enforcement: Enforcement,
    /// The longest that its bucket can owe under any quota that holds for it, now or a moment ago. What is owed
    /// beyond that is the trace of a clock, or of a quota that an operator took back.
    pub longest: Duration,
}

impl Policies {
    /// For stores: the limits of a request as they hold now, in the order of `dimensions`, each once.
    ///
    /// # Errors
    ///
    /// [`LimitError::NoDimensions`], [`LimitError::TooManyDimensions`] (of which no two are the same),
    /// [`LimitError::UnknownPolicy`].
    pub fn apply(&self, dimensions: &[Dimension]) -> Result<Vec<AppliedLimit>, LimitError> {
        if dimensions.is_empty() {
            return Err(LimitError::NoDimensions);
        }
        let mut limits: Vec<AppliedLimit> =
            Vec::with_capacity(dimensions.len().min(MAX_DIMENSIONS));
        for dimension in dimensions {
            if limits.iter().any(|limit| limit.dimension == *dimension) {
                continue;
            }
            if limits.len() >= MAX_DIMENSIONS {
                return Err(LimitError::TooManyDimensions);
            }
            let (quota, enforcement) = self.limit(dimension).ok_or(LimitError::UnknownPolicy)?;
            let longest = Duration::from_nanos(self.longest_nanos(dimension.policy));
            limits.push(AppliedLimit {
                dimension: *dimension,
                quota,
                enforcement,
                longest: longest.max(quota.fill_time()),
            });
        }
        Ok(limits)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_checked_by_each_limit_once_and_by_so_many_at_most() {
        let quota = Quota::per_second(1).unwrap();
        let policies = Policies::builder().add("one", quota).unwrap().build();
        let policy = policies.find("one").unwrap();
        let bucket = |n: u8| policies.dimension(policy, [&[n][..]]).unwrap();
        let all: Vec<Dimension> = (0..=MAX_DIMENSIONS)
            .map(|n| bucket(u8::try_from(n).unwrap()))
            .collect();
        let most = &all[..MAX_DIMENSIONS];
        assert_eq!(policies.apply(&[all[0], all[1], all[0]]).unwrap().len(), 2);
        assert_eq!(policies.apply(most).unwrap().len(), MAX_DIMENSIONS);
        let doubled = [most, most].concat();
        assert_eq!(policies.apply(&doubled).unwrap().len(), MAX_DIMENSIONS);
        assert!(matches!(
            policies.apply(&all),
            Err(LimitError::TooManyDimensions)
        ));
        assert!(matches!(policies.apply(&[]), Err(LimitError::NoDimensions)));
        let none = Policies::builder().build();
        assert!(matches!(
            none.apply(&all[..1]),
            Err(LimitError::UnknownPolicy)
        ));
    }
}
