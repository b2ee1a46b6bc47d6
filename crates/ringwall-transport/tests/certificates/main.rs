//! Who a client certificate is about: read from the certificate, and from what proxies write of it.

#![expect(clippy::string_slice, reason = "tests, on texts that are ASCII")]

#[cfg(test)]
mod forwarded;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod names;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod spiffe_ids;
#[cfg(test)]
mod subjects;
#[cfg(test)]
mod support;
#[cfg(test)]
mod svids;
