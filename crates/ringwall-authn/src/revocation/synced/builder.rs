//! The options of revocations that follow a log.

use core::fmt;
use core::sync::atomic::AtomicU64;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use ringwall_core::clock::{MonotonicClock, SystemClock, WallClock};
use ringwall_core::event::{DiscardEvents, EventSink};

use super::{Inner, Place, SyncedRevocations};
use crate::revocation::memory::MemoryRevocations;
use crate::revocation::store::{RevocationCursor, RevocationStore};

/// How many revocations are held in memory unless set.
pub const DEFAULT_REVOCATION_CAPACITY: usize = 1_000_000;

/// For how long the log may be out of reach before no token is accepted any more, unless set.
pub const DEFAULT_REVOCATION_STALENESS: Duration = Duration::from_secs(60);

/// The longest staleness that can be set: a revocation that takes longer is none.
pub const MAX_REVOCATION_STALENESS: Duration = Duration::from_secs(300);

/// The shortest: a log cannot be read again and again within less.
const MIN_STALENESS: Duration = Duration::from_secs(1);

/// A staleness is shorter than a second or longer than [`MAX_REVOCATION_STALENESS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the staleness of revocations must be from a second to 5 minutes")]
pub struct InvalidStaleness;

/// Collects the options of [`SyncedRevocations`].
#[must_use = "a builder does nothing until `build`"]
pub struct SyncedRevocationsBuilder {
    store: Arc<dyn RevocationStore>,
    capacity: usize,
    staleness: Duration,
    clock: Arc<dyn WallClock>,
    monotonic: Arc<dyn MonotonicClock>,
    events: Arc<dyn EventSink>,
}

impl SyncedRevocationsBuilder {
    /// How many are held in memory; [`DEFAULT_REVOCATION_CAPACITY`] unless set.
    pub const fn capacity(mut self, capacity: usize) -> Self {
        self.capacity = capacity;
        self
    }

    /// For how long the log may be out of reach before nothing can be said any more;
    /// [`DEFAULT_REVOCATION_STALENESS`] unless set, a second at least and [`MAX_REVOCATION_STALENESS`] at
    /// most. It also bounds how late another process's revocation can come.
    ///
    /// # Errors
    ///
    /// [`InvalidStaleness`].
    pub fn staleness(mut self, staleness: Duration) -> Result<Self, InvalidStaleness> {
        if staleness < MIN_STALENESS || staleness > MAX_REVOCATION_STALENESS {
            return Err(InvalidStaleness);
        }
        self.staleness = staleness;
        Ok(self)
    }

    /// The wall clock; the machine's unless set.
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.clock = clock;
        self
    }

    /// The clock that staleness is measured by; the machine's unless set.
    pub fn monotonic_clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.monotonic = clock;
        self
    }

    /// Where it is reported when tokens are revoked, or the log cannot be read; nowhere unless set.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.events = events;
        self
    }

    /// The revocations, of which nothing is known until [`SyncedRevocations::sync`] was called.
    #[must_use]
    pub fn build(self) -> SyncedRevocations {
        SyncedRevocations(Arc::new(Inner {
            memory: MemoryRevocations::new(self.capacity)
                .monotonic_clock(Arc::clone(&self.monotonic)),
            store: self.store,
            staleness: self.staleness,
            read_at: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            regained: AtomicU64::new(0),
            drops: AtomicU64::new(0),
            place: Mutex::new(Place {
                cursor: RevocationCursor::START,
                whole_at: None,
                again: None,
            }),
            clock: self.clock,
            monotonic: self.monotonic,
            events: self.events,
        }))
    }
}

impl fmt::Debug for SyncedRevocationsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncedRevocationsBuilder")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl SyncedRevocations {
    /// Revocations that follow `store`.
    pub fn builder(store: Arc<dyn RevocationStore>) -> SyncedRevocationsBuilder {
        SyncedRevocationsBuilder {
            store,
            capacity: DEFAULT_REVOCATION_CAPACITY,
            staleness: DEFAULT_REVOCATION_STALENESS,
            clock: Arc::new(SystemClock::new()),
            monotonic: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        }
    }
}
