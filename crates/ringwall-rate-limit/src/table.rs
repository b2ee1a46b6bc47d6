//! The buckets: a table of a fixed size whose slots are reused in place.
//!
//! A slot holds a tag (32 bits of the key's hash) and the time at which its bucket is full. A bucket that is full
//! says the same as one that is absent, so a slot whose time is past may be taken by another key, and nothing
//! ever sweeps. A slot whose bucket is *not* full is never taken: whoever took it would give its key
//! a full bucket again.
//!
//! Five slots make a line of 64 bytes, which is what a processor fetches at once. A key has two lines, chosen by
//! its hash within one page of memory, and takes a slot of the one in which fewer buckets are at work; and a
//! third in a small part of the table of its own, for the rare case that both are taken up. So a look-up
//! fetches two lines from memory, at the same time, and a table with as many keys as it was made for has a
//! place for every one of them (see the test).
//!
//! # How threads keep out of each other's way
//!
//! - A bucket that is there is changed by one compare-and-swap on its time. There is no lock.
//! - A key that is not there is entered under a lock (one of a few hundred, chosen by the key's tag), so that two
//!   threads cannot enter one key twice, which would be two buckets. Within the lock the key is looked for again.
//! - Whoever takes over a slot first sets its time to [`TAKEN`] by a compare-and-swap from a time that is past;
//!   then writes the tag, then the time. Whoever changes a bucket reads its time, *then* its tag, and then swaps
//!   the time it read. When somebody took the slot over in between, the swap fails: times that were past
//!   never come back into a slot.
//!
//! The module `model` runs this against every order of its steps that the memory model permits.

use core::fmt;
#[cfg(not(loom))]
use std::sync::{MutexGuard, PoisonError};

use crate::gcra::MAX_NOW;
use crate::key::LimitKey;
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering};

/// Slots of a line.
#[cfg(not(loom))]
const SLOTS: usize = 5;

/// The model checker tries every order of every step: the fewer, the deeper.
#[cfg(loom)]
const SLOTS: usize = 1;

/// How many keys a line is reckoned for, in thousandths: what leaves a place for every key, with
/// 21.3 bytes for each.
const KEYS_PER_1000_LINES: usize = 3050;

/// A key goes into its first line while no more of the line's slots than these are taken, and only then into the
/// emptier of its two: most keys are found in their first line, and there is still a place for every one.
const FIRST_WHILE: usize = 2;

/// Lines of a page of memory (4096 bytes). Both lines of a key are in one, so that the processor looks up one page
/// and not two.
const PAGE: usize = 64;

/// One line in the part for the rare case for so many others.
const LINES_PER_SPARE: usize = 64;

/// Somebody is taking the slot over. No time is as late.
const TAKEN: u64 = u64::MAX;

const _: () = assert!(MAX_NOW < TAKEN / 2, "no bucket's time is ever TAKEN");

/// One line of the processor's cache.
#[cfg_attr(not(loom), repr(align(64)))]
struct Line {
    tags: [AtomicU32; SLOTS],
    full_at: [AtomicU64; SLOTS],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Line>() == 64, "a line is one line of the cache");

impl Line {
    fn new() -> Self {
        Self {
            tags: core::array::from_fn(|_| AtomicU32::new(0)),
            full_at: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    #[inline]
    fn slot(&self, place: usize) -> Option<Slot<'_>> {
        Some(Slot {
            tag: self.tags.get(place)?,
            full_at: self.full_at.get(place)?,
        })
    }

    fn slots(&self) -> impl Iterator<Item = Slot<'_>> {
        self.tags
            .iter()
            .zip(&self.full_at)
            .map(|(tag, full_at)| Slot { tag, full_at })
    }
}

/// One bucket's place.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a> {
    tag: &'a AtomicU32,
    full_at: &'a AtomicU64,
}

impl<'a> Slot<'a> {
    #[inline]
    fn found(self, tag: u32) -> Option<Found<'a>> {
        let full_at = self.read(tag)?;
        Some(Found {
            slot: self,
            full_at,
        })
    }

    /// The time of the bucket, if it is still the one of this tag.
    #[inline]
    fn read(&self, tag: u32) -> Option<u64> {
        // The time first: if the tag is right after that, the time was this tag's, and a swap from it fails
        // once it is not.
        let full_at = self.full_at.load(Ordering::Acquire);
        (full_at != TAKEN && self.tag.load(Ordering::Acquire) == tag).then_some(full_at)
    }

    /// Puts `new` in the place of `seen`, unless somebody changed the bucket or took the slot meanwhile.
    #[inline]
    pub(crate) fn swap(&self, seen: u64, new: u64) -> bool {
        self.full_at
            .compare_exchange(seen, new, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

/// A bucket that was found: its place, and its time when it was looked at.
#[derive(Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) slot: Slot<'a>,
    pub(crate) full_at: u64,
}

/// What entering a key came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    /// The bucket is there now.
    Yes,
    /// Somebody else entered the key first. Look it up.
    Known,
    /// Every slot that the key could have is taken by a bucket that is not full.
    Full,
}

/// All buckets.
pub(crate) struct Table {
    lines: Box<[Line]>,
    spares: Box<[Line]>,
    locks: Box<[Mutex<()>]>,
}

/// Where a key can be.
#[derive(Clone, Copy)]
struct Places<'a> {
    tag: u32,
    first: &'a Line,
    second: &'a Line,
    spare: &'a Line,
    lock: &'a Mutex<()>,
}

impl Table {
    /// With a place for each of `keys` keys at least; a table has room for a few in any case.
    pub(crate) fn new(keys: usize) -> Self {
        let lines = keys
            .saturating_mul(1000)
            .div_ceil(KEYS_PER_1000_LINES)
            .clamp(2, u32::MAX as usize);
        let lines = if lines < PAGE {
            lines
        } else {
            lines.next_multiple_of(PAGE)
        };
        let spares = lines.div_ceil(LINES_PER_SPARE);
        // A lock is needed for as long as a line takes to be read; a few hundred keep the threads of a
        // large machine apart, and lie in the nearest cache.
        let locks = lines.min(MAX_LOCKS);
        Self::with(lines, spares, locks)
    }

    pub(crate) fn with(lines: usize, spares: usize, locks: usize) -> Self {
        Self {
            lines: (0..lines).map(|_| Line::new()).collect(),
            spares: (0..spares).map(|_| Line::new()).collect(),
            locks: (0..locks).map(|_| Mutex::new(())).collect(),
        }
    }

    /// What the table occupies: it never grows.
    pub(crate) fn bytes(&self) -> usize {
        let lines = self.lines.len().saturating_add(self.spares.len());
        let locks = self.locks.len().saturating_mul(size_of::<Mutex<()>>());
        lines
            .saturating_mul(size_of::<Line>())
            .saturating_add(locks)
    }

    /// How many buckets are not full at `now`. It reads the whole table.
    pub(crate) fn count_at_work(&self, now: u64) -> usize {
        self.lines
            .iter()
            .chain(&self.spares)
            .map(|line| at_work(line, now))
            .fold(0, usize::saturating_add)
    }

    /// The bucket of a key. `None` is a full one.
    #[inline]
    pub(crate) fn find(&self, key: LimitKey) -> Option<Found<'_>> {
        self.places(key)?.find()
    }

    /// Begins to fetch a key's lines from memory, so that those of several keys come at the same time and not one
    /// after the other.
    #[inline]
    pub(crate) fn fetch(&self, key: LimitKey) {
        if let Some(Places { first, second, .. }) = self.places(key) {
            let word = |line: &Line| line.tags.first().map(|tag| tag.load(Ordering::Relaxed));
            core::hint::black_box((word(first), word(second)));
        }
    }

    /// Enters a key that was not found, with the time at which its bucket is full.
    pub(crate) fn enter(&self, key: LimitKey, now: u64, full_at: u64) -> Entered {
        // A table without lines has no room.
        let Some(places) = self.places(key) else {
            return Entered::Full;
        };
        let _guard = lock(places.lock);
        loop {
            if places.find().is_some() {
                return Entered::Known;
            }
            let Some((slot, seen)) = places.choose(now) else {
                return Entered::Full;
            };
            if slot.swap(seen, TAKEN) {
                slot.tag.store(places.tag, Ordering::Release);
                slot.full_at.store(full_at, Ordering::Release);
                return Entered::Yes;
            }
            // Its key came back, or another key took it. Each turn of this loop is one that somebody else
            // used; the slots of three lines are all there are.
        }
    }

    #[inline]
    fn places(&self, key: LimitKey) -> Option<Places<'_>> {
        let [a, b, c, d] = words(key.to_words());
        let first = reduce(a, self.lines.len());
        let second = second_line(first, b, self.lines.len());
        // Zero is a slot that nobody ever had.
        let tag = d.max(1);
        Some(Places {
            tag,
            first: self.lines.get(first)?,
            second: self.lines.get(second)?,
            spare: self.spares.get(reduce(c, self.spares.len()))?,
            // By the tag alone: two keys that the table cannot tell apart are entered one after the other.
            lock: self.locks.get(reduce(tag, self.locks.len()))?,
        })
    }
}

/// Another line than `first` of its page, or of the whole of a table that is smaller than one.
#[inline]
fn second_line(first: usize, word: u32, lines: usize) -> usize {
    let (start, size) = if lines < PAGE {
        (0, lines)
    } else {
        (first & !(PAGE.wrapping_sub(1)), PAGE)
    };
    let within = first.wrapping_sub(start);
    // One to `size - 1` further, around the end.
    let step = reduce(word, size.saturating_sub(1)).saturating_add(1);
    let place = within.saturating_add(step);
    let place = if place >= size {
        place.saturating_sub(size)
    } else {
        place
    };
    start.saturating_add(place)
}

/// The most locks for entering keys.
const MAX_LOCKS: usize = 512;

/// The four 32-bit words of a hash.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the halves of each word, each of which is used"
)]
const fn words([low, high]: [u64; 2]) -> [u32; 4] {
    [
        low as u32,
        (low >> 32) as u32,
        high as u32,
        (high >> 32) as u32,
    ]
}

/// A word of a hash as one of `count` places, evenly, without a division.
#[inline]
fn reduce(word: u32, count: usize) -> usize {
    let wide = u64::from(word).wrapping_mul(u64::try_from(count).unwrap_or(u64::MAX));
    usize::try_from(wide >> 32).unwrap_or(usize::MAX)
}

/// How many of a line's buckets are not full.
fn at_work(line: &Line, now: u64) -> usize {
    line.slots()
        .filter(|slot| slot.full_at.load(Ordering::Relaxed) >= now)
        .count()
}

/// A lock guards no data: what a thread that died left behind is a slot that is taken, at the most.
#[cfg(not(loom))]
fn lock(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(loom)]
fn lock(mutex: &Mutex<()>) -> loom::sync::MutexGuard<'_, ()> {
    mutex.lock().unwrap()
}

impl<'a> Places<'a> {
    #[inline]
    fn find(&self) -> Option<Found<'a>> {
        // Both lines come from memory at the same time, and not one after the other; and which of the slots it
        // is decides no branch, for the processor could only guess it.
        let mut matching =
            matches(self.first, self.tag) | (matches(self.second, self.tag) << SLOTS);
        while matching != 0 {
            let place = usize::try_from(matching.trailing_zeros()).unwrap_or(0);
            let (line, place) = if place < SLOTS {
                (self.first, place)
            } else {
                (self.second, place.wrapping_sub(SLOTS))
            };
            let found = line.slot(place).and_then(|slot| slot.found(self.tag));
            // Without the lowest of them. There is a second one only when another key has the tag too.
            matching &= matching.wrapping_sub(1);
            if found.is_some() {
                return found;
            }
        }
        self.spare.slots().find_map(|slot| slot.found(self.tag))
    }

    /// A slot whose bucket is full, with the time it showed: in the line that has more of them, for that leaves
    /// room where it will be needed; and of those the one that was full first.
    fn choose(&self, now: u64) -> Option<(Slot<'a>, u64)> {
        let (in_first, in_second) = (at_work(self.first, now), at_work(self.second, now));
        let (one, other) = if in_first <= FIRST_WHILE || in_first <= in_second {
            (self.first, self.second)
        } else {
            (self.second, self.first)
        };
        [one, other, self.spare].into_iter().find_map(|line| {
            line.slots()
                .map(|slot| (slot, slot.full_at.load(Ordering::Acquire)))
                // Strictly past: what is given back to a bucket never makes it fuller than full at the time
                // of giving, so no time that is past here can come back into the slot.
                .filter(|(_, full_at)| *full_at < now)
                .min_by_key(|(_, full_at)| *full_at)
        })
    }
}

/// A bit for each slot of the line that shows the tag.
#[inline]
fn matches(line: &Line, tag: u32) -> u32 {
    let mut bits = 0;
    for (place, known) in line.tags.iter().enumerate() {
        bits |= u32::from(known.load(Ordering::Relaxed) == tag) << place;
    }
    bits
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use super::*;
    use crate::key::KeyHasher;

    fn keys(count: u32) -> impl Iterator<Item = LimitKey> {
        // A hasher of its own for each run would make the test of chance. What is shown for one key of
        // the hash holds for every other.
        let hasher = KeyHasher::shared([3; 16]);
        (0..count).map(move |n| hasher.key([&n.to_le_bytes()[..]]).unwrap())
    }

    #[test]
    fn a_table_has_a_place_for_every_key_it_is_made_for() {
        for count in [1, 2, 10, 100, 1000, 10_000, 300_000] {
            let table = Table::new(usize::try_from(count).unwrap());
            for (n, key) in keys(count).enumerate() {
                assert_eq!(table.enter(key, 1, 100), Entered::Yes, "{n} of {count}");
            }
            assert_eq!(table.count_at_work(2), usize::try_from(count).unwrap());
            assert!(keys(count).all(|key| table.find(key).unwrap().full_at == 100));
        }
    }

    #[test]
    fn a_key_costs_at_most_21_6_bytes() {
        let bytes = Table::new(1_000_000).bytes();
        assert!(bytes <= 21_600_000, "{bytes}");
    }

    #[test]
    fn a_bucket_that_is_not_full_keeps_its_place_and_one_that_is_gives_it_away() {
        let table = Table::with(2, 1, 2);
        let mut entered = Vec::new();
        for key in keys(100) {
            if table.enter(key, 10, 20) == Entered::Yes {
                entered.push(key);
            }
        }
        assert_eq!(entered.len(), 15);
        for key in keys(200).skip(100) {
            // Full at 20 is full at 20, and past only after it.
            assert_eq!(table.enter(key, 20, 30), Entered::Full);
        }
        assert!(entered.iter().all(|key| table.find(*key).is_some()));
        let late = keys(300).skip(200);
        let count = late.filter(|key| table.enter(*key, 21, 40) == Entered::Yes);
        assert_eq!(count.count(), 15);
        assert!(entered.iter().all(|key| table.find(*key).is_none()));
    }

    #[test]
    fn a_key_is_entered_once() {
        let table = Table::new(10);
        let key = keys(1).next().unwrap();
        assert_eq!(table.enter(key, 1, 100), Entered::Yes);
        assert_eq!(table.enter(key, 1, 100), Entered::Known);
        assert_eq!(table.count_at_work(1), 1);
    }
}
