//! Guarded apps on real sockets: what is refused, what is served, and what is recorded.

#[cfg(test)]
mod access;
#[cfg(test)]
mod ambiguity;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod extractors;
#[cfg(test)]
mod leases;
#[cfg(test)]
mod metadata;
#[cfg(test)]
mod methods;
#[cfg(test)]
mod nesting;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod random;
#[cfg(test)]
mod registration;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trail;
