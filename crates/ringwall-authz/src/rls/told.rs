//! What a policy compares rows with, as SQL: constants as literals, and what a session was told.

use core::fmt::Write as _;

use crate::compile::Parts;
use crate::filter::{Source, SqlValue, SqlWriter, postgres_time, quoted};
use crate::node::Attribute;
use crate::value::Type;

/// What a directory may hold for a time (RFC 3339 with at most microseconds, days that exist, no year 0, offsets of less
/// than 16 hours): PostgreSQL takes much else for a time, such as `infinity` and `tomorrow`, and ends the statement for
/// what is none.
const TIMESTAMP: &str = concat!(
    "^(?!0000)([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))",
    "|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)",
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-5]):[0-5][0-9])$",
);

/// What a session is told for a time, by [`postgres_time`].
const TOLD_TIMESTAMP: &str = concat!(
    "^(-infinity|[0-9]{4,6}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])",
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z( BC)?)$",
);

/// A text as a number, when it is one that fits: a cast that fails would end the statement.
const INTEGER: &str = "CASE WHEN v ~ '^(0|-?[1-9][0-9]{0,18})$' THEN CASE WHEN CAST(v AS numeric) BETWEEN CAST(-9223372036854775808 AS numeric) AND CAST(9223372036854775807 AS numeric) THEN CAST(v AS bigint) END END";

/// Values of a policy as literals: there are no parameters in a definition.
pub(super) struct Literals<'a>(pub(super) &'a mut String);

impl SqlWriter for Literals<'_> {
    fn text(&mut self, sql: &str) {
        self.0.push_str(sql);
    }

    fn bind(&mut self, value: SqlValue) {
        let literal = match value {
            SqlValue::Text(text) => text_literal(&text),
            SqlValue::Integer(number) => format!("({number})"),
            SqlValue::Boolean(value) => value.to_string().to_uppercase(),
            SqlValue::Timestamp(time) => {
                format!(
                    "CAST({} AS timestamptz)",
                    text_literal(&postgres_time(time))
                )
            }
            SqlValue::Uuid(uuid) => format!("CAST({} AS uuid)", text_literal(&uuid)),
            SqlValue::Texts(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| text_literal(text)).collect();
                format!("ARRAY[{}]::text[]", texts.join(", "))
            }
            SqlValue::Integers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                format!("ARRAY[{}]::bigint[]", numbers.join(", "))
            }
        };
        self.0.push_str(&literal);
    }
}

/// A text as a literal that means the same whatever `standard_conforming_strings` says.
pub(super) fn text_literal(text: &str) -> String {
    if text.contains('\\') {
        format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}

/// Subject and context, as the session was told them.
pub(super) struct Session<'a> {
    pub(super) schema: String,
    /// The table with the attributes of subjects, quoted.
    pub(super) attributes: String,
    pub(super) parts: &'a Parts,
}

impl Session<'_> {
    /// A text of the session in the type that it is compared in. What is no value of the type is unknown, as it is in
    /// the process. Each stands in a query of its own, so that it is computed once for a statement and not for each
    /// row.
    pub(super) fn typed(&self, text: &str, kind: Type) -> String {
        let value = match kind {
            Type::Text | Type::TextSet => return format!("(SELECT {text})"),
            Type::Integer => INTEGER.to_owned(),
            Type::Boolean => "CASE v WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END".to_owned(),
            Type::Timestamp => format!("CASE WHEN v ~ '{TIMESTAMP}' THEN CAST(v AS timestamptz) END"),
            Type::Uuid => "CASE WHEN v ~ '^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$' THEN CAST(v AS uuid) END".to_owned(),
            Type::Level(level) => {
                let mut cases = String::from("CASE v");
                let level = self.parts.levels.get(usize::from(level));
                for (place, member) in level.into_iter().flat_map(|level| &level.members).enumerate() {
                    // Members are words.
                    if write!(cases, " WHEN '{member}' THEN {place}").is_err() {
                        break;
                    }
                }
                cases.push_str(" END");
                cases
            }
        };
        // With an offset the inner query stays what it is, and is not written out wherever `v` stands.
        format!("(SELECT {value} FROM (SELECT {text} OFFSET 0) AS s(v))")
    }

    /// A query for the values that an attribute of the subject has now. `key` is an expression. A call of the function
    /// that answers the same would be planned anew in each statement. That function looks by a path on which there is
    /// more than the system's schema, so operators have theirs: a `varchar` may meet one of somebody else's otherwise.
    pub(super) fn attribute_values(&self, key: &str) -> String {
        let org = self.call("setting", Some("directory_org"));
        let subject = self.call("setting", Some("directory_subject"));
        let now = self.typed(&self.call("setting", Some("now_micros")), Type::Integer);
        format!(
            "SELECT a.\"value\" FROM {} AS a WHERE a.\"org_id\" OPERATOR(pg_catalog.=) (SELECT {org}) \
             AND a.\"user_id\" OPERATOR(pg_catalog.=) (SELECT {subject}) AND a.\"key\" OPERATOR(pg_catalog.=) {key} \
             AND (a.\"expires_at\" IS NULL OR a.\"expires_at\" OPERATOR(pg_catalog.>) {now})",
            self.attributes
        )
    }

    /// Such a query for the attribute at this place.
    fn values_of(&self, place: u16) -> String {
        let attribute = self.parts.subject.attributes.get(usize::from(place));
        let name = attribute.map_or("", |attribute| &*attribute.name);
        self.attribute_values(&text_literal(name))
    }

    pub(super) fn call(&self, function: &str, argument: Option<&str>) -> String {
        let argument = argument.map(text_literal).unwrap_or_default();
        format!("{}.{function}({argument})", quoted(&self.schema))
    }
}

impl Source for Session<'_> {
    fn attribute(&mut self, out: &mut dyn SqlWriter, attribute: Attribute, kind: Type) {
        let name_of = |all: &[crate::compile::shapes::Named], place: u16| {
            all.get(usize::from(place))
                .map_or_else(String::new, |one| one.name.to_string())
        };
        let text = match attribute {
            Attribute::SubjectId => self.call("setting", Some("subject_id")),
            Attribute::SubjectKind => self.call("setting", Some("subject_kind")),
            Attribute::OnBehalfOf => self.call("setting", Some("on_behalf_of")),
            Attribute::Now => self.call("setting", Some("now")),
            Attribute::Context(place) => {
                let name = name_of(&self.parts.context, place);
                self.call("setting", Some(&format!("context_{name}")))
            }
            // The one value; NULL when there is none, and when there are several.
            Attribute::Subject(place) => format!(
                "(SELECT CASE WHEN count(*) = 1 THEN min(s.v) END FROM ({}) AS s(v))",
                self.values_of(place)
            ),
            // Of a row, they are columns.
            Attribute::ResourceId | Attribute::Resource(_) => "NULL".to_owned(),
        };
        let text = match (attribute, kind) {
            // What stands in a directory was written by somebody else.
            (Attribute::Now | Attribute::Context(_), Type::Timestamp) => format!(
                "(SELECT CASE WHEN v ~ '{TOLD_TIMESTAMP}' THEN CAST(v AS timestamptz) END FROM (SELECT {text}) AS s(v))"
            ),
            _ => self.typed(&text, kind),
        };
        out.text(&text);
    }

    fn set(&mut self, out: &mut dyn SqlWriter, place: u16) {
        let values = self.values_of(place);
        out.text(&values);
    }

    fn subject_id(&mut self, out: &mut dyn SqlWriter) {
        let text = self.call("setting", Some("subject_id"));
        let text = self.typed(&text, self.parts.subject.id);
        out.text(&text);
    }

    fn subject_org(&mut self, out: &mut dyn SqlWriter) {
        let text = self.call("setting", Some("org"));
        let text = self.typed(&text, self.parts.subject.tenant);
        out.text(&text);
    }

    fn is_on_behalf(&mut self, out: &mut dyn SqlWriter) {
        // Unknown to a session that was not told.
        let told = self.call("setting", Some("delegated"));
        out.text(&format!("SELECT {told} <> 'false'"));
    }

    fn sets_are_unknown(&self) -> Option<String> {
        let subject = self.call("setting", Some("directory_subject"));
        Some(format!("{subject} IS NULL"))
    }

    fn relation_is_unknown(&self, relation: u16) -> Option<String> {
        let relation = self.parts.relations.get(usize::from(relation))?;
        let knows = self.call("knows_relation", Some(&relation.name));
        Some(format!("NOT {knows}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_means_the_same_whatever_the_server_takes_a_backslash_for() {
        for (text, literal) in [
            ("", "''"),
            ("o'x", "'o''x'"),
            ("\\", r"E'\\'"),
            (
                r"\'; DROP TABLE cases; --",
                r"E'\\''; DROP TABLE cases; --'",
            ),
        ] {
            assert_eq!(text_literal(text), literal, "{text}");
        }
    }
}
