//! The runtime role, whom it may become, who may act as it, and what is preset for it.

use sqlx::Row as _;

use super::{Doctor, FindingKind};

/// A role that a session of the service may be, with the roles that it may become.
pub(super) struct Reached {
    /// Who begins: the runtime role, or one that is a member of it.
    pub(super) start: String,
    pub(super) is_runtime: bool,
    pub(super) oid: i64,
    name: String,
    bypasses: bool,
    is_super: bool,
    creates_roles: bool,
    replicates: bool,
    reaches_files: bool,
}

impl Reached {
    /// By which of its own rights it comes to rows beside the tables.
    fn powers(&self) -> Vec<&'static str> {
        [
            (
                self.creates_roles,
                "may give itself other roles (CREATEROLE)",
            ),
            (
                self.replicates,
                "reads the log of all changes (REPLICATION)",
            ),
            (
                self.reaches_files,
                "reads or writes what is beneath the tables, as files",
            ),
        ]
        .into_iter()
        .filter_map(|(has, what)| has.then_some(what))
        .collect()
    }
}

/// Who acts: the runtime role and whoever is a member of it, with what each may become. Membership is looked up here and
/// not by `pg_has_role`, for which a superuser is a member of everything. Since PostgreSQL 16, whoever made a role is a
/// member that may neither inherit nor become it; such a one does not act as it.
const REACHED: &str = "WITH RECURSIVE acting(oid) AS (
        SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = $1
        UNION SELECT m.member FROM acting AS a JOIN pg_catalog.pg_auth_members AS m ON m.roleid = a.oid
        WHERE coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, TRUE)
            OR coalesce((to_jsonb(m) ->> 'set_option')::boolean, TRUE)
    ), memberships(member, roleid) AS (
        SELECT member, roleid FROM pg_catalog.pg_auth_members
        UNION ALL SELECT d.datdba, r.oid FROM pg_catalog.pg_database AS d, pg_catalog.pg_roles AS r
        WHERE d.datname = current_database() AND r.rolname = 'pg_database_owner'
    ), reached(start, oid) AS (
        SELECT oid, oid FROM acting
        UNION SELECT s.start, m.roleid FROM reached AS s JOIN memberships AS m ON m.member = s.oid
    )
    SELECT b.rolname::text AS start, b.rolname = $1 AS is_runtime, r.oid::bigint AS oid, r.rolname::text AS name,
        r.rolbypassrls OR r.rolsuper AS bypasses, r.rolsuper AS is_super, r.rolcreaterole AS creates_roles,
        r.rolreplication AS replicates,
        r.rolname IN ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program') OR EXISTS (
            SELECT FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = 'pg_catalog'::regnamespace
            AND p.proname IN ('pg_read_file', 'pg_read_binary_file', 'lo_import', 'lo_export')
            AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
        ) AS reaches_files
    FROM reached AS s JOIN pg_catalog.pg_roles AS b ON b.oid = s.start JOIN pg_catalog.pg_roles AS r ON r.oid = s.oid
    ORDER BY b.rolname, r.rolname";

const PRESETS: &str = "SELECT coalesce(r.rolname::text, 'ALL ROLES') AS role, s.setdatabase <> 0 AS is_of_database,
        coalesce(r.rolname::text, $2) AS resolved_for,
        split_part(c.entry, '=', 1) AS name, substr(c.entry, strpos(c.entry, '=') + 1) AS value
    FROM pg_catalog.pg_db_role_setting AS s
    CROSS JOIN LATERAL unnest(s.setconfig) AS c(entry)
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = s.setrole
    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
    AND (s.setrole = 0 OR r.rolname::text = ANY($1::text[]))
    AND lower(split_part(c.entry, '=', 1)) SIMILAR TO 'ringwall.%|row_security|search_path'
    ORDER BY 1, 2, 4";

impl Doctor<'_> {
    /// False when there is no such role.
    pub(super) async fn roles(&mut self) -> Result<bool, sqlx::Error> {
        let rows = sqlx::query(REACHED)
            .bind(&self.parts.runtime_role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in &rows {
            self.reached.push(Reached {
                start: row.try_get("start")?,
                is_runtime: row.try_get("is_runtime")?,
                oid: row.try_get("oid")?,
                name: row.try_get("name")?,
                bypasses: row.try_get("bypasses")?,
                is_super: row.try_get("is_super")?,
                creates_roles: row.try_get("creates_roles")?,
                replicates: row.try_get("replicates")?,
                reaches_files: row.try_get("reaches_files")?,
            });
        }
        let role = self.parts.runtime_role.clone();
        if self.reached.is_empty() {
            self.found(
                FindingKind::NoRole,
                &role,
                "the role does not exist, so nothing was looked at",
                "run the generated migration",
            );
            return Ok(false);
        }
        // Privileges of a superuser say nothing: it has all of them, and was found for that. So was a member that
        // bypasses security or owns a table.
        let strong: Vec<String> = self
            .reached
            .iter()
            .filter(|one| {
                let owns = self.tables.iter().any(|table| table.owner == one.oid);
                !one.is_runtime && (one.bypasses || owns)
            })
            .map(|one| one.start.clone())
            .collect();
        self.roles = self
            .reached
            .iter()
            .filter(|one| !one.is_super && !strong.contains(&one.start))
            .map(|one| one.oid)
            .collect();
        self.roles.sort_unstable();
        self.roles.dedup();
        let mut told = Vec::new();
        for one in &self.reached {
            let (bypasses, repair) = if one.is_runtime {
                (
                    FindingKind::RoleBypasses,
                    "ALTER ROLE … NOSUPERUSER NOBYPASSRLS, or REVOKE the membership",
                )
            } else {
                (
                    FindingKind::MemberBypasses,
                    "REVOKE its membership in the runtime role, or accept it when the service never connects as it",
                )
            };
            let becomes = format!("it is, or may become, {}", one.name);
            if one.bypasses {
                let what = if one.is_super {
                    "a superuser"
                } else {
                    "BYPASSRLS"
                };
                let allows = format!("{becomes}, which is {what}: no policy holds for it");
                told.push((bypasses, one.start.clone(), allows, repair));
                continue;
            }
            // Of whom nothing holds, that is said.
            let powers = one.powers();
            if powers.is_empty() || strong.contains(&one.start) {
                continue;
            }
            let (kind, repair) = if one.is_runtime {
                (
                    FindingKind::RoleTooPowerful,
                    "ALTER ROLE … NOCREATEROLE NOREPLICATION, or REVOKE the membership",
                )
            } else {
                (
                    FindingKind::MemberTooPowerful,
                    "ALTER ROLE … NOCREATEROLE NOREPLICATION, or REVOKE one of its memberships, or accept it when the service never connects as it",
                )
            };
            let allows = format!("{becomes}, which {}", powers.join(", "));
            told.push((kind, one.start.clone(), allows, repair));
        }
        for (kind, object, allows, repair) in told {
            self.found(kind, object, allows, repair);
        }
        Ok(true)
    }

    /// What `ALTER ROLE … SET`, `ALTER DATABASE … SET` and the server's configuration say before anybody is told.
    pub(super) async fn presets(&mut self) -> Result<(), sqlx::Error> {
        let starts: Vec<String> = self.reached.iter().map(|one| one.start.clone()).collect();
        let rows = sqlx::query(PRESETS)
            .bind(&starts)
            .bind(&self.parts.runtime_role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let role: String = row.try_get("role")?;
            let name: String = row.try_get::<String, _>("name")?.to_lowercase();
            let value: String = row.try_get("value")?;
            let place = if row.try_get("is_of_database")? {
                " IN DATABASE"
            } else {
                ""
            };
            let object = format!("{name} FOR {role}{place}");
            match name.as_str() {
                "row_security" => self.row_security(&value, object).await?,
                "search_path" => {
                    let role: String = row.try_get("resolved_for")?;
                    self.search_path(&value, &role, &object).await?;
                }
                _ => self.context_is_preset(object),
            }
        }
        // What the server's own configuration says is seen in this session, since it was told nothing.
        let rows = sqlx::query(
            "SELECT n FROM unnest($1::text[]) AS n WHERE nullif(current_setting(n, TRUE), '') IS NOT NULL",
        )
        .bind(&self.parts.settings)
        .fetch_all(&mut *self.connection)
        .await?;
        for row in rows {
            let name: String = row.try_get(0)?;
            self.context_is_preset(format!("{name} IN THIS SESSION"));
        }
        // What the connection of whoever examines asked for itself says nothing of those of the service.
        let row = sqlx::query(
            "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'row_security' AND source NOT IN ('client', 'session')",
        )
        .fetch_optional(&mut *self.connection)
        .await?;
        match row {
            Some(row) => {
                self.row_security(
                    &row.try_get::<String, _>("setting")?,
                    "row_security IN THIS SESSION".to_owned(),
                )
                .await
            }
            None => Ok(()),
        }
    }

    fn context_is_preset(&mut self, object: String) {
        self.found(
            FindingKind::ContextSetting,
            object,
            "sessions act for somebody before they are told for whom: a statement outside with_subject sees rows",
            "RESET it where it is set: ALTER ROLE, ALTER DATABASE, or the server's configuration",
        );
    }

    async fn row_security(&mut self, value: &str, object: String) -> Result<(), sqlx::Error> {
        // As PostgreSQL reads truth values: off, f, 0, and what else begins like them.
        let row = sqlx::query("SELECT $1::boolean")
            .bind(value)
            .fetch_one(&mut *self.connection)
            .await?;
        if !row.try_get::<bool, _>(0)? {
            self.found(
                FindingKind::RowSecurityOff,
                object,
                "statements on protected tables fail instead of seeing what the policy permits",
                "RESET it: on is PostgreSQL's own value",
            );
        }
        Ok(())
    }

    /// A path by which a table of the policy is another one.
    async fn search_path(
        &mut self,
        value: &str,
        role: &str,
        object: &str,
    ) -> Result<(), sqlx::Error> {
        let names: Vec<(String, i64)> = self
            .tables
            .iter()
            .filter(|table| !table.name.contains('.'))
            .map(|table| (table.name.clone(), table.oid))
            .collect();
        for (name, oid) in names {
            let found = self.on_path(value, role, &name).await?;
            if found.is_some_and(|found| found != oid) {
                self.found(
                    FindingKind::SearchPath,
                    object,
                    format!("{name} is another table there than the one that was examined"),
                    "RESET the path, or name the table with its schema in the policy and in statements",
                );
            }
        }
        Ok(())
    }

    /// What a name without a schema leads to, by a path as it is stored, for a session of this role.
    async fn on_path(
        &mut self,
        path: &str,
        role: &str,
        name: &str,
    ) -> Result<Option<i64>, sqlx::Error> {
        let schemas: Vec<String> = path_parts(path)
            .into_iter()
            .map(|part| {
                if part == "$user" {
                    role.to_owned()
                } else {
                    part
                }
            })
            .collect();
        let row = sqlx::query(
            "SELECT c.oid::bigint FROM unnest($1::text[]) WITH ORDINALITY AS p(schema, place)
            JOIN pg_catalog.pg_namespace AS n ON n.nspname::text = p.schema
            JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname::text = $2
            ORDER BY p.place LIMIT 1",
        )
        .bind(schemas)
        .bind(name)
        .fetch_optional(&mut *self.connection)
        .await?;
        row.map(|row| row.try_get(0)).transpose()
    }
}

/// The schemas of a search path, as PostgreSQL reads it: names are folded unless they are quoted.
pub(super) fn path_parts(path: &str) -> Vec<String> {
    let (mut parts, mut part, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = path.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                part.push('"');
                characters.next();
            }
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => part.push(c),
            ',' => parts.push(core::mem::take(&mut part)),
            _ if c.is_whitespace() => {}
            _ => part.extend(c.to_lowercase()),
        }
    }
    parts.push(part);
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::path_parts;

    #[test]
    fn a_path_is_read_as_postgresql_reads_it() {
        for (path, parts) in [
            ("", vec![]),
            ("\"\"", vec![]),
            ("app", vec!["app"]),
            ("\"$user\", public", vec!["$user", "public"]),
            ("App , \"App\",pg_temp", vec!["app", "App", "pg_temp"]),
            ("\"a, b\", \"c\"\"d\"", vec!["a, b", "c\"d"]),
        ] {
            assert_eq!(path_parts(path), parts, "{path}");
        }
    }
}
