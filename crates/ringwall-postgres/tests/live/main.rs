//! The stores against a real PostgreSQL: run `cargo xtask test -p ringwall-postgres`.

#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
mod contract;
#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
mod failures;
#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
mod migrations;
#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
mod setting;
#[cfg(test)]
#[cfg(all(
    feature = "api-keys",
    feature = "authz",
    feature = "revocations",
    feature = "tls"
))]
mod tls;

#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
#[path = "../../../ringwall-authn/tests/several_processes/keys.rs"]
mod keys;
#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
#[path = "../../../ringwall-authn/tests/several_processes/log.rs"]
mod log;
#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
#[expect(dead_code, reason = "the chores use more of it")]
#[path = "../../../../xtask/src/servers/mod.rs"]
mod servers;
#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
#[path = "../../../ringwall-authn/tests/several_processes/worker.rs"]
mod worker;
