//! The file, opened.

use core::fmt;
use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Arc;

use sqlx::ConnectOptions as _;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Sqlite, Transaction};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::TooSlow;
use crate::permissions::{self, Readers};
use crate::{Error, Migrations, SqliteConfig};

/// Between two attempts to open a file that another process is opening.
const PAUSE: Duration = Duration::from_millis(10);

/// One SQLite file, which several processes of one machine may use at once. Clones are handles of the
/// same connections.
///
/// - Write-ahead log with `synchronous = FULL`: what was answered survives a loss of power, if the disk
///   keeps what it confirms.
/// - A writer takes the lock at its beginning (`BEGIN IMMEDIATE`), so that it never finds halfway that
///   another one was faster. Readers wait for nobody.
/// - Nothing that stands in the schema is run as code (`trusted_schema = OFF`).
#[derive(Clone)]
pub struct SqliteDatabase {
    /// For readers.
    pool: SqlitePool,
    /// For writers: one connection. A call that is dropped while it waits for the file's lock leaves its
    /// connection waiting, up to the time-out, and readers must not run out of theirs by that.
    writer: SqlitePool,
    /// Of one process, one waits for the file's lock and the others for their turn: the lock has no queue.
    turn: Arc<Semaphore>,
    timeout: Duration,
    path: Arc<Path>,
    readers: Readers,
}

/// A transaction that holds the file's lock, and the process's turn.
pub(crate) struct Writing<'a> {
    pub(crate) transaction: Transaction<'static, Sqlite>,
    _turn: SemaphorePermit<'a>,
}

impl Writing<'_> {
    pub(crate) async fn commit(self) -> Result<(), sqlx::Error> {
        self.transaction.commit().await
    }
}

impl SqliteDatabase {
    /// Opens the file, and makes an empty one where there is none. It changes no table: that is what
    /// [`migrations`](Self::migrations) are for. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`], [`Error::Unavailable`]; [`Error::Corrupt`] when the file is no database;
    /// [`Error::Exposed`] when others may write it or, in a folder that everybody may write, replace it.
    pub async fn open(config: SqliteConfig) -> Result<Self, Error> {
        config.check()?;
        let timeout = config.timeout;
        tokio::time::timeout(timeout, Self::open_patiently(config))
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable(Box::new(TooSlow))))
    }

    async fn open_patiently(config: SqliteConfig) -> Result<Self, Error> {
        let (path, group_writes) = (config.path.clone(), config.group_writes);
        let look = move || {
            let file = open_private(&path).map_err(|error| Error::Unavailable(Box::new(error)))?;
            permissions::check(&path, &file, group_writes)
        };
        let readers = tokio::task::spawn_blocking(look)
            .await
            .map_err(|error| Error::Unavailable(Box::new(error)))??;
        if readers == Readers::All {
            tracing::warn!(
                event = "sqlite_file_readable",
                "everybody on this machine may read the SQLite file"
            );
        }
        loop {
            match Self::connect(&config, readers).await {
                // SQLite does not wait for its turn where two processes want to switch a new file to
                // a write-ahead log.
                Err(error) if is_busy(&error) => tokio::time::sleep(PAUSE).await,
                connected => return connected.map_err(Error::of_database),
            }
        }
    }

    async fn connect(config: &SqliteConfig, readers: Readers) -> Result<Self, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(&config.path)
            // It was just made, with the right permissions. Should it be gone, it is not made without.
            .create_if_missing(false)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("trusted_schema", "OFF")
            .busy_timeout(config.timeout)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(config.connections)
            .acquire_timeout(config.timeout)
            .connect_with(options.clone())
            .await?;
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(config.timeout)
            .connect_lazy_with(options);
        Ok(Self {
            pool,
            writer,
            turn: Arc::new(Semaphore::new(1)),
            timeout: config.timeout,
            path: config.path.as_path().into(),
            readers,
        })
    }

    /// The versions of its schema.
    #[must_use]
    pub fn migrations(&self) -> Migrations {
        Migrations::new(self.clone())
    }

    /// Whether the file answers, for a readiness probe; within the time-out.
    pub async fn answers(&self) -> bool {
        let answer = sqlx::query("SELECT 1").fetch_one(&self.pool);
        matches!(tokio::time::timeout(self.timeout, answer).await, Ok(Ok(_)))
    }

    /// Whether everybody on this machine who gets at its folder could read the file when it was opened: whom
    /// keys belong to, and what was revoked, but no key. It is a `tracing` event too
    /// (`sqlite_file_readable`). Always `false` where the system is no Unix.
    #[must_use]
    pub fn is_readable_by_everybody(&self) -> bool {
        self.readers == Readers::All
    }

    /// Finishes what is being done and closes the file.
    pub async fn close(&self) {
        self.writer.close().await;
        self.pool.close().await;
    }

    /// For reading.
    pub(crate) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    pub(crate) const fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) async fn write(&self) -> Result<Writing<'_>, sqlx::Error> {
        let turn = self.turn.acquire().await;
        // Nobody closes the semaphore.
        let _turn = turn.map_err(|_| sqlx::Error::PoolClosed)?;
        let transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Writing { transaction, _turn })
    }
}

/// SQLite would make the file readable for everybody whom the folder lets in; its other files take over
/// the permissions that this one has.
fn open_private(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Whether another connection holds a lock (`SQLITE_BUSY`, in the low byte of the code).
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|answer| answer.code());
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

impl fmt::Debug for SqliteDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteDatabase")
            .field("path", &self.path)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
