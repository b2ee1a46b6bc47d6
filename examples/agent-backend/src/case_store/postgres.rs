//! Cases in PostgreSQL. Each statement has the policy's condition, for a plan that finds the rows by an index; and
//! row-level security has it, for the statement that forgot it: the transaction says who acts.

use std::str::FromStr as _;
use std::sync::Arc;

use ringwall_core::classification::Sensitivity;
use ringwall_core::clock::{Timestamp, WallClock};
use ringwall_gate::authz::{Action, Permit, RowsPermit, Subject};
use ringwall_postgres::{PushRows as _, WithSubject as _};
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{Postgres, QueryBuilder, Row as _, Transaction};

use super::{Changeable, Position, Target, read_case};
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
        let mut query = of_tenant("SELECT * FROM cases", tenant);
        query.push(" AND id = ").push_bind(id.as_str());
        query.push(" AND ").push_filter(rows.filter(), None);
        let row = query.build().fetch_optional(&mut *transaction).await?;
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
        let (before, id) = match position {
            Some(position) => (position.created_at.unix_micros(), position.id.as_str()),
            None => (i64::MAX, ""),
        };
        let mut transaction = self.begin(rows.subject()).await?;
        let mut query = of_tenant("SELECT * FROM cases", tenant);
        query.push(" AND (created_at, id) < (").push_bind(before);
        query.push(", ").push_bind(id).push(") AND ");
        query.push_filter(rows.filter(), None);
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ");
        query.push_bind(i64::from(limit));
        let rows = query.build().fetch_all(&mut *transaction).await?;
        transaction.commit().await?;
        rows.iter().map(read).collect()
    }

    pub(super) async fn update(
        &self,
        rows: Changeable<'_, UpdateCase>,
        target: Target<'_>,
        change: &CaseChange,
        now: Timestamp,
    ) -> Result<Option<Case>, StoreError> {
        if rows.rows.nothing().is_some() {
            return Ok(None);
        }
        let mut transaction = self.begin(rows.rows.subject()).await?;
        let mut query = QueryBuilder::new("UPDATE cases SET title = coalesce(");
        query.push_bind(change.title.as_ref().map(|title| title.as_str()));
        query.push(", title), body = coalesce(");
        query.push_bind(change.body.as_ref().map(|body| body.as_str()));
        query.push(", body), status = coalesce(");
        query.push_bind(change.status.map(Status::as_str));
        query.push(", status), sensitivity = coalesce(");
        query.push_bind(change.sensitivity.map(Sensitivity::as_str));
        query.push(", sensitivity), version = version + 1, updated_at = ");
        query.push_bind(now.unix_micros());
        target_rows(&mut query, target);
        push_changeable(&mut query, rows);
        query.push(" RETURNING *");
        let row = query.build().fetch_optional(&mut *transaction).await;
        let case = row.map_err(refused)?.as_ref().map(read).transpose()?;
        transaction.commit().await?;
        Ok(case)
    }

    pub(super) async fn delete(
        &self,
        rows: Changeable<'_, DeleteCase>,
        target: Target<'_>,
    ) -> Result<bool, StoreError> {
        if rows.rows.nothing().is_some() {
            return Ok(false);
        }
        let mut transaction = self.begin(rows.rows.subject()).await?;
        let mut query = QueryBuilder::new("DELETE FROM cases");
        target_rows(&mut query, target);
        push_changeable(&mut query, rows);
        let done = query.build().execute(&mut *transaction).await?;
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

/// The rows of a tenant: what every statement begins with.
fn of_tenant(statement: &'static str, tenant: &TenantScope) -> QueryBuilder<Postgres> {
    let mut query = QueryBuilder::new(statement);
    query.push(" WHERE org = ").push_bind(tenant.org());
    query.push(" AND project = ").push_bind(tenant.project());
    query
}

/// The one row of a change, up to the condition of the policy.
fn target_rows(query: &mut QueryBuilder<Postgres>, target: Target<'_>) {
    query.push(" WHERE org = ").push_bind(target.tenant.org());
    query
        .push(" AND project = ")
        .push_bind(target.tenant.project());
    query.push(" AND id = ").push_bind(target.id.as_str());
    query
        .push(" AND version = coalesce(")
        .push_bind(target.version);
    query.push(", version) AND ");
}

fn push_changeable<A: Action>(query: &mut QueryBuilder<Postgres>, rows: Changeable<'_, A>) {
    query.push_filter(rows.rows.filter(), None).push(" AND ");
    query.push_filter(rows.readable.filter(), None);
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
