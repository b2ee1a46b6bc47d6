//! Versions of the schema.

use core::time::Duration;

use ringwall_core::clock::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection as _, Row as _};

use crate::database::is_busy;
use crate::error::TooSlow;
use crate::schema::{STEPS, Step};
use crate::{Error, SqliteDatabase};

/// How long all steps together may take. A call of a store must be quick; a large table takes its time.
const LONGEST: Duration = Duration::from_secs(600);
/// Between two attempts to get the file's lock.
const PAUSE: Duration = Duration::from_millis(100);

/// The versions of a schema: forward only, each step once and as a whole, by one migrator at a
/// time. What was applied is recorded with a checksum in the table `ringwall_migrations`.
///
/// Programs do not migrate when they start: whoever deploys runs `ringwall migrate` first, with rights
/// that the programs need not have.
#[derive(Clone, Debug)]
pub struct Migrations {
    database: SqliteDatabase,
}

/// Where a schema stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationsStatus {
    /// The steps that this program knows, in order.
    pub steps: Vec<MigrationStep>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationStep {
    /// Its number, from 1.
    pub version: u32,
    /// What it brings.
    pub name: &'static str,
    /// When it was applied; `None` when it was not yet.
    pub applied_at: Option<Timestamp>,
}

impl MigrationsStatus {
    /// The version of the schema; 0 when there is none.
    #[must_use]
    pub fn version(&self) -> u32 {
        let applied = self.steps.iter().filter(|step| step.applied_at.is_some());
        applied.map(|step| step.version).max().unwrap_or(0)
    }

    /// The version that this program works with.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.steps.last().map_or(0, |step| step.version)
    }

    /// Whether stores can work.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.version() == self.newest()
    }
}

impl Migrations {
    pub(crate) const fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }

    /// What was applied and what was not.
    ///
    /// # Errors
    ///
    /// [`Error::TooNew`], [`Error::Changed`], [`Error::Corrupt`], [`Error::Unavailable`].
    pub async fn status(&self) -> Result<MigrationsStatus, Error> {
        let read = async {
            let mut connection = self.database.pool().acquire().await?;
            // One snapshot: a migrator may be at work.
            let mut snapshot = connection.begin().await?;
            read(&mut snapshot).await
        };
        let applied = tokio::time::timeout(self.database.timeout(), read)
            .await
            .map_err(|_| Error::Unavailable(Box::new(TooSlow)))?;
        compare(&applied.map_err(Error::of_database)?)
    }

    /// Applies what was not, all of it or nothing, and answers how many steps that were. A migrator that
    /// comes at the same time waits, and finds nothing to do.
    ///
    /// # Errors
    ///
    /// [`Error::TooNew`], [`Error::Changed`], [`Error::Corrupt`], [`Error::Unavailable`]; nothing was
    /// changed then.
    pub async fn migrate(&self) -> Result<u32, Error> {
        self.apply(STEPS).await
    }

    async fn apply(&self, steps: &[Step]) -> Result<u32, Error> {
        let work = async {
            loop {
                match self.apply_once(steps).await {
                    // Another migrator takes longer than a call of a store may.
                    Err(error) if is_busy(&error) => tokio::time::sleep(PAUSE).await,
                    answered => return answered.map_err(Error::of_database)?,
                }
            }
        };
        tokio::time::timeout(LONGEST, work)
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable(Box::new(TooSlow))))
    }

    /// In one transaction: dropped in the middle, nothing was done.
    async fn apply_once(&self, steps: &[Step]) -> Result<Result<u32, Error>, sqlx::Error> {
        let mut writing = self.database.write().await?;
        let transaction = &mut writing.transaction;
        let version = match compare(&read(transaction).await?) {
            Ok(status) => status.version(),
            Err(refused) => return Ok(Err(refused)),
        };
        sqlx::raw_sql(RECORD).execute(&mut **transaction).await?;
        let mut count: u32 = 0;
        for step in steps.iter().filter(|step| step.version > version) {
            sqlx::raw_sql(step.sql).execute(&mut **transaction).await?;
            sqlx::query(NOTE)
                .bind(step.version)
                .bind(step.name)
                .bind(checksum(step))
                .execute(&mut **transaction)
                .await?;
            count = count.saturating_add(1);
        }
        writing.commit().await?;
        Ok(Ok(count))
    }

    /// The schema has to be the one that this program knows.
    #[cfg(any(feature = "api-keys", feature = "authz", feature = "revocations"))]
    pub(crate) async fn require(&self) -> Result<(), Error> {
        let status = self.status().await?;
        if status.is_current() {
            return Ok(());
        }
        Err(Error::NotMigrated {
            found: status.version(),
            needed: status.newest(),
        })
    }
}

const RECORD: &str = "
CREATE TABLE IF NOT EXISTS ringwall_migrations (
    version INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
";

/// The time is the database's: it is for people, and no decision hangs on it.
const NOTE: &str = "INSERT INTO ringwall_migrations (version, name, checksum, applied_at)
    VALUES (?1, ?2, ?3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))";

/// A step that was applied.
struct Applied {
    version: u32,
    checksum: String,
    at: Timestamp,
}

async fn read(connection: &mut SqliteConnection) -> Result<Vec<Applied>, sqlx::Error> {
    let record =
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'ringwall_migrations'";
    let is_there = sqlx::query(record).fetch_optional(&mut *connection).await?;
    if is_there.is_none() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT version, checksum, applied_at FROM ringwall_migrations ORDER BY version",
    );
    rows.try_map(|row: SqliteRow| {
        Ok(Applied {
            version: row.try_get(0)?,
            checksum: row.try_get(1)?,
            at: Timestamp::from_unix_micros(row.try_get(2)?),
        })
    })
    .fetch_all(connection)
    .await
}

/// Holds what was applied against what this program knows.
fn compare(applied: &[Applied]) -> Result<MigrationsStatus, Error> {
    let known = STEPS.last().map_or(0, |step| step.version);
    let found = applied.last().map_or(0, |step| step.version);
    if found > known {
        return Err(Error::TooNew { found, known });
    }
    // Without a gap from 1 on, so that pairing them is enough.
    for (applied, step) in applied.iter().zip(STEPS) {
        if applied.version != step.version {
            return Err(Error::Corrupt(Box::new(Gap)));
        }
        if applied.checksum != checksum(step) {
            return Err(Error::Changed {
                version: step.version,
            });
        }
    }
    let mut applied = applied.iter();
    let steps = STEPS.iter().map(|step| MigrationStep {
        version: step.version,
        name: step.name,
        applied_at: applied.next().map(|applied| applied.at),
    });
    Ok(MigrationsStatus {
        steps: steps.collect(),
    })
}

/// SHA-256 (FIPS 180-4) of the step's text, in lower-case hexadecimal digits.
pub(crate) fn checksum(step: &Step) -> String {
    use core::fmt::Write as _;
    let mut digits = String::with_capacity(64);
    for byte in Sha256::digest(step.sql) {
        // Writing to a string cannot fail.
        write!(digits, "{byte:02x}").unwrap_or_default();
    }
    digits
}

#[derive(Debug, thiserror::Error)]
#[error("a step is missing among those that were applied")]
struct Gap;

#[cfg(test)]
#[cfg(feature = "api-keys")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_filled_database_is_migrated_forward_and_keeps_what_it_has() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = crate::SqliteConfig::new(folder.path().join("filled.sqlite"));
        let database = SqliteDatabase::open(config).await.expect("it opens");
        let migrations = database.migrations();
        let first = STEPS.get(..1).expect("a step");
        assert_eq!(migrations.apply(first).await.expect("it can"), 1);
        let status = migrations.status().await.expect("it answers");
        assert_eq!((status.version(), status.is_current()), (1, false));
        let refused = migrations.require().await.expect_err("a step is missing");
        assert!(refused.to_string().contains("ringwall migrate"));
        crate::api_keys::tests::fill(&database).await;
        assert_eq!(migrations.apply(first).await.expect("it can"), 0);
        assert_eq!(migrations.migrate().await.expect("it can"), 2);
        migrations.require().await.expect("all steps are there");
        crate::api_keys::tests::assert_filled(&database).await;
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let config = crate::SqliteConfig::new(folder.path().join("failed.sqlite"));
        let database = SqliteDatabase::open(config).await.expect("it opens");
        let migrations = database.migrations();
        let first = STEPS.first().expect("a step");
        let broken = Step {
            version: 2,
            name: "broken",
            sql: "CREATE TABLE half (n INTEGER); INSERT INTO nowhere VALUES (1);",
        };
        let refused = migrations.apply(&[*first, broken]).await;
        assert!(refused.is_err());
        let status = migrations.status().await.expect("it answers");
        assert_eq!(status.version(), 0);
        assert_eq!(migrations.migrate().await.expect("it can"), 3);
    }
}
