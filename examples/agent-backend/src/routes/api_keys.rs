//! The API keys of the caller's tenant: made, listed, rotated, revoked, by people alone.

use core::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ringwall_authn::api_key::{
    AllowedNetwork, ApiKeyId, ApiKeyManagementError, ApiKeyQuery, ApiKeyRecord, ApiKeyRequest,
    CreatedApiKey,
};
use ringwall_axum::CurrentPrincipal;
use ringwall_browser::OriginPattern;
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::principal::{PrincipalKind, ProjectId, Scope, Subject, Tenant};
use ringwall_gate::Admitted;
use serde::{Deserialize, Serialize};

use crate::routes::App;
use crate::routes::json::JsonBody;
use crate::routes::problem::Problem;

/// What a key shall be like. The organisation is the caller's, whatever the body says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    name: String,
    #[serde(default)]
    project_id: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    allowed_ip_ranges: Vec<String>,
    #[serde(default)]
    allowed_origins: Vec<String>,
}

/// How a key is replaced.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the old key is good beside the new one; not at all unless said.
    #[serde(default)]
    grace_seconds: u32,
}

/// Which part of a list a caller wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    after: Option<String>,
}

/// A key as people see it: nobody can use it by that.
#[derive(Debug, Serialize)]
pub(crate) struct ShownKey {
    id: String,
    masked: String,
    name: String,
    project_id: Option<String>,
    scopes: Vec<String>,
    state: &'static str,
    created_by: String,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    replaced_by: Option<String>,
    grace_ends_at: Option<String>,
    allowed_ip_ranges: Vec<String>,
    allowed_origins: Vec<String>,
}

/// A key that was just made: the one answer that holds it.
#[derive(Debug, Serialize)]
struct MadeKey<'a> {
    /// Never shown again.
    key: &'a str,
    #[serde(flatten)]
    shown: ShownKey,
}

#[derive(Debug, Serialize)]
pub(crate) struct ListedKeys {
    api_keys: Vec<ShownKey>,
    /// Asks for the next part; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<String>,
}

/// Who manages keys: a person of a tenant. A key that could make keys would outlive its revocation,
/// and an agent could give itself away.
pub(crate) struct Manager {
    pub(crate) tenant: Tenant,
    subject: Subject,
}

impl Manager {
    pub(crate) fn of(CurrentPrincipal(principal): &CurrentPrincipal) -> Result<Self, Problem> {
        let forbidden = || Problem::Denied(Denial::Forbidden { challenge: None });
        let is_person = principal.kind == PrincipalKind::User && principal.on_behalf_of.is_none();
        let tenant = principal.tenant.clone().filter(|_| is_person);
        Ok(Self {
            tenant: tenant.ok_or_else(forbidden)?,
            subject: principal.subject.clone(),
        })
    }
}

/// `POST /v1/auth/api-keys`.
pub(crate) async fn create(
    principal: CurrentPrincipal,
    Extension(admitted): Extension<Admitted>,
    State(app): State<App>,
    JsonBody(body): JsonBody<NewKey>,
) -> Result<Response, Problem> {
    let manager = Manager::of(&principal)?;
    let scopes = parsed(body.scopes.clone(), Scope::new)?;
    check_held(&admitted, &app.credentials.api_keys.scopes_meant(&scopes)?)?;
    let request = body.request(manager)?;
    let created = app.credentials.api_keys.create(request).await?;
    let location = format!("/v1/auth/api-keys/{}", created.key.id());
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        made(&app, &created)?,
    )
        .into_response())
}

/// `GET /v1/auth/api-keys?after=`.
pub(crate) async fn list(
    principal: CurrentPrincipal,
    State(app): State<App>,
    page: Result<Query<Page>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<ListedKeys>, Problem> {
    let manager = Manager::of(&principal)?;
    let Ok(Query(page)) = page else {
        return Err(Problem::invalid("the query may have after, once"));
    };
    let mut query = ApiKeyQuery::new(manager.tenant.org);
    query.project = manager.tenant.project;
    query.after = page.after.as_deref().map(key_id).transpose()?;
    let limit = usize::from(query.limit.get());
    let page = app.credentials.api_keys.list(query).await?;
    let last = page.last().filter(|_| page.len() == limit);
    let next_after = last.map(|record| record.id.to_string());
    let now = app.clock.now()?;
    Ok(Json(ListedKeys {
        api_keys: page.iter().map(|record| shown(&app, record, now)).collect(),
        next_after,
    }))
}

/// `GET /v1/auth/api-keys/{id}`.
pub(crate) async fn get(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<ShownKey>, Problem> {
    let manager = Manager::of(&principal)?;
    let record = app
        .credentials
        .api_keys
        .get(&manager.tenant, &key_id(&id)?)
        .await?;
    Ok(Json(shown(&app, &record, app.clock.now()?)))
}

/// `DELETE /v1/auth/api-keys/{id}`: the key is refused from now on, and stays in the list.
pub(crate) async fn revoke(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<ShownKey>, Problem> {
    let manager = Manager::of(&principal)?;
    let record = app
        .credentials
        .api_keys
        .revoke(&manager.tenant, &key_id(&id)?)
        .await?;
    Ok(Json(shown(&app, &record, app.clock.now()?)))
}

/// `POST /v1/orgs/{org}/projects/{project}/api-keys/{id}/rotate`.
pub(crate) async fn rotate(
    principal: CurrentPrincipal,
    Extension(admitted): Extension<Admitted>,
    State(app): State<App>,
    Path((org, project, id)): Path<(String, String, String)>,
    JsonBody(body): JsonBody<Rotation>,
) -> Result<Response, Problem> {
    let manager = Manager::of(&principal)?;
    // The path names a tenant, and the caller proves one: what the path names has to be within it.
    let is_within = manager.tenant.org == org.as_str()
        && manager
            .tenant
            .project
            .as_ref()
            .is_none_or(|own| *own == project.as_str());
    if !is_within {
        return Err(Problem::NOT_FOUND);
    }
    let tenant = Tenant {
        org: manager.tenant.org,
        project: Some(ProjectId::new(project).map_err(|_| Problem::NOT_FOUND)?),
    };
    let grace = Duration::from_secs(body.grace_seconds.into());
    let (keys, id) = (&app.credentials.api_keys, key_id(&id)?);
    // Whoever rotates a key learns its successor.
    check_held(&admitted, &keys.get(&tenant, &id).await?.scopes)?;
    let created = keys.rotate(&tenant, &id, manager.subject, grace).await?;
    Ok((StatusCode::CREATED, made(&app, &created)?).into_response())
}

/// Nobody gives out by a key what they do not hold: whoever may manage keys would hold everything.
fn check_held(admitted: &Admitted, scopes: &[Scope]) -> Result<(), Problem> {
    if scopes.iter().all(|scope| admitted.has_scope(scope)) {
        Ok(())
    } else {
        tracing::warn!("a key was asked for with scopes that its maker does not hold");
        Err(Problem::Denied(Denial::Forbidden { challenge: None }))
    }
}

impl NewKey {
    fn request(self, manager: Manager) -> Result<ApiKeyRequest, Problem> {
        let project = self
            .project_id
            .map(ProjectId::new)
            .transpose()
            .map_err(|error| Problem::invalid(error.to_string()))?;
        let project = match (manager.tenant.project, project) {
            (Some(own), Some(asked)) if own != asked => return Err(Problem::NOT_FOUND),
            (own, asked) => own.or(asked),
        };
        let tenant = Tenant {
            org: manager.tenant.org,
            project,
        };
        let mut request = ApiKeyRequest::new(&self.name, tenant, manager.subject)
            .map_err(|error| Problem::invalid(error.to_string()))?
            .scopes(parsed(self.scopes, Scope::new)?)
            .networks(parsed(self.allowed_ip_ranges, |text| {
                text.parse::<AllowedNetwork>()
            })?)
            .origins(parsed(self.allowed_origins, |text| {
                text.parse::<OriginPattern>()
            })?);
        if let Some(end) = self.expires_at {
            let end = end
                .parse::<Timestamp>()
                .map_err(|error| Problem::invalid(error.to_string()))?;
            request = request.expires_at(end);
        }
        Ok(request)
    }
}

fn parsed<T, E: core::fmt::Display>(
    texts: Vec<String>,
    parse: impl Fn(String) -> Result<T, E>,
) -> Result<Vec<T>, Problem> {
    let all = texts.into_iter().map(parse).collect::<Result<_, _>>();
    all.map_err(|error| Problem::invalid(error.to_string()))
}

/// What cannot be an id is the id of nothing.
fn key_id(text: &str) -> Result<ApiKeyId, Problem> {
    text.parse().map_err(|_| Problem::NOT_FOUND)
}

fn made(app: &App, created: &CreatedApiKey) -> Result<Response, Problem> {
    let body = MadeKey {
        key: created.key.text().expose(),
        shown: shown(app, &created.record, app.clock.now()?),
    };
    Ok(Json(body).into_response())
}

fn shown(app: &App, record: &ApiKeyRecord, now: Timestamp) -> ShownKey {
    ShownKey {
        id: record.id.to_string(),
        masked: app.credentials.api_keys.masked(&record.id),
        name: record.name.to_string(),
        project_id: record.tenant.project.as_ref().map(ToString::to_string),
        scopes: record.scopes.iter().map(ToString::to_string).collect(),
        state: record.state(now).as_str(),
        created_by: record.created_by.to_string(),
        created_at: record.created_at.to_string(),
        expires_at: record.expires_at.map(|at| at.to_string()),
        last_used_at: record.last_used_at.map(|at| at.to_string()),
        revoked_at: record.revoked_at.map(|at| at.to_string()),
        replaced_by: record
            .replaced
            .as_ref()
            .map(|replaced| replaced.by.to_string()),
        grace_ends_at: record
            .replaced
            .as_ref()
            .map(|replaced| replaced.grace_ends_at.to_string()),
        allowed_ip_ranges: record.networks.iter().map(ToString::to_string).collect(),
        allowed_origins: record.origins.iter().map(ToString::to_string).collect(),
    }
}

impl From<ApiKeyManagementError> for Problem {
    /// The caller hears what it can change, the operator the rest.
    fn from(error: ApiKeyManagementError) -> Self {
        if let ApiKeyManagementError::Refused(why) = error {
            return Self::invalid(why);
        }
        if matches!(error, ApiKeyManagementError::NotFound) {
            return Self::NOT_FOUND;
        }
        if matches!(error, ApiKeyManagementError::Conflict) {
            return Self::Denied(Denial::Conflict);
        }
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the API keys failed"
        );
        Self::Denied(Denial::Unavailable {
            retry_after: Duration::from_secs(5),
        })
    }
}
