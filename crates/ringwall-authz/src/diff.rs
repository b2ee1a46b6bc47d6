//! What is different between two policies.

use core::fmt;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::document::PolicyDocument;

/// One difference between two policies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Difference {
    /// What: such as `rules.own` or `roles.admin`. Rules are named by their id.
    pub path: String,
    /// How.
    pub change: Change,
}

/// How a part of a policy is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The new policy has it, in these words (JSON).
    Added(String),
    /// The old policy had it, in these words (JSON).
    Removed(String),
    /// Both have it, in other words (JSON).
    Changed {
        /// Those of the old policy.
        before: String,
        /// Those of the new policy.
        after: String,
    },
}

impl PolicyDocument {
    /// What is different in `after`. The order of rules means nothing, so it makes no difference.
    #[must_use]
    pub fn differences(&self, after: &Self) -> Vec<Difference> {
        let (old, new) = (parts(self), parts(after));
        let mut differences = Vec::new();
        for (path, before) in &old {
            let change = match new.get(path) {
                None => Change::Removed(before.clone()),
                Some(after) if after != before => Change::Changed {
                    before: before.clone(),
                    after: after.clone(),
                },
                Some(_) => continue,
            };
            differences.push(Difference {
                path: path.clone(),
                change,
            });
        }
        for (path, added) in new {
            if !old.contains_key(&path) {
                differences.push(Difference {
                    path,
                    change: Change::Added(added),
                });
            }
        }
        differences.sort_by(|left, right| left.path.cmp(&right.path));
        differences
    }
}

/// The parts of a policy by name, each in its one text.
fn parts(document: &PolicyDocument) -> BTreeMap<String, String> {
    let mut parts = BTreeMap::new();
    let Ok(Value::Object(fields)) = serde_json::to_value(document) else {
        return parts;
    };
    for (name, value) in fields {
        match value {
            Value::Object(members) => {
                for (member, value) in members {
                    parts.insert(format!("{name}.{member}"), value.to_string());
                }
            }
            Value::Array(members) => {
                for (place, value) in members.iter().enumerate() {
                    let own = value.get("id").or_else(|| value.get("name"));
                    let own = own.and_then(Value::as_str);
                    let own = own.map_or_else(|| place.to_string(), ToOwned::to_owned);
                    parts.insert(format!("{name}.{own}"), value.to_string());
                }
            }
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                parts.insert(name, other.to_string());
            }
        }
    }
    parts
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            Change::Added(after) => write!(f, "+ {}: {after}", self.path),
            Change::Removed(before) => write!(f, "- {}: {before}", self.path),
            Change::Changed { before, after } => {
                write!(f, "- {}: {before}\n+ {}: {after}", self.path, self.path)
            }
        }
    }
}

impl Serialize for Difference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("path", &self.path)?;
        let (before, after) = match &self.change {
            Change::Added(after) => (None, Some(after)),
            Change::Removed(before) => (Some(before), None),
            Change::Changed { before, after } => (Some(before), Some(after)),
        };
        map.serialize_entry("before", &before)?;
        map.serialize_entry("after", &after)?;
        map.end()
    }
}
