//! A denial as an HTTP response.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use ringwall_core::denial::Denial;
use ringwall_gate::problem;

/// Renders `denial`: its status, its header fields, and a small problem document (RFC 9457). The
/// answer to `HEAD` has no body. It is never stored by a cache: a refusal is about one caller.
#[must_use]
pub fn refusal(denial: &Denial, head: bool) -> Response<Bytes> {
    let body = if head {
        Bytes::new()
    } else {
        Bytes::from(problem::document(denial))
    };
    let mut response = Response::new(body);
    // The status of a denial is a constant that is always valid; if it were not, the answer must
    // still not be a success.
    *response.status_mut() =
        StatusCode::from_u16(denial.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_of_head_has_no_body_and_the_same_header_fields() {
        let denial = Denial::unauthenticated("api");
        let get = refusal(&denial, false);
        let head = refusal(&denial, true);
        assert_eq!(get.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(get.headers(), head.headers());
        assert_eq!(get.headers()["cache-control"], "no-store");
        assert_eq!(get.headers()["www-authenticate"], "Bearer realm=\"api\"");
        assert!(!get.body().is_empty() && head.body().is_empty());
    }
}
