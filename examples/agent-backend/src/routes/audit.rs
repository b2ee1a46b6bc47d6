//! The caller's own part of the audit trail.

use axum::Json;
use axum::extract::State;
use ringwall_core::audit::{AuditOutcome, AuditRecord};
use serde_json::{Value, json};

use crate::routes::App;
use crate::tenant::TenantScope;

/// The most records that one answer holds.
const MAX_RECORDS: usize = 200;

/// The newest records of the caller's tenant, newest first, and how all of them ended. Requests
/// that nobody was authenticated for belong to no tenant, so no tenant sees them here.
pub(crate) async fn list(tenant: TenantScope, State(app): State<App>) -> Json<Value> {
    let own = |record: &AuditRecord| {
        let principal = record.intent.principal.as_ref();
        principal.is_some_and(|principal| principal.tenant.as_ref() == Some(tenant.tenant()))
    };
    let records: Vec<_> = app.audit.snapshot().into_iter().filter(own).collect();
    let count = |wanted: fn(Option<AuditOutcome>) -> bool| {
        let matching = records.iter().filter(|record| wanted(record.outcome));
        matching.count()
    };
    let newest: Vec<_> = records.iter().rev().take(MAX_RECORDS).map(show).collect();
    Json(json!({
        "counts": {
            "completed": count(|outcome| matches!(outcome, Some(AuditOutcome::Completed { .. }))),
            "denied": count(|outcome| matches!(outcome, Some(AuditOutcome::Denied { .. }))),
            "cancelled": count(|outcome| matches!(outcome, Some(AuditOutcome::Cancelled))),
            // The request that asks is one of them: its own outcome comes after its answer.
            "unsettled": count(|outcome| outcome.is_none()),
        },
        "records": newest,
    }))
}

fn show(record: &AuditRecord) -> Value {
    let intent = &record.intent;
    let (outcome, status, cause) = match record.outcome {
        None => ("unsettled", None, None),
        Some(AuditOutcome::Completed { status, .. }) => ("completed", Some(status), None),
        Some(AuditOutcome::Denied { status, cause }) => ("denied", Some(status), Some(cause)),
        Some(AuditOutcome::Cancelled) => ("cancelled", None, None),
    };
    json!({
        "at": intent.at.to_string(),
        "subject": intent.principal.as_ref().map(|principal| principal.subject.as_str()),
        "action": &*intent.action,
        "target": &*intent.target,
        "source": intent.source.map(|source| source.to_string()),
        "outcome": outcome,
        "status": status,
        "cause": cause,
    })
}
