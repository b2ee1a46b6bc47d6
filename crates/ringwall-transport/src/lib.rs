#![doc = include_str!("../README.md")]

mod peer;
mod proxies;

pub use peer::Peer;
pub use proxies::{Client, ForwardingHeader, ProxiesError, TrustedProxies, TrustedProxiesBuilder};
