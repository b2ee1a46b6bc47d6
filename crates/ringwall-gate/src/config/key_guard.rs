//! Keys of which the service itself has a last word.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::step::Step;
use ringwall_jose::{Health, KeySet, KeySetRef, KeySource, KeysUnavailable};

/// When a caller may come back while keys lie among the others that must not.
const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Says whether a set of keys may be used.
#[derive(Clone)]
pub(super) struct KeyGuard(Arc<dyn Fn(&KeySet) -> bool + Send + Sync>);

impl KeyGuard {
    pub(super) fn new(accepts: impl Fn(&KeySet) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(accepts))
    }

    /// The keys of this source, as long as the guard has nothing against them.
    pub(super) fn guard(&self, keys: Arc<dyn KeySource>) -> Arc<dyn KeySource> {
        Arc::new(Guarded {
            keys,
            guard: self.clone(),
        })
    }
}

impl fmt::Debug for KeyGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyGuard")
    }
}

/// A source that is looked at before each use. While the guard refuses its keys, nobody's token is judged:
/// that is an outage (503), and no word about the tokens.
#[derive(Clone, Debug)]
struct Guarded {
    keys: Arc<dyn KeySource>,
    guard: KeyGuard,
}

impl Guarded {
    fn checked(&self) -> Result<KeySetRef, KeysUnavailable> {
        let keys = self.keys.keys()?;
        if (self.guard.0)(&keys) {
            Ok(keys)
        } else {
            Err(KeysUnavailable {
                retry_after: RETRY_AFTER,
            })
        }
    }
}

impl KeySource for Guarded {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        self.checked()
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        self.checked().map(|keys| keys.generation())
    }

    fn refresh(&self, missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        // What was looked for may not be there, and what must not be there may have come.
        match self.keys.refresh(missing) {
            Step::Done(found) => Step::Done(self.checked().and(found)),
            Step::Wait(looking) => {
                let guarded = self.clone();
                Step::wait(async move {
                    let found = looking.await;
                    guarded.checked().and(found)
                })
            }
        }
    }

    fn health(&self) -> Health {
        match self.checked() {
            Ok(_) => self.keys.health(),
            Err(_) => Health::Unavailable,
        }
    }
}
