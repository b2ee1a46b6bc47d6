//! Where cases are kept. Every method demands the tenant whose rows it may touch, every statement
//! names that tenant, and every value is bound and never part of the statement.

use std::str::FromStr as _;

use ringwall_core::classification::Sensitivity;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::Subject;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::case::{Case, CaseChange, CaseId, NewCase, Status};
use crate::store::{Store, StoreError};
use crate::tenant::TenantScope;

/// A place in a list: the cases that are older than the one it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) created_at: Timestamp,
    pub(crate) id: CaseId,
}

/// How a change of one case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change<T> {
    Done(T),
    /// The tenant has no such case; whether another one has is not looked at.
    NoSuchCase,
    /// The case has another version than the caller expected.
    OtherVersion,
}

/// The cases of all tenants. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct CaseStore {
    store: Store,
}

impl CaseStore {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Stores a new case of `tenant`, in the version 1.
    pub(crate) async fn create(
        &self,
        tenant: &TenantScope,
        id: CaseId,
        case: &NewCase,
        by: &Subject,
        now: Timestamp,
    ) -> Result<Case, StoreError> {
        let row = sqlx::query(
            "INSERT INTO cases (org, project, id, title, body, status, sensitivity, \
             created_by, created_at, updated_at, version) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 1) RETURNING *",
        )
        .bind(tenant.org())
        .bind(tenant.project())
        .bind(id.as_str())
        .bind(case.title.as_str())
        .bind(case.body.as_str())
        .bind(Status::Open.as_str())
        .bind(case.sensitivity.map(Sensitivity::as_str))
        .bind(by.as_str())
        .bind(now.unix_micros())
        .fetch_one(self.store.pool())
        .await?;
        read(&row)
    }

    /// A case of `tenant`.
    pub(crate) async fn get(
        &self,
        tenant: &TenantScope,
        id: &CaseId,
    ) -> Result<Option<Case>, StoreError> {
        let row = sqlx::query("SELECT * FROM cases WHERE org = ?1 AND project = ?2 AND id = ?3")
            .bind(tenant.org())
            .bind(tenant.project())
            .bind(id.as_str())
            .fetch_optional(self.store.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The newest cases of `tenant` after `position`, at most `limit`.
    pub(crate) async fn list(
        &self,
        tenant: &TenantScope,
        position: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<Case>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM cases WHERE org = ?1 AND project = ?2 AND (created_at, id) < (?3, ?4) \
             ORDER BY created_at DESC, id DESC LIMIT ?5",
        )
        .bind(tenant.org())
        .bind(tenant.project())
        .bind(position.map_or(i64::MAX, |position| position.created_at.unix_micros()))
        .bind(position.map_or("", |position| position.id.as_str()))
        .bind(limit)
        .fetch_all(self.store.pool())
        .await?;
        rows.iter().map(read).collect()
    }

    /// Changes a case of `tenant`, if it still has the `version`, when one is given.
    pub(crate) async fn update(
        &self,
        tenant: &TenantScope,
        id: &CaseId,
        change: &CaseChange,
        version: Option<i64>,
        now: Timestamp,
    ) -> Result<Change<Case>, StoreError> {
        let row = sqlx::query(
            "UPDATE cases SET title = coalesce(?4, title), body = coalesce(?5, body), \
             status = coalesce(?6, status), sensitivity = coalesce(?7, sensitivity), \
             updated_at = ?8, version = version + 1 \
             WHERE org = ?1 AND project = ?2 AND id = ?3 AND version = coalesce(?9, version) \
             RETURNING *",
        )
        .bind(tenant.org())
        .bind(tenant.project())
        .bind(id.as_str())
        .bind(change.title.as_ref().map(|title| title.as_str()))
        .bind(change.body.as_ref().map(|body| body.as_str()))
        .bind(change.status.map(Status::as_str))
        .bind(change.sensitivity.map(Sensitivity::as_str))
        .bind(now.unix_micros())
        .bind(version)
        .fetch_optional(self.store.pool())
        .await?;
        match row {
            Some(row) => Ok(Change::Done(read(&row)?)),
            None => self.unchanged(tenant, id).await,
        }
    }

    /// Deletes a case of `tenant`, if it still has the `version`, when one is given.
    pub(crate) async fn delete(
        &self,
        tenant: &TenantScope,
        id: &CaseId,
        version: Option<i64>,
    ) -> Result<Change<()>, StoreError> {
        let done = sqlx::query(
            "DELETE FROM cases WHERE org = ?1 AND project = ?2 AND id = ?3 \
             AND version = coalesce(?4, version)",
        )
        .bind(tenant.org())
        .bind(tenant.project())
        .bind(id.as_str())
        .bind(version)
        .execute(self.store.pool())
        .await?;
        if done.rows_affected() == 1 {
            Ok(Change::Done(()))
        } else {
            self.unchanged(tenant, id).await
        }
    }

    /// Why nothing was changed.
    async fn unchanged<T>(
        &self,
        tenant: &TenantScope,
        id: &CaseId,
    ) -> Result<Change<T>, StoreError> {
        Ok(match self.get(tenant, id).await? {
            Some(_) => Change::OtherVersion,
            None => Change::NoSuchCase,
        })
    }
}

fn read(row: &SqliteRow) -> Result<Case, StoreError> {
    let id: &str = row.try_get("id")?;
    let status: &str = row.try_get("status")?;
    let sensitivity: Option<&str> = row.try_get("sensitivity")?;
    Ok(Case {
        id: id.parse().map_err(|_| StoreError::Corrupt("an id"))?,
        title: row.try_get("title")?,
        body: row.try_get("body")?,
        status: status
            .parse()
            .map_err(|_| StoreError::Corrupt("a status"))?,
        sensitivity: sensitivity
            .map(Sensitivity::from_str)
            .transpose()
            .map_err(|_| StoreError::Corrupt("a sensitivity"))?,
        created_by: row.try_get("created_by")?,
        created_at: Timestamp::from_unix_micros(row.try_get("created_at")?),
        updated_at: Timestamp::from_unix_micros(row.try_get("updated_at")?),
        version: row.try_get("version")?,
    })
}

#[cfg(test)]
mod tests;
