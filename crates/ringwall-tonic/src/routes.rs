//! Several services of which every method is behind a door, and so is everything else.

use core::convert::Infallible;
use core::fmt;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use ringwall_gate::{AuditScope, Gate, RoutePolicy};
use tonic::server::NamedService;
use tonic::service::Routes;
use tower_service::Service;

use crate::doors::{Doors, UNKNOWN};
use crate::error::Error;
use crate::methods::{MethodEntry, Methods};
use crate::policy::public;
use crate::request_body::BoxError;
use crate::server::{GuardedServer, guard};
use crate::service::{GuardedService, Nothing};

/// Services that are protected by default.
///
/// Every method, the methods that a service does not have, and paths of no service at all stand behind
/// a door of the [`Gate`]. What is public is so because its registration says so.
///
/// It collects registrations, and becomes tonic's [`Routes`] by [`into_routes`](Self::into_routes).
/// Only then are the doors made, each under its method's whole path.
#[must_use = "routes do nothing until `into_routes`"]
pub struct GuardedRoutes {
    gate: Gate,
    /// Each keeps its own gate, so that routes of different gates can be merged.
    entries: Vec<(Gate, Box<dyn Registered>)>,
}

/// A [`GuardedServer`] of any type.
trait Registered: Send {
    fn name(&self) -> &'static str;
    fn list(&self, gate: &Gate) -> Result<Vec<MethodEntry>, Error>;
    fn mount(self: Box<Self>, gate: &Gate, routes: Routes) -> Result<Routes, Error>;
}

impl<S, R> Registered for GuardedServer<S>
where
    S: Service<Request<tonic::body::Body>, Response = Response<R>, Error = Infallible>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn list(&self, gate: &Gate) -> Result<Vec<MethodEntry>, Error> {
        Self::list(self, gate)
    }

    fn mount(self: Box<Self>, gate: &Gate, routes: Routes) -> Result<Routes, Error> {
        Ok(routes.add_service(self.into_service(gate)?))
    }
}

impl GuardedRoutes {
    /// Routes without a service: they refuse everybody, and answer `UNIMPLEMENTED` to whoever is
    /// authenticated.
    pub const fn new(gate: Gate) -> Self {
        Self {
            gate,
            entries: Vec::new(),
        }
    }

    /// Adds a service with the policies of its methods.
    pub fn service<S, R>(mut self, server: GuardedServer<S>) -> Self
    where
        S: Service<Request<tonic::body::Body>, Response = Response<R>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        self.entries.push((self.gate.clone(), Box::new(server)));
        self
    }

    /// Adds a service that serves everybody and looks at no credentials: health checks, and reflection
    /// where strangers may see the shape of the service.
    ///
    /// Denials alone are recorded: probes come every few seconds and change nothing, and so they work
    /// while the audit trail, the key source or the clock does not. A service that does change
    /// something is `service(guard(…).every_method(public()))`, which records each call.
    pub fn public_service<S, R>(self, server: S) -> Self
    where
        S: Service<Request<tonic::body::Body>, Response = Response<R>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let policy = public().audit(AuditScope::DenialsOnly);
        self.service(guard(server).every_method(policy))
    }

    /// Adds the services of `other`, each with its policies and its gate. What is unknown is judged by
    /// this one's gate.
    pub fn merge(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self
    }

    /// What is registered, unlisted methods and unknown paths included: for an owner to print or to
    /// compare.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`into_routes`](Self::into_routes) would answer it.
    pub fn methods(&self) -> Result<Methods, Error> {
        self.check()?;
        let mut listed = Vec::new();
        for (gate, entry) in &self.entries {
            listed.extend(entry.list(gate)?);
        }
        let unknown = RoutePolicy::new(UNKNOWN, ringwall_gate::Access::Authenticated);
        listed.push(MethodEntry::of(&unknown));
        Ok(Methods::new(listed))
    }

    /// Builds tonic's routes, every method behind its door, for
    /// [`Server::add_routes`](tonic::transport::Server::add_routes).
    ///
    /// What is added to the result by tonic's own `add_service`, or through its `axum_router_mut`, is
    /// *not* behind a door. Layers of the server (`Server::layer`) see requests before the gate does.
    ///
    /// # Errors
    ///
    /// [`Error`] says which registration is at fault.
    pub fn into_routes(self) -> Result<Routes, Error> {
        let doors = Doors::unknown(&self.gate);
        let router = self.into_axum_router()?;
        let unknown = GuardedService::new(Nothing, doors);
        Ok(Routes::from(router.fallback_service(unknown)))
    }

    /// Builds an axum router with these services and *without* an answer to unknown paths, to be merged
    /// into another router that has one: `GuardedRouter::into_router()` of `ringwall-axum` does, behind
    /// a door. By itself it answers a bare 404 to unknown paths.
    ///
    /// # Errors
    ///
    /// [`Error`] says which registration is at fault.
    pub fn into_axum_router(self) -> Result<axum::Router, Error> {
        self.check()?;
        let mut routes = Routes::from(axum::Router::new());
        for (gate, entry) in self.entries {
            routes = entry.mount(&gate, routes)?;
        }
        Ok(routes.into_axum_router())
    }

    /// axum would panic.
    fn check(&self) -> Result<(), Error> {
        let mut names: Vec<&'static str> = Vec::new();
        for (_, entry) in &self.entries {
            let name = entry.name();
            if names.contains(&name) {
                let service = name.to_owned();
                return Err(Error::DuplicateService { service });
            }
            names.push(name);
        }
        Ok(())
    }
}

impl fmt::Debug for GuardedRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = self.entries.iter().map(|(_, entry)| entry.name());
        f.debug_struct("GuardedRoutes")
            .field("gate", &self.gate)
            .field("services", &services.collect::<Vec<_>>())
            .finish()
    }
}
