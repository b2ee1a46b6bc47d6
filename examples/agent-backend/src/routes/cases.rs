//! The cases of the caller's tenant that the policy permits.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringwall_axum::{CurrentSubject, PermittedRows};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::principal::Subject;
use ringwall_gate::SubjectAccess;
use ringwall_gate::authz::Duties;
use ringwall_jose::base64url;
use serde::{Deserialize, Serialize};

use crate::authorization::{AssignCase, CreateCase, DeleteCase, Draft, Kept, ReadCase, UpdateCase};
use crate::case::{Case, CaseChange, CaseId, NewCase};
use crate::case_store::{Changeable, Position, Target};
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
    PermittedRows(rows): PermittedRows<ReadCase>,
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
    let listed = app.cases.list(&rows, &tenant, position.as_ref(), more);
    let mut cases = listed.await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let is_last = cases.len() <= wanted;
    cases.truncate(wanted);
    let next_cursor = cases.last().filter(|_| !is_last).map(write_cursor);
    Ok(Json(Listed { cases, next_cursor }))
}

/// `POST /api/cases`.
pub(crate) async fn create(
    tenant: TenantScope,
    CurrentSubject(subject): CurrentSubject,
    State(app): State<App>,
    JsonBody(case): JsonBody<NewCase>,
) -> Result<Response, Problem> {
    let id = CaseId::random().ok_or_else(|| {
        tracing::error!("the system gives no random bytes");
        Problem::Denied(Denial::Unavailable {
            retry_after: core::time::Duration::from_secs(1),
        })
    })?;
    let draft = Draft {
        id: id.as_str(),
        tenant: &tenant,
        owner: subject.subject().name().as_str(),
        case: &case,
    };
    let permit = subject.authorize::<CreateCase>(&draft, &Duties::none())?;
    // The answer shows it.
    let readable = subject.authorize::<ReadCase>(&draft, &Duties::none())?;
    let now = app.clock.now()?;
    let created = app.cases.create(&permit, &readable, &tenant, &case, now);
    let case = created.await?;
    let location = format!("/api/cases/{id}");
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
    PermittedRows(rows): PermittedRows<ReadCase>,
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let case = app.cases.get(&rows, &tenant, &case_id(&id)?).await?;
    case.map(shown).ok_or(Problem::NOT_FOUND)
}

/// `PATCH /api/cases/{id}`, with `If-Match` when nobody else's change may be overwritten.
pub(crate) async fn update(
    tenant: TenantScope,
    CurrentSubject(subject): CurrentSubject,
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
    let rows = Changeable {
        rows: &subject.authorize_rows::<UpdateCase>(&Duties::none())?,
        readable: &subject.authorize_rows::<ReadCase>(&Duties::none())?,
    };
    let now = app.clock.now()?;
    let target = Target {
        tenant: &tenant,
        id: &id,
        version,
    };
    match app.cases.update(rows, target, &change, now).await? {
        Some(case) => Ok(shown(case)),
        None => Err(unchanged(&app, &subject, target).await),
    }
}

/// `DELETE /api/cases/{id}`, with `If-Match` when nobody else's change may be lost.
pub(crate) async fn delete(
    tenant: TenantScope,
    CurrentSubject(subject): CurrentSubject,
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = case_id(&id)?;
    let version = expected_version(&headers)?;
    let rows = Changeable {
        rows: &subject.authorize_rows::<DeleteCase>(&Duties::none())?,
        readable: &subject.authorize_rows::<ReadCase>(&Duties::none())?,
    };
    let target = Target {
        tenant: &tenant,
        id: &id,
        version,
    };
    if app.cases.delete(rows, target).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(unchanged(&app, &subject, target).await)
    }
}

/// `PUT /api/cases/{id}/assignments/{user}`: who only views sees it from now on.
pub(crate) async fn assign(
    tenant: TenantScope,
    CurrentSubject(subject): CurrentSubject,
    State(app): State<App>,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    set_assigned(&app, &tenant, &subject, (&id, user), true).await
}

/// `DELETE /api/cases/{id}/assignments/{user}`.
pub(crate) async fn unassign(
    tenant: TenantScope,
    CurrentSubject(subject): CurrentSubject,
    State(app): State<App>,
    Path((id, user)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    set_assigned(&app, &tenant, &subject, (&id, user), false).await
}

/// The case is read first, under the policy, and then the policy is asked about the row: what one may not read, one
/// does not learn the existence of.
async fn set_assigned(
    app: &App,
    tenant: &TenantScope,
    subject: &SubjectAccess,
    (id, user): (&str, String),
    is_assigned: bool,
) -> Result<StatusCode, Problem> {
    let user = Subject::new(user).map_err(|_| Problem::NOT_FOUND)?;
    let rows = subject.authorize_rows::<ReadCase>(&Duties::none())?;
    let case = app.cases.get(&rows, tenant, &case_id(id)?).await?;
    let case = case.ok_or(Problem::NOT_FOUND)?;
    let case = Kept {
        tenant,
        case: &case,
    };
    let permit = subject.authorize::<AssignCase>(&case, &Duties::none())?;
    let assigned = app.cases.assign(&permit, user.as_str(), is_assigned);
    assigned.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Why nothing was changed. Another tenant's case, and one that the caller may not read, are answered as one that does
/// not exist: a 403 would say that it does.
async fn unchanged(app: &App, subject: &SubjectAccess, target: Target<'_>) -> Problem {
    let rows = match subject.authorize_rows::<ReadCase>(&Duties::none()) {
        Ok(rows) => rows,
        Err(denial) => return denial.into(),
    };
    match app.cases.get(&rows, target.tenant, target.id).await {
        Err(error) => error.into(),
        Ok(None) => Problem::NOT_FOUND,
        Ok(Some(case))
            if target
                .version
                .is_some_and(|version| version != case.version) =>
        {
            Problem::Denied(Denial::PreconditionFailed)
        }
        Ok(Some(_)) => Problem::FORBIDDEN,
    }
}

/// What cannot be an id is the id of nothing.
fn case_id(text: &str) -> Result<CaseId, Problem> {
    text.parse().map_err(|_| Problem::NOT_FOUND)
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
