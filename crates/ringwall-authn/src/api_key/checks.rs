//! What is looked at of a key beside its text: its secret, and what it is bound to.

use core::net::IpAddr;

use ringwall_core::request::HeaderValues;

use super::error::{ApiKeyError, ApiKeyRefusal};
use super::record::ApiKeyRecord;

/// Whether the secret is the key's: as of [`SecretHasher::matches`](super::digest::SecretHasher::matches).
pub(super) fn check_fit(fits: Option<bool>) -> Result<(), ApiKeyError> {
    match fits {
        Some(true) => Ok(()),
        Some(false) => Err(ApiKeyRefusal::Secret.into()),
        None => Err(ApiKeyRefusal::PepperUnknown.into()),
    }
}

/// Whether the key may be used from there.
pub(super) fn check_network(
    record: &ApiKeyRecord,
    address: Option<IpAddr>,
) -> Result<(), ApiKeyError> {
    if record.networks.is_empty() {
        return Ok(());
    }
    let address = address.ok_or(ApiKeyRefusal::AddressUnknown)?;
    if record
        .networks
        .iter()
        .any(|network| network.contains(address))
    {
        Ok(())
    } else {
        Err(ApiKeyRefusal::Network.into())
    }
}

/// Whether the key may be used on that page.
pub(super) fn check_origin(
    record: &ApiKeyRecord,
    origin: HeaderValues<'_>,
) -> Result<(), ApiKeyError> {
    if record.origins.is_empty() {
        return Ok(());
    }
    match origin {
        HeaderValues::One(origin)
            if record.origins.iter().any(|allowed| allowed.accepts(origin)) =>
        {
            Ok(())
        }
        HeaderValues::One(_) | HeaderValues::Several(_) => Err(ApiKeyRefusal::Origin.into()),
        HeaderValues::Absent => Err(ApiKeyRefusal::OriginMissing.into()),
    }
}
