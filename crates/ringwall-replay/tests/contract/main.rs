//! The store in memory against its contract, and the contract's suite against stores that break it.

#[cfg(feature = "conformance")]
#[cfg(test)]
mod memory;
#[cfg(test)]
mod property;
