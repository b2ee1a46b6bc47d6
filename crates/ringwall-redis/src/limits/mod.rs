//! Limits that all processes share.

mod entry;
mod limiter;
mod local;
mod micros;
mod options;
mod request;
mod script;
mod server;

pub use limiter::RedisLimiter;
pub use options::{RedisLeases, RedisLimiterBuilder};
