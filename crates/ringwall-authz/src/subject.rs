//! Who acts.

mod builder;
mod known;

use std::collections::HashSet;
use std::sync::Arc;

use ringwall_core::principal::{Subject as SubjectId, Tenant};

use crate::compile::rules::CompiledRule;
use crate::document::Effect;
use crate::policy::Policy;
use crate::slots::AttributeError;

pub use builder::{MAX_SUBJECT_VALUES, SubjectBuilder};
pub(crate) use known::{Known, Related};

/// Who acts: its tenant, its roles and scopes with all that they stand for, its attributes and its relations, at one
/// point in time. A snapshot: make it anew for each request, and while a stream goes on.
///
/// Cloning shares it.
#[derive(Clone, Debug)]
pub struct Subject(Arc<Known>);

impl Subject {
    pub(crate) fn known(&self) -> &Known {
        &self.0
    }

    /// The policy that it was made for.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.0.policy
    }

    /// Who: the subject of the credential.
    #[must_use]
    pub fn name(&self) -> &SubjectId {
        &self.0.principal.subject
    }

    /// Who vouches for it.
    #[must_use]
    pub fn issuer(&self) -> Option<&Arc<str>> {
        self.0.principal.issuer.as_ref()
    }

    /// The tenant in which it acts.
    #[must_use]
    pub fn tenant(&self) -> Option<&Tenant> {
        self.0.principal.tenant.as_ref()
    }

    /// Whether it uses `role`, by itself or through one that inherits it. `false` for a subject that breaks a
    /// separation of duty, and for one that is [limited to scopes](Self::is_limited).
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        let role = self.0.policy.compiled().parts.roles.find(role);
        role.is_some_and(|role| self.0.has_role(role))
    }

    /// Whether one of the roles that it uses ranks at least as high as `role`. `false` when that role has no rank,
    /// for a subject that breaks a separation of duty, and for one that is [limited to scopes](Self::is_limited).
    #[must_use]
    pub fn has_rank_of(&self, role: &str) -> bool {
        let roles = &self.0.policy.compiled().parts.roles;
        let demanded = roles.find(role).and_then(|role| roles.rank(role));
        self.0.may_use_roles()
            && demanded.is_some_and(|demanded| self.0.highest_rank >= Some(demanded))
    }

    /// Whether it gives away nothing that it does not have itself when it gives somebody `role`: it uses the role, or has
    /// all that the role is worth. That is a rank at least as high, every scope that the role and what it inherits
    /// grant, and each of these roles that a rule permits something by name; and no role or scope of its own forbids it
    /// what the other could be permitted and would not be forbidden. Upon which rows the other may use it, its own attributes and relations say.
    ///
    /// `false` for a role that the policy does not have, for one without a rank that it does not use itself, for a
    /// subject that breaks a separation of duty, and for one that is [limited to scopes](Self::is_limited). What a handler
    /// grants to a role by asking [`has_role`](Self::has_role) no policy knows: give such roles by a list of your own.
    #[must_use]
    pub fn covers(&self, role: &str) -> bool {
        let known = &*self.0;
        let compiled = known.policy.compiled();
        let parts = &compiled.parts;
        let Some(role) = parts.roles.find(role) else {
            return false;
        };
        let closure = parts.roles.closure(role);
        let has_rank = || {
            let rank = |role| parts.roles.rank(role);
            rank(role).is_some() && known.highest_rank >= closure.iter().filter_map(rank).max()
        };
        let granted = parts.scopes.granted_by(&closure);
        let has_scopes = || known.scopes.contains_all(&granted);
        let is_permitted_by_name = |role| {
            let mut rules = compiled.rules.iter();
            rules.any(|rule| matches!(rule.effect, Effect::Permit) && rule.roles.contains(role))
        };
        // Whoever is forbidden something by a role of its own would let somebody else do it.
        let is_bound_alone = || {
            let reaches =
                |rule: &&CompiledRule| rule.is_for(&closure) && granted.contains_all(&rule.scopes);
            let (permits, forbids): (Vec<_>, Vec<_>) = compiled
                .rules
                .iter()
                .partition(|rule| matches!(rule.effect, Effect::Permit));
            let opened: HashSet<(u16, u16)> = permits
                .iter()
                .filter(|rule| reaches(rule))
                .flat_map(|rule| rule.actions.iter().map(|action| (rule.resource, *action)))
                .collect();
            forbids.iter().any(|rule| {
                let is_bound =
                    rule.is_for(&known.held) && known.all_scopes.contains_all(&rule.scopes);
                let mut actions = rule.actions.iter();
                is_bound
                    && !reaches(rule)
                    && actions.any(|action| opened.contains(&(rule.resource, *action)))
            })
        };
        known.may_use_roles()
            && !is_bound_alone()
            && (known.used.contains(role)
                || (has_rank()
                    && has_scopes()
                    && closure
                        .iter()
                        .all(|role| known.used.contains(role) || !is_permitted_by_name(role))))
    }

    /// Whether it holds `scope`: by its credential or by a role that it uses; by both, when the credential
    /// [limits](Self::is_limited) it. `false` for a scope that the policy
    /// does not have, and for a subject that breaks a separation of duty.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        let scope = self.0.policy.compiled().parts.scopes.find(scope);
        scope.is_some_and(|scope| self.0.has_scope(scope))
    }

    /// Whether its credential [limits it to scopes](SubjectBuilder::limited_to_scopes_of_credential): then its roles
    /// count as far as these scopes go, and not by themselves.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.0.is_limited
    }

    /// The separation of duty that its roles break. Such a subject may do nothing: let it
    /// [use fewer roles](SubjectBuilder::use_roles), or hold fewer.
    #[must_use]
    pub fn broken_separation(&self) -> Option<&str> {
        self.0.broken_separation.as_deref()
    }

    /// Attributes that were told in a way that the policy does not know.
    #[must_use]
    pub fn errors(&self) -> &[AttributeError] {
        &self.0.errors
    }

    /// The version of the attributes that it was made from.
    #[must_use]
    pub fn version(&self) -> Option<u64> {
        self.0.version
    }
}
