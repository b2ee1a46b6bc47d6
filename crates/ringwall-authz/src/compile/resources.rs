//! Types of resource, and the tables of their rows.

use std::collections::HashMap;

use super::names::{check_identifier, check_word};
use super::shapes::{
    MAX_ACTIONS, MAX_ATTRIBUTES, MAX_RESOURCE_TYPES, Relation, ResourceAttribute, ResourceType,
    Table, bound, is_row_key, is_scalar, read_type,
};
use crate::document::{AttributePlace, PolicyDocument, ResourceDefinition};
use crate::fault::Faults;
use crate::value::Level;

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
            if attribute.fixed && (column.is_none() || definition.table.is_none()) {
                faults.add(
                    &path,
                    "it stands in no column of a table, so nothing keeps it",
                );
            }
            ResourceAttribute {
                name: name.as_str().into(),
                kind: read_type(faults, &path, &attribute.kind, levels, is_scalar),
                column: column.map(Into::into),
                fixed: attribute.fixed,
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
