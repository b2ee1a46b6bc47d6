//! The stores against a real Redis: run `cargo xtask test -p ringwall-redis`.

#[cfg(test)]
#[cfg(feature = "replay")]
mod contract;
#[cfg(test)]
#[cfg(feature = "replay")]
mod failures;
#[cfg(test)]
#[cfg(feature = "replay")]
mod memory;
#[cfg(test)]
#[cfg(feature = "replay")]
mod processes;
#[cfg(test)]
#[cfg(all(feature = "replay", feature = "revocations"))]
mod revocations;
#[cfg(test)]
#[cfg(feature = "replay")]
mod setting;
#[cfg(test)]
#[cfg(all(feature = "replay", feature = "tls"))]
mod tls;

#[cfg(test)]
#[cfg(feature = "replay")]
#[expect(dead_code, reason = "the chores use more of it")]
#[path = "../../../../xtask/src/servers/mod.rs"]
mod servers;

#[cfg(test)]
#[cfg(all(feature = "replay", feature = "revocations"))]
#[path = "../../../ringwall-authn/tests/several_processes/log.rs"]
mod log;
#[cfg(test)]
#[cfg(all(feature = "replay", feature = "revocations"))]
#[path = "../../../ringwall-authn/tests/several_processes/worker.rs"]
mod worker;
