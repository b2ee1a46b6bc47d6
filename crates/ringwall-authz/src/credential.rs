//! What the scopes of a credential are to the rights of its subject.

use ringwall_core::principal::{Principal, PrincipalKind, Scope};

use crate::bits::ScopeBits;
use crate::compile::scopes::is_wildcard;
use crate::policy::Policy;

/// What the scopes of a credential are to the rights of its subject.
///
/// A scope says what a client was trusted with, and not what its user may do (RFC 6749 §3.3, RFC 9068 §5): an
/// administrator who lets somebody's client read has not let it delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialScopes {
    /// They [limit](Self::Limit) what people do, and what is done on behalf of somebody; to a machine that acts by itself
    /// (a service, an API key) they [grant](Self::Grant), since nobody else's rights stand behind it.
    #[default]
    ByKind,
    /// They limit: see
    /// [`limited_to_scopes_of_credential`](crate::SubjectBuilder::limited_to_scopes_of_credential).
    Limit,
    /// They are rights beside those of the roles: see
    /// [`scopes_of_credential`](crate::SubjectBuilder::scopes_of_credential).
    Grant,
    /// They are nothing to the policy: for credentials whose scopes are not meant for it, whatever they are named.
    Ignore,
}

impl CredentialScopes {
    /// What they are to this principal. Never [`ByKind`](Self::ByKind).
    pub(crate) const fn for_principal(self, principal: &Principal) -> Self {
        match self {
            Self::ByKind => match (principal.kind, &principal.on_behalf_of) {
                (PrincipalKind::User, _) | (_, Some(_)) => Self::Limit,
                (PrincipalKind::Service | PrincipalKind::Agent | PrincipalKind::ApiKey, None) => {
                    Self::Grant
                }
            },
            Self::Limit | Self::Grant | Self::Ignore => self,
        }
    }

    /// Whether the scopes that the credential of this principal names limit it: they [`Limit`](Self::Limit) whoever it is,
    /// and one of them speaks of a right, and not [of the login](Scope::is_of_login).
    ///
    /// For whoever grants scopes by roles without a policy. A [subject](crate::Subject) follows its policy, which may have
    /// a right of such a name.
    #[must_use]
    pub fn limits(self, principal: &Principal) -> bool {
        let mut scopes = principal.scopes.iter();
        let names_rights =
            principal.has_scopes_left_out || scopes.any(|scope| !scope.is_of_login());
        matches!(self.for_principal(principal), Self::Limit) && names_rights
    }
}

/// The scopes of the policy that a credential with these names.
pub(crate) fn named(policy: &Policy, scopes: &[Scope]) -> ScopeBits {
    let parts = &policy.compiled().parts;
    let may_be_wild = parts.subject.credential_wildcards;
    let scopes = scopes.iter().map(Scope::as_str);
    scopes
        .filter(|scope| may_be_wild || !is_wildcard(scope))
        .fold(ScopeBits::EMPTY, |all, scope| {
            all.union(&parts.scopes.expand(scope))
        })
}

/// The scopes of the policy to which a credential with these limits its holder. `None` when it limits nothing: the policy
/// has no scopes, the credential names none that speaks of rights, also none that was left out, or it names `*` where that
/// stands for all.
///
/// A scope that the policy does not have counts too. Otherwise a policy that renames a scope would give everything to
/// the tokens that were issued before.
pub(crate) fn limit(policy: &Policy, scopes: &[Scope], has_left_out: bool) -> Option<ScopeBits> {
    let parts = &policy.compiled().parts;
    let speaks_of_rights =
        |scope: &Scope| !scope.is_of_login() || parts.scopes.find(scope.as_str()).is_some();
    let names_rights = has_left_out || scopes.iter().any(speaks_of_rights);
    let is_all = parts.subject.credential_wildcards && scopes.iter().any(|scope| *scope == "*");
    (!parts.scopes.is_empty() && names_rights && !is_all).then(|| named(policy, scopes))
}
