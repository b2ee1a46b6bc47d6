//! The database: one SQLite file in the data folder.

use core::time::Duration;
use std::path::Path;
use std::{fs, io};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Row as _};

const FILE: &str = "agent-backend.sqlite3";

/// Held while the database is opened, and released by the system if the process dies.
const LOCK_FILE: &str = "agent-backend.lock";

/// SQLite writes one at a time; a few readers beside are enough for one file.
const CONNECTIONS: u32 = 4;

/// How long a request waits for a connection or for another writer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a readiness probe waits.
pub(crate) const PING: Duration = Duration::from_secs(1);

/// The steps from each version of the schema to the next. Only ever add to the end.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE cases (
        org TEXT NOT NULL,
        project TEXT NOT NULL,
        id TEXT NOT NULL,
        title TEXT NOT NULL,
        body TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('open', 'closed')),
        sensitivity TEXT
            CHECK (sensitivity IN ('public', 'internal', 'confidential', 'restricted')),
        created_by TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (org, project, id)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX cases_by_age ON cases (org, project, created_at, id);
",
    "
    CREATE TABLE org_settings (
        org TEXT NOT NULL PRIMARY KEY,
        settings TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    // By which other processes see that something was changed.
    "
    ALTER TABLE org_settings ADD COLUMN version INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX org_settings_by_version ON org_settings (version);
",
    "
    CREATE TABLE project_settings (
        org TEXT NOT NULL,
        project TEXT NOT NULL,
        settings TEXT NOT NULL,
        version INTEGER NOT NULL,
        PRIMARY KEY (org, project)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX project_settings_by_version ON project_settings (version);
",
    // By which the authorization policy decides, beside who made a case.
    "
    ALTER TABLE cases ADD COLUMN department TEXT;
    CREATE TABLE case_assignments (
        org_id TEXT NOT NULL,
        user_id TEXT NOT NULL,
        case_id TEXT NOT NULL,
        PRIMARY KEY (org_id, user_id, case_id)
    ) STRICT, WITHOUT ROWID;
",
];

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("the database cannot be used")]
    Database(#[from] sqlx::Error),
    #[error("the file of the database cannot be made or opened")]
    File(#[from] io::Error),
    #[error("the database was made by a newer program (schema version {found})")]
    TooNew { found: i64 },
    #[error("a stored value cannot be read: {0}")]
    Corrupt(&'static str),
    #[error("the database does not permit it")]
    NotPermitted,
    #[error("the database cannot be told who acts")]
    Subject(#[source] Box<dyn core::error::Error + Send + Sync>),
}

/// The database. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: SqlitePool,
}

impl Store {
    /// Opens the database of `data_dir`, and makes or upgrades it first where that is needed.
    pub(crate) async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let file = data_dir.join(FILE);
        drop(open_private(&file)?);
        // SQLite does not wait for its turn where two processes want to switch a new file to WAL.
        let turn = open_private(&data_dir.join(LOCK_FILE))?;
        let turn = tokio::task::spawn_blocking(move || turn.lock().map(|()| turn));
        let turn = turn.await.map_err(io::Error::other)??;
        let options = SqliteConnectOptions::new().filename(file);
        let store = Self::connect(options, CONNECTIONS).await;
        drop::<fs::File>(turn);
        store
    }

    /// A database that lives as long as the store.
    #[cfg(test)]
    pub(crate) async fn in_memory() -> Result<Self, StoreError> {
        Self::connect(SqliteConnectOptions::new().in_memory(true), 1).await
    }

    async fn connect(options: SqliteConnectOptions, connections: u32) -> Result<Self, StoreError> {
        let options = options
            .journal_mode(SqliteJournalMode::Wal)
            // An answer 201 means that the case survives a power cut.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            // Nothing that stands in the file's schema is run as code.
            .pragma("trusted_schema", "OFF")
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await?;
        let store = Self { pool };
        store.migrate().await?;
        Ok(store)
    }

    /// One transaction that holds the write lock from its first statement: two services that start
    /// at once do not both upgrade.
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let found: i64 = sqlx::query("PRAGMA user_version")
            .fetch_one(&mut *transaction)
            .await?
            .try_get(0)?;
        let newest = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        if found > newest {
            return Err(StoreError::TooNew { found });
        }
        let done = usize::try_from(found).map_err(|_| StoreError::Corrupt("the schema version"))?;
        for step in MIGRATIONS.iter().skip(done) {
            sqlx::raw_sql(*step).execute(&mut *transaction).await?;
        }
        if found < newest {
            // A pragma takes no parameter; this text holds a number of ours and no input.
            let pragma = format!("PRAGMA user_version = {newest}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(pragma))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    pub(crate) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        let answer = sqlx::query("SELECT 1").fetch_one(&self.pool);
        matches!(tokio::time::timeout(PING, answer).await, Ok(Ok(_)))
    }

    /// Finishes what is being done and closes the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// SQLite would make the file readable for everybody whom the folder lets in; its journal files
/// take over the permissions that the file has.
fn open_private(file: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn opens_its_file_again_and_refuses_that_of_a_newer_program() {
        let dir = tempfile::tempdir().expect("a folder");
        for _ in 0..2 {
            let store = Store::open(dir.path()).await.expect("opens");
            assert!(store.answers().await);
            store.close().await;
            assert!(!store.answers().await);
        }
        let store = Store::open(dir.path()).await.expect("opens");
        sqlx::raw_sql("PRAGMA user_version = 99")
            .execute(store.pool())
            .await
            .expect("set");
        store.close().await;
        let refused = Store::open(dir.path()).await;
        assert!(matches!(refused, Err(StoreError::TooNew { found: 99 })));
    }

    #[tokio::test]
    async fn those_that_start_at_once_do_not_disturb_each_other() {
        for _ in 0..10 {
            let dir = tempfile::tempdir().expect("a folder");
            let open = || Store::open(dir.path());
            let (one, two, three) = tokio::join!(open(), open(), open());
            for store in [one, two, three] {
                assert!(store.expect("opens").answers().await);
            }
        }
    }
}
