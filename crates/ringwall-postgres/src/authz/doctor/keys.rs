//! What keys tell of rows that are not shown, and whether the organisation is found by an index.

use sqlx::Row as _;

use super::{Doctor, FindingKind, Judged};

const TENANT_INDEX: &str = "SELECT EXISTS (
        SELECT FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
        WHERE i.indrelid = $1::oid AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL
    )";
/// Unique and exclusion constraints, and unique indexes that are none, whose columns leave the organisation out.
const UNIQUE: &str = "SELECT i.indexrelid::regclass::text AS name
    FROM pg_catalog.pg_index AS i JOIN pg_catalog.pg_attribute AS o ON o.attrelid = i.indrelid AND o.attname = $2
    WHERE i.indrelid = $1::oid AND (i.indisunique OR i.indisexclusion)
    AND NOT EXISTS (
        SELECT FROM generate_series(0, i.indnkeyatts - 1) AS k(place) WHERE i.indkey[k.place] = o.attnum
    )";
/// Keys that point at the table: the organisation has to be among what they compare, on both sides where both have one.
const FOREIGN: &str = "SELECT c.conname::text || ' ON ' || c.conrelid::regclass::text AS name
    FROM pg_catalog.pg_constraint AS c JOIN pg_catalog.pg_attribute AS o ON o.attrelid = c.confrelid AND o.attname = $2
    LEFT JOIN unnest($3::oid[], $4::text[]) AS t(oid, org) ON t.oid = c.conrelid
    LEFT JOIN pg_catalog.pg_attribute AS f ON f.attrelid = c.conrelid AND f.attname = t.org
    WHERE c.contype = 'f' AND c.confrelid = $1::oid AND c.conparentid = 0
    AND NOT EXISTS (
        SELECT FROM unnest(c.conkey, c.confkey) AS k(own, other)
        WHERE k.other = o.attnum AND (f.attnum IS NULL OR k.own = f.attnum)
    )";

impl Doctor<'_> {
    pub(super) async fn keys(&mut self, table: &Judged) -> Result<(), sqlx::Error> {
        let Some(org) = table.org() else {
            return Ok(());
        };
        let row = sqlx::query(TENANT_INDEX)
            .bind(table.oid)
            .bind(org)
            .fetch_one(&mut *self.connection)
            .await?;
        if !row.try_get::<bool, _>(0)? {
            self.found(
                FindingKind::NoTenantIndex,
                &table.name,
                format!("no index begins with {org}, so each statement reads every tenant's rows"),
                "run the generated migration, which makes one unless an index of its name is there: DROP that one if it is invalid",
            );
        }
        if !table.holds_resources() {
            return Ok(());
        }
        let rows = sqlx::query(UNIQUE)
            .bind(table.oid)
            .bind(org)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            self.found(
                FindingKind::KeyAcrossTenants,
                row.try_get::<String, _>("name")?,
                format!("it is unique across tenants and policies are not asked: an INSERT into {} that fails tells that another tenant has such a row", table.name),
                format!("let it begin with {org}, or accept it where the values cannot be guessed"),
            );
        }
        let (oids, orgs): (Vec<i64>, Vec<String>) = self
            .tables
            .iter()
            .filter(|table| table.holds_resources())
            .filter_map(|table| Some((table.oid, table.org()?.to_owned())))
            .unzip();
        let rows = sqlx::query(FOREIGN)
            .bind(table.oid)
            .bind(org)
            .bind(oids)
            .bind(orgs)
            .fetch_all(&mut *self.connection)
            .await?;
        for row in rows {
            self.found(
                FindingKind::KeyAcrossTenants,
                row.try_get::<String, _>("name")?,
                format!("policies are not asked: it points at rows of {} of any tenant, tells whether they exist, and acts on what refers to them", table.name),
                format!("FOREIGN KEY ({org}, …) REFERENCES … ({org}, …)"),
            );
        }
        Ok(())
    }
}
