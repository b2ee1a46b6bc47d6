//! Limits that all processes share.

mod asked;
mod entry;
mod limiter;
mod local;
mod micros;
mod options;
mod queue;
mod request;
mod script;
mod server;

pub use limiter::RedisLimiter;
pub use options::{RedisLeases, RedisLimiterBuilder};
