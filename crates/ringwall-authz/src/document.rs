//! A policy as data: what a file says, before anybody judges it.

use std::collections::BTreeMap;

use ringwall_core::classification::Sensitivity;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::condition::Condition;

mod build;
pub(crate) mod tables;

use tables::Table;

/// A policy as data. TOML and JSON say the same; unknown fields are refused.
///
/// It is judged when it becomes a [`Policy`](crate::Policy): a document by itself promises nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PolicyDocument {
    /// The version of this format: 1.
    pub version: u32,
    /// The policy's name. Role names mean something within it alone: the `analyst` of one policy is not the
    /// `analyst` of another.
    pub name: String,
    /// The roles.
    #[serde(
        default,
        deserialize_with = "tables::named",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub roles: BTreeMap<String, RoleDefinition>,
    /// Scopes that `*` and `resource:*` stand for, beside those that roles and rules name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Ordered names, from the least to the greatest. `sensitivity` is always there: public, internal,
    /// confidential, restricted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub levels: BTreeMap<String, Vec<String>>,
    /// What is known about subjects.
    #[serde(
        default,
        deserialize_with = "tables::one",
        skip_serializing_if = "is_default"
    )]
    pub subject: SubjectDefinition,
    /// What is known about the circumstances.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    /// To what subjects can stand in which relation.
    #[serde(
        default,
        deserialize_with = "tables::named",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub relations: BTreeMap<String, RelationDefinition>,
    /// What can be acted upon.
    #[serde(
        default,
        deserialize_with = "tables::named",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub resources: BTreeMap<String, ResourceDefinition>,
    /// Roles that nobody may hold, or use, together.
    #[serde(
        default,
        deserialize_with = "tables::listed",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub separation_of_duty: Vec<SeparationOfDuty>,
    /// Who may do what.
    #[serde(
        default,
        deserialize_with = "tables::listed",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub rules: Vec<Rule>,
}

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RoleDefinition {
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its place for [`has_rank_of`](crate::Subject::has_rank_of): the greater, the higher. It grants nothing by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Whoever holds this role holds those too, with their scopes and rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inherits: Vec<String>,
    /// The scopes that the role grants. `*` stands for all, `cases:*` for all that begin with `cases:`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
}

/// What is known about subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SubjectDefinition {
    /// Whether subjects are known by a `text` (the default) or a `uuid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Whether organisations and projects are known by a `text` (the default) or a `uuid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Attributes and their types: `text`, `integer`, `boolean`, `timestamp`, `uuid`, `text_set`, or the name of
    /// a level.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// Whether `*` among the scopes of a credential stands for all scopes. By default it is a scope like another.
    #[serde(default, skip_serializing_if = "is_default")]
    pub credential_wildcards: bool,
}

/// A relation in which subjects can stand to values: the departments of a user, the cases assigned to one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RelationDefinition {
    /// The type of the values: `text`, `integer` or `uuid`.
    pub value: String,
    /// The table that holds the pairs. Without one, the relation cannot be asked in a database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Its column with the subject's id. By default `user_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_column: Option<String>,
    /// Its column with the value. By default `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_column: Option<String>,
    /// Its column with the organisation. By default `org_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_column: Option<String>,
}

/// A kind of thing that can be acted upon.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ResourceDefinition {
    /// What can be done to it.
    pub actions: Vec<String>,
    /// `true` for what belongs to nobody, such as the service's own endpoints: whoever calls, the tenant is not
    /// looked at. There are no row filters for it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tenantless: bool,
    /// Its attributes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, AttributeDefinition>,
    /// The type of its id: `text` (the default), `uuid` or `integer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where its rows are. Without, there are no row filters for it.
    #[serde(
        default,
        deserialize_with = "tables::perhaps",
        skip_serializing_if = "Option::is_none"
    )]
    pub table: Option<TableDefinition>,
}

/// Where the rows of a resource type are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TableDefinition {
    /// The table, with its schema if it is not on the search path: `app.cases`.
    pub name: String,
    /// The column with the id. By default `id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The column with the organisation. By default `org_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// The column with the project, if rows belong to one. Callers that are bound to a project see its rows
    /// alone; others see those of every project of their organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The action that each SQL command is, for row-level security. A command without one is denied.
    #[serde(
        default,
        deserialize_with = "tables::one",
        skip_serializing_if = "is_default"
    )]
    pub commands: Commands,
}

/// The action that each SQL command is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Commands {
    /// `SELECT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<String>,
    /// `INSERT`: the new row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insert: Option<String>,
    /// `UPDATE`: the old row and the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<String>,
    /// `DELETE`: the old row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
}

/// An attribute of a resource.
///
/// In a file it is its type alone, or a table that says where it stands too.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttributeDefinition {
    /// `text`, `integer`, `boolean`, `timestamp`, `uuid`, or the name of a level.
    pub kind: String,
    /// Where it stands.
    pub place: AttributePlace,
    /// Whether a row keeps it: [row-level security](crate::Policy::row_level_security) lets the runtime role set the column
    /// when it inserts a row, and never change it. What a decision rests on, such as the sensitivity of a row, is not for
    /// whoever may otherwise change the row.
    pub fixed: bool,
}

/// Where an attribute of a resource stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AttributePlace {
    /// In the column of its name.
    #[default]
    SameColumn,
    /// In this column.
    Column(String),
    /// In no column: only the service can tell, and no row can be filtered by it.
    Computed,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "an attribute is its type, or a table with type and, where they differ, column, computed and fixed"
)]
enum AttributeForm {
    Short(String),
    Long(Table<LongAttribute>),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LongAttribute {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    computed: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    fixed: bool,
}

impl AttributeDefinition {
    /// An attribute of this type, in the column of its name.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            place: AttributePlace::SameColumn,
            fixed: false,
        }
    }

    /// An attribute of this type in that column.
    #[must_use]
    pub fn in_column(kind: impl Into<String>, column: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            place: AttributePlace::Column(column.into()),
            fixed: false,
        }
    }

    /// An attribute of this type that only the service can tell.
    #[must_use]
    pub fn computed(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            place: AttributePlace::Computed,
            fixed: false,
        }
    }

    /// States that a row [keeps](Self::fixed) it.
    #[must_use]
    pub const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }
}

impl Serialize for AttributeDefinition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (column, computed) = match &self.place {
            AttributePlace::SameColumn if !self.fixed => {
                return serializer.serialize_str(&self.kind);
            }
            AttributePlace::SameColumn => (None, false),
            AttributePlace::Column(column) => (Some(column.clone()), false),
            AttributePlace::Computed => (None, true),
        };
        let kind = self.kind.clone();
        LongAttribute {
            kind,
            column,
            computed,
            fixed: self.fixed,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AttributeDefinition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match AttributeForm::deserialize(deserializer)? {
            AttributeForm::Short(kind) => Self::new(kind),
            AttributeForm::Long(Table(long)) => {
                let place = match (long.column, long.computed) {
                    (None, false) => AttributePlace::SameColumn,
                    (Some(column), false) => AttributePlace::Column(column),
                    (None, true) => AttributePlace::Computed,
                    (Some(_), true) => {
                        return Err(serde::de::Error::custom(
                            "an attribute that is computed stands in no column",
                        ));
                    }
                };
                Self {
                    kind: long.kind,
                    place,
                    fixed: long.fixed,
                }
            }
        })
    }
}

/// Roles that nobody may hold together (static), or use together (dynamic), counted over inherited roles
/// (ANSI INCITS 359-2012, RBAC constraints).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SeparationOfDuty {
    /// Its name, for messages.
    pub name: String,
    /// When it counts.
    pub kind: SeparationKind,
    /// The roles.
    pub roles: Vec<String>,
    /// How many of them one subject may have. By default 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub at_most: u32,
}

/// When a separation of duty counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeparationKind {
    /// Over the roles that a subject holds, whether it uses them or not.
    Static,
    /// Over the roles that a subject uses at once.
    Dynamic,
}

/// What a rule does when it applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It permits, unless a forbid applies too.
    Permit,
    /// It forbids, whatever else permits.
    Forbid,
}

/// Who may do what, or may not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, unique in the policy; decisions name it.
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// The type of resource.
    pub resource: String,
    /// The actions. `["*"]` stands for all that the resource type has.
    pub actions: Vec<String>,
    /// Subjects who hold any one of these roles. Left out, the roles do not matter; an empty list, which could be read as
    /// nobody, is refused.
    #[serde(
        default,
        deserialize_with = "some",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub roles: Vec<String>,
    /// Subjects who hold every one of these scopes. An empty list is refused, as with roles.
    #[serde(
        default,
        deserialize_with = "some",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub scopes: Vec<String>,
    /// `true` states that a permit without roles, scopes and condition is meant: everybody of the tenant.
    #[serde(default, skip_serializing_if = "is_default")]
    pub anyone: bool,
    /// What has to be true for a permit, and must not be true or unknown for a forbid.
    #[serde(
        default,
        deserialize_with = "stated",
        skip_serializing_if = "Option::is_none"
    )]
    pub when: Option<Condition>,
    /// What a permit still owes. The obligations of every permit that applies are owed.
    #[serde(
        default,
        deserialize_with = "tables::one",
        skip_serializing_if = "is_default"
    )]
    pub obligations: RuleObligations,
}

/// What a permit still owes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RuleObligations {
    /// What is more sensitive than this is masked.
    #[serde(default, with = "sensitivity", skip_serializing_if = "Option::is_none")]
    pub mask_above: Option<Sensitivity>,
    /// These fields are removed (JSON Pointer, RFC 6901).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redact: Vec<String>,
    /// The caller states a reason. The permit holds it, for the service's audit trail.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reason_required: bool,
}

mod sensitivity {
    use super::{Deserialize, Deserializer, Sensitivity, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        level: &Option<Sensitivity>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        level.map(Sensitivity::as_str).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Sensitivity>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// Something, where it is written down: null would be a rule without a condition.
fn stated<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A list that says something.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.is_empty() {
        let message = "it is empty, which would not be nobody but everybody: leave it out, or say who is meant";
        return Err(serde::de::Error::custom(message));
    }
    Ok(list)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_one(number: &u32) -> bool {
    *number == 1
}
