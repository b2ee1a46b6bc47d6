//! Limits that processes share, against a real Redis: run `cargo xtask test -p ringwall-redis`.
#![cfg(feature = "rate-limit")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "tests: what overflows here panics, and the test fails"
)]

#[cfg(test)]
mod cluster;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod setting;
#[cfg(test)]
mod threats;
#[cfg(test)]
mod together;
#[cfg(test)]
mod world;

#[cfg(test)]
#[expect(dead_code, reason = "the chores use more of it")]
#[path = "../../../../xtask/src/servers/mod.rs"]
mod servers;
