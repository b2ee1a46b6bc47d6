//! A denial as a response of actix-web.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use ringwall_core::denial::Denial;
use ringwall_gate::problem;

/// Renders `denial` as the other adapters do: its status, its header fields, and a small problem
/// document (RFC 9457). It is never stored by a cache: a refusal is about one caller.
pub(crate) fn refusal(denial: &Denial) -> HttpResponse {
    // The status of a denial is a constant that is always valid; if it were not, the answer must
    // still not be a success.
    let status =
        StatusCode::from_u16(denial.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = BoxBody::new(problem::document(denial));
    let mut response = HttpResponse::with_body(status, body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(problem::MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    denial.headers(|name, value| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(HeaderName::from_static(name), value);
        }
    });
    response
}

/// The answer to a mistake of the service: it denies, and says nothing.
pub(crate) fn mistake() -> HttpResponse {
    HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR)
}
