//! Every known way in which row-level security could be there and do nothing, or permit more than the policy.

mod finding;
mod functions;
mod keys;
mod policies;
mod readers;
mod relatives;
mod roles;
mod stale;
mod tables;

use core::time::Duration;

use ringwall_authz::{
    FilterError, Policy, RowLevelSecurityOptions, RowLevelSecurityParts, SecuredTable, TableContent,
};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

pub use finding::{AcceptedFinding, Examination, Finding, FindingKind, InvalidAcceptance};
use roles::Reached;

use crate::{Error, PostgresDatabase};

/// Nothing was examined.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExaminationError {
    /// The policy cannot be made row-level security of.
    #[error(transparent)]
    Policy(#[from] FilterError),
    /// The database did not answer.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Looks for every known way in which the row-level security of `policy` could do nothing for what the runtime role of
/// `options` does, or permit more than the policy. `options` are those of the migration. An empty answer says that
/// nothing was found, in the database of this connection and by its search path.
///
/// What is compared is what PostgreSQL itself says of policies and functions, never their names or comments alone. For
/// that, the policies that should be there are made on temporary tables, within a transaction that is rolled back. What
/// it needs: TEMPORARY on the database, and USAGE on the schemas of the tables and of the functions; no privilege on a
/// table. Without them, [`FindingKind::NotCompared`] is found, which is a hole. Everything else stands in the catalogs,
/// which any role may read.
///
/// Call it on a connection that was told no subject. What it cannot see: what the bodies of other functions do, what
/// user-defined operators and implicit casts do to other statements than the policies, tables in schemas that hold no table
/// of the policy, and what other databases are sent.
/// Publications and logical replication are no finding: they copy rows for whoever owns them, and the runtime role is
/// found if it may follow the log (REPLICATION); the copy needs row-level security of its own.
///
/// # Errors
///
/// [`ExaminationError::Policy`] when no row-level security can be made of the policy; [`ExaminationError::Database`]
/// when the database did not answer.
pub async fn examine(
    connection: &mut PgConnection,
    policy: &Policy,
    options: &RowLevelSecurityOptions,
    accepted: &[AcceptedFinding],
) -> Result<Examination, ExaminationError> {
    let parts = policy.row_level_security_parts(options)?;
    let findings = look(connection, parts).await.map_err(Error::of_database)?;
    Ok(Examination::of(findings, accepted))
}

impl PostgresDatabase {
    /// As [`examine`], on a connection of its own, whose search path is the schema of this database. Tables that stand
    /// elsewhere are named with their schema by the policy.
    ///
    /// # Errors
    ///
    /// As [`examine`]; each table has as much time as a call to this database.
    pub async fn examine(
        &self,
        policy: &Policy,
        options: &RowLevelSecurityOptions,
        accepted: &[AcceptedFinding],
    ) -> Result<Examination, ExaminationError> {
        let parts = policy.row_level_security_parts(options)?;
        let tables = u32::try_from(parts.tables.len()).unwrap_or(u32::MAX);
        let time = self
            .timeout()
            .saturating_mul(tables.saturating_add(1))
            .min(MAX_TIME);
        let findings: Result<Vec<Finding>, sqlx::Error> = self
            .within(time, move |connection| {
                Box::pin(async move { look(connection, parts).await })
            })
            .await;
        Ok(Examination::of(
            findings.map_err(Error::of_database)?,
            accepted,
        ))
    }
}

/// However many tables there are, an operator waits no longer than this.
const MAX_TIME: Duration = Duration::from_secs(600);

/// Names are told with their schemas then, and operators and functions of the statements are the system's.
const CATALOG_PATH: &str = "SET LOCAL search_path = pg_catalog, pg_temp";

/// A table of the policy, found.
#[derive(Clone)]
struct Judged {
    oid: i64,
    /// As the policy names it.
    name: String,
    /// Without its schema.
    relation: String,
    schema: String,
    owner: i64,
    owner_name: String,
    is_enabled: bool,
    is_forced: bool,
    secured: SecuredTable,
}

impl Judged {
    fn org(&self) -> Option<&str> {
        let columns = &self.secured.table.columns;
        let org = columns.iter().find(|column| column.is_tenant);
        org.map(|column| column.name.as_str())
    }

    fn holds_resources(&self) -> bool {
        self.secured.table.holds == TableContent::Resources
    }

    fn is_attributes(&self) -> bool {
        self.secured.table.holds == TableContent::Attributes
    }
}

struct Doctor<'a> {
    connection: &'a mut PgConnection,
    parts: RowLevelSecurityParts,
    /// The search path of the connection as the migration has it: temporary tables last.
    path: String,
    tables: Vec<Judged>,
    reached: Vec<Reached>,
    /// All roles that a session of the service may be, but superusers.
    roles: Vec<i64>,
    /// Partitions, children and parents of the tables.
    family: Vec<i64>,
    /// Whom views read as that are meant to.
    view_owners: Vec<i64>,
    /// Views that lead to the tables.
    views: Vec<i64>,
    findings: Vec<Finding>,
}

async fn look(
    connection: &mut PgConnection,
    parts: RowLevelSecurityParts,
) -> Result<Vec<Finding>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let mut doctor = Doctor {
        connection: &mut transaction,
        parts,
        path: String::new(),
        tables: Vec::new(),
        reached: Vec::new(),
        roles: Vec::new(),
        family: Vec::new(),
        view_owners: Vec::new(),
        views: Vec::new(),
        findings: Vec::new(),
    };
    doctor.look().await?;
    let findings = doctor.findings;
    transaction.rollback().await?;
    Ok(findings)
}

impl Doctor<'_> {
    fn found(
        &mut self,
        kind: FindingKind,
        object: impl Into<String>,
        allows: impl Into<String>,
        repair: impl Into<String>,
    ) {
        self.findings.push(Finding {
            kind,
            object: object.into(),
            allows: allows.into(),
            repair: repair.into(),
            is_accepted: false,
        });
    }

    fn oids(&self) -> Vec<i64> {
        self.tables.iter().map(|table| table.oid).collect()
    }

    async fn look(&mut self) -> Result<(), sqlx::Error> {
        self.take_path().await?;
        self.find_tables().await?;
        self.connection.execute(CATALOG_PATH).await?;
        if !self.roles().await? {
            return Ok(());
        }
        self.presets().await?;
        self.helpers().await?;
        let tables = self.tables.clone();
        for table in &tables {
            self.relatives(table).await?;
        }
        // As whom views read decides which policies count.
        self.readers().await?;
        for table in &tables {
            self.table(table).await?;
            self.policies(table).await?;
            self.keys(table).await?;
        }
        self.schemas().await?;
        self.stale().await?;
        self.functions().await?;
        self.unprotected().await?;
        self.namesakes().await
    }

    /// The system's schema goes first and temporary tables last, as in the migration: one of this session is not what was
    /// meant.
    async fn take_path(&mut self) -> Result<(), sqlx::Error> {
        let row = sqlx::query(
            "SELECT pg_catalog.concat_ws(', ', (
                SELECT pg_catalog.string_agg(pg_catalog.quote_ident(s.name::text), ', ' ORDER BY s.place)
                FROM pg_catalog.unnest(pg_catalog.current_schemas(FALSE)) WITH ORDINALITY AS s(name, place)
                WHERE s.name::text <> 'pg_catalog' AND s.name::text NOT LIKE 'pg\\_temp%'
            ), 'pg_temp')",
        )
        .fetch_one(&mut *self.connection)
        .await?;
        self.path = row.try_get(0)?;
        let statement = format!("SET LOCAL search_path = {}", self.path);
        self.connection
            .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
            .await?;
        Ok(())
    }
}
