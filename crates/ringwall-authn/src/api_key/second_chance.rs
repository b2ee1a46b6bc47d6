//! A bounded table that keeps what is used.

use core::sync::atomic::{AtomicBool, Ordering};

use ahash::RandomState;
use hashbrown::HashTable;

use super::id::CompactId;

/// Values by their ids, so many at most. When it is full, the next one goes that was not looked up since
/// the hand last came by (second chance), so that a look-up writes one mark at most and moves nothing:
/// several threads look up at once.
pub(crate) struct Table<T> {
    entries: HashTable<Entry<T>>,
    most: usize,
    /// Where the search for an entry to drop goes on.
    hand: usize,
}

/// Not across more lines than it needs: with many keys each line is memory that no cache holds.
#[repr(align(64))]
struct Entry<T> {
    id: CompactId,
    /// Looked up since the hand last came by.
    used: AtomicBool,
    value: T,
}

impl<T> Table<T> {
    /// Nothing yet, and never more than `most`.
    pub(crate) const fn new(most: usize) -> Self {
        Self {
            entries: HashTable::new(),
            most,
            hand: 0,
        }
    }

    /// The value of this id, which has this hash.
    pub(crate) fn get(&self, hash: u64, id: &CompactId) -> Option<&T> {
        let entry = self.find(hash, id)?;
        // Written once for each round of the hand: the line stays with all processors that read it.
        if !entry.used.load(Ordering::Relaxed) {
            entry.used.store(true, Ordering::Relaxed);
        }
        Some(&entry.value)
    }

    /// The same, by somebody whose look does not count as a use.
    pub(crate) fn peek(&self, hash: u64, id: &CompactId) -> Option<&T> {
        self.find(hash, id).map(|entry| &entry.value)
    }

    fn find(&self, hash: u64, id: &CompactId) -> Option<&Entry<T>> {
        self.entries.find(hash, |entry| entry.id == *id)
    }

    /// Enters a value. Answers what had to go, so that it is dropped where no lock is held.
    pub(crate) fn insert(&mut self, hasher: &RandomState, id: CompactId, value: T) -> Option<T> {
        let hash = hasher.hash_one(id.number());
        if let Some(entry) = self.entries.find_mut(hash, |entry| entry.id == id) {
            return Some(core::mem::replace(&mut entry.value, value));
        }
        if self.most == 0 {
            return Some(value);
        }
        let gone = if self.entries.len() >= self.most {
            self.drop_one()
        } else {
            None
        };
        let entry = Entry {
            id,
            used: AtomicBool::new(false),
            value,
        };
        self.entries
            .insert_unique(hash, entry, |entry| hasher.hash_one(entry.id.number()));
        gone
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, hash: u64, id: &CompactId) -> Option<T> {
        let entry = self.entries.find_entry(hash, |entry| entry.id == *id);
        entry.ok().map(|entry| entry.remove().0.value)
    }

    /// Keeps only what `stays`.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&T) -> bool) {
        self.entries.retain(|entry| stays(&entry.value));
    }

    /// How many there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn drop_one(&mut self) -> Option<T> {
        let places = self.entries.num_buckets();
        // Twice around: the first round may only take the marks away.
        for _ in 0..places.saturating_mul(2) {
            let place = self.hand;
            let next = place.saturating_add(1);
            self.hand = if next < places { next } else { 0 };
            if let Ok(mut entry) = self.entries.get_bucket_entry(place)
                && !core::mem::take(entry.get_mut().used.get_mut())
            {
                return Some(entry.remove().0.value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> CompactId {
        CompactId::own(format!("{n:016}").as_bytes().try_into().unwrap())
    }

    fn get(table: &Table<usize>, hasher: &RandomState, n: usize) -> Option<usize> {
        table.get(hasher.hash_one(id(n).number()), &id(n)).copied()
    }

    #[test]
    fn what_is_used_stays_whatever_else_comes() {
        for most in [2, 3, 16, 100] {
            let hasher = RandomState::with_seeds(1, 2, 3, 4);
            let mut table = Table::new(most);
            table.insert(&hasher, id(0), 0);
            for n in 1..1000 {
                assert_eq!(get(&table, &hasher, 0), Some(0), "{most} {n}");
                table.insert(&hasher, id(n), n);
                assert!(table.len() <= most, "{most} {n}");
                let hash = hasher.hash_one(id(n).number());
                assert_eq!(table.peek(hash, &id(n)), Some(&n), "{most} {n}");
            }
        }
    }

    #[test]
    fn when_all_are_used_one_goes_all_the_same() {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut table = Table::new(8);
        for n in 0..8 {
            assert_eq!(table.insert(&hasher, id(n), n), None);
            assert_eq!(get(&table, &hasher, n), Some(n));
        }
        let gone = table.insert(&hasher, id(8), 8).unwrap();
        assert_eq!((get(&table, &hasher, gone), table.len()), (None, 8));
        assert_eq!(get(&table, &hasher, 8), Some(8));
    }

    #[test]
    fn an_id_has_one_value_and_an_empty_table_none() {
        let hasher = RandomState::with_seeds(1, 2, 3, 4);
        let mut table = Table::new(2);
        assert_eq!(table.insert(&hasher, id(1), 1), None);
        assert_eq!(table.insert(&hasher, id(1), 2), Some(1));
        assert_eq!((get(&table, &hasher, 1), table.len()), (Some(2), 1));
        assert_eq!(
            table.remove(hasher.hash_one(id(1).number()), &id(1)),
            Some(2)
        );
        assert_eq!((get(&table, &hasher, 1), table.len()), (None, 0));
        let mut none = Table::new(0);
        assert_eq!(none.insert(&hasher, id(1), 1), Some(1));
        assert_eq!((get(&none, &hasher, 1), none.len()), (None, 0));
    }
}
