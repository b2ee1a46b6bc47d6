//! What the scopes of a credential are to the rights of its subject.

use ringwall_core::principal::{Principal, PrincipalKind};

use crate::bits::ScopeBits;
use crate::compile::scopes::is_wildcard;
use crate::policy::Policy;

/// Scopes that speak of the login and of the answer's claims, and of no right (OpenID Connect Core 1.0 §5.4, §11).
const OF_LOGINS: [&str; 6] = [
    "openid",
    "profile",
    "email",
    "address",
    "phone",
    "offline_access",
];

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
}

/// The scopes of the policy that the credential names.
pub(crate) fn named(policy: &Policy, principal: &Principal) -> ScopeBits {
    let parts = &policy.compiled().parts;
    let may_be_wild = parts.subject.credential_wildcards;
    let scopes = principal.scopes.iter().map(|scope| scope.as_str());
    scopes
        .filter(|scope| may_be_wild || !is_wildcard(scope))
        .fold(ScopeBits::EMPTY, |all, scope| {
            all.union(&parts.scopes.expand(scope))
        })
}

/// The scopes of the policy to which the credential limits its holder. `None` when it limits nothing: the policy has
/// no scopes, the credential names none that speaks of rights, or it names `*` where that stands for all.
///
/// A scope that the policy does not have counts too. Otherwise a policy that renames a scope would give everything to
/// the tokens that were issued before.
pub(crate) fn limit(policy: &Policy, principal: &Principal) -> Option<ScopeBits> {
    let parts = &policy.compiled().parts;
    let speaks_of_rights =
        |scope: &str| parts.scopes.find(scope).is_some() || !OF_LOGINS.contains(&scope);
    let mut scopes = principal.scopes.iter().map(|scope| scope.as_str());
    let limits = !parts.scopes.is_empty() && scopes.clone().any(speaks_of_rights);
    let is_all = parts.subject.credential_wildcards && scopes.any(|scope| scope == "*");
    (limits && !is_all).then(|| named(policy, principal))
}
