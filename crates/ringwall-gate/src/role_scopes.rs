//! Which scopes roles grant.

use std::collections::HashMap;
use std::sync::Arc;

use ringwall_core::principal::{Principal, Role, Scope};

/// The scopes that callers hold because of their roles, beside those that their credentials name.
/// Cloning shares it.
///
/// Both are compared byte for byte: there is no wildcard, and no role contains another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleScopes(Arc<HashMap<Role, Vec<Scope>>>);

impl RoleScopes {
    /// Roles that grant nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whoever has `role` holds these scopes, in addition to those that were named before.
    #[must_use]
    pub fn grant(mut self, role: Role, scopes: impl IntoIterator<Item = Scope>) -> Self {
        let roles = Arc::make_mut(&mut self.0);
        roles.entry(role).or_default().extend(scopes);
        self
    }

    /// Whether no role grants anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.values().all(Vec::is_empty)
    }

    /// Whether a role of `principal` grants `scope`.
    #[must_use]
    pub fn grants(&self, principal: &Principal, scope: &str) -> bool {
        !self.0.is_empty()
            && principal
                .roles
                .iter()
                .filter_map(|role| self.0.get(role))
                .any(|scopes| scopes.iter().any(|granted| granted.as_str() == scope))
    }
}
