//! Who is what in an organisation: by whom the authorization policy decides.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use ringwall_axum::{CurrentPrincipal, CurrentSubject};
use ringwall_core::denial::Denial;
use ringwall_core::principal::{OrgId, Subject};
use ringwall_gate::authz::{DirectoryError, SubjectFacts};
use serde::{Deserialize, Serialize};

use crate::routes::App;
use crate::routes::json::JsonBody;
use crate::routes::organisation;
use crate::routes::problem::Problem;

/// The most roles, and departments, of one member.
const MAX_NAMES: usize = 50;

/// What a member is. It replaces what it was.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    roles: BTreeSet<String>,
    departments: BTreeSet<String>,
}

/// What a member is, as the directory knows it.
#[derive(Debug, Serialize)]
pub(crate) struct Member {
    roles: Vec<Box<str>>,
    departments: Vec<Box<str>>,
    version: u64,
}

impl From<SubjectFacts> for Member {
    fn from(facts: SubjectFacts) -> Self {
        Self {
            roles: facts.roles,
            departments: facts.departments,
            version: facts.version,
        }
    }
}

/// The member of the path, in the caller's own organisation.
fn own(
    principal: &CurrentPrincipal,
    (org, subject): (String, String),
) -> Result<(OrgId, Subject), Problem> {
    let org = organisation::own(principal, &org)?;
    let subject = Subject::new(subject).map_err(|_| Problem::NOT_FOUND)?;
    Ok((org, subject))
}

/// `GET /v1/orgs/{org}/members/{subject}`. Of whom nothing is known, nothing is told.
pub(crate) async fn get(
    principal: CurrentPrincipal,
    State(app): State<App>,
    Path(path): Path<(String, String)>,
) -> Result<Json<Member>, Problem> {
    let (org, subject) = own(&principal, path)?;
    let facts = app.directory.facts(&org, &subject).await?;
    Ok(Json(facts.into()))
}

/// `PUT /v1/orgs/{org}/members/{subject}`: what the member is from now on. It holds for the member's next request, and
/// for what is being answered at this moment as soon as its credential is looked at again.
///
/// Administrators alone come here, by the policy. They may do everything to every case of the organisation, so whatever role
/// they give away, also to themselves, gives nothing that they do not have. A role of which that is not so has to be
/// asked about first (`covers`).
///
/// What is taken goes before anything new is given, so that a failure in between leaves the member with less.
pub(crate) async fn put(
    principal: CurrentPrincipal,
    CurrentSubject(access): CurrentSubject,
    State(app): State<App>,
    Path(path): Path<(String, String)>,
    JsonBody(wanted): JsonBody<Wanted>,
) -> Result<Json<Member>, Problem> {
    let (org, subject) = own(&principal, path)?;
    if wanted.roles.len() > MAX_NAMES || wanted.departments.len() > MAX_NAMES {
        return Err(Problem::invalid(
            "a member has 50 roles and 50 departments at most",
        ));
    }
    let roles = &access.policy().document().roles;
    if let Some(unknown) = wanted.roles.iter().find(|role| !roles.contains_key(*role)) {
        let known: Vec<&str> = roles.keys().map(String::as_str).collect();
        let known = known.join(", ");
        return Err(Problem::Unprocessable(format!(
            "there is no role {unknown:?}; there are {known}"
        )));
    }
    let directory = &app.directory;
    let before = directory.facts(&org, &subject).await?;
    for role in before
        .roles
        .iter()
        .filter(|role| !wanted.roles.contains(&***role))
    {
        directory.revoke_role(&org, &subject, role).await?;
    }
    for name in before
        .departments
        .iter()
        .filter(|name| !wanted.departments.contains(&***name))
    {
        directory.remove_department(&org, &subject, name).await?;
    }
    for role in &wanted.roles {
        directory.grant_role(&org, &subject, role).await?;
    }
    for name in &wanted.departments {
        directory.add_department(&org, &subject, name).await?;
    }
    Ok(Json(directory.facts(&org, &subject).await?.into()))
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Invalid(_) => {
                Self::invalid("a department has 1 to 256 bytes and no control character")
            }
            DirectoryError::Full => Self::Denied(Denial::Conflict),
            other @ (DirectoryError::Unavailable { .. } | DirectoryError::Corrupt { .. } | _) => {
                let error = &other as &dyn core::error::Error;
                tracing::error!(error, "the directory of members failed");
                Self::Denied(other.denial())
            }
        }
    }
}
