//! Cases in the SQLite file, each statement under the policy's condition.

use std::str::FromStr as _;

use ringwall_core::classification::Sensitivity;
use ringwall_core::clock::Timestamp;
use ringwall_gate::authz::{Action, Permit, RowsPermit};
use ringwall_sqlite::PushRows as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::{Changeable, Position, Target, read_case};
use crate::authorization::{CreateCase, DeleteCase, ReadCase, UpdateCase};
use crate::case::{Case, CaseChange, CaseId, NewCase, Status};
use crate::store::{Store, StoreError};
use crate::tenant::TenantScope;

/// The cases of all tenants, in the file of the service.
#[derive(Clone, Debug)]
pub(crate) struct SqliteCases {
    store: Store,
}

/// The rows of a tenant: what every statement begins with.
fn of_tenant(statement: &'static str, tenant: &TenantScope) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(statement);
    query
        .push(" WHERE org = ")
        .push_bind(tenant.org().to_owned());
    query
        .push(" AND project = ")
        .push_bind(tenant.project().to_owned());
    query
}

impl SqliteCases {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }

    pub(super) async fn create(
        &self,
        permit: &Permit<CreateCase>,
        tenant: &TenantScope,
        case: &NewCase,
        now: Timestamp,
    ) -> Result<Case, StoreError> {
        let department = case.department.as_ref().map(|name| name.as_str());
        let row = sqlx::query(
            "INSERT INTO cases (org, project, id, title, body, status, sensitivity, department, \
             created_by, created_at, updated_at, version) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, 1) RETURNING *",
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
        .fetch_one(self.store.pool())
        .await?;
        read(&row)
    }

    pub(super) async fn get(
        &self,
        rows: &RowsPermit<ReadCase>,
        tenant: &TenantScope,
        id: &CaseId,
    ) -> Result<Option<Case>, StoreError> {
        let mut query = of_tenant("SELECT * FROM cases", tenant);
        query.push(" AND id = ").push_bind(id.as_str().to_owned());
        query.push(" AND ").push_filter(rows.filter(), None);
        let row = query.build().fetch_optional(self.store.pool()).await?;
        row.as_ref().map(read).transpose()
    }

    pub(super) async fn list(
        &self,
        rows: &RowsPermit<ReadCase>,
        tenant: &TenantScope,
        position: Option<&Position>,
        limit: u32,
    ) -> Result<Vec<Case>, StoreError> {
        let (before, id) = match position {
            Some(position) => (position.created_at.unix_micros(), position.id.as_str()),
            None => (i64::MAX, ""),
        };
        let mut query = of_tenant("SELECT * FROM cases", tenant);
        query.push(" AND (created_at, id) < (").push_bind(before);
        query.push(", ").push_bind(id.to_owned()).push(") AND ");
        query.push_filter(rows.filter(), None);
        query.push(" ORDER BY created_at DESC, id DESC LIMIT ");
        query.push_bind(limit);
        let rows = query.build().fetch_all(self.store.pool()).await?;
        rows.iter().map(read).collect()
    }

    pub(super) async fn update(
        &self,
        rows: Changeable<'_, UpdateCase>,
        target: Target<'_>,
        change: &CaseChange,
        now: Timestamp,
    ) -> Result<Option<Case>, StoreError> {
        let title = change.title.as_ref().map(|title| title.as_str().to_owned());
        let body = change.body.as_ref().map(|body| body.as_str().to_owned());
        let mut query = QueryBuilder::new("UPDATE cases SET title = coalesce(");
        query.push_bind(title).push(", title), body = coalesce(");
        query.push_bind(body).push(", body), status = coalesce(");
        query.push_bind(change.status.map(Status::as_str));
        query.push(", status), sensitivity = coalesce(");
        query.push_bind(change.sensitivity.map(Sensitivity::as_str));
        query.push(", sensitivity), version = version + 1, updated_at = ");
        query.push_bind(now.unix_micros());
        target_rows(&mut query, target);
        push_changeable(&mut query, rows);
        query.push(" RETURNING *");
        let row = query.build().fetch_optional(self.store.pool()).await?;
        row.as_ref().map(read).transpose()
    }

    pub(super) async fn delete(
        &self,
        rows: Changeable<'_, DeleteCase>,
        target: Target<'_>,
    ) -> Result<bool, StoreError> {
        let mut query = QueryBuilder::new("DELETE FROM cases");
        target_rows(&mut query, target);
        push_changeable(&mut query, rows);
        let done = query.build().execute(self.store.pool()).await?;
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
            "INSERT INTO case_assignments (org_id, user_id, case_id) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM case_assignments WHERE org_id = ?1 AND user_id = ?2 AND case_id = ?3"
        };
        let query = sqlx::query(statement).bind(org).bind(user).bind(id);
        query.execute(self.store.pool()).await?;
        Ok(())
    }
}

/// The one row of a change, up to the condition of the policy.
fn target_rows(query: &mut QueryBuilder<Sqlite>, target: Target<'_>) {
    query
        .push(" WHERE org = ")
        .push_bind(target.tenant.org().to_owned());
    query
        .push(" AND project = ")
        .push_bind(target.tenant.project().to_owned());
    query
        .push(" AND id = ")
        .push_bind(target.id.as_str().to_owned());
    query
        .push(" AND version = coalesce(")
        .push_bind(target.version);
    query.push(", version) AND ");
}

fn push_changeable<A: Action>(query: &mut QueryBuilder<Sqlite>, rows: Changeable<'_, A>) {
    query.push_filter(rows.rows.filter(), None).push(" AND ");
    query.push_filter(rows.readable.filter(), None);
}

fn read(row: &SqliteRow) -> Result<Case, StoreError> {
    read_case!(row)
}
