//! Row filters in statements.

use ringwall_authz::{Dialect, RowFilter, Rows, SqlValue, SqlWriter};
use sqlx::{Postgres, QueryBuilder};

/// Puts a row filter into a statement.
pub trait PushRows {
    /// Writes the condition of `rows`, in parentheses, with its values as parameters of this statement: whatever was
    /// bound before keeps its number. `alias` is the name of the table in the statement, if it has one.
    ///
    /// ```
    /// # use ringwall_authz::Rows;
    /// # use sqlx::{Postgres, QueryBuilder};
    /// use ringwall_postgres::PushRows as _;
    ///
    /// # fn example(rows: &Rows) {
    /// let mut query = QueryBuilder::<Postgres>::new("SELECT id, title FROM cases WHERE status = ");
    /// query.push_bind("open").push(" AND ").push_rows(rows, None).push(" ORDER BY id LIMIT 50");
    /// # }
    /// ```
    fn push_rows(&mut self, rows: &Rows, alias: Option<&str>) -> &mut Self;

    /// Writes the condition of `filter`: that of its rows, or `FALSE` where there are none. A statement that left it out
    /// there would list everything.
    fn push_filter(&mut self, filter: &RowFilter, alias: Option<&str>) -> &mut Self;
}

impl PushRows for QueryBuilder<Postgres> {
    fn push_rows(&mut self, rows: &Rows, alias: Option<&str>) -> &mut Self {
        rows.write(Dialect::Postgres, alias, &mut Writer(self));
        self
    }

    fn push_filter(&mut self, filter: &RowFilter, alias: Option<&str>) -> &mut Self {
        match filter.rows() {
            Some(rows) => self.push_rows(rows, alias),
            None => self.push("(FALSE)"),
        }
    }
}

struct Writer<'a>(&'a mut QueryBuilder<Postgres>);

impl SqlWriter for Writer<'_> {
    fn text(&mut self, sql: &str) {
        self.0.push(sql);
    }

    fn bind(&mut self, value: SqlValue) {
        match value {
            SqlValue::Text(text) | SqlValue::Uuid(text) => self.0.push_bind(text),
            SqlValue::Integer(number) => self.0.push_bind(number),
            SqlValue::Boolean(value) => self.0.push_bind(value),
            SqlValue::Timestamp(time) => self.0.push_bind(time.to_string()),
            SqlValue::Texts(texts) => self.0.push_bind(texts),
            SqlValue::Integers(numbers) => self.0.push_bind(numbers),
            // What this version does not know is null, for which no condition holds.
            _ => self.0.push("NULL"),
        };
    }
}
