//! What is wrong with a configuration.

use core::time::Duration;

use crate::memory::{MAX_CAPACITY, MAX_LONGEST};

/// Why a store was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not between one and [`MAX_CAPACITY`] claims.
    #[error(
        "the capacity of a replay store is {given} claims, and must be from 1 to {MAX_CAPACITY}"
    )]
    Capacity {
        /// What was asked for.
        given: usize,
    },
    /// Not more than zero and at most [`MAX_LONGEST`].
    #[error(
        "claims are to be remembered for {given:?}, and must be for more than zero and at most {MAX_LONGEST:?}"
    )]
    Longest {
        /// What was asked for.
        given: Duration,
    },
}

impl Error {
    /// Never: the configuration has to be changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Capacity { .. } | Self::Longest { .. } => false,
        }
    }
}
