//! Why a fetcher cannot be made.

/// Why an [`HttpFetcher`](super::HttpFetcher) cannot be made. All of them are faults of the
/// configuration or of the machine, and none goes away by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpFetcherError {
    /// A text of root certificates holds none, or one that cannot be read.
    #[error("the root certificates are not PEM with at least one X.509 certificate")]
    RootCertificates,
    /// Only named root certificates are to be trusted, and none was named.
    #[error("only named root certificates are trusted, and none was named")]
    NoRootCertificates,
    /// The platform's root certificates cannot be loaded, for example in a container without the
    /// package `ca-certificates`. Install it, or name the certificates.
    #[error("the platform's root certificates cannot be loaded")]
    PlatformRoots(#[source] Box<dyn core::error::Error + Send + Sync>),
    /// A permitted network is not written as an address and a prefix length (`10.0.0.0/8`), has
    /// bits set behind the prefix, or is one of IPv4-mapped addresses.
    #[error("{0:?} is not a network such as \"10.0.0.0/8\"")]
    Network(Box<str>),
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Client(#[source] Box<dyn core::error::Error + Send + Sync>),
}
