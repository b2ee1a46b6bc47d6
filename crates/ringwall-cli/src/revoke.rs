//! `ringwall revoke`.

use core::time::Duration;

use ringwall_authn::api_key::ApiKeysOf;
use ringwall_authn::{DEFAULT_CLOCK_SKEW, Revocation, Revoked};
use ringwall_core::clock::{SystemClock, Timestamp, WallClock as _};
use serde_json::json;

use crate::api_keys;
use crate::arguments::{
    LifetimeArguments, LogArguments, RevokeCommand, RevokeOrgArguments, RevokeSigningKeyArguments,
};
use crate::complaint::in_one_line;
use crate::confirmation::{confirm, confirm_by};
use crate::failure::Failure;
use crate::output::Output;
use crate::service;
use crate::store::{self, NOT_IN_REDIS, Place, Store};

const DAY: u64 = 24 * 3600;

/// For how long a revocation has to be remembered.
#[derive(Clone, Copy)]
struct Reach {
    /// How far ahead an issuer's clock may be.
    skew: Duration,
    /// The longest life of a token.
    life: Duration,
}

impl Reach {
    /// As the service accepts tokens, or as the options say.
    fn of(arguments: &LifetimeArguments) -> Result<Self, Failure> {
        let Some(config) = service::config(&arguments.service)? else {
            return Ok(Self {
                skew: DEFAULT_CLOCK_SKEW,
                life: Duration::from_secs(arguments.longest_lifetime_seconds.into()),
            });
        };
        let times = config.token_times().ok_or(Failure::Arguments(
            "the service of this configuration verifies no tokens: its modes do not name jwt",
        ))?;
        Ok(Self {
            skew: times.clock_skew,
            life: times.longest_life,
        })
    }

    /// The last moment in which an issuer can have dated a token until now.
    fn issued_until(self, now: Timestamp) -> Result<Timestamp, Failure> {
        after(now, self.skew)
    }

    /// When the last token that was issued until `time` is over.
    fn last_expiry(self, time: Timestamp) -> Result<Timestamp, Failure> {
        after(after(time, self.life)?, self.skew)
    }
}

/// Writes a revocation down.
pub(crate) async fn run(command: RevokeCommand, output: Output) -> Result<(), Failure> {
    let now = SystemClock::new().now()?;
    let (log, revoked, last_expiry) = match command {
        RevokeCommand::Token(arguments) => {
            let last = Reach::of(&arguments.lifetime)?.last_expiry(now)?;
            let revoked = Revoked::Token {
                issuer: arguments.issuer.into(),
                token_id: arguments.token_id.into(),
            };
            (arguments.log, revoked, last)
        }
        RevokeCommand::Subject(arguments) => {
            let reach = Reach::of(&arguments.lifetime)?;
            let issued_until = match arguments.issued_until {
                Some(time) => time,
                None => reach.issued_until(now)?,
            };
            // A token of the last moment lives from then on.
            let last = reach.last_expiry(issued_until.max(now))?;
            let revoked = Revoked::Subject {
                issuer: arguments.issuer.into(),
                subject: arguments.subject.into(),
                issued_until,
            };
            (arguments.log, revoked, last)
        }
        RevokeCommand::Key(arguments) => {
            let days = u64::from(arguments.remember_days).saturating_mul(DAY);
            let last = after(after(now, Duration::from_secs(days))?, DEFAULT_CLOCK_SKEW)?;
            let RevokeSigningKeyArguments {
                log,
                issuer,
                key_id,
                remember_days,
                yes,
            } = arguments;
            let what = format!(
                "all tokens of {issuer} that name the key {key_id} will be refused for {remember_days} days"
            );
            let revoked = Revoked::SigningKey {
                issuer: issuer.into(),
                key_id: key_id.as_str().into(),
            };
            // Judged before anybody is asked.
            Revocation::new(revoked.clone(), last)?;
            if !yes {
                confirm_by(&what, &key_id)?;
            }
            (log, revoked, last)
        }
        RevokeCommand::Org(arguments) => return org(arguments, output).await,
    };
    let revocation = Revocation::new(revoked, last_expiry)?;
    let place = Place::of_store(&log.store)?;
    let prefix = log.redis_prefix.as_deref();
    store::refuse_unused(&[&place], &log.store.connection, prefix)?;
    let store = place.open().await?;
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
async fn org(arguments: RevokeOrgArguments, output: Output) -> Result<(), Failure> {
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
    let places: Vec<&Place> = std::iter::once(&keys_place).chain(&log_place).collect();
    let prefix = arguments.keys.redis_prefix.as_deref();
    store::refuse_unused(&places, &arguments.keys.store.connection, prefix)?;
    let reach = Reach::of(&arguments.lifetime)?;
    let Some(log_place) = log_place else {
        let store = keys_place.open().await?;
        let done = of_org(Ok(&store), Ok(&store), &arguments, reach, output).await;
        store.close().await;
        return done;
    };
    let keys_store = keys_place.open().await;
    let log_store = log_place.open().await;
    let done = of_org(
        keys_store.as_ref(),
        log_store.as_ref(),
        &arguments,
        reach,
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
    reach: Reach,
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
    let now = SystemClock::new().now()?;
    let issued_until = match arguments.issued_until {
        Some(time) => time,
        None => reach.issued_until(now)?,
    };
    let last_expiry = reach.last_expiry(issued_until.max(now))?;
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

fn after(time: Timestamp, duration: Duration) -> Result<Timestamp, Failure> {
    time.checked_add(duration).ok_or(Failure::TimeOutOfRange)
}
