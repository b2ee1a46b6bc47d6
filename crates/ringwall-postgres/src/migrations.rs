//! Versions of the schema.

use core::time::Duration;

use ringwall_core::clock::Timestamp;
use sha2::{Digest as _, Sha256};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::schema::{STEPS, Step};
use crate::{Error, PostgresDatabase};

/// How long all steps together may take. A call of a store must be quick; a large table takes its time.
const LONGEST: Duration = Duration::from_secs(600);

/// The versions of a schema: forward only, each step once and as a whole, by one migrator at a
/// time. What was applied is recorded with a checksum in the table `ringwall_migrations`.
///
/// Programs do not migrate when they start: whoever deploys runs `ringwall migrate` first, with rights
/// that the programs need not have.
#[derive(Clone, Debug)]
pub struct Migrations {
    database: PostgresDatabase,
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
    pub(crate) const fn new(database: PostgresDatabase) -> Self {
        Self { database }
    }

    /// What was applied and what was not.
    ///
    /// # Errors
    ///
    /// [`Error::TooNew`], [`Error::Changed`], [`Error::Corrupt`], [`Error::Unavailable`].
    pub async fn status(&self) -> Result<MigrationsStatus, Error> {
        let record = self.record();
        let read = self.database.within(self.database.timeout(), |connection| {
            Box::pin(async move { read(connection, &record).await })
        });
        let applied: Result<_, sqlx::Error> = read.await;
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

    async fn apply(&self, steps: &'static [Step]) -> Result<u32, Error> {
        let (record, schema) = (self.record(), self.database.schema().to_owned());
        let work = self.database.within(LONGEST, |connection| {
            Box::pin(async move { apply(connection, &record, &schema, steps).await })
        });
        let applied: Result<_, sqlx::Error> = work.await;
        applied.map_err(Error::of_database)?
    }

    /// The table with the record, by its full name.
    fn record(&self) -> String {
        format!("{}.ringwall_migrations", self.database.schema())
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

/// In one transaction: dropped in the middle, nothing was done.
async fn apply(
    connection: &mut PgConnection,
    record: &str,
    schema: &str,
    steps: &[Step],
) -> Result<Result<u32, Error>, sqlx::Error> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    // One migrator at a time.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))")
        .bind(record)
        .execute(&mut *transaction)
        .await?;
    let is_there = sqlx::query("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_optional(&mut *transaction)
        .await?;
    if is_there.is_none() {
        // The name was checked, and needs no quotes but against words that the language reserves.
        let create = format!("CREATE SCHEMA \"{schema}\"");
        sqlx::raw_sql(AssertSqlSafe(create))
            .execute(&mut *transaction)
            .await?;
    }
    let version = match compare(&read(&mut transaction, record).await?) {
        Ok(status) => status.version(),
        Err(refused) => return Ok(Err(refused)),
    };
    sqlx::raw_sql(RECORD).execute(&mut *transaction).await?;
    let mut count: u32 = 0;
    for step in steps.iter().filter(|step| step.version > version) {
        sqlx::raw_sql(step.sql).execute(&mut *transaction).await?;
        sqlx::query(NOTE)
            .bind(i64::from(step.version))
            .bind(step.name)
            .bind(checksum(step))
            .execute(&mut *transaction)
            .await?;
        count = count.saturating_add(1);
    }
    transaction.commit().await?;
    Ok(Ok(count))
}

/// The bounds of this transaction are other ones than those of the connection.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL statement_timeout = '10min';
    SET LOCAL lock_timeout = '10min';";

const RECORD: &str = r#"
CREATE TABLE IF NOT EXISTS ringwall_migrations (
    version bigint NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    checksum text COLLATE "C" NOT NULL,
    applied_at bigint NOT NULL
)
"#;

/// The time is the server's: it is for people, and no decision hangs on it.
const NOTE: &str = "INSERT INTO ringwall_migrations (version, name, checksum, applied_at)
    VALUES ($1, $2, $3, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)";

/// A step that was applied.
struct Applied {
    version: u32,
    checksum: String,
    at: Timestamp,
}

async fn read(connection: &mut PgConnection, record: &str) -> Result<Vec<Applied>, sqlx::Error> {
    let is_there: bool = sqlx::query("SELECT to_regclass($1) IS NOT NULL")
        .bind(record)
        .fetch_one(&mut *connection)
        .await?
        .try_get(0)?;
    if !is_there {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT version, checksum, applied_at FROM ringwall_migrations ORDER BY version",
    );
    rows.try_map(|row: PgRow| {
        let version: i64 = row.try_get(0)?;
        Ok(Applied {
            version: u32::try_from(version).map_err(|error| sqlx::Error::Decode(error.into()))?,
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
        let database = crate::database::tests::fresh().await;
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
        let database = crate::database::tests::fresh().await;
        let migrations = database.migrations();
        let broken: &[Step] = &[
            *STEPS.first().expect("a step"),
            Step {
                version: 2,
                name: "broken",
                sql: "CREATE TABLE half (n integer); INSERT INTO nowhere VALUES (1);",
            },
        ];
        let refused = migrations.apply(broken.to_vec().leak()).await;
        assert!(refused.is_err());
        let status = migrations.status().await.expect("it answers");
        assert_eq!(status.version(), 0);
        assert_eq!(migrations.migrate().await.expect("it can"), 3);
    }
}
