//! JSON that comes in.

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use ringwall_core::denial::Denial;
use ringwall_gate::Admitted;
use serde::de::DeserializeOwned;

use crate::routes::problem::Problem;

/// The body of a request, a JSON object, read into a type that says what it may hold.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T, S> FromRequest<S> for JsonBody<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        // A form that a browser sends from another site cannot have this type without a preflight.
        if !is_json(request.headers()) {
            return Err(Problem::NotJson);
        }
        let limit = request
            .extensions()
            .get::<Admitted>()
            .map_or(0, |admitted| admitted.door().policy().body_limit());
        let body = Bytes::from_request(request, state).await.map_err(|error| {
            if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
                Problem::Denied(Denial::PayloadTooLarge { limit })
            } else {
                Problem::invalid("the body could not be read")
            }
        })?;
        // serde also fills a struct from an array, member by member in the order of the source.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Problem::invalid("the body is not a JSON object"));
        }
        serde_json::from_slice(&body)
            .map(Self)
            .map_err(|error| Problem::invalid(error.to_string()))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next();
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}
