//! What row-level security is made of, for the statements and for whoever compares them with a database.

use sha2::{Digest as _, Sha256};

use super::RowLevelSecurityOptions;
use super::conditions::Writer;
use crate::filter::{FilterError, quoted};
use crate::policy::Policy;
use crate::session;
use crate::tables::{ColumnKind, PolicyColumn, PolicyTable, TableContent};

/// What [`Policy::row_level_security`] makes, one by one, for whoever compares it with a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowLevelSecurityParts {
    /// The role that the service connects as.
    pub runtime_role: String,
    /// The schema of the functions.
    pub schema: String,
    /// The functions that the policies call, in the order in which they can be made.
    pub functions: Vec<SecurityFunction>,
    /// The tables: that of the attributes of subjects, those of relations, those of resources.
    pub tables: Vec<SecuredTable>,
    /// The comment of each policy, by which a later migration finds what an earlier one made: `ringwall`, the schema of the
    /// functions, the hash of the policy, and the number of the generator. Anybody who may alter a policy may alter it.
    pub comment: String,
    /// The names of the settings of a session that say who acts, such as `ringwall.org`.
    pub settings: Vec<String>,
}

/// What makes statements of a policy, counted: one more whenever those of an unchanged policy mean something else.
const GENERATOR: u32 = 1;

impl RowLevelSecurityParts {
    /// Whether policies with this comment say the same, made by this version of the library or an earlier one, so that putting
    /// these in their place takes nothing away that a newer process forbids. `false` for those of another policy, of
    /// another schema, and of a later version.
    #[must_use]
    pub fn may_replace(&self, comment: &str) -> bool {
        let parsed = |comment: &str| {
            let mut words = comment.splitn(4, ' ').map(str::to_owned);
            let of = [words.next()?, words.next()?, words.next()?];
            // Before they were counted there was none.
            let Some(number) = words.next() else {
                return Some((of, 0));
            };
            let generator: u32 = number.parse().ok()?;
            (generator.to_string() == number).then_some((of, generator))
        };
        match (parsed(&self.comment), parsed(comment)) {
            (Some((own, this)), Some((other, that))) => own == other && that <= this,
            (Some(_) | None, _) => false,
        }
    }
}

/// A table with its policies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecuredTable {
    /// The table.
    pub table: PolicyTable,
    /// All policies that it needs, those that restrict first.
    pub policies: Vec<SecurityPolicy>,
}

/// A policy of a table, in PostgreSQL's sense.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecurityPolicy {
    /// Its name.
    pub name: String,
    /// It permits; otherwise it restricts what others permit.
    pub is_permissive: bool,
    /// `ALL`, or one command.
    pub command: &'static str,
    /// It holds for every role, and not for the runtime role alone.
    pub is_for_everybody: bool,
    /// Which rows are there.
    pub using: Option<String>,
    /// Which rows may be written.
    pub check: Option<String>,
}

impl SecurityPolicy {
    /// The statement that makes it, on a table whose name is written as SQL is, for a role that is an identifier.
    #[must_use]
    pub fn statement(&self, table: &str, runtime_role: &str) -> String {
        let kind = if self.is_permissive {
            "PERMISSIVE"
        } else {
            "RESTRICTIVE"
        };
        let role = if self.is_for_everybody {
            "PUBLIC".to_owned()
        } else {
            quoted(runtime_role)
        };
        let mut text = format!(
            "CREATE POLICY {} ON {table} AS {kind} FOR {} TO {role}",
            quoted(&self.name),
            self.command
        );
        if let Some(using) = &self.using {
            text.push_str(&format!("\n    USING ({using})"));
        }
        if let Some(check) = &self.check {
            text.push_str(&format!("\n    WITH CHECK ({check})"));
        }
        text.push(';');
        text
    }
}

/// A function that policies call. Each is `LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecurityFunction {
    /// Its name, without its schema.
    pub name: &'static str,
    /// Its parameters, name and type.
    pub parameters: &'static [(&'static str, &'static str)],
    /// What it returns.
    pub returns: &'static str,
    /// Its body, character by character.
    pub body: String,
    /// By which path its names are looked up.
    pub path: FunctionPath,
}

/// By which path the names in the body of a function are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionPath {
    /// By none: each name has its schema, operators too. PostgreSQL writes such a body into the plan of a statement
    /// instead of calling the function, which it does not for one that has a path.
    Inlined,
    /// By `pg_catalog, pg_temp`.
    Catalog,
    /// By the path of the migration, on which it finds this table.
    OfMigration(String),
}

impl SecurityFunction {
    /// The types of its parameters, as in `text, text`.
    #[must_use]
    pub fn types(&self) -> String {
        let types: Vec<&str> = self.parameters.iter().map(|(_, kind)| *kind).collect();
        types.join(", ")
    }

    pub(super) fn statement(&self, schema: &str) -> String {
        let parameters: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        let path = match self.path {
            FunctionPath::Inlined => "",
            FunctionPath::Catalog => " SET search_path = pg_catalog, pg_temp",
            // The schema of today: a function that is looked up by the path of whoever calls it could be led elsewhere.
            FunctionPath::OfMigration(_) => " SET search_path FROM CURRENT",
        };
        format!(
            "CREATE OR REPLACE FUNCTION {schema}.{}({}) RETURNS {}\n    \
             LANGUAGE sql STABLE PARALLEL SAFE SECURITY INVOKER{path}\n    \
             AS $ringwall${}$ringwall$;",
            self.name,
            parameters.join(", "),
            self.returns,
            self.body
        )
    }
}

impl Policy {
    /// What [`row_level_security`](Self::row_level_security) makes, in parts.
    ///
    /// # Errors
    ///
    /// As [`row_level_security`](Self::row_level_security).
    pub fn row_level_security_parts(
        &self,
        options: &RowLevelSecurityOptions,
    ) -> Result<RowLevelSecurityParts, FilterError> {
        let compiled = self.compiled();
        let writer = Writer {
            schema: &options.schema,
            attributes: &options.attributes,
            compiled,
        };
        let mut tables = vec![attributes(options, &writer)];
        let mut names = self.tables().into_iter();
        // As `tables` lists them: those of resources, then those of relations.
        let mut resources = Vec::new();
        for (number, resource) in (0_u16..).zip(&compiled.parts.types) {
            if let (Some(table), Some(named)) = (
                &resource.table,
                resource.table.as_ref().and_then(|_| names.next()),
            ) {
                let tenant = writer.tenant(table);
                let mut policies = vec![SecurityPolicy {
                    name: "ringwall_tenant".to_owned(),
                    is_permissive: false,
                    command: "ALL",
                    is_for_everybody: true,
                    using: Some(tenant.clone()),
                    check: Some(tenant),
                }];
                let commands = ["SELECT", "INSERT", "UPDATE", "DELETE"];
                for (command, action) in commands.into_iter().zip(table.commands) {
                    let Some(action) = action else {
                        continue;
                    };
                    let condition = writer.condition(number, resource, action)?;
                    policies.push(SecurityPolicy {
                        name: format!("ringwall_{}", command.to_lowercase()),
                        is_permissive: true,
                        command,
                        is_for_everybody: false,
                        using: (command != "INSERT").then(|| condition.clone()),
                        // Of an update the old row and the new one: nobody moves a row to where it may not be.
                        check: matches!(command, "INSERT" | "UPDATE").then_some(condition),
                    });
                }
                resources.push(SecuredTable {
                    table: named,
                    policies,
                });
            }
        }
        for relation in &compiled.parts.relations {
            if let (Some(table), Some(named)) = (
                &relation.table,
                relation.table.as_ref().and_then(|_| names.next()),
            ) {
                tables.push(SecuredTable {
                    table: named,
                    policies: vec![own(options, writer.own_pairs(table))],
                });
            }
        }
        tables.append(&mut resources);
        Ok(RowLevelSecurityParts {
            runtime_role: options.runtime_role.clone(),
            schema: options.schema.clone(),
            functions: functions(options, &writer),
            tables,
            comment: format!("ringwall {} {} {GENERATOR}", options.schema, self.hash()),
            settings: session::setting_names(&compiled.parts),
        })
    }
}

/// Of what is known of subjects, each sees its own. The tables are shared with the other policies of the database, each of
/// which has such a one for its own role, so that its name has the schema.
fn own(options: &RowLevelSecurityOptions, condition: String) -> SecurityPolicy {
    SecurityPolicy {
        name: bounded(format!("ringwall_own_{}", options.schema)),
        is_permissive: true,
        command: "SELECT",
        is_for_everybody: false,
        using: Some(condition),
        check: None,
    }
}

/// The longest name that PostgreSQL keeps whole, in bytes.
const MAX_NAME_BYTES: usize = 63;

/// What is kept of a longer one, before an underscore and 16 digits of its hash.
const KEPT_BYTES: usize = 46;

/// PostgreSQL cuts longer names off without a word, and two of them would be one. `name` is made of ASCII.
pub(super) fn bounded(name: String) -> String {
    if name.len() <= MAX_NAME_BYTES {
        return name;
    }
    let mut short: String = name.chars().take(KEPT_BYTES).collect();
    short.push('_');
    for byte in Sha256::digest(&name).iter().take(8) {
        short.push_str(&format!("{byte:02x}"));
    }
    short
}

fn attributes(options: &RowLevelSecurityOptions, writer: &Writer<'_>) -> SecuredTable {
    let column = |name: &str, kind: ColumnKind, is_tenant: bool| PolicyColumn {
        name: name.to_owned(),
        kind,
        is_tenant,
        is_fixed: false,
    };
    let (org, subject) = (writer.directory_org(), writer.directory_subject());
    SecuredTable {
        table: PolicyTable {
            name: options.attributes.clone(),
            holds: TableContent::Attributes,
            columns: vec![
                column("org_id", ColumnKind::Text, true),
                column("user_id", ColumnKind::Text, false),
                column("key", ColumnKind::Text, false),
                column("value", ColumnKind::Text, false),
                column("expires_at", ColumnKind::Integer, false),
            ],
            commands: Vec::new(),
        },
        policies: vec![own(
            options,
            format!("\"org_id\" = ({org}) AND \"user_id\" = ({subject})"),
        )],
    }
}

fn functions(options: &RowLevelSecurityOptions, writer: &Writer<'_>) -> Vec<SecurityFunction> {
    const NAME: &[(&str, &str)] = &[("name", "text")];
    const KEY: &[(&str, &str)] = &[("attribute_key", "text")];
    let schema = quoted(&options.schema);
    let session = writer.session();
    // A word among those of a setting, each of which stands between spaces.
    let holds = |setting: &str, untold: &str| {
        let words = session.call("setting", Some(setting));
        format!(
            " SELECT coalesce(pg_catalog.strpos({words}, ' ' OPERATOR(pg_catalog.||) name OPERATOR(pg_catalog.||) ' ') \
             OPERATOR(pg_catalog.>) 0, {untold}) "
        )
    };
    let inlined = |name, parameters, body| SecurityFunction {
        name,
        parameters,
        returns: "boolean",
        body,
        path: FunctionPath::Inlined,
    };
    let of_attributes = |name, parameters, returns, body| SecurityFunction {
        name,
        parameters,
        returns,
        body,
        path: FunctionPath::Catalog,
    };
    let is_on_path = !options.attributes.contains('.');
    vec![
        // What the session was told, NULL when it was told nothing.
        SecurityFunction {
            returns: "text",
            ..inlined(
                "setting",
                NAME,
                format!(
                    " SELECT CASE WHEN pg_catalog.left({TOLD}, 1) OPERATOR(pg_catalog.=) 'v' \
                     THEN pg_catalog.substr({TOLD}, 2) END "
                ),
            )
        },
        // Whether the pairs that a relation's table holds under the subject's id are its own.
        inlined("knows_relation", NAME, holds("relations", "FALSE")),
        inlined("has_role", NAME, holds("roles", "FALSE")),
        // Those that forbid, of which none is left aside.
        inlined("has_forbidding_role", NAME, holds("all_roles", "TRUE")),
        inlined("has_scope", NAME, holds("scopes", "FALSE")),
        // Those that forbid, of which the limit of a credential takes none away.
        inlined("has_forbidding_scope", NAME, holds("all_scopes", "TRUE")),
        // Whether the credential is limited to scopes. A session that was not told is.
        inlined(
            "is_limited",
            &[],
            format!(
                " SELECT coalesce({} OPERATOR(pg_catalog.<>) 'false', TRUE) ",
                session.call("setting", Some("limited"))
            ),
        ),
        // The policies ask the table themselves, since a function with a path is planned anew in each statement. These
        // are for policies and queries of the service's own.
        SecurityFunction {
            path: if is_on_path {
                FunctionPath::OfMigration(options.attributes.clone())
            } else {
                FunctionPath::Catalog
            },
            ..of_attributes(
                "attribute_values",
                KEY,
                "SETOF text",
                format!(" {} ", session.attribute_values("attribute_key")),
            )
        },
        // The one value of an attribute; NULL when there is none, and when there are several.
        of_attributes(
            "attribute",
            KEY,
            "text",
            format!(
                " SELECT CASE WHEN count(*) = 1 THEN min(v) END FROM {schema}.attribute_values(attribute_key) AS v "
            ),
        ),
        of_attributes(
            "has_attribute",
            &[("attribute_key", "text"), ("attribute_value", "text")],
            "boolean",
            format!(
                " SELECT EXISTS (SELECT FROM {schema}.attribute_values(attribute_key) AS v WHERE v = attribute_value) "
            ),
        ),
    ]
}

/// What the session was told under a name, with the letter that tells an empty text from none.
const TOLD: &str = "pg_catalog.current_setting('ringwall.' OPERATOR(pg_catalog.||) name, TRUE)";
