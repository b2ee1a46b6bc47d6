//! The conditions of rules as SQL.
//!
//! One writer for both dialects and for what is asked in queries and in row-level security, so that a condition is
//! compiled in one place. Every node stands in parentheses, every value is a bound parameter, and names come from the
//! policy alone, quoted.

use core::fmt::Write as _;

use ringwall_core::clock::Timestamp;

use super::sql::{Dialect, SqlValue, SqlWriter, quoted};
use crate::compile::Parts;
use crate::compile::shapes::ResourceType;
use crate::node::{Attribute, Comparison, Node, Term};
use crate::truth::Truth;
use crate::value::{Datum, OwnedDatum, Type, uuid_text};

/// Whether the difference between false and unknown matters where a condition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Precision {
    /// It does not: only whether it is true.
    TrueOrNot,
    Exact,
}

/// Where the values of subject and context come from.
pub(crate) trait Source {
    /// Writes what stands for an attribute that is not of the row.
    fn attribute(&mut self, out: &mut dyn SqlWriter, attribute: Attribute, kind: Type);
    /// Writes the values of a set of the subject, as a query.
    fn set(&mut self, out: &mut dyn SqlWriter, place: u16);
    /// Writes the subject's id and its organisation, for a relation.
    fn subject_id(&mut self, out: &mut dyn SqlWriter);
    fn subject_org(&mut self, out: &mut dyn SqlWriter);
    /// Writes whether the subject acts for somebody.
    fn is_on_behalf(&mut self, out: &mut dyn SqlWriter);
    /// What is true when nobody told the sets of the subject, where that is found out by the database.
    fn sets_are_unknown(&self) -> Option<String>;
    /// The same of a relation.
    fn relation_is_unknown(&self, relation: u16) -> Option<String>;
}

/// Writes conditions on the rows of one type of resource.
pub(crate) struct Conditions<'a, S> {
    pub(crate) dialect: Dialect,
    pub(crate) parts: &'a Parts,
    pub(crate) resource: &'a ResourceType,
    /// Stands before each column, with a dot, if it is not empty.
    pub(crate) prefix: &'a str,
    pub(crate) source: S,
}

pub(super) fn bind(out: &mut dyn SqlWriter, value: Datum<'_>) {
    match value {
        Datum::Unknown => out.text("NULL"),
        Datum::Text(text) => out.bind(SqlValue::Text(text.to_owned())),
        Datum::Integer(number) => out.bind(SqlValue::Integer(number)),
        Datum::Boolean(value) => out.bind(SqlValue::Boolean(value)),
        Datum::Timestamp(micros) => {
            out.bind(SqlValue::Timestamp(Timestamp::from_unix_micros(micros)));
        }
        Datum::Uuid(uuid) => out.bind(SqlValue::Uuid(uuid_text(uuid))),
        Datum::Level(place) => out.bind(SqlValue::Integer(i64::from(place))),
    }
}

impl<S: Source> Conditions<'_, S> {
    pub(crate) fn column(&self, out: &mut dyn SqlWriter, name: &str) {
        if !self.prefix.is_empty() {
            out.text(self.prefix);
            out.text(".");
        }
        match self.dialect {
            Dialect::Postgres => out.text(&quoted(name)),
            // What stands between double quotes and is no column, SQLite takes for a text; this is always a name.
            Dialect::Sqlite => out.text(&format!("`{}`", name.replace('`', "``"))),
        }
    }

    /// A column by which rows are apart. SQLite would compare it as the column says.
    pub(super) fn key(&self, out: &mut dyn SqlWriter, name: &str) {
        self.column(out, name);
        out.text(self.bytewise());
    }

    const fn bytewise(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "",
            Dialect::Sqlite => " COLLATE BINARY",
        }
    }

    /// `(a OR b)`.
    pub(crate) fn any(&mut self, out: &mut dyn SqlWriter, nodes: &[Node], precision: Precision) {
        self.joined(out, nodes, " OR ", precision);
    }

    fn joined(&mut self, out: &mut dyn SqlWriter, nodes: &[Node], by: &str, precision: Precision) {
        out.text("(");
        for (index, node) in nodes.iter().enumerate() {
            if index > 0 {
                out.text(by);
            }
            self.node(out, node, precision);
        }
        out.text(")");
    }

    /// One condition, in parentheses.
    pub(crate) fn node(&mut self, out: &mut dyn SqlWriter, node: &Node, precision: Precision) {
        match node {
            Node::Known(truth) => self.known(out, *truth),
            Node::All(nodes) if nodes.is_empty() => self.known(out, Truth::True),
            Node::Any(nodes) if nodes.is_empty() => self.known(out, Truth::False),
            Node::All(nodes) => self.joined(out, nodes, " AND ", precision),
            Node::Any(nodes) => self.joined(out, nodes, " OR ", precision),
            Node::Not(inner) => {
                out.text("(NOT ");
                self.node(out, inner, Precision::Exact);
                out.text(")");
            }
            Node::IsSet(attribute) => self.is_set(out, *attribute, precision),
            Node::Compare(comparison, left, right) => {
                out.text("(");
                self.comparison(out, *comparison, left, right, precision);
                out.text(")");
            }
            Node::OneOf(term, members) => self.one_of(out, term, members),
            Node::Member(term, set) => {
                let unknown = self.source.sets_are_unknown();
                self.unless_unknown(out, unknown, precision, |own, out| {
                    own.term(out, term, false);
                    out.text(" IN (");
                    own.source.set(out, *set);
                    out.text(")");
                    own.unless_null(out, term, precision);
                });
            }
            Node::Related(relation, term) => {
                let unknown = self.source.relation_is_unknown(*relation);
                self.unless_unknown(out, unknown, precision, |own, out| {
                    own.related(out, *relation, term);
                    own.unless_null(out, term, precision);
                });
            }
        }
    }

    /// What is there and no value of its type is set, perhaps.
    fn is_set(&mut self, out: &mut dyn SqlWriter, attribute: Attribute, precision: Precision) {
        out.text("(");
        if attribute == Attribute::OnBehalfOf {
            self.source.is_on_behalf(out);
            out.text(")");
            return;
        }
        self.attribute(out, attribute, false);
        out.text(" IS NOT NULL");
        let is_level = matches!(self.type_of(attribute), Type::Level(_));
        match attribute {
            _ if precision == Precision::TrueOrNot => {}
            Attribute::ResourceId | Attribute::Resource(_) if is_level => {
                out.text(" OR (");
                self.raw(out, attribute);
                out.text(" IS NOT NULL AND ");
                self.known(out, Truth::Unknown);
                out.text(")");
            }
            Attribute::SubjectId => {
                out.text(" OR ");
                self.known(out, Truth::Unknown);
            }
            Attribute::Subject(place) => {
                out.text(" OR (EXISTS (");
                self.source.set(out, place);
                out.text(") AND ");
                self.known(out, Truth::Unknown);
                out.text(")");
            }
            Attribute::ResourceId
            | Attribute::Resource(_)
            | Attribute::SubjectKind
            | Attribute::OnBehalfOf
            | Attribute::Context(_)
            | Attribute::Now => {}
        }
        out.text(")");
    }

    fn known(&self, out: &mut dyn SqlWriter, truth: Truth) {
        out.text(match (self.dialect, truth) {
            (_, Truth::True) => "(TRUE)",
            (_, Truth::False) => "(FALSE)",
            (Dialect::Postgres, Truth::Unknown) => "(NULL::boolean)",
            (Dialect::Sqlite, Truth::Unknown) => "(NULL)",
        });
    }

    /// A membership in what nobody told is unknown, and not false as it is in what is empty.
    fn unless_unknown(
        &mut self,
        out: &mut dyn SqlWriter,
        unknown: Option<String>,
        precision: Precision,
        write: impl FnOnce(&mut Self, &mut dyn SqlWriter),
    ) {
        let (before, after) = match (unknown, precision) {
            (None, _) => ("(".to_owned(), ")"),
            // Beside others with AND, so that an index serves.
            (Some(unknown), Precision::TrueOrNot) => {
                (format!("((SELECT NOT ({unknown})) AND ("), "))")
            }
            (Some(unknown), Precision::Exact) => (
                format!("(CASE WHEN (SELECT {unknown}) THEN NULL::boolean ELSE ("),
                ") END)",
            ),
        };
        out.text(&before);
        write(self, out);
        out.text(after);
    }

    /// A membership in what turns out to be empty is false in SQL also for NULL; it has to be unknown.
    fn unless_null(&mut self, out: &mut dyn SqlWriter, term: &Term, precision: Precision) {
        if precision == Precision::Exact && matches!(term, Term::Attribute(_)) {
            out.text(" OR (");
            self.term(out, term, false);
            out.text(" IS NULL AND ");
            self.known(out, Truth::Unknown);
            out.text(")");
        }
    }

    fn comparison(
        &mut self,
        out: &mut dyn SqlWriter,
        comparison: Comparison,
        left: &Term,
        right: &Term,
        precision: Precision,
    ) {
        // A level that is compared with a constant is one of some names: an index on the column serves for it. A name
        // that is none of the level's is unknown and not false, which only matters for what is not a permit's.
        if let (
            Term::Attribute(attribute),
            Term::Constant(OwnedDatum::Level(place)),
            Precision::TrueOrNot,
        ) = (left, right, precision)
            && attribute.is_of_resource()
            && let Type::Level(level) = self.type_of(*attribute)
            && let Some(level) = self.parts.levels.get(usize::from(level))
        {
            let names = (0_u8..).zip(&level.members);
            let names = names.filter(|(own, _)| comparison.holds(own.cmp(place)));
            let names = names.map(|(_, name)| name.to_string()).collect();
            out.text("(");
            self.raw(out, *attribute);
            out.text(self.bytewise());
            out.text(")");
            self.is_one_of(out, SqlValue::Texts(names));
            return;
        }
        // Two columns may have two collations, and PostgreSQL ends the statement unless it is told one.
        let is_column = |term: &Term| term.attribute().is_some_and(Attribute::is_of_resource);
        let is_collated = !matches!(comparison, Comparison::Eq | Comparison::Ne)
            || (is_column(left) && is_column(right));
        self.term(out, left, is_collated);
        out.text(" ");
        out.text(comparison.sign());
        out.text(" ");
        self.term(out, right, false);
    }

    fn one_of(&mut self, out: &mut dyn SqlWriter, term: &Term, members: &[OwnedDatum]) {
        out.text("(");
        let Some(values) = values(members) else {
            // Nothing is one of nothing; what is NULL is unknown.
            self.term(out, term, false);
            out.text(" IS NULL AND ");
            self.known(out, Truth::Unknown);
            out.text(")");
            return;
        };
        let is_uuid = matches!(members.first(), Some(OwnedDatum::Uuid(_)));
        self.term(out, term, false);
        match self.dialect {
            Dialect::Postgres if is_uuid => {
                out.text(" = ANY(CAST(");
                out.bind(values);
                out.text(" AS uuid[]))");
            }
            Dialect::Postgres | Dialect::Sqlite => self.is_one_of(out, values),
        }
        out.text(")");
    }

    fn is_one_of(&self, out: &mut dyn SqlWriter, values: SqlValue) {
        match self.dialect {
            Dialect::Postgres => {
                out.text(" = ANY(");
                out.bind(values);
                out.text(")");
            }
            Dialect::Sqlite => {
                out.text(" IN (SELECT value FROM json_each(");
                out.bind(values);
                out.text("))");
            }
        }
    }

    fn related(&mut self, out: &mut dyn SqlWriter, relation: u16, term: &Term) {
        let table = self
            .parts
            .relations
            .get(usize::from(relation))
            .and_then(|relation| relation.table.as_ref());
        let Some(table) = table else {
            self.known(out, Truth::Unknown);
            return;
        };
        let value = quoted(&table.value);
        self.term(out, term, false);
        let bytewise = self.bytewise();
        out.text(&format!(
            " IN (SELECT \"r\".{value} FROM {} AS \"r\" WHERE \"r\".{}{bytewise} = ",
            quoted(&table.name),
            quoted(&table.subject)
        ));
        self.source.subject_id(out);
        out.text(&format!(" AND \"r\".{}{bytewise} = ", quoted(&table.org)));
        self.source.subject_org(out);
        out.text(&format!(" AND \"r\".{value} IS NOT NULL)"));
    }

    fn term(&mut self, out: &mut dyn SqlWriter, term: &Term, is_collated: bool) {
        match term {
            Term::Attribute(attribute) => self.attribute(out, *attribute, is_collated),
            Term::Constant(value) => bind(out, value.get()),
        }
    }

    /// An attribute as it is compared. Texts are compared by their bytes.
    fn attribute(&mut self, out: &mut dyn SqlWriter, attribute: Attribute, is_collated: bool) {
        let kind = self.type_of(attribute);
        match (kind, self.dialect) {
            (Type::Text, Dialect::Postgres) if is_collated => {
                out.text("(");
                self.raw(out, attribute);
                out.text(" COLLATE \"C\")");
            }
            (Type::Text | Type::Uuid, Dialect::Sqlite) => {
                out.text("(");
                self.raw(out, attribute);
                out.text(" COLLATE BINARY)");
            }
            (Type::Level(level), _) if attribute.is_of_resource() => {
                out.text("(CASE ");
                self.raw(out, attribute);
                out.text(self.bytewise());
                let level = self.parts.levels.get(usize::from(level));
                let members = level.into_iter().flat_map(|level| &level.members);
                let mut cases = String::new();
                for (place, member) in members.enumerate() {
                    // Members are words: letters, digits and underscores.
                    if write!(cases, " WHEN '{member}' THEN {place}").is_err() {
                        return;
                    }
                }
                out.text(&cases);
                out.text(" END)");
            }
            (
                Type::Text
                | Type::Integer
                | Type::Boolean
                | Type::Timestamp
                | Type::Uuid
                | Type::Level(_)
                | Type::TextSet,
                Dialect::Postgres | Dialect::Sqlite,
            ) => self.raw(out, attribute),
        }
    }

    fn raw(&mut self, out: &mut dyn SqlWriter, attribute: Attribute) {
        let column = match attribute {
            Attribute::ResourceId => self.resource.table.as_ref().map(|table| &table.id),
            Attribute::Resource(place) => self
                .resource
                .attributes
                .get(usize::from(place))
                .and_then(|attribute| attribute.column.as_ref()),
            Attribute::SubjectId
            | Attribute::SubjectKind
            | Attribute::OnBehalfOf
            | Attribute::Subject(_)
            | Attribute::Context(_)
            | Attribute::Now => {
                let kind = self.type_of(attribute);
                self.source.attribute(out, attribute, kind);
                return;
            }
        };
        match column {
            Some(column) => {
                let column = column.clone();
                self.column(out, &column);
            }
            // Refused before.
            None => out.text("NULL"),
        }
    }

    fn type_of(&self, attribute: Attribute) -> Type {
        let named = |all: &[crate::compile::shapes::Named], place: u16| {
            all.get(usize::from(place))
                .map_or(Type::Text, |one| one.kind)
        };
        match attribute {
            Attribute::ResourceId => self.resource.id,
            Attribute::Resource(place) => self
                .resource
                .attributes
                .get(usize::from(place))
                .map_or(Type::Text, |attribute| attribute.kind),
            Attribute::SubjectId | Attribute::OnBehalfOf => self.parts.subject.id,
            Attribute::SubjectKind => Type::Text,
            Attribute::Subject(place) => named(&self.parts.subject.attributes, place),
            Attribute::Context(place) => named(&self.parts.context, place),
            Attribute::Now => Type::Timestamp,
        }
    }
}

/// The members as one value. `None` when there are none; of truth values and times no sets are made.
fn values(members: &[OwnedDatum]) -> Option<SqlValue> {
    let numbers: Vec<i64> = members
        .iter()
        .filter_map(|member| match member {
            OwnedDatum::Integer(number) => Some(*number),
            OwnedDatum::Level(place) => Some(i64::from(*place)),
            OwnedDatum::Unknown
            | OwnedDatum::Text(_)
            | OwnedDatum::Boolean(_)
            | OwnedDatum::Timestamp(_)
            | OwnedDatum::Uuid(_) => None,
        })
        .collect();
    let texts: Vec<String> = members
        .iter()
        .filter_map(|member| match member {
            OwnedDatum::Text(text) => Some(text.to_string()),
            OwnedDatum::Uuid(uuid) => Some(uuid_text(*uuid)),
            OwnedDatum::Unknown
            | OwnedDatum::Integer(_)
            | OwnedDatum::Boolean(_)
            | OwnedDatum::Timestamp(_)
            | OwnedDatum::Level(_) => None,
        })
        .collect();
    if !texts.is_empty() {
        return Some(SqlValue::Texts(texts));
    }
    (!numbers.is_empty()).then_some(SqlValue::Integers(numbers))
}
