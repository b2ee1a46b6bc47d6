//! The functions that policies call, and the tables of what is known of subjects that no policy names.

use ringwall_authz::{FunctionPath, SecurityFunction};
use sqlx::Row as _;

use super::roles::path_parts;
use super::{Doctor, FindingKind};

const SCHEMA: &str = "SELECT n.oid::bigint AS oid, n.nspowner = ANY($2::oid[]) AS is_owned,
        EXISTS (SELECT FROM unnest($2::oid[]) AS r WHERE has_schema_privilege(r, n.oid, 'CREATE')) AS is_open
    FROM pg_catalog.pg_namespace AS n WHERE n.nspname::text = $1";
/// Everything of a function that says what it does. Attributes that are not named here say how fast it is.
const FUNCTIONS: &str = "SELECT p.proname::text AS name, pg_get_function_identity_arguments(p.oid) AS parameters,
        p.proname || '(' || oidvectortypes(p.proargtypes) || ')' AS signature,
        p.proowner = ANY($2::oid[]) AS is_owned, pg_get_userbyid(p.proowner)::text AS owner,
        p.prosrc AS body, p.prosqlbody IS NULL AND p.probin IS NULL AS is_text, l.lanname = 'sql' AS is_sql,
        p.prosecdef AS is_definer, p.proleakproof AS is_leakproof, p.proisstrict AS is_strict, p.prokind = 'f' AS is_function,
        p.provolatile::text AS volatility, pg_get_function_result(p.oid) AS returns, p.pronargdefaults > 0 AS has_defaults,
        p.proconfig AS config
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
    WHERE p.pronamespace = $1::oid AND p.proname::text = ANY($3::text[])";
/// What a path of a function leads to.
const ON_PATH: &str = "SELECT n.nspname::text AS schema, c.oid::bigint AS oid,
        EXISTS (SELECT FROM unnest($3::oid[]) AS r WHERE has_schema_privilege(r, n.oid, 'CREATE')) AS is_open
    FROM unnest($1::text[]) WITH ORDINALITY AS p(schema, place) JOIN pg_catalog.pg_namespace AS n ON n.nspname::text = p.schema
    LEFT JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname::text = $2
    ORDER BY p.place";
/// The directory of subjects: whoever writes there says who has which role.
const DIRECTORY: &str = "SELECT c.relname::text AS name, p.privilege AS privilege
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p(privilege)
    WHERE n.nspname::text = $1 AND c.relname IN ('ringwall_org_memberships', 'ringwall_user_departments', 'ringwall_subjects')
    AND NOT c.oid = ANY($3::oid[])
    AND EXISTS (
        SELECT FROM unnest($2::oid[]) AS r WHERE CASE WHEN p.privilege IN ('INSERT', 'UPDATE', 'REFERENCES')
            THEN has_any_column_privilege(r, c.oid, p.privilege) ELSE has_table_privilege(r, c.oid, p.privilege) END
    )";

/// A function as the catalogs have it.
struct Installed {
    parameters: String,
    signature: String,
    is_owned: bool,
    owner: String,
    is_plain: bool,
    is_definer: bool,
    body: String,
    returns: String,
    config: Vec<String>,
}

impl Doctor<'_> {
    pub(super) async fn helpers(&mut self) -> Result<(), sqlx::Error> {
        let schema = self.parts.schema.clone();
        let found = sqlx::query(SCHEMA)
            .bind(&schema)
            .bind(&self.roles)
            .fetch_optional(&mut *self.connection)
            .await?;
        let mut installed = Vec::new();
        if let Some(row) = found {
            if row.try_get("is_owned")? || row.try_get("is_open")? {
                self.found(
                    FindingKind::HelperOwner,
                    &schema,
                    "the runtime role owns the schema of the functions, or may create there: it can put others in their place",
                    "ALTER SCHEMA … OWNER TO a role that the service never is, and REVOKE CREATE",
                );
            }
            let names: Vec<&str> = self.parts.functions.iter().map(|one| one.name).collect();
            let rows = sqlx::query(FUNCTIONS)
                .bind(row.try_get::<i64, _>("oid")?)
                .bind(&self.roles)
                .bind(&names)
                .fetch_all(&mut *self.connection)
                .await?;
            for row in rows {
                let is = |name: &str| row.try_get::<bool, _>(name);
                let is_plain = is("is_text")?
                    && is("is_sql")?
                    && is("is_function")?
                    && !is("is_leakproof")?
                    && !is("is_strict")?
                    && !is("has_defaults")?
                    && row.try_get::<String, _>("volatility")? == "s";
                installed.push(Installed {
                    parameters: row.try_get("parameters")?,
                    signature: row.try_get("signature")?,
                    is_owned: is("is_owned")?,
                    owner: row.try_get("owner")?,
                    is_plain,
                    is_definer: is("is_definer")?,
                    body: row.try_get("body")?,
                    returns: row.try_get("returns")?,
                    config: row.try_get::<Option<_>, _>("config")?.unwrap_or_default(),
                });
            }
        }
        let mut signatures = Vec::new();
        for function in self.parts.functions.clone() {
            let signature = format!("{}({})", function.name, function.types());
            let object = format!("{schema}.{signature}");
            match installed.iter().find(|one| one.signature == signature) {
                Some(one) => self.helper(&function, one, object).await?,
                None => self.found(
                    FindingKind::HelperFunction,
                    object,
                    "the function is not there, and policies call it",
                    "run the generated migration",
                ),
            }
            signatures.push(signature);
        }
        for one in &installed {
            if !signatures.contains(&one.signature) {
                self.found(
                    FindingKind::HelperFunction,
                    format!("{schema}.{}", one.signature),
                    "it has the name of a function that policies call, and could be called in its place",
                    "DROP FUNCTION",
                );
            }
        }
        self.directory().await
    }

    async fn helper(
        &mut self,
        function: &SecurityFunction,
        installed: &Installed,
        object: String,
    ) -> Result<(), sqlx::Error> {
        let parameters: Vec<String> = function
            .parameters
            .iter()
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        let path = match installed.config.as_slice() {
            [only] => only.strip_prefix("search_path="),
            _ => None,
        };
        let is_configured = match function.path {
            FunctionPath::Inlined => installed.config.is_empty(),
            FunctionPath::Catalog | FunctionPath::OfMigration(_) => path.is_some(),
        };
        let differences: Vec<&str> = [
            (installed.body != function.body, "its body"),
            (installed.is_definer, "it runs as its owner"),
            (
                installed.parameters != parameters.join(", "),
                "its parameters",
            ),
            (installed.returns != function.returns, "what it returns"),
            (!is_configured, "its settings"),
            (!installed.is_plain, "its language or kind"),
        ]
        .into_iter()
        .filter_map(|(differs, what)| differs.then_some(what))
        .collect();
        if !differences.is_empty() {
            self.found(
                FindingKind::HelperFunction,
                &object,
                format!(
                    "it is not the function that policies mean: {}",
                    differences.join(", ")
                ),
                "run the generated migration, and find out who altered it",
            );
        }
        if installed.is_owned {
            self.found(
                FindingKind::HelperOwner,
                &object,
                format!(
                    "the runtime role is, or may become, its owner {}, who can replace it",
                    installed.owner
                ),
                "ALTER FUNCTION … OWNER TO a role that the service never is",
            );
        }
        match path {
            Some(path) => self.helper_path(function, path, object).await,
            None => Ok(()),
        }
    }

    /// Names without a schema have to lead where they led when the function was made, whatever others make later.
    async fn helper_path(
        &mut self,
        function: &SecurityFunction,
        path: &str,
        object: String,
    ) -> Result<(), sqlx::Error> {
        let role = &self.parts.runtime_role;
        let mut parts = path_parts(path);
        let is_of_caller = parts.iter().any(|part| part == "$user");
        for part in &mut parts {
            if part == "$user" {
                part.clone_from(role);
            }
        }
        let is_temporary_last = parts.last().is_some_and(|last| last == "pg_temp");
        let problem = match &function.path {
            // That it has none was looked at.
            FunctionPath::Inlined => None,
            FunctionPath::Catalog if parts == ["pg_catalog", "pg_temp"] => None,
            FunctionPath::Catalog => Some("it is not pg_catalog, pg_temp"),
            FunctionPath::OfMigration(_) if !is_temporary_last => {
                Some("a temporary table goes before the one that it should read")
            }
            FunctionPath::OfMigration(name) => {
                let rows = sqlx::query(ON_PATH)
                    .bind(&parts)
                    .bind(name)
                    .bind(&self.roles)
                    .fetch_all(&mut *self.connection)
                    .await?;
                let expected = self.tables.iter().find(|table| table.is_attributes());
                let (mut is_open, mut found) = (false, None);
                for row in rows {
                    is_open |= row.try_get::<bool, _>("is_open")?;
                    found = row.try_get::<Option<i64>, _>("oid")?;
                    if found.is_some() {
                        break;
                    }
                }
                // Whoever may create schemas may create one of the own name.
                let row = sqlx::query("SELECT EXISTS (SELECT FROM unnest($1::oid[]) AS r WHERE has_database_privilege(r, current_database(), 'CREATE'))")
                    .bind(&self.roles)
                    .fetch_one(&mut *self.connection)
                    .await?;
                is_open |= is_of_caller && row.try_get::<bool, _>(0)?;
                if is_open {
                    Some("the runtime role may create tables in a schema of it")
                } else if found != expected.map(|table| table.oid) {
                    Some("it leads to another table than the one that was examined")
                } else {
                    None
                }
            }
        };
        if let Some(problem) = problem {
            self.found(
                FindingKind::HelperPath,
                object,
                format!("its search_path is not safe: {problem}"),
                "run the generated migration with the search_path of the tables, or name the table of the attributes with its schema",
            );
        }
        Ok(())
    }

    /// Nothing of the directory is written by whom it is about.
    async fn directory(&mut self) -> Result<(), sqlx::Error> {
        let attributes = self.tables.iter().find(|table| table.is_attributes());
        let Some(schema) = attributes.map(|table| table.schema.clone()) else {
            return Ok(());
        };
        let oids = self.oids();
        let rows = sqlx::query(DIRECTORY)
            .bind(&schema)
            .bind(&self.roles)
            .bind(oids)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let name: String = row.try_get("name")?;
            let privilege: String = row.try_get("privilege")?;
            self.found(
                FindingKind::PrivilegeTooWide,
                format!("{privilege} ON {schema}.{name}"),
                "whoever writes there says what subjects may do",
                "REVOKE it: the directory is kept by another role than the runtime role",
            );
        }
        Ok(())
    }
}
