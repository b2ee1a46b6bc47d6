//! Real handshakes under each framework: who gets in with which certificate, what a reload changes on
//! connections that run, and how many silent clients it takes to keep a good one out.

#![expect(clippy::arithmetic_side_effects, reason = "tests")]

#[cfg(test)]
mod authority;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod client;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod site;
