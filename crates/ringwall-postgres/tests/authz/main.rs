//! Decisions against row filters and row-level security, on a real PostgreSQL: run
//! `cargo xtask test -p ringwall-postgres --test authz`.

#![cfg(feature = "authz")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "numbers of a test, far from the ends of their types"
)]

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod asked;
#[cfg(test)]
mod callers;
#[cfg(test)]
mod comparing;
#[cfg(test)]
mod coverage;
#[cfg(test)]
mod dice;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod isolation;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod probe;
#[cfg(test)]
mod rows;
#[cfg(test)]
mod shape;
#[cfg(test)]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
#[path = "../../../ringwall-sqlite/src/authz/rows.rs"]
mod sqlite_rows;
#[cfg(test)]
mod told;
#[cfg(test)]
mod waiting;
#[cfg(test)]
mod world;
