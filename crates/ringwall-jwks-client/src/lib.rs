//! Verification keys of remote issuers.

mod endpoint;
mod fetch;
#[cfg(feature = "http")]
mod http;

pub use endpoint::{Endpoint, EndpointError};
pub use fetch::{EntityTag, FetchError, FetchErrorKind, FetchRequest, Fetched, JwksFetcher};
#[cfg(feature = "http")]
pub use http::{HttpFetcher, HttpFetcherBuilder, HttpFetcherError};
