//! A bound on the events that one source can cause.

use core::fmt;
use core::hash::BuildHasher as _;
use core::mem;
use core::net::{IpAddr, Ipv6Addr};
use core::num::NonZeroU32;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::{Arc, Mutex, PoisonError};

use ringwall_core::clock::{MonotonicClock, SystemClock, Timestamp};
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};

use crate::error::Error;

/// Events of one kind and source that pass in a minute unless set otherwise: enough to see what somebody
/// tries, and the alert's own bound.
pub const DEFAULT_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);

/// Pairs of a kind and a source that are remembered for each of the two minutes unless set otherwise: some
/// 400 KB.
pub const DEFAULT_SOURCES: usize = 4096;

/// The most that can be set: some 100 MB.
pub const MAX_SOURCES: usize = 1 << 20;

/// So that threads seldom meet.
const SHARDS: usize = 16;

const MINUTE: Duration = Duration::from_secs(60);

const CAUSE: &str = "some sources caused more events than are passed on";

/// Passes on what strangers can cause at will up to a number per source and minute, so that nobody fills
/// a disk, or hides among a million lines of their own. What is left out is counted, and summed up in an
/// event of the kind [`EventKind::EventsDropped`] once a minute at most.
///
/// - **Which events.** [`AuthenticationFailed`], [`CredentialsMissing`], [`CredentialsAmbiguous`],
///   [`CredentialReplayed`], [`GrantsLeftOut`], [`RequestRefused`] and [`HandshakeFailed`]; and what each request is refused
///   with while a decision cannot be reached, whoever sends it: [`KeysUnavailable`],
///   [`RevocationUnavailable`], [`ReplayStoreUnavailable`], [`ApiKeysUnavailable`] (which made-up keys
///   cause too, when too many are looked up at once), [`RateLimitsUnavailable`], [`SubjectsUnavailable`] and [`ClockUnavailable`]; and
///   [`RateLimited`], [`RateLimitNear`], [`RateLimitWouldDeny`] and [`RateLimitTableFull`]. Each has a number of its
///   own, so that a flood of one does not hide another. All others pass.
/// - **Which source.** The address of the event, IPv4-mapped ones as IPv4; an IPv6 network of 64 bits is
///   one source, since whoever has one address has all of it. Events without an address are one source
///   together.
/// - **How many.** At most the number in *any* 60 seconds. Minutes are counted in two generations, and
///   what passed in the one before counts still, so a source that never pauses gets the number every
///   other minute.
/// - **How much memory.** Two generations of the places that were set. A place is for one kind of one
///   source, so one source takes at most eighteen of a generation, one for each kind above, whatever it
///   does: of the 4,096 that there are unless set otherwise, 228 sources that cause every kind leave none. When the
///   table is full, events of pairs that it does not know are left out, and counted, until the minute ends: a
///   botnet is told by its number, and its owner can so keep the first events of others out of the log.
///   Nothing that needs an identity is kept out, and metrics count all of it. Whoever may meet more sources
///   sets more [`sources`](BoundedEventsBuilder::sources). The table is in sixteen parts by a keyed hash, so a
///   part of it can be full a little before all places are taken.
/// - **How long.** One of sixteen locks is held for one look-up, and never while the next sink works. For
///   events that are not bounded, there is no lock and no reading of a clock.
///
/// The summary comes with the next event after its time. [`BoundedEvents::flush`] gives it at once, and
/// so does dropping this.
///
/// [`AuthenticationFailed`]: EventKind::AuthenticationFailed
/// [`CredentialsMissing`]: EventKind::CredentialsMissing
/// [`CredentialsAmbiguous`]: EventKind::CredentialsAmbiguous
/// [`CredentialReplayed`]: EventKind::CredentialReplayed
/// [`GrantsLeftOut`]: EventKind::GrantsLeftOut
/// [`RequestRefused`]: EventKind::RequestRefused
/// [`HandshakeFailed`]: EventKind::HandshakeFailed
/// [`KeysUnavailable`]: EventKind::KeysUnavailable
/// [`RevocationUnavailable`]: EventKind::RevocationUnavailable
/// [`ReplayStoreUnavailable`]: EventKind::ReplayStoreUnavailable
/// [`ApiKeysUnavailable`]: EventKind::ApiKeysUnavailable
/// [`RateLimitsUnavailable`]: EventKind::RateLimitsUnavailable
/// [`SubjectsUnavailable`]: EventKind::SubjectsUnavailable
/// [`ClockUnavailable`]: EventKind::ClockUnavailable
/// [`RateLimited`]: EventKind::RateLimited
/// [`RateLimitNear`]: EventKind::RateLimitNear
/// [`RateLimitWouldDeny`]: EventKind::RateLimitWouldDeny
/// [`RateLimitTableFull`]: EventKind::RateLimitTableFull
pub struct BoundedEvents {
    inner: Arc<dyn EventSink>,
    clock: Arc<dyn MonotonicClock>,
    per_minute: u32,
    /// Places per shard and generation.
    limit: usize,
    hash: RandomState,
    shards: Box<[Shard]>,
    dropped: AtomicU64,
    unreported: AtomicU64,
    /// Milliseconds of the clock and one more; zero before the first summary.
    reported_at: AtomicU64,
}

/// Options of [`BoundedEvents`].
#[derive(Debug)]
#[must_use = "nothing is bounded before `build`"]
pub struct BoundedEventsBuilder {
    inner: Arc<dyn EventSink>,
    clock: Arc<dyn MonotonicClock>,
    per_minute: NonZeroU32,
    sources: usize,
}

/// What is counted by itself.
type Source = (EventKind, Option<IpAddr>);

/// On cache lines of its own, so that neighbours' locks do not slow it down.
#[repr(align(128))]
struct Shard(Mutex<Generations>);

struct Generations {
    young: HashMap<Source, u32>,
    old: HashMap<Source, u32>,
    /// When the young one began.
    began: Duration,
}

impl BoundedEvents {
    /// Passes on to `inner` with the default bounds.
    #[must_use]
    pub fn new(inner: Arc<dyn EventSink>) -> Self {
        Self::with(Self::builder(inner))
    }

    /// Passes on to `inner` with bounds of your own.
    pub fn builder(inner: Arc<dyn EventSink>) -> BoundedEventsBuilder {
        BoundedEventsBuilder {
            inner,
            clock: Arc::new(SystemClock::new()),
            per_minute: DEFAULT_PER_MINUTE,
            sources: DEFAULT_SOURCES,
        }
    }

    fn with(options: BoundedEventsBuilder) -> Self {
        let shards = SHARDS.min(options.sources);
        Self {
            inner: options.inner,
            clock: options.clock,
            per_minute: options.per_minute.get(),
            limit: options.sources.checked_div(shards).unwrap_or(0),
            hash: RandomState::new(),
            shards: (0..shards).map(|_| Shard::new()).collect(),
            dropped: AtomicU64::new(0),
            unreported: AtomicU64::new(0),
            reported_at: AtomicU64::new(0),
        }
    }

    /// How many events were left out since the start.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many pairs of a kind and a source are remembered, in both generations. Takes each lock in turn.
    #[must_use]
    pub fn sources(&self) -> usize {
        let count = |Shard(shard): &Shard| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len().saturating_add(shard.old.len())
        };
        self.shards.iter().map(count).fold(0, usize::saturating_add)
    }

    /// Sums up what was left out and not reported yet, if anything, without waiting for its minute.
    pub fn flush(&self) {
        self.sum_up(None);
    }

    fn admits(&self, kind: EventKind, address: Option<IpAddr>) -> bool {
        let source = (kind, address.map(network));
        let hash = usize::try_from(self.hash.hash_one(source) >> 32).unwrap_or(0);
        let place = hash.checked_rem(self.shards.len()).unwrap_or(0);
        let Some(Shard(shard)) = self.shards.get(place) else {
            return false;
        };
        let now = self.clock.elapsed();
        // Plain numbers: after a panic elsewhere they are still whole.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.admits(source, now, self.per_minute, self.limit)
    }

    /// Sums up if the last time was a minute ago.
    fn report(&self, at: Option<Timestamp>) {
        if self.unreported.load(Ordering::Relaxed) == 0 {
            return;
        }
        let now = self.clock.elapsed().as_millis();
        let now = u64::try_from(now).unwrap_or(u64::MAX).saturating_add(1);
        let last = self.reported_at.load(Ordering::Relaxed);
        let pause = u128::from(now.saturating_sub(last));
        if last != 0 && pause < MINUTE.as_millis() {
            return;
        }
        // One of those who see that it is time does it.
        let order = Ordering::Relaxed;
        if self
            .reported_at
            .compare_exchange(last, now, order, order)
            .is_ok()
        {
            self.sum_up(at);
        }
    }

    fn sum_up(&self, at: Option<Timestamp>) {
        let count = self.unreported.swap(0, Ordering::Relaxed);
        if count > 0 {
            let mut event = SecurityEvent::new(EventKind::EventsDropped, CAUSE);
            event.at = at;
            event.count = count;
            self.inner.emit(event);
        }
    }
}

impl EventSink for BoundedEvents {
    fn emit(&self, event: SecurityEvent) {
        let at = event.at;
        if is_bounded(event.kind) && !self.admits(event.kind, event.source) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            self.unreported.fetch_add(1, Ordering::Relaxed);
        } else {
            self.inner.emit(event);
        }
        self.report(at);
    }
}

impl Drop for BoundedEvents {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for BoundedEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedEvents")
            .field("inner", &self.inner)
            .field("per_minute", &self.per_minute)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

impl BoundedEventsBuilder {
    /// How many events of one kind and source pass in any minute. [`DEFAULT_PER_MINUTE`] unless set.
    pub const fn per_minute(mut self, events: NonZeroU32) -> Self {
        self.per_minute = events;
        self
    }

    /// How many pairs of a kind and a source are remembered for each of two minutes: eighteen places for each
    /// source that causes every kind, and one for most. [`DEFAULT_SOURCES`] unless set.
    pub const fn sources(mut self, sources: usize) -> Self {
        self.sources = sources;
        self
    }

    /// What minutes are measured with. The machine's clock unless set.
    pub fn clock(mut self, clock: Arc<dyn MonotonicClock>) -> Self {
        self.clock = clock;
        self
    }

    /// The sink.
    ///
    /// # Errors
    ///
    /// [`Error::Sources`] for no source or more than [`MAX_SOURCES`].
    pub fn build(self) -> Result<BoundedEvents, Error> {
        if self.sources == 0 || self.sources > MAX_SOURCES {
            return Err(Error::Sources {
                given: self.sources,
                limit: MAX_SOURCES,
            });
        }
        Ok(BoundedEvents::with(self))
    }
}

impl Shard {
    fn new() -> Self {
        Self(Mutex::new(Generations {
            young: HashMap::new(),
            old: HashMap::new(),
            began: Duration::ZERO,
        }))
    }
}

impl Generations {
    fn admits(&mut self, source: Source, now: Duration, most: u32, limit: usize) -> bool {
        self.turn(now);
        let before = self.old.get(&source).copied().unwrap_or(0);
        let passed = self.young.get(&source).copied().unwrap_or(0);
        if before.saturating_add(passed) >= most || (passed == 0 && self.young.len() >= limit) {
            return false;
        }
        self.young.insert(source, passed.saturating_add(1));
        true
    }

    /// Forgets what is more than a minute ago. A generation lasts for a minute at least, so what passed in
    /// any minute is in two neighbouring ones.
    fn turn(&mut self, now: Duration) {
        let age = now.saturating_sub(self.began);
        if age < MINUTE {
            return;
        }
        mem::swap(&mut self.young, &mut self.old);
        // The tables are kept: they are bounded, and a flood does not end with its minute.
        self.young.clear();
        // Everything in there came before the last minute began.
        if age >= MINUTE.saturating_mul(2) {
            self.old.clear();
        }
        self.began = now;
    }
}

/// What anybody can cause without being somebody.
const fn is_bounded(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::AuthenticationFailed
            | EventKind::CredentialsMissing
            | EventKind::CredentialsAmbiguous
            | EventKind::CredentialReplayed
            | EventKind::GrantsLeftOut
            | EventKind::RequestRefused
            | EventKind::HandshakeFailed
            | EventKind::RateLimited
            | EventKind::RateLimitNear
            | EventKind::RateLimitWouldDeny
            | EventKind::RateLimitTableFull
            // In an outage, one for each request.
            | EventKind::KeysUnavailable
            | EventKind::RevocationUnavailable
            | EventKind::ReplayStoreUnavailable
            | EventKind::ApiKeysUnavailable
            | EventKind::RateLimitsUnavailable
            | EventKind::SubjectsUnavailable
            | EventKind::ClockUnavailable
    )
}

/// What an address is counted as: itself, or its network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(
            address.to_bits() & !u128::from(u64::MAX),
        )),
    }
}

#[cfg(test)]
mod tests;
