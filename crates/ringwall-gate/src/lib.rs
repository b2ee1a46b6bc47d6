#![doc = include_str!("../README.md")]

mod admitted;
mod answer_fields;
mod arrival;
mod authenticator;
mod choice;
#[cfg(feature = "config")]
pub mod config;
mod door;
mod error;
mod exit;
mod field_names;
mod form;
mod gate;
mod https;
mod lease;
mod limits;
mod organisation;
mod path;
mod policy;
pub mod problem;
mod refusal;
mod renewal;
mod requirement;
mod role_scopes;
mod tracing_events;
mod unchecked;

pub use admitted::{Admitted, Caller};
pub use answer_fields::AnswerFields;
pub use authenticator::{Authenticated, Authenticator, Presented};
pub use door::{Door, Entry};
pub use error::Error;
pub use exit::Exit;
pub use gate::{Gate, GateBuilder};
pub use https::HttpsOnly;
pub use lease::{LONGEST_PAUSE, Lease, Standing};
pub use limits::{LimitFields, RateLimits};
pub use organisation::{OrganisationRule, OrganisationRules};
pub use policy::{Access, AuditScope, RoutePolicy};
pub use renewal::NonceRenewal;
pub use requirement::AuthenticationRequirement;
pub use ringwall_authn::ProtectedResource;
pub use ringwall_rate_limit as rate_limit;
pub use ringwall_transport::TrustedProxies;
pub use role_scopes::RoleScopes;
pub use tracing_events::TracingEvents;
