//! The service with its cases in PostgreSQL: run `cargo xtask test -p agent-backend`.

#[cfg(test)]
#[path = "../process/mod.rs"]
mod process;
#[cfg(test)]
mod security;
