//! Revocations in memory that follow a durable log.

mod builder;

pub use builder::{
    DEFAULT_REVOCATION_CAPACITY, DEFAULT_REVOCATION_STALENESS, InvalidStaleness,
    MAX_REVOCATION_STALENESS, SyncedRevocationsBuilder,
};

use core::fmt;
use core::future::Future;
use core::num::NonZeroU16;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use ringwall_core::clock::{MonotonicClock, Timestamp, WallClock};
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};

use super::kind::Revocation;
use super::memory::MemoryRevocations;
use super::store::{RevocationCursor, RevocationStore, RevocationStoreError};
use super::{Revocations, RevocationsUnavailable, TokenFacts};

/// How often the log is read again from its start: a copy of it that was restored holds entries that a
/// cursor of before has passed already.
const WHOLE: Duration = Duration::from_secs(600);

/// How many pages of that are read by one call, behind what is new: a long log keeps nobody from hearing of
/// a new revocation, and a failure in its middle is no beginning anew.
const PAGES_AGAIN: usize = 32;

const PAGE: NonZeroU16 = NonZeroU16::new(1000).unwrap();

/// For how long the clocks have to be watched before anything is forgotten in the log: a wall clock that is
/// ahead when a process starts is usually set right in the first minutes.
const WATCHED: Duration = Duration::from_secs(600);

/// How long to wait when the revocations are not known.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// [`Revocations`] that survive a restart and reach every process: in memory, in step with a
/// [`RevocationStore`].
///
/// - Until the log was read for the first time, and whenever the last good read is older than the
///   staleness, nothing can be said, and tokens are answered 503. So a restart forgets nothing.
/// - A revocation through this is in force here at once, before [`revoke`](Self::revoke) answers; other
///   processes have it with their next [`sync`](Self::sync). It is the last that is asked about a token,
///   behind whatever has to be waited for, so a request is accepted in spite of it only if its answer was
///   settled before: that one goes on, as one that came a moment earlier does.
/// - When there is no room for another one, nothing can be said either: none is ever dropped. As soon as enough
///   of those that are held are over, [`sync`](Self::sync) reads the log again from its start, and with all of
///   it in memory tokens are accepted again.
/// - A wall clock that jumps ahead makes no revocation over, neither here ([`MemoryRevocations`]) nor in the log
///   ([`purge`](Self::purge)).
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
    /// How many revocations found no room.
    missed: AtomicU64,
    /// How many of those the log was read again for, from its start and with room for all of it.
    regained: AtomicU64,
    /// How often the memory had dropped some when that was tried last.
    drops: AtomicU64,
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
    /// How many revocations had found no room when it began.
    missed: u64,
}

impl SyncedRevocations {
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
        if let Ok(now) = inner.clock.now() {
            // Also when there is nothing new: a jump is noticed by the looks before it.
            inner.memory.look(now);
        }
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
        let Some(mut again) = inner.next_again(now) else {
            return Ok(());
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
    /// The store's: other processes, and this one after a restart or when it had no room, may not know it.
    /// Repeat it.
    pub async fn revoke(&self, revocation: &Revocation) -> Result<(), RevocationStoreError> {
        let inner = &*self.0;
        let is_held = inner.apply(revocation, inner.clock.now().ok());
        inner.report(EventKind::TokensRevoked, "tokens were revoked");
        let answer = inner.store.append(revocation).await;
        if !is_held {
            // Somebody may have read the log, and found room, before this was in it.
            inner.apply(revocation, inner.clock.now().ok());
        }
        answer
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

    /// Forgets, in the log, what is over, and answers how many there were. Once an hour will do, in one
    /// process.
    ///
    /// In the first ten minutes after the first [`sync`](Self::sync) nothing is forgotten: what is over is
    /// judged by a wall clock that was watched for a while. A jump of it is not believed before it has lasted
    /// for one to two days.
    ///
    /// # Errors
    ///
    /// The store's.
    pub async fn purge(&self) -> Result<u64, RevocationStoreError> {
        let Ok(now) = self.0.clock.now() else {
            return Ok(0);
        };
        let (over, watched) = self.0.memory.look(now);
        if watched < WATCHED {
            return Ok(0);
        }
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

    /// How the log goes on being read from its start; `None` when that is not due.
    fn next_again(&self, now: Duration) -> Option<Again> {
        let is_full = self.is_full();
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if place.again.is_none() {
            let is_due = |at: Duration| now.saturating_sub(at) >= WHOLE;
            let begins = if is_full {
                // What found no room is in the log, and a reading that goes through while nothing finds none has
                // all of it. It is worth the while as often as room was made.
                let drops = self.memory.drops(self.clock.now().ok());
                self.drops.swap(drops, Ordering::SeqCst) != drops
            } else {
                place.whole_at.is_none_or(is_due)
            };
            // Kept before the first page is there: a store that fails now is asked again.
            place.again = begins.then(|| Again {
                cursor: RevocationCursor::START,
                began: now,
                missed: self.missed.load(Ordering::SeqCst),
            });
        }
        place.again
    }

    fn went_again(&self, again: Again, is_over: bool) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        if is_over {
            place.whole_at = Some(again.began);
            self.regained.fetch_max(again.missed, Ordering::SeqCst);
        }
        place.again = (!is_over).then_some(again);
    }

    /// Whether it is held now.
    fn apply(&self, revocation: &Revocation, now: Option<Timestamp>) -> bool {
        let is_held = self.memory.apply_at(revocation, now).is_ok();
        if !is_held {
            let missed = self.missed.fetch_add(1, Ordering::SeqCst);
            if missed == self.regained.load(Ordering::SeqCst) {
                self.report(
                    EventKind::RevocationUnavailable,
                    "there is no room for another revocation: no token is accepted until there is",
                );
            }
        }
        is_held
    }

    /// Whether something that was revoked is not held.
    fn is_full(&self) -> bool {
        self.missed.load(Ordering::SeqCst) != self.regained.load(Ordering::SeqCst)
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
        if age > self.staleness || self.is_full() {
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
