//! What one route demands.

use std::sync::Arc;

use ringwall_core::principal::{InvalidName, Scope};

use crate::error::Error;
use crate::requirement::AuthenticationRequirement;

/// Who may use a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anybody. Credentials are not even looked at, so that a health check answers while the key
    /// source is down, and a stale token does not break a public page.
    Public,
    /// Anybody, and whoever presents credentials must present good ones: absent credentials are
    /// an anonymous caller, wrong ones are refused.
    Optional,
    /// Whoever is authenticated.
    Authenticated,
    /// Whoever was granted every one of these scopes. An empty list demands authentication alone.
    AllScopes(Arc<[Scope]>),
    /// Whoever was granted at least one of these scopes. An empty list admits nobody.
    AnyScope(Arc<[Scope]>),
}

impl Access {
    /// Demands every one of `scopes`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] when a text is not a scope (RFC 6749 §3.3).
    pub fn all_scopes<I>(scopes: I) -> Result<Self, InvalidName>
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        Ok(Self::AllScopes(parse(scopes)?))
    }

    /// Demands at least one of `scopes`.
    ///
    /// # Errors
    ///
    /// [`InvalidName`] when a text is not a scope (RFC 6749 §3.3).
    pub fn any_scope<I>(scopes: I) -> Result<Self, InvalidName>
    where
        I: IntoIterator<Item: Into<Box<str>>>,
    {
        Ok(Self::AnyScope(parse(scopes)?))
    }

    /// The scopes named, if any are.
    #[must_use]
    pub fn scopes(&self) -> &[Scope] {
        match self {
            Self::Public | Self::Optional | Self::Authenticated => &[],
            Self::AllScopes(scopes) | Self::AnyScope(scopes) => scopes,
        }
    }

    /// Whether a caller who `holds` some scopes has what this demands.
    pub(crate) fn admits(&self, holds: impl FnMut(&Scope) -> bool) -> bool {
        match self {
            Self::Public | Self::Optional | Self::Authenticated => true,
            Self::AllScopes(scopes) => scopes.iter().all(holds),
            Self::AnyScope(scopes) => scopes.iter().any(holds),
        }
    }
}

/// Such as `public`, `all of cases:read cases:write`.
impl core::fmt::Display for Access {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Public => "public",
            Self::Optional => "optional",
            Self::Authenticated => "authenticated",
            Self::AllScopes(_) => "all of",
            Self::AnyScope(_) => "any of",
        })?;
        for scope in self.scopes() {
            write!(f, " {scope}")?;
        }
        Ok(())
    }
}

fn parse<I>(scopes: I) -> Result<Arc<[Scope]>, InvalidName>
where
    I: IntoIterator<Item: Into<Box<str>>>,
{
    scopes.into_iter().map(Scope::new).collect()
}

/// Which requests of a route are recorded in the audit trail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AuditScope {
    /// Every request: the intent before the handler, the outcome after it, and every denial.
    #[default]
    All,
    /// Denials alone. Right for routes that change nothing and that are asked often: probes,
    /// published keys.
    DenialsOnly,
    /// Nothing. Events are still emitted.
    Off,
}

/// What one route demands, and under which name it is recorded. It is bound to the route where
/// the route is registered, and never found again by comparing paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutePolicy {
    pub(crate) name: Arc<str>,
    pub(crate) access: Access,
    pub(crate) authentication: Option<AuthenticationRequirement>,
    pub(crate) body_limit: u64,
    pub(crate) audit: AuditScope,
    pub(crate) plain_http: bool,
    pub(crate) tier: TierChoice,
    pub(crate) demand: RouteDemand,
}

/// What a route demands of the gate's authorization policy
/// ([`GateBuilder::authorization`](crate::GateBuilder::authorization)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteDemand {
    /// A rank at least as high as this role's.
    pub(crate) role: Option<Arc<str>>,
    /// The type of resource, and the action.
    pub(crate) permission: Option<(Arc<str>, Arc<str>)>,
}

impl RouteDemand {
    /// It demands nothing of it.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            role: None,
            permission: None,
        }
    }

    /// Demands a role that ranks at least as high as `role`.
    #[must_use]
    pub fn role(mut self, role: impl Into<Arc<str>>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// Demands that `action` is permitted on what the caller's own tenant has of the type `resource`, without looking
    /// at a row. Permits that ask for attributes of a row, or whether one is set, do not apply then, and forbids that do
    /// act; a permit under an obligation is none. For rows, let the handler ask with the row in its hand.
    ///
    /// Where that leaves nobody whom the policy could permit it, the route is refused at start
    /// ([`Error::DemandNeedsRow`]). A policy of which that is so, or which has no such type or action, and which is put into
    /// force later, lets nobody in (503) and is reported ([`Misconfigured`](ringwall_core::event::EventKind::Misconfigured)).
    #[must_use]
    pub fn permission(
        mut self,
        resource: impl Into<Arc<str>>,
        action: impl Into<Arc<str>>,
    ) -> Self {
        self.permission = Some((resource.into(), action.into()));
        self
    }

    /// Whether `other` takes back something that this demands, or demands something else in its place.
    #[must_use]
    pub fn is_changed_by(&self, other: &Self) -> bool {
        (self.role.is_some() && self.role != other.role)
            || (self.permission.is_some() && self.permission != other.permission)
    }

    /// Whether it demands nothing.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.role.is_none() && self.permission.is_none()
    }

    /// The role whose rank it demands.
    #[must_use]
    pub fn demanded_role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// The type of resource and the action that it demands a permission for.
    #[must_use]
    pub fn demanded_permission(&self) -> Option<(&str, &str)> {
        let (resource, action) = self.permission.as_ref()?;
        Some((resource, action))
    }
}

/// Such as `role: manager, permission: read payment`; nothing when nothing is demanded.
impl core::fmt::Display for RouteDemand {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if let Some(role) = &self.role {
            write!(f, "role: {role}")?;
        }
        if let Some((resource, action)) = &self.permission {
            let comma = if self.role.is_some() { ", " } else { "" };
            write!(f, "{comma}permission: {action} {resource}")?;
        }
        Ok(())
    }
}

/// By which limits a route is bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TierChoice {
    /// Those of every route that names none.
    Default,
    Named(Arc<str>),
    Unlimited,
}

impl RoutePolicy {
    /// The longest request body unless a route says otherwise: 1 MiB, which holds any ordinary
    /// JSON document, and is little enough that a hundred at once do not hurt.
    pub const DEFAULT_BODY_LIMIT: u64 = 1024 * 1024;

    /// A policy with the default body limit, recorded in full.
    ///
    /// `name` says what the route does in the words of the audit trail and of events, such as
    /// `GET /api/cases/{id}`. It is the route's template and never input.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, access: Access) -> Self {
        Self {
            name: name.into(),
            access,
            authentication: None,
            body_limit: Self::DEFAULT_BODY_LIMIT,
            audit: AuditScope::All,
            plain_http: false,
            tier: TierChoice::Default,
            demand: RouteDemand::default(),
        }
    }

    /// Demands something of the gate's authorization policy, beside the scopes.
    ///
    /// # Errors
    ///
    /// [`Error::OpenRoute`] for a route that serves callers without credentials.
    pub fn with_demand(mut self, demand: RouteDemand) -> Result<Self, Error> {
        if !demand.is_none() {
            self.check_closed()?;
        }
        self.demand = demand;
        Ok(self)
    }

    const fn check_closed(&self) -> Result<(), Error> {
        match self.access {
            Access::Public | Access::Optional => Err(Error::OpenRoute),
            Access::Authenticated | Access::AllScopes(_) | Access::AnyScope(_) => Ok(()),
        }
    }

    /// What is demanded of the gate's authorization policy.
    #[must_use]
    pub const fn demand(&self) -> &RouteDemand {
        &self.demand
    }

    /// Demands something of the login behind the caller's credential: the caller is refused with a
    /// challenge that names it (401, RFC 9470 §3) until somebody logged in accordingly.
    ///
    /// # Errors
    ///
    /// [`Error::OpenRoute`] for [`Access::Public`], where nobody looks at credentials, and for
    /// [`Access::Optional`], where whoever does not meet the requirement would leave them out.
    pub fn with_authentication(
        mut self,
        requirement: AuthenticationRequirement,
    ) -> Result<Self, Error> {
        self.check_closed()?;
        self.authentication = Some(requirement);
        Ok(self)
    }

    /// Sets the longest request body in bytes. A longer `Content-Length` is refused (413) before
    /// anything is read; a body that turns out longer is cut off by the adapter.
    #[must_use]
    pub const fn with_body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Sets which requests are recorded.
    #[must_use]
    pub const fn with_audit(mut self, audit: AuditScope) -> Self {
        self.audit = audit;
        self
    }

    /// Serves the route over plain HTTP too, at a gate that otherwise serves over TLS alone
    /// ([`HttpsOnly`](crate::HttpsOnly)): for probes that come from beside the service.
    #[must_use]
    pub const fn permit_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Holds its requests against the limits of the tier of this name, in place of the default tier's. A gate
    /// that has no such tier, or no limits at all, refuses the policy ([`Gate::check`](crate::Gate::check)), and
    /// a door that is made of it all the same lets nobody in.
    #[must_use]
    pub fn with_tier(mut self, name: impl Into<Arc<str>>) -> Self {
        self.tier = TierChoice::Named(name.into());
        self
    }

    /// Holds its requests against no limits but that of failed credentials: for probes that come from beside the
    /// service.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.tier = TierChoice::Unlimited;
        self
    }

    /// The name under which the route is recorded.
    #[must_use]
    pub const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Who may use the route.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// What is demanded of the login behind the caller's credential.
    #[must_use]
    pub const fn authentication(&self) -> Option<&AuthenticationRequirement> {
        self.authentication.as_ref()
    }

    /// The longest request body in bytes.
    #[must_use]
    pub const fn body_limit(&self) -> u64 {
        self.body_limit
    }

    /// Whether the route is served over plain HTTP at a gate that otherwise refuses it.
    #[must_use]
    pub const fn permits_plain_http(&self) -> bool {
        self.plain_http
    }

    /// Which requests are recorded.
    #[must_use]
    pub const fn audit(&self) -> AuditScope {
        self.audit
    }

    /// The tier that it names.
    #[must_use]
    pub const fn tier(&self) -> Option<&Arc<str>> {
        match &self.tier {
            TierChoice::Named(name) => Some(name),
            TierChoice::Default | TierChoice::Unlimited => None,
        }
    }

    /// Whether its requests are held against no limits.
    #[must_use]
    pub const fn is_unlimited(&self) -> bool {
        matches!(self.tier, TierChoice::Unlimited)
    }
}
