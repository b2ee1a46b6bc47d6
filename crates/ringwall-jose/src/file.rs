//! A key set in a file that somebody else replaces.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs::File;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use ringwall_core::event::{DiscardEvents, EventKind, EventSink, SecurityEvent};
use ringwall_core::step::Step;

use crate::error::KeySetError;
use crate::json::Limits;
use crate::set::{KeySet, KeySetBuilder};
use crate::source::{Health, KeySetRef, KeySource, KeysUnavailable};

/// Keys from a JWK Set file, read again when its content changes.
///
/// The content is compared, not the time stamp: orchestrators replace mounted files by swapping a
/// symbolic link, and some file systems keep seconds only. A new content that cannot be used (half
/// written, empty, no usable key) is reported and the keys in use stay in use; the source is then
/// [`Health::Stale`]. A key that is gone from the file is refused from the next look on.
///
/// ```no_run
/// use std::sync::Arc;
/// use std::time::Duration;
/// use ringwall_jose::{FileKeys, KeySet};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let keys = FileKeys::builder("/etc/service/jwks.json").open()?;
/// let watch = keys.watch(Duration::from_secs(5))?; // stops when it is dropped
/// # drop(watch);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileKeys(Arc<Inner>);

struct Inner {
    path: PathBuf,
    settings: Settings,
    keys: ArcSwap<KeySet>,
    /// The content that was looked at last, good or bad. Held across I/O: only reloads take it.
    seen: Mutex<Vec<u8>>,
    /// Whether that content was good, for a readiness probe that must not wait for a slow disk.
    good: AtomicBool,
}

struct Settings {
    set: Box<dyn Fn() -> KeySetBuilder + Send + Sync>,
    events: Arc<dyn EventSink>,
    about: Arc<str>,
}

/// Options of [`FileKeys`].
pub struct FileKeysBuilder {
    path: PathBuf,
    settings: Settings,
}

impl fmt::Debug for FileKeysBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeysBuilder")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl FileKeysBuilder {
    /// How each set is built: provider, RSA algorithm, number of keys. `KeySet::builder` unless
    /// set.
    #[must_use]
    pub fn key_set(mut self, builder: impl Fn() -> KeySetBuilder + Send + Sync + 'static) -> Self {
        self.settings.set = Box::new(builder);
        self
    }

    /// Where reloads and refused contents are reported.
    #[must_use]
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.settings.events = events;
        self
    }

    /// Reads the file for the first time. A service that cannot verify tokens should not start,
    /// so this fails where a later reload would only report.
    ///
    /// # Errors
    ///
    /// [`KeySetError`].
    pub fn open(self) -> Result<FileKeys, KeySetError> {
        let content = read(&self.path)?;
        let keys = (self.settings.set)().document(&content)?.build()?;
        report_refused(&self.settings, &keys);
        Ok(FileKeys(Arc::new(Inner {
            path: self.path,
            settings: self.settings,
            keys: ArcSwap::from_pointee(keys),
            seen: Mutex::new(content),
            good: AtomicBool::new(true),
        })))
    }
}

impl FileKeys {
    /// Options for the file at `path`.
    #[must_use]
    pub fn builder(path: impl Into<PathBuf>) -> FileKeysBuilder {
        let path = path.into();
        let about = path.to_string_lossy().into();
        let settings = Settings {
            set: Box::new(KeySet::builder),
            events: Arc::new(DiscardEvents),
            about,
        };
        FileKeysBuilder { path, settings }
    }

    /// Looks at the file now. Answers whether the keys changed.
    ///
    /// # Errors
    ///
    /// [`KeySetError`] when the content cannot be used; the keys in use stay in use.
    pub fn reload(&self) -> Result<bool, KeySetError> {
        let inner = &*self.0;
        // The lock orders reloads; readers never take it.
        let mut seen = inner.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let content = match read(&inner.path) {
            Ok(content) => content,
            Err(error) => {
                seen.clear();
                if inner.good.swap(false, Ordering::Relaxed) {
                    inner.report(EventKind::KeysRefused, "the key file cannot be read");
                }
                return Err(error);
            }
        };
        let is_new = content != *seen;
        if !is_new && inner.good.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match (inner.settings.set)()
            .document(&content)
            .and_then(KeySetBuilder::build)
        {
            Ok(keys) => {
                *seen = content;
                inner.good.store(true, Ordering::Relaxed);
                report_refused(&inner.settings, &keys);
                if keys.has_same_keys(&inner.keys.load()) {
                    return Ok(false);
                }
                inner.keys.store(Arc::new(keys));
                inner.report(EventKind::KeysReloaded, "the key file has new keys");
                Ok(true)
            }
            Err(error) => {
                *seen = content;
                inner.good.store(false, Ordering::Relaxed);
                if is_new {
                    inner.report(EventKind::KeysRefused, "the key file has no usable content");
                }
                Err(error)
            }
        }
    }

    /// A look by the watch. A failure was reported as an event and shows in `health`; the next
    /// look may succeed. A panic (in an event sink, say) must not end the watch unseen: a key that
    /// is withdrawn later would live on.
    fn look(&self) {
        let looked = catch_unwind(AssertUnwindSafe(|| self.reload().is_ok()));
        if looked.is_err() {
            self.0.good.store(false, Ordering::Relaxed);
        }
    }

    /// Looks at the file every `interval` (at least 100 ms) on a thread of its own, until the
    /// handle is dropped.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn watch(&self, interval: Duration) -> std::io::Result<WatchHandle> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let keys = self.clone();
        let interval = interval.max(Duration::from_millis(100));
        let seen_by_thread = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("ringwall-key-file".to_owned())
            .spawn(move || {
                let (stopped, wake) = &*seen_by_thread;
                let mut guard = stopped.lock().unwrap_or_else(PoisonError::into_inner);
                while !*guard {
                    guard = wake
                        .wait_timeout(guard, interval)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0;
                    if !*guard {
                        keys.look();
                    }
                }
            })?;
        Ok(WatchHandle {
            stop,
            thread: Some(thread),
        })
    }
}

impl fmt::Debug for FileKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileKeys")
            .field("path", &self.0.path)
            .field("keys", &self.0.keys.load())
            .finish()
    }
}

impl Inner {
    fn report(&self, kind: EventKind, cause: &'static str) {
        report(&self.settings, kind, cause);
    }
}

fn report(settings: &Settings, kind: EventKind, cause: &'static str) {
    let mut event = SecurityEvent::new(kind, cause);
    event.about = Some(Arc::clone(&settings.about));
    settings.events.emit(event);
}

fn report_refused(settings: &Settings, keys: &KeySet) {
    if !keys.refused().is_empty() {
        report(
            settings,
            EventKind::KeysRefused,
            "some keys of the set cannot be used",
        );
    }
}

impl KeySource for FileKeys {
    fn keys(&self) -> Result<KeySetRef, KeysUnavailable> {
        Ok(KeySetRef::lent(&self.0.keys))
    }

    fn generation(&self) -> Result<u64, KeysUnavailable> {
        Ok(self.0.keys.load().generation())
    }

    /// An attacker's key ids never make the file be read: the watch does that at its own pace.
    fn refresh(&self, _missing: &str) -> Step<Result<bool, KeysUnavailable>> {
        Step::Done(Ok(false))
    }

    fn health(&self) -> Health {
        if self.0.good.load(Ordering::Relaxed) {
            Health::Fresh
        } else {
            Health::Stale
        }
    }
}

/// Stops the watch when it is dropped, and waits for its thread.
#[must_use = "the watch stops when the handle is dropped"]
pub struct WatchHandle {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for WatchHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WatchHandle")
    }
}

impl Drop for WatchHandle {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // The thread ends by itself; if it panicked, there is nothing left to stop.
            thread.join().ok();
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, KeySetError> {
    let failed = |reason| {
        move |error| KeySetError::File {
            reason,
            source: Some(Box::new(error)),
        }
    };
    let regular = |metadata: std::fs::Metadata| {
        if metadata.is_file() {
            return Ok(metadata);
        }
        Err(KeySetError::File {
            reason: "it is not a regular file",
            source: None,
        })
    };
    // Opening a pipe waits for its writer, so look first; what counts is the file that was opened.
    regular(std::fs::metadata(path).map_err(failed("it cannot be opened"))?)?;
    let file = File::open(path).map_err(failed("it cannot be opened"))?;
    let metadata = regular(file.metadata().map_err(failed("it cannot be inspected"))?)?;
    // Whoever can write this file can sign in as anybody.
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
        return Err(KeySetError::File {
            reason: "everybody may write it",
            source: None,
        });
    }
    let limit = Limits::KEY_SET.bytes;
    let mut content = Vec::new();
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound)
        .read_to_end(&mut content)
        .map_err(failed("it cannot be read"))?;
    if content.len() > limit {
        return Err(KeySetError::File {
            reason: "it is longer than 256 KiB",
            source: None,
        });
    }
    Ok(content)
}
