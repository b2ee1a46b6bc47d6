//! TLS on real sockets: handshakes with every kind of certificate, files that change, trust that ends
//! on running connections, and crowds.

#![cfg(feature = "tls")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "tests"
)]

#[cfg(test)]
mod authority;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod client;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod descriptors;
#[cfg(test)]
mod files;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod load;
#[cfg(test)]
mod own;
#[cfg(test)]
mod resumption;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod running;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod versions;
#[cfg(test)]
mod watch;
