//! API keys in a table.

use ringwall_authn::api_key::{
    ApiKeyId, ApiKeyQuery, ApiKeyRecord, ApiKeyRotation, ApiKeyState, ApiKeyStore,
    ApiKeyStoreAnswer, ApiKeyStoreError, ApiKeyStoreErrorKind, ApiKeysOf, StoredApiKey,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::OrgId;
use ringwall_core::step::Step;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::fault::{Fault, SOON, within};
use crate::{Error, SqliteDatabase};

/// An [`ApiKeyStore`] in one SQLite file, for the processes of one machine.
///
/// - **Atomic, linearizable**: each change is one transaction that holds the file's write lock from its
///   beginning, and each reading sees all that was committed before it began.
/// - **Durable**: what was answered survives a crash of the process, of the machine, and a loss of power, if
///   the disk keeps what it confirms.
/// - **Bounded in time** by [`SqliteConfig::timeout`](crate::SqliteConfig::timeout), waiting for other
///   writers included.
/// - **Cost**: `find` and `revoke` look one key up; `revoke_all` and `list` look at the keys of one
///   organisation.
#[derive(Clone, Debug)]
pub struct SqliteApiKeys {
    database: SqliteDatabase,
}

impl SqliteApiKeys {
    /// The keys of this database.
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
    fn answer<T, F>(&self, work: impl FnOnce(SqliteDatabase) -> F) -> ApiKeyStoreAnswer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let timeout = self.database.timeout();
        let work = work(self.database.clone());
        Step::wait(async move { within(timeout, work).await.map_err(refusal) })
    }
}

macro_rules! columns {
    () => {
        "id, name, org, project, scopes, created_by, created_at, expires_at, networks, origins, digest, \
         last_used_at, revoked_at, replaced_by, grace_ends_at"
    };
}

const INSERT: &str = concat!(
    "INSERT INTO ringwall_api_keys (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) ON CONFLICT DO NOTHING"
);
const FIND: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM ringwall_api_keys WHERE id = ?1"
);
const FIND_OF_ORG: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM ringwall_api_keys WHERE id = ?1 AND org = ?2"
);
const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM ringwall_api_keys WHERE org = ?1 AND (?2 IS NULL OR project = ?2) AND id > ?3 \
     ORDER BY id LIMIT ?4"
);
const REVOKE: &str = concat!(
    "UPDATE ringwall_api_keys SET revoked_at = coalesce(revoked_at, ?3) WHERE id = ?1 AND org = ?2 \
     RETURNING ",
    columns!()
);
const REVOKE_ALL: &str = "UPDATE ringwall_api_keys SET revoked_at = ?4
    WHERE org = ?1 AND revoked_at IS NULL
        AND (?2 IS NULL OR project = ?2) AND (?3 IS NULL OR created_by = ?3)";
const REPLACE: &str =
    "UPDATE ringwall_api_keys SET replaced_by = ?2, grace_ends_at = ?3 WHERE id = ?1";
const USE: &str = "UPDATE ringwall_api_keys SET last_used_at = ?2
    WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";

impl ApiKeyStore for SqliteApiKeys {
    fn insert(&self, record: ApiKeyRecord) -> ApiKeyStoreAnswer<()> {
        self.answer(|database| async move {
            let mut writing = database.write().await?;
            insert(&mut writing.transaction, &record).await?;
            Ok(writing.commit().await?)
        })
    }

    fn find(&self, id: &ApiKeyId) -> ApiKeyStoreAnswer<Option<ApiKeyRecord>> {
        let id = id.clone();
        self.answer(|database| async move {
            let row = sqlx::query(FIND)
                .bind(id.as_str())
                .fetch_optional(database.pool())
                .await?;
            row.as_ref().map(record).transpose()
        })
    }

    fn list(&self, query: ApiKeyQuery) -> ApiKeyStoreAnswer<Vec<ApiKeyRecord>> {
        self.answer(|database| async move {
            let rows = sqlx::query(LIST)
                .bind(query.org.as_str())
                .bind(query.project.as_ref().map(|project| project.as_str()))
                // No id is empty, so all are behind the empty text.
                .bind(query.after.as_ref().map_or("", |after| after.as_str()))
                .bind(query.limit.get())
                .fetch_all(database.pool())
                .await?;
            rows.iter().map(record).collect()
        })
    }

    fn revoke(&self, org: &OrgId, id: &ApiKeyId, at: Timestamp) -> ApiKeyStoreAnswer<ApiKeyRecord> {
        let (org, id) = (org.clone(), id.clone());
        self.answer(|database| async move {
            let mut writing = database.write().await?;
            let rows = sqlx::query(REVOKE)
                .bind(id.as_str())
                .bind(org.as_str())
                .bind(at.unix_micros())
                .fetch_all(&mut *writing.transaction)
                .await?;
            // Before it is read: a key that cannot be read is taken back all the same.
            writing.commit().await?;
            record(rows.first().ok_or(Fault::NotFound)?)
        })
    }

    fn revoke_all(&self, whose: &ApiKeysOf, at: Timestamp) -> ApiKeyStoreAnswer<u64> {
        let whose = whose.clone();
        self.answer(|database| async move {
            let (project, creator) = match &whose {
                ApiKeysOf::Org(_) => (None, None),
                ApiKeysOf::Project(_, project) => (Some(project.as_str()), None),
                ApiKeysOf::Creator(_, creator) => (None, Some(creator.as_str())),
            };
            let mut writing = database.write().await?;
            let revoked = sqlx::query(REVOKE_ALL)
                .bind(whose.org().as_str())
                .bind(project)
                .bind(creator)
                .bind(at.unix_micros())
                .execute(&mut *writing.transaction)
                .await?;
            writing.commit().await?;
            Ok(revoked.rows_affected())
        })
    }

    fn rotate(&self, rotation: ApiKeyRotation) -> ApiKeyStoreAnswer<()> {
        self.answer(|database| async move {
            let ApiKeyRotation {
                old,
                successor,
                at,
                grace_ends_at,
            } = rotation;
            let mut writing = database.write().await?;
            let row = sqlx::query(FIND_OF_ORG)
                .bind(old.as_str())
                .bind(successor.tenant.org.as_str())
                .fetch_optional(&mut *writing.transaction)
                .await?;
            let known = record(&row.ok_or(Fault::NotFound)?)?;
            if known.state(at) != ApiKeyState::Active {
                return Err(Fault::Conflict);
            }
            insert(&mut writing.transaction, &successor).await?;
            sqlx::query(REPLACE)
                .bind(old.as_str())
                .bind(successor.id.as_str())
                .bind(grace_ends_at.unix_micros())
                .execute(&mut *writing.transaction)
                .await?;
            Ok(writing.commit().await?)
        })
    }

    fn record_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> ApiKeyStoreAnswer<()> {
        if uses.is_empty() {
            return Step::Done(Ok(()));
        }
        let uses = uses.to_vec();
        self.answer(|database| async move {
            let mut writing = database.write().await?;
            for (id, at) in uses {
                sqlx::query(USE)
                    .bind(id.as_str())
                    .bind(at.unix_micros())
                    .execute(&mut *writing.transaction)
                    .await?;
            }
            Ok(writing.commit().await?)
        })
    }
}

async fn insert(connection: &mut SqliteConnection, record: &ApiKeyRecord) -> Result<(), Fault> {
    let row = StoredApiKey::from(record);
    let inserted = sqlx::query(INSERT)
        .bind(row.id)
        .bind(row.name)
        .bind(row.org)
        .bind(row.project)
        .bind(row.scopes)
        .bind(row.created_by)
        .bind(row.created_at)
        .bind(row.expires_at)
        .bind(row.networks)
        .bind(row.origins)
        .bind(row.digest)
        .bind(row.last_used_at)
        .bind(row.revoked_at)
        .bind(row.replaced_by)
        .bind(row.grace_ends_at)
        .execute(connection)
        .await?;
    if inserted.rows_affected() == 1 {
        Ok(())
    } else {
        Err(Fault::Conflict)
    }
}

fn record(row: &SqliteRow) -> Result<ApiKeyRecord, Fault> {
    let row = StoredApiKey {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        org: row.try_get("org")?,
        project: row.try_get("project")?,
        scopes: row.try_get("scopes")?,
        created_by: row.try_get("created_by")?,
        created_at: row.try_get("created_at")?,
        expires_at: row.try_get("expires_at")?,
        networks: row.try_get("networks")?,
        origins: row.try_get("origins")?,
        digest: row.try_get("digest")?,
        last_used_at: row.try_get("last_used_at")?,
        revoked_at: row.try_get("revoked_at")?,
        replaced_by: row.try_get("replaced_by")?,
        grace_ends_at: row.try_get("grace_ends_at")?,
    };
    ApiKeyRecord::try_from(row).map_err(Fault::corrupt)
}

fn refusal(fault: Fault) -> ApiKeyStoreError {
    match fault {
        Fault::NotFound => ApiKeyStoreErrorKind::NotFound.into(),
        Fault::Conflict => ApiKeyStoreErrorKind::Conflict.into(),
        Fault::Corrupt(source) => {
            ApiKeyStoreError::with_source(ApiKeyStoreErrorKind::Corrupt, source)
        }
        Fault::Unavailable(source) => {
            let kind = ApiKeyStoreErrorKind::Unavailable { retry_after: SOON };
            ApiKeyStoreError::with_source(kind, source)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use ringwall_authn::api_key::ApiKeyName;
    use ringwall_core::principal::{Subject, Tenant};

    use super::*;

    const NUMBER: i64 = 50;

    fn filling() -> impl Iterator<Item = ApiKeyRecord> {
        (0..NUMBER).map(|n| ApiKeyRecord {
            id: ApiKeyId::new(&format!("{n:016}")).expect("sixteen digits"),
            name: ApiKeyName::new(&format!("key {n}")).expect("printable"),
            tenant: Tenant {
                org: OrgId::new("acme").expect("visible"),
                project: None,
            },
            scopes: Vec::new(),
            created_by: Subject::new("alice").expect("printable"),
            created_at: Timestamp::from_unix_micros(n),
            expires_at: None,
            networks: Vec::new(),
            origins: Vec::new(),
            digest: format!("sha256:{}", "0".repeat(64))
                .parse()
                .expect("a digest"),
            last_used_at: None,
            revoked_at: None,
            replaced: None,
        })
    }

    /// Keys in a table of the first version.
    pub(crate) async fn fill(database: &SqliteDatabase) {
        let store = SqliteApiKeys {
            database: database.clone(),
        };
        for record in filling() {
            store.insert(record).await.expect("a new key");
        }
    }

    pub(crate) async fn assert_filled(database: &SqliteDatabase) {
        let store = SqliteApiKeys::open(database).await.expect("migrated");
        let query = ApiKeyQuery::new(OrgId::new("acme").expect("visible"));
        let found = store.list(query).await.expect("it answers");
        assert!(found.into_iter().eq(filling()));
    }
}
