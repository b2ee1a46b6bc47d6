//! An allocator that counts, for the current thread.
//!
//! The counters are plain cells of the thread rather than atomics: counting costs about as much as
//! a register addition and shifts no comparison.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static LIVE_IN_CHUNKS: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counted. An area installs it with `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// What the thread has allocated so far.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot {
    calls: u64,
    live: i64,
    live_in_chunks: i64,
}

/// What was allocated between two moments.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// Calls of `alloc` and `realloc`.
    pub calls: u64,
    /// Bytes asked for and not given back.
    pub live: i64,
    /// The same bytes in the chunks that glibc hands out for them: a header of 8 bytes, rounded to
    /// 16, never below 32.
    pub live_in_chunks: i64,
}

impl Snapshot {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self {
            calls: CALLS.get(),
            live: LIVE.get(),
            live_in_chunks: LIVE_IN_CHUNKS.get(),
        }
    }

    /// From this moment until now.
    #[must_use]
    pub fn until_now(self) -> Difference {
        let now = Self::now();
        Difference {
            calls: now.calls - self.calls,
            live: now.live - self.live,
            live_in_chunks: now.live_in_chunks - self.live_in_chunks,
        }
    }
}

/// Allocations of one run of `operation`, whose result is dropped within the count. The smallest
/// of a few runs: a table that grows once is no cost of each request.
pub fn per_run<T>(mut operation: impl FnMut() -> T) -> u64 {
    (0..16)
        .map(|_| {
            let before = Snapshot::now();
            drop(std::hint::black_box(operation()));
            before.until_now().calls
        })
        .min()
        .unwrap_or(0)
}

fn chunk(size: usize) -> i64 {
    i64::try_from((size + 8).next_multiple_of(16).max(32)).unwrap_or(i64::MAX)
}

fn count(size: usize, sign: i64) {
    LIVE.set(LIVE.get() + sign * i64::try_from(size).unwrap_or(i64::MAX));
    LIVE_IN_CHUNKS.set(LIVE_IN_CHUNKS.get() + sign * chunk(size));
}

// SAFETY: every call goes to `System` unchanged; the cells have no destructor and allocate nothing,
// so they may be used here at any time of a thread's life.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        count(layout.size(), 1);
        // SAFETY: the caller's obligations are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        count(layout.size(), 1);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        count(layout.size(), -1);
        count(size, 1);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
