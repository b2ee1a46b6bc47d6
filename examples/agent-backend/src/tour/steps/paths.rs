//! Paths and messages that two programs might read in two ways.

use crate::tour::Tour;
use crate::tour::client::{Ask, Client};
use crate::tour::expect::Expect;
use crate::tour::forge::{ALPHA, Forge};

pub(crate) async fn run(tour: &mut Tour, client: &Client, forge: &Forge) {
    tour.area("Paths and messages");
    let good = forge.good(&ALPHA);
    let ambiguous = [
        "//api/whoami",
        "/api//whoami",
        "/./api/whoami",
        "/healthz/../api/whoami",
        "/healthz/%2e%2e/api/audit",
        "/healthz/%2E%2E/api/audit",
        "/healthz/..;/api/audit",
        "/healthz/%252e%252e/api/audit",
        "/api%2fwhoami",
        "/api%5cwhoami",
        "/api/cases/..%2f..%2fhealthz",
        "/healthz%00",
        "/api/whoami%0d%0aSet-Cookie:a",
        "/api/%c0%ae%c0%ae/healthz",
        "/api/whoami%",
    ];
    for path in ambiguous {
        let tried = format!("{path}, without a token");
        tour.ask(&tried, client, Ask::get(path), Expect::status(400))
            .await;
        let tried = format!("{path}, with one");
        tour.ask(
            &tried,
            client,
            Ask::get(path).bearer(&good),
            Expect::status(400),
        )
        .await;
    }
    for (tried, request, expect) in messages(client, &good) {
        tour.ask_raw(tried, client, &request, expect).await;
    }
}

/// What an HTTP library would not send.
fn messages(client: &Client, token: &str) -> Vec<(&'static str, String, Expect)> {
    let host = client.address();
    let close = "connection: close\r\n";
    let bearer = format!("authorization: Bearer {token}\r\n");
    let length = "content-length";
    let post = format!("POST /api/cases HTTP/1.1\r\nhost: {host}\r\n{bearer}{close}");
    let refused = || Expect::status(400);
    vec![
        (
            "the whole URL of another host, without a token",
            format!("GET http://evil.example/api/whoami HTTP/1.1\r\nhost: {host}\r\n{close}\r\n"),
            Expect::no_credentials(),
        ),
        (
            "two Host headers",
            format!(
                "GET /api/whoami HTTP/1.1\r\nhost: {host}\r\nhost: evil.example\r\n{bearer}{close}\r\n"
            ),
            refused(),
        ),
        (
            "a backslash in the path",
            format!("GET /healthz\\..\\api\\audit HTTP/1.1\r\nhost: {host}\r\n{bearer}{close}\r\n"),
            refused(),
        ),
        (
            "two lengths",
            format!("{post}{length}: 2\r\n{length}: 40\r\n\r\n{{}}"),
            refused(),
        ),
        (
            "a length and chunks",
            format!("{post}{length}: 5\r\ntransfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
            refused(),
        ),
        (
            "a length that is no number",
            format!("{post}{length}: +5\r\n\r\nhello"),
            refused(),
        ),
        (
            "a header in two lines",
            format!(
                "GET /api/whoami HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer\r\n {token}\r\n{close}\r\n"
            ),
            refused(),
        ),
        (
            "a space before the colon",
            format!(
                "GET /api/whoami HTTP/1.1\r\nhost: {host}\r\nauthorization : Bearer {token}\r\n{close}\r\n"
            ),
            refused(),
        ),
        (
            "100 KB of headers",
            format!(
                "GET /api/whoami HTTP/1.1\r\nhost: {host}\r\nx-long: {}\r\n{close}\r\n",
                "x".repeat(100 * 1024)
            ),
            Expect::status(431),
        ),
        (
            "OPTIONS *",
            format!("OPTIONS * HTTP/1.1\r\nhost: {host}\r\n{close}\r\n"),
            Expect::no_credentials(),
        ),
        (
            "something that is not HTTP",
            "\u{16}\u{3}\u{1} hello\r\n\r\n".to_owned(),
            refused(),
        ),
    ]
}
