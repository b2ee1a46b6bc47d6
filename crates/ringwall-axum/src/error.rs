//! Why a router cannot be built.

/// Why a router cannot be built. Every variant is a fault of the program, found at start.
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
    /// A path does not begin with `/`, is a prefix that is `/` alone, or uses the `:name` and
    /// `*name` captures of older routers, which would now match literally.
    #[error("the path {path:?} is not a route template")]
    InvalidPath {
        /// The path.
        path: String,
    },
    /// The metadata of the protected resource was to be served, and the gate knows none.
    #[error("the gate was given no resource metadata to serve")]
    NoProtectedResource,
    /// A router with a fallback of its own was nested, or two were merged. Set the one fallback on
    /// the outermost router.
    #[error("more than one router has a fallback of its own")]
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
