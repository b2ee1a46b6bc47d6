//! Guarded services on real sockets: what is refused, what is served, and what is recorded.

#[cfg(test)]
mod access;
#[cfg(test)]
mod ambiguity;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod extractors;
#[cfg(test)]
mod handmade;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod mounts;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod protocols;
#[cfg(test)]
mod random;
#[cfg(test)]
mod raw;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod rendering;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod support;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tls;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trail;

#[cfg(test)]
#[rustfmt::skip]
#[expect(
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    unused_qualifications,
    reason = "generated: see tests/generate.rs"
)]
mod generated;
