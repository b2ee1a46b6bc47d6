#![doc = include_str!("../README.md")]

mod admitted;
mod authenticator;
mod door;
mod error;
mod exit;
mod gate;
mod path;
mod policy;
pub mod problem;
mod refusal;
mod requirement;
mod tracing_events;

pub use admitted::{Admitted, Caller};
pub use authenticator::{Authenticated, Authenticator, Presented};
pub use door::{Door, Entry};
pub use error::Error;
pub use exit::Exit;
pub use gate::{Gate, GateBuilder};
pub use policy::{Access, AuditScope, RoutePolicy};
pub use requirement::AuthenticationRequirement;
pub use ringwall_authn::ProtectedResource;
pub use tracing_events::TracingEvents;
