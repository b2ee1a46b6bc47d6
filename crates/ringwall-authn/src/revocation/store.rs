//! Where revocations are kept, so that they survive a restart and reach every process.

use core::error::Error as StdError;
use core::fmt;
use core::num::NonZeroU16;
use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ringwall_core::clock::Timestamp;
use ringwall_core::step::Step;

use super::kind::Revocation;

/// The answer of a store.
pub type RevocationStoreAnswer<T> = Step<Result<T, RevocationStoreError>>;

/// A durable log of revocations, which every process follows.
///
/// # Contract
///
/// - **Durable**: a revocation whose [`append`](Self::append) answered `Ok` is there after a crash of the
///   process; of the store too, if the store says that it is durable.
/// - **In order**: cursors grow with each append. Once an `append` has answered, every [`read`](Self::read)
///   that begins later, in any process, from a cursor that was given out before that `append` answered,
///   gives its revocation, on this page or a following one. So a store whose entries become visible in
///   another order than they were numbered has to serialise its appends: a reader that has seen number 7
///   never looks for number 6 again.
/// - **Retries**: `append` may be repeated after an unknown outcome; a revocation that is there twice
///   means what it means once.
/// - **Bounded in time**: a store that does not answer within its own time-out answers an error.
/// - What cannot be read back is an error, never skipped.
///
/// `ringwall_authn::revocation::conformance` (feature `conformance`) is the suite that holds a store
/// against this.
pub trait RevocationStore: Send + Sync + fmt::Debug {
    /// Adds a revocation.
    fn append(&self, revocation: &Revocation) -> RevocationStoreAnswer<()>;

    /// The revocations behind `after`, oldest first, `limit` at most.
    fn read(
        &self,
        after: RevocationCursor,
        limit: NonZeroU16,
    ) -> RevocationStoreAnswer<RevocationPage>;

    /// Forgets the revocations whose last token ended before `over`. Cursors stay what they are. Answers
    /// how many there were.
    fn purge(&self, over: Timestamp) -> RevocationStoreAnswer<u64>;
}

/// A place in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RevocationCursor(i64);

impl RevocationCursor {
    /// Before the first one.
    pub const START: Self = Self(0);

    /// The place behind the entry of this number, which is positive.
    #[must_use]
    pub const fn behind(number: i64) -> Self {
        Self(number)
    }

    /// The number of the entry before this place; zero at the start.
    #[must_use]
    pub const fn number(self) -> i64 {
        self.0
    }
}

/// A part of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationPage {
    /// The revocations, oldest first.
    pub revocations: Vec<Revocation>,
    /// Where to go on. On the last page, behind the last entry that was ever made, so that a log that
    /// went back (restored from a copy, emptied) is noticed by a cursor that is ahead of it.
    pub next: RevocationCursor,
    /// Whether there is nothing behind it now.
    pub is_last: bool,
}

/// A store of revocations did not do what it was asked for.
#[derive(Debug)]
pub struct RevocationStoreError {
    retry_after: Duration,
    is_corrupt: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl RevocationStoreError {
    /// The store cannot be reached, is full, or took too long.
    #[must_use]
    pub fn unavailable(
        retry_after: Duration,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self {
            retry_after,
            is_corrupt: false,
            source,
        }
    }

    /// What is stored cannot be read back. Somebody has to look.
    #[must_use]
    pub fn corrupt(source: Option<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            retry_after: Duration::from_secs(60),
            is_corrupt: true,
            source,
        }
    }

    /// Whether the same call may succeed later without anybody doing something.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        !self.is_corrupt
    }

    /// When to try again.
    #[must_use]
    pub const fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for RevocationStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_corrupt {
            "a stored revocation cannot be read back"
        } else {
            "the store of revocations is not available"
        })
    }
}

impl StdError for RevocationStoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source
            .as_deref()
            .map(|source| -> &(dyn StdError + 'static) { source })
    }
}

/// A log in the memory of this process: for tests.
#[derive(Debug, Default)]
pub struct MemoryRevocationStore(Mutex<Log>);

#[derive(Debug, Default)]
struct Log {
    entries: BTreeMap<i64, Revocation>,
    last: i64,
}

impl MemoryRevocationStore {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RevocationStore for MemoryRevocationStore {
    fn append(&self, revocation: &Revocation) -> RevocationStoreAnswer<()> {
        let mut log = self.lock();
        log.last = log.last.saturating_add(1);
        let number = log.last;
        log.entries.insert(number, revocation.clone());
        Step::Done(Ok(()))
    }

    fn read(
        &self,
        after: RevocationCursor,
        limit: NonZeroU16,
    ) -> RevocationStoreAnswer<RevocationPage> {
        let log = self.lock();
        let limit = usize::from(limit.get());
        let from = after.number().saturating_add(1);
        let page: Vec<_> = log.entries.range(from..).take(limit).collect();
        let is_last = page.len() < limit;
        let end = page.last().map_or(after.number(), |(number, _)| **number);
        Step::Done(Ok(RevocationPage {
            next: RevocationCursor(if is_last { log.last } else { end }),
            is_last,
            revocations: page.into_iter().map(|(_, one)| one.clone()).collect(),
        }))
    }

    fn purge(&self, over: Timestamp) -> RevocationStoreAnswer<u64> {
        let mut log = self.lock();
        let before = log.entries.len();
        log.entries.retain(|_, one| one.last_expiry() >= over);
        let gone = before.saturating_sub(log.entries.len());
        Step::Done(Ok(u64::try_from(gone).unwrap_or(u64::MAX)))
    }
}
