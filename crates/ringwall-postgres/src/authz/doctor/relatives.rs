//! Other tables by which the rows of a table are reached: partitions and children, and what it is a part of; and tables
//! beside it without any security.

use sqlx::Row as _;

use super::{Doctor, Finding, FindingKind, Judged};

/// Down, and up: a table that inherits is read by the policies of the table that a statement names.
const FAMILY: &str = "WITH RECURSIVE below(oid) AS (
        SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = $1::oid
        UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN below AS b ON b.oid = i.inhparent
    ), above(oid) AS (
        SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = $1::oid
        UNION SELECT i.inhparent FROM pg_catalog.pg_inherits AS i JOIN above AS a ON a.oid = i.inhrelid
    )
    SELECT c.oid::bigint AS oid, c.oid::regclass::text AS name, c.relname::text AS relation, f.is_below,
        c.relrowsecurity AND c.relforcerowsecurity AS is_secured,
        EXISTS (
            SELECT FROM unnest($2::oid[]) AS r WHERE has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE')
            OR has_table_privilege(r, c.oid, 'DELETE, TRUNCATE')
        ) AS is_usable
    FROM (SELECT oid, TRUE FROM below UNION ALL SELECT oid, FALSE FROM above) AS f(oid, is_below)
    JOIN pg_catalog.pg_class AS c ON c.oid = f.oid";
/// Tables of other servers anywhere; tables of this one beside those of the policy, and materialized views, of whatever they
/// keep rows.
const UNPROTECTED: &str = "SELECT c.oid::regclass::text AS name, c.relkind::text AS kind
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE (c.relkind = 'f' OR (c.relkind IN ('r', 'p', 'm') AND NOT c.relrowsecurity AND n.nspname::text = ANY($2::text[])))
    AND NOT c.oid = ANY($3::oid[])
    AND EXISTS (
        SELECT FROM unnest($1::oid[]) AS r WHERE has_schema_privilege(r, n.oid, 'USAGE') AND (
            has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(r, c.oid, 'DELETE, TRUNCATE')
        )
    )";
/// What bears the name of a table that the policy names without its schema. Which of them a session means, its path says, and
/// that is the session's own.
const NAMESAKES: &str = "SELECT c.oid::regclass::text AS name, c.relname::text AS relation
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname::text = ANY($2::text[]) AND NOT c.oid = ANY($3::oid[])
    AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND EXISTS (
        SELECT FROM unnest($1::oid[]) AS r WHERE has_schema_privilege(r, n.oid, 'USAGE') AND (
            has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(r, c.oid, 'DELETE, TRUNCATE')
        )
    )";

impl Doctor<'_> {
    /// Tables and views that a session takes for one of the policy when its path leads there first.
    pub(super) async fn namesakes(&mut self) -> Result<(), sqlx::Error> {
        let unqualified: Vec<String> = self
            .tables
            .iter()
            .filter(|table| !table.name.contains('.'))
            .map(|table| table.name.clone())
            .collect();
        // Parts of the tables, and what reads them, were judged by themselves.
        let mut known = self.oids();
        known.extend(&self.family);
        known.extend(&self.views);
        let rows = sqlx::query(NAMESAKES)
            .bind(&self.roles)
            .bind(unqualified)
            .bind(known)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let relation: String = row.try_get("relation")?;
            self.found(
                FindingKind::SearchPath,
                row.try_get::<String, _>("name")?,
                format!("a session whose path leads to it first takes it for {relation}"),
                "REVOKE it from the runtime role, or name the table with its schema in the policy and in statements",
            );
        }
        Ok(())
    }

    pub(super) async fn relatives(&mut self, table: &Judged) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(FAMILY)
            .bind(table.oid)
            .bind(&self.roles)
            .fetch_all(&mut *self.connection)
            .await?;
        let judged = self.oids();
        for row in rows {
            let oid: i64 = row.try_get("oid")?;
            let name: String = row.try_get("name")?;
            self.family.push(oid);
            // What the policy names itself is judged by itself.
            if judged.contains(&oid) || !row.try_get::<bool, _>("is_usable")? {
                continue;
            }
            if !row.try_get::<bool, _>("is_below")? {
                self.found(
                    FindingKind::Parent,
                    name,
                    format!(
                        "{} is a part of it, and is read through it by its policies alone",
                        table.name
                    ),
                    "REVOKE it from the runtime role, or name it in the policy",
                );
                continue;
            }
            let is_secured: bool = row.try_get("is_secured")?;
            let relation: String = row.try_get("relation")?;
            if !is_secured || !self.is_held(oid, &relation, table).await? {
                self.found(
                    FindingKind::Child,
                    name,
                    format!(
                        "it is a part of {} that can be used by itself, without its policies",
                        table.name
                    ),
                    "REVOKE it from the runtime role",
                );
            } else {
                // What a row keeps of the whole, it keeps of the part.
                let part = Judged {
                    oid,
                    name,
                    ..table.clone()
                };
                self.privileges(&part).await?;
            }
        }
        Ok(())
    }

    /// Whether a part permits nothing by itself, or what the whole permits.
    async fn is_held(
        &mut self,
        oid: i64,
        relation: &str,
        table: &Judged,
    ) -> Result<bool, sqlx::Error> {
        let installed = self.installed(oid).await?;
        if !installed
            .iter()
            .any(|found| found.policy.is_permissive && found.applies)
        {
            return Ok(true);
        }
        let Ok(expected) = self.expected(oid, relation, &table.secured).await? else {
            return Ok(false);
        };
        let restricts = expected
            .iter()
            .filter(|policy| !policy.is_permissive)
            .all(|policy| installed.iter().any(|found| found.policy == *policy));
        let permits = installed
            .iter()
            .filter(|found| found.policy.is_permissive && found.applies)
            .all(|found| expected.contains(&found.policy));
        Ok(restricts && permits)
    }

    pub(super) async fn unprotected(&mut self) -> Result<(), sqlx::Error> {
        let schemas: Vec<String> = self
            .tables
            .iter()
            .map(|table| table.schema.clone())
            .collect();
        let mut known = self.oids();
        known.extend(&self.family);
        let rows = sqlx::query(UNPROTECTED)
            .bind(&self.roles)
            .bind(schemas)
            .bind(known)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let name: String = row.try_get("name")?;
            let kind: String = row.try_get("kind")?;
            let is_told = |found: &Finding| found.kind == FindingKind::View && found.object == name;
            if kind == "m" && self.findings.iter().any(is_told) {
                continue;
            }
            if kind == "f" {
                self.found(
                    FindingKind::ForeignTable,
                    name,
                    "it is read as another server's user, and can have no row-level security",
                    "REVOKE it from the runtime role",
                );
            } else {
                let repair = if kind == "m" {
                    "REVOKE the privilege, or accept it when it keeps no tenant's rows"
                } else {
                    "ENABLE ROW LEVEL SECURITY, or REVOKE the privilege, or accept it when no tenant has rows there"
                };
                self.found(
                    FindingKind::UnprotectedTable,
                    name,
                    "the runtime role may use it, and every row is seen",
                    repair,
                );
            }
        }
        Ok(())
    }
}
