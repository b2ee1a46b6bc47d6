//! What organisations demand of their people, as they set it.

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
    /// What is in force. One change at a time.
    known: Arc<Mutex<BTreeMap<OrgId, OrgSettings>>>,
}

impl Settings {
    /// Reads all of them and puts them in force.
    pub(crate) async fn open(store: Store) -> Result<Self, SettingsError> {
        let rows = sqlx::query("SELECT org, settings FROM org_settings")
            .fetch_all(store.pool())
            .await
            .map_err(StoreError::from)?;
        let mut known = BTreeMap::new();
        for row in rows {
            // Rules that cannot be read are not left out: the service does not start without them.
            let read = || -> Option<(OrgId, OrgSettings)> {
                let org = OrgId::new(row.try_get::<String, _>("org").ok()?).ok()?;
                let text = row.try_get::<String, _>("settings").ok()?;
                Some((org, serde_json::from_str(&text).ok()?))
            };
            let (org, settings) =
                read().ok_or(StoreError::Corrupt("the settings of an organisation"))?;
            known.insert(org, settings);
        }
        let rules = OrganisationRules::new();
        rules.replace(&all_rules(&known)?);
        Ok(Self {
            store,
            rules,
            known: Arc::new(Mutex::new(known)),
        })
    }

    /// The rules in force, for the gate.
    pub(crate) const fn rules(&self) -> &OrganisationRules {
        &self.rules
    }

    /// The settings of one organisation.
    pub(crate) async fn get(&self, org: &OrgId) -> OrgSettings {
        self.known
            .lock()
            .await
            .get(org)
            .cloned()
            .unwrap_or_default()
    }

    /// Changes the settings of one organisation: in the database, then in force. It is done as a whole,
    /// also when whoever asked hangs up in the middle.
    pub(crate) async fn change(
        &self,
        org: &OrgId,
        change: SettingsChange,
    ) -> Result<OrgSettings, SettingsError> {
        let (settings, org) = (self.clone(), org.clone());
        let done = tokio::spawn(async move { settings.change_whole(&org, change).await });
        done.await.map_err(|_| SettingsError::CutOff)?
    }

    async fn change_whole(
        &self,
        org: &OrgId,
        change: SettingsChange,
    ) -> Result<OrgSettings, SettingsError> {
        let mut known = self.known.lock().await;
        let old = known.get(org).cloned();
        let new = old.clone().unwrap_or_default().changed(change);
        if old.is_none() && known.len() >= MOST {
            return Err(SettingsError::TooMany);
        }
        let mut all = known.clone();
        all.insert(org.clone(), new.clone());
        let rules = all_rules(&all)?;
        let text = serde_json::to_string(&new).map_err(|_| SettingsError::Invalid)?;
        sqlx::query(
            "INSERT INTO org_settings (org, settings) VALUES (?, ?)
             ON CONFLICT (org) DO UPDATE SET settings = excluded.settings",
        )
        .bind(org.as_str())
        .bind(text)
        .execute(self.store.pool())
        .await
        .map_err(StoreError::from)?;
        self.rules.replace(&rules);
        *known = all;
        Ok(new)
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
