//! The page for people. Its script and its style are files of their own, so that its policy can forbid
//! everything that stands in the markup: what somebody smuggles into it does not run.

use axum::http::header;
use axum::response::IntoResponse;

/// `/`
pub(crate) async fn index() -> impl IntoResponse {
    file(
        "text/html; charset=utf-8",
        include_str!("../../page/index.html"),
    )
}

/// `/page.js`
pub(crate) async fn script() -> impl IntoResponse {
    file(
        "text/javascript; charset=utf-8",
        include_str!("../../page/page.js"),
    )
}

/// `/page.css`
pub(crate) async fn style() -> impl IntoResponse {
    file(
        "text/css; charset=utf-8",
        include_str!("../../page/page.css"),
    )
}

/// Cached for a while: it is the same for everybody.
fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=300"),
    ];
    (headers, text)
}
