//! Where keys come from.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ringwall_core::step::Step;

use crate::set::KeySet;

/// No keys can be had, so no token can be judged: answer 503, never 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the verification keys are not available")]
pub struct KeysUnavailable {
    /// When to try again.
    pub retry_after: Duration,
}

/// How well a source can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Health {
    /// The keys are as fresh as they should be.
    Fresh,
    /// The keys are good, and the source could not refresh them.
    Stale,
    /// There are no keys to verify with.
    Unavailable,
}

/// Gives out the keys of one issuer.
///
/// # Contract
///
/// - [`keys`](Self::keys) and [`generation`](Self::generation) answer at once, without a lock that
///   a writer could hold across I/O: they are called for every request.
/// - Two sets with different keys have different generations; [`generation`](Self::generation)
///   is the generation of the set that [`keys`](Self::keys) answers.
/// - A key that left the source is not answered any more once the source knows.
/// - [`refresh`](Self::refresh) may be called with whatever an attacker wrote, as often as an
///   attacker can send requests. It is up to the source to bound what that costs.
pub trait KeySource: Send + Sync + fmt::Debug {
    /// The keys in force.
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`] when the source has none that may still be used.
    fn keys(&self) -> Result<Arc<KeySet>, KeysUnavailable>;

    /// The generation of the keys in force.
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`] when the source has none that may still be used.
    fn generation(&self) -> Result<u64, KeysUnavailable>;

    /// A token named a key that the set does not have. Answers whether it is worth looking again.
    fn refresh(&self, missing: &str) -> Step<bool>;

    /// How well the source can serve, for a readiness probe.
    fn health(&self) -> Health;
}

/// Keys that are set by hand, and can be replaced by hand.
pub struct StaticKeys(ArcSwap<KeySet>);

impl StaticKeys {
    /// Serves `keys`.
    #[must_use]
    pub fn new(keys: KeySet) -> Self {
        Self(ArcSwap::from_pointee(keys))
    }

    /// Serves `keys` from now on. Tokens of keys that are not among them are refused at once, in
    /// the cache too.
    pub fn replace(&self, keys: KeySet) {
        self.0.store(Arc::new(keys));
    }
}

impl fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StaticKeys").field(&self.0.load()).finish()
    }
}

impl KeySource for StaticKeys {
    fn keys(&self) -> Result<Arc<KeySet>, KeysUnavailable> {
        Ok(self.0.load_full())
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        Ok(self.0.load().generation())
    }

    fn refresh(&self, _missing: &str) -> Step<bool> {
        Step::Done(false)
    }

    fn health(&self) -> Health {
        Health::Fresh
    }
}
