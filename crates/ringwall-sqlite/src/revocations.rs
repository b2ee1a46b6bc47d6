//! Revocations in a table.

use core::num::NonZeroU16;

use ringwall_authn::revocation::{
    Revocation, RevocationCursor, RevocationPage, RevocationStore, RevocationStoreAnswer,
    RevocationStoreError, StoredRevocation,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::step::Step;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::fault::{Fault, SOON, within};
use crate::{Error, SqliteDatabase};

/// The entries that one transaction of a purge removes: others want to write too.
const PURGED_AT_ONCE: u32 = 4096;

/// A [`RevocationStore`] in one SQLite file, for the processes of one machine.
///
/// - **In order**: an append holds the file's write lock from before it takes its number until it is
///   committed, so entries become visible in the order of their numbers.
/// - **The end** of the log has a row of its own, which no purge touches.
/// - **Durable**: what was answered survives a crash of the process, of the machine, and a loss of power, if
///   the disk keeps what it confirms.
/// - **Bounded in time** by [`SqliteConfig::timeout`](crate::SqliteConfig::timeout). A purge that does not
///   come to its end in this time has removed a part, and the next one goes on.
#[derive(Clone, Debug)]
pub struct SqliteRevocations {
    database: SqliteDatabase,
}

impl SqliteRevocations {
    /// The revocations of this database.
    ///
    /// # Errors
    ///
    /// [`Error::NotMigrated`], [`Error::TooNew`], [`Error::Changed`]: the schema is not the one that this
    /// program knows. [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn open(database: &SqliteDatabase) -> Result<Self, Error> {
        database.migrations().require().await?;
        Ok(Self {
            database: database.clone(),
        })
    }

    /// Runs the work in its time, and says what became of it in the words of the trait.
    fn answer<T, F>(&self, work: impl FnOnce(SqliteDatabase) -> F) -> RevocationStoreAnswer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let timeout = self.database.timeout();
        let work = work(self.database.clone());
        Step::wait(async move { within(timeout, work).await.map_err(refusal) })
    }
}

/// By the clock, so that a log that lost its latest entries (a copy was restored, a standby took over) gives
/// no number a second time, if the clock goes on: a reader that has seen the lost entry would pass the new one
/// over.
const ADVANCE: &str = "UPDATE ringwall_revocations_head
    SET last = max(last + 1, CAST(unixepoch('subsec') * 1000000 AS INTEGER)) RETURNING last";
const APPEND: &str = "INSERT INTO ringwall_revocations
    (number, kind, issuer, name, issued_until, last_expiry) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
/// One statement, so that the page and the end of the log are of one moment.
const READ: &str = "SELECT head.last, page.* FROM ringwall_revocations_head AS head
    LEFT JOIN (
        SELECT number, kind, issuer, name, issued_until, last_expiry
        FROM ringwall_revocations WHERE number > ?1 ORDER BY number LIMIT ?2
    ) AS page ON 1
    ORDER BY page.number";
const PURGE: &str = "DELETE FROM ringwall_revocations WHERE number IN (
        SELECT number FROM ringwall_revocations WHERE last_expiry < ?1 LIMIT ?2
    )";

impl RevocationStore for SqliteRevocations {
    fn append(&self, revocation: &Revocation) -> RevocationStoreAnswer<()> {
        let row = StoredRevocation::from(revocation);
        self.answer(|database| async move {
            let mut writing = database.write().await?;
            let heads = sqlx::query(ADVANCE)
                .fetch_all(&mut *writing.transaction)
                .await?;
            let [head] = heads.as_slice() else {
                return Err(Fault::corrupt(NoHead));
            };
            sqlx::query(APPEND)
                .bind(head.try_get::<i64, _>(0)?)
                .bind(row.kind)
                .bind(row.issuer)
                .bind(row.name)
                .bind(row.issued_until)
                .bind(row.last_expiry)
                .execute(&mut *writing.transaction)
                .await?;
            Ok(writing.commit().await?)
        })
    }

    fn read(
        &self,
        after: RevocationCursor,
        limit: NonZeroU16,
    ) -> RevocationStoreAnswer<RevocationPage> {
        self.answer(move |database| async move {
            let rows = sqlx::query(READ)
                .bind(after.number())
                .bind(limit.get())
                .fetch_all(database.pool())
                .await?;
            page(&rows, limit)
        })
    }

    fn purge(&self, over: Timestamp) -> RevocationStoreAnswer<u64> {
        self.answer(move |database| async move {
            let mut count: u64 = 0;
            loop {
                let mut writing = database.write().await?;
                let purged = sqlx::query(PURGE)
                    .bind(over.unix_micros())
                    .bind(PURGED_AT_ONCE)
                    .execute(&mut *writing.transaction)
                    .await?
                    .rows_affected();
                writing.commit().await?;
                count = count.saturating_add(purged);
                if purged < u64::from(PURGED_AT_ONCE) {
                    return Ok(count);
                }
            }
        })
    }
}

fn page(rows: &[SqliteRow], limit: NonZeroU16) -> Result<RevocationPage, Fault> {
    let head = rows.first().ok_or(Fault::corrupt(NoHead))?;
    let last: i64 = head.try_get("last")?;
    let mut revocations = Vec::with_capacity(rows.len());
    let mut end = None;
    for row in rows {
        // Without an entry, there is one row, which has the end of the log alone.
        let Some(number) = row.try_get::<Option<i64>, _>("number")? else {
            continue;
        };
        end = Some(number);
        let stored = StoredRevocation {
            kind: row.try_get("kind")?,
            issuer: row.try_get("issuer")?,
            name: row.try_get("name")?,
            issued_until: row.try_get("issued_until")?,
            last_expiry: row.try_get("last_expiry")?,
        };
        revocations.push(Revocation::try_from(stored).map_err(Fault::corrupt)?);
    }
    let is_last = revocations.len() < usize::from(limit.get());
    let next = match end {
        Some(number) if !is_last => number,
        Some(_) | None => last,
    };
    Ok(RevocationPage {
        revocations,
        next: RevocationCursor::behind(next),
        is_last,
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the row with the end of the log is missing")]
struct NoHead;

fn refusal(fault: Fault) -> RevocationStoreError {
    match fault {
        Fault::Corrupt(source) => RevocationStoreError::corrupt(Some(source)),
        Fault::Unavailable(source) => RevocationStoreError::unavailable(SOON, Some(source)),
        #[cfg(feature = "api-keys")]
        Fault::NotFound | Fault::Conflict => RevocationStoreError::unavailable(SOON, None),
    }
}
