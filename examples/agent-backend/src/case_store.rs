//! Where cases are kept: in a SQLite file, or in PostgreSQL.
//!
//! Every method demands the proof that the policy was asked, and the tenant whose rows it may touch. Every statement has
//! the policy's condition in its WHERE. On PostgreSQL the database has it too, and each transaction is told who acts: a
//! row that is changed or deleted is one that may be read there, so it is here as well. Every value is bound and never
//! part of the statement.

mod postgres;
mod sqlite;

use ringwall_core::clock::Timestamp;
use ringwall_gate::authz::{Action, Permit, RowsPermit};

use crate::authorization::{AssignCase, CreateCase, DeleteCase, ReadCase, UpdateCase};
use crate::case::{Case, CaseChange, CaseId, NewCase};
use crate::store::StoreError;
use crate::tenant::TenantScope;

pub(crate) use postgres::PostgresCases;
pub(crate) use sqlite::SqliteCases;

/// A place in a list: the cases that are older than the one it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) created_at: Timestamp,
    pub(crate) id: CaseId,
}

/// Which case is to be changed, and which version of it, when nobody else's change may be lost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) tenant: &'a TenantScope,
    pub(crate) id: &'a CaseId,
    pub(crate) version: Option<i64>,
}

/// Which rows may be changed: those that may be read, too. Whoever changes what cannot be seen would see it in the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changeable<'a, A: Action> {
    pub(crate) rows: &'a RowsPermit<A>,
    pub(crate) readable: &'a RowsPermit<ReadCase>,
}

/// The cases of all tenants. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) enum CaseStore {
    Sqlite(SqliteCases),
    Postgres(PostgresCases),
}

/// A row of either database.
macro_rules! read_case {
    ($row:expr) => {{
        let row = $row;
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
            department: row.try_get("department")?,
            created_by: row.try_get("created_by")?,
            created_at: Timestamp::from_unix_micros(row.try_get("created_at")?),
            updated_at: Timestamp::from_unix_micros(row.try_get("updated_at")?),
            version: row.try_get("version")?,
        })
    }};
}
use read_case;

impl CaseStore {
    /// Stores the case that `permit` is about, in the version 1. Whose it is, the permit says; that it may be read, the
    /// other one.
    pub(crate) async fn create(
        &self,
        permit: &Permit<CreateCase>,
        _readable: &Permit<ReadCase>,
        tenant: &TenantScope,
        case: &NewCase,
        now: Timestamp,
    ) -> Result<Case, StoreError> {
        match self {
            Self::Sqlite(cases) => cases.create(permit, tenant, case, now).await,
            Self::Postgres(cases) => cases.create(permit, tenant, case, now).await,
        }
    }

    /// A case of `tenant`, if it is one of `rows`.
    pub(crate) async fn get(
        &self,
        rows: &RowsPermit<ReadCase>,
        tenant: &TenantScope,
        id: &CaseId,
    ) -> Result<Option<Case>, StoreError> {
        match self {
            Self::Sqlite(cases) => cases.get(rows, tenant, id).await,
            Self::Postgres(cases) => cases.get(rows, tenant, id).await,
        }
    }

    /// The newest of `rows` of `tenant` after `position`, at most `limit`.
    pub(crate) async fn list(
        &self,
        rows: &RowsPermit<ReadCase>,
        tenant: &TenantScope,
        position: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<Case>, StoreError> {
        match self {
            Self::Sqlite(cases) => cases.list(rows, tenant, position, limit).await,
            Self::Postgres(cases) => cases.list(rows, tenant, position, limit).await,
        }
    }

    /// Changes the case, if it is one of `rows` and still has the version. `None` when it was not.
    pub(crate) async fn update(
        &self,
        rows: Changeable<'_, UpdateCase>,
        target: Target<'_>,
        change: &CaseChange,
        now: Timestamp,
    ) -> Result<Option<Case>, StoreError> {
        match self {
            Self::Sqlite(cases) => cases.update(rows, target, change, now).await,
            Self::Postgres(cases) => cases.update(rows, target, change, now).await,
        }
    }

    /// Deletes the case, if it is one of `rows` and still has the version. Whether it did.
    pub(crate) async fn delete(
        &self,
        rows: Changeable<'_, DeleteCase>,
        target: Target<'_>,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(cases) => cases.delete(rows, target).await,
            Self::Postgres(cases) => cases.delete(rows, target).await,
        }
    }

    /// Assigns the case that `permit` is about to `user`, or takes it back. Both may be repeated.
    pub(crate) async fn assign(
        &self,
        permit: &Permit<AssignCase>,
        user: &str,
        is_assigned: bool,
    ) -> Result<(), StoreError> {
        // The permit is about a case of a tenant, or there would be none.
        let org = permit.org().unwrap_or_default();
        let id = permit.resource_id();
        match self {
            Self::Sqlite(cases) => cases.assign(org, user, id, is_assigned).await,
            Self::Postgres(cases) => cases.assign(org, user, id, is_assigned).await,
        }
    }

    /// Whether the database answers.
    pub(crate) async fn answers(&self) -> bool {
        match self {
            // Its file is that of all else, which is asked anyway.
            Self::Sqlite(_) => true,
            Self::Postgres(cases) => cases.answers().await,
        }
    }

    /// Finishes what is being done.
    pub(crate) async fn close(&self) {
        match self {
            // Its file is that of all else, and closed with it.
            Self::Sqlite(_) => {}
            Self::Postgres(cases) => cases.close().await,
        }
    }
}

#[cfg(test)]
mod tests;
