//! The thread that looks at files.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The shortest time between two looks: more often finds nothing that a look per interval does not.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Stops the watch of TLS files when it is dropped, and waits for its thread.
#[must_use = "the watch stops when the handle is dropped"]
pub struct TlsWatch {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl TlsWatch {
    /// Calls `look` every `interval` on a thread of its own. A thread and not a task, because reading
    /// files blocks, and because a runtime that is overloaded must not delay the removal of a root.
    pub(crate) fn start(
        interval: Duration,
        look: impl Fn() + Send + 'static,
    ) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let interval = interval.max(SHORTEST_INTERVAL);
        let seen_by_thread = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("ringwall-tls-files".to_owned())
            .spawn(move || {
                let (stopped, wake) = &*seen_by_thread;
                let mut guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
                while !*guard {
                    guard = wake
                        .wait_timeout(guard, interval)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    if !*guard {
                        // Whoever drops the handle need not wait for the lock, only for this look.
                        drop(guard);
                        look();
                        guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
                    }
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl fmt::Debug for TlsWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsWatch")
    }
}

impl Drop for TlsWatch {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread ends by itself; if it panicked, there is nothing left to stop.
            thread.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use ringwall_core::clock::{MonotonicClock as _, SystemClock};

    use super::*;

    #[test]
    fn no_interval_is_so_short_that_the_files_are_looked_at_all_the_time() {
        let looks = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&looks);
        let clock = SystemClock::new();
        let watch = TlsWatch::start(Duration::ZERO, move || {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let watch = watch.expect("a thread");
        while looks.load(Ordering::Relaxed) < 2 {
            std::thread::yield_now();
        }
        drop(watch);
        // However slow the machine is: two looks are two intervals.
        assert!(clock.elapsed() >= SHORTEST_INTERVAL * 2);
    }
}
