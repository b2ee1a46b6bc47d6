//! What is known about subjects, resources and circumstances, and where it stands.

use std::collections::HashMap;

use super::names::{check_identifier, check_word};
use crate::document::{AttributePlace, PolicyDocument, RelationDefinition, ResourceDefinition};
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

fn read_type(
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

const fn is_row_key(kind: Type) -> bool {
    matches!(kind, Type::Text | Type::Uuid | Type::Integer)
}

const fn is_scalar(kind: Type) -> bool {
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

pub(super) fn resources(
    document: &PolicyDocument,
    levels: &[Level],
    faults: &mut Faults,
) -> Vec<ResourceType> {
    bound(
        faults,
        "resources",
        "types of resource",
        document.resources.len(),
        MAX_RESOURCE_TYPES,
    );
    document
        .resources
        .iter()
        .take(MAX_RESOURCE_TYPES)
        .map(|(name, definition)| resource(name, definition, levels, faults))
        .collect()
}

fn resource(
    name: &str,
    definition: &ResourceDefinition,
    levels: &[Level],
    faults: &mut Faults,
) -> ResourceType {
    let path = format!("resources.{name}");
    check_word(faults, &path, "the type of resource", name);
    let actions_path = format!("{path}.actions");
    if definition.actions.is_empty() {
        faults.add(&actions_path, "nothing can be done to it: name its actions");
    }
    bound(
        faults,
        &actions_path,
        "actions",
        definition.actions.len(),
        MAX_ACTIONS,
    );
    let mut actions: Vec<Box<str>> = Vec::new();
    for (index, action) in definition.actions.iter().take(MAX_ACTIONS).enumerate() {
        let path = format!("{actions_path}[{index}]");
        check_word(faults, &path, "the action", action);
        if actions.iter().any(|other| **other == **action) {
            faults.add(path, format!("the action {action:?} stands twice"));
        }
        actions.push(action.as_str().into());
    }
    let attributes_path = format!("{path}.attributes");
    bound(
        faults,
        &attributes_path,
        "attributes",
        definition.attributes.len(),
        MAX_ATTRIBUTES,
    );
    let attributes = definition
        .attributes
        .iter()
        .take(MAX_ATTRIBUTES)
        .map(|(name, attribute)| {
            let path = format!("{attributes_path}.{name}");
            check_word(faults, &path, "the attribute", name);
            if matches!(name.as_str(), "id" | "org" | "project") {
                faults.add(
                    &path,
                    format!("{name:?} is always there and needs no declaration"),
                );
            }
            let column = match &attribute.place {
                AttributePlace::SameColumn => Some(name.as_str()),
                AttributePlace::Column(column) => Some(column.as_str()),
                AttributePlace::Computed => None,
            };
            if let Some(column) = column {
                check_identifier(faults, &path, "the column", column, 1);
            }
            ResourceAttribute {
                name: name.as_str().into(),
                kind: read_type(faults, &path, &attribute.kind, levels, is_scalar),
                column: column.map(Into::into),
            }
        })
        .collect();
    let id = definition.id.as_deref().unwrap_or("text");
    let id = read_type(faults, &format!("{path}.id"), id, levels, is_row_key);
    let mut resource = ResourceType {
        name: name.into(),
        actions,
        attributes,
        id,
        tenantless: definition.tenantless,
        table: None,
    };
    resource.table = table(&resource, definition, &path, faults);
    resource
}

fn table(
    resource: &ResourceType,
    definition: &ResourceDefinition,
    path: &str,
    faults: &mut Faults,
) -> Option<Table> {
    let table = definition.table.as_ref()?;
    let path = format!("{path}.table");
    if definition.tenantless {
        faults.add(
            &path,
            "rows belong to a tenant, always: a type of resource without tenants has no table",
        );
    }
    check_identifier(faults, &format!("{path}.name"), "the table", &table.name, 2);
    let mut column = |field: &str, name: &Option<String>, default: &str| -> Box<str> {
        let name = name.as_deref().unwrap_or(default);
        check_identifier(faults, &format!("{path}.{field}"), "the column", name, 1);
        name.into()
    };
    let id = column("id", &table.id, "id");
    let org = column("org", &table.org, "org_id");
    let project = table
        .project
        .as_ref()
        .map(|_| column("project", &table.project, "project_id"));
    let commands = [
        ("select", &table.commands.select),
        ("insert", &table.commands.insert),
        ("update", &table.commands.update),
        ("delete", &table.commands.delete),
    ]
    .map(|(command, action)| {
        let action = action.as_deref()?;
        let found = resource.action(action);
        if found.is_none() {
            faults.add(
                format!("{path}.commands.{command}"),
                format!("the type of resource has no action {action:?}"),
            );
        }
        found
    });
    let [select, _, update, delete] = commands;
    if select.is_none() && (update.is_some() || delete.is_some()) {
        faults.add(
            format!("{path}.commands"),
            "a statement that changes or removes some rows reads them: name the action of select too",
        );
    }
    Some(Table {
        name: table.name.as_str().into(),
        id,
        org,
        project,
        commands,
    })
}

/// The policies of row-level security are those of a table: two types in one would replace each other's, and a relation
/// beside them would show its pairs' rows.
pub(super) fn check_tables(types: &[ResourceType], relations: &[Relation], faults: &mut Faults) {
    let mut taken: HashMap<&str, (&str, &str)> = HashMap::new();
    for resource in types {
        let Some(table) = &resource.table else {
            continue;
        };
        if taken.insert(&table.name, ("", "")).is_some() {
            faults.add(
                format!("resources.{}.table.name", resource.name),
                format!(
                    "the table {:?} is that of another type of resource too",
                    table.name
                ),
            );
        }
    }
    for relation in relations {
        let Some(table) = &relation.table else {
            continue;
        };
        let own = (&*table.subject, &*table.org);
        if taken
            .insert(&table.name, own)
            .is_some_and(|other| other != own)
        {
            faults.add(
                format!("relations.{}.table", relation.name),
                format!(
                    "the table {:?} is used for something else too: a relation reads a table of its own, or a view",
                    table.name
                ),
            );
        }
    }
}

fn bound(faults: &mut Faults, path: &str, what: &str, number: usize, most: usize) {
    if number > most {
        faults.add(
            path,
            format!("there are {number} {what}, and {most} are the most"),
        );
    }
}
