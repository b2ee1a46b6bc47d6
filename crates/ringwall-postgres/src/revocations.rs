//! Revocations in a table.

use core::num::NonZeroU16;

use ringwall_authn::revocation::{
    Revocation, RevocationCursor, RevocationPage, RevocationStore, RevocationStoreAnswer,
    RevocationStoreError, StoredRevocation,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::step::Step;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::database::Working;
use crate::fault::{Fault, SOON};
use crate::{Error, PostgresDatabase};

/// The entries that one transaction of a purge removes: others want to write too.
const PURGED_AT_ONCE: u32 = 4096;

/// A [`RevocationStore`] in PostgreSQL, for all processes together.
///
/// - **In order**: the end of the log has a row of its own. An append holds its lock from before it takes
///   its number until it is committed, so entries become visible in the order of their numbers; a sequence
///   would hand numbers out that are committed in another order. No purge touches the row.
/// - **Durable**: what was answered survives a crash of the process and of the server, unless the server
///   runs with `fsync = off`.
/// - **A failover** to a standby that follows asynchronously loses revocations that were answered: those that had
///   not reached it. Processes that have read them keep them until they restart; others never see them. With the
///   standby in `synchronous_standby_names` none is lost, as `synchronous_commit` is at least `on` for these
///   connections: an append is answered when the standby has it on its disk. Without, revoke again what was
///   revoked in the seconds before a failover.
/// - **Readers after a failover.** Numbers follow the server's clock. What is appended to the new server lies behind
///   every reader's place as long as its clock is not behind the old one's by more than the failover took: keep both
///   in step (NTP). If it is, readers pass such entries over until they read the whole log again, which
///   [`SyncedRevocations`](ringwall_authn::revocation::SyncedRevocations) does every ten minutes; a log
///   whose end is before a reader's place is read again at once.
/// - **Bounded in time** by [`PostgresConfig::timeout`](crate::PostgresConfig::timeout). A purge that does not
///   come to its end in this time has removed a part, and the next one goes on.
#[derive(Clone, Debug)]
pub struct PostgresRevocations {
    database: PostgresDatabase,
}

impl PostgresRevocations {
    /// The revocations of this database.
    ///
    /// # Errors
    ///
    /// [`Error::NotMigrated`], [`Error::TooNew`], [`Error::Changed`]: the schema is not the one that this
    /// program knows. [`Error::Unavailable`], [`Error::Corrupt`].
    pub async fn open(database: &PostgresDatabase) -> Result<Self, Error> {
        database.migrations().require().await?;
        Ok(Self {
            database: database.clone(),
        })
    }

    /// Runs the work in its time, and says what became of it in the words of the trait.
    fn answer<T, F>(&self, work: F) -> RevocationStoreAnswer<T>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection) -> Working<'c, Result<T, Fault>> + Send + 'static,
    {
        let database = self.database.clone();
        Step::wait(async move {
            let answer = database.within(database.timeout(), work).await;
            answer.map_err(refusal)
        })
    }
}

/// By the clock, so that a log that lost its latest entries (a copy was restored, a standby took over) gives
/// no number a second time, if the clock goes on: a reader that has seen the lost entry would pass the new one
/// over.
const ADVANCE: &str = "UPDATE ringwall_revocations_head
    SET last = greatest(last + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint) RETURNING last";
const APPEND: &str = "INSERT INTO ringwall_revocations
    (number, kind, issuer, name, issued_until, last_expiry) VALUES ($1, $2, $3, $4, $5, $6)";
/// One statement, so that the page and the end of the log are of one moment.
const READ: &str = "SELECT head.last, page.* FROM ringwall_revocations_head AS head
    LEFT JOIN (
        SELECT number, kind, issuer, name, issued_until, last_expiry
        FROM ringwall_revocations WHERE number > $1 ORDER BY number LIMIT $2
    ) AS page ON true
    ORDER BY page.number";
/// Two purges at once do not wait for each other.
const PURGE: &str = "DELETE FROM ringwall_revocations WHERE number IN (
        SELECT number FROM ringwall_revocations WHERE last_expiry < $1
        ORDER BY number LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

impl RevocationStore for PostgresRevocations {
    fn append(&self, revocation: &Revocation) -> RevocationStoreAnswer<()> {
        let row = StoredRevocation::from(revocation);
        self.answer(move |connection| {
            Box::pin(async move {
                let mut transaction = PostgresDatabase::begin(connection).await?;
                let head = sqlx::query(ADVANCE)
                    .fetch_optional(&mut *transaction)
                    .await?
                    .ok_or(Fault::corrupt(NoHead))?;
                sqlx::query(APPEND)
                    .bind(head.try_get::<i64, _>(0)?)
                    .bind(row.kind)
                    .bind(row.issuer)
                    .bind(row.name)
                    .bind(row.issued_until)
                    .bind(row.last_expiry)
                    .execute(&mut *transaction)
                    .await?;
                Ok(transaction.commit().await?)
            })
        })
    }

    fn read(
        &self,
        after: RevocationCursor,
        limit: NonZeroU16,
    ) -> RevocationStoreAnswer<RevocationPage> {
        self.answer(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(READ)
                    .bind(after.number())
                    .bind(i64::from(limit.get()))
                    .fetch_all(connection)
                    .await?;
                page(&rows, limit)
            })
        })
    }

    fn purge(&self, over: Timestamp) -> RevocationStoreAnswer<u64> {
        self.answer(move |connection| {
            Box::pin(async move {
                let mut count: u64 = 0;
                loop {
                    let purged = sqlx::query(PURGE)
                        .bind(over.unix_micros())
                        .bind(i64::from(PURGED_AT_ONCE))
                        .execute(&mut *connection)
                        .await?
                        .rows_affected();
                    count = count.saturating_add(purged);
                    if purged < u64::from(PURGED_AT_ONCE) {
                        return Ok(count);
                    }
                }
            })
        })
    }
}

fn page(rows: &[PgRow], limit: NonZeroU16) -> Result<RevocationPage, Fault> {
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
