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
use sqlx::sqlite::SqliteRow;

use crate::fault::{Fault, SOON, within};
use crate::{Error, SqliteDatabase};

/// A [`SubjectDirectory`] in one SQLite file, for the processes of one machine: the tables `ringwall_org_memberships`,
/// `ringwall_user_attributes` and `ringwall_user_departments`.
///
/// - **One moment**: what is known of a subject is read by one statement. A change holds the file's write lock.
/// - **Durable** as the other stores of this crate.
/// - **Bounded in time** by [`SqliteConfig::timeout`](crate::SqliteConfig::timeout).
#[derive(Clone, Debug)]
pub struct SqliteDirectory {
    database: SqliteDatabase,
}

impl SqliteDirectory {
    /// The directory of this database.
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
    fn answer<T, F>(&self, work: impl FnOnce(SqliteDatabase) -> F) -> DirectoryAnswer<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        let timeout = self.database.timeout();
        let work = work(self.database.clone());
        Step::wait(async move { within(timeout, work).await.map_err(refusal) })
    }
}

const ADVANCE: &str =
    "INSERT INTO ringwall_subjects AS s (org_id, user_id, version) VALUES (?1, ?2, 1)
    ON CONFLICT (org_id, user_id) DO UPDATE SET version = s.version + 1";
const COUNT: &str = "SELECT
    (SELECT count(*) FROM ringwall_org_memberships WHERE org_id = ?1 AND user_id = ?2)
    + (SELECT count(*) FROM ringwall_user_attributes WHERE org_id = ?1 AND user_id = ?2)
    + (SELECT count(*) FROM ringwall_user_departments WHERE org_id = ?1 AND user_id = ?2)";
/// One statement, so that all of it is of one moment.
const READ: &str =
    "SELECT 'version' AS kind, CAST(version AS TEXT) AS name, NULL AS value, NULL AS expires_at
        FROM ringwall_subjects WHERE org_id = ?1 AND user_id = ?2
    UNION ALL SELECT 'role', role, NULL, NULL
        FROM ringwall_org_memberships WHERE org_id = ?1 AND user_id = ?2
    UNION ALL SELECT 'attribute', key, value, expires_at
        FROM ringwall_user_attributes WHERE org_id = ?1 AND user_id = ?2
    UNION ALL SELECT 'department', department, NULL, NULL
        FROM ringwall_user_departments WHERE org_id = ?1 AND user_id = ?2";
const GRANT_ROLE: [&str; 1] = [
    "INSERT INTO ringwall_org_memberships (org_id, user_id, role)
    VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
];
const REVOKE_ROLE: [&str; 1] =
    ["DELETE FROM ringwall_org_memberships WHERE org_id = ?1 AND user_id = ?2 AND role = ?3"];
const GRANT_ATTRIBUTE: [&str; 1] = [
    "INSERT INTO ringwall_user_attributes (org_id, user_id, key, value, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (org_id, user_id, key, value) DO UPDATE SET expires_at = excluded.expires_at",
];
const REVOKE_ATTRIBUTE: [&str; 1] = ["DELETE FROM ringwall_user_attributes
    WHERE org_id = ?1 AND user_id = ?2 AND key = ?3 AND value = ?4"];
const ADD_DEPARTMENT: [&str; 1] = [
    "INSERT INTO ringwall_user_departments (org_id, user_id, department)
    VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
];
const REMOVE_DEPARTMENT: [&str; 1] = ["DELETE FROM ringwall_user_departments
    WHERE org_id = ?1 AND user_id = ?2 AND department = ?3"];
const FORGET: [&str; 3] = [
    "DELETE FROM ringwall_org_memberships WHERE org_id = ?1 AND user_id = ?2",
    "DELETE FROM ringwall_user_attributes WHERE org_id = ?1 AND user_id = ?2",
    "DELETE FROM ringwall_user_departments WHERE org_id = ?1 AND user_id = ?2",
];
/// Attributes that are over decide nothing, so their subjects' versions stay.
const PURGE: &str = "DELETE FROM ringwall_user_attributes WHERE (org_id, user_id, key, value) IN (
        SELECT org_id, user_id, key, value FROM ringwall_user_attributes WHERE expires_at < ?1 LIMIT 4096
    )";
/// Each table gives its first names from its key, so that a page costs the same in a large organisation.
const LIST: &str = "SELECT user_id FROM (SELECT DISTINCT user_id FROM ringwall_org_memberships
        WHERE org_id = ?1 AND user_id > ?2 ORDER BY user_id LIMIT ?3)
    UNION SELECT user_id FROM (SELECT DISTINCT user_id FROM ringwall_user_attributes
        WHERE org_id = ?1 AND user_id > ?2 ORDER BY user_id LIMIT ?3)
    UNION SELECT user_id FROM (SELECT DISTINCT user_id FROM ringwall_user_departments
        WHERE org_id = ?1 AND user_id > ?2 ORDER BY user_id LIMIT ?3)
    ORDER BY user_id LIMIT ?3";

impl PolicyInformationPoint for SqliteDirectory {
    fn facts(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts> {
        let (org, subject) = (org.as_str().to_owned(), subject.as_str().to_owned());
        self.answer(move |database| async move {
            let rows = sqlx::query(READ)
                .bind(&org)
                .bind(&subject)
                .fetch_all(database.pool())
                .await?;
            known(&rows)
        })
    }
}

fn known(rows: &[SqliteRow]) -> Result<SubjectFacts, Fault> {
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

impl SubjectDirectory for SqliteDirectory {
    fn change(&self, org: &OrgId, subject: &Subject, change: FactChange) -> DirectoryAnswer<()> {
        let (org, subject) = (org.as_str().to_owned(), subject.as_str().to_owned());
        let answer = self.answer(move |database| async move {
            let mut writing = database.write().await?;
            let advance = sqlx::query(ADVANCE).bind(&org).bind(&subject);
            advance.execute(&mut *writing.transaction).await?;
            let (statements, texts) = statements(&change);
            for statement in statements.iter().copied() {
                let mut query = sqlx::query(statement).bind(&org).bind(&subject);
                for text in &texts {
                    query = query.bind(*text);
                }
                if let FactChangeKind::GrantAttribute(attribute) = change.kind() {
                    query = query.bind(attribute.expires_at.map(Timestamp::unix_micros));
                }
                query.execute(&mut *writing.transaction).await?;
            }
            let row = sqlx::query(COUNT)
                .bind(&org)
                .bind(&subject)
                .fetch_one(&mut *writing.transaction)
                .await?;
            let count: i64 = row.try_get(0)?;
            if change.adds() && usize::try_from(count).is_ok_and(|count| count > MAX_FACTS) {
                return Ok(Err(DirectoryError::Full));
            }
            writing.commit().await?;
            Ok(Ok(()))
        });
        Step::wait(async move { answer.await.and_then(|done| done) })
    }

    fn purge(&self, over: Timestamp) -> DirectoryAnswer<u64> {
        self.answer(move |database| async move {
            let mut count: u64 = 0;
            loop {
                let mut writing = database.write().await?;
                let purged = sqlx::query(PURGE)
                    .bind(over.unix_micros())
                    .execute(&mut *writing.transaction)
                    .await?
                    .rows_affected();
                writing.commit().await?;
                count = count.saturating_add(purged);
                if purged < 4096 {
                    return Ok(count);
                }
            }
        })
    }
}

impl SubjectListing for SqliteDirectory {
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
        self.answer(move |database| async move {
            let rows = sqlx::query(LIST)
                .bind(&org)
                .bind(&after)
                .bind(limit)
                .fetch_all(database.pool())
                .await?;
            rows.iter().map(name).collect()
        })
    }
}

fn name(row: &SqliteRow) -> Result<Subject, Fault> {
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
