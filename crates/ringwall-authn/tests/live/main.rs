//! Verifiers under load, with keys from servers that rotate, stall, lie, vanish and come back.
//!
//! What is shown is read off counters, answers and the order of events, never off how fast a
//! machine is: a machine that is slow makes a test longer.

#![expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "tests, on small numbers and on texts that are ASCII"
)]

#[cfg(test)]
mod floods;
#[cfg(test)]
mod issuers;
#[cfg(test)]
mod load;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod rotations;
#[cfg(test)]
#[expect(dead_code, reason = "it can do more than is needed here")]
#[path = "../../../ringwall-jwks-client/tests/live/server.rs"]
mod server;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod soak;
#[cfg(test)]
mod support;
