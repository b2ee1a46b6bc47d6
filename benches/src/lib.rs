//! What the bench areas share: the race, the report, the counting allocator and the materials.

pub mod allocations;
pub mod contenders;
pub mod goals;
pub mod materials;
pub mod race;
pub mod report;
