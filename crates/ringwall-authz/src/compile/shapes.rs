//! What is known about subjects, resources and circumstances, and where it stands.

use super::names::{check_identifier, check_word};
use crate::document::{PolicyDocument, RelationDefinition};
use crate::fault::Faults;
use crate::value::{Level, Type};
use ringwall_core::classification::Sensitivity;

/// The most attributes of one type of resource, of subjects, or of the context.
pub const MAX_ATTRIBUTES: usize = 64;
/// The most types of resource.
pub const MAX_RESOURCE_TYPES: usize = 1024;
/// The most actions of one type of resource.
pub const MAX_ACTIONS: usize = 256;
/// The most relations.
pub const MAX_RELATIONS: usize = 64;
/// The most levels.
const MAX_LEVELS: usize = 64;
/// The most members of a level: they are counted in a byte.
const MAX_LEVEL_MEMBERS: usize = 255;

/// A name and a type.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) name: Box<str>,
    pub(crate) kind: Type,
}

/// What is known about subjects.
#[derive(Debug)]
pub(crate) struct SubjectShape {
    pub(crate) id: Type,
    pub(crate) tenant: Type,
    pub(crate) attributes: Vec<Named>,
    pub(crate) credential_wildcards: bool,
}

/// A relation, and the table with its pairs.
#[derive(Debug)]
pub(crate) struct Relation {
    pub(crate) name: Box<str>,
    pub(crate) value: Type,
    pub(crate) table: Option<RelationTable>,
}

#[derive(Debug)]
pub(crate) struct RelationTable {
    pub(crate) name: Box<str>,
    pub(crate) subject: Box<str>,
    pub(crate) value: Box<str>,
    pub(crate) org: Box<str>,
}

/// A type of resource, without its rules.
#[derive(Debug)]
pub(crate) struct ResourceType {
    pub(crate) name: Box<str>,
    pub(crate) actions: Vec<Box<str>>,
    pub(crate) attributes: Vec<ResourceAttribute>,
    pub(crate) id: Type,
    pub(crate) tenantless: bool,
    pub(crate) table: Option<Table>,
}

#[derive(Debug)]
pub(crate) struct ResourceAttribute {
    pub(crate) name: Box<str>,
    pub(crate) kind: Type,
    /// `None` when only the service can tell it.
    pub(crate) column: Option<Box<str>>,
    /// Whether a row keeps it.
    pub(crate) fixed: bool,
}

/// The table of a type of resource.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: Box<str>,
    pub(crate) id: Box<str>,
    pub(crate) org: Box<str>,
    pub(crate) project: Option<Box<str>>,
    /// The actions of SELECT, INSERT, UPDATE and DELETE.
    pub(crate) commands: [Option<u16>; 4],
}

impl ResourceType {
    /// Whether what is of this type can belong to a project. Where no table says otherwise, it can.
    pub(crate) fn has_projects(&self) -> bool {
        self.table
            .as_ref()
            .is_none_or(|table| table.project.is_some())
    }

    pub(crate) fn action(&self, name: &str) -> Option<u16> {
        let place = self.actions.iter().position(|action| &**action == name)?;
        u16::try_from(place).ok()
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<(u16, &ResourceAttribute)> {
        (0_u16..)
            .zip(&self.attributes)
            .find(|(_, attribute)| &*attribute.name == name)
    }
}

/// The place and the type of the one of this name.
pub(crate) fn find(all: &[Named], name: &str) -> Option<(u16, Type)> {
    (0_u16..)
        .zip(all)
        .find(|(_, one)| &*one.name == name)
        .map(|(place, one)| (place, one.kind))
}

/// The levels: the policy's own, and `sensitivity`.
pub(super) fn levels(document: &PolicyDocument, faults: &mut Faults) -> Vec<Level> {
    let mut levels = vec![Level {
        name: "sensitivity".into(),
        members: Sensitivity::ALL.map(|level| level.as_str().into()).into(),
    }];
    bound(
        faults,
        "levels",
        "levels",
        document.levels.len(),
        MAX_LEVELS,
    );
    for (name, members) in document.levels.iter().take(MAX_LEVELS) {
        let path = format!("levels.{name}");
        check_word(faults, &path, "the level", name);
        if is_type_name(name) || name == "sensitivity" {
            faults.add(
                &path,
                format!("{name:?} is the name of a type that is always there"),
            );
        }
        if members.len() < 2 || members.len() > MAX_LEVEL_MEMBERS {
            faults.add(
                &path,
                format!(
                    "a level has 2 to {MAX_LEVEL_MEMBERS} members, from the least to the greatest"
                ),
            );
        }
        for (index, member) in members.iter().take(MAX_LEVEL_MEMBERS).enumerate() {
            check_word(faults, &format!("{path}[{index}]"), "the member", member);
            if members.iter().take(index).any(|other| other == member) {
                faults.add(
                    format!("{path}[{index}]"),
                    format!("{member:?} stands twice"),
                );
            }
        }
        levels.push(Level {
            name: name.as_str().into(),
            members: members
                .iter()
                .take(MAX_LEVEL_MEMBERS)
                .map(|member| member.as_str().into())
                .collect(),
        });
    }
    levels
}

fn is_type_name(name: &str) -> bool {
    matches!(
        name,
        "text" | "integer" | "boolean" | "timestamp" | "uuid" | "text_set"
    )
}

pub(super) fn read_type(
    faults: &mut Faults,
    path: &str,
    name: &str,
    levels: &[Level],
    permitted: fn(Type) -> bool,
) -> Type {
    let kind = match name {
        "text" => Some(Type::Text),
        "integer" => Some(Type::Integer),
        "boolean" => Some(Type::Boolean),
        "timestamp" => Some(Type::Timestamp),
        "uuid" => Some(Type::Uuid),
        "text_set" => Some(Type::TextSet),
        other => levels
            .iter()
            .position(|level| &*level.name == other)
            .and_then(|place| u16::try_from(place).ok())
            .map(Type::Level),
    };
    match kind {
        Some(kind) if permitted(kind) => return kind,
        Some(_) => faults.add(path, format!("the type {name:?} is not possible here")),
        None => {
            let known: Vec<&str> = levels.iter().map(|level| &*level.name).collect();
            faults.add(
                path,
                format!(
                    "there is no type {name:?}: it is text, integer, boolean, timestamp, uuid, text_set, or a level ({})",
                    known.join(", ")
                ),
            );
        }
    }
    Type::Text
}

const fn is_key(kind: Type) -> bool {
    matches!(kind, Type::Text | Type::Uuid)
}

pub(super) const fn is_row_key(kind: Type) -> bool {
    matches!(kind, Type::Text | Type::Uuid | Type::Integer)
}

pub(super) const fn is_scalar(kind: Type) -> bool {
    !matches!(kind, Type::TextSet)
}

pub(super) fn subject(
    document: &PolicyDocument,
    levels: &[Level],
    faults: &mut Faults,
) -> SubjectShape {
    let definition = &document.subject;
    let mut key = |path: &str, name: &Option<String>| {
        let name = name.as_deref().unwrap_or("text");
        read_type(faults, path, name, levels, is_key)
    };
    let id = key("subject.id", &definition.id);
    let tenant = key("subject.tenant", &definition.tenant);
    let attributes = named(
        faults,
        "subject.attributes",
        &definition.attributes,
        levels,
        &[
            "id",
            "kind",
            "on_behalf_of",
            "org",
            "project",
            "roles",
            "scopes",
        ],
        |_| true,
    );
    SubjectShape {
        id,
        tenant,
        attributes,
        credential_wildcards: definition.credential_wildcards,
    }
}

pub(super) fn context(
    document: &PolicyDocument,
    levels: &[Level],
    faults: &mut Faults,
) -> Vec<Named> {
    named(
        faults,
        "context",
        &document.context,
        levels,
        &["now"],
        is_scalar,
    )
}

fn named(
    faults: &mut Faults,
    path: &str,
    all: &std::collections::BTreeMap<String, String>,
    levels: &[Level],
    reserved: &[&str],
    permitted: fn(Type) -> bool,
) -> Vec<Named> {
    bound(faults, path, "attributes", all.len(), MAX_ATTRIBUTES);
    all.iter()
        .take(MAX_ATTRIBUTES)
        .map(|(name, kind)| {
            let path = format!("{path}.{name}");
            check_word(faults, &path, "the attribute", name);
            if reserved.contains(&name.as_str()) {
                faults.add(
                    &path,
                    format!("{name:?} is always there and needs no declaration"),
                );
            }
            Named {
                name: name.as_str().into(),
                kind: read_type(faults, &path, kind, levels, permitted),
            }
        })
        .collect()
}

pub(super) fn relations(
    document: &PolicyDocument,
    levels: &[Level],
    faults: &mut Faults,
) -> Vec<Relation> {
    bound(
        faults,
        "relations",
        "relations",
        document.relations.len(),
        MAX_RELATIONS,
    );
    document
        .relations
        .iter()
        .take(MAX_RELATIONS)
        .map(|(name, definition)| {
            let path = format!("relations.{name}");
            check_word(faults, &path, "the relation", name);
            Relation {
                name: name.as_str().into(),
                value: read_type(
                    faults,
                    &format!("{path}.value"),
                    &definition.value,
                    levels,
                    is_row_key,
                ),
                table: relation_table(faults, &path, definition),
            }
        })
        .collect()
}

fn relation_table(
    faults: &mut Faults,
    path: &str,
    definition: &RelationDefinition,
) -> Option<RelationTable> {
    let columns = [
        ("subject_column", &definition.subject_column, "user_id"),
        ("value_column", &definition.value_column, "value"),
        ("org_column", &definition.org_column, "org_id"),
    ];
    let Some(table) = &definition.table else {
        for (field, column, _) in columns {
            if column.is_some() {
                faults.add(
                    format!("{path}.{field}"),
                    "there is no table that it could be a column of",
                );
            }
        }
        return None;
    };
    check_identifier(faults, &format!("{path}.table"), "the table", table, 2);
    let [subject, value, org] = columns.map(|(field, column, default)| {
        let column = column.as_deref().unwrap_or(default);
        check_identifier(faults, &format!("{path}.{field}"), "the column", column, 1);
        Box::from(column)
    });
    Some(RelationTable {
        name: table.as_str().into(),
        subject,
        value,
        org,
    })
}

pub(super) fn bound(faults: &mut Faults, path: &str, what: &str, number: usize, most: usize) {
    if number > most {
        faults.add(
            path,
            format!("there are {number} {what}, and {most} are the most"),
        );
    }
}
