//! The service with its cases in PostgreSQL: run `cargo xtask test -p agent-backend`.

#[cfg(test)]
#[path = "../common/mod.rs"]
mod common;
#[cfg(test)]
mod security;
