//! The policy as row-level security of PostgreSQL.

mod conditions;
mod parts;
mod told;

use crate::filter::{FilterError, quoted};
use crate::policy::Policy;
use crate::tables::TableContent;
pub use parts::{
    FunctionPath, RowLevelSecurityParts, SecuredTable, SecurityFunction, SecurityPolicy,
};

/// Where the generated statements put things, and for whom they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowLevelSecurityOptions {
    runtime_role: String,
    schema: String,
    attributes: String,
}

/// A name is no identifier: letters, digits and underscores, beginning with a letter or an underscore, 63 at most.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name is no identifier: letters, digits and underscores, beginning with a letter or an underscore, 63 at most"
)]
pub struct InvalidIdentifier;

impl RowLevelSecurityOptions {
    /// For a service that connects as `runtime_role`. The functions stand in the schema `ringwall`; the attributes of
    /// subjects are read from `ringwall_user_attributes`.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentifier`].
    pub fn new(runtime_role: &str) -> Result<Self, InvalidIdentifier> {
        Ok(Self {
            runtime_role: identifier(runtime_role, 1)?,
            schema: "ringwall".to_owned(),
            attributes: "ringwall_user_attributes".to_owned(),
        })
    }

    /// Puts the functions into this schema, which names this policy among others of the same database.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentifier`].
    pub fn schema(mut self, schema: &str) -> Result<Self, InvalidIdentifier> {
        self.schema = identifier(schema, 1)?;
        Ok(self)
    }

    /// Reads the attributes of subjects from this table, which has the columns of `ringwall_user_attributes`. With its
    /// schema, so that it does not depend on who looks for it: `app.ringwall_user_attributes`.
    ///
    /// # Errors
    ///
    /// [`InvalidIdentifier`].
    pub fn attributes_table(mut self, table: &str) -> Result<Self, InvalidIdentifier> {
        self.attributes = identifier(table, 2)?;
        Ok(self)
    }
}

fn identifier(name: &str, parts: usize) -> Result<String, InvalidIdentifier> {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        bytes
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && part.len() <= 63
    };
    if name.split('.').count() > parts || !name.split('.').all(is_part) {
        return Err(InvalidIdentifier);
    }
    Ok(name.to_owned())
}

impl Policy {
    /// The statements that make PostgreSQL (15 or later) hold this policy by itself, for each type of resource that
    /// has a table: as a migration, to be run by the owner of the tables, after the tables are
    /// there; it is one transaction. Running it again, or that of a later policy, replaces what an earlier one made, by
    /// the schema of its functions: two policies in one database have two of them.
    ///
    /// What it is good for: a query that forgot its WHERE shows nothing of another tenant, and nothing that the policy
    /// does not permit. What it is not: a defence against whoever can run statements of its own as the runtime role,
    /// since those can say who the subject is.
    ///
    /// # Errors
    ///
    /// [`FilterError::NotPushable`] when a rule asks what no column holds.
    pub fn row_level_security(
        &self,
        options: &RowLevelSecurityOptions,
    ) -> Result<String, FilterError> {
        let parts = self.row_level_security_parts(options)?;
        let mut ddl = Ddl {
            parts: &parts,
            out: String::new(),
        };
        ddl.line(&format!(
            "-- Row-level security of the policy {}, generated. Its hash is",
            self.compiled().document.name
        ));
        ddl.line(&format!("-- {}", self.hash()));
        ddl.line("");
        // As a whole or not at all: between two statements, rows of others could be seen.
        ddl.line("BEGIN;");
        ddl.line(PATH);
        ddl.line(&FORGET.replace("PLACE", &options.schema));
        ddl.foundation();
        for table in &parts.tables {
            ddl.table(table);
        }
        ddl.line("COMMIT;");
        Ok(ddl.out)
    }
}

/// Temporary tables are looked for last: otherwise they would stand in for tables that are named without their schema,
/// here and in the function whose path is that of the migration.
const PATH: &str = r"DO $ringwall$
BEGIN
    IF pg_catalog.current_setting('search_path') !~ '\mpg_temp\M' THEN
        PERFORM pg_catalog.set_config('search_path', pg_catalog.current_setting('search_path') || ', pg_temp', TRUE);
    END IF;
END
$ringwall$;";

/// What an earlier policy made goes, also on tables that this one does not name any more: those are left with security
/// and without any policy, so that nobody sees a row.
const FORGET: &str = r"DO $ringwall$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT p.polname, p.polrelid::regclass AS relation FROM pg_catalog.pg_policy AS p
        WHERE p.polname LIKE 'ringwall\_%'
        AND pg_catalog.starts_with(pg_catalog.obj_description(p.oid, 'pg_policy'), 'ringwall PLACE ')
        ORDER BY p.polpermissive DESC
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY %I ON %s', made.polname, made.relation);
    END LOOP;
END
$ringwall$;";

struct Ddl<'a> {
    parts: &'a RowLevelSecurityParts,
    out: String,
}

impl Ddl<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    /// The role and the functions that all policies use.
    fn foundation(&mut self) {
        let role = &self.parts.runtime_role;
        let schema = quoted(&self.parts.schema);
        let quoted_role = quoted(role);
        self.line(&format!(
            r#"DO $ringwall$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {quoted_role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION;
    END IF;
END
$ringwall$;
CREATE SCHEMA IF NOT EXISTS {schema};
GRANT USAGE ON SCHEMA {schema} TO {quoted_role};

-- What the session was told, and the attributes of its subject."#
        ));
        let parts = self.parts;
        for function in &parts.functions {
            self.line(&function.statement(&schema));
        }
        let functions: Vec<String> = parts
            .functions
            .iter()
            .map(|function| format!("{schema}.{}({})", function.name, function.types()))
            .collect();
        let functions = functions.join(", ");
        self.line(&format!(
            "REVOKE ALL ON FUNCTION {functions} FROM PUBLIC;\nGRANT EXECUTE ON FUNCTION {functions} TO {quoted_role};\n"
        ));
    }

    fn table(&mut self, secured: &SecuredTable) {
        let role = &self.parts.runtime_role;
        let name = secured.table.quoted_name();
        let mut text = String::new();
        let mut say = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        let is_forced = secured.table.holds == TableContent::Resources;
        if !is_forced {
            say("-- Of what is known of subjects, each sees its own; the owner of the table, who keeps it, sees all.".to_owned());
        }
        let force = if is_forced { "FORCE" } else { "NO FORCE" };
        say(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;"));
        say(format!("ALTER TABLE {name} {force} ROW LEVEL SECURITY;"));
        // Those that permit go first, so that no row is permitted to another tenant at any moment.
        for policy in ["select", "insert", "update", "delete", "own", "tenant"] {
            say(format!(
                "DROP POLICY IF EXISTS ringwall_{policy} ON {name};"
            ));
        }
        let quoted_role = quoted(role);
        say(format!("REVOKE ALL ON {name} FROM PUBLIC, {quoted_role};"));
        for policy in &secured.policies {
            say(policy.statement(&name, role));
            say(format!(
                "COMMENT ON POLICY {} ON {name} IS '{}';",
                policy.name, self.parts.comment
            ));
            if policy.is_permissive {
                say(format!(
                    "GRANT {} ON {name} TO {quoted_role};",
                    policy.command
                ));
            }
        }
        if is_forced {
            let columns: Vec<String> = secured
                .table
                .columns
                .iter()
                .filter(|column| column.is_tenant)
                .map(|column| quoted(&column.name))
                .collect();
            let plain = secured.table.name.replace('.', "_");
            let mut index = format!("ringwall_{plain}_tenant");
            index.truncate(63);
            say(format!(
                "CREATE INDEX IF NOT EXISTS {} ON {name} ({});",
                quoted(&index),
                columns.join(", ")
            ));
        }
        self.line(&text);
    }
}
