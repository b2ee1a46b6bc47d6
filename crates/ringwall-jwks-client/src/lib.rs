//! Verification keys of remote issuers.

mod endpoint;
mod fetch;

pub use endpoint::{Endpoint, EndpointError};
pub use fetch::{EntityTag, FetchError, FetchErrorKind, FetchRequest, Fetched, JwksFetcher};
