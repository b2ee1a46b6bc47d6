//! Row filters in statements.

use ringwall_authz::{Dialect, RowFilter, Rows, SqlValue, SqlWriter};
use sqlx::{QueryBuilder, Sqlite};

/// Puts a row filter into a statement.
pub trait PushRows {
    /// Writes the condition of `rows`, in parentheses, with its values as parameters of this statement. `alias` is the
    /// name of the table in the statement, if it has one.
    ///
    /// ```
    /// # use ringwall_authz::Rows;
    /// # use sqlx::{QueryBuilder, Sqlite};
    /// use ringwall_sqlite::PushRows as _;
    ///
    /// # fn example(rows: &Rows) {
    /// let mut query = QueryBuilder::<Sqlite>::new("SELECT id, title FROM cases WHERE status = ");
    /// query.push_bind("open").push(" AND ").push_rows(rows, None).push(" ORDER BY id LIMIT 50");
    /// # }
    /// ```
    fn push_rows(&mut self, rows: &Rows, alias: Option<&str>) -> &mut Self;

    /// Writes the condition of `filter`: that of its rows, or `FALSE` where there are none. A statement that left it out
    /// there would list everything.
    fn push_filter(&mut self, filter: &RowFilter, alias: Option<&str>) -> &mut Self;
}

impl PushRows for QueryBuilder<Sqlite> {
    fn push_rows(&mut self, rows: &Rows, alias: Option<&str>) -> &mut Self {
        rows.write(Dialect::Sqlite, alias, &mut Writer(self));
        self
    }

    fn push_filter(&mut self, filter: &RowFilter, alias: Option<&str>) -> &mut Self {
        match filter.rows() {
            Some(rows) => self.push_rows(rows, alias),
            None => self.push("(FALSE)"),
        }
    }
}

struct Writer<'a>(&'a mut QueryBuilder<Sqlite>);

impl SqlWriter for Writer<'_> {
    fn text(&mut self, sql: &str) {
        self.0.push(sql);
    }

    fn bind(&mut self, value: SqlValue) {
        match value {
            SqlValue::Text(text) | SqlValue::Uuid(text) => self.0.push_bind(text),
            SqlValue::Integer(number) => self.0.push_bind(number),
            SqlValue::Boolean(value) => self.0.push_bind(value),
            SqlValue::Timestamp(time) => self.0.push_bind(time.unix_micros()),
            // Lists of texts and numbers are always JSON.
            SqlValue::Texts(texts) => self.0.push_bind(json(&texts)),
            SqlValue::Integers(numbers) => self.0.push_bind(json(&numbers)),
            // What this version does not know is null, for which no condition holds.
            _ => self.0.push("NULL"),
        };
    }
}

fn json<T: serde::Serialize>(values: &[T]) -> String {
    serde_json::to_string(values).unwrap_or_else(|_| "[]".to_owned())
}

#[cfg(test)]
mod tests {
    use ringwall_authz::{Policy, RowFilter, ready};
    use ringwall_core::attest::Attest;
    use ringwall_core::clock::Timestamp;
    use ringwall_core::principal::{
        Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Subject, Tenant,
    };
    use sqlx::Row as _;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;

    fn filter(policy: &Policy, role: &str) -> RowFilter {
        let mut principal = Principal::new(
            PrincipalKind::User,
            Subject::new("u1").expect("a subject"),
            Authentication::new(AuthenticationMethod::Token),
        );
        principal.tenant = Some(Tenant {
            org: OrgId::new("acme").expect("an organisation"),
            project: None,
        });
        let subject = policy
            .subject_of(&principal, Attest::i_have_verified_this())
            .roles([role])
            .related_in_database("case_assignments")
            .related("user_departments", ["Sales"])
            .build();
        let context = policy.context(Timestamp::UNIX_EPOCH);
        let filter = policy.filter(&subject, "read", "case", &context);
        filter.expect("it can be pushed")
    }

    #[tokio::test]
    async fn columns_that_ignore_case_are_compared_byte_by_byte_all_the_same() {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(SqliteConnectOptions::new().in_memory(true))
            .await
            .expect("it opens");
        let tables = "
            CREATE TABLE cases (
                id TEXT COLLATE NOCASE, org_id TEXT COLLATE NOCASE, owner_id TEXT COLLATE NOCASE,
                department TEXT COLLATE NOCASE
            );
            CREATE TABLE case_assignments (
                org_id TEXT COLLATE NOCASE, user_id TEXT COLLATE NOCASE, case_id TEXT COLLATE NOCASE
            );
            INSERT INTO cases VALUES
                ('c1', 'acme', 'u1', 'Sales'), ('c2', 'ACME', 'u1', 'Sales'), ('C3', 'acme', 'U1', 'sales'),
                ('c4', 'acme', NULL, NULL);
            INSERT INTO case_assignments VALUES
                ('acme', 'u1', 'c1'), ('acme', 'u1', 'c3'), ('ACME', 'u1', 'c4'), ('acme', 'U1', 'c4');
        ";
        sqlx::raw_sql(tables).execute(&pool).await.expect("tables");
        let policy = ready::rows().expect("a policy");
        for (role, expected) in [
            ("admin", vec!["C3", "c1", "c4"]),
            ("manager", vec!["c1"]),
            ("analyst", vec!["c1"]),
            ("viewer", vec!["c1"]),
            ("nobody", vec![]),
        ] {
            let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM cases WHERE ");
            query.push_filter(&filter(&policy, role), None);
            query.push(" ORDER BY id COLLATE BINARY");
            let found = query.build().fetch_all(&pool).await.expect("it answers");
            let found: Vec<String> = found.iter().map(|row| row.get(0)).collect();
            assert_eq!(found, expected, "{role}");
        }
    }

    #[tokio::test]
    async fn a_column_that_the_table_does_not_have_is_an_error_and_no_text() {
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(SqliteConnectOptions::new().in_memory(true))
            .await
            .expect("it opens");
        // The department has another name than in the policy.
        let tables = "
            CREATE TABLE cases (id TEXT, org_id TEXT, owner_id TEXT, section TEXT);
            CREATE TABLE case_assignments (org_id TEXT, user_id TEXT, case_id TEXT);
            INSERT INTO cases VALUES ('c1', 'acme', 'u1', 'Sales');
        ";
        sqlx::raw_sql(tables).execute(&pool).await.expect("tables");
        let policy = ready::rows().expect("a policy");
        for (role, is_answered) in [("analyst", true), ("manager", false)] {
            for alias in [None, Some("c")] {
                let mut query = QueryBuilder::<Sqlite>::new("SELECT id FROM cases AS c WHERE ");
                query.push_filter(&filter(&policy, role), alias);
                let found = query.build().fetch_all(&pool).await;
                assert_eq!(found.is_ok(), is_answered, "{role} {alias:?}");
            }
        }
    }
}
