#![doc = include_str!("../README.md")]

mod client;
mod driver;
mod endpoint;
mod error;
mod fetch;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "jsonwebtoken")]
mod jsonwebtoken;
mod machine;
mod metadata;
mod policy;
mod shared;

pub use client::{JwksClient, JwksClientBuilder, Status};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{PrefetchError, RefreshError, StartError};
pub use fetch::{EntityTag, FetchError, FetchErrorKind, FetchRequest, Fetched, JwksFetcher};
#[cfg(feature = "http")]
pub use http::{HttpFetcher, HttpFetcherBuilder, HttpFetcherError};
#[cfg(feature = "jsonwebtoken")]
pub use jsonwebtoken::{DecodingKeyError, PinnedKey};
pub use metadata::{IssuerUrl, MetadataError, ProviderMetadata};
pub use policy::{RefreshPolicy, RefreshPolicyError};
