#![doc = include_str!("../README.md")]

#[cfg(feature = "authzen")]
mod authorization_api;
mod endpoint;
mod error;
mod extract;
mod guard;
#[cfg(feature = "tls")]
mod listener;
mod origin;
mod rejection;
#[cfg(feature = "authzen")]
mod request_id;
mod router;
mod routes;
mod service;

#[cfg(feature = "authzen")]
pub use authorization_api::AuthorizationOperation;
pub use endpoint::{
    Endpoint, Endpoints, any, any_service, connect, delete, get, head, options, patch, post, put,
    trace,
};
pub use error::Error;
pub use extract::{Claims, CurrentPrincipal, CurrentSubject, CurrentTenant, PermittedRows};
#[cfg(feature = "tls")]
pub use listener::{Connection, TlsIncoming};
pub use origin::origin;
pub use rejection::Rejection;
pub use router::GuardedRouter;
pub use routes::{RouteEntry, Routes};
