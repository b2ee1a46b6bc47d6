//! What is limited by what, and what answers tell of it.
#![cfg(not(loom))]

#[cfg(test)]
mod building;
#[cfg(test)]
mod stages;
#[cfg(test)]
mod telling;

use ringwall_rate_limit::Quota;

fn minute(count: u32) -> Quota {
    Quota::per_minute(count).expect("a quota")
}
