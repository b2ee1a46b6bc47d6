//! The fetcher over HTTPS.

mod addresses;
mod answer;
mod error;
mod fault;
mod freshness;
mod post;
mod resolver;
mod tls;

use core::fmt;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, HeaderMap, HeaderValue, IF_NONE_MATCH, USER_AGENT};
use reqwest::{Client, redirect, retry};
use ringwall_core::step::BoxFuture;
use rustls::ClientConfig;

use crate::endpoint::Endpoint;
use crate::fetch::{FetchError, FetchErrorKind, FetchRequest, Fetched, JwksFetcher};
use addresses::Reach;
use answer::Expected;
pub use error::HttpFetcherError;
use resolver::{GuardedResolver, Lookup};
use tls::Roots;

/// How the fetcher names itself to servers.
const AGENT: &str = concat!("ringwall-jwks-client/", env!("CARGO_PKG_VERSION"));

/// Fetches documents over HTTPS, from hosts that are out in the open.
///
/// - **Addresses.** Only global unicast addresses are asked. Loopback, private, link-local (with
///   the metadata service of a cloud), shared and every other special-purpose network is refused
///   with [`FetchErrorKind::AddressRefused`], whether the URL has the address itself or a name that
///   resolves to it; IPv4 addresses inside IPv6 ones are judged as themselves. Of a name's
///   addresses those that pass are asked, at most 16, and the connection goes to the very address
///   that was checked, so that a name cannot be bound anew in between.
///   [`HttpFetcherBuilder::allow_network`] permits a network by name. A URL that names this machine
///   and was accepted in the development profile is asked at loopback addresses, and only there.
/// - **TLS.** 1.2 and 1.3 with ring, without a process-wide provider. Certificates are verified the
///   platform's way, anew for every fetch. On Linux and the BSDs its roots are those of the system,
///   or of `SSL_CERT_FILE` and `SSL_CERT_DIR`, loaded when the fetcher is made.
/// - **Answers.** The status must be 200 (or 304 to a request with an entity tag); redirects are not
///   followed. The type must be `application/json` or `application/…+json`, stated once. A body is
///   given up as soon as it is known to be longer than [`FetchRequest::max_bytes`]; a head of more
///   than about 400 KiB or 100 lines is given up too. Nothing is decompressed.
/// - **Requests.** HTTP/1.1, one connection each, no cookies, no referrer, no proxy: neither the
///   one of the environment nor another, because the proxy would choose the address.
///
/// There is no time-out and no second attempt: the client has both. A lookup by the system
/// cannot be interrupted, and ends on its thread after the fetch was given up.
///
/// Fetches have to be polled in a tokio runtime with I/O and time enabled. Clones share one
/// configuration.
///
/// ```no_run
/// use ringwall_jwks_client::HttpFetcher;
///
/// // An issuer inside the cluster, with a certificate of the company's own authority.
/// let authority = std::fs::read("/etc/ssl/company.pem")?;
/// let fetcher = HttpFetcher::builder()
///     .root_certificates_pem(authority)
///     .allow_network("10.20.0.7/32")
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It cannot see what answers at a global address: a service of yours that is reachable from
/// outside, and answers its neighbours more than strangers, is not protected by it.
#[derive(Clone)]
pub struct HttpFetcher {
    outside: Route,
    this_machine: Route,
    any_content_type: bool,
    roots: Trusted,
}

/// Makes an [`HttpFetcher`] that is looser, or trusts others, by name.
#[derive(Default)]
pub struct HttpFetcherBuilder {
    pems: Vec<Vec<u8>>,
    only_root_certificates: bool,
    networks: Vec<Box<str>>,
    any_content_type: bool,
}

/// A client and how far it reaches.
#[derive(Clone)]
struct Route {
    client: Client,
    reach: Reach,
}

/// Which certificate authorities are trusted, for `Debug`.
#[derive(Clone, Copy)]
struct Trusted {
    named: usize,
    only_named: bool,
}

impl HttpFetcher {
    /// A fetcher without exceptions.
    ///
    /// # Errors
    ///
    /// [`HttpFetcherError::PlatformRoots`], and [`HttpFetcherError::Client`] in theory.
    pub fn new() -> Result<Self, HttpFetcherError> {
        Self::builder().build()
    }

    /// A fetcher with exceptions.
    #[must_use]
    pub fn builder() -> HttpFetcherBuilder {
        HttpFetcherBuilder::default()
    }

    fn route(&self, endpoint: &Endpoint) -> &Route {
        if Reach::is_this_machine(endpoint) {
            &self.this_machine
        } else {
            &self.outside
        }
    }
}

impl JwksFetcher for HttpFetcher {
    fn fetch(&self, request: FetchRequest) -> BoxFuture<Result<Fetched, FetchError>> {
        let route = self.route(&request.url).clone();
        let expected = Expected {
            max_bytes: request.max_bytes,
            is_conditional: request.entity_tag.is_some(),
            any_content_type: self.any_content_type,
        };
        Box::pin(async move {
            // An address in the URL is connected to without asking the resolver.
            let literal = request.url.literal_address();
            if literal.is_some_and(|address| !route.reach.permits(address)) {
                return Err(FetchError::new(FetchErrorKind::AddressRefused));
            }
            let mut outgoing = route.client.get(request.url.url().clone());
            if let Some(tag) = &request.entity_tag {
                outgoing = outgoing.header(IF_NONE_MATCH, tag.as_str());
            }
            let response = outgoing.send().await.map_err(fault::fetch_error)?;
            answer::read(response, expected).await
        })
    }
}

/// The policy: what is reached and who is trusted.
impl fmt::Debug for HttpFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetcher")
            .field("reach", &self.outside.reach)
            .field("any_content_type", &self.any_content_type)
            .field("platform_roots", &!self.roots.only_named)
            .field("named_roots", &self.roots.named)
            .finish_non_exhaustive()
    }
}

impl HttpFetcherBuilder {
    /// Also trusts the certificate authorities in this PEM text, one at least. May be called more
    /// than once; what is not a certificate is ignored.
    #[must_use]
    pub fn root_certificates_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.pems.push(pem.into());
        self
    }

    /// Trusts the named certificate authorities alone, and not the platform's.
    #[must_use]
    pub const fn only_root_certificates(mut self) -> Self {
        self.only_root_certificates = true;
        self
    }

    /// Permits the addresses of a network, written as `10.0.0.0/8` or `fd00::/8`, whatever they
    /// are special for. An IPv4 network also permits its addresses in IPv4-mapped form. May be
    /// called more than once.
    ///
    /// Everybody whose URL or name is asked can then make requests into that network: permit the
    /// one address of the issuer rather than the network it is in.
    #[must_use]
    pub fn allow_network(mut self, network: &str) -> Self {
        self.networks.push(network.into());
        self
    }

    /// Accepts documents of every content type, or of none, for issuers that publish theirs from
    /// static hosting. They have to be JSON all the same.
    #[must_use]
    pub const fn any_content_type(mut self) -> Self {
        self.any_content_type = true;
        self
    }

    /// Makes the fetcher.
    ///
    /// # Errors
    ///
    /// [`HttpFetcherError`].
    pub fn build(self) -> Result<HttpFetcher, HttpFetcherError> {
        self.build_with(&resolver::system())
    }

    fn build_with(self, lookup: &Lookup) -> Result<HttpFetcher, HttpFetcherError> {
        let mut roots = Roots {
            named: Vec::new(),
            only_named: self.only_root_certificates,
        };
        for pem in &self.pems {
            roots.add_pem(pem)?;
        }
        let trusted = Trusted {
            named: roots.named.len(),
            only_named: roots.only_named,
        };
        let networks: Result<Arc<[IpNet]>, HttpFetcherError> = self
            .networks
            .into_iter()
            .map(|text| addresses::network(&text).ok_or(HttpFetcherError::Network(text)))
            .collect();
        let config = tls::config(roots)?;
        Ok(HttpFetcher {
            outside: Route::new(Reach::Global(networks?), &config, lookup)?,
            this_machine: Route::new(Reach::ThisMachine, &config, lookup)?,
            any_content_type: self.any_content_type,
            roots: trusted,
        })
    }
}

/// Without the certificates.
impl fmt::Debug for HttpFetcherBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetcherBuilder")
            .field("networks", &self.networks)
            .field("any_content_type", &self.any_content_type)
            .field("only_root_certificates", &self.only_root_certificates)
            .finish_non_exhaustive()
    }
}

impl Route {
    /// Everything is said that the HTTP client would otherwise decide by itself, since its other
    /// users in the same program can switch features of it on that change its defaults.
    fn new(reach: Reach, config: &ClientConfig, lookup: &Lookup) -> Result<Self, HttpFetcherError> {
        let mut headers = HeaderMap::new();
        let accepted = HeaderValue::from_static("application/json, application/jwk-set+json");
        headers.insert(ACCEPT, accepted);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        let client = Client::builder()
            .tls_backend_preconfigured(config.clone())
            .dns_resolver(GuardedResolver::new(lookup.clone(), reach.clone()))
            .default_headers(headers)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            // Fetches are minutes apart; servers close idle connections sooner, and the next fetch
            // would meet one that is about to go.
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| HttpFetcherError::Client(error.into()))?;
        Ok(Self { client, reach })
    }
}
