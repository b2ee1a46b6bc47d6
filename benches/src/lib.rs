//! What the bench areas share: the races, the report, the counting allocator, the materials, and the
//! stage on which key clients meet a hostile server.

pub mod allocations;
pub mod at_once;
pub mod authz;
pub mod contenders;
pub mod credentials;
pub mod goals;
pub mod key_documents;
pub mod limits;
pub mod materials;
pub mod race;
pub mod report;
pub mod scenarios;

pub mod turns;

#[allow(
    dead_code,
    reason = "the tests of the client use more of it than the benches"
)]
#[path = "../../crates/ringwall-jwks-client/tests/live/server.rs"]
mod server;
