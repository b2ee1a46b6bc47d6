//! One method of one path, with its policy.

use core::fmt;
use std::sync::Arc;

use actix_service::ServiceFactoryExt as _;
use actix_service::boxed::{self, BoxService};
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse, Transform, fn_service};
use actix_web::middleware::Compat;
use actix_web::web::ServiceConfig;
use actix_web::{FromRequest, Handler, Responder};
use ringwall_core::principal::Scope;
use ringwall_gate::{
    Access, AuditScope, AuthenticationRequirement, Door, RouteDemand, RoutePolicy,
};

use crate::error::Error;
use crate::guard::{Factory, Guard};
use crate::handler::answer;

/// One method of one path: its handler and its policy.
///
/// Without another word the caller must be authenticated, the body may have
/// [`RoutePolicy::DEFAULT_BODY_LIMIT`] bytes, and every request is recorded. Make it with [`get`],
/// [`post`] and their like; join several with [`and`](Self::and).
#[must_use = "an endpoint does nothing until it is given to an app"]
pub struct Endpoint {
    pub(crate) verb: Verb,
    access: Result<Draft, Fault>,
    login: Option<AuthenticationRequirement>,
    demand: RouteDemand,
    body_limit: u64,
    audit: AuditScope,
    plain_http: bool,
    limits: Option<Limits>,
    make: Make,
}

/// The endpoints of one path.
#[must_use = "endpoints do nothing until they are given to an app"]
pub struct Endpoints(pub(crate) Vec<Endpoint>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum Verb {
    Any,
    Only(&'static str),
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
    Misplaced,
}

/// What makes the services of an endpoint. Each worker makes its own, since they stay on its thread.
#[derive(Clone)]
pub(crate) enum Make {
    Service {
        bare: Arc<dyn Fn() -> Factory + Send + Sync>,
        /// The same behind a door, without a box between the two.
        guarded: Arc<dyn Fn(Door) -> Factory + Send + Sync>,
    },
    Config(Arc<dyn Fn(&mut ServiceConfig) + Send + Sync>),
}

impl Verb {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Any => "ANY",
            Self::Only(name) => name,
        }
    }
}

impl Endpoint {
    fn new(verb: Verb, make: Make) -> Self {
        Self {
            verb,
            access: Ok(Draft::Unsaid),
            login: None,
            demand: RouteDemand::none(),
            body_limit: RoutePolicy::DEFAULT_BODY_LIMIT,
            audit: AuditScope::default(),
            plain_http: false,
            limits: None,
            make,
        }
    }

    fn handler<H, Args>(verb: Verb, handler: H) -> Self
    where
        H: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        H::Output: Responder + 'static,
    {
        let service = move || {
            let handler = handler.clone();
            fn_service(move |request| answer(handler.clone(), request))
        };
        Self::new(verb, Make::service(service))
    }

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
    /// use ringwall_actix::{Endpoint, delete};
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

    /// Sets the longest request body in bytes, for everything that reads the body. actix-web's own
    /// extractors (`Bytes`, `String`, `Json`, `Form`) take as much too, unless the service configured
    /// less (`JsonConfig` and its like), which then holds below it.
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

    /// Puts a middleware around the handler, *behind* the door: it sees the `Admitted` of the request,
    /// and only requests that were admitted. Each worker makes its own, by `middleware`. Said again,
    /// the later one is further outside.
    ///
    /// ```
    /// use actix_web::middleware::DefaultHeaders;
    /// use ringwall_actix::{Endpoint, get};
    ///
    /// let endpoint: Endpoint = get(async || "a case")
    ///     .wrap(|| DefaultHeaders::new().add(("cache-control", "no-store")));
    /// ```
    pub fn wrap<M, B>(mut self, middleware: impl Fn() -> M + Send + Sync + 'static) -> Self
    where
        M: Transform<
                BoxService<ServiceRequest, ServiceResponse, actix_web::Error>,
                ServiceRequest,
                Response = ServiceResponse<B>,
                Error = actix_web::Error,
                InitError = (),
            > + 'static,
        B: MessageBody + 'static,
    {
        self.make = match self.make {
            Make::Service { bare, .. } => {
                Make::service(move || actix_service::apply(Compat::new(middleware()), bare()))
            }
            config @ Make::Config(_) => {
                self.access = Err(Fault::Misplaced);
                config
            }
        };
        self
    }

    /// Joins it with another method of the same path.
    pub fn and(self, other: impl Into<Endpoints>) -> Endpoints {
        Endpoints(vec![self]).and(other)
    }

    /// The policy under `name`, or why there is none.
    pub(crate) fn policy(&self, name: String) -> Result<RoutePolicy, Error> {
        let access = match &self.access {
            Ok(Draft::Unsaid) => Access::Authenticated,
            Ok(Draft::Said(access)) => access.clone(),
            Err(Fault::Scope) => return Err(Error::InvalidScope { route: name }),
            Err(Fault::Contradiction) => return Err(Error::Contradiction { route: name }),
            Err(Fault::Misplaced) => return Err(Error::Misplaced { route: name }),
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

    pub(crate) fn make(&self) -> Make {
        self.make.clone()
    }
}

impl Make {
    /// From what makes a service of its own for each worker.
    fn service<F, B>(make: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: ServiceFactory<
                ServiceRequest,
                Config = (),
                Response = ServiceResponse<B>,
                Error = actix_web::Error,
                InitError = (),
            > + 'static,
        F::Future: 'static,
        F::Service: 'static,
        B: MessageBody + 'static,
    {
        let make = Arc::new(make);
        let other = Arc::clone(&make);
        Self::Service {
            bare: Arc::new(move || {
                boxed::factory(make().map(ServiceResponse::map_into_boxed_body))
            }),
            guarded: Arc::new(move |door| Guard(door).around(other())),
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

impl Endpoints {
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

impl From<Endpoint> for Endpoints {
    fn from(endpoint: Endpoint) -> Self {
        Self(vec![endpoint])
    }
}

macro_rules! methods {
    ($($name:ident $text:literal $what:literal,)+) => {$(
        #[doc = concat!("Answers `", $text, "` with `handler`", $what)]
        pub fn $name<H, Args>(handler: H) -> Endpoint
        where
            H: Handler<Args> + Send + Sync,
            Args: FromRequest + 'static,
            H::Output: Responder + 'static,
        {
            Endpoint::handler(Verb::Only($text), handler)
        }
    )+};
}

methods! {
    get "GET" ", and `HEAD` too, under the same policy, unless the path has a `head` of its own.",
    head "HEAD" ".",
    post "POST" ".",
    put "PUT" ".",
    patch "PATCH" ".",
    delete "DELETE" ".",
    options "OPTIONS" ". For CORS put a middleware around the app instead: it answers preflights, which carry no credentials, before the gate.",
    trace "TRACE" ".",
    connect "CONNECT" ".",
}

/// Answers every method that the path has no other endpoint for with `handler`.
pub fn any<H, Args>(handler: H) -> Endpoint
where
    H: Handler<Args> + Send + Sync,
    Args: FromRequest + 'static,
    H::Output: Responder + 'static,
{
    Endpoint::handler(Verb::Any, handler)
}

/// Answers every method that the path has no other endpoint for with a service of actix-web, such as
/// `actix_files::Files` or a `Route`. Each worker makes its own, by `make`.
///
/// The guards of a `Route` are not asked: actix-web asks them where routes are chosen.
pub fn any_service<F, B>(make: impl Fn() -> F + Send + Sync + 'static) -> Endpoint
where
    F: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = actix_web::Error,
            InitError = (),
        > + 'static,
    F::Future: 'static,
    F::Service: 'static,
    B: MessageBody + 'static,
{
    Endpoint::new(Verb::Any, Make::service(make))
}

/// Answers everything below a prefix with what `configure` registers with actix-web: scopes, resources
/// and routes that exist already. It goes into [`nest_service`](crate::GuardedApp::nest_service) alone,
/// and each worker runs it.
///
/// ```
/// use actix_web::web::{self, ServiceConfig};
/// use ringwall_actix::{GuardedApp, any_config};
///
/// fn reports(config: &mut ServiceConfig) {
///     config.route("/{year}", web::get().to(async || "a report"));
/// }
///
/// # fn app(gate: ringwall_gate::Gate) -> GuardedApp {
/// GuardedApp::new(gate).nest_service("/reports", any_config(reports).require_scope("reports:read"))
/// # }
/// ```
pub fn any_config(configure: impl Fn(&mut ServiceConfig) + Send + Sync + 'static) -> Endpoint {
    Endpoint::new(Verb::Any, Make::Config(Arc::new(configure)))
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("method", &self.verb.name())
            .field("access", &self.access)
            .field("login", &self.login)
            .field("demand", &self.demand)
            .field("body_limit", &self.body_limit)
            .field("audit", &self.audit)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Endpoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoints").field(&self.0).finish()
    }
}
