//! The Authorization API 1.0 of OpenID AuthZEN, on routes behind the gate.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use ringwall_authz::authzen::{
    ActionSearchRequest, AuthzenError, EvaluationRequest, EvaluationsRequest, Evaluator,
    ListingError, PdpMetadata, RequestDocument, ResourceSearchRequest, SubjectSearchRequest,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::event::EventKind;
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_gate::Admitted;

use crate::endpoint::{Endpoint, echoing_get, echoing_post};
use crate::extract::required;
use crate::rejection::Rejection;
use crate::router::GuardedRouter;

/// How long clients may keep the metadata. Not in shared caches: the route may be one that not everybody may ask.
const METADATA_CACHE: &str = "private, max-age=3600";

/// What the Authorization API is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthorizationOperation {
    /// One question (§6).
    Evaluation,
    /// Several questions (§7).
    Evaluations,
    /// Who may (§8.4).
    SearchSubject,
    /// Upon what (§8.5).
    SearchResource,
    /// What (§8.6).
    SearchAction,
    /// Where all of this is (§9).
    Metadata,
}

impl<S> GuardedRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    /// Serves the Authorization API 1.0 of OpenID AuthZEN: `POST` at the default paths (§10.1), for the searches that
    /// `evaluator` offers, and `GET` of the metadata at its well-known path.
    ///
    /// `policy` says for each of them who may ask: **whoever may, learns what everybody in its own organisation may do.**
    /// So demand what enforcement points have and users have not, a scope for one; what it returns unchanged is open to
    /// whoever is authenticated. A public route answers 500, since there is nobody whose organisation could be asked about;
    /// the metadata may be public.
    ///
    /// Answers are 200 with a decision, 400 with a message, and 500 or 503 without a decision. What the gate refuses (401,
    /// 403, 413, 429) has the gate's body. Every answer of these routes has the `X-Request-ID` of its request (§10.1.3).
    ///
    /// The metadata stays at the root of the host where this router is nested, so nest it where the metadata's identifier
    /// says: `https://pdp.example.com/pdp` at `/pdp`.
    ///
    /// ```
    /// use ringwall_axum::{AuthorizationOperation, GuardedRouter};
    /// use ringwall_gate::authz::authzen::{Evaluator, PdpMetadata};
    ///
    /// # fn example(gate: ringwall_gate::Gate, evaluator: Evaluator) -> Result<axum::Router, Box<dyn std::error::Error>> {
    /// let metadata = PdpMetadata::new("https://pdp.example.com", &evaluator)?;
    /// let router = GuardedRouter::<()>::new(gate).authorization_api(&evaluator, metadata, |operation, endpoint| {
    ///     match operation {
    ///         AuthorizationOperation::Metadata => endpoint.public(),
    ///         _ => endpoint.require_scope("decisions:ask"),
    ///     }
    /// });
    /// Ok(router.into_router()?)
    /// # }
    /// ```
    pub fn authorization_api(
        self,
        evaluator: &Evaluator,
        metadata: PdpMetadata,
        policy: impl Fn(AuthorizationOperation, Endpoint<S>) -> Endpoint<S>,
    ) -> Self {
        use AuthorizationOperation as Operation;

        let operations = [
            (PdpMetadata::EVALUATION, Operation::Evaluation, true),
            (PdpMetadata::EVALUATIONS, Operation::Evaluations, true),
            (
                PdpMetadata::SEARCH_SUBJECT,
                Operation::SearchSubject,
                evaluator.searches_subjects(),
            ),
            (
                PdpMetadata::SEARCH_RESOURCE,
                Operation::SearchResource,
                evaluator.searches_resources(),
            ),
            (PdpMetadata::SEARCH_ACTION, Operation::SearchAction, true),
        ];
        let mut router = self;
        for (path, operation, _) in operations.into_iter().filter(|(_, _, offered)| *offered) {
            let evaluator = evaluator.clone();
            let handler =
                async move |request: Request| answer(operation, &evaluator, request).await;
            router = router.route(path, policy(operation, echoing_post(handler)));
        }
        let path = metadata.path().to_owned();
        let handler = async move || {
            ([(CACHE_CONTROL, METADATA_CACHE)], Json(metadata.clone())).into_response()
        };
        router.route_at_root(&path, policy(Operation::Metadata, echoing_get(handler)))
    }
}

/// Why a request is not answered with a decision.
enum Failure {
    /// By its extractors.
    Rejected(Response),
    /// By the evaluator.
    Unanswered(AuthzenError),
}

impl From<AuthzenError> for Failure {
    fn from(error: AuthzenError) -> Self {
        Self::Unanswered(error)
    }
}

async fn answer(
    operation: AuthorizationOperation,
    evaluator: &Evaluator,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let (admitted, pep, now) = match asking(&parts) {
        Ok(asking) => asking,
        Err(rejection) => return rejection.into_response(),
    };
    let request = Request::from_parts(parts, body);
    match decide(operation, evaluator, request, (&pep, now)).await {
        Ok(response) | Err(Failure::Rejected(response)) => response,
        Err(Failure::Unanswered(error)) => unanswered(&admitted, &error),
    }
}

/// Who asks, and when.
fn asking(parts: &Parts) -> Result<(Admitted, VerifiedPrincipal, Timestamp), Rejection> {
    let (admitted, pep) = required(parts)?;
    // What is asked is about this moment, and a gate whose clock cannot tell it admits nobody who is asked about.
    let now = admitted.at().ok_or(Denial::Unavailable {
        retry_after: core::time::Duration::from_secs(1),
    })?;
    Ok((admitted.clone(), pep.clone(), now))
}

async fn decide(
    operation: AuthorizationOperation,
    evaluator: &Evaluator,
    request: Request,
    (pep, now): (&VerifiedPrincipal, Timestamp),
) -> Result<Response, Failure> {
    use AuthorizationOperation as Operation;

    Ok(match operation {
        Operation::Evaluation => {
            let asked: EvaluationRequest = document(request).await?;
            Json(evaluator.evaluate(pep, &asked, now).await?).into_response()
        }
        Operation::Evaluations => {
            let asked: EvaluationsRequest = document(request).await?;
            Json(evaluator.evaluate_all(pep, &asked, now).await?).into_response()
        }
        Operation::SearchSubject => {
            let asked: SubjectSearchRequest = document(request).await?;
            Json(evaluator.search_subjects(pep, &asked, now).await?).into_response()
        }
        Operation::SearchResource => {
            let asked: ResourceSearchRequest = document(request).await?;
            Json(evaluator.search_resources(pep, &asked, now).await?).into_response()
        }
        Operation::SearchAction => {
            let asked: ActionSearchRequest = document(request).await?;
            Json(evaluator.search_actions(pep, &asked, now).await?).into_response()
        }
        // It has a handler of its own.
        Operation::Metadata => StatusCode::NOT_FOUND.into_response(),
    })
}

/// The body as a request of the specification.
async fn document<T: RequestDocument>(request: Request) -> Result<T, Failure> {
    if !is_json(request.headers()) {
        let message = "the content type has to be application/json";
        let response = (StatusCode::BAD_REQUEST, message).into_response();
        return Err(Failure::Rejected(response));
    }
    let body = Bytes::from_request(request, &()).await;
    let body = body.map_err(|rejection| Failure::Rejected(rejection.into_response()))?;
    T::from_json(&body).map_err(|fault| Failure::Unanswered(fault.into()))
}

/// Whether the body says once that it is JSON (§10.1). A browser cannot send this type to another origin unasked.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.to_str().ok().and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn unanswered(admitted: &Admitted, error: &AuthzenError) -> Response {
    if let Some(retry_after) = error.retry_after() {
        if let AuthzenError::Directory(_) = error {
            let cause = "what is known of a subject could not be asked for";
            admitted.report(EventKind::SubjectsUnavailable, cause);
        }
        return Rejection::Denied(Denial::Unavailable { retry_after }).into_response();
    }
    if error.http_status() == 400 {
        return (StatusCode::BAD_REQUEST, error.to_string()).into_response();
    }
    if let AuthzenError::Listing(ListingError::BrokenContract) = error {
        admitted.report(
            EventKind::Misconfigured,
            "a listing of resources broke its contract",
        );
    } else {
        let cause = "a search for resources cannot be answered by a database";
        admitted.report(EventKind::Misconfigured, cause);
    }
    let message = "the question cannot be answered";
    (StatusCode::INTERNAL_SERVER_ERROR, message).into_response()
}
