//! Keys that the service fetches itself.

use core::time::Duration;
use std::sync::Arc;

use ringwall_core::event::EventSink;
use ringwall_core::profile::Profile;
use ringwall_jwks_client::{
    Endpoint, HttpFetcher, HttpFetcherError, JwksClient, JwksClientBuilder, JwksFetcher,
    RefreshPolicy,
};

use super::file;
use super::section::Section;

/// The settings that only keys from afar have.
pub(super) const SETTINGS: [&str; 11] = [
    "jwks_url",
    "jwks_ttl_seconds",
    "jwks_max_ttl_seconds",
    "jwks_timeout_seconds",
    "jwks_max_attempts",
    "jwks_backoff_seconds",
    "jwks_max_backoff_seconds",
    "jwks_cool_down_seconds",
    "jwks_max_stale_seconds",
    "jwks_networks",
    "jwks_root_certificates",
];

/// The longest file of certificates: the whole set of an operating system fits.
const MAX_CERTIFICATE_BYTES: u64 = 1024 * 1024;

/// Where the keys are fetched from, how and when.
#[derive(Debug)]
pub(super) struct RemoteKeys {
    /// `None` when the issuer's metadata says where.
    url: Option<String>,
    policy: RefreshPolicy,
    fetcher: Arc<HttpFetcher>,
    profile: Profile,
}

impl RemoteKeys {
    /// Takes the settings. `None` when there is a fault that leaves nothing to fetch with.
    pub(super) fn read(section: &mut Section<'_>) -> Option<Self> {
        let profile = section.profile();
        let url = section.url("jwks_url");
        if let Some(Err(error)) = url.as_deref().map(|url| Endpoint::new(url, profile)) {
            let problem = format!("is not acceptable: {error}");
            let remedy = "write where the issuer publishes its keys, or leave it out for discovery";
            section.fault("jwks_url", problem, remedy);
        }
        let policy = refresh_policy(section);
        let fetcher = fetcher(section, "jwks_networks", "jwks_root_certificates")?;
        Some(Self {
            url,
            policy,
            fetcher: Arc::new(fetcher),
            profile,
        })
    }

    #[cfg(test)]
    pub(super) const fn policy(&self) -> &RefreshPolicy {
        &self.policy
    }

    /// A client for them, which is not started yet. `fetcher` goes before the one of the configuration.
    pub(super) fn client(
        &self,
        issuer: &str,
        fetcher: Option<&Arc<dyn JwksFetcher>>,
        events: &Arc<dyn EventSink>,
    ) -> JwksClientBuilder {
        let fetcher = match fetcher {
            Some(fetcher) => Arc::clone(fetcher),
            None => Arc::clone(&self.fetcher) as Arc<dyn JwksFetcher>,
        };
        let client = match &self.url {
            Some(url) => JwksClient::builder(url, fetcher),
            None => JwksClient::discover(issuer, fetcher),
        };
        client
            .profile(self.profile)
            .policy(self.policy)
            .events(Arc::clone(events))
    }
}

fn refresh_policy(section: &mut Section<'_>) -> RefreshPolicy {
    let unless_set = RefreshPolicy::default();
    let mut seconds = |key, range, unless_set: Duration| {
        let unless_set = u32::try_from(unless_set.as_secs()).unwrap_or(u32::MAX);
        section.seconds(key, range, unless_set)
    };
    let ttl = seconds("jwks_ttl_seconds", 5..=86_400, unless_set.ttl);
    let longest = unless_set.max_ttl.max(ttl);
    let policy = RefreshPolicy {
        ttl,
        // Who asks for a short freshness means it, also where the issuer says that it is short.
        min_ttl: unless_set.min_ttl.min(ttl),
        max_ttl: seconds("jwks_max_ttl_seconds", 5..=86_400, longest),
        timeout: seconds("jwks_timeout_seconds", 1..=60, unless_set.timeout),
        backoff: seconds("jwks_backoff_seconds", 1..=3600, unless_set.backoff),
        max_backoff: seconds("jwks_max_backoff_seconds", 1..=3600, unless_set.max_backoff),
        missing_key_cool_down: seconds(
            "jwks_cool_down_seconds",
            1..=3600,
            unless_set.missing_key_cool_down,
        ),
        max_stale: seconds("jwks_max_stale_seconds", 0..=604_800, unless_set.max_stale),
        attempts: section.number("jwks_max_attempts", 1..=100, unless_set.attempts),
        ..unless_set
    };
    if let Err(error) = policy.check() {
        section.fault(
            "jwks_ttl_seconds",
            format!("does not go with the other times: {error}"),
            "raise it, or lower jwks_timeout_seconds and jwks_max_backoff_seconds",
        );
    }
    policy
}

/// How something is fetched, of which these two settings say where it may be and who vouches for it.
pub(super) fn fetcher(
    section: &mut Section<'_>,
    networks: &str,
    roots: &str,
) -> Option<HttpFetcher> {
    let mut builder = HttpFetcher::builder();
    for network in section.texts(networks).unwrap_or_default() {
        builder = builder.allow_network(&network);
    }
    if let Some(path) = section.text(roots) {
        match file::read_bytes(path.as_ref(), MAX_CERTIFICATE_BYTES) {
            Ok(pem) => builder = builder.root_certificates_pem(pem),
            Err(fault) => {
                let remedy = "name a PEM file with the certificate of the authority";
                section.fault(roots, fault.to_string(), remedy);
            }
        }
    }
    match builder.build() {
        Ok(fetcher) => Some(fetcher),
        Err(error) => {
            let (key, problem, remedy) = match &error {
                // Its text would repeat what was written.
                HttpFetcherError::Network(_) => (
                    networks,
                    "holds what is not a network".to_owned(),
                    "write the network of the issuer, such as 10.20.0.7/32",
                ),
                HttpFetcherError::PlatformRoots(_) => (
                    roots,
                    error.to_string(),
                    "install the package ca-certificates, so that there are any",
                ),
                HttpFetcherError::RootCertificates
                | HttpFetcherError::NoRootCertificates
                | HttpFetcherError::Client(_)
                | _ => (
                    roots,
                    error.to_string(),
                    "name a PEM file with the certificate of the authority",
                ),
            };
            section.fault(key, problem, remedy);
            None
        }
    }
}
