//! The policy as row-level security of PostgreSQL.

mod told;

use crate::compile::rules::CompiledRule;
use crate::compile::shapes::{RelationTable, ResourceType, Table};
use crate::compile::{Compiled, Parts};
use crate::document::Effect;
use crate::filter::{Conditions, Dialect, FilterError, Precision, Source, quoted};
use crate::node::{Attribute, Node, Term};
use crate::policy::Policy;
use crate::truth::Truth;
use crate::value::Type;
use told::{Literals, Session, text_literal};

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
        let compiled = self.compiled();
        let mut ddl = Ddl {
            options,
            compiled,
            out: String::new(),
        };
        ddl.line(&format!(
            "-- Row-level security of the policy {}, generated. Its hash is",
            compiled.document.name
        ));
        ddl.line(&format!("-- {}", self.hash()));
        ddl.line("");
        // As a whole or not at all: between two statements, rows of others could be seen.
        ddl.line("BEGIN;");
        ddl.line(&FORGET.replace("PLACE", &options.schema));
        ddl.foundation();
        for relation in &compiled.parts.relations {
            if let Some(table) = &relation.table {
                ddl.relation(table);
            }
        }
        for (number, resource) in (0_u16..).zip(&compiled.parts.types) {
            if let Some(table) = &resource.table {
                ddl.table(number, resource, table, &self.hash().to_string())?;
            }
        }
        ddl.line("COMMIT;");
        Ok(ddl.out)
    }
}

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
    options: &'a RowLevelSecurityOptions,
    compiled: &'a Compiled,
    out: String,
}

impl Ddl<'_> {
    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn session(&self) -> Session<'_> {
        Session {
            schema: self.options.schema.clone(),
            parts: &self.compiled.parts,
        }
    }

    /// The role and the functions that all policies use.
    fn foundation(&mut self) {
        let role = self.options.runtime_role.clone();
        let schema = quoted(&self.options.schema);
        let attributes = self.options.attributes.clone();
        let table = quoted(&attributes);
        let quoted_role = quoted(&role);
        let session = self.session();
        // As the directory was asked in the process.
        let org = format!("SELECT {}", session.call("setting", Some("directory_org")));
        let subject = session.call("setting", Some("directory_subject"));
        let subject = format!("SELECT {subject}");
        let now = session.typed(&session.call("setting", Some("now_micros")), Type::Integer);
        let text = format!(
            r#"DO $ringwall$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{role}') THEN
        CREATE ROLE {quoted_role} NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION;
    END IF;
END
$ringwall$;
CREATE SCHEMA IF NOT EXISTS {schema};
GRANT USAGE ON SCHEMA {schema} TO {quoted_role};

-- What the session was told, NULL when it was told nothing.
CREATE OR REPLACE FUNCTION {schema}.setting(name text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $ringwall$ SELECT CASE WHEN left(s.v, 1) = 'v' THEN substr(s.v, 2) END
        FROM (SELECT current_setting('ringwall.' || name, true)) AS s(v) $ringwall$;
CREATE OR REPLACE FUNCTION {schema}.has_role(name text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $ringwall$ SELECT coalesce(strpos({schema}.setting('roles'), ' ' || name || ' ') > 0, FALSE) $ringwall$;
CREATE OR REPLACE FUNCTION {schema}.has_scope(name text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $ringwall$ SELECT coalesce(strpos({schema}.setting('scopes'), ' ' || name || ' ') > 0, FALSE) $ringwall$;
-- Those that forbid, of which the limit of a credential takes none away.
CREATE OR REPLACE FUNCTION {schema}.has_forbidding_scope(name text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $ringwall$ SELECT coalesce(strpos({schema}.setting('all_scopes'), ' ' || name || ' ') > 0, TRUE) $ringwall$;
-- Whether the credential is limited to scopes. A session that was not told is.
CREATE OR REPLACE FUNCTION {schema}.is_limited() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path = pg_catalog, pg_temp
    AS $ringwall$ SELECT {schema}.setting('limited') IS DISTINCT FROM 'false' $ringwall$;

-- The attributes of the subject. Others are not shown to it. The owner of the table, who keeps the directory, sees all.
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS ringwall_own ON {table};
CREATE POLICY ringwall_own ON {table} AS PERMISSIVE FOR SELECT TO {quoted_role}
    USING ("org_id" = ({org}) AND "user_id" = ({subject}));
REVOKE ALL ON {table} FROM PUBLIC, {quoted_role};
GRANT SELECT ON {table} TO {quoted_role};
COMMENT ON POLICY ringwall_own ON {table} IS 'ringwall {place} {hash}';
CREATE OR REPLACE FUNCTION {schema}.attribute_values(attribute_key text) RETURNS SETOF text
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path {path}
    AS $ringwall$ SELECT a."value" FROM {table} AS a
        WHERE a."org_id" = ({org}) AND a."user_id" = ({subject}) AND a."key" = attribute_key
        AND (a."expires_at" IS NULL OR a."expires_at" > {now}) $ringwall$;
-- The one value of an attribute; NULL when there is none, and when there are several.
CREATE OR REPLACE FUNCTION {schema}.attribute(attribute_key text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path {path}
    AS $ringwall$ SELECT CASE WHEN count(*) = 1 THEN min(v) END FROM {schema}.attribute_values(attribute_key) AS v $ringwall$;
CREATE OR REPLACE FUNCTION {schema}.has_attribute(attribute_key text, attribute_value text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER SET search_path {path}
    AS $ringwall$ SELECT EXISTS (SELECT FROM {schema}.attribute_values(attribute_key) AS v WHERE v = attribute_value) $ringwall$;
REVOKE ALL ON FUNCTION {functions} FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {functions} TO {quoted_role};
"#,
            path = self.path_of(&attributes),
            place = self.options.schema,
            hash = Policy::hash_of(self.compiled),
            functions = [
                "setting(text)",
                "has_role(text)",
                "has_scope(text)",
                "has_forbidding_scope(text)",
                "is_limited()",
                "attribute_values(text)",
                "attribute(text)",
                "has_attribute(text, text)",
            ]
            .map(|function| format!("{schema}.{function}"))
            .join(", "),
        );
        self.line(&text);
    }

    /// The search path of functions that read a table: its schema alone, when it is named.
    #[expect(clippy::unused_self, reason = "it belongs to the statements")]
    fn path_of(&self, table: &str) -> String {
        match table.split_once('.') {
            Some(_) => "= pg_catalog, pg_temp".to_owned(),
            // The schema of today: a function that is looked up by the path of whoever calls it could be led elsewhere.
            None => "FROM CURRENT".to_owned(),
        }
    }

    fn relation(&mut self, relation: &RelationTable) {
        let role = quoted(&self.options.runtime_role);
        let table = quoted(&relation.name);
        let mut session = self.session();
        let (mut org, mut subject) = (String::new(), String::new());
        session.subject_org(&mut Literals(&mut org));
        session.subject_id(&mut Literals(&mut subject));
        let text = format!(
            r#"-- Of a relation, the subject sees its own pairs; the owner of the table sees all.
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS ringwall_own ON {table};
CREATE POLICY ringwall_own ON {table} AS PERMISSIVE FOR SELECT TO {role}
    USING ({org_column} = {org} AND {subject_column} = {subject});
REVOKE ALL ON {table} FROM PUBLIC, {role};
GRANT SELECT ON {table} TO {role};
COMMENT ON POLICY ringwall_own ON {table} IS 'ringwall {place} {hash}';
"#,
            place = self.options.schema,
            hash = Policy::hash_of(self.compiled),
            org_column = quoted(&relation.org),
            subject_column = quoted(&relation.subject),
        );
        self.line(&text);
    }

    fn table(
        &mut self,
        number: u16,
        resource: &ResourceType,
        table: &Table,
        hash: &str,
    ) -> Result<(), FilterError> {
        let role = quoted(&self.options.runtime_role);
        let name = quoted(&table.name);
        let tenant = self.tenant(table);
        let place = &self.options.schema;
        let mut text = format!("-- {}\n", resource.name);
        let mut say = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        say(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY;"));
        say(format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY;"));
        // Those that permit go first, so that no row is permitted to another tenant at any moment.
        for policy in ["select", "insert", "update", "delete", "tenant"] {
            say(format!(
                "DROP POLICY IF EXISTS ringwall_{policy} ON {name};"
            ));
        }
        say(format!(
            "CREATE POLICY ringwall_tenant ON {name} AS RESTRICTIVE FOR ALL TO PUBLIC\n    USING ({tenant})\n    WITH CHECK ({tenant});"
        ));
        say(format!(
            "COMMENT ON POLICY ringwall_tenant ON {name} IS 'ringwall {place} {hash}';"
        ));
        say(format!("REVOKE ALL ON {name} FROM PUBLIC, {role};"));
        let commands = ["SELECT", "INSERT", "UPDATE", "DELETE"];
        for (command, action) in commands.into_iter().zip(table.commands) {
            let policy = format!("ringwall_{}", command.to_lowercase());
            let Some(action) = action else {
                continue;
            };
            let condition = self.condition(number, resource, action)?;
            let clauses = match command {
                "INSERT" => format!("WITH CHECK ({condition})"),
                // The old row and the new one: nobody moves a row to where it may not be.
                "UPDATE" => format!("USING ({condition})\n    WITH CHECK ({condition})"),
                _ => format!("USING ({condition})"),
            };
            say(format!(
                "CREATE POLICY {policy} ON {name} AS PERMISSIVE FOR {command} TO {role}\n    {clauses};"
            ));
            say(format!(
                "COMMENT ON POLICY {policy} ON {name} IS 'ringwall {place} {hash}';"
            ));
            say(format!("GRANT {command} ON {name} TO {role};"));
        }
        let columns = match &table.project {
            Some(project) => format!("{}, {}", quoted(&table.org), quoted(project)),
            None => quoted(&table.org),
        };
        let plain = table.name.replace('.', "_");
        let mut index = format!("ringwall_{plain}_tenant");
        index.truncate(63);
        say(format!(
            "CREATE INDEX IF NOT EXISTS {} ON {name} ({columns});",
            quoted(&index)
        ));
        self.line(&text);
        Ok(())
    }

    fn tenant(&self, table: &Table) -> String {
        let session = self.session();
        let kind = self.compiled.parts.subject.tenant;
        let org = session.typed(&session.call("setting", Some("org")), kind);
        // Roles mean something within their policy alone: a session that was told those of another sees nothing.
        let policy = session.call("setting", Some("policy"));
        let name = text_literal(&self.compiled.document.name);
        let mut text = format!(
            "(SELECT {policy} = {name}) AND ({} = {org})",
            quoted(&table.org)
        );
        if let Some(project) = &table.project {
            let setting = session.call("setting", Some("project"));
            let typed = session.typed(&setting, kind);
            let column = quoted(project);
            // A caller that is bound to no project sees all of its organisation's.
            text.push_str(&format!(
                " AND ((SELECT {setting} IS NULL) OR ({column} = {typed}))"
            ));
        }
        text
    }

    /// `(P1 OR P2) AND ((F1 OR F2) IS FALSE)`.
    fn condition(
        &self,
        number: u16,
        resource: &ResourceType,
        action: u16,
    ) -> Result<String, FilterError> {
        let (mut permits, mut forbids) = (Vec::new(), Vec::new());
        for rule in self.compiled.rules_of(number, action) {
            check_pushable(rule, resource, &self.compiled.parts)?;
            let (precision, all) = match rule.effect {
                Effect::Permit => (Precision::TrueOrNot, &mut permits),
                Effect::Forbid => (Precision::Exact, &mut forbids),
            };
            all.push(self.rule(rule, resource, precision));
        }
        if permits.is_empty() {
            return Ok("FALSE".to_owned());
        }
        let mut text = format!("({})", permits.join("\n        OR "));
        if !forbids.is_empty() {
            text.push_str(&format!(
                "\n    AND (({}) IS FALSE)",
                forbids.join("\n        OR ")
            ));
        }
        Ok(text)
    }

    fn rule(&self, rule: &CompiledRule, resource: &ResourceType, precision: Precision) -> String {
        let parts = &self.compiled.parts;
        let session = self.session();
        let mut demands = Vec::new();
        if !rule.roles.is_empty() {
            let roles: Vec<String> = rule
                .roles
                .iter()
                .map(|role| session.call("has_role", Some(parts.roles.name(role))))
                .collect();
            demands.push(format!("(SELECT {})", roles.join(" OR ")));
        }
        let (has_scope, is_permit) = match rule.effect {
            Effect::Permit => ("has_scope", true),
            Effect::Forbid => ("has_forbidding_scope", false),
        };
        // Nobody is limited to the scopes of a policy that has none.
        if is_permit && rule.scopes.is_empty() && !parts.scopes.is_empty() {
            let call = session.call("is_limited", None);
            demands.push(format!("(SELECT NOT {call})"));
        }
        for scope in rule.scopes.iter() {
            let call = session.call(has_scope, Some(parts.scopes.name(scope)));
            demands.push(format!("(SELECT {call})"));
        }
        if rule.when != Node::Known(Truth::True) {
            let mut conditions = Conditions {
                dialect: Dialect::Postgres,
                parts,
                resource,
                prefix: "",
                source: session,
            };
            let mut text = String::new();
            conditions.node(&mut Literals(&mut text), &rule.when, precision);
            demands.push(text);
        }
        if demands.is_empty() {
            return "(TRUE)".to_owned();
        }
        format!("({})", demands.join(" AND "))
    }
}

/// Refuses what a database cannot answer.
fn check_pushable(
    rule: &CompiledRule,
    resource: &ResourceType,
    parts: &Parts,
) -> Result<(), FilterError> {
    let mut found = None;
    walk(&rule.when, &mut |node| {
        let attribute = |term: &Term| term.attribute();
        let attributes: Vec<Attribute> = match node {
            Node::Compare(_, left, right) => attribute(left)
                .into_iter()
                .chain(attribute(right))
                .collect(),
            Node::OneOf(term, _) | Node::Member(term, _) => attribute(term).into_iter().collect(),
            Node::Related(relation, term) => {
                let relation = parts.relations.get(usize::from(*relation));
                if let Some(relation) = relation.filter(|relation| relation.table.is_none()) {
                    found = Some(format!(
                        "the relation {}, which has no table",
                        relation.name
                    ));
                }
                attribute(term).into_iter().collect()
            }
            Node::IsSet(attribute) => vec![*attribute],
            Node::Known(_) | Node::All(_) | Node::Any(_) | Node::Not(_) => Vec::new(),
        };
        for attribute in attributes {
            if let Attribute::Resource(place) = attribute
                && let Some(attribute) = resource.attributes.get(usize::from(place))
                && attribute.column.is_none()
            {
                found = Some(format!("resource.{}, which is computed", attribute.name));
            }
        }
    });
    match found {
        None => Ok(()),
        Some(what) => Err(FilterError::NotPushable {
            rule: rule.id.clone(),
            what: what.into(),
        }),
    }
}

fn walk(node: &Node, visit: &mut dyn FnMut(&Node)) {
    visit(node);
    match node {
        Node::All(nodes) | Node::Any(nodes) => {
            for node in nodes {
                walk(node, visit);
            }
        }
        Node::Not(node) => walk(node, visit),
        Node::Known(_)
        | Node::Compare(..)
        | Node::OneOf(..)
        | Node::Member(..)
        | Node::IsSet(_)
        | Node::Related(..) => {}
    }
}
