#![doc = include_str!("../README.md")]

mod client;
mod cluster;
mod config;
mod connect;
mod error;
#[cfg(feature = "rate-limit")]
mod limits;
#[cfg(feature = "replay")]
mod replay;
#[cfg(feature = "revocations")]
mod revocations;
mod server;
mod supervisor;

pub use client::{RedisClient, RedisStatus};
pub use config::RedisConfig;
pub use error::Error;
#[cfg(feature = "rate-limit")]
pub use limits::{RedisLeases, RedisLimiter, RedisLimiterBuilder};
#[cfg(feature = "replay")]
pub use replay::{RedisReplay, RedisReplayBuilder};
#[cfg(feature = "revocations")]
pub use revocations::RedisRevocations;
