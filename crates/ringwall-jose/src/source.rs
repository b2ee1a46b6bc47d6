//! Where keys come from.

use core::fmt;
use core::ops::Deref;
use core::time::Duration;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
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

/// The keys in force, borrowed from their source: hold it for one verification.
///
/// Counting references would make every request of every core write to one cache line, so a
/// source that replaces its set without a lock lends it instead. The set stays whole while it is
/// lent, also when the source has replaced it meanwhile.
pub struct KeySetRef(Held);

enum Held {
    Shared(Arc<KeySet>),
    Lent(Guard<Arc<KeySet>>),
}

impl KeySetRef {
    pub(crate) fn lent(keys: &ArcSwap<KeySet>) -> Self {
        Self(Held::Lent(keys.load()))
    }

    /// The set itself, to be kept.
    #[must_use]
    pub fn into_shared(self) -> Arc<KeySet> {
        match self.0 {
            Held::Shared(keys) => keys,
            Held::Lent(keys) => Guard::into_inner(keys),
        }
    }
}

impl From<Arc<KeySet>> for KeySetRef {
    fn from(keys: Arc<KeySet>) -> Self {
        Self(Held::Shared(keys))
    }
}

impl Deref for KeySetRef {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        match &self.0 {
            Held::Shared(keys) => keys,
            Held::Lent(keys) => keys,
        }
    }
}

impl fmt::Debug for KeySetRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
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
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable>;

    /// The generation of the keys in force.
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`] when the source has none that may still be used.
    fn generation(&self) -> Result<u64, KeysUnavailable>;

    /// A token named a key that the set does not have. Answers whether it is there now.
    ///
    /// The answer owns what it needs: whoever asked may drop it at any time, and nothing is left
    /// behind that could keep others from asking.
    ///
    /// # Errors
    ///
    /// [`KeysUnavailable`] when the source could not look, so that nobody can tell whether the
    /// token is good: to call it bad would log its owner out because of somebody's outage.
    fn refresh(&self, missing: &str) -> Step<Result<bool, KeysUnavailable>>;

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
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        Ok(KeySetRef::lent(&self.0))
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        Ok(self.0.load().generation())
    }

    fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        Step::Done(Ok(false))
    }

    fn health(&self) -> Health {
        Health::Fresh
    }
}
