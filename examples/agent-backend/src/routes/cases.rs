//! The cases of the caller's tenant.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringwall_axum::CurrentPrincipal;
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_jose::base64url;
use serde::{Deserialize, Serialize};

use crate::case::{Case, CaseChange, CaseId, NewCase};
use crate::case_store::{Change, Position};
use crate::routes::App;
use crate::routes::json::JsonBody;
use crate::routes::problem::Problem;
use crate::tenant::TenantScope;

const DEFAULT_LIMIT: u32 = 50;
const MAX_LIMIT: u32 = 100;

/// Which part of a list a caller wants.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// One part of a list.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    cases: Vec<Case>,
    /// Asks for the next part; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

type Asked<T> = Result<T, axum::extract::rejection::QueryRejection>;

/// `GET /api/cases?limit=&cursor=`: newest first.
pub(crate) async fn list(
    tenant: TenantScope,
    State(app): State<App>,
    page: Asked<Query<Page>>,
) -> Result<Json<Listed>, Problem> {
    let Ok(Query(page)) = page else {
        return Err(Problem::invalid(
            "the query may have limit (1 to 100) and cursor, each once",
        ));
    };
    let limit = page.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(Problem::invalid("the limit is not between 1 and 100"));
    }
    let position = page.cursor.as_deref().map(read_cursor).transpose()?;
    // One more than asked for tells whether there is another part.
    let more = limit.saturating_add(1);
    let mut cases = app.cases.list(&tenant, position.as_ref(), more).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_last = cases.len() <= wanted;
    cases.truncate(wanted);
    let next_cursor = cases.last().filter(|_| !is_last).map(write_cursor);
    Ok(Json(Listed { cases, next_cursor }))
}

/// `POST /api/cases`.
pub(crate) async fn create(
    tenant: TenantScope,
    CurrentPrincipal(principal): CurrentPrincipal,
    State(app): State<App>,
    JsonBody(case): JsonBody<NewCase>,
) -> Result<Response, Problem> {
    let id = CaseId::random().ok_or_else(|| {
        tracing::error!("the system gives no random bytes");
        Problem::Denied(Denial::Unavailable {
            retry_after: core::time::Duration::from_secs(1),
        })
    })?;
    let location = format!("/api/cases/{id}");
    let now = app.clock.now()?;
    let case = app
        .cases
        .create(&tenant, id, &case, &principal.subject, now)
        .await?;
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        shown(case),
    )
        .into_response())
}

/// `GET /api/cases/{id}`.
pub(crate) async fn get(
    tenant: TenantScope,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let case = app.cases.get(&tenant, &case_id(&id)?).await?;
    case.map(shown).ok_or(Problem::NOT_FOUND)
}

/// `PATCH /api/cases/{id}`, with `If-Match` when nobody else's change may be overwritten.
pub(crate) async fn update(
    tenant: TenantScope,
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(change): JsonBody<CaseChange>,
) -> Result<Response, Problem> {
    let id = case_id(&id)?;
    let version = expected_version(&headers)?;
    if change.is_empty() {
        return Err(Problem::invalid("the change says nothing"));
    }
    let now = app.clock.now()?;
    done(
        app.cases
            .update(&tenant, &id, &change, version, now)
            .await?,
    )
    .map(shown)
}

/// `DELETE /api/cases/{id}`, with `If-Match` when nobody else's change may be lost.
pub(crate) async fn delete(
    tenant: TenantScope,
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = case_id(&id)?;
    let version = expected_version(&headers)?;
    done(app.cases.delete(&tenant, &id, version).await?).map(|()| StatusCode::NO_CONTENT)
}

/// What cannot be an id is the id of nothing.
fn case_id(text: &str) -> Result<CaseId, Problem> {
    text.parse().map_err(|_| Problem::NOT_FOUND)
}

/// Another tenant's case is answered as one that does not exist: a 403 would say that it does.
fn done<T>(change: Change<T>) -> Result<T, Problem> {
    match change {
        Change::Done(value) => Ok(value),
        Change::NoSuchCase => Err(Problem::NOT_FOUND),
        Change::OtherVersion => Err(Problem::Denied(Denial::PreconditionFailed)),
    }
}

fn shown(case: Case) -> Response {
    let tag = HeaderValue::from_str(&format!("\"{}\"", case.version));
    let mut response = Json(case).into_response();
    if let Ok(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// `If-Match` (RFC 9110 §13.1.1) with one entity tag of ours, or `*`. Anything else is refused
/// rather than ignored: a caller who sends it relies on it.
fn expected_version(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let refused = || Problem::invalid("If-Match takes one entity tag of this service, or *");
    let mut values = headers.get_all(header::IF_MATCH).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().map_err(|_| refused())?,
        (Some(_), Some(_)) => return Err(refused()),
    };
    if value == "*" {
        return Ok(None);
    }
    let digits = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'))
        .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .map(Some)
        .ok_or_else(refused)
}

/// A cursor is no secret and no permission: whoever makes one up moves within the own tenant.
fn write_cursor(last: &Case) -> String {
    let text = format!("{}.{}", last.created_at.unix_micros(), last.id);
    base64url::encode(text)
}

fn read_cursor(cursor: &str) -> Result<Position, Problem> {
    let parse = || {
        let bytes = base64url::decode(cursor).filter(|bytes| bytes.len() <= 64)?;
        let text = String::from_utf8(bytes).ok()?;
        let (micros, id) = text.split_once('.')?;
        Some(Position {
            created_at: Timestamp::from_unix_micros(micros.parse().ok()?),
            id: id.parse().ok()?,
        })
    };
    parse().ok_or_else(|| Problem::invalid("the cursor is none of this service"))
}
