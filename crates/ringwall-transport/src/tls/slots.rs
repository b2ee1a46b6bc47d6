//! The handshakes in flight, bounded.

use core::fmt;
use core::future::Future as _;
use core::net::IpAddr;
use core::num::NonZeroUsize;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Places for handshakes. Whoever comes when all are taken gets the place of the oldest, which is the
/// one most likely to be held by somebody who never meant to finish.
pub(crate) struct Slots {
    limit: NonZeroUsize,
    per_source: NonZeroUsize,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    next: u64,
    all: BTreeMap<u64, Entry>,
    /// The numbers of each source's places; no source without one.
    by_source: HashMap<Source, BTreeSet<u64>>,
    /// Whose newcomer was the first at a bound, as long as that bound is not half free again.
    told: Option<Source>,
}

struct Entry {
    source: Source,
    /// Dropped to tell the handshake that its place is gone.
    _hold: oneshot::Sender<()>,
}

/// Whose connections count together: an IPv4 address, or the /64 that one customer gets of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(u128);

impl Source {
    /// Those who left before their address could be asked for. It is that of no client: `::`.
    pub(crate) const UNKNOWN: Self = Self(0);

    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Self(address.to_bits() >> 64 << 64),
        }
    }
}

/// A place, given back when it is dropped.
pub(crate) struct Slot {
    slots: Arc<Slots>,
    number: u64,
    displaced: oneshot::Receiver<()>,
}

impl Slot {
    /// Ready when the place was given to another.
    pub(crate) fn poll_displaced(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.displaced).poll(cx).map(|_| ())
    }
}

impl Slots {
    pub(crate) fn new(limit: NonZeroUsize, per_source: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            per_source,
            taken: Mutex::new(Taken::default()),
        })
    }

    /// A place for a handshake with `source`. It is always given: at the bound of a source to the cost
    /// of that source's oldest, and at the bound of all to the cost of the oldest of all.
    pub(crate) fn take(self: &Arc<Self>, source: Source) -> (Slot, bool) {
        let (hold, displaced) = oneshot::channel();
        let mut gone = None;
        let mut taken = self.taken();
        let of_source = taken.by_source.get(&source);
        let oldest_of_source = of_source
            .filter(|numbers| numbers.len() >= self.per_source.get())
            .and_then(|numbers| numbers.first().copied());
        if let Some(number) = oldest_of_source {
            gone = taken.remove(number);
        } else if taken.all.len() >= self.limit.get() {
            gone = taken.remove_oldest();
        }
        let number = taken.next;
        taken.next = number.wrapping_add(1);
        taken.by_source.entry(source).or_default().insert(number);
        let entry = Entry {
            source,
            _hold: hold,
        };
        taken.all.insert(number, entry);
        let first = gone.is_some() && taken.told.is_none();
        if first {
            taken.told = Some(source);
        }
        drop(taken);
        drop(gone); // wakes the one that was displaced: not under the lock
        let slot = Slot {
            slots: Arc::clone(self),
            number,
            displaced,
        };
        (slot, first)
    }

    /// Frees an eighth of the places that are taken, and one at least, the oldest first. For when the
    /// system has no more descriptors: without this, whoever holds them by silence would hold them
    /// until the time limit.
    pub(crate) fn shed(&self) -> usize {
        let mut gone = Vec::new();
        let mut taken = self.taken();
        for _ in 0..taken.all.len().div_ceil(8) {
            gone.extend(taken.remove_oldest());
        }
        drop(taken);
        gone.len()
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.taken().all.len()
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    fn remove(&mut self, number: u64) -> Option<Entry> {
        let entry = self.all.remove(&number)?;
        if let Some(numbers) = self.by_source.get_mut(&entry.source) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_source.remove(&entry.source);
            }
        }
        Some(entry)
    }

    fn remove_oldest(&mut self) -> Option<Entry> {
        let (&oldest, _) = self.all.first_key_value()?;
        self.remove(oldest)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken();
        let gone = taken.remove(self.number);
        if let Some(source) = taken.told {
            let of_source = taken.by_source.get(&source).map_or(0, BTreeSet::len);
            let half = |bound: NonZeroUsize| bound.get() / 2;
            if taken.all.len() <= half(self.slots.limit) && of_source <= half(self.slots.per_source)
            {
                taken.told = None;
            }
        }
        drop(taken);
        drop(gone);
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots")
            .field("limit", &self.limit)
            .field("per_source", &self.per_source)
            .field("in_flight", &self.in_flight())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slots(limit: usize, per_source: usize) -> Arc<Slots> {
        let size = |size| NonZeroUsize::new(size).expect("not zero");
        Slots::new(size(limit), size(per_source))
    }

    fn source(last: u8) -> Source {
        Source::of(IpAddr::from([192, 0, 2, last]))
    }

    fn is_displaced(slot: &mut Slot) -> bool {
        slot.displaced.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn a_newcomer_gets_the_place_of_the_oldest() {
        let slots = slots(2, 2);
        let (mut first, _) = slots.take(source(1));
        let (mut second, _) = slots.take(source(2));
        let (mut third, is_first) = slots.take(source(3));
        assert!(is_first);
        assert!(is_displaced(&mut first));
        assert!(!is_displaced(&mut second) && !is_displaced(&mut third));
        drop(first);
        assert_eq!(slots.in_flight(), 2);
    }

    #[test]
    fn a_source_that_takes_too_many_displaces_itself() {
        let slots = slots(8, 2);
        let (mut quiet, _) = slots.take(source(1));
        let mut loud: Vec<_> = (0..20).map(|_| slots.take(source(2)).0).collect();
        assert!(!is_displaced(&mut quiet));
        let kept = loud
            .iter_mut()
            .filter_map(|slot| (!is_displaced(slot)).then_some(()));
        assert_eq!(kept.count(), 2);
        assert_eq!(slots.in_flight(), 3);
    }

    #[test]
    fn the_bound_is_told_of_once_until_there_is_room_again() {
        let slots = slots(2, 2);
        let held: Vec<_> = (0..4).map(|last| slots.take(source(last))).collect();
        let firsts: Vec<_> = held.iter().map(|(_, is_first)| *is_first).collect();
        assert_eq!(firsts, [false, false, true, false]);
        drop(held);
        assert_eq!(slots.in_flight(), 0);
        let again: Vec<_> = (0..3).map(|last| slots.take(source(last))).collect();
        assert!(again.last().expect("three").1);
    }

    #[test]
    fn sheds_the_oldest_eighth() {
        let slots = slots(100, 100);
        let mut held: Vec<_> = (0..17).map(|_| slots.take(source(1)).0).collect();
        assert_eq!(slots.shed(), 3);
        let gone: Vec<_> = held.iter_mut().map(is_displaced).collect();
        assert_eq!(gone.iter().filter(|gone| **gone).count(), 3);
        assert!(gone.starts_with(&[true, true, true]));
    }

    #[test]
    fn one_customers_addresses_count_together() {
        let same = |one: &str, other: &str| {
            let of = |text: &str| Source::of(text.parse().expect("an address"));
            of(one) == of(other)
        };
        assert!(same("2001:db8::1", "2001:db8::ffff:1"));
        assert!(!same("2001:db8::1", "2001:db8:0:1::1"));
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
        assert!(!same("192.0.2.1", "::1"));
    }

    proptest! {
        #[test]
        fn property_bounds_hold_and_every_place_is_given_back(
            limit in 1_usize..6,
            per_source in 1_usize..6,
            steps in prop::collection::vec((0_u8..4, any::<bool>()), 0..60),
        ) {
            let slots = slots(limit, per_source);
            let mut held: Vec<(u8, Slot)> = Vec::new();
            for (who, leaves) in steps {
                if leaves && !held.is_empty() {
                    held.remove(usize::from(who).min(held.len().saturating_sub(1)));
                } else {
                    let (mut newest, _) = slots.take(source(who));
                    prop_assert!(!is_displaced(&mut newest));
                    held.push((who, newest));
                }
                prop_assert!(slots.in_flight() <= limit);
                for who in 0..4 {
                    let mine = held.iter_mut().filter(|(other, _)| *other == who);
                    let kept = mine.filter_map(|(_, slot)| (!is_displaced(slot)).then_some(()));
                    prop_assert!(kept.count() <= per_source);
                }
            }
            let live = held.iter_mut().filter_map(|(_, slot)| (!is_displaced(slot)).then_some(()));
            prop_assert_eq!(live.count(), slots.in_flight());
            drop(held);
            prop_assert_eq!(slots.in_flight(), 0);
            prop_assert!(slots.taken().by_source.is_empty());
        }
    }
}
