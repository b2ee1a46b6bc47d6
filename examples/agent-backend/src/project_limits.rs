//! How many requests projects want to be served, as they set it under the operator's ceiling.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Subject,
    Tenant,
};
use ringwall_gate::rate_limit::{Caller, Dimension, LimitRules, PolicyError, Quota};
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::Row as _;
use tokio::sync::Mutex;

use crate::settings::LOOK;
use crate::store::{Store, StoreError};

/// The limit of which each project may have a quota of its own.
pub(crate) const LIMIT: &str = "tenant";

/// The most projects with settings of their own.
const MOST: usize = 20_000;

/// The most of one organisation, so that none takes the places of all others with projects that it makes up.
const MOST_OF_ORG: usize = 100;

/// The highest rate that is counted to a thousandth: a token each microsecond. Every ceiling is below it, or
/// it is the ceiling.
const MOST_RPS: u32 = 1_000_000;

/// What a project asked for. It is kept as it was asked, and held under the ceiling whenever it is put in force: an
/// operator who lowers the ceiling lowers all.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    rate_limit_rps: Option<u32>,
    #[serde(default)]
    rate_limit_burst: Option<u32>,
}

/// What is to be changed. What is not said stays; `null` goes back to the operator's number.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectChange {
    #[serde(default, deserialize_with = "said")]
    rate_limit_rps: Option<Option<u32>>,
    #[serde(default, deserialize_with = "said")]
    rate_limit_burst: Option<Option<u32>>,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What holds for a project now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ProjectSettings {
    #[serde(flatten)]
    in_force: Rate,
    /// The most that the project may ask for.
    ceiling: Rate,
}

/// So many requests a second, and so many at once.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Rate {
    rate_limit_rps: serde_json::Number,
    rate_limit_burst: u32,
}

/// Why settings were not changed, or cannot be in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectLimitsError {
    #[error(
        "rate_limit_rps and rate_limit_burst are whole numbers from 1 on, or null for what the operator says"
    )]
    Invalid,
    #[error("too many projects have settings of their own")]
    TooMany,
    #[error(
        "rate_limits.limits.tenant has to count by organisation and project, and by nothing else: projects set it for \
         themselves"
    )]
    NotByProject,
    #[error("rate_limits.limits.tenant has no ceiling")]
    NoCeiling,
    #[error("the change was cut off")]
    CutOff,
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Project = (OrgId, ProjectId);

/// The limits of all projects, in the database and in force. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct ProjectLimits {
    store: Store,
    rules: LimitRules,
    /// What is in force. One change at a time.
    known: Arc<Mutex<Known>>,
}

/// What was read at once.
#[derive(Clone, Debug, Default)]
struct Known {
    /// Of the last change.
    version: i64,
    all: BTreeMap<Project, Asked>,
}

impl Asked {
    fn changed(self, change: ProjectChange) -> Self {
        Self {
            rate_limit_rps: change.rate_limit_rps.unwrap_or(self.rate_limit_rps),
            rate_limit_burst: change.rate_limit_burst.unwrap_or(self.rate_limit_burst),
        }
    }

    /// The quota; `None` when it is the operator's.
    fn quota(self, operators: Quota, ceiling: Quota) -> Result<Option<Quota>, ProjectLimitsError> {
        if self == Self::default() {
            return Ok(None);
        }
        let invalid = |_| ProjectLimitsError::Invalid;
        let rate = match self.rate_limit_rps {
            Some(rps) => Quota::per_second(rps.min(MOST_RPS)).map_err(invalid)?,
            None => operators,
        };
        let burst = self.rate_limit_burst.unwrap_or(operators.burst_size());
        let burst = burst.min(ceiling.burst_size());
        rate.burst(burst).map(Some).map_err(invalid)
    }
}

impl Rate {
    fn of(quota: Quota) -> Self {
        let period = quota.period().as_nanos();
        let count = u128::from(quota.count()).saturating_mul(1_000_000_000);
        let whole = count
            .checked_rem(period)
            .filter(|rest| *rest == 0)
            .and_then(|_| u64::try_from(count.checked_div(period)?).ok());
        let fraction = f64::from(quota.count()) / quota.period().as_secs_f64();
        let fraction = serde_json::Number::from_f64(fraction);
        Self {
            rate_limit_rps: whole.map_or(fraction.unwrap_or(0.into()), Into::into),
            rate_limit_burst: quota.burst_size(),
        }
    }
}

impl ProjectLimits {
    /// Reads what all projects asked for and puts it in force among the limits of `rules`.
    pub(crate) async fn open(store: Store, rules: LimitRules) -> Result<Self, ProjectLimitsError> {
        check(&rules)?;
        let known = Known::read(store.pool()).await?;
        put(&rules, &BTreeMap::new(), &known.all)?;
        Ok(Self {
            store,
            rules,
            known: Arc::new(Mutex::new(known)),
        })
    }

    /// What holds for a project.
    pub(crate) fn get(&self, project: &Project) -> Result<ProjectSettings, ProjectLimitsError> {
        let bucket = bucket(&self.rules, project)?;
        let policies = self.rules.policies();
        let in_force = policies.quota_of(&bucket);
        let ceiling = policies.ceiling(bucket.policy());
        Ok(ProjectSettings {
            in_force: Rate::of(in_force.ok_or(ProjectLimitsError::NotByProject)?),
            ceiling: Rate::of(ceiling.ok_or(ProjectLimitsError::NoCeiling)?),
        })
    }

    /// Changes what one project asks for: in the database, then in force, for its next request. It is done as a
    /// whole, also when whoever asked hangs up in the middle. Answers what holds now.
    pub(crate) async fn change(
        &self,
        project: &Project,
        change: ProjectChange,
    ) -> Result<ProjectSettings, ProjectLimitsError> {
        let (limits, project) = (self.clone(), project.clone());
        let done = tokio::spawn(async move { limits.change_whole(&project, change).await });
        done.await.map_err(|_| ProjectLimitsError::CutOff)?
    }

    /// One transaction that holds the write lock from its first statement, and reads what is there: of two
    /// processes that change the same project at once, neither undoes what the other did.
    async fn change_whole(
        &self,
        project: &Project,
        change: ProjectChange,
    ) -> Result<ProjectSettings, ProjectLimitsError> {
        let mut in_force = self.known.lock().await;
        let begun = self.store.pool().begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.map_err(StoreError::from)?;
        let mut known = Known::read(&mut *transaction).await?;
        let old = known.all.get(project).copied();
        if old.is_none() && known.is_full(&project.0) {
            return Err(ProjectLimitsError::TooMany);
        }
        let new = old.unwrap_or_default().changed(change);
        let (operators, ceiling) = numbers(&self.rules)?;
        // What cannot be in force is not stored.
        new.quota(operators, ceiling)?;
        known.all.insert(project.clone(), new);
        known.version = known.version.saturating_add(1);
        let text = serde_json::to_string(&new).map_err(|_| ProjectLimitsError::Invalid)?;
        sqlx::query(
            "INSERT INTO project_settings (org, project, settings, version) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (org, project)
             DO UPDATE SET settings = excluded.settings, version = excluded.version",
        )
        .bind(project.0.as_str())
        .bind(project.1.as_str())
        .bind(text)
        .bind(known.version)
        .execute(&mut *transaction)
        .await
        .map_err(StoreError::from)?;
        transaction.commit().await.map_err(StoreError::from)?;
        put(&self.rules, &in_force.all, &known.all)?;
        *in_force = known;
        self.get(project)
    }

    /// Puts in force what other processes changed: no later than [`LOOK`] after it was stored, while the
    /// database answers. Until it is dropped.
    pub(crate) async fn keep_in_step(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.look().await {
                let error = &error as &dyn core::error::Error;
                tracing::error!(error, "the limits of projects were not read again");
            }
        }
    }

    /// One look. What cannot be read leaves in force what is.
    async fn look(&self) -> Result<(), ProjectLimitsError> {
        let mut in_force = self.known.lock().await;
        if Known::newest(self.store.pool()).await? == in_force.version {
            return Ok(());
        }
        let known = Known::read(self.store.pool()).await?;
        put(&self.rules, &in_force.all, &known.all)?;
        *in_force = known;
        Ok(())
    }
}

impl Known {
    fn is_full(&self, org: &OrgId) -> bool {
        let of_org = self.all.keys().filter(|(owner, _)| owner == org).count();
        of_org >= MOST_OF_ORG || self.all.len() >= MOST
    }

    async fn newest<'a>(
        from: impl sqlx::Executor<'a, Database = sqlx::Sqlite>,
    ) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT coalesce(max(version), 0) FROM project_settings")
            .fetch_one(from)
            .await?;
        Ok(row.try_get(0)?)
    }

    /// All of them, as they were at one moment.
    async fn read<'a>(
        from: impl sqlx::Executor<'a, Database = sqlx::Sqlite>,
    ) -> Result<Self, StoreError> {
        let rows = sqlx::query("SELECT org, project, settings, version FROM project_settings")
            .fetch_all(from)
            .await?;
        let mut known = Self::default();
        for row in rows {
            let read = || -> Option<(Project, Asked, i64)> {
                let org = OrgId::new(row.try_get::<String, _>("org").ok()?).ok()?;
                let project = ProjectId::new(row.try_get::<String, _>("project").ok()?).ok()?;
                let text = row.try_get::<String, _>("settings").ok()?;
                let version = row.try_get("version").ok()?;
                Some(((org, project), serde_json::from_str(&text).ok()?, version))
            };
            let (project, asked, version) =
                read().ok_or(StoreError::Corrupt("the settings of a project"))?;
            known.version = known.version.max(version);
            known.all.insert(project, asked);
        }
        Ok(known)
    }
}

/// The operator's quota and ceiling.
fn numbers(rules: &LimitRules) -> Result<(Quota, Quota), ProjectLimitsError> {
    let policies = rules.policies();
    let limit = policies
        .find(LIMIT)
        .ok_or(ProjectLimitsError::NotByProject)?;
    let operators = policies
        .quota(limit)
        .ok_or(ProjectLimitsError::NotByProject)?;
    let ceiling = policies
        .ceiling(limit)
        .ok_or(ProjectLimitsError::NoCeiling)?;
    Ok((operators, ceiling))
}

/// Puts in force what differs. All of `new` is computed first: nothing is in force in part.
fn put(
    rules: &LimitRules,
    old: &BTreeMap<Project, Asked>,
    new: &BTreeMap<Project, Asked>,
) -> Result<(), ProjectLimitsError> {
    let (operators, ceiling) = numbers(rules)?;
    let mut changes = Vec::new();
    for (project, asked) in new {
        if old.get(project) != Some(asked) {
            changes.push((bucket(rules, project)?, asked.quota(operators, ceiling)?));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    let put = rules.policies().set_tenant_overrides(changes);
    put.map_err(|error| {
        if error == PolicyError::TooManyOverrides {
            ProjectLimitsError::TooMany
        } else {
            ProjectLimitsError::NotByProject
        }
    })
}

/// The bucket of a project: whoever calls for it takes from this one.
fn bucket(rules: &LimitRules, project: &Project) -> Result<Dimension, ProjectLimitsError> {
    bucket_of(rules, "anybody", project)
}

fn bucket_of(
    rules: &LimitRules,
    subject: &str,
    (org, project): &Project,
) -> Result<Dimension, ProjectLimitsError> {
    let not_by_project = ProjectLimitsError::NotByProject;
    let Ok(subject) = Subject::new(subject) else {
        return Err(not_by_project);
    };
    let authentication = Authentication::new(AuthenticationMethod::Token);
    let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
    principal.tenant = Some(Tenant {
        org: org.clone(),
        project: Some(project.clone()),
    });
    let caller = Caller {
        principal: Some(&principal),
        ..Caller::default()
    };
    let bucket = rules.bucket(LIMIT, &caller, None);
    bucket.and_then(Result::ok).ok_or(not_by_project)
}

/// Whether a project that changes the limit changes it for all of its callers and for nobody else. An operator
/// may count by something else; then one project would set what holds for its whole organisation.
fn check(rules: &LimitRules) -> Result<(), ProjectLimitsError> {
    numbers(rules)?;
    let project = |org: &str, project: &str| -> Result<Project, ProjectLimitsError> {
        let not_by_project = |_| ProjectLimitsError::NotByProject;
        let org = OrgId::new(org).map_err(not_by_project)?;
        Ok((org, ProjectId::new(project).map_err(not_by_project)?))
    };
    // What counts by project names its organisation too.
    let own = project("a", "a")?;
    let bucket = |subject, project: &Project| bucket_of(rules, subject, project);
    let one = bucket("a", &own)?;
    let is_by_project = one == bucket("b", &own)? && one != bucket("a", &project("a", "b")?)?;
    if is_by_project {
        Ok(())
    } else {
        Err(ProjectLimitsError::NotByProject)
    }
}

#[cfg(test)]
mod tests;
