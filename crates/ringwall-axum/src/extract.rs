//! What a handler asks for by its signature.

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::http::request::Parts;
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::principal::{Tenant, VerifiedPrincipal};
use ringwall_gate::authz::{Action, Duties, RowsPermit};
use ringwall_gate::{Admitted, Caller, SubjectAccess};
use serde::de::DeserializeOwned;

use crate::rejection::Rejection;

/// The proof that the request came through a door, or the mistake that it did not.
fn admitted(parts: &Parts) -> Result<&Admitted, Rejection> {
    parts.extensions.get::<Admitted>().ok_or_else(|| {
        // There is no gate, so there is no event sink either.
        tracing::error!(target: "ringwall", "a handler asks who is calling and stands behind no gate");
        Rejection::Misconfigured
    })
}

/// Who is calling; `None` when the route asks and no credential was presented.
fn caller(parts: &Parts) -> Result<(&Admitted, Option<&VerifiedPrincipal>), Rejection> {
    let admitted = admitted(parts)?;
    match admitted.caller() {
        Caller::Verified(principal) => Ok((admitted, Some(principal))),
        Caller::Anonymous => Ok((admitted, None)),
        Caller::NotAsked => {
            let cause = "a handler asks who is calling on a public route";
            admitted.report(EventKind::Misconfigured, cause);
            Err(Rejection::Misconfigured)
        }
    }
}

/// Who is calling, or the 401 of a route with optional authentication.
pub(crate) fn required(parts: &Parts) -> Result<(&Admitted, &VerifiedPrincipal), Rejection> {
    let (admitted, principal) = caller(parts)?;
    if let Some(principal) = principal {
        return Ok((admitted, principal));
    }
    admitted.report(
        EventKind::CredentialsMissing,
        "the handler needs to know who is calling",
    );
    let challenge = Box::new(admitted.door().gate().challenge());
    Err(Rejection::Denied(Denial::Unauthenticated { challenge }))
}

/// Who is calling.
///
/// As `Option<CurrentPrincipal>`, on a route that was registered as `optional()`, it is `None` when
/// credentials are absent, and never when they are wrong: those are refused at the door. On a
/// public route, where nobody looked at the credentials, and behind no gate at all, both forms
/// answer 500 and report the mistake; an `Option` that quietly said `None` there would make every
/// caller anonymous.
///
/// ```
/// use ringwall_axum::CurrentPrincipal;
///
/// async fn whoami(CurrentPrincipal(principal): CurrentPrincipal) -> String {
///     principal.subject.to_string()
/// }
///
/// async fn greet(caller: Option<CurrentPrincipal>) -> String {
///     caller.map_or("hello".to_owned(), |caller| format!("hello {}", caller.0.subject))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CurrentPrincipal(pub VerifiedPrincipal);

impl<S: Sync> FromRequestParts<S> for CurrentPrincipal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let (_, principal) = required(parts)?;
        Ok(Self(principal.clone()))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for CurrentPrincipal {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Rejection> {
        let (_, principal) = caller(parts)?;
        Ok(principal.cloned().map(Self))
    }
}

/// The tenant the caller acts in. A caller without one is refused (403): data that belongs to
/// tenants has no answer for somebody who belongs to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentTenant(pub Tenant);

impl<S: Sync> FromRequestParts<S> for CurrentTenant {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let (admitted, principal) = required(parts)?;
        principal.tenant.clone().map(Self).ok_or_else(|| {
            admitted.report(EventKind::AccessDenied, "the caller acts in no tenant");
            Rejection::Denied(Denial::Forbidden { challenge: None })
        })
    }
}

/// The claims of the caller's token, read into a type of the service's own.
///
/// Claims that do not fit the type are refused with 403, as is a caller who was authenticated by
/// something else than a token. It is not 401 `invalid_token`, although a claim is missing: the
/// token is genuine, and a client that is told otherwise fetches another one just like it, for ever.
/// It is not 400 either: the request is well formed. What the token says does not suffice for this
/// route, and the event says why.
///
/// ```
/// use ringwall_axum::Claims;
///
/// #[derive(serde::Deserialize)]
/// struct Plan {
///     plan: String,
/// }
///
/// async fn limits(Claims(claims): Claims<Plan>) -> String {
///     format!("limits of {}", claims.plan)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Claims<T> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let (admitted, _) = required(parts)?;
        let refuse = |cause| {
            admitted.report(EventKind::AccessDenied, cause);
            Rejection::Denied(Denial::Forbidden { challenge: None })
        };
        let claims = admitted
            .authenticated()
            .and_then(|authenticated| authenticated.claims())
            .ok_or_else(|| refuse("the route reads claims, and the caller has no token"))?;
        let read = claims.deserialize();
        read.map(Self)
            .map_err(|_| refuse("the claims do not have the shape that the route reads"))
    }
}

/// The caller before the gate's authorization policy: for the row that a handler has read.
///
/// ```
/// use ringwall_axum::{CurrentSubject, Rejection};
/// use ringwall_gate::authz::{Action, Duties, Policy, Resource, ToResource, UnknownResourceType};
///
/// struct ReadCase;
///
/// impl Action for ReadCase {
///     const RESOURCE: &'static str = "case";
///     const NAME: &'static str = "read";
/// }
/// # struct Case { id: String, org: String, owner: String }
/// # impl ToResource for Case {
/// #     fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
/// #         Ok(policy.resource("case")?.id(&self.id).org(&self.org).attribute("owner", &self.owner))
/// #     }
/// # }
/// # async fn load() -> Case { Case { id: "c1".into(), org: "o1".into(), owner: "u1".into() } }
///
/// async fn get_case(CurrentSubject(subject): CurrentSubject) -> Result<String, Rejection> {
///     let case = load().await; // a `Case`, which is `ToResource`
///     let permit = subject.authorize::<ReadCase>(&case, &Duties::none())?;
///     Ok(format!("the case {}", permit.resource_id()))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CurrentSubject(pub SubjectAccess);

impl<S: Sync> FromRequestParts<S> for CurrentSubject {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        let (admitted, _) = required(parts)?;
        let admitted = admitted.clone();
        let subject = admitted.subject().await;
        subject.map(Self).map_err(Rejection::Denied)
    }
}

/// Which rows the caller may do `A` to, for a handler that meets no obligations: for those, ask
/// [`CurrentSubject`].
#[derive(Debug)]
pub struct PermittedRows<A: Action>(pub RowsPermit<A>);

impl<A: Action, S: Sync> FromRequestParts<S> for PermittedRows<A> {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Rejection> {
        let CurrentSubject(subject) = CurrentSubject::from_request_parts(parts, state).await?;
        let rows = subject.authorize_rows(&Duties::none());
        rows.map(Self).map_err(Rejection::Denied)
    }
}
