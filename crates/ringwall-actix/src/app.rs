//! An app of which every route is behind a door.

use core::fmt;
use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ringwall_core::denial::Denial;
use ringwall_gate::{Access, AuditScope, Door, Gate, ProtectedResource, RoutePolicy};

use crate::endpoint::{Endpoint, Endpoints, Make, Verb, get};
use crate::error::Error;
use crate::guarded::{Behind, Guarded, Place, Plan, refuses};
use crate::routes::{RouteEntry, Routes};
use crate::template::Template;

/// The path that stands for every path without a route.
const UNKNOWN: &str = "(unknown path)";

/// The routes of an actix-web app, protected by default.
///
/// Every route, the fallback for unknown paths and the answer to methods that a path does not have
/// stand behind a door of the [`Gate`]. What is public is so because its registration says so.
///
/// It collects registrations, and becomes a [`Guarded`] by [`build`](Self::build), which each worker
/// registers with its `App`. Only then are the doors made, under each route's whole path: nothing
/// compares paths a second time when a request comes.
#[must_use = "an app does nothing until `build`"]
pub struct GuardedApp {
    gate: Gate,
    entries: Vec<Entry>,
    mounts: Vec<Mount>,
    fallback: Option<Endpoint>,
    errors: Vec<Error>,
}

/// One endpoint at its path. It keeps its own gate, so that apps of different gates can be merged.
struct Entry {
    gate: Gate,
    path: String,
    /// Whether the path stays as it is wherever the app is nested (RFC 8615 §3).
    at_root: bool,
    endpoint: Endpoint,
}

struct Mount {
    gate: Gate,
    prefix: String,
    endpoint: Endpoint,
}

impl GuardedApp {
    /// An app without routes: it refuses everybody, and answers 404 to whoever is authenticated.
    pub const fn new(gate: Gate) -> Self {
        Self {
            gate,
            entries: Vec::new(),
            mounts: Vec::new(),
            fallback: None,
            errors: Vec::new(),
        }
    }

    /// Registers endpoints at `path`, a template of whole segments such as `/cases/{id}` or
    /// `/files/{*rest}`.
    ///
    /// The template language is that of the other adapters: a text goes before a parameter, in
    /// whatever order they are registered; a rest is not empty; a path is compared as received, with
    /// no escape undone. What actix-web's own language has beyond that (`{id:\d+}`, `{tail}*`) is
    /// refused by [`build`](Self::build).
    pub fn route(mut self, path: &str, endpoints: impl Into<Endpoints>) -> Self {
        self.errors.extend(Template::path(path).err());
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
    /// everybody, by GET and HEAD. Its path is at the root of the host, also when this app is nested;
    /// do not configure what is built of it within a scope of actix-web.
    ///
    /// Successes are not recorded, since anybody may ask as often as they like. Answers may be
    /// cached for an hour ([`CACHE_CONTROL`]). Clients in browsers of other origins need CORS fields,
    /// which are not added here: put a middleware around the app, as for other routes.
    ///
    /// The path of the resource must be no template.
    ///
    /// [`CACHE_CONTROL`]: ringwall_gate::ProtectedResource::CACHE_CONTROL
    pub fn resource_metadata(mut self) -> Self {
        let Some(resource) = self.gate.protected_resource().cloned() else {
            self.errors.push(Error::NoProtectedResource);
            return self;
        };
        let path = resource.path().to_owned();
        self.errors.extend(Template::path(&path).err());
        let handler = move || {
            let answer = HttpResponse::Ok()
                .insert_header((CONTENT_TYPE, ProtectedResource::MEDIA_TYPE))
                .insert_header((CACHE_CONTROL, ProtectedResource::CACHE_CONTROL))
                .body(resource.document().to_owned());
            core::future::ready(answer)
        };
        self.entries.push(Entry {
            gate: self.gate.clone(),
            path,
            at_root: true,
            endpoint: get(handler).public().audit(AuditScope::DenialsOnly),
        });
        self
    }

    /// Registers endpoints at `path` that serve everybody and look at no credentials: the same as
    /// calling [`public`](Endpoints::public) on each.
    pub fn public_route(self, path: &str, endpoints: impl Into<Endpoints>) -> Self {
        self.route(path, endpoints.into().public())
    }

    /// Registers `other` below `prefix`, such as `/api` or `/orgs/{org}`. Its routes keep their
    /// policies and their gate, and are recorded under the whole path.
    pub fn nest(mut self, prefix: &str, other: Self) -> Self {
        let trimmed = prefix.strip_suffix('/').unwrap_or(prefix);
        self.errors.extend(Template::prefix(trimmed).err());
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

    /// Registers one endpoint for `prefix` and everything below it: a service of actix-web's or a
    /// configuration. It is one door with one policy. As actix-web does it, the service sees the whole
    /// path, and what is left of it in `match_info().unprocessed()`.
    ///
    /// ```
    /// # use ringwall_actix::{GuardedApp, any_config};
    /// # use actix_web::web::{self, ServiceConfig};
    /// # fn files(config: &mut ServiceConfig) {}
    /// # fn app(gate: ringwall_gate::Gate) -> GuardedApp {
    /// GuardedApp::new(gate).nest_service("/files", any_config(files).require_scope("files:read"))
    /// # }
    /// ```
    pub fn nest_service(mut self, prefix: &str, endpoint: Endpoint) -> Self {
        self.errors.extend(Template::prefix(prefix).err());
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
    pub fn fallback(mut self, endpoint: Endpoint) -> Self {
        if self.fallback.replace(endpoint).is_some() {
            self.errors.push(Error::SecondFallback);
        }
        self
    }

    /// What is registered, the fallback included: for an owner to print or to compare.
    ///
    /// # Errors
    ///
    /// [`Error`], as [`build`](Self::build) would answer it.
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

    /// Builds what each worker registers, every route of it behind its door.
    ///
    /// # Errors
    ///
    /// [`Error`] says which registration is at fault.
    pub fn build(self) -> Result<Guarded, Error> {
        if let Some(error) = self.errors.first() {
            return Err(error.clone());
        }
        let policy = self.fallback_policy()?;
        let route = policy.name().to_string();
        let door = door(&self.gate, policy)?;
        let fallback = match &self.fallback {
            None => refuses(Denial::NotFound, door),
            Some(endpoint) => behind(endpoint, door, route)?,
        };
        let mut paths: BTreeMap<String, Vec<(Gate, Endpoint)>> = BTreeMap::new();
        for Entry {
            gate,
            path,
            endpoint,
            at_root: _,
        } in self.entries
        {
            paths.entry(path).or_default().push((gate, endpoint));
        }
        let mut places = Vec::new();
        for (path, endpoints) in paths {
            places.extend(one_path(&path, endpoints)?);
        }
        for mount in self.mounts {
            places.push(one_mount(mount)?);
        }
        places.sort_by(|one, other| one.template().cmp(other.template()));
        check_shapes(&places)?;
        Ok(Guarded::new(Plan { places, fallback }))
    }

    fn fallback_policy(&self) -> Result<RoutePolicy, Error> {
        let name = name(Verb::Any.name(), UNKNOWN);
        match &self.fallback {
            None => Ok(RoutePolicy::new(name, Access::Authenticated)),
            Some(endpoint) => endpoint.policy(name),
        }
    }
}

/// All methods of one path. What the path has no endpoint for is refused behind a door of its own:
/// 401 to strangers, who do not learn the methods, and 405 to everybody else.
fn one_path(path: &str, registered: Vec<(Gate, Endpoint)>) -> Result<Option<Place>, Error> {
    let template = Template::path(path)?;
    let mut taken: Vec<&'static str> = Vec::new();
    let mut endpoints: Vec<(Verb, Behind)> = Vec::new();
    let mut any = None;
    let mut first_gate = None;
    for (gate, endpoint) in registered {
        let verb = endpoint.verb;
        let route = name(verb.name(), path);
        if taken.contains(&verb.name()) {
            return Err(Error::Duplicate { route });
        }
        taken.push(verb.name());
        let door = door(&gate, endpoint.policy(route.clone())?)?;
        let behind = behind(&endpoint, door, route)?;
        match verb {
            Verb::Any => any = Some(behind),
            Verb::Only(_) => endpoints.push((verb, behind)),
        }
        first_gate.get_or_insert(gate);
    }
    let Some(gate) = first_gate else {
        return Ok(None);
    };
    let rest = if let Some(any) = any {
        any
    } else {
        if taken.contains(&"GET") && !taken.contains(&"HEAD") {
            taken.push("HEAD");
        }
        let policy = RoutePolicy::new(name("OTHER", path), Access::Authenticated);
        let allow = taken.join(", ").into();
        refuses(Denial::MethodNotAllowed { allow }, door(&gate, policy)?)
    };
    Ok(Some(Place::Path {
        template,
        endpoints,
        rest,
    }))
}

fn one_mount(mount: Mount) -> Result<Place, Error> {
    let Mount {
        gate,
        prefix,
        endpoint,
    } = mount;
    let template = Template::prefix(&prefix)?;
    let route = name(Verb::Any.name(), &join(&prefix, "/*"));
    let door = door(&gate, endpoint.policy(route)?)?;
    Ok(match endpoint.make() {
        Make::Service { guarded, .. } => Place::Service {
            template,
            behind: Arc::new(move || guarded(door.clone())),
        },
        Make::Config(configure) => Place::Config {
            template,
            door,
            configure,
        },
    })
}

fn behind(endpoint: &Endpoint, door: Door, route: String) -> Result<Behind, Error> {
    match endpoint.make() {
        Make::Service { guarded, .. } => Ok(Arc::new(move || guarded(door.clone()))),
        Make::Config(_) => Err(Error::Misplaced { route }),
    }
}

/// Of two templates that match the same paths, the one that is tried first would hide the other.
fn check_shapes(sorted: &[Place]) -> Result<(), Error> {
    for (one, other) in sorted.iter().zip(sorted.iter().skip(1)) {
        let (one, other) = (one.template(), other.template());
        if one.is_same_shape(other) {
            return Err(if one == other {
                let route = name(Verb::Any.name(), &join(one.text(), "/*"));
                Error::Duplicate { route }
            } else {
                Error::Collision {
                    path: one.text().to_owned(),
                    other: other.text().to_owned(),
                }
            });
        }
    }
    Ok(())
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

/// `/api` and `/` are `/api`.
fn join(prefix: &str, path: &str) -> String {
    if prefix.ends_with('/') {
        format!("{prefix}{}", path.trim_start_matches('/'))
    } else if path == "/" {
        prefix.to_owned()
    } else {
        format!("{prefix}{path}")
    }
}

impl fmt::Debug for GuardedApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.entries.iter().map(|entry| &entry.path);
        f.debug_struct("GuardedApp")
            .field("gate", &self.gate)
            .field("paths", &paths.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
