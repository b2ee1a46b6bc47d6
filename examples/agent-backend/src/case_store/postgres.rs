//! Cases in PostgreSQL, whose row-level security has the policy. No statement here says which rows are permitted: the
//! transaction says who acts.

use std::str::FromStr as _;
use std::sync::Arc;

use ringwall_core::classification::Sensitivity;
use ringwall_core::clock::{Timestamp, WallClock};
use ringwall_gate::authz::{Permit, RowsPermit, Subject};
use ringwall_postgres::WithSubject as _;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Postgres, Row as _, Transaction};

use super::{Position, Target, read_case};
use crate::authorization::{CreateCase, DeleteCase, ReadCase, UpdateCase};
use crate::case::{Case, CaseChange, CaseId, NewCase, Status};
use crate::store::StoreError;
use crate::tenant::TenantScope;

/// Insufficient privilege: what PostgreSQL answers for a new row that its policies do not permit.
const NOT_PERMITTED: &str = "42501";

/// The cases of all tenants, in PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct PostgresCases {
    /// As the runtime role, which row-level security is in force for.
    runtime: PgPool,
    /// As the owner of the tables, who assigns cases: the runtime role only reads what it was assigned.
    owner: PgPool,
    clock: Arc<dyn WallClock>,
}

impl PostgresCases {
    pub(crate) fn new(runtime: PgPool, owner: PgPool, clock: Arc<dyn WallClock>) -> Self {
        Self {
            runtime,
            owner,
            clock,
        }
    }

    /// A transaction that acts for `subject`.
    async fn begin(&self, subject: &Subject) -> Result<Transaction<'_, Postgres>, StoreError> {
        let now = self.clock.now();
        let now = now.map_err(|error| StoreError::Subject(Box::new(error)))?;
        let context = subject.policy().context(now);
        let mut transaction = self.runtime.begin().await?;
        let told = transaction.with_subject(subject, &context).await;
        told.map_err(|error| StoreError::Subject(Box::new(error)))?;
        Ok(transaction)
    }

    pub(super) async fn create(
        &self,
        permit: &Permit<CreateCase>,
        tenant: &TenantScope,
        case: &NewCase,
        now: Timestamp,
    ) -> Result<Case, StoreError> {
        let mut transaction = self.begin(permit.subject()).await?;
        let department = case.department.as_ref().map(|name| name.as_str());
        let row = sqlx::query(
            "INSERT INTO cases (org, project, id, title, body, status, sensitivity, department, \
             created_by, created_at, updated_at, version) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, 1) RETURNING *",
        )
        .bind(tenant.org())
        .bind(tenant.project())
        .bind(permit.resource_id())
        .bind(case.title.as_str())
        .bind(case.body.as_str())
        .bind(Status::Open.as_str())
        .bind(case.sensitivity.map(Sensitivity::as_str))
        .bind(department)
        .bind(permit.subject().name().as_str())
        .bind(now.unix_micros())
        .fetch_one(&mut *transaction)
        .await
        .map_err(refused)?;
        let case = read(&row)?;
        transaction.commit().await?;
        Ok(case)
    }

    pub(super) async fn get(
        &self,
        rows: &RowsPermit<ReadCase>,
        tenant: &TenantScope,
        id: &CaseId,
    ) -> Result<Option<Case>, StoreError> {
        if rows.nothing().is_some() {
            return Ok(None);
        }
        let mut transaction = self.begin(rows.subject()).await?;
        let row = sqlx::query("SELECT * FROM cases WHERE org = $1 AND project = $2 AND id = $3")
            .bind(tenant.org())
            .bind(tenant.project())
            .bind(id.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
        transaction.commit().await?;
        row.as_ref().map(read).transpose()
    }

    pub(super) async fn list(
        &self,
        rows: &RowsPermit<ReadCase>,
        tenant: &TenantScope,
        position: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<Case>, StoreError> {
        if rows.nothing().is_some() {
            return Ok(Vec::new());
        }
        let mut transaction = self.begin(rows.subject()).await?;
        let rows = sqlx::query(
            "SELECT * FROM cases WHERE org = $1 AND project = $2 AND (created_at, id) < ($3, $4) \
             ORDER BY created_at DESC, id DESC LIMIT $5",
        )
        .bind(tenant.org())
        .bind(tenant.project())
        .bind(position.map_or(i64::MAX, |position| position.created_at.unix_micros()))
        .bind(position.map_or("", |position| position.id.as_str()))
        .bind(i64::from(limit))
        .fetch_all(&mut *transaction)
        .await?;
        transaction.commit().await?;
        rows.iter().map(read).collect()
    }

    pub(super) async fn update(
        &self,
        rows: &RowsPermit<UpdateCase>,
        target: Target<'_>,
        change: &CaseChange,
        now: Timestamp,
    ) -> Result<Option<Case>, StoreError> {
        if rows.nothing().is_some() {
            return Ok(None);
        }
        let mut transaction = self.begin(rows.subject()).await?;
        let row = sqlx::query(
            "UPDATE cases SET title = coalesce($4, title), body = coalesce($5, body), \
             status = coalesce($6, status), sensitivity = coalesce($7, sensitivity), \
             updated_at = $8, version = version + 1 \
             WHERE org = $1 AND project = $2 AND id = $3 AND version = coalesce($9, version) \
             RETURNING *",
        )
        .bind(target.tenant.org())
        .bind(target.tenant.project())
        .bind(target.id.as_str())
        .bind(change.title.as_ref().map(|title| title.as_str()))
        .bind(change.body.as_ref().map(|body| body.as_str()))
        .bind(change.status.map(Status::as_str))
        .bind(change.sensitivity.map(Sensitivity::as_str))
        .bind(now.unix_micros())
        .bind(target.version)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(refused)?;
        let case = row.as_ref().map(read).transpose()?;
        transaction.commit().await?;
        Ok(case)
    }

    pub(super) async fn delete(
        &self,
        rows: &RowsPermit<DeleteCase>,
        target: Target<'_>,
    ) -> Result<bool, StoreError> {
        if rows.nothing().is_some() {
            return Ok(false);
        }
        let mut transaction = self.begin(rows.subject()).await?;
        let done = sqlx::query(
            "DELETE FROM cases WHERE org = $1 AND project = $2 AND id = $3 \
             AND version = coalesce($4, version)",
        )
        .bind(target.tenant.org())
        .bind(target.tenant.project())
        .bind(target.id.as_str())
        .bind(target.version)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    pub(super) async fn assign(
        &self,
        org: &str,
        user: &str,
        id: &str,
        is_assigned: bool,
    ) -> Result<(), StoreError> {
        let statement = if is_assigned {
            "INSERT INTO case_assignments (org_id, user_id, case_id) VALUES ($1, $2, $3) \
             ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM case_assignments WHERE org_id = $1 AND user_id = $2 AND case_id = $3"
        };
        let query = sqlx::query(statement).bind(org).bind(user).bind(id);
        query.execute(&self.owner).await?;
        Ok(())
    }

    pub(super) async fn answers(&self) -> bool {
        let answer = sqlx::query("SELECT 1").execute(&self.runtime);
        matches!(
            tokio::time::timeout(crate::store::PING, answer).await,
            Ok(Ok(_))
        )
    }

    pub(super) async fn close(&self) {
        self.runtime.close().await;
        self.owner.close().await;
    }
}

fn refused(error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code());
    if code.as_deref() == Some(NOT_PERMITTED) {
        StoreError::NotPermitted
    } else {
        error.into()
    }
}

fn read(row: &PgRow) -> Result<Case, StoreError> {
    read_case!(row)
}
