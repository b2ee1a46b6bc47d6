//! Scopes are needed, named and sufficient.

use ringwall_axum::{Endpoint, get};
use ringwall_testkit::principal;

use crate::support::{app, failure, of_tenants, run, said, says};

fn cases() -> Endpoint {
    get(async || "cases")
}

#[test]
fn a_scope_that_is_demanded_is_needed() {
    run(async {
        let app = app(cases().require_scope("cases:read"));
        app.get("/cases").needs_scope("cases:read").await;
        app.get("/cases")
            .as_service("billing", [])
            .needs_scope("cases:read")
            .await;
        app.get("/cases")
            .as_agent("assistant", "alice", ["x"])
            .needs_scope("cases:read")
            .await;
        app.get("/cases")
            .with(principal::api_key("k"))
            .needs_scope("cases:read")
            .await;
    });
}

#[test]
fn a_route_without_a_scope_needs_none() {
    let text = failure(app(cases()).get("/cases").needs_scope("cases:read"));
    says(
        &text,
        &[
            "GET /cases lets in a caller without the scope cases:read",
            "asserted at",
            "scopes.rs",
            "403 insufficient_scope, naming cases:read",
            "200 OK",
            "CASES:READ",
            "event authentication_succeeded",
            "audit GET /cases by alice: completed 200",
        ],
    );
}

#[test]
fn an_open_route_needs_no_scope() {
    for open in [cases().public(), cases().optional()] {
        says(
            &failure(app(open).get("/cases").needs_scope("a")),
            &["lets a stranger in"],
        );
    }
}

#[test]
fn another_scope_is_not_the_one() {
    for other in ["cases:write", "cases:rea", "cases:read2", "Cases:read"] {
        let text = failure(
            app(cases().require_scope(other))
                .get("/cases")
                .needs_scope("cases:read"),
        );
        says(&text, &["without the scope cases:read"]);
        if !text.contains("lets in") {
            says(&text, &[&format!("the route demands: {other}")]);
        }
    }
}

#[test]
fn a_look_alike_that_suffices_fails() {
    for alike in [
        "*",
        "admin",
        "CASES:READ",
        "cases:*",
        "*:read",
        "cases",
        "read",
        "cases:reads",
        "cases:rea",
    ] {
        let either = cases().require_any_scope(["cases:read", alike]);
        let text = failure(app(either).get("/cases").needs_scope("cases:read"));
        says(&text, &["lets in a caller without the scope cases:read"]);
    }
}

#[test]
fn each_of_several_scopes_is_needed() {
    run(async {
        let app = app(cases().require_scope("a").require_scope("b"));
        app.get("/cases").needs_scopes(["a", "b"]).await;
        app.get("/cases")
            .as_user("alice", ["b"])
            .needs_scope("a")
            .await;
    });
}

#[test]
fn a_scope_that_does_not_suffice_fails_and_the_failure_says_what_would() {
    let both = || cases().require_scope("a").require_scope("b");
    let text = failure(app(both()).get("/cases").needs_scope("a"));
    says(&text, &["the route demands: a b"]);
    let text = failure(
        app(both().require_scope("c"))
            .get("/cases")
            .needs_scopes(["a", "b"]),
    );
    says(&text, &["the route demands: a b c"]);
}

#[test]
fn one_of_several_that_is_not_needed_fails() {
    let text = failure(
        app(cases().require_scope("a"))
            .get("/cases")
            .needs_scopes(["a", "b"]),
    );
    says(&text, &["without the scope a b"]);
    let either = cases().require_any_scope(["a", "b"]);
    let text = failure(app(either).get("/cases").needs_scopes(["a", "b"]));
    says(&text, &["lets in a caller without the scope"]);
}

#[test]
fn any_of_several_suffices() {
    run(async {
        let app = app(cases().require_any_scope(["a", "b"]));
        app.get("/cases").needs_any_scope(["a", "b"]).await;
    });
}

#[test]
fn any_of_several_that_does_not_suffice_fails() {
    let text = failure(
        app(cases().require_scope("a"))
            .get("/cases")
            .needs_any_scope(["a", "b"]),
    );
    says(&text, &["without the scope a b"]);
    let all = cases().require_scope("a").require_scope("b");
    let text = failure(app(all).get("/cases").needs_any_scope(["a", "b"]));
    says(
        &text,
        &["does not let in whom it must", "the route demands: a b"],
    );
    let more = cases().require_any_scope(["a", "b", "c"]);
    let text = failure(app(more).get("/cases").needs_any_scope(["a", "b"]));
    says(
        &text,
        &["does not refuse as it must", "the route demands: a b c"],
    );
    let alike = cases().require_any_scope(["a", "b", "*"]);
    let text = failure(app(alike).get("/cases").needs_any_scope(["a", "b"]));
    says(&text, &["lets in a caller without the scope a b"]);
    let text = failure(app(cases()).get("/cases").needs_any_scope(["a", "b"]));
    says(&text, &["lets in a caller without the scope a b"]);
}

#[test]
fn a_scope_that_is_no_scope_asserts_nothing() {
    let app = app(cases());
    says(
        &said(|| drop(app.get("/cases").needs_scopes([]))),
        &["given no scope"],
    );
    says(
        &said(|| drop(app.get("/cases").needs_any_scope([]))),
        &["given no scope"],
    );
}

#[test]
fn a_handler_that_refuses_by_itself_does_not_name_the_scope() {
    let forbid = get(async || (http::StatusCode::FORBIDDEN, "no"));
    let text = failure(app(forbid).get("/cases").needs_scope("a"));
    says(
        &text,
        &["does not refuse as it must a caller without the scope a"],
    );
}

#[test]
fn a_handler_that_fails_does_not_pass_for_one_that_was_reached() {
    let broken = get(async || http::StatusCode::INTERNAL_SERVER_ERROR);
    let text = failure(
        app(broken.require_scope("a"))
            .get("/cases")
            .needs_scope("a"),
    );
    says(&text, &["GET /cases fails", "500 Internal Server Error"]);
}

#[test]
fn a_handler_that_needs_a_tenant_is_told_apart_from_a_missing_scope() {
    let text = failure(
        app(of_tenants().require_scope("a"))
            .get("/cases")
            .needs_scope("a"),
    );
    says(&text, &["does not let in whom it must", "say `.in_org(…)`"]);
    run(async {
        let app = app(of_tenants().require_scope("a"));
        app.get("/cases").in_org("acme").needs_scope("a").await;
    });
}

#[test]
fn what_is_not_there_passes_for_nothing() {
    let text = failure(app(cases()).get("/nowhere").needs_scope("a"));
    says(
        &text,
        &["without the scope a", "404", "there is no such route"],
    );
    // A handler that finds nothing is reached all the same.
    let empty = get(async || http::StatusCode::NOT_FOUND).require_scope("a");
    run(async { app(empty).get("/cases").needs_scope("a").await });
}
