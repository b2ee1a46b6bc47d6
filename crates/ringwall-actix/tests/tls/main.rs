//! Apps over TLS, by HTTP/1.1 and HTTP/2: what the gate knows of a connection, and what ends it.

#[cfg(test)]
mod authority;
#[cfg(test)]
mod client;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod site;
#[cfg(test)]
mod trust;
#[cfg(test)]
mod verdicts;
