//! What is known of subjects, in tables.

use ringwall_authz::directory::{
    DirectoryAnswer, FactChange, FactChangeKind, MAX_FACTS, MAX_LISTED_SUBJECTS,
};
use ringwall_authz::{
    DirectoryError, PolicyInformationPoint, StoredAttribute, SubjectDirectory, SubjectFacts,
    SubjectListing,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{OrgId, Subject};
use ringwall_core::step::Step;
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::database::Working;
use crate::fault::{Fault, SOON};
use crate::{Error, PostgresDatabase};

/// A [`SubjectDirectory`] in PostgreSQL, for all processes together: the tables `ringwall_org_memberships`,
/// `ringwall_user_attributes` and `ringwall_user_departments`.
///
/// - **One moment**: what is known of a subject is read by one statement. A change holds the lock of the row with the
///   subject's version from its beginning, so changes of one subject follow one another.
/// - **Durable** as the other stores of this crate.
/// - **Bounded in time** by [`PostgresConfig::timeout`](crate::PostgresConfig::timeout).
#[derive(Clone, Debug)]
pub struct PostgresDirectory {
    database: PostgresDatabase,
}

impl PostgresDirectory {
    /// The directory of this database.
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
    fn answer<T, F>(&self, work: F) -> DirectoryAnswer<T>
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

const ADVANCE: &str =
    "INSERT INTO ringwall_subjects AS s (org_id, user_id, version) VALUES ($1, $2, 1)
    ON CONFLICT (org_id, user_id) DO UPDATE SET version = s.version + 1";
const COUNT: &str = "SELECT
    (SELECT count(*) FROM ringwall_org_memberships WHERE org_id = $1 AND user_id = $2)
    + (SELECT count(*) FROM ringwall_user_attributes WHERE org_id = $1 AND user_id = $2)
    + (SELECT count(*) FROM ringwall_user_departments WHERE org_id = $1 AND user_id = $2)";
/// One statement, so that all of it is of one moment.
const READ: &str = "SELECT 'version' AS kind, version::text AS name, NULL::text AS value, NULL::bigint AS expires_at
        FROM ringwall_subjects WHERE org_id = $1 AND user_id = $2
    UNION ALL SELECT 'role', role, NULL, NULL
        FROM ringwall_org_memberships WHERE org_id = $1 AND user_id = $2
    UNION ALL SELECT 'attribute', key, value, expires_at
        FROM ringwall_user_attributes WHERE org_id = $1 AND user_id = $2
    UNION ALL SELECT 'department', department, NULL, NULL
        FROM ringwall_user_departments WHERE org_id = $1 AND user_id = $2";
const GRANT_ROLE: [&str; 1] = [
    "INSERT INTO ringwall_org_memberships (org_id, user_id, role)
    VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
];
const REVOKE_ROLE: [&str; 1] =
    ["DELETE FROM ringwall_org_memberships WHERE org_id = $1 AND user_id = $2 AND role = $3"];
const GRANT_ATTRIBUTE: [&str; 1] = [
    "INSERT INTO ringwall_user_attributes (org_id, user_id, key, value, expires_at)
    VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (org_id, user_id, key, value) DO UPDATE SET expires_at = excluded.expires_at",
];
const REVOKE_ATTRIBUTE: [&str; 1] = ["DELETE FROM ringwall_user_attributes
    WHERE org_id = $1 AND user_id = $2 AND key = $3 AND value = $4"];
const ADD_DEPARTMENT: [&str; 1] = [
    "INSERT INTO ringwall_user_departments (org_id, user_id, department)
    VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
];
const REMOVE_DEPARTMENT: [&str; 1] = ["DELETE FROM ringwall_user_departments
    WHERE org_id = $1 AND user_id = $2 AND department = $3"];
const FORGET: [&str; 3] = [
    "DELETE FROM ringwall_org_memberships WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM ringwall_user_attributes WHERE org_id = $1 AND user_id = $2",
    "DELETE FROM ringwall_user_departments WHERE org_id = $1 AND user_id = $2",
];
/// Attributes that are over decide nothing, so their subjects' versions stay. Two purges do not wait for each other.
const PURGE: &str = "WITH over AS (
        SELECT org_id, user_id, key, value FROM ringwall_user_attributes WHERE expires_at < $1
        ORDER BY org_id, user_id LIMIT 4096 FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM ringwall_user_attributes AS a USING over AS o
        WHERE a.org_id = o.org_id AND a.user_id = o.user_id AND a.key = o.key AND a.value = o.value
        RETURNING a.org_id, a.user_id
    )
    SELECT count(*) FROM gone";
/// Each table gives its first names from its key, so that a page costs the same in a large organisation.
const LIST: &str = "SELECT user_id FROM (SELECT DISTINCT user_id FROM ringwall_org_memberships
        WHERE org_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3) AS memberships
    UNION SELECT user_id FROM (SELECT DISTINCT user_id FROM ringwall_user_attributes
        WHERE org_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3) AS attributes
    UNION SELECT user_id FROM (SELECT DISTINCT user_id FROM ringwall_user_departments
        WHERE org_id = $1 AND user_id > $2 ORDER BY user_id LIMIT $3) AS departments
    ORDER BY user_id LIMIT $3";

impl PolicyInformationPoint for PostgresDirectory {
    fn facts(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts> {
        let (org, subject) = (org.as_str().to_owned(), subject.as_str().to_owned());
        self.answer(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(READ)
                    .bind(&org)
                    .bind(&subject)
                    .fetch_all(connection)
                    .await?;
                known(&rows)
            })
        })
    }
}

fn known(rows: &[PgRow]) -> Result<SubjectFacts, Fault> {
    let mut facts = SubjectFacts::new(0);
    for row in rows {
        let kind: String = row.try_get("kind")?;
        let name: String = row.try_get("name")?;
        match kind.as_str() {
            "version" => facts.version = name.parse().map_err(Fault::corrupt)?,
            "role" => facts.roles.push(name.into()),
            "department" => facts.departments.push(name.into()),
            _ => {
                let value: String = row.try_get("value")?;
                let end: Option<i64> = row.try_get("expires_at")?;
                let end = end.map(Timestamp::from_unix_micros);
                facts
                    .attributes
                    .push(StoredAttribute::new(name, value, end));
            }
        }
    }
    Ok(facts)
}

impl SubjectDirectory for PostgresDirectory {
    fn change(&self, org: &OrgId, subject: &Subject, change: FactChange) -> DirectoryAnswer<()> {
        let (org, subject) = (org.as_str().to_owned(), subject.as_str().to_owned());
        let answer = self.answer(move |connection| {
            Box::pin(async move {
                let mut transaction = PostgresDatabase::begin(connection).await?;
                // Locks what is known of the subject until the end.
                let advance = sqlx::query(ADVANCE).bind(&org).bind(&subject);
                advance.execute(&mut *transaction).await?;
                let (statements, texts) = statements(&change);
                for statement in statements.iter().copied() {
                    let mut query = sqlx::query(statement).bind(&org).bind(&subject);
                    for text in &texts {
                        query = query.bind(*text);
                    }
                    if let FactChangeKind::GrantAttribute(attribute) = change.kind() {
                        query = query.bind(attribute.expires_at.map(Timestamp::unix_micros));
                    }
                    query.execute(&mut *transaction).await?;
                }
                let row = sqlx::query(COUNT)
                    .bind(&org)
                    .bind(&subject)
                    .fetch_one(&mut *transaction)
                    .await?;
                let count: i64 = row.try_get(0)?;
                if change.adds() && usize::try_from(count).is_ok_and(|count| count > MAX_FACTS) {
                    return Ok(Err(DirectoryError::Full));
                }
                transaction.commit().await?;
                Ok(Ok(()))
            })
        });
        Step::wait(async move { answer.await.and_then(|done| done) })
    }

    fn purge(&self, over: Timestamp) -> DirectoryAnswer<u64> {
        self.answer(move |connection| {
            Box::pin(async move {
                let mut count: u64 = 0;
                loop {
                    let row = sqlx::query(PURGE)
                        .bind(over.unix_micros())
                        .fetch_one(&mut *connection)
                        .await?;
                    let purged: i64 = row.try_get(0)?;
                    count = count.saturating_add(u64::try_from(purged).unwrap_or(0));
                    if purged < 4096 {
                        return Ok(count);
                    }
                }
            })
        })
    }
}

impl SubjectListing for PostgresDirectory {
    fn subjects(
        &self,
        org: &OrgId,
        after: Option<&Subject>,
        limit: usize,
    ) -> DirectoryAnswer<Vec<Subject>> {
        let org = org.as_str().to_owned();
        // No name is empty.
        let after = after.map_or("", Subject::as_str).to_owned();
        let limit = i64::try_from(limit.min(MAX_LISTED_SUBJECTS)).unwrap_or(0);
        self.answer(move |connection| {
            Box::pin(async move {
                let rows = sqlx::query(LIST)
                    .bind(&org)
                    .bind(&after)
                    .bind(limit)
                    .fetch_all(connection)
                    .await?;
                rows.iter().map(name).collect()
            })
        })
    }
}

fn name(row: &PgRow) -> Result<Subject, Fault> {
    let name: String = row.try_get(0)?;
    Subject::new(name).map_err(Fault::corrupt)
}

/// The statements of a change, whose parameters after the organisation and the subject are the texts and, of an attribute
/// that is given, its end.
fn statements(change: &FactChange) -> (&'static [&'static str], Vec<&str>) {
    match change.kind() {
        FactChangeKind::GrantRole(role) => (&GRANT_ROLE, vec![role]),
        FactChangeKind::RevokeRole(role) => (&REVOKE_ROLE, vec![role]),
        FactChangeKind::GrantAttribute(attribute) => {
            (&GRANT_ATTRIBUTE, vec![&attribute.key, &attribute.value])
        }
        FactChangeKind::RevokeAttribute { key, value } => (&REVOKE_ATTRIBUTE, vec![key, value]),
        FactChangeKind::AddDepartment(department) => (&ADD_DEPARTMENT, vec![department]),
        FactChangeKind::RemoveDepartment(department) => (&REMOVE_DEPARTMENT, vec![department]),
        FactChangeKind::Forget => (&FORGET, Vec::new()),
    }
}

fn refusal(fault: Fault) -> DirectoryError {
    match fault {
        Fault::Corrupt(source) => DirectoryError::Corrupt {
            source: Some(source),
        },
        Fault::Unavailable(source) => DirectoryError::Unavailable {
            retry_after: SOON,
            source: Some(source),
        },
        #[cfg(feature = "api-keys")]
        Fault::NotFound | Fault::Conflict => DirectoryError::Unavailable {
            retry_after: SOON,
            source: None,
        },
    }
}
