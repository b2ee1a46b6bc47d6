//! Why a call of a store did not happen.

use core::future::Future;
use core::time::Duration;

use crate::error::{Source, TooSlow, is_corruption, source};

/// What a caller is told to wait for: whoever holds the lock, or fills the disk, needs some time.
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

/// Ends the work when it takes longer than `timeout`. What it began is rolled back.
pub(crate) async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(timeout, work).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::Unavailable(Box::new(TooSlow))),
    }
}
