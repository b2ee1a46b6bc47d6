//! The store in memory against its contract, and the contract's suite against stores that break it.

#[cfg(all(test, feature = "conformance"))]
mod memory;
#[cfg(test)]
mod property;
