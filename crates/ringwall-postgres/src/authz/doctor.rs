//! Every way in which row-level security could be there and do nothing.

use core::fmt;
use std::collections::BTreeMap;

use ringwall_authz::{ColumnKind, Policy, PolicyTable, TableContent};
use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::{Error, PostgresDatabase};

/// Something that makes row-level security of a policy weaker than it looks, or wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// Where: a role, a table, a view, a function.
    pub object: String,
    /// What it means, and what to do.
    pub advice: String,
}

/// What [`examine`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// The runtime role does not exist.
    NoRole,
    /// The runtime role is a superuser or has BYPASSRLS, or is a member of such a role.
    RoleBypasses,
    /// The runtime role owns a table, or is a member of its owner: it can switch its security off.
    RoleOwnsTable,
    /// The runtime role has a privilege that rows are not asked about, such as TRUNCATE, or one that no action is.
    PrivilegeTooWide,
    /// A table of the policy does not exist.
    NoTable,
    /// A column of the policy does not exist, or is of a type that is not compared as the policy compares.
    Column,
    /// Row-level security is not enabled.
    NotEnabled,
    /// It is enabled and not forced, so the owner sees every row.
    NotForced,
    /// The policies of the table are missing, or are of another version of the policy.
    OtherPolicies,
    /// There is a permissive policy beside those of this policy: it permits what this one does not.
    ForeignPolicy,
    /// A view reads the table as its owner.
    View,
    /// A function runs as its owner, and the runtime role may call it.
    DefinerFunction,
    /// A partition or a child of the table can be read past its policies.
    Child,
    /// A table that the runtime role may use has no row-level security at all.
    UnprotectedTable,
    /// No index begins with the column of the organisation.
    NoTenantIndex,
}

impl FindingKind {
    /// Whether rows can be seen or changed that should not be, or could not be looked at. What is no hole is slow.
    #[must_use]
    pub const fn is_hole(self) -> bool {
        match self {
            Self::RoleBypasses
            | Self::RoleOwnsTable
            | Self::PrivilegeTooWide
            | Self::NotEnabled
            | Self::NotForced
            | Self::OtherPolicies
            | Self::ForeignPolicy
            | Self::View
            | Self::DefinerFunction
            | Self::Child
            | Self::UnprotectedTable
            | Self::Column
            // Nothing was looked at there.
            | Self::NoRole
            | Self::NoTable => true,
            Self::NoTenantIndex => false,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Names of a database may hold anything, what moves a terminal's cursor too.
        write!(f, "{}: {}", self.object.escape_debug(), self.advice)
    }
}

/// Looks for every known way in which the row-level security of `policy` could do nothing for what `runtime_role` does.
/// An empty answer says that none of them was found, in the database of this connection and by its search path.
///
/// It reads the catalogs alone, which any role may.
///
/// # Errors
///
/// [`Error`] when the database did not answer.
pub async fn examine(
    connection: &mut PgConnection,
    policy: &Policy,
    runtime_role: &str,
) -> Result<Vec<Finding>, Error> {
    let mut doctor = Doctor {
        connection,
        role: runtime_role,
        findings: Vec::new(),
    };
    doctor.look(policy).await.map_err(Error::of_database)?;
    let mut findings = doctor.findings;
    findings.sort_by(|left, right| (left.kind, &left.object).cmp(&(right.kind, &right.object)));
    findings.dedup();
    Ok(findings)
}

impl PostgresDatabase {
    /// As [`examine`], on a connection of its own, whose search path is the schema of this database. Tables that stand
    /// elsewhere are named with their schema by the policy.
    ///
    /// # Errors
    ///
    /// [`Error`] when the database did not answer in time.
    pub async fn examine(
        &self,
        policy: &Policy,
        runtime_role: &str,
    ) -> Result<Vec<Finding>, Error> {
        let (policy, role) = (policy.clone(), runtime_role.to_owned());
        let findings: Result<Result<Vec<Finding>, Error>, sqlx::Error> = self
            .within(self.timeout(), move |connection| {
                Box::pin(async move { Ok(examine(connection, &policy, &role).await) })
            })
            .await;
        findings.map_err(Error::of_database)?
    }
}

struct Doctor<'a> {
    connection: &'a mut PgConnection,
    role: &'a str,
    findings: Vec<Finding>,
}

const ROLE: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)";
/// The role, and all of which it is a member: it can become each of them.
const BYPASSING: &str = "SELECT r.rolname, r.rolsuper FROM pg_catalog.pg_roles AS r
    WHERE (r.rolsuper OR r.rolbypassrls) AND pg_catalog.pg_has_role($1, r.oid, 'MEMBER')";
const TABLE: &str = "SELECT c.oid::bigint AS oid, c.relrowsecurity, c.relforcerowsecurity,
        pg_catalog.pg_get_userbyid(c.relowner)::text AS owner, pg_catalog.pg_has_role($2, c.relowner, 'MEMBER') AS is_owner
    FROM pg_catalog.pg_class AS c WHERE c.oid = pg_catalog.to_regclass($1)";
const COLUMNS: &str = "SELECT a.attname::text AS name, t.typname::text AS type,
        coalesce(l.collisdeterministic, TRUE) AS is_deterministic
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped";
const POLICIES: &str = "SELECT p.polname::text AS name, p.polpermissive AS is_permissive,
        pg_catalog.obj_description(p.oid, 'pg_policy') AS comment,
        (p.polroles = '{0}' OR EXISTS (
            SELECT FROM unnest(p.polroles) AS r WHERE r <> 0 AND pg_catalog.pg_has_role($2, r, 'MEMBER')
        )) AS is_for_role
    FROM pg_catalog.pg_policy AS p WHERE p.polrelid = $1::oid";
const PRIVILEGES: &str = "SELECT p.privilege FROM unnest(ARRAY[
        'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'
    ]) AS p(privilege) WHERE pg_catalog.has_table_privilege($2, $1::oid, p.privilege)";
/// Views, and views of views, down to the table.
const VIEWS: &str = "WITH RECURSIVE readers(oid) AS (
        SELECT $1::oid
        UNION
        SELECT r.ev_class FROM readers AS s
        JOIN pg_catalog.pg_depend AS d ON d.refobjid = s.oid AND d.refclassid = 'pg_catalog.pg_class'::regclass
            AND d.classid = 'pg_catalog.pg_rewrite'::regclass
        JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid AND r.ev_class <> s.oid
    )
    SELECT c.oid::regclass::text AS name, c.relkind::text AS kind,
        coalesce(array_to_string(c.reloptions, ',') ~* 'security_invoker=(true|on|1|yes)', FALSE) AS is_invoker,
        coalesce(array_to_string(c.reloptions, ',') ~* 'security_barrier=(true|on|1|yes)', FALSE) AS is_barrier,
        (o.rolsuper OR o.rolbypassrls) AS owner_bypasses, o.rolcanlogin AS owner_logs_in,
        pg_catalog.pg_has_role(o.oid, t.relowner, 'MEMBER') AS owner_owns_table,
        pg_catalog.has_table_privilege($2, c.oid, 'SELECT') AS is_readable
    FROM readers AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.oid
    JOIN pg_catalog.pg_roles AS o ON o.oid = c.relowner
    JOIN pg_catalog.pg_class AS t ON t.oid = $1::oid
    WHERE c.relkind IN ('v', 'm')";
const CHILDREN: &str = "WITH RECURSIVE children(oid) AS (
        SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = $1::oid
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN children AS c ON c.oid = i.inhparent
    )
    SELECT c.oid::regclass::text AS name, c.relrowsecurity AND c.relforcerowsecurity AS is_secured
    FROM children AS h JOIN pg_catalog.pg_class AS c ON c.oid = h.oid
    WHERE pg_catalog.has_table_privilege($2, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')";
const TENANT_INDEX: &str = "SELECT EXISTS (
        SELECT FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = $1::oid AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL
    )";
/// Those of extensions and of the system are others' business.
const FUNCTIONS: &str = "SELECT p.oid::regprocedure::text AS name,
        coalesce(array_to_string(p.proconfig, ',') LIKE '%search_path=%', FALSE) AS is_pinned
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND pg_catalog.has_function_privilege($1, p.oid, 'EXECUTE')
    AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE')
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = p.oid
        AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
    )";
const UNPROTECTED: &str = "SELECT c.oid::regclass::text AS name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relrowsecurity
    AND c.relnamespace = (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = $2::oid)
    AND NOT c.oid = ANY($3::oid[])
    AND pg_catalog.has_schema_privilege($1, n.oid, 'USAGE')
    AND pg_catalog.has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE')";

impl Doctor<'_> {
    fn found(&mut self, kind: FindingKind, object: impl Into<String>, advice: impl Into<String>) {
        self.findings.push(Finding {
            kind,
            object: object.into(),
            advice: advice.into(),
        });
    }

    async fn look(&mut self, policy: &Policy) -> Result<(), sqlx::Error> {
        let row = sqlx::query(ROLE)
            .bind(self.role)
            .fetch_one(&mut *self.connection)
            .await?;
        if !row.try_get::<bool, _>(0)? {
            self.found(
                FindingKind::NoRole,
                self.role,
                "the role does not exist: run the generated migration",
            );
            return Ok(());
        }
        self.role_itself().await?;
        let mut oids = Vec::new();
        for table in policy.tables() {
            if let Some(oid) = self.table(&table, &policy.hash().to_string()).await? {
                oids.push(oid);
            }
        }
        self.functions().await?;
        for oid in oids.clone() {
            let rows = sqlx::query(UNPROTECTED)
                .bind(self.role)
                .bind(oid)
                .bind(&oids)
                .fetch_all(&mut *self.connection)
                .await?;
            for row in rows {
                self.found(
                    FindingKind::UnprotectedTable,
                    row.try_get::<String, _>("name")?,
                    "the runtime role may use it, and it has no row-level security: enable it, or revoke the privilege",
                );
            }
        }
        Ok(())
    }

    async fn role_itself(&mut self) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(BYPASSING)
            .bind(self.role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let name: String = row.try_get(0)?;
            let is_super: bool = row.try_get(1)?;
            let what = if is_super { "a superuser" } else { "BYPASSRLS" };
            self.found(
                FindingKind::RoleBypasses,
                self.role,
                format!("it is, or may become, {name}, which is {what}: no policy holds for it"),
            );
        }
        Ok(())
    }

    async fn table(&mut self, table: &PolicyTable, hash: &str) -> Result<Option<i64>, sqlx::Error> {
        let quoted: Vec<String> = table
            .name
            .split('.')
            .map(|part| format!("\"{part}\""))
            .collect();
        let found = sqlx::query(TABLE)
            .bind(quoted.join("."))
            .bind(self.role)
            .fetch_optional(&mut *self.connection)
            .await?;
        let Some(row) = found else {
            self.found(
                FindingKind::NoTable,
                &table.name,
                "the table does not exist",
            );
            return Ok(None);
        };
        let oid: i64 = row.try_get("oid")?;
        if !row.try_get::<bool, _>("relrowsecurity")? {
            self.found(
                FindingKind::NotEnabled,
                &table.name,
                "row-level security is not enabled: ALTER TABLE … ENABLE ROW LEVEL SECURITY",
            );
        }
        // Whoever owns the pairs of a relation keeps them.
        let is_forced: bool = row.try_get("relforcerowsecurity")?;
        if !is_forced && table.holds == TableContent::Resources {
            self.found(
                FindingKind::NotForced,
                &table.name,
                "its owner sees every row: ALTER TABLE … FORCE ROW LEVEL SECURITY",
            );
        }
        if row.try_get::<bool, _>("is_owner")? {
            let owner: String = row.try_get("owner")?;
            self.found(
                FindingKind::RoleOwnsTable,
                &table.name,
                format!("the runtime role is, or may become, its owner {owner}, who can switch its security off"),
            );
        }
        self.columns(table, oid).await?;
        self.policies(table, oid, hash).await?;
        self.privileges(table, oid).await?;
        self.views(table, oid).await?;
        self.children(table, oid).await?;
        self.index(table, oid).await?;
        Ok(Some(oid))
    }

    async fn columns(&mut self, table: &PolicyTable, oid: i64) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(COLUMNS)
            .bind(oid)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut columns: BTreeMap<String, (String, bool)> = BTreeMap::new();
        for row in rows {
            let about = (row.try_get("type")?, row.try_get("is_deterministic")?);
            columns.insert(row.try_get("name")?, about);
        }
        for column in &table.columns {
            let object = format!("{}.{}", table.name, column.name);
            let Some((kind, is_deterministic)) = columns.get(&column.name) else {
                self.found(FindingKind::Column, object, "the column does not exist");
                continue;
            };
            let fits: &[&str] = match column.kind {
                ColumnKind::Text => &["text", "varchar"],
                ColumnKind::Integer => &["int8", "int4", "int2"],
                ColumnKind::Boolean => &["bool"],
                ColumnKind::Timestamp => &["timestamptz"],
                ColumnKind::Uuid => &["uuid"],
            };
            if !fits.contains(&kind.as_str()) {
                self.found(
                    FindingKind::Column,
                    &object,
                    format!(
                        "it is of the type {kind}, which is not compared as the policy does: {} is needed",
                        fits.join(" or ")
                    ),
                );
            }
            if !is_deterministic {
                self.found(
                    FindingKind::Column,
                    object,
                    "its collation takes different texts for equal: use a deterministic one, such as \"C\"",
                );
            }
        }
        Ok(())
    }

    async fn policies(
        &mut self,
        table: &PolicyTable,
        oid: i64,
        hash: &str,
    ) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(POLICIES)
            .bind(oid)
            .bind(self.role)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut ours = Vec::new();
        for row in rows {
            let name: String = row.try_get("name")?;
            let is_permissive: bool = row.try_get("is_permissive")?;
            let is_for_role: bool = row.try_get("is_for_role")?;
            let comment: Option<String> = row.try_get("comment")?;
            if !name.starts_with("ringwall_") {
                if is_permissive && is_for_role {
                    self.found(
                        FindingKind::ForeignPolicy,
                        format!("{} ON {}", name, table.name),
                        "it permits beside this policy: remove it, or make it restrictive",
                    );
                }
                continue;
            }
            let is_this = comment.is_some_and(|comment| {
                comment.starts_with("ringwall ") && comment.ends_with(&format!(" {hash}"))
            });
            if !is_this {
                self.found(
                    FindingKind::OtherPolicies,
                    format!("{} ON {}", name, table.name),
                    "it is of another version of the policy: run the generated migration",
                );
            }
            ours.push(name);
        }
        let expected: Vec<String> = match table.holds {
            TableContent::Relation => vec!["ringwall_own".to_owned()],
            TableContent::Resources => core::iter::once("ringwall_tenant".to_owned())
                .chain(
                    table
                        .commands
                        .iter()
                        .map(|command| format!("ringwall_{}", command.to_lowercase())),
                )
                .collect(),
        };
        for name in expected {
            if !ours.contains(&name) {
                self.found(
                    FindingKind::OtherPolicies,
                    format!("{} ON {}", name, table.name),
                    "the policy is not there: run the generated migration",
                );
            }
        }
        Ok(())
    }

    async fn privileges(&mut self, table: &PolicyTable, oid: i64) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(PRIVILEGES)
            .bind(oid)
            .bind(self.role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let privilege: String = row.try_get(0)?;
            let is_needed = match table.holds {
                TableContent::Resources => table.commands.contains(&privilege.as_str()),
                TableContent::Relation => privilege == "SELECT",
            };
            if !is_needed {
                self.found(
                    FindingKind::PrivilegeTooWide,
                    &table.name,
                    format!("the runtime role has {privilege}, which the policy does not need: REVOKE it"),
                );
            }
        }
        Ok(())
    }

    /// A view runs as its owner. That is sound when it is so on purpose: the owner is a role that nobody logs in as, that
    /// neither owns the table nor bypasses its policies, and the view is a barrier; then the policies of the table hold
    /// for what the session was told, whoever reads.
    async fn views(&mut self, table: &PolicyTable, oid: i64) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(VIEWS)
            .bind(oid)
            .bind(self.role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let get = |name: &str| row.try_get::<bool, _>(name);
            if !get("is_readable")? {
                continue;
            }
            let name: String = row.try_get("name")?;
            if row.try_get::<String, _>("kind")? == "m" {
                self.found(
                    FindingKind::View,
                    name,
                    format!("a materialized view of {} has no rows of its own to hide: revoke it from the runtime role", table.name),
                );
                continue;
            }
            let is_apart = !get("owner_bypasses")?
                && !get("owner_logs_in")?
                && !get("owner_owns_table")?
                && get("is_barrier")?;
            if !get("is_invoker")? && !is_apart {
                self.found(
                    FindingKind::View,
                    name,
                    format!("it reads {} as its owner: WITH (security_invoker = true), or an owner apart that nobody logs in as, with security_barrier", table.name),
                );
            }
        }
        Ok(())
    }

    async fn children(&mut self, table: &PolicyTable, oid: i64) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(CHILDREN)
            .bind(oid)
            .bind(self.role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let is_secured: bool = row.try_get("is_secured")?;
            if !is_secured {
                self.found(
                    FindingKind::Child,
                    row.try_get::<String, _>("name")?,
                    format!("it is a part of {} that can be read by itself: revoke it from the runtime role", table.name),
                );
            }
        }
        Ok(())
    }

    async fn index(&mut self, table: &PolicyTable, oid: i64) -> Result<(), sqlx::Error> {
        let Some(org) = table.columns.iter().find(|column| column.is_tenant) else {
            return Ok(());
        };
        let row = sqlx::query(TENANT_INDEX)
            .bind(oid)
            .bind(&org.name)
            .fetch_one(&mut *self.connection)
            .await?;
        if !row.try_get::<bool, _>(0)? {
            self.found(
                FindingKind::NoTenantIndex,
                &table.name,
                format!(
                    "no index begins with {}, so each statement reads every tenant's rows",
                    org.name
                ),
            );
        }
        Ok(())
    }

    async fn functions(&mut self) -> Result<(), sqlx::Error> {
        let rows: Vec<PgRow> = sqlx::query(FUNCTIONS)
            .bind(self.role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let is_pinned: bool = row.try_get("is_pinned")?;
            let more = if is_pinned {
                ""
            } else {
                ", and its search_path is the caller's"
            };
            self.found(
                FindingKind::DefinerFunction,
                row.try_get::<String, _>("name")?,
                format!("it runs as its owner{more}: SECURITY INVOKER, or make sure that it asks who the session acts for, pins its search_path, and revoke it from PUBLIC"),
            );
        }
        Ok(())
    }
}
