//! A quota that every request reads and that hardly ever changes.

use crate::policies::Enforcement;
use crate::quota::Quota;
use crate::sync::{AtomicU64, Ordering, fence};

/// A quota and its enforcement, which are read without a write to memory that threads share: a sequence lock (H.-J.
/// Boehm, "Can seqlocks get along with programming language memory models?", 2012). Whoever
/// reads while it is replaced reads nothing, and looks where it came from.
pub(crate) struct Mirror {
    /// Odd while it is replaced. The second bit is the enforcement's.
    version: AtomicU64,
    words: [AtomicU64; 3],
}

const BUSY: u64 = 1;
const SHADOW: u64 = 2;
const STEP: u64 = 4;

impl Mirror {
    pub(crate) fn new(quota: &Quota, enforcement: Enforcement) -> Self {
        Self {
            version: AtomicU64::new(flag(enforcement)),
            words: quota.to_words().map(AtomicU64::new),
        }
    }

    #[inline]
    pub(crate) fn read(&self) -> Option<(Quota, Enforcement)> {
        let version = self.version.load(Ordering::Acquire);
        if version & BUSY != 0 {
            return None;
        }
        let words = self
            .words
            .each_ref()
            .map(|word| word.load(Ordering::Relaxed));
        // The words before the version is read again.
        fence(Ordering::Acquire);
        if self.version.load(Ordering::Relaxed) != version {
            return None;
        }
        let enforcement = if version & SHADOW == 0 {
            Enforcement::Enforced
        } else {
            Enforcement::Shadow
        };
        Some((Quota::from_words(words), enforcement))
    }

    /// Only one thread at a time may write.
    pub(crate) fn write(&self, quota: &Quota, enforcement: Enforcement) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version | BUSY, Ordering::Relaxed);
        // Whoever sees one of the words below sees that it is busy.
        fence(Ordering::Release);
        for (word, new) in self.words.iter().zip(quota.to_words()) {
            word.store(new, Ordering::Relaxed);
        }
        let next = (version & !(BUSY | SHADOW)).wrapping_add(STEP);
        self.version
            .store(next | flag(enforcement), Ordering::Release);
    }
}

const fn flag(enforcement: Enforcement) -> u64 {
    match enforcement {
        Enforcement::Enforced => 0,
        Enforcement::Shadow => SHADOW,
    }
}

#[cfg(test)]
#[cfg(loom)]
mod tests {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn what_is_read_is_one_of_what_was_written() {
        loom::model(|| {
            let small = Quota::per_second(1).unwrap();
            let large = Quota::per_minute(1000).unwrap().burst(7).unwrap();
            let mirror = Arc::new(Mirror::new(&small, Enforcement::Enforced));
            let writer = {
                let mirror = Arc::clone(&mirror);
                thread::spawn(move || mirror.write(&large, Enforcement::Shadow))
            };
            if let Some(read) = mirror.read() {
                let known = [(small, Enforcement::Enforced), (large, Enforcement::Shadow)];
                assert!(known.contains(&read), "{read:?}");
            }
            writer.join().unwrap();
            assert_eq!(mirror.read(), Some((large, Enforcement::Shadow)));
        });
    }
}
