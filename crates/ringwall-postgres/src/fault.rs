//! Why a call of a store did not happen.

use core::time::Duration;

use crate::error::{Source, is_corruption, source};

/// What a caller is told to wait for: a server that starts again needs some time.
pub(crate) const SOON: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) enum Fault {
    #[cfg(feature = "api-keys")]
    NotFound,
    #[cfg(feature = "api-keys")]
    Conflict,
    Corrupt(Source),
    Unavailable(Source),
}

impl Fault {
    pub(crate) fn corrupt(cause: impl core::error::Error + Send + Sync + 'static) -> Self {
        Self::Corrupt(Box::new(cause))
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        if is_corruption(&error) {
            Self::Corrupt(source(error))
        } else {
            Self::Unavailable(source(error))
        }
    }
}
