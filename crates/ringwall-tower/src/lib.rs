#![doc = include_str!("../README.md")]

mod answer_fields;
mod body;
mod browser;
mod future;
mod layer;
mod leased;
mod refusal;
mod view;

pub use answer_fields::{tell, tell_grpc};
pub use body::{BoxError, GateBody};
pub use browser::{
    CorsPolicyFuture, CorsPolicyLayer, CorsPolicyService, SecurityHeadersFuture,
    SecurityHeadersLayer, SecurityHeadersService,
};
pub use future::GateFuture;
pub use layer::{GateLayer, GateService, Refuse};
pub use leased::{CredentialOver, LeaseWatch, Leased};
pub use refusal::refusal;
pub use ringwall_transport::Peer;
pub use view::{Headers, Origin, OriginOf, Seen, strip};
