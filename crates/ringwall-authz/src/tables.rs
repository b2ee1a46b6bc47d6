//! The tables that a policy names, for whoever compares them with a database.

use crate::filter::quoted;
use crate::policy::Policy;
use crate::value::Type;

/// A table that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyTable {
    /// Its name, with its schema if the policy names one.
    pub name: String,
    /// What it holds.
    pub holds: TableContent,
    /// Its columns that the policy reads.
    pub columns: Vec<PolicyColumn>,
    /// The SQL commands that are actions: of a relation, none.
    pub commands: Vec<&'static str>,
}

impl PolicyTable {
    /// Its name as SQL writes it.
    #[must_use]
    pub fn quoted_name(&self) -> String {
        quoted(&self.name)
    }
}

/// What a table holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableContent {
    /// The rows of a type of resource.
    Resources,
    /// The pairs of a relation.
    Relation,
    /// The attributes of subjects, which no policy names: it is an option of row-level security.
    Attributes,
}

/// A column that a policy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PolicyColumn {
    /// Its name.
    pub name: String,
    /// What it must hold.
    pub kind: ColumnKind,
    /// Whether rows are apart by it: the organisation and the project.
    pub is_tenant: bool,
    /// Whether a row keeps it: no UPDATE of the runtime role changes it.
    pub is_fixed: bool,
}

/// What a column must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ColumnKind {
    /// A text that is compared byte by byte.
    Text,
    /// A whole number of 64 bits at most.
    Integer,
    /// A truth value.
    Boolean,
    /// A time.
    Timestamp,
    /// A UUID.
    Uuid,
}

impl ColumnKind {
    const fn of(kind: Type) -> Self {
        match kind {
            Type::Text | Type::TextSet | Type::Level(_) => Self::Text,
            Type::Integer => Self::Integer,
            Type::Boolean => Self::Boolean,
            Type::Timestamp => Self::Timestamp,
            Type::Uuid => Self::Uuid,
        }
    }
}

impl Policy {
    /// The tables that it names, with what it reads of them.
    #[must_use]
    pub fn tables(&self) -> Vec<PolicyTable> {
        let parts = &self.compiled().parts;
        let column = |name: &str, kind: Type, is_tenant: bool| PolicyColumn {
            name: name.to_owned(),
            kind: ColumnKind::of(kind),
            is_tenant,
            is_fixed: false,
        };
        let tenant = parts.subject.tenant;
        let mut tables = Vec::new();
        for resource in &parts.types {
            let Some(table) = &resource.table else {
                continue;
            };
            let mut columns = vec![
                column(&table.id, resource.id, false),
                column(&table.org, tenant, true),
            ];
            columns.extend(table.project.iter().map(|name| column(name, tenant, true)));
            columns.extend(resource.attributes.iter().filter_map(|attribute| {
                let name = attribute.column.as_ref()?;
                Some(PolicyColumn {
                    is_fixed: attribute.fixed,
                    ..column(name, attribute.kind, false)
                })
            }));
            let commands = ["SELECT", "INSERT", "UPDATE", "DELETE"];
            let commands = commands.into_iter().zip(table.commands);
            tables.push(PolicyTable {
                name: table.name.to_string(),
                holds: TableContent::Resources,
                columns,
                commands: commands
                    .filter_map(|(command, action)| action.map(|_| command))
                    .collect(),
            });
        }
        for relation in &parts.relations {
            let Some(table) = &relation.table else {
                continue;
            };
            tables.push(PolicyTable {
                name: table.name.to_string(),
                holds: TableContent::Relation,
                columns: vec![
                    column(&table.org, tenant, true),
                    column(&table.subject, parts.subject.id, false),
                    column(&table.value, relation.value, false),
                ],
                commands: Vec::new(),
            });
        }
        tables
    }
}
