#![doc = include_str!("../README.md")]

mod body;
mod browser;
mod future;
mod layer;
mod leased;
mod limit_fields;
mod refusal;
mod renewal;
mod view;

pub use body::{BoxError, GateBody};
pub use browser::{
    CorsPolicyFuture, CorsPolicyLayer, CorsPolicyService, SecurityHeadersFuture,
    SecurityHeadersLayer, SecurityHeadersService,
};
pub use future::GateFuture;
pub use layer::{GateLayer, GateService, Refuse};
pub use leased::{CredentialOver, LeaseWatch, Leased};
pub use limit_fields::tell_limits;
pub use refusal::refusal;
pub use renewal::renew;
pub use ringwall_transport::Peer;
pub use view::{Headers, Origin, OriginOf, Seen, strip};
