//! What is open is open to everybody, and no more.

use axum::http::StatusCode;
use ringwall_axum::get;

use crate::support::{app, failure, run, says};

#[test]
fn a_public_route_is_public_and_an_optional_one_optional() {
    run(async {
        app(get(async || "cases").public())
            .get("/cases")
            .is_public()
            .await;
        app(get(async || "cases").optional())
            .get("/cases")
            .is_optional()
            .await;
    });
}

#[test]
fn a_protected_route_is_neither() {
    let text = failure(app(get(async || "cases")).get("/cases").is_public());
    says(
        &text,
        &[
            "GET /cases does not let in whom it must",
            "401",
            "no credential",
            "open_routes.rs",
        ],
    );
    let text = failure(app(get(async || "cases")).get("/cases").is_optional());
    says(&text, &["does not let in whom it must", "401"]);
}

#[test]
fn an_optional_route_is_not_public() {
    let text = failure(
        app(get(async || "cases").optional())
            .get("/cases")
            .is_public(),
    );
    says(
        &text,
        &["does not let in whom it must", "expired an hour ago", "401"],
    );
}

#[test]
fn a_public_route_is_not_optional() {
    let text = failure(
        app(get(async || "cases").public())
            .get("/cases")
            .is_optional(),
    );
    says(&text, &["lets a stranger in", "expired an hour ago"]);
}

#[test]
fn an_open_route_has_to_find_what_is_asked_for() {
    let empty = || get(async || StatusCode::NOT_FOUND);
    says(
        &failure(app(empty().public()).get("/cases").is_public()),
        &["is not found", "404"],
    );
    says(
        &failure(app(empty().optional()).get("/cases").is_optional()),
        &["is not found"],
    );
    let broken = get(async || StatusCode::BAD_GATEWAY).public();
    says(
        &failure(app(broken).get("/cases").is_public()),
        &["fails", "502"],
    );
}

#[test]
fn a_route_whose_handler_asks_who_is_calling_is_not_public() {
    let asks = get(async |caller: ringwall_axum::CurrentPrincipal| caller.0.subject.to_string());
    let text = failure(app(asks.public()).get("/cases").is_public());
    says(
        &text,
        &[
            "fails",
            "misconfigured: a handler asks who is calling on a public route",
        ],
    );
}
