//! Documents made by a program: the same that a file says.

use ringwall_core::classification::Sensitivity;

use super::{
    AttributeDefinition, Commands, Effect, PolicyDocument, RelationDefinition, ResourceDefinition,
    RoleDefinition, Rule, RuleObligations, SeparationKind, SeparationOfDuty, TableDefinition,
};
use crate::condition::Condition;

impl PolicyDocument {
    /// The version of the format that this crate reads.
    pub const VERSION: u32 = 1;

    /// An empty policy, which permits nothing.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            version: Self::VERSION,
            name: name.into(),
            ..Self::default()
        }
    }

    /// Adds a role.
    #[must_use]
    pub fn role(mut self, name: impl Into<String>, role: RoleDefinition) -> Self {
        self.roles.insert(name.into(), role);
        self
    }

    /// Adds an attribute of subjects.
    #[must_use]
    pub fn subject_attribute(mut self, name: impl Into<String>, kind: impl Into<String>) -> Self {
        self.subject.attributes.insert(name.into(), kind.into());
        self
    }

    /// Adds an attribute of the context.
    #[must_use]
    pub fn context_attribute(mut self, name: impl Into<String>, kind: impl Into<String>) -> Self {
        self.context.insert(name.into(), kind.into());
        self
    }

    /// Adds a relation.
    #[must_use]
    pub fn relation(mut self, name: impl Into<String>, relation: RelationDefinition) -> Self {
        self.relations.insert(name.into(), relation);
        self
    }

    /// Adds a type of resource.
    #[must_use]
    pub fn resource(mut self, name: impl Into<String>, resource: ResourceDefinition) -> Self {
        self.resources.insert(name.into(), resource);
        self
    }

    /// Adds a rule.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds a separation of duty.
    #[must_use]
    pub fn separate(mut self, separation: SeparationOfDuty) -> Self {
        self.separation_of_duty.push(separation);
        self
    }
}

impl RoleDefinition {
    /// A role that grants nothing by itself.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets its rank.
    #[must_use]
    pub const fn rank(mut self, rank: u32) -> Self {
        self.rank = Some(rank);
        self
    }

    /// Holds these roles too.
    #[must_use]
    pub fn inherits(mut self, roles: impl IntoIterator<Item: Into<String>>) -> Self {
        self.inherits.extend(roles.into_iter().map(Into::into));
        self
    }

    /// Grants these scopes.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item: Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }
}

impl RelationDefinition {
    /// A relation to values of this type that no table holds.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            ..Self::default()
        }
    }

    /// Reads the pairs in this table: `user_id`, `org_id`, and the value in `value_column`.
    #[must_use]
    pub fn table(mut self, table: impl Into<String>, value_column: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self.value_column = Some(value_column.into());
        self
    }
}

impl ResourceDefinition {
    /// A type of resource with these actions, of a tenant.
    #[must_use]
    pub fn new(actions: impl IntoIterator<Item: Into<String>>) -> Self {
        Self {
            actions: actions.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Belongs to no tenant.
    #[must_use]
    pub const fn tenantless(mut self) -> Self {
        self.tenantless = true;
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: AttributeDefinition) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// Says where its rows are.
    #[must_use]
    pub fn table(mut self, table: TableDefinition) -> Self {
        self.table = Some(table);
        self
    }
}

impl TableDefinition {
    /// A table with the columns `id` and `org_id`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Its rows belong to projects too, by this column.
    #[must_use]
    pub fn project_column(mut self, column: impl Into<String>) -> Self {
        self.project = Some(column.into());
        self
    }

    /// The action that each SQL command is.
    #[must_use]
    pub fn commands(mut self, commands: Commands) -> Self {
        self.commands = commands;
        self
    }
}

impl Commands {
    /// No command is an action: all are denied.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `SELECT` is this action.
    #[must_use]
    pub fn select(mut self, action: impl Into<String>) -> Self {
        self.select = Some(action.into());
        self
    }

    /// `INSERT` is this action.
    #[must_use]
    pub fn insert(mut self, action: impl Into<String>) -> Self {
        self.insert = Some(action.into());
        self
    }

    /// `UPDATE` is this action.
    #[must_use]
    pub fn update(mut self, action: impl Into<String>) -> Self {
        self.update = Some(action.into());
        self
    }

    /// `DELETE` is this action.
    #[must_use]
    pub fn delete(mut self, action: impl Into<String>) -> Self {
        self.delete = Some(action.into());
        self
    }
}

impl SeparationOfDuty {
    /// Nobody may hold two of these roles.
    #[must_use]
    pub fn fixed(name: impl Into<String>, roles: impl IntoIterator<Item: Into<String>>) -> Self {
        Self {
            name: name.into(),
            kind: SeparationKind::Static,
            roles: roles.into_iter().map(Into::into).collect(),
            at_most: 1,
        }
    }

    /// Nobody may use two of these roles at once.
    #[must_use]
    pub fn dynamic(name: impl Into<String>, roles: impl IntoIterator<Item: Into<String>>) -> Self {
        Self {
            kind: SeparationKind::Dynamic,
            ..Self::fixed(name, roles)
        }
    }
}

impl Rule {
    /// A rule that permits `actions` on resources of the type `resource`.
    #[must_use]
    pub fn permit(
        id: impl Into<String>,
        resource: impl Into<String>,
        actions: impl IntoIterator<Item: Into<String>>,
    ) -> Self {
        Self {
            id: id.into(),
            description: None,
            effect: Effect::Permit,
            resource: resource.into(),
            actions: actions.into_iter().map(Into::into).collect(),
            roles: Vec::new(),
            scopes: Vec::new(),
            anyone: false,
            when: None,
            obligations: RuleObligations::default(),
        }
    }

    /// A rule that forbids `actions` on resources of the type `resource`.
    #[must_use]
    pub fn forbid(
        id: impl Into<String>,
        resource: impl Into<String>,
        actions: impl IntoIterator<Item: Into<String>>,
    ) -> Self {
        Self {
            effect: Effect::Forbid,
            ..Self::permit(id, resource, actions)
        }
    }

    /// For subjects who hold any one of these roles.
    #[must_use]
    pub fn roles(mut self, roles: impl IntoIterator<Item: Into<String>>) -> Self {
        self.roles.extend(roles.into_iter().map(Into::into));
        self
    }

    /// For subjects who hold every one of these scopes.
    #[must_use]
    pub fn scopes(mut self, scopes: impl IntoIterator<Item: Into<String>>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Under this condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.when = Some(condition);
        self
    }

    /// For everybody of the tenant.
    #[must_use]
    pub const fn anyone(mut self) -> Self {
        self.anyone = true;
        self
    }

    /// Owes this.
    #[must_use]
    pub fn owes(mut self, obligations: RuleObligations) -> Self {
        self.obligations = obligations;
        self
    }
}

impl RuleObligations {
    /// Masks everything above `level`.
    #[must_use]
    pub fn mask_above(mut self, level: Sensitivity) -> Self {
        self.mask_above = Some(level);
        self
    }

    /// Removes these fields (JSON Pointer).
    #[must_use]
    pub fn redact(mut self, pointers: impl IntoIterator<Item: Into<String>>) -> Self {
        self.redact.extend(pointers.into_iter().map(Into::into));
        self
    }

    /// Demands a reason.
    #[must_use]
    pub const fn reason_required(mut self) -> Self {
        self.reason_required = true;
        self
    }
}
