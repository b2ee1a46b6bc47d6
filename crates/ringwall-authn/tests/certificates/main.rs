//! Callers by their client certificates, at the level of requests.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod granting;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod support;
