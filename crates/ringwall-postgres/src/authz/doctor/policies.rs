//! Policies that are installed, against those that should be.
//!
//! Names and comments prove nothing: who may alter a policy may alter those too. What counts is what PostgreSQL itself
//! says of a policy's expressions. So the policies that should be there are made on a temporary table of the same shape
//! and name, PostgreSQL is asked for both, and everything is rolled back.

use ringwall_authz::SecuredTable;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};

use super::{CATALOG_PATH, Doctor, FindingKind, Judged};

/// A policy as the catalogs have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Installed {
    pub(super) name: String,
    pub(super) is_permissive: bool,
    command: String,
    roles: String,
    using: Option<String>,
    check: Option<String>,
}

/// One with what is not compared.
pub(super) struct Found {
    pub(super) policy: Installed,
    comment: Option<String>,
    /// The runtime role, one that it may become, or one as which a view reads.
    pub(super) applies: bool,
}

const POLICIES: &str = "SELECT p.polname::text AS name, p.polpermissive AS is_permissive, p.polcmd::text AS command,
        p.polroles::text AS roles, pg_get_expr(p.polqual, p.polrelid) AS using,
        pg_get_expr(p.polwithcheck, p.polrelid) AS with_check, obj_description(p.oid, 'pg_policy') AS comment,
        (0::oid = ANY(p.polroles) OR p.polroles && $2::oid[] OR EXISTS (
            SELECT FROM unnest(p.polroles) AS r, unnest($3::oid[]) AS o WHERE r <> 0 AND pg_has_role(o, r, 'MEMBER')
        )) AS applies
    FROM pg_catalog.pg_policy AS p WHERE p.polrelid = $1::oid ORDER BY p.polname";
/// What a condition asks that is neither the system's own, which is not among what a policy depends on, nor a function of
/// the policies. The other policies are made by the same path, so they ask the same and compare as equal.
const BORROWED: &str = "SELECT p.polname::text AS policy,
        string_agg(DISTINCT CASE WHEN f.oid IS NULL THEN 'the operator ' || d.refobjid::regoperator::text
            ELSE 'the function ' || f.oid::regprocedure::text END, ', ') AS what
    FROM pg_catalog.pg_policy AS p JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
    LEFT JOIN pg_catalog.pg_proc AS f ON d.refclassid = 'pg_proc'::regclass AND f.oid = d.refobjid
    LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
    WHERE p.polrelid = $1::oid AND d.refclassid IN ('pg_operator'::regclass, 'pg_proc'::regclass)
    AND n.nspname::text IS DISTINCT FROM $2
    GROUP BY p.polname";
/// The columns that the policies read, as a definition.
const SHAPE: &str = "SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod)
        || coalesce(' COLLATE ' || l.oid::regcollation::text, ''), ', ' ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute AS a LEFT JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation AND a.attcollation <> t.typcollation
    WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attname::text = ANY($2::text[])";

impl Doctor<'_> {
    pub(super) async fn policies(&mut self, table: &Judged) -> Result<(), sqlx::Error> {
        let installed = self.installed(table.oid).await?;
        let expected = self
            .expected(table.oid, &table.relation, &table.secured)
            .await?;
        if let Err(problem) = &expected {
            self.found(
                FindingKind::NotCompared,
                &table.name,
                format!("what its policies say was not looked at: {problem}"),
                "examine as a role with TEMPORARY on the database and USAGE on the schemas of the tables and the functions, in a transaction that may write",
            );
        }
        let borrowed = self.borrowed(table.oid).await?;
        for policy in &table.secured.policies {
            let object = format!("{} ON {}", policy.name, table.name);
            let Some(found) = installed.iter().find(|one| one.policy.name == policy.name) else {
                self.found(
                    FindingKind::OtherPolicies,
                    object,
                    "the policy is not there: one that restricts is missed, and without one that permits nothing is seen",
                    "run the generated migration",
                );
                continue;
            };
            if found.comment.as_ref() != Some(&self.parts.comment) {
                self.found(
                    FindingKind::OtherPolicies,
                    &object,
                    "its comment names another version of the policy, or of another place, and a later migration may leave it",
                    "run the generated migration",
                );
            }
            let expected = expected.as_ref().ok();
            let expected = expected.and_then(|all| all.iter().find(|one| one.name == policy.name));
            if let Some(expected) = expected
                && *expected != found.policy
            {
                self.found(
                    FindingKind::AlteredPolicy,
                    object,
                    format!(
                        "it is not what the policy says: {} altered",
                        found.policy.differences(expected)
                    ),
                    "run the generated migration, and find out who altered it",
                );
            } else if let Some((_, what)) = borrowed.iter().find(|(name, _)| *name == policy.name) {
                self.found(
                    FindingKind::ForeignOperator,
                    object,
                    format!("its condition asks {what}, which is not PostgreSQL's own: whoever made it says which rows are there"),
                    "find out who made it, DROP … CASCADE, which takes the policy too, and run the generated migration",
                );
            }
        }
        for found in &installed {
            let is_expected = table
                .secured
                .policies
                .iter()
                .any(|policy| policy.name == found.policy.name);
            // Those of other policies of the database are for other roles.
            if is_expected || !found.applies {
                continue;
            }
            let object = format!("{} ON {}", found.policy.name, table.name);
            if found.policy.is_permissive {
                self.found(
                    FindingKind::ForeignPolicy,
                    object,
                    "it permits beside this policy, whatever this one says",
                    "DROP POLICY; or make it restrictive, or TO a role that the service never is",
                );
            } else if !table.holds_resources() {
                self.found(
                    FindingKind::ForeignPolicy,
                    object,
                    "it hides what is known of subjects, and rules that forbid because of it do not act",
                    "DROP POLICY, or make it TO a role that the service never is",
                );
            }
        }
        Ok(())
    }

    /// Policies of a table, and what each asks that is not to be asked.
    async fn borrowed(&mut self, oid: i64) -> Result<Vec<(String, String)>, sqlx::Error> {
        let rows = sqlx::query(BORROWED)
            .bind(oid)
            .bind(&self.parts.schema)
            .fetch_all(&mut *self.connection)
            .await?;
        let pair = |row: &PgRow| Ok((row.try_get("policy")?, row.try_get("what")?));
        rows.iter().map(pair).collect()
    }

    pub(super) async fn installed(&mut self, oid: i64) -> Result<Vec<Found>, sqlx::Error> {
        let rows = sqlx::query(POLICIES)
            .bind(oid)
            .bind(&self.roles)
            .bind(&self.view_owners)
            .fetch_all(&mut *self.connection)
            .await?;
        rows.iter().map(Found::of).collect()
    }

    /// What the policies of `secured` are on a table of this name and with the columns of `oid`: made, read, and rolled
    /// back. An error of the server, such as for want of a privilege, is answered as a text.
    pub(super) async fn expected(
        &mut self,
        oid: i64,
        relation: &str,
        secured: &SecuredTable,
    ) -> Result<Result<Vec<Installed>, String>, sqlx::Error> {
        let names: Vec<&str> = secured
            .table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let row = sqlx::query(SHAPE)
            .bind(oid)
            .bind(names)
            .fetch_one(&mut *self.connection)
            .await?;
        let shape: Option<String> = row.try_get(0)?;
        // The name counts: within subqueries, columns are told with it.
        let table = format!("pg_temp.\"{}\"", relation.replace('"', "\"\""));
        let mut statements = format!(
            "CREATE TEMPORARY TABLE {table} ({});\nSET LOCAL search_path = {};\n",
            shape.unwrap_or_default(),
            self.path
        );
        for policy in &secured.policies {
            statements.push_str(&policy.statement(&table, &self.parts.runtime_role));
            statements.push('\n');
        }
        statements.push_str(CATALOG_PATH);
        let mut savepoint = self.connection.begin().await?;
        let made = savepoint
            .execute(sqlx::raw_sql(AssertSqlSafe(statements)))
            .await;
        let read = match made {
            Ok(_) => sqlx::query(
                "SELECT c.oid::bigint FROM pg_catalog.pg_class AS c
                WHERE c.relnamespace = pg_my_temp_schema() AND c.relname::text = $1",
            )
            .bind(relation)
            .fetch_one(&mut *savepoint)
            .await
            .and_then(|row| row.try_get::<i64, _>(0)),
            Err(error) => Err(error),
        };
        let answer = match read {
            Ok(scratch) => {
                let none: &[i64] = &[];
                let rows = sqlx::query(POLICIES)
                    .bind(scratch)
                    .bind(none)
                    .bind(none)
                    .fetch_all(&mut *savepoint)
                    .await?;
                let policies: Result<Vec<Installed>, sqlx::Error> =
                    rows.iter().map(|row| Ok(Found::of(row)?.policy)).collect();
                Ok(policies?)
            }
            Err(sqlx::Error::Database(error)) => Err(error.message().to_owned()),
            Err(error) => return Err(error),
        };
        savepoint.rollback().await?;
        Ok(answer)
    }
}

impl Found {
    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            policy: Installed {
                name: row.try_get("name")?,
                is_permissive: row.try_get("is_permissive")?,
                command: row.try_get("command")?,
                roles: row.try_get("roles")?,
                using: row.try_get("using")?,
                check: row.try_get("with_check")?,
            },
            comment: row.try_get("comment")?,
            applies: row.try_get("applies")?,
        })
    }
}

impl Installed {
    /// Which parts are others than expected.
    fn differences(&self, expected: &Self) -> String {
        [
            (self.using != expected.using, "USING"),
            (self.check != expected.check, "WITH CHECK"),
            (self.command != expected.command, "its command"),
            (self.roles != expected.roles, "its roles"),
            (
                self.is_permissive != expected.is_permissive,
                "whether it permits or restricts",
            ),
        ]
        .into_iter()
        .filter_map(|(differs, name)| differs.then_some(name))
        .collect::<Vec<_>>()
        .join(", ")
    }
}
