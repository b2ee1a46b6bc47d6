//! What a limiter of one process holds to.
#![cfg(not(loom))]

#[cfg(test)]
mod flood;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod property;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod threads;
#[cfg(test)]
mod threats;
