//! The client that a handshake verified.

use core::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ringwall_core::clock::Timestamp;
use ringwall_core::request::TlsPeer;

use super::dates::{self, Window};
use super::live::Live;

/// A client on a running connection: the chain that the handshake verified, and a handle to the trust
/// that is in force.
///
/// While the trust is the one that accepted it and none of its certificates begins or ends,
/// [`TlsPeer::is_trusted`] costs a load and a comparison. After a change the chain is verified again,
/// once, and the verdict remembered. Where clients are no longer asked for certificates, no chain is
/// trusted.
pub struct PeerTls {
    chain: Vec<Vec<u8>>,
    /// The seconds at which a verdict may change; `None` when nobody can tell.
    edges: Option<Box<[i64]>>,
    live: Arc<Live>,
    verdict: ArcSwap<Verdict>,
}

/// What was found about a chain, and for how long it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    generation: u64,
    /// The last generation that accepted the chain.
    accepted_by: u64,
    window: Window,
    pub(crate) good: bool,
}

impl Verdict {
    /// Whether it answers for the trust of `generation` in the second `now`.
    pub(crate) const fn holds(&self, generation: u64, now: i64) -> bool {
        self.generation == generation && self.window.covers(now)
    }

    pub(crate) const fn generation(&self) -> u64 {
        self.generation
    }

    /// The second from which on it says nothing any more.
    pub(crate) const fn until(&self) -> i64 {
        self.window.until
    }
}

impl PeerTls {
    /// A chain that the trust of `generation`, which is that of `live` or was until a moment ago,
    /// accepted in the second `now`.
    pub(crate) fn accepted(
        chain: Vec<Vec<u8>>,
        live: Arc<Live>,
        trust: &super::trust::Trust,
        now: i64,
    ) -> Self {
        let edges = dates::edges(&chain);
        let verdict = Verdict {
            generation: trust.generation,
            accepted_by: trust.generation,
            window: trust.window(edges.as_deref(), now),
            good: true,
        };
        Self {
            chain,
            edges,
            live,
            verdict: ArcSwap::from_pointee(verdict),
        }
    }

    /// The verdict of now: the one that is there if it still holds, otherwise a new one.
    pub(crate) fn verdict(&self, now: i64) -> Verdict {
        let known = **self.verdict.load();
        if known.holds(self.live.trust_generation(), now) {
            return known;
        }
        let active = self.live.active();
        let trust = &active.trust;
        if known.holds(trust.generation, now) {
            return known;
        }
        let good = trust.accepts(&self.chain, now);
        let verdict = Verdict {
            generation: trust.generation,
            accepted_by: if good {
                trust.generation
            } else {
                known.accepted_by
            },
            window: trust.window(self.edges.as_deref(), now),
            good,
        };
        // Two that judge at once find the same, or the older one is judged again by the next look.
        self.verdict.store(Arc::new(verdict));
        verdict
    }
}

impl TlsPeer for PeerTls {
    fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The last generation that accepted the chain.
    fn trust_generation(&self) -> u64 {
        self.verdict.load().accepted_by
    }

    fn is_trusted(&self, now: Timestamp) -> bool {
        self.verdict(now.unix_seconds()).good
    }
}

impl fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTls")
            .field("certificates", &self.chain.len())
            .field("verdict", &**self.verdict.load())
            .finish_non_exhaustive()
    }
}
