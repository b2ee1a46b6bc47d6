//! What is registered, for an owner who wants to see it.

use core::fmt;
use std::sync::Arc;

use ringwall_gate::{Access, AuditScope, AuthenticationRequirement, RouteDemand};

/// One registered route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteEntry {
    /// The method, or `ANY`.
    pub method: &'static str,
    /// The whole template, prefixes included.
    pub path: String,
    /// Who may use it.
    pub access: Access,
    /// What is demanded of their login.
    pub authentication: Option<AuthenticationRequirement>,
    /// What is demanded of the gate's authorization policy.
    pub demand: RouteDemand,
    /// The longest request body in bytes.
    pub body_limit: u64,
    /// Which requests are recorded.
    pub audit: AuditScope,
    /// Whether it is served over plain HTTP at a gate that otherwise refuses it.
    pub plain_http: bool,
    /// The tier of rate limits that it names; `None` where the default tier holds, if the gate has any.
    pub tier: Option<Arc<str>>,
    /// Whether no rate limits hold for it.
    pub unlimited: bool,
}

impl RouteEntry {
    /// Whether anybody may use it, with credentials or without.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.access, Access::Public | Access::Optional)
    }
}

/// All registered routes, in the order of registration. Shows itself as a table, to be printed at
/// start or compared in a test, so that a route which became public shows up in a review.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Routes(Vec<RouteEntry>);

impl Routes {
    pub(crate) const fn new(entries: Vec<RouteEntry>) -> Self {
        Self(entries)
    }

    /// The entries.
    pub fn iter(&self) -> core::slice::Iter<'_, RouteEntry> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Routes {
    type Item = &'a RouteEntry;
    type IntoIter = core::slice::Iter<'a, RouteEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|entry| entry.path.len()).max();
        let width = width.unwrap_or(0);
        for entry in &self.0 {
            let RouteEntry {
                method,
                path,
                access,
                authentication,
                demand,
                plain_http,
                tier,
                unlimited,
                ..
            } = entry;
            write!(f, "{method:<7} {path:<width$} {access}")?;
            if let Some(login) = authentication {
                write!(f, ", login: {login}")?;
            }
            if !demand.is_none() {
                write!(f, ", {demand}")?;
            }
            if *plain_http {
                write!(f, ", plain HTTP too")?;
            }
            if let Some(tier) = tier {
                write!(f, ", limits: {tier}")?;
            }
            if *unlimited {
                write!(f, ", no limits")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
