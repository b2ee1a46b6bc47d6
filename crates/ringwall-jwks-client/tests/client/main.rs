//! The client under a fetcher that follows a script, on paused time: an outage of an hour takes
//! milliseconds.

#![expect(clippy::unreachable, reason = "tests")]

#[cfg(test)]
mod discovery;
#[cfg(test)]
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
#[cfg(test)]
mod life;
#[cfg(test)]
mod missing_keys;
#[cfg(test)]
mod outages;
#[cfg(test)]
mod refreshes;
#[cfg(test)]
mod support;
#[cfg(test)]
mod threads;
