//! One service with the policies of its methods.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;

use ringwall_gate::{Access, Door, Gate, RoutePolicy};
use tonic::server::NamedService;

use crate::doors::{Doors, UNLISTED, is_name};
use crate::error::Error;
use crate::methods::MethodEntry;
use crate::policy::MethodPolicy;
use crate::service::GuardedService;

/// A generated server with the policies of its methods: what [`guard`] begins.
///
/// A method without a policy is refused: strangers are answered `UNAUTHENTICATED`, whoever is
/// authenticated `UNIMPLEMENTED`, and the server is never asked. So a method that somebody adds to the
/// `.proto` file is closed until its policy is written, and a mistyped name is a closed method and not
/// an open one.
#[derive(Clone)]
#[must_use = "a guarded server does nothing until it is given to routes"]
pub struct GuardedServer<S> {
    server: S,
    methods: Vec<(String, MethodPolicy)>,
    every: Vec<MethodPolicy>,
}

/// Begins to guard `server`, a generated one (`CasesServer::new(…)`,
/// `CasesServer::with_interceptor(…)`). An interceptor runs behind the door and sees the `Admitted`.
///
/// ```
/// # use tonic_health::pb::health_server::{Health, HealthServer};
/// use ringwall_tonic::{guard, public, require_scope};
///
/// # fn example(server: HealthServer<impl Health>) {
/// let guarded = guard(server)
///     .method("Check", public())
///     .method("Watch", require_scope("health:watch"));
/// # let _ = guarded;
/// # }
/// ```
pub const fn guard<S>(server: S) -> GuardedServer<S> {
    GuardedServer {
        server,
        methods: Vec::new(),
        every: Vec::new(),
    }
}

impl<S> GuardedServer<S> {
    /// Gives the method `name` its policy. The name is that of the `.proto` file, such as `GetCase`:
    /// the last segment of the path, letter by letter.
    pub fn method(mut self, name: &str, policy: MethodPolicy) -> Self {
        self.methods.push((name.to_owned(), policy));
        self
    }

    /// Gives one policy to every method of the service that has none of its own, also to those that
    /// are added later. Paths below the service that cannot be the name of a method stay closed.
    pub fn every_method(mut self, policy: MethodPolicy) -> Self {
        self.every.push(policy);
        self
    }
}

impl<S: NamedService> GuardedServer<S> {
    /// The service behind the doors of `gate`, for a router of your own. What such a router answers to
    /// unknown services is not guarded; [`GuardedRoutes`](crate::GuardedRoutes) guards that too.
    ///
    /// # Errors
    ///
    /// [`Error`] says which registration is at fault.
    pub fn into_service(self, gate: &Gate) -> Result<GuardedService<S>, Error> {
        let Bound {
            named,
            every,
            unlisted,
        } = self.bind()?;
        let named: HashMap<_, _> = named
            .into_iter()
            .map(|(path, policy)| Ok((path.into_boxed_str(), door(gate, policy)?)))
            .collect::<Result<_, Error>>()?;
        let every = match every {
            None => None,
            Some(policy) => Some((path::<S>("").into_boxed_str(), door(gate, policy)?)),
        };
        let doors = Doors::new(named, every, door(gate, unlisted)?);
        Ok(GuardedService::new(self.server, Arc::new(doors)))
    }

    /// What is registered, in the order of registration.
    pub(crate) fn list(&self, gate: &Gate) -> Result<Vec<MethodEntry>, Error> {
        let bound = self.bind()?;
        let named = bound.named.iter().map(|(_, policy)| policy);
        let policies = named.chain(&bound.every).chain([&bound.unlisted]);
        policies
            .map(|policy| {
                check(gate, policy)?;
                Ok(MethodEntry::of(policy))
            })
            .collect()
    }

    fn bind(&self) -> Result<Bound, Error> {
        if !is_name(S::NAME) {
            let name = S::NAME.to_owned();
            return Err(Error::InvalidService { name });
        }
        let mut named: Vec<(String, RoutePolicy)> = Vec::new();
        for (name, policy) in &self.methods {
            if !is_name(name) {
                return Err(Error::InvalidMethod { name: name.clone() });
            }
            let path = path::<S>(name);
            if named.iter().any(|(other, _)| *other == path) {
                return Err(Error::Duplicate { method: path });
            }
            let policy = policy.bind(&path)?;
            named.push((path, policy));
        }
        let every = match &*self.every {
            [] => None,
            [policy] => Some(policy.bind(&path::<S>("*"))?),
            [_, _, ..] => {
                let method = path::<S>("*");
                return Err(Error::Duplicate { method });
            }
        };
        Ok(Bound {
            named,
            every,
            unlisted: RoutePolicy::new(path::<S>(UNLISTED), Access::Authenticated),
        })
    }
}

/// The policies of one service, under whole paths.
struct Bound {
    named: Vec<(String, RoutePolicy)>,
    every: Option<RoutePolicy>,
    unlisted: RoutePolicy,
}

/// The door of a policy that can hold at this gate.
fn door(gate: &Gate, policy: RoutePolicy) -> Result<Door, Error> {
    check(gate, &policy)?;
    Ok(gate.door(policy))
}

fn check(gate: &Gate, policy: &RoutePolicy) -> Result<(), Error> {
    gate.check(policy).map_err(|fault| Error::Limits {
        method: policy.name().to_string(),
        fault,
    })
}

/// As the generated code spells it.
fn path<S: NamedService>(method: &str) -> String {
    format!("/{}/{method}", S::NAME)
}

impl<S> fmt::Debug for GuardedServer<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedServer")
            .field("methods", &self.methods)
            .field("every", &self.every)
            .finish_non_exhaustive()
    }
}
