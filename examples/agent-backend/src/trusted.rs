//! The first keys of the issuers, before the service takes requests.

use std::error::Error;

use ringwall_authn::TokenVerifier;
use ringwall_gate::config::KeyUpkeep;
use ringwall_jose::Health;
use ringwall_jwks_client::{FetchErrorKind, MetadataError, PrefetchError, RefreshError};

/// Why a service does not start with the keys of its issuers. What is an outage is not among it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstKeysError {
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

/// Waits until the keys of each issuer were fetched, or it was tried.
///
/// An issuer that is down is no reason not to start: the service answers 503, is not ready, and
/// heals within one pause after the issuer did. Had it ended instead, whoever restarts it would
/// pause longer and longer, and one outage would become two. What no waiting heals, because
/// somebody wrote the wrong thing, does end it.
pub(crate) async fn first_keys(
    upkeep: &KeyUpkeep,
    verifiers: &[TokenVerifier],
) -> Result<(), FirstKeysError> {
    match upkeep.prefetch().await {
        Ok(()) => {
            let mut health = verifiers.iter().flat_map(TokenVerifier::health);
            // They are there, and the guard refuses them.
            if health.any(|(_, health)| health == Health::Unavailable) {
                return Err(FirstKeysError::Development);
            }
        }
        Err(PrefetchError::Failed(error)) => {
            if matches!(error, RefreshError::Metadata(MetadataError::Issuer)) {
                return Err(FirstKeysError::OtherIssuer(error));
            }
            if error.fetch_kind() == Some(FetchErrorKind::AddressRefused) {
                return Err(FirstKeysError::Address(error));
            }
            tracing::error!(
                error = &error as &dyn Error,
                "there are no keys yet: until the issuer gives some, every token is answered 503 \
                 and the service is not ready"
            );
        }
        Err(error) => return Err(FirstKeysError::Ended(error)),
    }
    Ok(())
}
