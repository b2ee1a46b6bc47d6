//! Why an app cannot be built.

/// Why an app cannot be built. Every variant is a fault of the program, found at start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A text that was to be a scope is none (RFC 6749 §3.3).
    #[error("the route {route} demands a scope that cannot exist")]
    InvalidScope {
        /// The route.
        route: String,
    },
    /// A route was told two things that exclude each other, such as to be public and to demand a
    /// scope or a login.
    #[error("the route {route} contradicts itself about who may use it")]
    Contradiction {
        /// The route.
        route: String,
    },
    /// Two handlers were registered for the same method and path.
    #[error("the route {route} is registered twice")]
    Duplicate {
        /// The route.
        route: String,
    },
    /// A path is no template: it does not begin with `/`, names a parameter twice or not at all, or
    /// uses a form that would match something else than it does behind the other adapters
    /// (`{id:regex}`, `{tail}*`, `:id`, text beside a parameter, characters that must be encoded).
    #[error("the path {path:?} is not a route template")]
    InvalidPath {
        /// The path.
        path: String,
    },
    /// Two templates match the same paths, and only the names of their parameters tell them apart.
    #[error("the paths {path:?} and {other:?} match the same requests")]
    Collision {
        /// One of them.
        path: String,
        /// The other one.
        other: String,
    },
    /// A configuration of actix-web was registered where it cannot be: it goes into
    /// [`nest_service`](crate::GuardedApp::nest_service), and its own scopes carry its middleware.
    #[error("the route {route} is a configuration, which can only be nested as it is")]
    Misplaced {
        /// The route.
        route: String,
    },
    /// The metadata of the protected resource was to be served, and the gate knows none.
    #[error("the gate was given no resource metadata to serve")]
    NoProtectedResource,
    /// An app with a fallback of its own was nested, or two were merged. Set the one fallback on the
    /// outermost app.
    #[error("more than one app has a fallback of its own")]
    SecondFallback,
    /// A route is bound to rate limits that cannot hold for it (its tier does not exist, or counts nobody whom the
    /// route is open to), or demands of the gate's authorization policy what cannot be asked of it.
    #[error("the route {route}: {fault}")]
    Limits {
        /// The route.
        route: String,
        /// Why.
        fault: ringwall_gate::Error,
    },
}
