//! The stores in real files, used by several processes.

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
#[cfg(unix)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
mod permissions;
#[cfg(test)]
#[cfg(all(feature = "api-keys", feature = "authz", feature = "revocations"))]
mod setting;

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
#[path = "../../../ringwall-authn/tests/several_processes/worker.rs"]
mod worker;
