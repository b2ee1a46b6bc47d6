//! The published keys of the development issuer.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::routes::App;
use crate::routes::problem::Problem;

/// The JWK Set (RFC 7517 §5).
pub(crate) async fn published(State(app): State<App>) -> Response {
    let Some(issuer) = app.issuer else {
        return Problem::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, "application/jwk-set+json"),
        (header::CACHE_CONTROL, "public, max-age=60"),
    ];
    (headers, issuer.jwks()).into_response()
}
