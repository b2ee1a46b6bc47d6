//! What reads or writes a table as somebody else: views and rules, functions, triggers.

use std::collections::BTreeSet;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use super::{Doctor, FindingKind};

/// Views and rules that name one of the tables, or a view that does: one row for each pair of a reader and what it reads.
/// A view that asks a function stands for itself: where a materialized one asks it, its owner asked, when that was made.
const READERS: &str = "WITH RECURSIVE readers(reader, base, event) AS (
        SELECT c.oid, c.oid, r.ev_type FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = c.oid
        WHERE c.relkind IN ('m', 'v') AND EXISTS (
            SELECT FROM pg_catalog.pg_depend AS d WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
            AND d.refclassid = 'pg_proc'::regclass AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_depend AS e
                WHERE e.classid = 'pg_proc'::regclass AND e.objid = d.refobjid AND e.deptype = 'e'
            )
        )
        UNION
        SELECT r.ev_class, d.refobjid, r.ev_type FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid AND r.ev_class <> d.refobjid
        WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY($1::oid[])
        UNION
        SELECT r.ev_class, d.refobjid, r.ev_type FROM readers AS s
        JOIN pg_catalog.pg_depend AS d ON d.refobjid = s.reader AND d.refclassid = 'pg_class'::regclass
            AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid AND r.ev_class <> s.reader
    )
    SELECT s.reader::bigint AS reader, s.base::bigint AS base, s.event::text AS event, c.oid::regclass::text AS name,
        s.base::regclass::text AS base_name, c.relkind = 'm' AS is_materialized, o.oid::bigint AS owner,
        coalesce((SELECT x.option_value::boolean FROM pg_options_to_table(c.reloptions) AS x
            WHERE x.option_name = 'security_invoker'), FALSE) AS is_invoker,
        coalesce((SELECT x.option_value::boolean FROM pg_options_to_table(c.reloptions) AS x
            WHERE x.option_name = 'security_barrier'), FALSE) AS is_barrier,
        o.rolsuper OR o.rolbypassrls OR o.rolcanlogin
            OR EXISTS (SELECT FROM unnest($3::oid[]) AS t WHERE pg_has_role(o.oid, t, 'MEMBER'))
            OR EXISTS (SELECT FROM pg_catalog.pg_roles AS b WHERE (b.rolsuper OR b.rolbypassrls) AND pg_has_role(o.oid, b.oid, 'MEMBER'))
            AS owner_is_strong,
        EXISTS (SELECT FROM unnest($2::oid[]) AS r WHERE CASE s.event
            WHEN '1' THEN has_any_column_privilege(r, c.oid, 'SELECT, INSERT, UPDATE') OR has_table_privilege(r, c.oid, 'DELETE')
            WHEN '2' THEN has_any_column_privilege(r, c.oid, 'UPDATE')
            WHEN '3' THEN has_any_column_privilege(r, c.oid, 'INSERT')
            ELSE has_table_privilege(r, c.oid, 'DELETE') END) AS is_usable
    FROM readers AS s JOIN pg_catalog.pg_class AS c ON c.oid = s.reader JOIN pg_catalog.pg_roles AS o ON o.oid = c.relowner
    ORDER BY 4, 3, 5";
const RULES: &str = "SELECT r.rulename::text || ' ON ' || r.ev_class::regclass::text AS name FROM pg_catalog.pg_rewrite AS r
    WHERE r.ev_class = ANY($1::oid[]) AND r.ev_type <> '1' AND r.ev_enabled <> 'D'";
/// Those of extensions and of the system are others' business. A view, a default or an operator that holds a function runs
/// it as whoever asks, who needs EXECUTE for that, and not USAGE on its schema: that is for looking names up. Of an aggregate
/// the owner needs EXECUTE on its functions, and whoever asks on the aggregate alone.
const FUNCTIONS: &str = "SELECT p.oid::regprocedure::text AS name, p.prosecdef AS is_definer, p.proleakproof AS is_leakproof,
        coalesce(array_to_string(p.proconfig, ',') LIKE '%search_path=%', FALSE) AS is_pinned
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE (p.prosecdef OR p.proleakproof) AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND EXISTS (
        SELECT FROM unnest($1::oid[]) AS r WHERE has_function_privilege(r, p.oid, 'EXECUTE') OR EXISTS (
            SELECT FROM pg_catalog.pg_aggregate AS a WHERE has_function_privilege(r, a.aggfnoid, 'EXECUTE') AND p.oid IN (
                a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn
            )
        )
    )
    AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend AS d WHERE d.objid = p.oid
        AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
    )";
/// Whoever fires a trigger needs no privilege on its function, and none on a part of the table that a statement names, on what
/// a foreign key changes with it, or on what a view changes as its owner.
const TRIGGERS: &str = "WITH RECURSIVE above(part, whole) AS (
        SELECT t.tgrelid, t.tgrelid FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
        WHERE p.prosecdef AND NOT t.tgisinternal AND t.tgenabled <> 'D'
        UNION SELECT a.part, up.oid FROM above AS a CROSS JOIN LATERAL (
            SELECT i.inhparent FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = a.whole
            UNION ALL SELECT k.confrelid FROM pg_catalog.pg_constraint AS k
            WHERE k.conrelid = a.whole AND k.contype = 'f' AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
            UNION ALL SELECT r.ev_class FROM pg_catalog.pg_depend AS d JOIN pg_catalog.pg_rewrite AS r ON r.oid = d.objid
            JOIN pg_catalog.pg_class AS v ON v.oid = r.ev_class AND v.relkind = 'v' AND pg_relation_is_updatable(v.oid, TRUE) & 28 <> 0
            WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.whole
            AND r.ev_class <> a.whole AND NOT coalesce((
                SELECT x.option_value::boolean FROM pg_options_to_table(v.reloptions) AS x
                WHERE x.option_name = 'security_invoker'
            ), FALSE)
        ) AS up(oid)
    )
    SELECT DISTINCT t.tgname::text || ' ON ' || c.oid::regclass::text AS name,
        p.oid::regprocedure::text AS function
    FROM pg_catalog.pg_trigger AS t JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
    WHERE p.prosecdef AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    AND EXISTS (
        SELECT FROM above AS a CROSS JOIN unnest($1::oid[]) AS r WHERE a.part = c.oid
        AND (has_any_column_privilege(r, a.whole, 'INSERT, UPDATE') OR has_table_privilege(r, a.whole, 'DELETE, TRUNCATE'))
    )";

/// A view or a rule, and one thing that it reads.
struct Reader {
    oid: i64,
    base: i64,
    name: String,
    base_name: String,
    event: String,
    is_materialized: bool,
    is_invoker: bool,
    /// A view runs as its owner. That is sound when it is so on purpose: the owner is a role that nobody logs in as, that
    /// neither owns the tables nor bypasses their policies, and the view is a barrier; then the policies of the table
    /// hold for what the session was told, whoever reads.
    is_apart: bool,
    owner_is_strong: bool,
    owner: i64,
    is_usable: bool,
}

impl Reader {
    fn of(row: &PgRow) -> Result<Self, sqlx::Error> {
        let owner_is_strong: bool = row.try_get("owner_is_strong")?;
        Ok(Self {
            oid: row.try_get("reader")?,
            base: row.try_get("base")?,
            name: row.try_get("name")?,
            base_name: row.try_get("base_name")?,
            event: row.try_get("event")?,
            is_materialized: row.try_get("is_materialized")?,
            is_invoker: row.try_get("is_invoker")?,
            is_apart: !owner_is_strong && row.try_get("is_barrier")?,
            owner_is_strong,
            owner: row.try_get("owner")?,
            is_usable: row.try_get("is_usable")?,
        })
    }

    fn is_view(&self) -> bool {
        self.event == "1"
    }
}

impl Doctor<'_> {
    pub(super) async fn readers(&mut self) -> Result<(), sqlx::Error> {
        let named = self.oids();
        let mut bases = named.clone();
        bases.extend(&self.family);
        let owners: Vec<i64> = self.tables.iter().map(|table| table.owner).collect();
        let rows = sqlx::query(READERS)
            .bind(&bases)
            .bind(&self.roles)
            .bind(&owners)
            .fetch_all(&mut *self.connection)
            .await?;
        let readers: Result<Vec<Reader>, sqlx::Error> = rows.iter().map(Reader::of).collect();
        let readers = readers?;
        // What a view reads as its owner is open to whoever may use the view.
        let mut open: BTreeSet<i64> = readers
            .iter()
            .filter(|reader| reader.is_view() && reader.is_usable)
            .map(|reader| reader.oid)
            .collect();
        loop {
            let before = open.len();
            for reader in &readers {
                if reader.is_view() && !reader.is_invoker && open.contains(&reader.oid) {
                    open.insert(reader.base);
                }
            }
            if open.len() == before {
                break;
            }
        }
        // What leads to the tables, and not to a function alone.
        let mut leading: BTreeSet<i64> = bases.iter().copied().collect();
        loop {
            let before = leading.len();
            for reader in &readers {
                if leading.contains(&reader.base) {
                    leading.insert(reader.oid);
                }
            }
            if leading.len() == before {
                break;
            }
        }
        self.views = leading.iter().copied().collect();
        for reader in readers {
            if !reader.is_view() {
                // Parts of a table are not judged for whom they are open to, so nobody's rule on them is believed.
                let is_strong = reader.owner_is_strong || self.family.contains(&reader.base);
                let is_reached = reader.is_usable || open.contains(&reader.oid);
                if is_reached && is_strong && leading.contains(&reader.base) {
                    self.found(
                        FindingKind::Rule,
                        &reader.name,
                        format!("a rule of it uses {} as its owner", reader.base_name),
                        "DROP RULE, or REVOKE the privilege that fires it",
                    );
                }
                continue;
            }
            if !open.contains(&reader.oid) {
                continue;
            }
            if reader.is_materialized {
                let of = if reader.base == reader.oid {
                    "what a function answers its owner"
                } else {
                    &reader.base_name
                };
                self.found(
                    FindingKind::View,
                    &reader.name,
                    format!(
                        "a materialized view of {of} keeps rows of everybody and has no policies"
                    ),
                    "REVOKE it, and what reads it, from the runtime role",
                );
            } else if !reader.is_invoker && bases.contains(&reader.base) {
                if reader.is_apart && named.contains(&reader.base) {
                    self.view_owners.push(reader.owner);
                } else {
                    self.found(
                        FindingKind::View,
                        &reader.name,
                        format!("it reads {} as its owner", reader.base_name),
                        "WITH (security_invoker = true), or an owner apart that nobody logs in as, with security_barrier",
                    );
                }
            }
        }
        let rows = sqlx::query(RULES)
            .bind(self.oids())
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            self.found(
                FindingKind::Rule,
                row.try_get::<String, _>("name")?,
                "it makes other statements of those on the table, and they run as the table's owner",
                "DROP RULE: a trigger does the same as whoever fires it",
            );
        }
        Ok(())
    }

    pub(super) async fn functions(&mut self) -> Result<(), sqlx::Error> {
        let rows = sqlx::query(FUNCTIONS)
            .bind(&self.roles)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let name: String = row.try_get("name")?;
            if row.try_get("is_definer")? {
                let more = if row.try_get("is_pinned")? {
                    ""
                } else {
                    ", and its search_path is the caller's"
                };
                self.found(
                    FindingKind::DefinerFunction,
                    &name,
                    format!("it runs as its owner{more}"),
                    "SECURITY INVOKER; or make sure that it asks who the session acts for, pins its search_path, and REVOKE it from PUBLIC",
                );
            }
            if row.try_get("is_leakproof")? {
                self.found(
                    FindingKind::LeakproofFunction,
                    &name,
                    "PostgreSQL asks it before the policies, with the values of rows that are hidden",
                    "ALTER FUNCTION … NOT LEAKPROOF",
                );
            }
        }
        let rows = sqlx::query(TRIGGERS)
            .bind(&self.roles)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let function: String = row.try_get("function")?;
            self.found(
                FindingKind::DefinerTrigger,
                row.try_get::<String, _>("name")?,
                format!("statements of the runtime role run {function} as its owner"),
                "SECURITY INVOKER; or make sure that it asks who the session acts for and pins its search_path",
            );
        }
        Ok(())
    }
}
