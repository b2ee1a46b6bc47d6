#![doc = include_str!("../README.md")]

mod body;
mod future;
mod layer;
mod refusal;
mod view;

pub use body::GateBody;
pub use future::GateFuture;
pub use layer::{GateLayer, GateService, Refuse};
pub use refusal::refusal;
pub use ringwall_transport::Peer;
pub use view::{Headers, Origin, OriginOf, Seen};
