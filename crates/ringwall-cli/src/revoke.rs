//! `ringwall revoke`.

use core::time::Duration;

use ringwall_authn::api_key::ApiKeysOf;
use ringwall_authn::{Revocation, Revoked};
use ringwall_core::clock::{SystemClock, Timestamp, WallClock as _};
use serde_json::json;

use crate::api_keys;
use crate::arguments::{LogArguments, RevokeCommand, RevokeOrgArguments};
use crate::complaint::in_one_line;
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

/// Everything of an organisation: its tokens and its API keys. As with the library's `Revoker`, both are tried
/// whatever becomes of the other, here also when one of two stores is out of reach.
async fn org(arguments: RevokeOrgArguments, now: Timestamp, output: Output) -> Result<(), Failure> {
    let keys_place = Place::of_store(&arguments.keys.store)?;
    if !keys_place.holds_api_keys() {
        return Err(Failure::Arguments(NOT_IN_REDIS));
    }
    let log_place = match &arguments.log {
        Some(url) => {
            let file = arguments.log_password_file.as_deref();
            let connection = &arguments.keys.store.connection;
            Some(Place::of_log(url, file, connection)?)
        }
        None => None,
    };
    let Some(log_place) = log_place else {
        let store = keys_place.open().await?;
        let done = of_org(Ok(&store), Ok(&store), &arguments, now, output).await;
        store.close().await;
        return done;
    };
    let keys_store = keys_place.open().await;
    let log_store = log_place.open().await;
    let done = of_org(
        keys_store.as_ref(),
        log_store.as_ref(),
        &arguments,
        now,
        output,
    )
    .await;
    for store in [keys_store, log_store].into_iter().flatten() {
        store.close().await;
    }
    done
}

async fn of_org(
    keys_store: Result<&Store, &Failure>,
    log_store: Result<&Store, &Failure>,
    arguments: &RevokeOrgArguments,
    now: Timestamp,
    output: Output,
) -> Result<(), Failure> {
    let org = &arguments.org;
    let whose = ApiKeysOf::Org(org.clone());
    let keys = match keys_store {
        Ok(store) => api_keys::without_secrets(store)
            .await
            .map_err(|error| in_one_line(&error)),
        Err(error) => Err(in_one_line(error)),
    };
    if !arguments.yes {
        let number = match &keys {
            Ok(keys) => api_keys::count(keys, &whose).await,
            Err(because) => Err(Failure::Part(because.clone())),
        };
        let number = number.map_err(|error| Failure::Uncounted(Box::new(error)))?;
        let what = format!(
            "{number} API keys of organisation {org} and all tokens that it has now will be revoked"
        );
        confirm(&what, number)?;
    }
    // As long as the operator thinks, tokens are issued.
    let now = SystemClock::new().now().unwrap_or(now);
    let issued_until = after(now, 0)?;
    let last_expiry = after(
        issued_until,
        arguments.lifetime.longest_lifetime_seconds.into(),
    )?;
    let revocation = Revocation::org(org, issued_until, last_expiry);
    let tokens = match log_store {
        Ok(store) => append(store, &arguments.keys, &revocation)
            .await
            .map_err(|error| in_one_line(&error)),
        Err(error) => Err(in_one_line(error)),
    };
    let api_keys = match keys {
        Ok(keys) => {
            let revoked = keys.revoke_all(&whose).await;
            revoked.map_err(|error| in_one_line(&error))
        }
        Err(because) => Err(because),
    };
    match (api_keys, tokens) {
        (Ok(number), Ok(())) => {
            let value = json!({
                "api_keys": number,
                "tokens_issued_until": issued_until.to_string(),
            });
            let text = format!(
                "revoked {number} API keys, and the tokens that are issued until {issued_until}"
            );
            output.answer(&value, &text)
        }
        (api_keys, tokens) => Err(Failure::Org {
            api_keys: api_keys.map_or_else(|because| because, |number| format!("{number} revoked")),
            tokens: tokens.map_or_else(|because| because, |()| "revoked".to_owned()),
        }),
    }
}

/// So many seconds after the time, and as much as clocks may differ.
fn after(time: Timestamp, seconds: u64) -> Result<Timestamp, Failure> {
    let duration = Duration::from_secs(seconds).saturating_add(SKEW);
    time.checked_add(duration).ok_or(Failure::TimeOutOfRange)
}
