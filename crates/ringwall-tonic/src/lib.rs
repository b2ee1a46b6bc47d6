#![doc = include_str!("../README.md")]

mod doors;
mod error;
mod extract;
mod future;
#[cfg(feature = "tls")]
mod incoming;
mod methods;
mod origin;
mod policy;
mod protocol;
mod refusal;
mod request_body;
mod response_body;
mod routes;
mod server;
mod service;
mod watch;

pub use error::Error;
pub use extract::{Claims, CurrentPrincipal, CurrentSubject, CurrentTenant, PermittedRows};
pub use future::GuardedFuture;
#[cfg(feature = "tls")]
pub use incoming::{TlsIncoming, TlsIo};
pub use methods::{MethodEntry, Methods};
pub use policy::{MethodPolicy, authenticated, optional, public, require_any_scope, require_scope};
pub use refusal::{APPROVAL_REQUIRED, refusal};
pub use response_body::GuardedBody;
pub use ringwall_tower::Peer;
pub use routes::GuardedRoutes;
pub use server::{GuardedServer, guard};
pub use service::GuardedService;
