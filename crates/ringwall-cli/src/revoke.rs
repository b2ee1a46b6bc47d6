//! `ringwall revoke`.

use core::time::Duration;
use std::sync::Arc;

use ringwall_authn::api_key::ApiKeysOf;
use ringwall_authn::revocation::RevocationStore;
use ringwall_authn::{Revocation, Revoked, Revoker, SyncedRevocations};
use ringwall_core::clock::{SystemClock, Timestamp, WallClock as _};
use serde_json::json;

use crate::api_keys;
use crate::arguments::{LogArguments, RevokeCommand, RevokeOrgArguments};
use crate::confirmation::confirm;
use crate::failure::Failure;
use crate::output::Output;
use crate::store::{NOT_IN_REDIS, Place, Store};

/// How far ahead an issuer's clock may be, as services accept it unless told otherwise.
const SKEW: Duration = Duration::from_secs(60);
const DAY: u64 = 24 * 3600;

/// Writes a revocation down.
pub(crate) async fn run(command: RevokeCommand, output: Output) -> Result<(), Failure> {
    let now = SystemClock::new().now()?;
    let after = |time: Timestamp, seconds: u64| {
        let duration = Duration::from_secs(seconds).saturating_add(SKEW);
        time.checked_add(duration).ok_or(Failure::TimeOutOfRange)
    };
    let (log, revoked, last_expiry) = match command {
        RevokeCommand::Token(arguments) => {
            let last = after(now, arguments.lifetime.longest_lifetime_seconds.into())?;
            let revoked = Revoked::Token {
                issuer: arguments.issuer.into(),
                token_id: arguments.token_id.into(),
            };
            (arguments.log, revoked, last)
        }
        RevokeCommand::Subject(arguments) => {
            let issued_until = match arguments.issued_until {
                Some(time) => time,
                None => after(now, 0)?,
            };
            // A token of the last moment lives from then on.
            let from = issued_until.max(now);
            let last = after(from, arguments.lifetime.longest_lifetime_seconds.into())?;
            let revoked = Revoked::Subject {
                issuer: arguments.issuer.into(),
                subject: arguments.subject.into(),
                issued_until,
            };
            (arguments.log, revoked, last)
        }
        RevokeCommand::Key(arguments) => {
            let last = after(now, u64::from(arguments.remember_days).saturating_mul(DAY))?;
            let revoked = Revoked::SigningKey {
                issuer: arguments.issuer.into(),
                key_id: arguments.key_id.into(),
            };
            (arguments.log, revoked, last)
        }
        RevokeCommand::Org(arguments) => return org(arguments, now, output).await,
    };
    let revocation = Revocation::new(revoked, last_expiry)?;
    let store = Place::of_store(&log.store)?.open().await?;
    let done = append(&store, &log, &revocation).await;
    store.close().await;
    done?;
    let value = json!({ "remembered_until": last_expiry.to_string() });
    output.answer(&value, &format!("revoked; remembered until {last_expiry}"))
}

async fn append(
    store: &Store,
    arguments: &LogArguments,
    revocation: &Revocation,
) -> Result<(), Failure> {
    let log = store.revocations(arguments.redis_prefix.as_deref()).await?;
    Ok(log.append(revocation).await?)
}

/// Everything of an organisation: its tokens and its API keys.
async fn org(arguments: RevokeOrgArguments, now: Timestamp, output: Output) -> Result<(), Failure> {
    let place = Place::of_store(&arguments.keys.store)?;
    if !place.holds_api_keys() {
        return Err(Failure::Arguments(NOT_IN_REDIS));
    }
    let log_place = match &arguments.log {
        Some(url) => Some(Place::of_log(
            url,
            arguments.log_password_file.as_deref(),
            &arguments.keys.store.connection,
        )?),
        None => None,
    };
    let store = place.open().await?;
    let log_store = match log_place {
        Some(place) => place.open().await.map(Some),
        None => Ok(None),
    };
    let done = match &log_store {
        Ok(log_store) => {
            let log_store = log_store.as_ref().unwrap_or(&store);
            of_org(&store, log_store, &arguments, now, output).await
        }
        Err(_) => Ok(()),
    };
    if let Ok(Some(log_store)) = &log_store {
        log_store.close().await;
    }
    store.close().await;
    log_store.and(done)
}

async fn of_org(
    store: &Store,
    log_store: &Store,
    arguments: &RevokeOrgArguments,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let keys = api_keys::without_secrets(store).await?;
    let log: Arc<dyn RevocationStore> = log_store
        .revocations(arguments.keys.redis_prefix.as_deref())
        .await?;
    let org = &arguments.org;
    if !arguments.yes {
        let number = api_keys::count(&keys, &ApiKeysOf::Org(org.clone())).await?;
        let what = format!(
            "{number} API keys of organisation {org} and all tokens that it has now will be revoked"
        );
        confirm(&what, number)?;
    }
    let lifetime = Duration::from_secs(arguments.lifetime.longest_lifetime_seconds.into());
    let revoker = Revoker::new(keys, SyncedRevocations::builder(log).build(), lifetime);
    let revoked = revoker
        .revoke_org(org, now)
        .await
        .map_err(|error| Failure::Org(Box::new(error)))?;
    let until = revoked.tokens_issued_until;
    let value = json!({
        "api_keys": revoked.api_keys,
        "tokens_issued_until": until.to_string(),
    });
    let text = format!(
        "revoked {} API keys, and the tokens that are issued until {until}",
        revoked.api_keys
    );
    output.answer(&value, &text)
}
