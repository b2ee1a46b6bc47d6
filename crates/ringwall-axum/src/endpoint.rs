//! One method of one path, with its policy.

use core::convert::Infallible;
use core::fmt;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::IntoResponse;
use axum::routing::{self, MethodFilter, MethodRouter};
use ringwall_core::principal::Scope;
use ringwall_gate::{
    Access, AuditScope, AuthenticationRequirement, Door, RouteDemand, RoutePolicy,
};
use tower_service::Service;

use crate::error::Error;
use crate::guard::Guarded;
#[cfg(feature = "authzen")]
use crate::request_id::EchoesRequestId;
use crate::service::Served;

/// Makes the route once its door is known, which is when its whole path is.
type Make<S> = Box<dyn FnOnce(Door, Verb) -> MethodRouter<S> + Send>;

/// One method of one path: its handler and its policy.
///
/// Without another word the caller must be authenticated, the body may have
/// [`RoutePolicy::DEFAULT_BODY_LIMIT`] bytes, and every request is recorded. Make it with [`get`],
/// [`post`] and their like; join several with [`and`](Self::and).
#[must_use = "an endpoint does nothing until it is given to a router"]
pub struct Endpoint<S = ()> {
    pub(crate) verb: Verb,
    access: Result<Draft, Fault>,
    login: Option<AuthenticationRequirement>,
    demand: RouteDemand,
    body_limit: u64,
    audit: AuditScope,
    plain_http: bool,
    limits: Option<Limits>,
    make: Make<S>,
}

/// The endpoints of one path.
#[must_use = "endpoints do nothing until they are given to a router"]
pub struct Endpoints<S = ()>(pub(crate) Vec<Endpoint<S>>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Any,
    Only(MethodFilter, &'static str),
}

#[derive(Clone, Debug)]
enum Draft {
    Unsaid,
    Said(Access),
}

/// By which rate limits requests are bounded, where it is not by the default tier.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Limits {
    Tier(Arc<str>),
    None,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Scope,
    Contradiction,
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            Self::Only(_, name) => name,
        }
    }

    fn route<H, T, S>(self, handler: H) -> MethodRouter<S>
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        match self {
            Self::Any => routing::any(handler),
            Self::Only(filter, _) => routing::on(filter, handler),
        }
    }
}

impl<S> Endpoint<S>
where
    S: Clone + Send + Sync + 'static,
{
    fn new<H, T>(verb: Verb, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        Self {
            verb,
            access: Ok(Draft::Unsaid),
            login: None,
            demand: RouteDemand::none(),
            body_limit: RoutePolicy::DEFAULT_BODY_LIMIT,
            audit: AuditScope::default(),
            plain_http: false,
            limits: None,
            make: Box::new(move |door, verb| verb.route(Guarded::new(handler, door))),
        }
    }

    /// An endpoint whose every answer has the id of its request.
    #[cfg(feature = "authzen")]
    fn echoing<H, T>(verb: Verb, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        let make = {
            let handler = handler.clone();
            move |door: Door, verb: Verb| verb.route(EchoesRequestId(Guarded::new(handler, door)))
        };
        Self {
            make: Box::new(make),
            ..Self::new(verb, handler)
        }
    }

    pub(crate) fn with_state<S2>(self, state: S) -> Endpoint<S2> {
        let make = self.make;
        Endpoint {
            verb: self.verb,
            access: self.access,
            login: self.login,
            demand: self.demand,
            body_limit: self.body_limit,
            audit: self.audit,
            plain_http: self.plain_http,
            limits: self.limits,
            make: Box::new(move |door, verb| make(door, verb).with_state(state)),
        }
    }
}

impl<S> Endpoint<S> {
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
    /// does not meet it is answered 401 with the challenge of RFC 9470, by which a client gets a
    /// token of a stronger or fresher login. A route that is public or optional cannot demand it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use ringwall_axum::{Endpoint, delete};
    /// use ringwall_gate::AuthenticationRequirement;
    ///
    /// # fn main() -> Result<(), ringwall_gate::Error> {
    /// let recently = AuthenticationRequirement::max_age(Duration::from_secs(300))?;
    /// let endpoint: Endpoint = delete(async || "gone").require_scope("cases:delete").step_up(recently);
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

    /// Sets the longest request body in bytes, for everything that reads the body, axum's own
    /// extractors included.
    pub const fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Sets which requests are recorded in the audit trail.
    pub const fn audit(mut self, audit: AuditScope) -> Self {
        self.audit = audit;
        self
    }

    /// Serves it over plain HTTP too, at a gate that otherwise serves over TLS alone: for probes that
    /// come from beside the service.
    pub const fn permit_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Holds its requests against the rate limits of this tier, in place of the default one. The gate has to have
    /// it.
    pub fn tier(self, name: &str) -> Self {
        self.limits(Limits::Tier(name.into()))
    }

    /// Holds its requests against no rate limits but that of failed credentials: for probes that come from beside
    /// the service.
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

    /// Joins it with another method of the same path.
    pub fn and(self, other: impl Into<Endpoints<S>>) -> Endpoints<S> {
        Endpoints(vec![self]).and(other)
    }

    /// The policy under `name`, or why there is none.
    pub(crate) fn policy(&self, name: String) -> Result<RoutePolicy, Error> {
        let access = match &self.access {
            Ok(Draft::Unsaid) => Access::Authenticated,
            Ok(Draft::Said(access)) => access.clone(),
            Err(Fault::Scope) => return Err(Error::InvalidScope { route: name }),
            Err(Fault::Contradiction) => return Err(Error::Contradiction { route: name }),
        };
        let contradiction = |_| Error::Contradiction {
            route: name.clone(),
        };
        let policy = RoutePolicy::new(name.as_str(), access)
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
            .map_err(contradiction)?;
        match &self.login {
            None => Ok(policy),
            Some(login) => policy
                .with_authentication(login.clone())
                .map_err(contradiction),
        }
    }

    /// The route behind `door`.
    pub(crate) fn make(self, door: Door) -> MethodRouter<S> {
        (self.make)(door, self.verb)
    }

    /// The route behind `door`, for every method: what a fallback and a mount are.
    pub(crate) fn make_for_any(self, door: Door) -> MethodRouter<S> {
        (self.make)(door, Verb::Any)
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

impl<S> Endpoints<S> {
    /// Joins them with more methods of the same path.
    pub fn and(mut self, other: impl Into<Self>) -> Self {
        self.0.extend(other.into().0);
        self
    }

    /// Serves everybody on each of them, and looks at no credentials.
    pub fn public(self) -> Self {
        Self(self.0.into_iter().map(Endpoint::public).collect())
    }
}

impl<S> From<Endpoint<S>> for Endpoints<S> {
    fn from(endpoint: Endpoint<S>) -> Self {
        Self(vec![endpoint])
    }
}

macro_rules! methods {
    ($($name:ident $filter:ident $text:literal $what:literal,)+) => {$(
        #[doc = concat!("Answers `", $text, "` with `handler`", $what)]
        pub fn $name<H, T, S>(handler: H) -> Endpoint<S>
        where
            H: Handler<T, S>,
            T: 'static,
            S: Clone + Send + Sync + 'static,
        {
            Endpoint::new(Verb::Only(MethodFilter::$filter, $text), handler)
        }
    )+};
}

methods! {
    get GET "GET" ", and `HEAD` too, under the same policy, unless the path has a `head` of its own.",
    head HEAD "HEAD" ".",
    post POST "POST" ".",
    put PUT "PUT" ".",
    patch PATCH "PATCH" ".",
    delete DELETE "DELETE" ".",
    options OPTIONS "OPTIONS" ". For CORS put a `CorsPolicyLayer` (ringwall-tower) around the finished router instead: it answers preflights, which carry no credentials, before the gate.",
    trace TRACE "TRACE" ".",
    connect CONNECT "CONNECT" ".",
}

/// As [`get`], with the id of the request in every answer.
#[cfg(feature = "authzen")]
pub(crate) fn echoing_get<H, T, S>(handler: H) -> Endpoint<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Endpoint::echoing(Verb::Only(MethodFilter::GET, "GET"), handler)
}

/// As [`post`], with the id of the request in every answer.
#[cfg(feature = "authzen")]
pub(crate) fn echoing_post<H, T, S>(handler: H) -> Endpoint<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Endpoint::echoing(Verb::Only(MethodFilter::POST, "POST"), handler)
}

/// Answers every method that the path has no other endpoint for with `handler`.
pub fn any<H, T, S>(handler: H) -> Endpoint<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Endpoint::new(Verb::Any, handler)
}

/// Answers every method that the path has no other endpoint for with a tower service.
pub fn any_service<T, S>(service: T) -> Endpoint<S>
where
    T: Service<Request, Error = Infallible> + Clone + Send + Sync + 'static,
    T::Response: IntoResponse,
    T::Future: Send,
    S: Clone + Send + Sync + 'static,
{
    Endpoint::new(Verb::Any, Served(service))
}

impl<S> fmt::Debug for Endpoint<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("method", &self.verb.name())
            .field("access", &self.access)
            .field("login", &self.login)
            .field("demand", &self.demand)
            .field("body_limit", &self.body_limit)
            .field("audit", &self.audit)
            .field("plain_http", &self.plain_http)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl<S> fmt::Debug for Endpoints<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoints").field(&self.0).finish()
    }
}
