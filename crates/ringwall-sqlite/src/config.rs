//! Where the file is, and how it is used.

use core::time::Duration;
use std::path::PathBuf;

use crate::Error;

/// For one call. A disk that is there answers in milliseconds; a writer may have to wait for others.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The longest that can be set: a request that waits longer is a request that fails.
const MAX_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections of readers, each with a thread of its own. There is one more, which writes.
const CONNECTIONS: u32 = 4;
/// The most that can be set.
const MAX_CONNECTIONS: u32 = 64;

/// How to use one file.
#[derive(Clone, Debug)]
#[must_use = "nothing is opened before `SqliteDatabase::open`"]
pub struct SqliteConfig {
    pub(crate) path: PathBuf,
    pub(crate) timeout: Duration,
    pub(crate) connections: u32,
    pub(crate) group_writes: bool,
}

impl SqliteConfig {
    /// The database in the file at `path`, which is made where there is none: for its owner alone (mode
    /// 0600). The folder has to be there. On Unix, a file that others may write is refused, and one that
    /// everybody may read is reported ([`SqliteDatabase::is_readable_by_everybody`]).
    ///
    /// [`SqliteDatabase::is_readable_by_everybody`]: crate::SqliteDatabase::is_readable_by_everybody
    ///
    /// SQLite keeps two more files beside it, `-wal` and `-shm`. All three belong on a local disk: the
    /// locks of network file systems are not to be trusted.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            timeout: TIMEOUT,
            connections: CONNECTIONS,
            group_writes: false,
        }
    }

    /// Accepts a file that its group may write, for processes of several accounts: each of them can add an API
    /// key of its own. Unless set, such a file is refused. One that everybody may write always is.
    ///
    /// A file that is made is for its owner alone, also with this. Its group is let in by whoever deploys.
    pub const fn group_writes_permitted(mut self) -> Self {
        self.group_writes = true;
        self
    }

    /// How long a call may take, waiting for other writers included: two seconds unless set, a minute at
    /// most.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Readers at once, each a connection and a thread: 4 unless set, 64 at most. There is one more for
    /// writers.
    pub const fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        // SQLite takes these for a database in memory, or for a URI with parameters, and not for a file.
        let path = self.path.as_os_str().as_encoded_bytes();
        if path.is_empty() || path.starts_with(b":") || path.starts_with(b"file:") {
            return Err(Error::Configuration(
                "the path must not be empty or begin with `:` or `file:`: write ./ in front",
            ));
        }
        if self.timeout < Duration::from_millis(1) || self.timeout > MAX_TIMEOUT {
            return Err(Error::Configuration(
                "the time-out must be from 1 ms to 60 s",
            ));
        }
        if self.connections == 0 || self.connections > MAX_CONNECTIONS {
            return Err(Error::Configuration("connections must be from 1 to 64"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_bounds_out_of_range() {
        let config = || SqliteConfig::new("x");
        config().check().expect("the defaults");
        for config in [
            config().timeout(Duration::ZERO),
            config().timeout(Duration::from_secs(61)),
            config().connections(0),
            config().connections(65),
            SqliteConfig::new(""),
            SqliteConfig::new(":memory:"),
            SqliteConfig::new("file:x?mode=memory"),
        ] {
            assert!(config.check().is_err(), "{config:?}");
        }
    }
}
