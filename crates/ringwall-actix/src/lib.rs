#![doc = include_str!("../README.md")]

mod answer_fields;
mod app;
mod body;
mod browser;
mod connection;
mod dispatch;
mod endpoint;
mod error;
mod extract;
mod guard;
mod guarded;
mod handler;
mod payload;
mod refusal;
mod rejection;
mod routes;
#[cfg(feature = "tls")]
mod serve;
mod template;
mod view;

pub use app::GuardedApp;
pub use browser::{CorsPolicyMiddleware, SecurityHeadersMiddleware};
pub use connection::on_connect;
pub use endpoint::{
    Endpoint, Endpoints, any, any_config, any_service, connect, delete, get, head, options, patch,
    post, put, trace,
};
pub use error::Error;
pub use extract::{
    Claims, CurrentPrincipal, CurrentSubject, CurrentTenant, OptionalPrincipal, PermittedRows,
};
pub use guarded::Guarded;
pub use rejection::Rejection;
pub use routes::{RouteEntry, Routes};
#[cfg(feature = "tls")]
pub use serve::{Serve, serve};
