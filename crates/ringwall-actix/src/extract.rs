//! What a handler asks for by its signature.

use core::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::principal::{Tenant, VerifiedPrincipal};
use ringwall_gate::authz::{Action, Duties, RowsPermit};
use ringwall_gate::{Admitted, Caller, SubjectAccess};
use serde::de::DeserializeOwned;

use crate::rejection::Refused;

/// Noted in a request whose handler asks who is calling where nobody looked. An extractor cannot
/// refuse by itself: `Option<T>` turns its refusal into `None`, and every caller of the route would be
/// taken for a stranger. So the guard looks for the note and answers 500.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Misuse;

/// Asks the proof of the request who is calling; `None` when the route asks and no credential was
/// presented.
fn caller<T>(
    request: &HttpRequest,
    read: impl FnOnce(&Admitted, Option<&VerifiedPrincipal>) -> Result<T, Refused>,
) -> Result<T, actix_web::Error> {
    let extensions = request.extensions();
    let Some(admitted) = extensions.get::<Admitted>() else {
        // There is no gate, so there is no event sink either.
        tracing::error!(target: "ringwall", "a handler asks who is calling and stands behind no gate");
        return Err(Refused::misconfigured().into());
    };
    match admitted.caller() {
        Caller::Verified(principal) => Ok(read(admitted, Some(principal))?),
        Caller::Anonymous => Ok(read(admitted, None)?),
        Caller::NotAsked => {
            drop(extensions);
            request.extensions_mut().insert(Misuse);
            Err(Refused::misconfigured().into())
        }
    }
}

/// The same where the caller must be known: the 401 of a route with optional authentication.
fn required<T>(
    request: &HttpRequest,
    read: impl FnOnce(&Admitted, &VerifiedPrincipal) -> Result<T, Refused>,
) -> Result<T, actix_web::Error> {
    caller(request, |admitted, principal| match principal {
        Some(principal) => read(admitted, principal),
        None => {
            let challenge = Box::new(admitted.door().gate().challenge());
            Err(Refused::denied(
                Denial::Unauthenticated { challenge },
                EventKind::CredentialsMissing,
                "the handler needs to know who is calling",
            ))
        }
    })
}

fn forbidden(cause: &'static str) -> Refused {
    let denial = Denial::Forbidden { challenge: None };
    Refused::denied(denial, EventKind::AccessDenied, cause)
}

/// Who is calling.
///
/// On a route that was registered as `optional()` it refuses whoever presented no credentials; ask for
/// [`OptionalPrincipal`] there. On a public route, where nobody looked at the credentials, and behind
/// no gate at all, it answers 500 and reports the mistake.
///
/// actix-web turns the refusal of any extractor in `Option<…>` into `None`. For
/// `Option<CurrentPrincipal>` behind a guard that is harmless: it is `None` on an optional route
/// without credentials, and on a public route the answer is 500 and the handler does not run.
///
/// ```
/// use ringwall_actix::CurrentPrincipal;
///
/// async fn whoami(CurrentPrincipal(principal): CurrentPrincipal) -> String {
///     principal.subject.to_string()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CurrentPrincipal(pub VerifiedPrincipal);

impl FromRequest for CurrentPrincipal {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(required(request, |_, principal| {
            Ok(Self(principal.clone()))
        }))
    }
}

/// Who is calling, on a route that was registered as `optional()`: `None` when credentials are absent,
/// and never when they are wrong: those are refused at the door.
///
/// On a public route, where nobody looked at the credentials, and behind no gate at all, it answers
/// 500 and reports the mistake: a `None` there would make every caller anonymous.
///
/// ```
/// use ringwall_actix::OptionalPrincipal;
///
/// async fn greet(OptionalPrincipal(caller): OptionalPrincipal) -> String {
///     caller.map_or("hello".to_owned(), |caller| format!("hello {}", caller.subject))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct OptionalPrincipal(pub Option<VerifiedPrincipal>);

impl FromRequest for OptionalPrincipal {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(caller(request, |_, principal| Ok(Self(principal.cloned()))))
    }
}

/// The tenant the caller acts in. A caller without one is refused (403): data that belongs to
/// tenants has no answer for somebody who belongs to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentTenant(pub Tenant);

impl FromRequest for CurrentTenant {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(required(request, |_, principal| {
            let tenant = principal.tenant.clone();
            tenant
                .map(Self)
                .ok_or_else(|| forbidden("the caller acts in no tenant"))
        }))
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
/// use ringwall_actix::Claims;
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

impl<T: DeserializeOwned> FromRequest for Claims<T> {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(required(request, |admitted, _| {
            let claims = admitted
                .authenticated()
                .and_then(|authenticated| authenticated.claims())
                .ok_or_else(|| forbidden("the route reads claims, and the caller has no token"))?;
            let read = claims.deserialize();
            read.map(Self)
                .map_err(|_| forbidden("the claims do not have the shape that the route reads"))
        }))
    }
}

/// Noted in a request whose caller the authorization policy refused, or could not judge. `Option<CurrentSubject>` would
/// turn that into `None`, and the handler would go on without a policy. So it does not run, and the guard answers what is
/// noted.
#[derive(Clone, Debug)]
pub(crate) struct Unauthorized(pub(crate) Denial);

fn refuse(request: &HttpRequest, denial: Denial) -> Refused {
    request
        .extensions_mut()
        .insert(Unauthorized(denial.clone()));
    Refused::reported(denial)
}

/// The caller before the gate's authorization policy: for the row that a handler has read
/// ([`SubjectAccess::authorize`]).
///
/// A handler that asks for it does not run where the policy cannot be asked about the caller, also when it asks for an
/// `Option` or a `Result` of it. One that has an answer without a policy asks [`Admitted::subject`] itself. A handler that
/// was not registered by this crate (in [`any_config`](crate::any_config)) runs, and its answer is replaced.
#[derive(Clone, Debug)]
pub struct CurrentSubject(pub SubjectAccess);

impl FromRequest for CurrentSubject {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        let asked = required(request, |admitted, _| Ok(admitted.clone()));
        let request = request.clone();
        Box::pin(async move {
            let subject = asked?.subject().await;
            Ok(Self(subject.map_err(|denial| refuse(&request, denial))?))
        })
    }
}

/// Which rows the caller may do `A` to, for a handler that meets no obligations: for those, ask
/// [`CurrentSubject`]. The handler does not run without them, as with that.
#[derive(Debug)]
pub struct PermittedRows<A: Action>(pub RowsPermit<A>);

impl<A: Action + 'static> FromRequest for PermittedRows<A> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let subject = CurrentSubject::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let CurrentSubject(subject) = subject.await?;
            let rows = subject.authorize_rows(&Duties::none());
            Ok(Self(rows.map_err(|denial| refuse(&request, denial))?))
        })
    }
}

/// An extractor that waits. actix-web's requests stay on their thread.
type LocalBoxFuture<T> = core::pin::Pin<Box<dyn Future<Output = T>>>;
