//! A router of which every route is behind a door.

use core::fmt;
use std::collections::BTreeMap;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::{self, MethodRouter};
use ringwall_core::denial::Denial;
use ringwall_gate::{Access, AuditScope, Door, Gate, ProtectedResource, RoutePolicy};

use crate::endpoint::{Endpoint, Endpoints, Verb, get};
use crate::error::Error;
use crate::guard::{Guarded, Refuses};
use crate::routes::{RouteEntry, Routes};

/// The path that stands for every path without a route.
const UNKNOWN: &str = "(unknown path)";

/// A router that is protected by default.
///
/// Every route, the fallback for unknown paths and the answer to methods that a path does not have
/// stand behind a door of the [`Gate`]. What is public is so because its registration says so.
///
/// It collects registrations, and becomes an axum [`Router`] by
/// [`into_router`](Self::into_router). Only then are the doors made, under each route's whole
/// path: nothing compares paths a second time when a request comes.
///
/// Unlike with axum's own `nest`, handlers below a prefix see the URI as it was received.
#[must_use = "a router does nothing until `into_router`"]
pub struct GuardedRouter<S = ()> {
    gate: Gate,
    entries: Vec<Entry<S>>,
    mounts: Vec<Mount>,
    fallback: Option<Endpoint<S>>,
    errors: Vec<Error>,
}

/// One endpoint at its path. It keeps its own gate, so that routers of different gates can be
/// merged.
struct Entry<S> {
    gate: Gate,
    path: String,
    /// Whether the path stays as it is wherever the router is nested (RFC 8615 §3).
    at_root: bool,
    endpoint: Endpoint<S>,
}

struct Mount {
    gate: Gate,
    prefix: String,
    endpoint: Endpoint<()>,
}

impl<S> GuardedRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// A router without routes: it refuses everybody, and answers 404 to whoever is authenticated.
    pub const fn new(gate: Gate) -> Self {
        Self {
            gate,
            entries: Vec::new(),
            mounts: Vec::new(),
            fallback: None,
            errors: Vec::new(),
        }
    }

    /// Registers endpoints at `path`, an axum template such as `/cases/{id}`.
    ///
    /// They are made by [`get`], [`post`](crate::post) and their kin of this crate. Those of `axum::routing` make a
    /// `MethodRouter`, which knows no policy: the compiler then says that `Endpoints: From<MethodRouter>` is not
    /// satisfied, and the remedy is `use ringwall_axum::get`.
    pub fn route(mut self, path: &str, endpoints: impl Into<Endpoints<S>>) -> Self {
        self.check_path(path, 1);
        for endpoint in endpoints.into().0 {
            self.entries.push(Entry {
                gate: self.gate.clone(),
                path: path.to_owned(),
                at_root: false,
                endpoint,
            });
        }
        self
    }

    /// Serves the metadata of the protected resource that the gate was given (RFC 9728), to
    /// everybody, by GET and HEAD. Its path is at the root of the host, also when this router is
    /// nested; nest the *axum* router that comes of it nowhere.
    ///
    /// Successes are not recorded, since anybody may ask as often as they like. Answers may be
    /// cached for an hour ([`CACHE_CONTROL`]). Clients in browsers of other origins need CORS fields,
    /// which are not added here: put a `CorsPolicyLayer` around the finished router, as for other routes.
    ///
    /// The path of the resource must be no template: a segment that begins with `:` or `*` is
    /// refused as elsewhere.
    ///
    /// [`CACHE_CONTROL`]: ringwall_gate::ProtectedResource::CACHE_CONTROL
    pub fn resource_metadata(mut self) -> Self {
        let Some(resource) = self.gate.protected_resource().cloned() else {
            self.errors.push(Error::NoProtectedResource);
            return self;
        };
        let path = resource.path().to_owned();
        let handler = async move || {
            let headers = [
                (CONTENT_TYPE, ProtectedResource::MEDIA_TYPE),
                (CACHE_CONTROL, ProtectedResource::CACHE_CONTROL),
            ];
            (headers, resource.document().to_owned())
        };
        let endpoint = get(handler).public().audit(AuditScope::DenialsOnly);
        self.route_at_root(&path, endpoint)
    }

    /// Registers an endpoint at a path that stays as it is wherever this router is nested (RFC 8615 §3).
    pub(crate) fn route_at_root(mut self, path: &str, endpoint: Endpoint<S>) -> Self {
        self.check_path(path, 1);
        self.entries.push(Entry {
            gate: self.gate.clone(),
            path: path.to_owned(),
            at_root: true,
            endpoint,
        });
        self
    }

    /// Registers endpoints at `path` that serve everybody and look at no credentials: the same as
    /// calling [`public`](Endpoints::public) on each.
    pub fn public_route(self, path: &str, endpoints: impl Into<Endpoints<S>>) -> Self {
        self.route(path, endpoints.into().public())
    }

    /// Registers `other` below `prefix`, such as `/api` or `/orgs/{org}`. Its routes keep their
    /// policies and their gate, and are recorded under the whole path.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        self.check_path(prefix, 2);
        if other.fallback.is_some() {
            self.errors.push(Error::SecondFallback);
        }
        self.errors.extend(other.errors);
        self.entries
            .extend(other.entries.into_iter().map(|entry| match entry.at_root {
                true => entry,
                false => Entry {
                    path: join(prefix, &entry.path),
                    ..entry
                },
            }));
        self.mounts
            .extend(other.mounts.into_iter().map(|mount| Mount {
                prefix: join(prefix, &mount.prefix),
                ..mount
            }));
        self
    }

    /// Registers one endpoint for everything below `prefix`: a raw service, a foreign router. It is
    /// one door with one policy, and the service sees paths without the prefix.
    ///
    /// ```
    /// # use ringwall_axum::{GuardedRouter, any_service};
    /// # fn files(gate: ringwall_gate::Gate, files: axum::Router) -> GuardedRouter {
    /// GuardedRouter::new(gate).nest_service("/files", any_service(files).require_scope("files:read"))
    /// # }
    /// ```
    pub fn nest_service(mut self, prefix: &str, endpoint: Endpoint<()>) -> Self {
        self.check_path(prefix, 2);
        self.mounts.push(Mount {
            gate: self.gate.clone(),
            prefix: prefix.to_owned(),
            endpoint,
        });
        self
    }

    /// Adds the routes of `other`, each with its policy and its gate.
    pub fn merge(mut self, other: Self) -> Self {
        self.entries.extend(other.entries);
        self.mounts.extend(other.mounts);
        self.errors.extend(other.errors);
        match (&self.fallback, other.fallback) {
            (Some(_), Some(_)) => self.errors.push(Error::SecondFallback),
            (None, fallback @ Some(_)) => self.fallback = fallback,
            (_, None) => {}
        }
        self
    }

    /// Answers unknown paths with `endpoint`, instead of 401 without credentials and 404 with.
    /// Its method does not matter.
    pub fn fallback(mut self, endpoint: Endpoint<S>) -> Self {
        if self.fallback.replace(endpoint).is_some() {
            self.errors.push(Error::SecondFallback);
        }
        self
    }

    /// Hands `state` to the handlers.
    pub fn with_state<S2>(self, state: S) -> GuardedRouter<S2> {
        let give = |entry: Entry<S>| Entry {
            gate: entry.gate,
            path: entry.path,
            at_root: entry.at_root,
            endpoint: entry.endpoint.with_state(state.clone()),
        };
        GuardedRouter {
            entries: self.entries.into_iter().map(give).collect(),
            fallback: self
                .fallback
                .map(|endpoint| endpoint.with_state(state.clone())),
            gate: self.gate,
            mounts: self.mounts,
            errors: self.errors,
        }
    }

    /// What is registered, the fallback included: for an owner to print or to compare.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`into_router`](Self::into_router) would answer it.
    pub fn routes(&self) -> Result<Routes, Error> {
        if let Some(error) = self.errors.first() {
            return Err(error.clone());
        }
        let mut listed = Vec::new();
        let mut list = |method, path: String, policy: &RoutePolicy| {
            listed.push(RouteEntry {
                method,
                path,
                access: policy.access().clone(),
                authentication: policy.authentication().cloned(),
                demand: policy.demand().clone(),
                body_limit: policy.body_limit(),
                audit: policy.audit(),
                plain_http: policy.permits_plain_http(),
                tier: policy.tier().cloned(),
                unlimited: policy.is_unlimited(),
            });
        };
        for Entry {
            gate,
            path,
            endpoint,
            ..
        } in &self.entries
        {
            let method = endpoint.verb.name();
            let policy = endpoint.policy(name(method, path))?;
            check(gate, &policy)?;
            list(method, path.clone(), &policy);
        }
        for Mount {
            gate,
            prefix,
            endpoint,
        } in &self.mounts
        {
            let path = join(prefix, "/*");
            let policy = endpoint.policy(name(Verb::Any.name(), &path))?;
            check(gate, &policy)?;
            list(Verb::Any.name(), path, &policy);
        }
        let policy = self.fallback_policy()?;
        check(&self.gate, &policy)?;
        list(Verb::Any.name(), UNKNOWN.to_owned(), &policy);
        Ok(Routes::new(listed))
    }

    /// Builds the axum router, every route of it behind its door.
    ///
    /// What is added to the result by axum's own methods is *not* behind a door: a
    /// `Router::route` after this line serves everybody. Layers are welcome there, and see
    /// requests before the gate does; one that needs to know who is calling belongs behind the
    /// door, around the handler ([`Handler::layer`](axum::handler::Handler::layer)).
    ///
    /// # Errors
    ///
    /// [`Error`] says which registration is at fault.
    ///
    /// # Panics
    ///
    /// As axum does, when a template is malformed (`/{`) or collides with another
    /// (`/cases/{id}` and `/cases/{name}`).
    pub fn into_router(self) -> Result<Router<S>, Error> {
        if let Some(error) = self.errors.first() {
            return Err(error.clone());
        }
        let fallback = self.fallback_policy()?;
        let mut router = Router::new();
        let mut paths: BTreeMap<String, Vec<(Gate, Endpoint<S>)>> = BTreeMap::new();
        for Entry {
            gate,
            path,
            endpoint,
            at_root: _,
        } in self.entries
        {
            paths.entry(path).or_default().push((gate, endpoint));
        }
        for (path, endpoints) in paths {
            router = router.route(&path, one_path(&path, endpoints)?);
        }
        for Mount {
            gate,
            prefix,
            endpoint,
        } in self.mounts
        {
            let policy = endpoint.policy(name(Verb::Any.name(), &join(&prefix, "/*")))?;
            let door = door(&gate, policy)?;
            router = router.nest_service(&prefix, endpoint.make_for_any(door));
        }
        let door = door(&self.gate, fallback)?;
        Ok(match self.fallback {
            None => router.fallback(Guarded::new(Refuses(Denial::NotFound), door)),
            Some(endpoint) => router.fallback(endpoint.make_for_any(door)),
        })
    }

    fn fallback_policy(&self) -> Result<RoutePolicy, Error> {
        let name = name(Verb::Any.name(), UNKNOWN);
        match &self.fallback {
            None => Ok(RoutePolicy::new(name, Access::Authenticated)),
            Some(endpoint) => endpoint.policy(name),
        }
    }

    /// axum would panic on these, or, worse, match them literally.
    fn check_path(&mut self, path: &str, least: usize) {
        let old = |segment: &str| segment.starts_with([':', '*']);
        if !path.starts_with('/') || path.len() < least || path.split('/').any(old) {
            self.errors.push(Error::InvalidPath {
                path: path.to_owned(),
            });
        }
    }
}

/// All methods of one path. What the path has no endpoint for is refused behind a door of its own:
/// 401 to strangers, who do not learn the methods, and 405 to everybody else.
fn one_path<S>(path: &str, endpoints: Vec<(Gate, Endpoint<S>)>) -> Result<MethodRouter<S>, Error>
where
    S: Clone + Send + Sync + 'static,
{
    let mut taken: Vec<&'static str> = Vec::new();
    let mut joined: Option<MethodRouter<S>> = None;
    let mut first_gate = None;
    for (gate, endpoint) in endpoints {
        let route = name(endpoint.verb.name(), path);
        if taken.contains(&endpoint.verb.name()) {
            return Err(Error::Duplicate { route });
        }
        taken.push(endpoint.verb.name());
        let door = door(&gate, endpoint.policy(route)?)?;
        let made = endpoint.make(door);
        joined = Some(match joined {
            None => made,
            Some(others) => others.merge(made),
        });
        first_gate.get_or_insert(gate);
    }
    let (Some(joined), Some(gate)) = (joined, first_gate) else {
        return Ok(MethodRouter::new());
    };
    if taken.contains(&Verb::Any.name()) {
        return Ok(joined);
    }
    if taken.contains(&"GET") && !taken.contains(&"HEAD") {
        taken.push("HEAD");
    }
    let policy = RoutePolicy::new(name("OTHER", path), Access::Authenticated);
    let refuses = Refuses(Denial::MethodNotAllowed {
        allow: taken.join(", ").into(),
    });
    // `any` and not `fallback`: axum adds `Allow` to the answers of a plain fallback, and a 401
    // would carry it.
    Ok(routing::any(Guarded::new(refuses, door(&gate, policy)?)).merge(joined))
}

/// The door of a policy that can hold at this gate.
fn door(gate: &Gate, policy: RoutePolicy) -> Result<Door, Error> {
    check(gate, &policy)?;
    Ok(gate.door(policy))
}

fn check(gate: &Gate, policy: &RoutePolicy) -> Result<(), Error> {
    gate.check(policy).map_err(|fault| Error::Limits {
        route: policy.name().to_string(),
        fault,
    })
}

fn name(method: &str, path: &str) -> String {
    format!("{method} {path}")
}

/// As axum joins them: `/api` and `/` are `/api`.
fn join(prefix: &str, path: &str) -> String {
    if prefix.ends_with('/') {
        format!("{prefix}{}", path.trim_start_matches('/'))
    } else if path == "/" {
        prefix.to_owned()
    } else {
        format!("{prefix}{path}")
    }
}

impl<S> fmt::Debug for GuardedRouter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.entries.iter().map(|entry| &entry.path);
        f.debug_struct("GuardedRouter")
            .field("gate", &self.gate)
            .field("paths", &paths.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
