//! Roles, what they inherit, and who may not hold them together.

use std::collections::HashMap;

use super::index::PolicyHasher;
use super::names::{check_long_name, there_are};
use crate::bits::RoleBits;
use crate::document::{PolicyDocument, SeparationKind};
use crate::fault::Faults;

/// The most roles of a policy. Roles are kinds of users; what differs from user to user is an attribute.
pub const MAX_ROLES: usize = RoleBits::CAPACITY;

/// The most separations of duty: each is looked at for each subject.
const MAX_SEPARATIONS: usize = 64;

/// The roles of a policy.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    pub(crate) names: Vec<Box<str>>,
    by_name: HashMap<Box<str>, u16, PolicyHasher>,
    /// What each role is together with all that it inherits.
    closures: Vec<RoleBits>,
    pub(crate) ranks: Vec<Option<u32>>,
}

/// Roles that nobody may have together.
#[derive(Debug)]
pub(crate) struct Separation {
    pub(crate) name: Box<str>,
    pub(crate) kind: SeparationKind,
    pub(crate) roles: RoleBits,
    pub(crate) at_most: u32,
}

impl Roles {
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn closure(&self, role: u16) -> RoleBits {
        let closure = self.closures.get(usize::from(role));
        closure.copied().unwrap_or(RoleBits::EMPTY)
    }

    pub(crate) fn rank(&self, role: u16) -> Option<u32> {
        self.ranks.get(usize::from(role)).copied().flatten()
    }

    pub(crate) fn name(&self, role: u16) -> &str {
        self.names.get(usize::from(role)).map_or("", |name| &**name)
    }

    pub(super) fn all_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    pub(super) fn compile(document: &PolicyDocument, faults: &mut Faults) -> Self {
        let mut roles = Self::default();
        if document.roles.len() > MAX_ROLES {
            faults.add(
                "roles",
                format!(
                    "there are {} roles, and {MAX_ROLES} are the most: what differs from user to user is an attribute or a relation",
                    document.roles.len()
                ),
            );
            return roles;
        }
        for (number, (name, role)) in (0_u16..).zip(&document.roles) {
            check_long_name(faults, &format!("roles.{name}"), "the role", name);
            roles.by_name.insert(name.as_str().into(), number);
            roles.names.push(name.as_str().into());
            roles.ranks.push(role.rank);
        }
        let mut parents = Vec::with_capacity(document.roles.len());
        for (name, role) in &document.roles {
            let mut own = Vec::new();
            for (index, parent) in role.inherits.iter().enumerate() {
                match roles.find(parent) {
                    Some(parent) => own.push(parent),
                    None => faults.add(
                        format!("roles.{name}.inherits[{index}]"),
                        format!(
                            "there is no role {parent:?}{}",
                            there_are(roles.all_names())
                        ),
                    ),
                }
            }
            parents.push(own);
        }
        for (number, name) in (0_u16..).zip(&roles.names) {
            let mut closure = RoleBits::EMPTY;
            closure.insert(number);
            let mut waiting = vec![number];
            let mut is_cycle = false;
            while let Some(role) = waiting.pop() {
                for parent in parents.get(usize::from(role)).into_iter().flatten() {
                    is_cycle |= *parent == number;
                    if !closure.contains(*parent) {
                        closure.insert(*parent);
                        waiting.push(*parent);
                    }
                }
            }
            if is_cycle {
                faults.add(
                    format!("roles.{name}.inherits"),
                    format!("the role {name:?} inherits itself"),
                );
            }
            roles.closures.push(closure);
        }
        roles
    }
}

/// Compiles the separations of duty, which must leave each role somebody who may have it.
pub(super) fn separations(
    document: &PolicyDocument,
    roles: &Roles,
    faults: &mut Faults,
) -> Vec<Separation> {
    let mut compiled: Vec<Separation> = Vec::new();
    let number = document.separation_of_duty.len();
    if number > MAX_SEPARATIONS {
        faults.add(
            "separation_of_duty",
            format!("there are {number} separations of duty, and {MAX_SEPARATIONS} are the most"),
        );
        return compiled;
    }
    for (index, separation) in document.separation_of_duty.iter().enumerate() {
        let path = format!("separation_of_duty[{index}]");
        check_long_name(
            faults,
            &format!("{path}.name"),
            "the separation of duty",
            &separation.name,
        );
        if compiled.iter().any(|other| *other.name == *separation.name) {
            faults.add(
                format!("{path}.name"),
                format!(
                    "there are two separations of duty named {:?}",
                    separation.name
                ),
            );
        }
        let mut members = RoleBits::EMPTY;
        for (place, name) in separation.roles.iter().enumerate() {
            let path = format!("{path}.roles[{place}]");
            match roles.find(name) {
                Some(role) if members.contains(role) => {
                    faults.add(path, format!("the role {name:?} is named twice"));
                }
                Some(role) => members.insert(role),
                None => faults.add(
                    path,
                    format!("there is no role {name:?}{}", there_are(roles.all_names())),
                ),
            }
        }
        if separation.at_most == 0 || separation.at_most >= members.len() {
            faults.add(
                format!("{path}.at_most"),
                format!(
                    "of {} roles, 1 to {} can be permitted together; {} separates nothing or forbids all",
                    members.len(),
                    members.len().saturating_sub(1),
                    separation.at_most
                ),
            );
        }
        for (role, name) in (0_u16..).zip(&roles.names) {
            let held = roles.closure(role).intersection(&members);
            if held.len() > separation.at_most {
                let names: Vec<&str> = held.iter().map(|role| roles.name(role)).collect();
                faults.add(
                    format!("{path}.roles"),
                    format!(
                        "nobody could ever have the role {name:?}, which is or inherits {}",
                        names.join(", ")
                    ),
                );
            }
        }
        compiled.push(Separation {
            name: separation.name.as_str().into(),
            kind: separation.kind,
            roles: members,
            at_most: separation.at_most,
        });
    }
    compiled
}
