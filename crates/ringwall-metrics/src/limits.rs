//! Events of rate limits, counted by limit.

use core::sync::atomic::{AtomicU64, Ordering};

use ringwall_core::event::{EventKind, SecurityEvent};

use crate::causes::OTHER;

/// Counts by the limits that were named at the start, and all others together. Each has its series from the
/// start.
#[derive(Debug)]
pub(crate) struct LimitCounts {
    named: Vec<(String, Counts)>,
    others: Counts,
}

/// What is counted of one limit.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    denied: AtomicU64,
    near: AtomicU64,
    would_deny: AtomicU64,
}

impl Counts {
    pub(crate) fn denied(&self) -> u64 {
        self.denied.load(Ordering::Relaxed)
    }

    pub(crate) fn near(&self) -> u64 {
        self.near.load(Ordering::Relaxed)
    }

    pub(crate) fn would_deny(&self) -> u64 {
        self.would_deny.load(Ordering::Relaxed)
    }
}

impl LimitCounts {
    pub(crate) fn new(names: Vec<String>) -> Self {
        let named = names.into_iter().map(|name| (name, Counts::default()));
        Self {
            named: named.collect(),
            others: Counts::default(),
        }
    }

    /// Counts an event that a limit caused; any other is none of its business.
    pub(crate) fn add(&self, event: &SecurityEvent) {
        let count: fn(&Counts) -> &AtomicU64 = if event.kind == EventKind::RateLimited {
            |counts| &counts.denied
        } else if event.kind == EventKind::RateLimitNear {
            |counts| &counts.near
        } else if event.kind == EventKind::RateLimitWouldDeny {
            |counts| &counts.would_deny
        } else {
            return;
        };
        let about = event.about.as_deref();
        let named = self.named.iter().find(|(name, _)| Some(&**name) == about);
        let counts = named.map_or(&self.others, |(_, counts)| counts);
        count(counts).fetch_add(1, Ordering::Relaxed);
    }

    /// Each limit, the others last.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Counts)> {
        let named = self.named.iter().map(|(name, counts)| (&**name, counts));
        named.chain([(OTHER, &self.others)])
    }
}
