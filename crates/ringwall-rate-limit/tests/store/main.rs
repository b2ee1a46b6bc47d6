//! What every store of limits holds to, shown of the one in memory; and what holds while a store does not answer.
#![cfg(not(loom))]

#[cfg(test)]
mod at_once;
#[cfg(test)]
mod failures;
#[cfg(test)]
#[cfg(feature = "conformance")]
mod memory;
