//! Scopes, and what `*` stands for among them.

use std::collections::{BTreeSet, HashMap};

use super::index::PolicyHasher;
use super::names::{check_long_name, is_long_name};
use super::roles::Roles;
use crate::bits::{RoleBits, ScopeBits};
use crate::document::{Effect, PolicyDocument};
use crate::fault::Faults;

/// The most scopes of a policy.
pub const MAX_SCOPES: usize = ScopeBits::CAPACITY;

/// The scopes of a policy: those that its rules, roles and list name.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    names: Vec<Box<str>>,
    by_name: HashMap<Box<str>, u16, PolicyHasher>,
    /// What each role grants by itself.
    of_roles: Vec<ScopeBits>,
}

/// Whether a text stands for other scopes.
pub(crate) fn is_wildcard(scope: &str) -> bool {
    scope == "*" || scope.ends_with(":*")
}

impl Scopes {
    pub(crate) fn find(&self, name: &str) -> Option<u16> {
        self.by_name.get(name).copied()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    pub(crate) fn name(&self, scope: u16) -> &str {
        self.names
            .get(usize::from(scope))
            .map_or("", |name| &**name)
    }

    /// What the roles grant.
    pub(crate) fn granted_by(&self, roles: &RoleBits) -> ScopeBits {
        roles
            .iter()
            .filter_map(|role| self.of_roles.get(usize::from(role)))
            .fold(ScopeBits::EMPTY, |all, own| all.union(own))
    }

    /// The scopes that `text` stands for: all of the policy's for `*`, those with the same beginning for
    /// `cases:*`, otherwise the one of its name.
    pub(crate) fn expand(&self, text: &str) -> ScopeBits {
        if !is_wildcard(text) {
            return self.find(text).into_iter().collect();
        }
        let beginning = text.trim_end_matches('*');
        (0_u16..)
            .zip(&self.names)
            .filter(|(_, name)| name.starts_with(beginning))
            .map(|(number, _)| number)
            .collect()
    }

    pub(super) fn compile(document: &PolicyDocument, roles: &Roles, faults: &mut Faults) -> Self {
        let mut all = BTreeSet::new();
        let mut take = |faults: &mut Faults,
                        path: &dyn Fn() -> String,
                        text: &str,
                        may_be_wild: bool| {
            if !is_long_name(text) {
                check_long_name(faults, &path(), "the scope", text);
                return;
            }
            if is_wildcard(text) {
                if !may_be_wild {
                    faults.add(
                        path(),
                        format!("{text:?} stands for other scopes; a rule demands scopes by name"),
                    );
                }
            } else if text.contains('*') {
                faults.add(
                    path(),
                    format!("in {text:?}, the * stands neither alone nor after the last colon"),
                );
            } else {
                all.insert(text.to_owned());
            }
        };
        for (index, scope) in document.scopes.iter().enumerate() {
            take(faults, &|| format!("scopes[{index}]"), scope, false);
        }
        for (name, role) in &document.roles {
            for (index, scope) in role.scopes.iter().enumerate() {
                let path = || format!("roles.{name}.scopes[{index}]");
                take(faults, &path, scope, true);
            }
        }
        // Those that permit first: a slip in the scope of a forbid would make a rule that never acts.
        let rules = || document.rules.iter().enumerate();
        for (number, rule) in rules().filter(|(_, rule)| rule.effect == Effect::Permit) {
            for (index, scope) in rule.scopes.iter().enumerate() {
                let path = || format!("rules[{number}].scopes[{index}]");
                take(faults, &path, scope, false);
            }
        }
        for (number, rule) in rules().filter(|(_, rule)| rule.effect == Effect::Forbid) {
            for (index, scope) in rule.scopes.iter().enumerate() {
                if !all.contains(scope) {
                    faults.add(
                        format!("rules[{number}].scopes[{index}]"),
                        format!("no role, no permit and no list names the scope {scope:?}, so nobody holds it"),
                    );
                }
            }
        }
        let mut scopes = Self::default();
        if all.len() > MAX_SCOPES {
            faults.add(
                "scopes",
                format!(
                    "there are {} scopes, and {MAX_SCOPES} are the most",
                    all.len()
                ),
            );
            return scopes;
        }
        for (number, name) in (0_u16..).zip(all) {
            scopes.by_name.insert(name.as_str().into(), number);
            scopes.names.push(name.into());
        }
        for name in &roles.names {
            let role = document.roles.get(&**name);
            let own = role.into_iter().flat_map(|role| &role.scopes);
            let mut granted = ScopeBits::EMPTY;
            for (index, scope) in own.enumerate() {
                let scopes = scopes.expand(scope);
                if scopes.is_empty() && role.is_some() {
                    faults.add(
                        format!("roles.{name}.scopes[{index}]"),
                        format!("{scope:?} stands for no scope of this policy"),
                    );
                }
                granted = granted.union(&scopes);
            }
            scopes.of_roles.push(granted);
        }
        scopes
    }
}
