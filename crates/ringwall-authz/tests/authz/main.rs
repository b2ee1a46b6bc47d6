//! The policy engine, as its users see it.

#[cfg(test)]
mod conditions;
#[cfg(test)]
#[cfg(feature = "conformance")]
mod directories;
#[cfg(test)]
mod filters;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod people;
#[cfg(test)]
mod proofs;
#[cfg(test)]
mod ready;
#[cfg(test)]
mod replacing;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod semantics;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod set;
