//! Whose tokens are accepted, put together.

use std::error::Error;
use std::sync::Arc;

use ringwall_authn::{
    IssuerPolicy, PrincipalMapping, SyncedRevocations, TokenIssuer, TokenVerifier,
};
use ringwall_jose::{KeySource as _, StaticKeys, WatchHandle};
use ringwall_jwks_client::{
    FetchErrorKind, JwksClient, MetadataError, PrefetchError, RefreshError, StartError,
};

use crate::config::{Config, Keys, RemoteKeys, Tokens, Trust};
use crate::dev_issuer;
use crate::keys::{OutsideKeys, is_development};
use crate::metrics::Events;

/// A verifier, and where its keys come from.
pub(crate) struct Trusted {
    pub(crate) verifier: TokenVerifier,
    pub(crate) source: Source,
}

/// What keeps the keys in force, as long as it is kept.
pub(crate) enum Source {
    /// The development issuer itself.
    Development(Arc<TokenIssuer>),
    File {
        _watch: WatchHandle,
    },
    Remote(JwksClient),
}

impl Source {
    pub(crate) fn development_issuer(&self) -> Option<Arc<TokenIssuer>> {
        match self {
            Self::Development(issuer) => Some(Arc::clone(issuer)),
            Self::File { .. } | Self::Remote(_) => None,
        }
    }
}

impl Trusted {
    pub(crate) async fn new(
        config: &Config,
        revocations: &SyncedRevocations,
    ) -> Result<Self, Box<dyn Error>> {
        let (policy, source) = match &config.trust {
            Trust::Development => development(config)?,
            Trust::Outside(tokens) => {
                let (keys, source) = match &tokens.keys {
                    Keys::File { keys, poll } => {
                        let source = Source::File {
                            _watch: keys.watch(*poll)?,
                        };
                        (OutsideKeys::new(keys.clone()), source)
                    }
                    Keys::Remote(remote) => {
                        let client = first_keys(tokens, remote, config.events.clone()).await?;
                        (OutsideKeys::new(client.clone()), Source::Remote(client))
                    }
                };
                (tokens.policy(Arc::new(keys)).build()?, source)
            }
        };
        let verifier = TokenVerifier::builder()
            .profile(config.profile)
            .issuer(policy)
            .revocations(Arc::new(revocations.clone()))
            .build()?;
        Ok(Self { verifier, source })
    }
}

fn development(config: &Config) -> Result<(IssuerPolicy, Source), Box<dyn Error>> {
    let issuer = dev_issuer::open_or_create(&config.data_dir)?;
    let keys = Arc::new(StaticKeys::new(issuer.key_set()?));
    let policy = IssuerPolicy::builder(dev_issuer::ISSUER, dev_issuer::AUDIENCE, keys)
        // Agents act on behalf of people here.
        .mapping(PrincipalMapping::default().accept_actor())
        .max_lifetime(dev_issuer::MAX_LIFETIME)
        .build()?;
    Ok((policy, Source::Development(Arc::new(issuer))))
}

/// Why a service does not start with keys from afar. What is an outage is not among it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RemoteKeysError {
    #[error("the client of the issuer's keys cannot be started")]
    Start(#[from] StartError),
    #[error(
        "the metadata at the issuer's address is that of another issuer: write tokens.issuer as \
         the member `issuer` of ISSUER/.well-known/openid-configuration has it, slash included"
    )]
    OtherIssuer(#[source] RefreshError),
    #[error(
        "the issuer's host has no address that may be asked: if it is in a network of yours, \
         permit that by name with tokens.jwks_networks"
    )]
    Address(#[source] RefreshError),
    #[error(
        "the issuer publishes the key of a development issuer, with which anybody may sign: name \
         the issuer of the real tokens"
    )]
    Development,
    #[error("the client of the issuer's keys ended")]
    Ended(#[source] PrefetchError),
}

/// A client that has fetched its first keys, or has tried.
///
/// An issuer that is down is no reason not to start: the service answers 503, is not ready, and
/// heals within one pause after the issuer did. Had it ended instead, whoever restarts it would
/// pause longer and longer, and one outage would become two. What no waiting heals, because
/// somebody wrote the wrong thing, does end it.
async fn first_keys(
    tokens: &Tokens,
    remote: &RemoteKeys,
    events: Arc<Events>,
) -> Result<JwksClient, RemoteKeysError> {
    let client = remote.client(&tokens.issuer, events).start()?;
    match client.prefetch().await {
        Ok(()) => {
            if client.keys().is_ok_and(|keys| is_development(&keys)) {
                return Err(RemoteKeysError::Development);
            }
        }
        Err(PrefetchError::Failed(error)) => {
            if matches!(error, RefreshError::Metadata(MetadataError::Issuer)) {
                return Err(RemoteKeysError::OtherIssuer(error));
            }
            if error.fetch_kind() == Some(FetchErrorKind::AddressRefused) {
                return Err(RemoteKeysError::Address(error));
            }
            tracing::error!(
                issuer = &*tokens.issuer,
                error = &error as &dyn Error,
                "there are no keys yet: until the issuer gives some, every token is answered 503 \
                 and the service is not ready"
            );
        }
        Err(error) => return Err(RemoteKeysError::Ended(error)),
    }
    Ok(client)
}
