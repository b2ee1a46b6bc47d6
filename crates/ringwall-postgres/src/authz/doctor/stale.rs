//! Policies of earlier migrations on tables that the policy names no more.

use sqlx::Row as _;

use super::{Doctor, FindingKind};

/// What has our comment, what has none that tells of another policy, and what is for our role whatever it says: a comment
/// of another policy is believed only where the policy permits the sessions of this one nothing. Parts of the tables are
/// looked at by themselves.
const STALE: &str = "SELECT p.polname::text || ' ON ' || p.polrelid::regclass::text AS name, p.polpermissive AS is_permissive,
        c.is_ours
    FROM pg_catalog.pg_policy AS p CROSS JOIN LATERAL (
        SELECT coalesce(starts_with(d.comment, 'ringwall ' || $3 || ' '), FALSE) AS is_ours,
            coalesce(d.comment ~ '^ringwall [A-Za-z0-9_]+ ', FALSE) AS is_generated,
            0::oid = ANY(p.polroles) AS is_for_everybody,
            EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname::text = $4 AND r.oid = ANY(p.polroles)) AS is_for_ours
        FROM (SELECT obj_description(p.oid, 'pg_policy')) AS d(comment)
    ) AS c
    WHERE p.polname LIKE 'ringwall\\_%' AND NOT p.polrelid = ANY($1::oid[])
    AND CASE
        WHEN c.is_ours THEN TRUE
        WHEN c.is_generated THEN c.is_for_ours OR (c.is_for_everybody AND p.polpermissive)
        ELSE c.is_for_everybody OR p.polroles && $2::oid[]
    END";

impl Doctor<'_> {
    pub(super) async fn stale(&mut self) -> Result<(), sqlx::Error> {
        let mut known = self.oids();
        known.extend(&self.family);
        let rows = sqlx::query(STALE)
            .bind(known)
            .bind(&self.roles)
            .bind(&self.parts.schema)
            .bind(&self.parts.runtime_role)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            let allows = if row.try_get("is_permissive")? {
                "the policy names the table no more, and this still permits what an earlier one did"
            } else {
                "the policy names the table no more, and this hides its rows by what an earlier one said"
            };
            let repair = if row.try_get("is_ours")? {
                "run the generated migration, which takes it away"
            } else {
                "DROP POLICY: its comment is lost or tells of other functions, so that no migration of this policy knows it"
            };
            self.found(
                FindingKind::StalePolicy,
                row.try_get::<String, _>("name")?,
                allows,
                repair,
            );
        }
        Ok(())
    }
}
