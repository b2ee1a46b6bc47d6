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
