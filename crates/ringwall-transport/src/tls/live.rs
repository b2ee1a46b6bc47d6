//! What is in force, shared by handshakes and running connections.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use rustls::ServerConfig;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::certificate::OwnCertificate;
use super::trust::Trust;

/// A configuration and the trust that is built into it: replaced together or not at all.
pub(crate) struct Active {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) certificate: Arc<OwnCertificate>,
    pub(crate) trust: Arc<Trust>,
    /// Counts configurations.
    pub(crate) generation: u64,
}

/// The active configuration.
pub(crate) struct Live {
    active: ArcSwap<Active>,
    /// The generation of the active trust, for a look that costs one load.
    trust_generation: AtomicU64,
    changed: Arc<Notify>,
}

impl Live {
    pub(crate) fn new(active: Active) -> Self {
        Self {
            trust_generation: AtomicU64::new(active.trust.generation),
            active: ArcSwap::from_pointee(active),
            changed: Arc::new(Notify::new()),
        }
    }

    /// What is in force, for as long as one look takes.
    pub(crate) fn active(&self) -> Guard<Arc<Active>> {
        self.active.load()
    }

    /// What is in force, to keep.
    pub(crate) fn active_full(&self) -> Arc<Active> {
        self.active.load_full()
    }

    /// The generation of the trust in force. Whoever sees a new one sees its trust, too.
    pub(crate) fn trust_generation(&self) -> u64 {
        self.trust_generation.load(Ordering::Acquire)
    }

    /// Puts `active` in force. From its return on, no look finds what was there before.
    pub(crate) fn replace(&self, active: Active) {
        let generation = active.trust.generation;
        self.active.store(Arc::new(active));
        // A connection that was accepted between the two stores has the new generation already, looks
        // at what is active because the numbers differ, and finds what accepted it.
        if self.trust_generation.swap(generation, Ordering::AcqRel) != generation {
            self.changed.notify_waiters();
        }
    }

    /// Ends with the next change of trust after this call, however late it is polled.
    pub(crate) fn changed(&self) -> OwnedNotified {
        Arc::clone(&self.changed).notified_owned()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = self.active();
        f.debug_struct("Live")
            .field("generation", &active.generation)
            .field("certificate", &active.certificate)
            .field("trust", &active.trust)
            .finish_non_exhaustive()
    }
}
