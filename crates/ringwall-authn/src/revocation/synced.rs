//! Revocations in memory that follow a durable log.

use core::fmt;
use core::future::Future;
use core::num::NonZeroU16;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use ringwall_core::clock::{MonotonicClock, SystemClock, Timestamp, WallClock};
use ringwall_core::event::{DiscardEvents, EventKind, EventSink, SecurityEvent};

use super::kind::Revocation;
use super::memory::MemoryRevocations;
use super::store::{RevocationCursor, RevocationStore, RevocationStoreError};
use super::{Revocations, RevocationsUnavailable, TokenFacts};

/// How many revocations are held in memory unless set.
pub const DEFAULT_REVOCATION_CAPACITY: usize = 1_000_000;

/// For how long the log may be out of reach before no token is accepted any more, unless set.
pub const DEFAULT_REVOCATION_STALENESS: Duration = Duration::from_secs(60);

/// How often the log is read again from its start: a copy of it that was restored holds entries that a
/// cursor of before has passed already.
const WHOLE: Duration = Duration::from_secs(600);

/// How many pages of that are read by one call, behind what is new: a long log keeps nobody from hearing of
/// a new revocation, and a failure in its middle is no beginning anew.
const PAGES_AGAIN: usize = 32;

const PAGE: NonZeroU16 = NonZeroU16::new(1000).unwrap();

/// How long to wait when the revocations are not known.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// [`Revocations`] that survive a restart and reach every process: in memory, in step with a
/// [`RevocationStore`].
///
/// - Until the log was read for the first time, and whenever the last good read is older than the
///   staleness, nothing can be said, and tokens are answered 503. So a restart forgets nothing.
/// - A revocation through this is in force here at once; other processes have it with their next
///   [`sync`](Self::sync).
/// - When there is no room for another one, nothing can be said either: none is ever dropped.
///
/// Cloning shares everything. Somebody has to call [`sync`](Self::sync) again and again, which
/// [`keep_in_step`](Self::keep_in_step) does in a task of yours.
#[derive(Clone)]
pub struct SyncedRevocations(Arc<Inner>);

struct Inner {
    memory: MemoryRevocations,
    store: Arc<dyn RevocationStore>,
    staleness: Duration,
    /// Nanoseconds on the monotonic clock, plus one, of the last good read; zero before the first.
    read_at: AtomicU64,
    is_full: AtomicBool,
    place: Mutex<Place>,
    clock: Arc<dyn WallClock>,
    monotonic: Arc<dyn MonotonicClock>,
    events: Arc<dyn EventSink>,
}

#[derive(Clone, Copy)]
struct Place {
    cursor: RevocationCursor,
    /// When the log was read from its start.
    whole_at: Option<Duration>,
    /// How far it was read again.
    again: Option<Again>,
}

#[derive(Clone, Copy)]
struct Again {
    cursor: RevocationCursor,
    began: Duration,
}

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
    /// [`DEFAULT_REVOCATION_STALENESS`] unless set. It also bounds how late another process's
    /// revocation can come.
    pub const fn staleness(mut self, staleness: Duration) -> Self {
        self.staleness = staleness;
        self
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
            memory: MemoryRevocations::new(self.capacity),
            store: self.store,
            staleness: self.staleness,
            read_at: AtomicU64::new(0),
            is_full: AtomicBool::new(false),
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

    /// Reads what is new in the log. Two calls at once do no harm.
    ///
    /// # Errors
    ///
    /// The store's. What was known stays known.
    pub async fn sync(&self) -> Result<(), RevocationStoreError> {
        let answer = self.read().await;
        if answer.is_err() {
            self.0.report(
                EventKind::RevocationUnavailable,
                "the log of revocations could not be read",
            );
        }
        answer
    }

    async fn read(&self) -> Result<(), RevocationStoreError> {
        let inner = &*self.0;
        let started = inner.monotonic.elapsed();
        let place = inner.place();
        let mut whole = place.whole_at.is_none();
        let mut cursor = if whole {
            RevocationCursor::START
        } else {
            place.cursor
        };
        loop {
            let page = inner.store.read(cursor, PAGE).await?;
            let now = inner.clock.now().ok();
            for revocation in &page.revocations {
                inner.apply(revocation, now);
            }
            if page.is_last && page.next < cursor {
                // The log is not the one that this place was in.
                whole = true;
                cursor = RevocationCursor::START;
                continue;
            }
            // A store whose pages do not go on would be asked for ever.
            let is_stuck = page.next <= cursor && !page.is_last;
            if is_stuck {
                return Err(RevocationStoreError::corrupt(None));
            }
            cursor = page.next;
            if page.is_last {
                break;
            }
        }
        inner.went_to(cursor, whole.then_some(started));
        // The time before the first read: what was appended later may be missing.
        let nanos = u64::try_from(started.as_nanos()).unwrap_or(u64::MAX);
        inner
            .read_at
            .fetch_max(nanos.saturating_add(1), Ordering::SeqCst);
        self.read_again(started).await
    }

    /// Goes on with reading the log from its start, when that is due.
    async fn read_again(&self, now: Duration) -> Result<(), RevocationStoreError> {
        let inner = &*self.0;
        let place = inner.place();
        let is_due = |at: Duration| now.saturating_sub(at) >= WHOLE;
        let mut again = match place.again {
            Some(again) => again,
            None if place.whole_at.is_none_or(is_due) => Again {
                cursor: RevocationCursor::START,
                began: now,
            },
            None => return Ok(()),
        };
        for _ in 0..PAGES_AGAIN {
            let page = inner.store.read(again.cursor, PAGE).await?;
            let now = inner.clock.now().ok();
            for revocation in &page.revocations {
                inner.apply(revocation, now);
            }
            if page.next <= again.cursor && !page.is_last {
                return Err(RevocationStoreError::corrupt(None));
            }
            again.cursor = page.next;
            inner.went_again(again, page.is_last);
            if page.is_last {
                break;
            }
        }
        Ok(())
    }

    /// Takes back what the revocation says: here at once, also when the store fails, and everywhere else
    /// once it is stored.
    ///
    /// # Errors
    ///
    /// The store's: other processes, and this one after a restart, may not know it. Repeat it.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), RevocationStoreError> {
        let inner = &*self.0;
        inner.apply(revocation, inner.clock.now().ok());
        inner.report(EventKind::TokensRevoked, "tokens were revoked");
        inner.store.append(revocation).await
    }

    /// Calls [`sync`](Self::sync), waits with `pause`, and so on, until the future is dropped. Failures
    /// are events. A pause of a second or a few is usual; it has to be well below the staleness.
    ///
    /// ```
    /// # use ringwall_authn::revocation::SyncedRevocations;
    /// # use std::time::Duration;
    /// # fn example(revocations: SyncedRevocations) {
    /// tokio::spawn(async move {
    ///     revocations.keep_in_step(|| tokio::time::sleep(Duration::from_secs(2))).await
    /// });
    /// # }
    /// ```
    pub async fn keep_in_step<P: Future<Output = ()>>(&self, pause: impl Fn() -> P) {
        loop {
            // It is reported; and as long as it fails, time runs out.
            self.sync().await.ok();
            pause().await;
        }
    }

    /// Forgets, in the log, what is over. Once an hour will do, in one process.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn purge(&self) -> Result<u64, RevocationStoreError> {
        let Ok(now) = self.0.clock.now() else {
            return Ok(0);
        };
        // Past the expiry and the longest skew, a token is refused without us.
        let over = now
            .checked_sub(crate::policy::MAX_CLOCK_SKEW)
            .unwrap_or(now);
        self.0.store.purge(over).await
    }

    /// Whether something can be said now: for a readiness probe.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.check().is_ok()
    }
}

impl Inner {
    fn place(&self) -> Place {
        *self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `whole_at` when the way there began at the start of the log.
    fn went_to(&self, cursor: RevocationCursor, whole_at: Option<Duration>) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        place.cursor = cursor;
        if whole_at.is_some() {
            place.whole_at = whole_at;
            place.again = None;
        }
    }

    fn went_again(&self, again: Again, is_over: bool) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if is_over {
            place.whole_at = Some(again.began);
        }
        place.again = (!is_over).then_some(again);
    }

    fn apply(&self, revocation: &Revocation, now: Option<Timestamp>) {
        // Without a clock nothing is over, so nothing makes room.
        let now = now.unwrap_or(Timestamp::UNIX_EPOCH);
        if self.memory.apply(revocation, now).is_err() && !self.is_full.swap(true, Ordering::SeqCst)
        {
            self.report(
                EventKind::RevocationUnavailable,
                "there is no room for another revocation: no token is accepted until a restart with more",
            );
        }
    }

    fn check(&self) -> Result<(), RevocationsUnavailable> {
        let unavailable = Err(RevocationsUnavailable {
            retry_after: RETRY_AFTER,
        });
        let read_at = match self.read_at.load(Ordering::SeqCst).checked_sub(1) {
            Some(nanos) => Duration::from_nanos(nanos),
            None => return unavailable,
        };
        let age = self.monotonic.elapsed().saturating_sub(read_at);
        if age > self.staleness || self.is_full.load(Ordering::SeqCst) {
            return unavailable;
        }
        Ok(())
    }

    fn report(&self, kind: EventKind, cause: &'static str) {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = self.clock.now().ok();
        self.events.emit(event);
    }
}

impl Revocations for SyncedRevocations {
    fn is_revoked(&self, token: &TokenFacts<'_>) -> Result<bool, RevocationsUnavailable> {
        // What is known to be revoked is refused for good, also when not everything is known.
        if self.0.memory.is_revoked(token)? {
            return Ok(true);
        }
        self.0.check().map(|()| false)
    }
}

impl fmt::Debug for SyncedRevocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncedRevocations")
            .field("store", &self.0.store)
            .field("staleness", &self.0.staleness)
            .finish_non_exhaustive()
    }
}
