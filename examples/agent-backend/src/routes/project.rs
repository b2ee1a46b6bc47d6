//! What a project sets for itself.

use axum::Json;
use axum::extract::{Path, State};
use ringwall_axum::CurrentPrincipal;
use ringwall_core::denial::Denial;
use ringwall_core::principal::{OrgId, ProjectId};

use crate::project_limits::{ProjectChange, ProjectLimitsError, ProjectSettings};
use crate::routes::App;
use crate::routes::api_keys::Manager;
use crate::routes::json::JsonBody;
use crate::routes::problem::Problem;

/// The project of the path, in the caller's organisation: the caller's own project, or any for who acts for the
/// organisation. The path names no organisation, so it cannot name another one's.
fn own(principal: &CurrentPrincipal, project: String) -> Result<(OrgId, ProjectId), Problem> {
    let manager = Manager::of(principal)?;
    let project = ProjectId::new(project).map_err(|_| Problem::NOT_FOUND)?;
    let own = manager.tenant.project;
    let is_within = own.is_none_or(|own| own == project);
    is_within
        .then_some((manager.tenant.org, project))
        .ok_or(Problem::NOT_FOUND)
}

/// `GET /v1/projects/{project}/settings`.
pub(crate) async fn settings(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(project): Path<String>,
) -> Result<Json<ProjectSettings>, Problem> {
    let project = own(&principal, project)?;
    Ok(Json(app.project_limits.get(&project)?))
}

/// `PATCH /v1/projects/{project}/settings`. What is above the operator's ceiling is held under it, and the answer
/// says what holds. It demands no fresh login: nobody gets more than the operator allows to all.
pub(crate) async fn change(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(project): Path<String>,
    JsonBody(change): JsonBody<ProjectChange>,
) -> Result<Json<ProjectSettings>, Problem> {
    let project = own(&principal, project)?;
    Ok(Json(app.project_limits.change(&project, change).await?))
}

impl From<ProjectLimitsError> for Problem {
    fn from(error: ProjectLimitsError) -> Self {
        match error {
            ProjectLimitsError::Invalid => Self::invalid(error.to_string()),
            ProjectLimitsError::TooMany => Self::Denied(Denial::Conflict),
            ProjectLimitsError::CutOff
            | ProjectLimitsError::NotByProject
            | ProjectLimitsError::NoCeiling => {
                let error = &error as &dyn core::error::Error;
                tracing::error!(error, "the limits of a project were not changed");
                Self::unavailable()
            }
            ProjectLimitsError::Store(error) => error.into(),
        }
    }
}
