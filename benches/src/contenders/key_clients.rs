//! Clients of key servers: ours and the peers, by their public interfaces and over HTTP.

use std::{sync::Arc, time::Duration};

use jsonwebtoken_jwks_cache::{CachedJWKS, TimeoutSpec};
use jwks_client_rs::source::WebSource;
use ringwall_core::profile::Profile;
use ringwall_jwks_client::{HttpFetcher, JwksClient, RefreshPolicy};
use url::Url;

use crate::server::{Answer, Behaviour, Server};

/// Whose client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    Ours,
    JwksClientRs,
    JsonwebtokenJwksCache,
}

impl Library {
    /// All, ours first.
    pub const ALL: [Self; 3] = [Self::Ours, Self::JwksClientRs, Self::JsonwebtokenJwksCache];

    /// The name in tables and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::JwksClientRs => "jwks_client_rs",
            Self::JsonwebtokenJwksCache => "jsonwebtoken-jwks-cache",
        }
    }
}

/// The times of a client, as far as its library has them as options.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// How long keys are fresh. jsonwebtoken-jwks-cache has no such option and takes the server's
    /// `Cache-Control` alone.
    pub ttl: Duration,
    /// How long before its end keys are fetched again, where that is an option.
    pub ahead: Duration,
    /// The longest time of one request.
    pub timeout: Duration,
    /// The first pause after a failure.
    pub backoff: Duration,
    /// Ours alone.
    pub max_backoff: Duration,
    /// Ours alone.
    pub cool_down: Duration,
    /// Ours alone.
    pub max_stale: Duration,
}

/// A client.
#[derive(Clone)]
pub enum KeyClient {
    Ours(JwksClient),
    JwksClientRs(jwks_client_rs::JwksClient<WebSource>),
    JsonwebtokenJwksCache(CachedJWKS),
}

impl KeyClient {
    /// Starts a client, within a tokio runtime, for a server on this machine.
    ///
    /// # Panics
    ///
    /// When its library refuses the options.
    #[must_use]
    pub fn start(library: Library, url: &str, pace: Pace) -> Self {
        let parsed = Url::parse(url).expect("a URL");
        match library {
            Library::Ours => {
                let policy = RefreshPolicy {
                    ttl: pace.ttl,
                    min_ttl: pace.ttl,
                    max_ttl: pace.ttl,
                    refresh_ahead: pace.ahead,
                    timeout: pace.timeout,
                    backoff: pace.backoff,
                    max_backoff: pace.max_backoff,
                    missing_key_cool_down: pace.cool_down,
                    max_stale: pace.max_stale,
                    ..RefreshPolicy::default()
                };
                let fetcher = Arc::new(HttpFetcher::new().expect("a fetcher"));
                let client = JwksClient::builder(url, fetcher)
                    .profile(Profile::Development)
                    .policy(policy)
                    .start();
                Self::Ours(client.expect("a client"))
            }
            Library::JwksClientRs => {
                let source = WebSource::builder()
                    .with_timeout(pace.timeout)
                    .with_connect_timeout(pace.timeout)
                    .build(parsed)
                    .expect("a source");
                let client = jwks_client_rs::JwksClient::builder()
                    .time_to_live(pace.ttl)
                    .build(source);
                Self::JwksClientRs(client)
            }
            Library::JsonwebtokenJwksCache => {
                let timeouts = TimeoutSpec {
                    retries: 3,
                    retry_after: pace.timeout,
                    backoff: pace.backoff,
                    // All four requests and the pauses between them.
                    deadline: pace.timeout * 4 + pace.backoff * 3,
                };
                // It demands more than the deadline.
                let ahead = pace.ahead.max(timeouts.deadline + Duration::from_millis(1));
                let client = CachedJWKS::new(parsed, ahead, timeouts).expect("a client");
                Self::JsonwebtokenJwksCache(client)
            }
        }
    }

    /// Waits for the first keys, as a service does before it takes requests; answers whether the key
    /// of this id is among them. Only ours has something to wait for: the others fetch with the
    /// first look-up.
    pub async fn prefetch(&self, id: &str) -> bool {
        if let Self::Ours(client) = self
            && client.prefetch().await.is_err()
        {
            return false;
        }
        self.has(id).await
    }

    /// Whether the key of this id is there, in the form in which the library hands it out, fetched
    /// when it is not there as far as the library does that.
    pub async fn has(&self, id: &str) -> bool {
        match self {
            Self::Ours(client) => matches!(client.key(Some(id)).await, Ok(Some(_))),
            Self::JwksClientRs(client) => client.get(id).await.is_ok(),
            Self::JsonwebtokenJwksCache(client) => {
                client.get().await.is_ok_and(|keys| keys.find(id).is_some())
            }
        }
    }
}

/// A server that has one document for as long as it lives.
#[derive(Debug)]
pub struct SteadyServer(Server);

impl SteadyServer {
    /// Serves the document, for a day.
    pub async fn start(document: &str) -> Self {
        let answer = Answer::json(document).header("cache-control", "max-age=86400");
        Self(Server::start(Behaviour::Serve(answer)).await)
    }

    /// Where.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url("/jwks")
    }
}
