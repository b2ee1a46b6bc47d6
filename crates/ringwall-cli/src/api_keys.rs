//! `ringwall apikey`.

use core::num::NonZeroU16;
use core::time::Duration;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use ringwall_authn::api_key::{
    ApiKeyFinding, ApiKeyQuery, ApiKeyReviewLimits, ApiKeysOf, CreatedApiKey, PepperId,
};
use ringwall_authn::{ApiKeyPrefix, ApiKeyRequest, ApiKeys, SecretHasher};
use ringwall_core::clock::{SystemClock, Timestamp, WallClock as _};
use ringwall_core::principal::{OrgId, ProjectId, Scope, Tenant};
use ringwall_core::secret::SecretString;
use ringwall_gate::config::GateConfig;
use serde_json::{Value, json};

use crate::arguments::{
    ApiKeyCommand, CreateArguments, HashArguments, ListArguments, ReviewArguments,
    RevokeKeysArguments, RotateArguments, StoreArguments,
};
use crate::confirmation::confirm;
use crate::failure::Failure;
use crate::output::Output;
use crate::record;
use crate::secrets;
use crate::service;
use crate::store::{self, NOT_IN_REDIS, Place, Store};

/// The pepper of new keys.
const PEPPER: &str = "RINGWALL_PEPPER";
/// Keys that are read at once.
const PAGE: NonZeroU16 = NonZeroU16::new(500).unwrap();
const DAY: u64 = 24 * 3600;

/// Does what the command says.
pub(crate) async fn run(command: ApiKeyCommand, output: Output) -> Result<(), Failure> {
    match command {
        ApiKeyCommand::Create(arguments) => {
            let making = Making::read(&arguments.hash)?;
            let store = open(&arguments.store).await?;
            let done = create(&store, making, arguments, output).await;
            closed(&store, done).await
        }
        ApiKeyCommand::Import(arguments) => {
            let making = Making::read(&arguments.hash)?;
            if io::stdin().is_terminal() {
                output.note(
                    "the old key, and Enter (it shows on the screen), and the end of the input:",
                );
            }
            let text = secrets::from_standard_input("the key on the standard input")?;
            let store = open(&arguments.store).await?;
            let done = import(&store, making, &text, arguments, output).await;
            closed(&store, done).await
        }
        ApiKeyCommand::Rotate(arguments) => {
            let making = Making::read(&arguments.hash)?;
            let store = open(&arguments.store).await?;
            let done = rotate(&store, making, arguments, output).await;
            closed(&store, done).await
        }
        ApiKeyCommand::List(arguments) => {
            let store = open(&arguments.store).await?;
            let done = list(&store, arguments, output).await;
            closed(&store, done).await
        }
        ApiKeyCommand::Revoke(arguments) => {
            let store = open(&arguments.store).await?;
            let done = revoke(&store, arguments, output).await;
            closed(&store, done).await
        }
        ApiKeyCommand::Review(arguments) => {
            let store = open(&arguments.store).await?;
            let done = review(&store, arguments, output).await;
            closed(&store, done).await
        }
    }
}

async fn open(arguments: &StoreArguments) -> Result<Store, Failure> {
    let place = Place::of_store(arguments)?;
    if !place.holds_api_keys() {
        return Err(Failure::Arguments(NOT_IN_REDIS));
    }
    store::refuse_unused(&[&place], &arguments.connection, None)?;
    place.open().await
}

async fn closed<T>(store: &Store, done: Result<T, Failure>) -> Result<T, Failure> {
    store.close().await;
    done
}

/// How keys look and are hashed.
enum Making {
    /// As the service does it.
    Service(Box<GateConfig>),
    /// As the options say.
    Options(SecretHasher, ApiKeyPrefix),
}

impl Making {
    /// Read before the store is opened, so that what is wrong costs nothing.
    fn read(arguments: &HashArguments) -> Result<Self, Failure> {
        if let Some(config) = service::config(&arguments.service)? {
            return Ok(Self::Service(Box::new(config)));
        }
        let hasher = if arguments.no_pepper {
            SecretHasher::sha256()
        } else {
            let file = arguments.pepper_file.as_deref();
            peppered(file, arguments.pepper_id.clone())?
        };
        Ok(Self::Options(hasher, arguments.key_prefix.clone()))
    }

    /// The keys in `store`. They can have `scopes` alone, if there are any.
    async fn keys(self, store: &Store, scopes: Vec<Scope>) -> Result<ApiKeys, Failure> {
        let store = store.api_keys().await?;
        let builder = match self {
            Self::Service(config) => config
                .into_api_keys(store)
                .ok_or(Failure::Arguments(NO_API_KEYS))?,
            Self::Options(hasher, prefix) => {
                let builder = ApiKeys::builder(store, hasher).prefix(prefix);
                if scopes.is_empty() {
                    builder
                } else {
                    builder.scopes(scopes)
                }
            }
        };
        Ok(builder.cached(0).build())
    }
}

const NO_API_KEYS: &str =
    "the service of this configuration takes no API keys: its modes do not name api_key";

/// With the pepper. Without one only by name.
fn peppered(file: Option<&Path>, id: PepperId) -> Result<SecretHasher, Failure> {
    let pepper = secrets::from_file_or_variable("--pepper-file", file, PEPPER)?;
    let Some(pepper) = pepper else {
        return Err(Failure::Arguments(
            "a pepper is missing: name the service's configuration with --config, or the pepper with \
             --pepper-file or RINGWALL_PEPPER, or say --no-pepper where the service has \
             api_keys.hash = \"sha256\"",
        ));
    };
    Ok(SecretHasher::peppered(id, &pepper.into_bytes())?)
}

/// Keys for commands that make none and judge none, so that how secrets are hashed does not matter.
pub(crate) async fn without_secrets(store: &Store) -> Result<ApiKeys, Failure> {
    let store = store.api_keys().await?;
    Ok(ApiKeys::builder(store, SecretHasher::sha256())
        .cached(0)
        .build())
}

fn now() -> Result<Timestamp, Failure> {
    Ok(SystemClock::new().now()?)
}

fn request(arguments: CreateArguments) -> Result<ApiKeyRequest, Failure> {
    let tenant = Tenant {
        org: arguments.org,
        project: arguments.project,
    };
    let request = ApiKeyRequest::new(&arguments.name, tenant, arguments.by)?
        .scopes(arguments.scopes)
        .networks(arguments.networks)
        .origins(arguments.origins);
    let end = match (arguments.expires_at, arguments.expires_in_days) {
        (Some(end), _) => end,
        (None, Some(days)) => {
            let lifetime = Duration::from_secs(u64::from(days).saturating_mul(DAY));
            now()?
                .checked_add(lifetime)
                .ok_or(Failure::TimeOutOfRange)?
        }
        (None, None) => return Ok(request),
    };
    Ok(request.expires_at(end))
}

async fn create(
    store: &Store,
    making: Making,
    arguments: CreateArguments,
    output: Output,
) -> Result<(), Failure> {
    let keys = making.keys(store, arguments.known_scopes.clone()).await?;
    let created = keys.create(request(arguments)?).await?;
    show(&created, output)?;
    if !output.is_json() {
        output.note(&format!(
            "made {}: the key above is not shown again",
            keys.masked(&created.record.id)
        ));
    }
    Ok(())
}

/// The one time that a key is seen.
fn show(created: &CreatedApiKey, output: Output) -> Result<(), Failure> {
    // It is made: a clock that fails now must not keep it from being shown.
    let now = now().unwrap_or(created.record.created_at);
    let mut value = record::json(&created.record, now);
    let text = created.key.text().expose();
    if let Value::Object(fields) = &mut value {
        fields.insert("key".to_owned(), text.into());
    }
    output
        .write(&value, text)
        .map_err(|source| Failure::KeyNotShown {
            id: created.record.id.as_str().to_owned(),
            source,
        })
}

async fn import(
    store: &Store,
    making: Making,
    text: &SecretString,
    arguments: CreateArguments,
    output: Output,
) -> Result<(), Failure> {
    let keys = making.keys(store, arguments.known_scopes.clone()).await?;
    let record = keys.import(text, request(arguments)?).await?;
    output.answer(&record::json(&record, now()?), record.id.as_str())?;
    if !output.is_json() {
        output.note(
            "it is accepted where the service has api_keys.accept_imported = true: rotate it",
        );
    }
    Ok(())
}

async fn rotate(
    store: &Store,
    making: Making,
    arguments: RotateArguments,
    output: Output,
) -> Result<(), Failure> {
    let keys = making.keys(store, Vec::new()).await?;
    let tenant = Tenant {
        org: arguments.org,
        project: arguments.project,
    };
    let grace = Duration::from_secs(arguments.grace_seconds.into());
    let created = keys
        .rotate(&tenant, &arguments.id, arguments.by, grace)
        .await?;
    show(&created, output)?;
    if !output.is_json() {
        output.note(&format!(
            "{} replaces {}, which is accepted for {} s longer: the key above is not shown again",
            keys.masked(&created.record.id),
            keys.masked(&arguments.id),
            arguments.grace_seconds,
        ));
    }
    Ok(())
}

/// All keys of an organisation, page by page.
async fn each(
    keys: &ApiKeys,
    org: &OrgId,
    project: Option<&ProjectId>,
    mut visit: impl FnMut(ringwall_authn::api_key::ApiKeyRecord) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut query = ApiKeyQuery {
        project: project.cloned(),
        limit: PAGE,
        ..ApiKeyQuery::new(org.clone())
    };
    loop {
        let page = keys.list(query.clone()).await?;
        let is_last = page.len() < usize::from(PAGE.get());
        query.after = page.last().map(|record| record.id.clone());
        for record in page {
            visit(record)?;
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn list(store: &Store, arguments: ListArguments, output: Output) -> Result<(), Failure> {
    let keys = without_secrets(store).await?;
    let now = now()?;
    if !output.is_json() {
        output.note(record::COLUMNS);
    }
    each(
        &keys,
        &arguments.org,
        arguments.project.as_ref(),
        |record| output.answer(&record::json(&record, now), &record::text(&record, now)),
    )
    .await
}

/// How many of these keys were not taken back yet.
pub(crate) async fn count(keys: &ApiKeys, whose: &ApiKeysOf) -> Result<u64, Failure> {
    let mut count: u64 = 0;
    each(keys, whose.org(), None, |record| {
        if whose.includes(&record) && record.revoked_at.is_none() {
            count = count.saturating_add(1);
        }
        Ok(())
    })
    .await?;
    Ok(count)
}

async fn revoke(
    store: &Store,
    arguments: RevokeKeysArguments,
    output: Output,
) -> Result<(), Failure> {
    let keys = without_secrets(store).await?;
    let org = arguments.org;
    if let Some(id) = arguments.id {
        let tenant = Tenant {
            org,
            project: arguments.project,
        };
        let record = keys.revoke(&tenant, &id).await?;
        let text = format!("revoked {}", record.id);
        return output.answer(&record::json(&record, now()?), &text);
    }
    let (whose, which) = match (arguments.all_of_project, arguments.all_of_creator) {
        (Some(project), _) => {
            let which = format!("of project {project} of organisation {org}");
            (ApiKeysOf::Project(org, project), which)
        }
        (None, Some(creator)) => {
            let which = format!("of organisation {org} that {creator} made");
            (ApiKeysOf::Creator(org, creator), which)
        }
        (None, None) => {
            let which = format!("of organisation {org}");
            (ApiKeysOf::Org(org), which)
        }
    };
    if !arguments.yes {
        let number = count(&keys, &whose).await?;
        confirm(
            &format!("{number} API keys {which} will be revoked"),
            number,
        )?;
    }
    let revoked = keys.revoke_all(&whose).await?;
    output.answer(
        &json!({ "revoked": revoked }),
        &format!("revoked {revoked} API keys"),
    )
}

async fn review(store: &Store, arguments: ReviewArguments, output: Output) -> Result<(), Failure> {
    let keys = without_secrets(store).await?;
    let days = |days: u32| Duration::from_secs(u64::from(days).saturating_mul(DAY));
    let limits = ApiKeyReviewLimits {
        rotation_age: days(arguments.rotation_days),
        expiry_warning: days(arguments.expiry_days),
        unused: days(arguments.unused_days),
    };
    let now = now()?;
    if !output.is_json() {
        output.note(&format!("FINDING\t{}", record::COLUMNS));
    }
    for (record, finding) in keys.review(&arguments.org, limits).await? {
        let finding = match finding {
            ApiKeyFinding::ExpiresSoon => "expires_soon",
            ApiKeyFinding::RotationDue => "rotation_due",
            ApiKeyFinding::Unused => "unused",
            ApiKeyFinding::Imported => "imported",
            _ => "other",
        };
        let mut value = record::json(&record, now);
        if let Value::Object(fields) = &mut value {
            fields.insert("finding".to_owned(), finding.into());
        }
        output.answer(
            &value,
            &format!("{finding}\t{}", record::text(&record, now)),
        )?;
    }
    Ok(())
}
