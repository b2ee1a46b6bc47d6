//! Names of scopes, what roles grant, and whose data a caller reaches.

use std::collections::BTreeMap;

use ringwall_core::principal::{OrgId, ProjectId, Role, Scope, Tenant};

use super::section::Section;
use crate::role_scopes::RoleScopes;

/// The scopes of a service by the names under which its routes ask for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<String, Scope>);

impl Names {
    /// Reads the section.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let mut names = BTreeMap::new();
        for key in section.keys() {
            let Some(text) = section.text(&key) else {
                continue;
            };
            match Scope::new(text) {
                Ok(scope) if scope.as_str() != "*" => {
                    names.insert(key, scope);
                }
                Ok(_) | Err(_) => {
                    section.fault(&key, "is no scope", "write a scope such as runs:read");
                }
            }
        }
        section.finish();
        Self(names)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Scope> {
        self.0.get(name)
    }
}

/// A list of scopes. `*`, in development, is written out as all of the section `scopes`: what is compared
/// holds no wildcard.
pub(super) fn scopes(section: &mut Section<'_>, key: &str, names: &Names) -> Vec<Scope> {
    let scopes = section.parsed_texts(key, Scope::new, "scopes, such as runs:read");
    let mut scopes = scopes.unwrap_or_default();
    let count = scopes.len();
    scopes.retain(|scope| scope.as_str() != "*");
    if scopes.len() == count {
        return scopes;
    }
    if !section.profile().is_development() {
        let problem = "holds *, which is for the development profile only";
        section.fault(key, problem, "name each scope");
    } else if names.0.is_empty() {
        let problem = "holds *, which stands for all of the section scopes, and that is empty";
        section.fault(key, problem, "name them there, or each here");
    } else {
        scopes.extend(names.0.values().cloned());
    }
    scopes
}

/// The roles of a caller.
pub(super) fn roles(section: &mut Section<'_>) -> Vec<Role> {
    role_list(section, "roles").unwrap_or_default()
}

/// A list of roles; `None` when it is absent.
fn role_list(section: &mut Section<'_>, key: &str) -> Option<Vec<Role>> {
    section.parsed_texts(key, Role::new, "roles, such as analyst")
}

/// What an issuer may grant. `None` is anything.
#[derive(Debug, Default)]
pub(super) struct Allowed {
    pub(super) scopes: Option<Vec<Scope>>,
    pub(super) roles: Option<Vec<Role>>,
}

impl Allowed {
    /// Reads both lists. Where roles are worth something, the one is worth nothing without the other.
    pub(super) fn read(section: &mut Section<'_>, names: &Names, roles_grant: bool) -> Self {
        let scopes = allowed_scopes(section, names);
        let has_roles = section.has("allowed_roles");
        let roles = role_list(section, "allowed_roles");
        if scopes.is_some() && !has_roles && roles_grant {
            let problem = "is missing: roles grant rights (role_scopes, or authorization.subjects = \"credentials\"), and the issuer could give any role";
            let remedy = "name the roles that it may give, or write an empty list";
            section.fault("allowed_roles", problem, remedy);
        }
        Self { scopes, roles }
    }
}

/// The scopes that an issuer may grant; `None` is any.
pub(super) fn allowed_scopes(section: &mut Section<'_>, names: &Names) -> Option<Vec<Scope>> {
    let is_there = section.has("allowed_scopes");
    is_there.then(|| scopes(section, "allowed_scopes", names))
}

/// Which scopes roles grant.
pub(super) fn role_scopes(mut section: Section<'_>, names: &Names) -> RoleScopes {
    let mut granted = RoleScopes::new();
    for key in section.keys() {
        let scopes = scopes(&mut section, &key, names);
        match Role::new(key.as_str()) {
            Ok(role) => granted = granted.grant(role, scopes),
            Err(error) => {
                section.fault(&key, error.to_string(), "write it as the issuer does");
            }
        }
    }
    section.finish();
    granted
}

/// Whose data a caller reaches.
pub(super) fn tenant(section: &mut Section<'_>) -> Option<Tenant> {
    let remedy = "write it as your tenants are named";
    let org = section.text("org").map(OrgId::new);
    let project = section.text("project").map(ProjectId::new);
    if let Some(Err(error)) = &org {
        section.fault("org", error.to_string(), remedy);
    }
    if let Some(Err(error)) = &project {
        section.fault("project", error.to_string(), remedy);
    }
    if project.is_some() && org.is_none() {
        let problem = "is of an organisation, and org is missing";
        section.fault("project", problem, "name the organisation too");
    }
    let org = org?.ok()?;
    let project = match project {
        Some(project) => Some(project.ok()?),
        None => None,
    };
    Some(Tenant { org, project })
}
