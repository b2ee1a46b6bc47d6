//! What one method demands, as its registration says it.

use std::sync::Arc;

use ringwall_core::principal::Scope;
use ringwall_gate::{Access, AuditScope, AuthenticationRequirement, RouteDemand, RoutePolicy};

use crate::error::Error;

/// What one method demands. Begin with [`authenticated`], [`require_scope`],
/// [`require_any_scope`], [`optional`] or [`public`].
///
/// Without another word all that the client sends may have
/// [`RoutePolicy::DEFAULT_BODY_LIMIT`] bytes, and every call is recorded.
#[derive(Clone, Debug)]
#[must_use = "a policy does nothing until it is given to a method"]
pub struct MethodPolicy {
    access: Result<Draft, Fault>,
    login: Option<AuthenticationRequirement>,
    demand: RouteDemand,
    body_limit: u64,
    audit: AuditScope,
    plain_http: bool,
    limits: Option<Limits>,
}

/// By which rate limits calls are bounded, where it is not by the default tier.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Limits {
    Tier(Arc<str>),
    None,
}

#[derive(Clone, Debug)]
enum Draft {
    Unsaid,
    Said(Access),
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Scope,
    Contradiction,
}

/// For whoever is authenticated.
pub const fn authenticated() -> MethodPolicy {
    MethodPolicy {
        access: Ok(Draft::Unsaid),
        login: None,
        demand: RouteDemand::none(),
        body_limit: RoutePolicy::DEFAULT_BODY_LIMIT,
        audit: AuditScope::All,
        plain_http: false,
        limits: None,
    }
}

/// For whoever was granted `scope`.
pub fn require_scope(scope: &str) -> MethodPolicy {
    authenticated().require_scope(scope)
}

/// For whoever was granted at least one of `scopes`.
pub fn require_any_scope<'a>(scopes: impl IntoIterator<Item = &'a str>) -> MethodPolicy {
    authenticated().require_any_scope(scopes)
}

/// For callers without credentials too; wrong credentials are still refused.
pub fn optional() -> MethodPolicy {
    authenticated().optional()
}

/// For everybody: credentials are not looked at.
pub fn public() -> MethodPolicy {
    authenticated().public()
}

impl MethodPolicy {
    /// No limit for all that the client sends in one call. See [`streaming`](Self::streaming).
    pub const NO_LIMIT: u64 = u64::MAX;

    /// Demands `scope`. Said again, it demands the other scope too.
    pub fn require_scope(mut self, scope: &str) -> Self {
        self.access = self.access.and_then(|draft| {
            let scope = Scope::new(scope).map_err(|_| Fault::Scope)?;
            let scopes = match draft {
                Draft::Unsaid => [scope].into(),
                Draft::Said(Access::AllScopes(scopes)) => {
                    scopes.iter().cloned().chain([scope]).collect()
                }
                Draft::Said(_) => return Err(Fault::Contradiction),
            };
            Ok(Draft::Said(Access::AllScopes(scopes)))
        });
        self
    }

    /// Demands at least one of `scopes`.
    pub fn require_any_scope<'a>(mut self, scopes: impl IntoIterator<Item = &'a str>) -> Self {
        let access = Access::any_scope(scopes).map_err(|_| Fault::Scope);
        self.access = self.access.and_then(|draft| draft.say(access?));
        self
    }

    /// Demands a role that ranks at least as high as `role` in the gate's authorization policy, beside the scopes.
    pub fn require_role(self, role: &str) -> Self {
        let demand = self.demand.clone().role(role);
        self.demand(demand)
    }

    /// Demands that the gate's authorization policy permits `action` on what the caller's own tenant has of the type
    /// `resource`, beside the scopes. No row is looked at: where one matters, ask with it in the handler
    /// (`CurrentSubject`).
    pub fn require_permission(self, action: &str, resource: &str) -> Self {
        let demand = self.demand.clone().permission(resource, action);
        self.demand(demand)
    }

    fn demand(mut self, demand: RouteDemand) -> Self {
        if self.demand.is_changed_by(&demand) {
            self.access = Err(Fault::Contradiction);
        }
        self.demand = demand;
        self
    }

    /// Demands something of the login behind the caller's credential, beside the scopes: whoever
    /// does not meet it is answered `UNAUTHENTICATED` with the challenge of RFC 9470 as metadata, by
    /// which a client gets a token of a stronger or fresher login. A method that is public or optional
    /// cannot demand it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ringwall_gate::AuthenticationRequirement;
    /// use ringwall_tonic::require_scope;
    ///
    /// # fn main() -> Result<(), ringwall_gate::Error> {
    /// let recently = AuthenticationRequirement::max_age(Duration::from_secs(300))?;
    /// let policy = require_scope("cases:delete").step_up(recently);
    /// # Ok(())
    /// # }
    /// ```
    pub fn step_up(mut self, requirement: AuthenticationRequirement) -> Self {
        if self.login.as_ref().is_some_and(|said| *said != requirement) {
            self.access = Err(Fault::Contradiction);
        }
        self.login = Some(requirement);
        self
    }

    /// Serves callers without credentials too; wrong credentials are still refused.
    pub fn optional(mut self) -> Self {
        self.access = self.access.and_then(|draft| draft.say(Access::Optional));
        self
    }

    /// Serves everybody, and looks at no credentials.
    pub fn public(mut self) -> Self {
        self.access = self.access.and_then(|draft| draft.say(Access::Public));
        self
    }

    /// Sets how many bytes the client may send in one call, as they come over the network: frames,
    /// compressed messages and all. More is `RESOURCE_EXHAUSTED`.
    pub const fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Lifts the limit of what the client may send in one call, for methods whose client streams: how
    /// long a stream becomes in the end says nothing about it. Each message stays bounded by the
    /// generated server's `max_decoding_message_size` (tonic's default is 4 MiB), and the stream ends
    /// with the caller's credential.
    pub const fn streaming(self) -> Self {
        self.body_limit(Self::NO_LIMIT)
    }

    /// Serves this method over plain HTTP too where the gate answers over TLS alone: for the probe of
    /// a load balancer.
    pub const fn permit_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Holds calls against the rate limits of this tier, in place of the default one. The gate has to have it.
    pub fn tier(self, name: &str) -> Self {
        self.limits(Limits::Tier(name.into()))
    }

    /// Holds calls against no rate limits but that of failed credentials: for probes that come from beside the
    /// service.
    pub fn without_limits(self) -> Self {
        self.limits(Limits::None)
    }

    fn limits(mut self, limits: Limits) -> Self {
        if self.limits.as_ref().is_some_and(|said| *said != limits) {
            self.access = Err(Fault::Contradiction);
        }
        self.limits = Some(limits);
        self
    }

    /// Sets which calls are recorded in the audit trail.
    pub const fn audit(mut self, audit: AuditScope) -> Self {
        self.audit = audit;
        self
    }

    /// The route's policy under `name`, or why there is none.
    pub(crate) fn bind(&self, name: &str) -> Result<RoutePolicy, Error> {
        let method = || name.to_owned();
        let access = match &self.access {
            Ok(Draft::Unsaid) => Access::Authenticated,
            Ok(Draft::Said(access)) => access.clone(),
            Err(Fault::Scope) => return Err(Error::InvalidScope { method: method() }),
            Err(Fault::Contradiction) => return Err(Error::Contradiction { method: method() }),
        };
        let policy = RoutePolicy::new(name, access)
            .with_body_limit(self.body_limit)
            .with_audit(self.audit);
        let policy = if self.plain_http {
            policy.permit_plain_http()
        } else {
            policy
        };
        let policy = match &self.limits {
            None => policy,
            Some(Limits::Tier(name)) => policy.with_tier(Arc::clone(name)),
            Some(Limits::None) => policy.without_limits(),
        };
        let policy = policy
            .with_demand(self.demand.clone())
            .map_err(|_| Error::Contradiction { method: method() })?;
        match &self.login {
            None => Ok(policy),
            Some(login) => policy
                .with_authentication(login.clone())
                .map_err(|_| Error::Contradiction { method: method() }),
        }
    }
}

impl Draft {
    fn say(self, access: Access) -> Result<Self, Fault> {
        match self {
            Self::Unsaid => Ok(Self::Said(access)),
            Self::Said(said) if said == access => Ok(Self::Said(said)),
            Self::Said(_) => Err(Fault::Contradiction),
        }
    }
}
