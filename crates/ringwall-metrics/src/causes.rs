//! Events counted by kind and cause, without a lock.

use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::OnceLock;

use ahash::RandomState;
use ringwall_core::event::EventKind;

/// Pairs of a kind and a cause that are counted by themselves. The libraries have less than half as
/// many; an application may report causes of its own. What comes later is counted under [`OTHER`].
pub const MAX_CAUSES: usize = 512;

/// The label's value for all that has no series of its own.
pub const OTHER: &str = "other";

/// Twice [`MAX_CAUSES`], so that a look-up ends after a step or two; a power of two.
const SLOTS: usize = 1024;
const MASK: u64 = 1023;

/// Counts by kind (a place each, from the start) and by kind and cause (places as they come). Places
/// are never given back, and taking one needs no lock.
pub(crate) struct Counts {
    kinds: Box<[AtomicU64]>,
    newer_kinds: AtomicU64,
    slots: Box<[OnceLock<Place>]>,
    taken: AtomicUsize,
    other_causes: AtomicU64,
    /// Causes are texts of programs, not of callers, so a key that is the same everywhere harms nobody.
    hash: RandomState,
}

struct Place {
    kind: EventKind,
    cause: &'static str,
    count: AtomicU64,
}

impl Counts {
    pub(crate) fn new() -> Self {
        Self {
            kinds: EventKind::ALL.iter().map(|_| AtomicU64::new(0)).collect(),
            newer_kinds: AtomicU64::new(0),
            slots: (0..SLOTS).map(|_| OnceLock::new()).collect(),
            taken: AtomicUsize::new(0),
            other_causes: AtomicU64::new(0),
            hash: RandomState::with_seeds(0, 1, 2, 3),
        }
    }

    /// Counts one event.
    pub(crate) fn add(&self, kind: EventKind, cause: &'static str) {
        self.kinds
            .get(kind as usize)
            .unwrap_or(&self.newer_kinds)
            .fetch_add(1, Ordering::Relaxed);
        self.place(kind, cause)
            .map_or(&self.other_causes, |place| &place.count)
            .fetch_add(1, Ordering::Relaxed);
    }

    /// The place of a pair, which is taken if there is one left. `None` when there is none.
    fn place(&self, kind: EventKind, cause: &'static str) -> Option<&Place> {
        // By their text: the same literal may lie at several addresses.
        let first = usize::try_from(self.hash.hash_one((kind, cause)) & MASK).ok()?;
        let (before, from) = self.slots.split_at_checked(first)?;
        for slot in from.iter().chain(before) {
            let place = match slot.get() {
                Some(place) => place,
                None => self.take(slot, kind, cause)?,
            };
            if place.kind == kind && place.cause == cause {
                return Some(place);
            }
        }
        None
    }

    /// Whoever has `slot` in the end: the pair, or another one whose thread was faster.
    fn take<'a>(
        &self,
        slot: &'a OnceLock<Place>,
        kind: EventKind,
        cause: &'static str,
    ) -> Option<&'a Place> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= MAX_CAUSES {
            self.taken.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let mut is_mine = false;
        let place = slot.get_or_init(|| {
            is_mine = true;
            Place {
                kind,
                cause,
                count: AtomicU64::new(0),
            }
        });
        if !is_mine {
            self.taken.fetch_sub(1, Ordering::Relaxed);
        }
        Some(place)
    }

    /// How many events of `kind` there were.
    pub(crate) fn of_kind(&self, kind: EventKind) -> u64 {
        self.kinds
            .get(kind as usize)
            .unwrap_or(&self.newer_kinds)
            .load(Ordering::Relaxed)
    }

    /// Events of kinds that `EventKind::ALL` did not list.
    pub(crate) fn of_newer_kinds(&self) -> u64 {
        self.newer_kinds.load(Ordering::Relaxed)
    }

    /// Each pair that occurred, and how often.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let places = self.slots.iter().filter_map(OnceLock::get).map(|place| {
            let count = place.count.load(Ordering::Relaxed);
            (place.kind.as_str(), place.cause, count)
        });
        let others = self.other_causes.load(Ordering::Relaxed);
        places.chain((others > 0).then_some((OTHER, OTHER, others)))
    }
}

impl fmt::Debug for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counts")
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts like those of a program, made here because a test needs more than it wants to write.
    fn texts(count: usize) -> Vec<&'static str> {
        (0..count)
            .map(|number| &*String::leak(format!("a cause with the number {number}")))
            .collect()
    }

    #[test]
    fn the_same_text_at_two_addresses_is_one_cause() {
        let counts = Counts::new();
        for _ in 0..2 {
            for text in texts(3) {
                counts.add(EventKind::AccessDenied, text);
            }
        }
        let pairs: Vec<_> = counts.pairs().collect();
        assert_eq!(pairs.len(), 3);
        assert!(pairs.iter().all(|(_, _, count)| *count == 2), "{pairs:?}");
    }

    #[test]
    fn one_text_under_two_kinds_is_two_pairs() {
        let counts = Counts::new();
        counts.add(EventKind::AccessDenied, "a cause");
        counts.add(EventKind::AuthenticationFailed, "a cause");
        assert_eq!(counts.pairs().count(), 2);
    }

    /// In many tables, so that pairs of the same text stand beside each other in some.
    #[test]
    fn one_text_under_two_kinds_is_two_pairs_wherever_they_fall() {
        let kinds = [EventKind::AccessDenied, EventKind::AuthenticationFailed];
        for table in 0..40 {
            let counts = Counts::new();
            for number in 0..250 {
                let text = String::leak(format!("{table} {number}"));
                kinds.iter().for_each(|kind| counts.add(*kind, text));
            }
            assert_eq!(counts.pairs().count(), 500);
        }
    }

    #[test]
    fn beyond_the_bound_everything_is_counted_as_other_and_nothing_is_lost() {
        let counts = Counts::new();
        let texts = texts(MAX_CAUSES + 100);
        for _ in 0..3 {
            for text in &texts {
                counts.add(EventKind::AccessDenied, text);
            }
        }
        let pairs: Vec<_> = counts.pairs().collect();
        assert_eq!(pairs.len(), MAX_CAUSES + 1);
        assert!(pairs.contains(&(OTHER, OTHER, 300)), "{pairs:?}");
        let sum: u64 = pairs.iter().map(|(_, _, count)| count).sum();
        let all = counts.of_kind(EventKind::AccessDenied);
        assert_eq!(sum, all);
        assert_eq!(all, 3 * (MAX_CAUSES as u64 + 100));
    }

    #[test]
    fn threads_that_meet_a_cause_for_the_first_time_together_count_it_once_each() {
        const THREADS: u64 = 8;
        let texts = texts(MAX_CAUSES - 8);
        for _ in 0..20 {
            let counts = Counts::new();
            let start = std::sync::Barrier::new(8);
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        start.wait();
                        for text in &texts {
                            counts.add(EventKind::AccessDenied, text);
                        }
                    });
                }
            });
            let pairs: Vec<_> = counts.pairs().collect();
            assert_eq!(pairs.len(), texts.len());
            assert!(pairs.iter().all(|(_, _, count)| *count == THREADS));
        }
    }
}
