//! What an organisation demands of its people, and the end of everything that it gave out.

use axum::Json;
use axum::extract::{Path, State};
use ringwall_axum::CurrentPrincipal;
use ringwall_core::denial::Denial;
use ringwall_core::principal::OrgId;
use serde_json::{Value, json};

use crate::routes::App;
use crate::routes::api_keys::Manager;
use crate::routes::json::JsonBody;
use crate::routes::problem::Problem;
use crate::settings::{OrgSettings, SettingsChange, SettingsError};

/// The organisation of the path, if it is the caller's own and the caller acts for all of it.
pub(crate) fn own(principal: &CurrentPrincipal, org: &str) -> Result<OrgId, Problem> {
    let manager = Manager::of(principal)?;
    let is_own = manager.tenant.org == *org && manager.tenant.project.is_none();
    is_own
        .then_some(manager.tenant.org)
        .ok_or(Problem::NOT_FOUND)
}

/// `GET /v1/orgs/{org}/settings`.
pub(crate) async fn settings(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(org): Path<String>,
) -> Result<Json<OrgSettings>, Problem> {
    let org = own(&principal, &org)?;
    Ok(Json(app.settings.get(&org).await))
}

/// `PATCH /v1/orgs/{org}/settings`. Whoever demands of others what they do not meet themselves is shut
/// out by their own next request: the operator can help.
pub(crate) async fn change(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(org): Path<String>,
    JsonBody(change): JsonBody<SettingsChange>,
) -> Result<Json<OrgSettings>, Problem> {
    let org = own(&principal, &org)?;
    Ok(Json(app.settings.change(&org, change).await?))
}

/// `POST /v1/orgs/{org}/revoke`: every API key and every token of the organisation, the caller's own
/// included, is refused from now on.
pub(crate) async fn revoke(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(org): Path<String>,
) -> Result<Json<Value>, Problem> {
    let org = own(&principal, &org)?;
    let now = app.clock.now()?;
    let done = app.credentials.revoker.revoke_org(&org, now).await;
    match done {
        Ok(done) => Ok(Json(json!({
            "api_keys": done.api_keys,
            "tokens_issued_until": done.tokens_issued_until.to_string(),
        }))),
        Err(error) => {
            let error = &error as &dyn core::error::Error;
            tracing::error!(error, "not everything of the organisation was revoked");
            Err(Problem::Denied(Denial::Unavailable {
                retry_after: core::time::Duration::from_secs(1),
            }))
        }
    }
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        match error {
            SettingsError::Invalid => Self::invalid(error.to_string()),
            SettingsError::UnknownIssuer(_) => Self::Unprocessable(error.to_string()),
            SettingsError::TooMany => Self::Denied(Denial::Conflict),
            SettingsError::CutOff => Self::Denied(Denial::Unavailable {
                retry_after: core::time::Duration::from_secs(1),
            }),
            SettingsError::Store(error) => error.into(),
        }
    }
}
