//! The statements in their order.

use super::parts::{RowLevelSecurityParts, SecuredTable, bounded};
use super::told::text_literal;
use crate::filter::quoted;
use crate::tables::TableContent;

/// What is left of the path is what was asked for, with the system's schema before it and temporary tables behind it:
/// those would stand in for tables that are named without their schema, here and in the function whose path is that of
/// the migration.
const PATH: &str = r"DO $ringwall$
DECLARE
    schemas name[] := pg_catalog.current_schemas(FALSE);
BEGIN
    PERFORM pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', TRUE);
    PERFORM set_config('search_path', concat_ws(', ', (
        SELECT string_agg(quote_ident(s.name::text), ', ' ORDER BY s.place)
        FROM unnest(schemas) WITH ORDINALITY AS s(name, place)
        WHERE s.name::text <> 'pg_catalog' AND s.name::text NOT LIKE 'pg\_temp%'
    ), 'pg_temp'), TRUE);
END
$ringwall$;";

/// Rows of one policy are nothing to another one, whose condition for everybody hides them; and where it hides pairs of a
/// relation, rules that forbid by them would not act. What stands for `<tables>` are names, and whether they hold
/// resources.
const HELD: &str = r"DO $ringwall$
DECLARE
    held record;
    double text;
BEGIN
    SELECT string_agg(t.name, ' and ') INTO double FROM (VALUES <tables>) AS t(name, holds_resources)
    WHERE to_regclass(t.name) IS NOT NULL GROUP BY to_regclass(t.name) HAVING count(*) > 1 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% are one table. No policy was changed', double
        USING HINT = 'Write its name in one way in the policy and in the options, and for one purpose.';
    END IF;
    SELECT t.name, p.polname, pg_catalog.split_part(pg_catalog.obj_description(p.oid, 'pg_policy'), ' ', 2) AS place
    INTO held FROM (VALUES <tables>) AS t(name, holds_resources)
    JOIN pg_catalog.pg_policy AS p ON p.polrelid = pg_catalog.to_regclass(t.name)::oid
    WHERE pg_catalog.obj_description(p.oid, 'pg_policy') ~ '^ringwall [A-Za-z0-9_]+ '
    AND NOT pg_catalog.starts_with(pg_catalog.obj_description(p.oid, 'pg_policy'), 'ringwall <place> ')
    AND (t.holds_resources OR NOT pg_catalog.starts_with(p.polname::text, 'ringwall_own'))
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the table % has the policy % of another policy, whose functions are in the schema %: a table of resources is held by one. No policy was changed', held.name, held.polname, held.place
        USING HINT = 'Name another table. If the other policy is gone, or its functions moved to this schema, DROP its policies on the table and run this again.';
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
        AND pg_catalog.starts_with(pg_catalog.obj_description(p.oid, 'pg_policy'), 'ringwall <place> ')
        ORDER BY p.polpermissive DESC
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY %I ON %s', made.polname, made.relation);
    END LOOP;
END
$ringwall$;";

/// An operator on the path that fits the type of a column better than the system's is chosen in its place, and says what is
/// equal. What the system was made with is not among what a policy depends on.
const BORROWED: &str = r#"SET LOCAL search_path = pg_catalog, pg_temp;
DO $ringwall$
DECLARE
    borrowed text;
BEGIN
    SELECT string_agg(DISTINCT CASE WHEN f.oid IS NULL THEN 'the operator ' || d.refobjid::regoperator::text
        ELSE 'the function ' || f.oid::regprocedure::text END, ', ')
    INTO borrowed FROM pg_policy AS p JOIN pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
    LEFT JOIN pg_proc AS f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
    WHERE starts_with(obj_description(p.oid, 'pg_policy'), 'ringwall <place> ')
    AND d.refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass)
    AND f.pronamespace IS DISTINCT FROM '"<place>"'::regnamespace;
    IF borrowed IS NOT NULL THEN
        RAISE EXCEPTION 'conditions would ask what is not of PostgreSQL itself: %. No policy was changed', borrowed
        USING HINT = 'Find out who made it, and DROP it; or give the column a type of PostgreSQL itself; and run this again.';
    END IF;
END
$ringwall$;"#;

/// The statements that make `parts`.
pub(super) fn migration(name: &str, hash: &str, parts: &RowLevelSecurityParts) -> String {
    let mut ddl = Ddl {
        parts,
        out: String::new(),
    };
    ddl.line(&format!(
        "-- Row-level security of the policy {name}, generated. Its hash is\n-- {hash}\n"
    ));
    ddl.indexes();
    // As a whole or not at all: between two statements, rows of others could be seen.
    ddl.line("BEGIN;");
    ddl.line(PATH);
    ddl.held();
    ddl.of_place(FORGET);
    ddl.foundation();
    for table in &parts.tables {
        ddl.table(table);
    }
    ddl.of_place(BORROWED);
    ddl.line("COMMIT;");
    ddl.out
}

/// What stands for `<kept>` are the columns that a row keeps. One that is added later may be changed once this was run again.
const CHANGES: &str = r#"DO $ringwall$
BEGIN
    EXECUTE (
        SELECT format('GRANT UPDATE (%s) ON %s TO %I', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), <table>::regclass, '<role>')
        FROM pg_attribute AS a WHERE a.attrelid = <table>::regclass AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attname::text <> ALL (ARRAY[<kept>])
    );
END
$ringwall$;"#;

/// The privilege that a command needs.
fn grant(secured: &SecuredTable, command: &str, role: &str) -> String {
    let name = secured.table.quoted_name();
    let columns = secured.table.columns.iter();
    let kept: Vec<String> = columns
        .filter(|column| column.is_fixed)
        .map(|column| text_literal(&column.name))
        .collect();
    if command == "UPDATE" && !kept.is_empty() {
        return CHANGES
            .replace("<table>", &text_literal(&name))
            .replace("<role>", role)
            .replace("<kept>", &kept.join(", "));
    }
    format!("GRANT {command} ON {name} TO {};", quoted(role))
}

struct Ddl<'a> {
    parts: &'a RowLevelSecurityParts,
    out: String,
}

impl Ddl<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn of_place(&mut self, text: &str) {
        self.line(&text.replace("<place>", &self.parts.schema));
    }

    /// Each by itself: who waited for all of them with a table locked would stop the service, and a lock that is taken for
    /// an index and then made stronger meets the statements of transactions that have read the table and now write.
    fn indexes(&mut self) {
        let resources = self.parts.tables.iter();
        for secured in resources.filter(|table| table.table.holds == TableContent::Resources) {
            let name = secured.table.quoted_name();
            let columns: Vec<String> = secured
                .table
                .columns
                .iter()
                .filter(|column| column.is_tenant)
                .map(|column| quoted(&column.name))
                .collect();
            let plain = secured.table.name.replace('.', "_");
            let index = bounded(format!("ringwall_{plain}_tenant"));
            self.line("-- Stops writers while it builds, unless it was made before, CONCURRENTLY.");
            self.line("BEGIN;");
            self.line(PATH);
            self.line(&format!(
                "CREATE INDEX IF NOT EXISTS {} ON {name} ({});\nCOMMIT;\n",
                quoted(&index),
                columns.join(", ")
            ));
        }
    }

    fn held(&mut self) {
        let tables: Vec<String> = self
            .parts
            .tables
            .iter()
            .map(|secured| {
                let holds_resources = secured.table.holds == TableContent::Resources;
                let name = text_literal(&secured.table.quoted_name());
                format!("({name}, {holds_resources})")
            })
            .collect();
        self.of_place(&HELD.replace("<tables>", &tables.join(", ")));
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
        for policy in ["select", "insert", "update", "delete", "tenant"] {
            say(format!(
                "DROP POLICY IF EXISTS ringwall_{policy} ON {name};"
            ));
        }
        let quoted_role = quoted(role);
        say(format!("REVOKE ALL ON {name} FROM PUBLIC, {quoted_role};"));
        for policy in &secured.policies {
            let policy_name = quoted(&policy.name);
            // One whose comment was lost; those with it are gone.
            say(format!("DROP POLICY IF EXISTS {policy_name} ON {name};"));
            say(policy.statement(&name, role));
            say(format!(
                "COMMENT ON POLICY {policy_name} ON {name} IS '{}';",
                self.parts.comment
            ));
            if policy.is_permissive {
                say(grant(secured, policy.command, role));
            }
        }
        self.line(&text);
    }
}
