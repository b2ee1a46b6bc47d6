//! What is limited by what, and what answers tell of it.
#![cfg(not(loom))]

#[cfg(test)]
mod building;
#[cfg(test)]
mod stages;
#[cfg(test)]
mod support;
#[cfg(test)]
mod telling;
