//! What the services answer, under every framework.

use crate::ledger::Visit;

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    /// What the handler sets by itself.
    pub(crate) fields: &'static [(&'static str, &'static str)],
}

const HTML: &str = "text/html; charset=utf-8";

/// A transparent image of one pixel.
const PIXEL: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>";

/// The paths that everybody may `GET`.
pub(crate) const PUBLIC: [&str; 10] = [
    "/cookie",
    "/page",
    "/injected",
    "/embeddable",
    "/page.js",
    "/page.css",
    "/text.txt",
    "/closed.svg",
    "/open.svg",
    "/ran",
];

/// What `visit` is answered.
pub(crate) fn content(visit: &Visit, nonce: &str) -> Content {
    let (kind, text, fields): (_, _, &[_]) = match visit.path.as_str() {
        "/cookie" => (
            "text/plain",
            if visit.has_cookie { "cookie" } else { "none" }.to_owned(),
            &[("x-request-id", "r-1"), ("x-hidden", "h-1")],
        ),
        "/page" => (
            HTML,
            with_nonce(include_str!("pages/page.html"), nonce),
            &[(
                "set-cookie",
                "session=1; Path=/; Secure; HttpOnly; SameSite=None",
            )],
        ),
        "/injected" => (
            HTML,
            with_nonce(include_str!("pages/injected.html"), nonce),
            &[],
        ),
        "/embeddable" => (
            HTML,
            include_str!("pages/embeddable.html").to_owned(),
            &[(
                "content-security-policy",
                "default-src 'self'; frame-ancestors https://app.example.com",
            )],
        ),
        "/page.js" => (
            "text/javascript",
            include_str!("pages/page.js").to_owned(),
            &[],
        ),
        "/page.css" => ("text/css", "body { color: rgb(1, 2, 3) }".to_owned(), &[]),
        "/text.txt" => ("text/plain", "window.sniffed = true;".to_owned(), &[]),
        "/closed.svg" => ("image/svg+xml", PIXEL.to_owned(), &[]),
        "/open.svg" => (
            "image/svg+xml",
            PIXEL.to_owned(),
            &[("cross-origin-resource-policy", "cross-origin")],
        ),
        _ => ("text/plain", format!("{} ran", visit.method), &[]),
    };
    Content { kind, text, fields }
}

fn with_nonce(page: &str, nonce: &str) -> String {
    page.replace("{nonce}", nonce)
}
