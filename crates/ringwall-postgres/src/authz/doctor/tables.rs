//! The tables themselves: whether security is on, what they are made of, and who may use them.

use std::collections::BTreeMap;

use ringwall_authz::{ColumnKind, SecuredTable, TableContent};
use sqlx::Row as _;

use super::{Doctor, FindingKind, Judged};

const TABLE: &str =
    "SELECT c.oid::bigint AS oid, c.relname::text AS name, n.nspname::text AS schema,
        c.relrowsecurity, c.relforcerowsecurity, c.relowner::bigint AS owner_oid,
        pg_catalog.pg_get_userbyid(c.relowner)::text AS owner
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = pg_catalog.to_regclass($1)";
const COLUMNS: &str = "SELECT a.attname::text AS name, t.typname::text AS type,
        coalesce(l.collisdeterministic, TRUE) AS is_deterministic, a.attgenerated::text <> '' AS is_generated
    FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped";
/// What the runtime role, and whoever it may become or who acts as it, may do with the table or with one of its columns;
/// and what everybody may. Owners may do everything, and are found for being owners.
const PRIVILEGES: &str = "WITH class AS (
        SELECT c.oid, c.relowner, c.relacl FROM pg_catalog.pg_class AS c WHERE c.oid = $1::oid
    ), holders AS (
        SELECT r.oid, CASE WHEN r.rolname = $3 THEN '' ELSE ' TO ' || r.rolname END AS suffix
        FROM pg_catalog.pg_roles AS r, class AS c WHERE r.oid = ANY($2::oid[]) AND r.oid <> c.relowner
    ), columns AS (
        SELECT a.attname, a.attnum, a.attacl FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attacl IS NOT NULL
    )
    SELECT p.privilege, p.privilege AS what, h.suffix, '' AS name FROM holders AS h, class AS c, unnest(ARRAY[
        'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'
    ]) AS p(privilege) WHERE has_table_privilege(h.oid, c.oid, p.privilege)
    UNION ALL
    SELECT p.privilege, p.privilege || '(' || a.attname || ')', h.suffix, a.attname::text FROM holders AS h, class AS c, columns AS a, unnest(ARRAY[
        'SELECT', 'INSERT', 'UPDATE', 'REFERENCES'
    ]) AS p(privilege) WHERE has_column_privilege(h.oid, c.oid, a.attnum, p.privilege)
        AND NOT has_table_privilege(h.oid, c.oid, p.privilege)
    UNION ALL
    SELECT 'GRANT', x.privilege_type || ' WITH GRANT OPTION', h.suffix, '' FROM holders AS h, class AS c,
        aclexplode(c.relacl) AS x WHERE x.grantee = h.oid AND x.is_grantable
    UNION ALL
    SELECT 'PUBLIC', x.privilege_type, ' TO PUBLIC', '' FROM class AS c, aclexplode(c.relacl) AS x WHERE x.grantee = 0
    UNION ALL
    SELECT 'PUBLIC', x.privilege_type || '(' || a.attname || ')', ' TO PUBLIC', a.attname::text
    FROM columns AS a, aclexplode(a.attacl) AS x WHERE x.grantee = 0";

/// Schemas in which the sessions of the service, or everybody, may create things.
const OPEN: &str = "WITH named AS (
        SELECT n.oid, n.nspname::text AS name, EXISTS (
            SELECT FROM aclexplode(n.nspacl) AS x WHERE x.grantee = 0 AND x.privilege_type = 'CREATE'
        ) AS is_public
        FROM pg_catalog.pg_namespace AS n WHERE n.nspname::text = ANY($1::text[])
    )
    SELECT n.name || ' TO PUBLIC' FROM named AS n WHERE n.is_public
    UNION ALL
    SELECT n.name || CASE WHEN r.rolname = $3 THEN '' ELSE ' TO ' || r.rolname END
    FROM named AS n, pg_catalog.pg_roles AS r
    WHERE NOT n.is_public AND r.oid = ANY($2::oid[]) AND has_schema_privilege(r.oid, n.oid, 'CREATE')";

impl Doctor<'_> {
    /// Finds the tables, by the search path of the connection.
    pub(super) async fn find_tables(&mut self) -> Result<(), sqlx::Error> {
        for secured in self.parts.tables.clone() {
            let found = sqlx::query(TABLE)
                .bind(secured.table.quoted_name())
                .fetch_optional(&mut *self.connection)
                .await?;
            let name = secured.table.name.clone();
            let Some(row) = found else {
                self.found(
                    FindingKind::NoTable,
                    name,
                    "the table does not exist, or is not on the search path, so it was not looked at",
                    "create it, or name it with its schema in the policy",
                );
                continue;
            };
            self.tables.push(Judged {
                oid: row.try_get("oid")?,
                relation: row.try_get("name")?,
                schema: row.try_get("schema")?,
                owner: row.try_get("owner_oid")?,
                owner_name: row.try_get("owner")?,
                is_enabled: row.try_get("relrowsecurity")?,
                is_forced: row.try_get("relforcerowsecurity")?,
                name,
                secured,
            });
        }
        Ok(())
    }

    pub(super) async fn table(&mut self, table: &Judged) -> Result<(), sqlx::Error> {
        if !table.is_enabled {
            self.found(
                FindingKind::NotEnabled,
                &table.name,
                "no policy of it holds: every row is seen",
                "ALTER TABLE … ENABLE ROW LEVEL SECURITY",
            );
        }
        // Whoever owns what is known of subjects keeps it.
        if !table.is_forced && table.secured.table.holds == TableContent::Resources {
            self.found(
                FindingKind::NotForced,
                &table.name,
                "its owner sees every row, and so does what runs as its owner",
                "ALTER TABLE … FORCE ROW LEVEL SECURITY",
            );
        }
        let owners: Vec<(String, bool)> = self
            .reached
            .iter()
            .filter(|one| one.oid == table.owner)
            .map(|one| (one.start.clone(), one.is_runtime))
            .collect();
        for (start, is_runtime) in owners {
            let owner = &table.owner_name;
            if is_runtime {
                self.found(
                    FindingKind::RoleOwnsTable,
                    &table.name,
                    format!("the runtime role is, or may become, its owner {owner}, who can switch its security off"),
                    "ALTER TABLE … OWNER TO a role that the service never is, or REVOKE the membership",
                );
            } else {
                self.found(
                    FindingKind::MemberOwnsTable,
                    format!("{} BY {start}", table.name),
                    format!("{start}, a member of the runtime role, is or may become its owner {owner}, who can switch its security off"),
                    "REVOKE its membership in the runtime role, or accept it when the service never connects as it",
                );
            }
        }
        self.columns(&table.secured, table.oid).await?;
        self.privileges(table).await
    }

    async fn columns(&mut self, secured: &SecuredTable, oid: i64) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(COLUMNS)
            .bind(oid)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut columns: BTreeMap<String, (String, bool, bool)> = BTreeMap::new();
        for row in rows {
            let about = (
                row.try_get("type")?,
                row.try_get("is_deterministic")?,
                row.try_get("is_generated")?,
            );
            columns.insert(row.try_get("name")?, about);
        }
        for column in &secured.table.columns {
            let object = format!("{}.{}", secured.table.name, column.name);
            let Some((kind, is_deterministic, is_generated)) = columns.get(&column.name) else {
                self.found(
                    FindingKind::Column,
                    object,
                    "the column does not exist, so what the policy says of it does not hold",
                    "add it, or change the policy",
                );
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
                    format!("it is of the type {kind}, which is not compared as the policy does"),
                    format!("ALTER COLUMN … TYPE {}", fits.join(" or ")),
                );
            }
            if column.is_fixed && *is_generated {
                self.found(
                    FindingKind::Column,
                    &object,
                    "it is computed from other columns, and whoever changes those changes what a row is said to keep",
                    "ALTER COLUMN … DROP EXPRESSION, or say fixed of what it is computed from",
                );
            }
            if !is_deterministic {
                self.found(
                    FindingKind::Column,
                    object,
                    "its collation takes different texts for equal, and the policy does not",
                    "use a deterministic one, such as \"C\"",
                );
            }
        }
        Ok(())
    }

    pub(super) async fn privileges(&mut self, table: &Judged) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(PRIVILEGES)
            .bind(table.oid)
            .bind(&self.roles)
            .bind(&self.parts.runtime_role)
            .fetch_all(&mut *self.connection)
            .await?;
        let content = table.secured.table.holds;
        let columns = table.secured.table.columns.iter();
        let kept: Vec<&str> = columns
            .filter(|column| column.is_fixed)
            .map(|column| column.name.as_str())
            .collect();
        for row in rows {
            let privilege: String = row.try_get(0)?;
            let is_needed = match content {
                TableContent::Resources => {
                    table.secured.table.commands.contains(&privilege.as_str())
                }
                TableContent::Relation | TableContent::Attributes => privilege == "SELECT",
            };
            // A change of the whole table is one of what a row keeps, too.
            let column: String = row.try_get("name")?;
            let changes_kept = privilege == "UPDATE"
                && !kept.is_empty()
                && (column.is_empty() || kept.contains(&column.as_str()));
            if is_needed && !changes_kept {
                continue;
            }
            let what: String = row.try_get("what")?;
            let suffix: String = row.try_get("suffix")?;
            let allows = match (privilege.as_str(), content) {
                ("TRUNCATE" | "REFERENCES" | "TRIGGER", _) => "policies are not asked about it",
                ("GRANT", _) => "it can be passed on to others",
                ("PUBLIC", _) => {
                    "every role of the server has it, also those that no policy was written for"
                }
                (_, TableContent::Resources) if is_needed => {
                    "whoever changes a row changes what the policy judges it by, and says that a row keeps"
                }
                (_, TableContent::Resources) => "no action of the policy needs it",
                (_, TableContent::Relation | TableContent::Attributes) => {
                    "whoever writes there says what subjects may do"
                }
            };
            self.found(
                FindingKind::PrivilegeTooWide,
                format!("{what} ON {}{suffix}", table.name),
                allows,
                "REVOKE it",
            );
        }
        Ok(())
    }

    /// That of the functions is looked at with them.
    pub(super) async fn schemas(&mut self) -> Result<(), sqlx::Error> {
        let schemas: Vec<String> = self
            .tables
            .iter()
            .map(|table| table.schema.clone())
            .filter(|schema| *schema != self.parts.schema)
            .collect();
        let rows = sqlx::query(OPEN)
            .bind(schemas)
            .bind(&self.roles)
            .bind(&self.parts.runtime_role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            self.found(
                FindingKind::OpenSchema,
                row.try_get::<String, _>(0)?,
                "whoever may create there can put an operator, a function or a table where statements and migrations look for another",
                "REVOKE CREATE ON SCHEMA",
            );
        }
        Ok(())
    }
}
