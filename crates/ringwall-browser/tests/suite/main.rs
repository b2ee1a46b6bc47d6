//! What can be built and what cannot, what is reported, and properties of the values that are sent.

#[cfg(test)]
mod cors;
#[cfg(test)]
mod csp;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod nonces;
#[cfg(test)]
mod origins;
#[cfg(test)]
mod patterns;
#[cfg(test)]
mod property;
