//! Who runs: ours, the peers, the primitives beneath and the floors. Each takes keys that were
//! parsed beforehand, as far as its interface lets keys be parsed.

pub mod adapters;
pub mod floors;
pub mod jsonwebtoken;
pub mod jwt_simple;
pub mod key_clients;
pub mod key_lookups;
pub mod ours;
pub mod primitives;
pub mod services;
