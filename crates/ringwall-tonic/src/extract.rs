//! What a handler asks its request for.

use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::principal::{Tenant, VerifiedPrincipal};
use ringwall_gate::authz::{Action, Duties, RowsPermit};
use ringwall_gate::{Admitted, Caller, SubjectAccess};
use serde::de::DeserializeOwned;
use tonic::{Request, Status};

use crate::refusal::refusal;

/// What the caller hears of a mistake of the service. The cause is in the log.
fn misconfigured() -> Status {
    Status::internal("the service is misconfigured")
}

/// The proof that the request came through a door, or the mistake that it did not.
fn admitted<T>(request: &Request<T>) -> Result<&Admitted, Status> {
    request.extensions().get::<Admitted>().ok_or_else(|| {
        // There is no gate, so there is no event sink either.
        tracing::error!(target: "ringwall", "a handler asks who is calling and stands behind no gate");
        misconfigured()
    })
}

/// Who is calling; `None` when the method asks and no credential was presented.
fn caller<T>(request: &Request<T>) -> Result<(&Admitted, Option<&VerifiedPrincipal>), Status> {
    let admitted = admitted(request)?;
    match admitted.caller() {
        Caller::Verified(principal) => Ok((admitted, Some(principal))),
        Caller::Anonymous => Ok((admitted, None)),
        Caller::NotAsked => {
            let cause = "a handler asks who is calling in a public method";
            admitted.report(EventKind::Misconfigured, cause);
            Err(misconfigured())
        }
    }
}

/// Who is calling, or the refusal of a method with optional authentication.
fn required<T>(request: &Request<T>) -> Result<(&Admitted, &VerifiedPrincipal), Status> {
    let (admitted, principal) = caller(request)?;
    if let Some(principal) = principal {
        return Ok((admitted, principal));
    }
    admitted.report(
        EventKind::CredentialsMissing,
        "the handler needs to know who is calling",
    );
    let challenge = Box::new(admitted.door().gate().challenge());
    Err(refusal(&Denial::Unauthenticated { challenge }))
}

fn forbidden(admitted: &Admitted, cause: &'static str) -> Status {
    admitted.report(EventKind::AccessDenied, cause);
    refusal(&Denial::Forbidden { challenge: None })
}

/// Who is calling.
///
/// In a public method, where nobody looked at the credentials, and behind no gate at all, asking is
/// `INTERNAL` and reported as the mistake that it is; an answer that quietly said `None` there would
/// make every caller anonymous.
///
/// ```
/// use ringwall_tonic::CurrentPrincipal;
/// use tonic::{Request, Response, Status};
///
/// async fn whoami(request: Request<()>) -> Result<Response<String>, Status> {
///     let CurrentPrincipal(caller) = CurrentPrincipal::from_request(&request)?;
///     Ok(Response::new(caller.subject.to_string()))
/// }
///
/// async fn greet(request: Request<()>) -> Result<Response<String>, Status> {
///     let caller = CurrentPrincipal::optional(&request)?;
///     Ok(Response::new(caller.map_or("hello".to_owned(), |caller| format!("hello {}", caller.0.subject))))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CurrentPrincipal(pub VerifiedPrincipal);

impl CurrentPrincipal {
    /// Who is calling.
    ///
    /// # Errors
    ///
    /// `UNAUTHENTICATED` in a method with optional authentication, when credentials are absent;
    /// `INTERNAL` in a public method and behind no gate.
    pub fn from_request<T>(request: &Request<T>) -> Result<Self, Status> {
        let (_, principal) = required(request)?;
        Ok(Self(principal.clone()))
    }

    /// Who is calling, in a method that was registered as `optional()`. `None` when credentials are
    /// absent, and never when they are wrong: those are refused at the door.
    ///
    /// # Errors
    ///
    /// `INTERNAL` in a public method and behind no gate.
    pub fn optional<T>(request: &Request<T>) -> Result<Option<Self>, Status> {
        let (_, principal) = caller(request)?;
        Ok(principal.cloned().map(Self))
    }
}

/// The tenant the caller acts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentTenant(pub Tenant);

impl CurrentTenant {
    /// The tenant the caller acts in.
    ///
    /// # Errors
    ///
    /// `PERMISSION_DENIED` to a caller without one: data that belongs to tenants has no answer for
    /// somebody who belongs to none. Otherwise as [`CurrentPrincipal::from_request`].
    pub fn from_request<T>(request: &Request<T>) -> Result<Self, Status> {
        let (admitted, principal) = required(request)?;
        let tenant = principal.tenant.clone().map(Self);
        tenant.ok_or_else(|| forbidden(admitted, "the caller acts in no tenant"))
    }
}

/// The claims of the caller's token, read into a type of the service's own.
///
/// ```
/// use ringwall_tonic::Claims;
/// use tonic::{Request, Response, Status};
///
/// #[derive(serde::Deserialize)]
/// struct Plan {
///     plan: String,
/// }
///
/// async fn limits(request: Request<()>) -> Result<Response<String>, Status> {
///     let Claims(claims) = Claims::<Plan>::from_request(&request)?;
///     Ok(Response::new(format!("limits of {}", claims.plan)))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims<T>(pub T);

impl<C: DeserializeOwned> Claims<C> {
    /// The claims of the caller's token.
    ///
    /// # Errors
    ///
    /// `PERMISSION_DENIED` when they do not fit the type, and to a caller who was authenticated by
    /// something else than a token. It is not `UNAUTHENTICATED`, although a claim is missing: the token
    /// is genuine, and a client that is told otherwise fetches another one just like it, for ever.
    /// Otherwise as [`CurrentPrincipal::from_request`].
    pub fn from_request<T>(request: &Request<T>) -> Result<Self, Status> {
        let (admitted, _) = required(request)?;
        let claims = admitted
            .authenticated()
            .and_then(|authenticated| authenticated.claims())
            .ok_or_else(|| {
                let cause = "the method reads claims, and the caller has no token";
                forbidden(admitted, cause)
            })?;
        let read = claims.deserialize();
        read.map(Self).map_err(|_| {
            let cause = "the claims do not have the shape that the method reads";
            forbidden(admitted, cause)
        })
    }
}

/// The caller before the gate's authorization policy: for the row that a handler has read
/// ([`SubjectAccess::authorize`]).
#[derive(Clone, Debug)]
pub struct CurrentSubject(pub SubjectAccess);

impl CurrentSubject {
    /// The caller of `request`.
    ///
    /// # Errors
    ///
    /// `UNAVAILABLE` when what is known of the caller cannot be read, or the gate has no authorization policy. Otherwise
    /// as [`CurrentPrincipal::from_request`].
    pub async fn from_request<T: Sync>(request: &Request<T>) -> Result<Self, Status> {
        let (admitted, _) = required(request)?;
        let admitted = admitted.clone();
        let subject = admitted.subject().await;
        subject.map(Self).map_err(|denial| refusal(&denial))
    }

    /// What is answered to a caller whom the policy refused. The event was emitted.
    #[must_use]
    pub fn refuse(denial: &Denial) -> Status {
        refusal(denial)
    }
}

/// Which rows the caller may do `A` to, for a method that meets no obligations: for those, ask [`CurrentSubject`].
#[derive(Debug)]
pub struct PermittedRows<A: Action>(pub RowsPermit<A>);

impl<A: Action> PermittedRows<A> {
    /// The rows that the caller of `request` may do it to.
    ///
    /// # Errors
    ///
    /// `PERMISSION_DENIED` under an obligation; `UNAVAILABLE` when the rows cannot be filtered by the policy. Otherwise as
    /// [`CurrentSubject::from_request`]. That there are none is no error: the filter then says so.
    pub async fn from_request<T: Sync>(request: &Request<T>) -> Result<Self, Status> {
        let CurrentSubject(subject) = CurrentSubject::from_request(request).await?;
        let rows = subject.authorize_rows(&Duties::none());
        rows.map(Self).map_err(|denial| refusal(&denial))
    }
}
