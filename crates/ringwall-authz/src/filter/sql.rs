//! Filters as SQL: the dialects, the values that are bound, and the WHERE of a query.

use ringwall_core::clock::Timestamp;

use super::Rows;
use super::conditions::{Conditions, Precision, Source, bind};
use super::times::postgres_time;
use crate::compile::Parts;
use crate::node::Attribute;
use crate::value::{Type, uuid_text};

/// Which SQL is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// PostgreSQL: texts in `text` columns, times in `timestamptz`, UUIDs in `uuid`, levels in `text`.
    Postgres,
    /// SQLite: times in whole microseconds since 1970, UUIDs in lower-case text, levels in text, truth values as 0
    /// and 1. Tables are best `STRICT`.
    Sqlite,
}

/// A value that is bound to a statement.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SqlValue {
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A truth value.
    Boolean(bool),
    /// A time, for SQLite, which keeps its microseconds. For PostgreSQL it is a text, which the statement turns into a
    /// `timestamptz`.
    Timestamp(Timestamp),
    /// A UUID. For SQLite its text, for PostgreSQL a text that the statement turns into a `uuid`.
    Uuid(String),
    /// Texts: for PostgreSQL an array, for SQLite a JSON array.
    Texts(Vec<String>),
    /// Whole numbers: for PostgreSQL an array, for SQLite a JSON array.
    Integers(Vec<i64>),
}

/// Takes a condition: its text, and its values between.
pub trait SqlWriter {
    /// Text without any value.
    fn text(&mut self, sql: &str);
    /// A parameter: writes its placeholder, and binds it.
    fn bind(&mut self, value: SqlValue);
}

/// `name` as an identifier; parts are separated by dots.
pub(crate) fn quoted(name: &str) -> String {
    let parts: Vec<String> = name
        .split('.')
        .map(|part| format!("\"{}\"", part.replace('"', "\"\"")))
        .collect();
    parts.join(".")
}

/// In a query, all but the rows' own attributes was answered before.
struct Answered<'a> {
    rows: &'a Rows,
    parts: &'a Parts,
}

impl Source for Answered<'_> {
    fn attribute(&mut self, out: &mut dyn SqlWriter, _: Attribute, _: Type) {
        out.text("NULL");
    }

    fn set(&mut self, out: &mut dyn SqlWriter, _: u16) {
        out.text("SELECT NULL WHERE FALSE");
    }

    fn subject_id(&mut self, out: &mut dyn SqlWriter) {
        bind(out, self.rows.subject.known().id());
    }

    fn subject_org(&mut self, out: &mut dyn SqlWriter) {
        let tenant = self.rows.subject.tenant();
        let org = tenant.map_or("", |tenant| tenant.org.as_str());
        bind_tenant(out, org, self.parts.subject.tenant);
    }

    fn is_on_behalf(&mut self, out: &mut dyn SqlWriter) {
        out.text("FALSE");
    }

    fn sets_are_unknown(&self) -> Option<String> {
        None
    }

    fn relation_is_unknown(&self, _: u16) -> Option<String> {
        None
    }
}

/// The values of a dialect come with the casts that they need.
struct Casting<'a> {
    dialect: Dialect,
    out: &'a mut dyn SqlWriter,
}

impl SqlWriter for Casting<'_> {
    fn text(&mut self, sql: &str) {
        self.out.text(sql);
    }

    fn bind(&mut self, value: SqlValue) {
        let (value, cast) = match (self.dialect, value) {
            (Dialect::Postgres, SqlValue::Timestamp(time)) => {
                (SqlValue::Text(postgres_time(time)), Some("timestamptz"))
            }
            (Dialect::Postgres, value @ SqlValue::Uuid(_)) => (value, Some("uuid")),
            (Dialect::Postgres | Dialect::Sqlite, value) => (value, None),
        };
        match cast {
            None => self.out.bind(value),
            Some(kind) => {
                self.out.text("CAST(");
                self.out.bind(value);
                self.out.text(" AS ");
                self.out.text(kind);
                self.out.text(")");
            }
        }
    }
}

impl Rows {
    /// Writes the condition, in parentheses, so that it can stand anywhere in a WHERE. `alias` is the name of the
    /// table in the statement, if it has one there.
    ///
    /// The text depends on the policy, on the subject's roles and on which of its attributes are known, and not on
    /// any value: statements can be prepared once.
    pub fn write(&self, dialect: Dialect, alias: Option<&str>, out: &mut dyn SqlWriter) {
        let compiled = self.policy.compiled();
        let found = compiled.resource_type(self.resource);
        let Some((resource, table)) =
            found.and_then(|resource| Some((resource, resource.table.as_ref()?)))
        else {
            out.text("(FALSE)");
            return;
        };
        let parts = &compiled.parts;
        let out = &mut Casting { dialect, out };
        let prefix = alias.map(quoted).unwrap_or_default();
        let mut conditions = Conditions {
            dialect,
            parts,
            resource,
            prefix: &prefix,
            source: Answered { rows: self, parts },
        };
        out.text("((");
        conditions.key(out, &table.org);
        out.text(" = ");
        conditions.source.subject_org(out);
        out.text(")");
        let project = self
            .subject
            .tenant()
            .and_then(|tenant| tenant.project.as_ref());
        if let (Some(column), Some(project)) = (&table.project, project) {
            out.text(" AND (");
            conditions.key(out, column);
            out.text(" = ");
            bind_tenant(out, project.as_str(), parts.subject.tenant);
            out.text(")");
        }
        if !self.permits.is_empty() {
            out.text(" AND ");
            conditions.any(out, &self.permits, Precision::TrueOrNot);
        }
        if !self.forbids.is_empty() {
            out.text(" AND (");
            conditions.any(out, &self.forbids, Precision::Exact);
            out.text(" IS FALSE)");
        }
        out.text(")");
    }
}

fn bind_tenant(out: &mut dyn SqlWriter, text: &str, kind: Type) {
    if kind == Type::Uuid {
        match crate::value::parse_uuid(text) {
            Some(uuid) => out.bind(SqlValue::Uuid(uuid_text(uuid))),
            // No row has it.
            None => out.text("NULL"),
        }
    } else {
        out.bind(SqlValue::Text(text.to_owned()));
    }
}
