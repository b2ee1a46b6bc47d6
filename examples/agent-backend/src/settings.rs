//! What organisations demand of their people, as they set it.

use core::time::Duration;
use std::collections::BTreeMap;
use std::sync::Arc;

use ringwall_core::principal::OrgId;
use ringwall_gate::{OrganisationRule, OrganisationRules};
use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use tokio::sync::Mutex;

use crate::store::{Store, StoreError};

/// The most organisations that may have settings of their own.
const MOST: usize = 10_000;

/// How often it is looked whether another process changed something.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// The settings of one organisation. A list that is empty demands nothing.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrgSettings {
    /// Tokens have to come from one of these issuers.
    #[serde(default)]
    pub(crate) sso_issuers: Vec<String>,
    /// The login has to be of one of these classes (`acr`).
    #[serde(default)]
    pub(crate) acr_values: Vec<String>,
    /// One of these methods (`amr`) has to be among those of the login.
    #[serde(default)]
    pub(crate) amr_values: Vec<String>,
    /// People need a verified mail address at one of these domains.
    #[serde(default)]
    pub(crate) allowed_mail_domains: Vec<String>,
}

/// What is to be changed; what is not said stays.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SettingsChange {
    sso_issuers: Option<Vec<String>>,
    acr_values: Option<Vec<String>>,
    amr_values: Option<Vec<String>>,
    allowed_mail_domains: Option<Vec<String>>,
}

/// Why settings were not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(
        "a value cannot be demanded: issuers, classes, methods and domains are short plain names"
    )]
    Invalid,
    /// An issuer whose tokens the service does not accept; with those that it does.
    #[error("sso_issuers names an issuer whose tokens are not accepted here; accepted are: {}", .0.join(", "))]
    UnknownIssuer(Arc<[String]>),
    #[error("too many organisations have settings of their own")]
    TooMany,
    #[error("the change was cut off")]
    CutOff,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OrgSettings {
    fn changed(&self, change: SettingsChange) -> Self {
        Self {
            sso_issuers: change
                .sso_issuers
                .unwrap_or_else(|| self.sso_issuers.clone()),
            acr_values: change.acr_values.unwrap_or_else(|| self.acr_values.clone()),
            amr_values: change.amr_values.unwrap_or_else(|| self.amr_values.clone()),
            allowed_mail_domains: change
                .allowed_mail_domains
                .unwrap_or_else(|| self.allowed_mail_domains.clone()),
        }
    }

    /// The rule; `None` when nothing is demanded.
    fn rule(&self) -> Result<Option<OrganisationRule>, SettingsError> {
        if *self == Self::default() {
            return Ok(None);
        }
        fn texts(list: &[String]) -> impl Iterator<Item = &str> {
            list.iter().map(String::as_str)
        }
        let mut rule = OrganisationRule::new();
        let invalid = |_| SettingsError::Invalid;
        if !self.sso_issuers.is_empty() {
            rule = rule.issuers(texts(&self.sso_issuers)).map_err(invalid)?;
        }
        if !self.acr_values.is_empty() {
            rule = rule
                .context_classes(texts(&self.acr_values))
                .map_err(invalid)?;
        }
        if !self.amr_values.is_empty() {
            rule = rule.methods(texts(&self.amr_values)).map_err(invalid)?;
        }
        if !self.allowed_mail_domains.is_empty() {
            rule = rule
                .mail_domains(texts(&self.allowed_mail_domains))
                .map_err(invalid)?;
        }
        Ok(Some(rule))
    }
}

/// The settings of all organisations, in the database and in force. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    store: Store,
    rules: OrganisationRules,
    /// The issuers whose tokens the service accepts.
    issuers: Arc<[String]>,
    /// What is in force. One change at a time.
    known: Arc<Mutex<Known>>,
}

/// What was read at once.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Of the last change.
    version: i64,
    all: BTreeMap<OrgId, OrgSettings>,
}

impl Settings {
    /// Reads all of them and puts them in force. Tokens are accepted of `issuers`.
    pub(crate) async fn open(store: Store, issuers: Arc<[String]>) -> Result<Self, SettingsError> {
        let known = Known::read(store.pool()).await?;
        let rules = OrganisationRules::new();
        rules.replace(&all_rules(&known.all)?);
        Ok(Self {
            store,
            rules,
            issuers,
            known: Arc::new(Mutex::new(known)),
        })
    }

    /// The rules in force, for the gate.
    pub(crate) const fn rules(&self) -> &OrganisationRules {
        &self.rules
    }

    /// The settings of one organisation.
    pub(crate) async fn get(&self, org: &OrgId) -> OrgSettings {
        let known = self.known.lock().await;
        known.all.get(org).cloned().unwrap_or_default()
    }

    /// Changes the settings of one organisation: in the database, then in force. It is done as a whole,
    /// also when whoever asked hangs up in the middle.
    pub(crate) async fn change(
        &self,
        org: &OrgId,
        change: SettingsChange,
    ) -> Result<OrgSettings, SettingsError> {
        // An issuer that the service does not accept would shut everybody out, whoever asks included.
        let mut named = change.sso_issuers.iter().flatten();
        if named.any(|issuer| !self.issuers.contains(issuer)) {
            return Err(SettingsError::UnknownIssuer(Arc::clone(&self.issuers)));
        }
        let (settings, org) = (self.clone(), org.clone());
        let done = tokio::spawn(async move { settings.change_whole(&org, change).await });
        done.await.map_err(|_| SettingsError::CutOff)?
    }

    /// One transaction that holds the write lock from its first statement, and reads what is there: of two
    /// processes that change the same organisation at once, neither undoes what the other did.
    async fn change_whole(
        &self,
        org: &OrgId,
        change: SettingsChange,
    ) -> Result<OrgSettings, SettingsError> {
        let mut in_force = self.known.lock().await;
        let begun = self.store.pool().begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(StoreError::from)?;
        let mut known = Known::read(&mut *transaction).await?;
        let old = known.all.get(org).cloned();
        let new = old.clone().unwrap_or_default().changed(change);
        if old.is_none() && known.all.len() >= MOST {
            return Err(SettingsError::TooMany);
        }
        known.all.insert(org.clone(), new.clone());
        known.version = known.version.saturating_add(1);
        let rules = all_rules(&known.all)?;
        let text = serde_json::to_string(&new).map_err(|_| SettingsError::Invalid)?;
        sqlx::query(
            "INSERT INTO org_settings (org, settings, version) VALUES (?1, ?2, ?3)
             ON CONFLICT (org) DO UPDATE SET settings = excluded.settings, version = excluded.version",
        )
        .bind(org.as_str())
        .bind(text)
        .bind(known.version)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::from)?;
        transaction.commit().await.map_err(StoreError::from)?;
        self.rules.replace(&rules);
        *in_force = known;
        Ok(new)
    }

    /// Puts in force what other processes changed: no later than [`LOOK`] after it was stored, while the
    /// database answers. Until it is dropped.
    pub(crate) async fn keep_in_step(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.look().await {
                let error = &error as &dyn core::error::Error;
                tracing::error!(error, "the settings of organisations were not read again");
            }
        }
    }

    /// One look. What cannot be read or be in force leaves in force what is.
    async fn look(&self) -> Result<(), SettingsError> {
        let mut in_force = self.known.lock().await;
        if Known::newest(self.store.pool()).await? == in_force.version {
            return Ok(());
        }
        let known = Known::read(self.store.pool()).await?;
        self.rules.replace(&all_rules(&known.all)?);
        *in_force = known;
        Ok(())
    }
}

impl Known {
    async fn newest<'a>(
        from: impl sqlx::Executor<'a, Database = sqlx::Sqlite>,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT coalesce(max(version), 0) FROM org_settings")
            .fetch_one(from)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// All of them, as they were at one moment.
    async fn read<'a>(
        from: impl sqlx::Executor<'a, Database = sqlx::Sqlite>,
    ) -> Result<Self, StoreError> {
        let rows = sqlx::query("SELECT org, settings, version FROM org_settings")
            .fetch_all(from)
            .await?;
        let mut known = Self::default();
        for row in rows {
            // Rules that cannot be read are not left out: the service does not start without them.
            let read = || -> Option<(OrgId, OrgSettings, i64)> {
                let org = OrgId::new(row.try_get::<String, _>("org").ok()?).ok()?;
                let text = row.try_get::<String, _>("settings").ok()?;
                let version = row.try_get("version").ok()?;
                Some((org, serde_json::from_str(&text).ok()?, version))
            };
            let (org, settings, version) =
                read().ok_or(StoreError::Corrupt("the settings of an organisation"))?;
            known.version = known.version.max(version);
            known.all.insert(org, settings);
        }
        Ok(known)
    }
}

fn all_rules(known: &BTreeMap<OrgId, OrgSettings>) -> Result<OrganisationRules, SettingsError> {
    let mut rules = Vec::with_capacity(known.len());
    for (org, settings) in known {
        if let Some(rule) = settings.rule()? {
            rules.push((org.clone(), rule));
        }
    }
    OrganisationRules::of_all(rules).map_err(|_| SettingsError::Invalid)
}

#[cfg(test)]
mod tests;
