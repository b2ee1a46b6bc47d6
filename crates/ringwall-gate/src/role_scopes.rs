//! Which scopes roles grant.

use std::collections::HashMap;
use std::sync::Arc;

use ringwall_authz::CredentialScopes;
use ringwall_core::principal::{Principal, Role, Scope};

/// The scopes that callers hold because of their roles, beside those that their credentials name.
/// Cloning shares it.
///
/// **Where a person's token names scopes, its roles grant no others.** It says what a client was trusted with: an
/// administrator who lets somebody's client read (`cases:read`) has not let it delete, whatever the role grants. The same
/// holds for whoever acts on behalf of somebody. A credential that names no scope, or those of OpenID Connect alone, is a
/// login, to which roles grant what they grant. To a machine that acts by itself roles grant beside what its credential
/// names. See decision 20; [`with_credential_scopes`](Self::with_credential_scopes) says otherwise.
///
/// Roles and scopes are compared byte for byte: there is no wildcard, and no role contains another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleScopes {
    roles: Arc<HashMap<Role, Vec<Scope>>>,
    credential_scopes: CredentialScopes,
}

impl RoleScopes {
    /// Roles that grant nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whoever has `role` holds these scopes, in addition to those that were named before.
    #[must_use]
    pub fn grant(mut self, role: Role, scopes: impl IntoIterator<Item = Scope>) -> Self {
        let roles = Arc::make_mut(&mut self.roles);
        roles.entry(role).or_default().extend(scopes);
        self
    }

    /// Says whom the scopes of credentials [limit](CredentialScopes::limits): as the gate's authorization policy has it.
    /// [`Grant`](CredentialScopes::Grant) and [`Ignore`](CredentialScopes::Ignore) limit nobody, for services whose own
    /// front end carries scopes in people's tokens, and whose issuer gives them to nobody else's clients.
    #[must_use]
    pub const fn with_credential_scopes(mut self, scopes: CredentialScopes) -> Self {
        self.credential_scopes = scopes;
        self
    }

    /// Whether no role grants anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.roles.values().all(Vec::is_empty)
    }

    /// Whether a role of `principal` grants `scope`. `false` where its credential limits it, whatever that names: ask
    /// [`Principal::has_scope`] for what it does.
    #[must_use]
    pub fn grants(&self, principal: &Principal, scope: &str) -> bool {
        let mut granted = principal
            .roles
            .iter()
            .filter_map(|role| self.roles.get(role))
            .flatten();
        !self.roles.is_empty()
            && granted.any(|granted| granted.as_str() == scope)
            && !self.credential_scopes.limits(principal)
    }
}
