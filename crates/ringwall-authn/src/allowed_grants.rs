//! What an issuer may grant, whatever its tokens say.

use ringwall_core::principal::{Principal, Role, Scope};

/// What is reported when something was left out.
pub(crate) const GRANTS_LEFT_OUT: &str =
    "the token says scopes or roles that its issuer may not grant: they were left out";

/// The scopes and roles that one issuer may grant. `None` is all of them.
///
/// What a token says beyond these is left out. That takes rights away. A scope also limits what the roles of its holder
/// permit, and it goes on to do so: the principal remembers that one was left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedGrants {
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) roles: Option<Vec<Role>>,
}

impl AllowedGrants {
    /// Takes out of `principal` what its issuer may not grant. Answers whether there was anything.
    pub(crate) fn narrow(&self, principal: &mut Principal) -> bool {
        let before = (principal.scopes.len(), principal.roles.len());
        if let Some(allowed) = &self.scopes {
            principal.has_scopes_left_out = principal
                .scopes
                .iter()
                .any(|scope| !allowed.contains(scope) && !scope.is_of_login());
            principal.scopes.retain(|scope| allowed.contains(scope));
        }
        if let Some(allowed) = &self.roles {
            principal.roles.retain(|role| allowed.contains(role));
        }
        before != (principal.scopes.len(), principal.roles.len())
    }
}
