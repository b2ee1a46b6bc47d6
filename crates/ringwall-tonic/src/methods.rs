//! What is registered, for an owner who wants to see it.

use core::fmt;
use std::sync::Arc;

use ringwall_gate::{Access, AuditScope, AuthenticationRequirement, RouteDemand, RoutePolicy};

use crate::policy::MethodPolicy;

/// One registered method.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MethodEntry {
    /// The whole path, such as `/cases.v1.Cases/Get`; `/cases.v1.Cases/*` of every other method,
    /// `/cases.v1.Cases/(unlisted method)` of those without a policy, and `(unknown path)`.
    pub path: Arc<str>,
    /// Who may use it.
    pub access: Access,
    /// What is demanded of their login.
    pub authentication: Option<AuthenticationRequirement>,
    /// What is demanded of the gate's authorization policy.
    pub demand: RouteDemand,
    /// How many bytes the client may send in one call. `None` without a limit.
    pub body_limit: Option<u64>,
    /// Which calls are recorded.
    pub audit: AuditScope,
    /// The tier of rate limits that it names; `None` where the default tier holds, if the gate has any.
    pub tier: Option<Arc<str>>,
    /// Whether no rate limits hold for it.
    pub unlimited: bool,
}

impl MethodEntry {
    pub(crate) fn of(policy: &RoutePolicy) -> Self {
        let limit = policy.body_limit();
        Self {
            path: Arc::clone(policy.name()),
            access: policy.access().clone(),
            authentication: policy.authentication().cloned(),
            demand: policy.demand().clone(),
            body_limit: (limit != MethodPolicy::NO_LIMIT).then_some(limit),
            audit: policy.audit(),
            tier: policy.tier().cloned(),
            unlimited: policy.is_unlimited(),
        }
    }

    /// Whether anybody may use it, with credentials or without.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.access, Access::Public | Access::Optional)
    }
}

/// All registered methods, in the order of registration. Shows itself as a table, to be printed at
/// start or compared in a test, so that a method which became public shows up in a review.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Methods(Vec<MethodEntry>);

impl Methods {
    pub(crate) const fn new(entries: Vec<MethodEntry>) -> Self {
        Self(entries)
    }

    /// The entries.
    pub fn iter(&self) -> core::slice::Iter<'_, MethodEntry> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Methods {
    type Item = &'a MethodEntry;
    type IntoIter = core::slice::Iter<'a, MethodEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|entry| entry.path.len()).max();
        let width = width.unwrap_or(0);
        for entry in &self.0 {
            let MethodEntry {
                path,
                access,
                authentication,
                demand,
                body_limit,
                tier,
                unlimited,
                ..
            } = entry;
            write!(f, "{path:<width$} {access}")?;
            if let Some(login) = authentication {
                write!(f, ", login: {login}")?;
            }
            if !demand.is_none() {
                write!(f, ", {demand}")?;
            }
            if body_limit.is_none() {
                f.write_str(", streams without a limit")?;
            }
            if let Some(tier) = tier {
                write!(f, ", limits: {tier}")?;
            }
            if *unlimited {
                f.write_str(", no limits")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
