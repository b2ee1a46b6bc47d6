//! All routes at once.

use std::time::Duration;

use ringwall_axum::{GuardedRouter, any_service, delete, get, post};
use ringwall_gate::{Access, AuthenticationRequirement, Gate};
use ringwall_testkit::{App, Axum, Kit, ListedRoute};

use crate::support::{failure, run, said, says};

fn router(gate: &Gate) -> GuardedRouter {
    let recently = AuthenticationRequirement::max_age(Duration::from_secs(300)).unwrap();
    let handler = async || -> &'static str { panic!("a sweep calls no handler") };
    let cases = GuardedRouter::new(gate.clone()).route(
        "/{id}/notes/{*rest}",
        get(handler)
            .require_scope("cases:read")
            .require_scope("notes:read")
            .and(post(handler).require_any_scope(["notes:write", "admin"]))
            .and(
                delete(handler)
                    .require_scope("cases:delete")
                    .step_up(recently),
            ),
    );
    GuardedRouter::new(gate.clone())
        .nest("/cases", cases)
        .route("/me", get(handler))
        .route("/greet", get(handler).optional())
        .nest_service(
            "/files",
            any_service(axum::Router::new()).require_scope("files:read"),
        )
        .public_route("/healthz", get(handler))
}

fn app(kit: &Kit, router: GuardedRouter) -> App<Axum> {
    kit.axum(router.into_router().unwrap())
}

const OPEN: [&str; 2] = ["GET /greet", "GET /healthz"];

#[test]
fn what_is_not_named_is_protected() {
    run(async {
        let kit = Kit::new();
        let routes = router(&kit.gate()).routes().unwrap();
        app(&kit, router(&kit.gate()))
            .protects_all_but(&routes, OPEN)
            .await;
    });
}

#[test]
fn a_route_that_became_public_fails() {
    let kit = Kit::new();
    let app = app(&kit, router(&kit.gate()));
    let routes = router(&kit.gate()).routes().unwrap();
    let text = said(|| drop(app.protects_all_but(&routes, ["GET /healthz"])));
    says(
        &text,
        &[
            "GET /greet is optional, and the test does not name it",
            "all routes:",
            "GET /cases/{id}/notes/{*rest}: all of cases:read notes:read",
        ],
    );
}

#[test]
fn a_name_that_is_stale_fails() {
    let kit = Kit::new();
    let app = app(&kit, router(&kit.gate()));
    let routes = router(&kit.gate()).routes().unwrap();
    let text = said(|| drop(app.protects_all_but(&routes, OPEN.into_iter().chain(["GET /me"]))));
    says(
        &text,
        &["GET /me is named as open, and demands: authenticated"],
    );
    let text = said(|| drop(app.protects_all_but(&routes, OPEN.into_iter().chain(["GET /gone"]))));
    says(&text, &["GET /gone is named as open, and is no route"]);
}

#[test]
fn a_list_with_nothing_to_assert_fails() {
    let kit = Kit::new();
    let app = app(&kit, router(&kit.gate()));
    let none: Vec<ListedRoute> = Vec::new();
    says(
        &said(|| drop(app.protects_all_but(&none, []))),
        &["nothing to assert"],
    );
    let open = vec![ListedRoute::new("GET /healthz", Access::Public)];
    says(
        &said(|| drop(app.protects_all_but(&open, ["GET /healthz"]))),
        &["nothing to assert"],
    );
}

#[test]
fn a_list_that_promises_more_than_the_application_keeps_fails() {
    let kit = Kit::new();
    let listed = |endpoint: ringwall_axum::Endpoint| {
        let router: GuardedRouter = GuardedRouter::new(kit.gate()).route("/cases", endpoint);
        router.routes().unwrap()
    };
    let app = |endpoint: ringwall_axum::Endpoint| {
        app(
            &kit,
            GuardedRouter::new(kit.gate()).route("/cases", endpoint),
        )
    };
    let cases = || get(async || "cases");
    let promised = listed(cases());
    let text = failure(app(cases().public()).protects_all_but(&promised, []));
    says(&text, &["GET /cases lets a stranger in"]);
    let promised = listed(cases().require_scope("a").require_scope("b"));
    for kept in [
        cases().require_scope("a"),
        cases().require_scope("b"),
        cases(),
    ] {
        let text = failure(app(kept).protects_all_but(&promised, []));
        says(&text, &["a caller without the scope a b", "sweep.rs"]);
    }
    let promised = listed(cases().require_any_scope(["a", "b"]));
    let text = failure(app(cases()).protects_all_but(&promised, []));
    says(&text, &["lets in a caller without the scope a b"]);
    let recently = AuthenticationRequirement::max_age(Duration::from_secs(300)).unwrap();
    let promised = || listed(cases().require_scope("a").step_up(recently.clone()));
    let text = failure(app(cases().require_scope("a")).protects_all_but(&promised(), []));
    says(
        &text,
        &["does not refuse as it must a caller who says nothing of a login"],
    );
    let text = failure(app(cases().step_up(recently.clone())).protects_all_but(&promised(), []));
    says(&text, &["lets in a caller without the scope a"]);
    let gold = AuthenticationRequirement::acr_values(["gold"]).unwrap();
    let promised = listed(cases().step_up(gold));
    let text = failure(app(cases()).protects_all_but(&promised, []));
    says(&text, &["lets in a caller who says nothing of a login"]);
}

#[test]
fn a_list_of_another_application_fails() {
    let kit = Kit::new();
    let other: GuardedRouter =
        GuardedRouter::new(kit.gate()).route("/other", get(async || "other"));
    let routes = other.routes().unwrap();
    let text = failure(app(&kit, router(&kit.gate())).protects_all_but(&routes, []));
    says(
        &text,
        &[
            "GET /other was to stand for the route GET /other, and reached ANY (unknown path)",
            "of another application",
        ],
    );
}

#[test]
fn a_sweep_that_is_never_awaited_fails() {
    let kit = Kit::new();
    let app = app(&kit, router(&kit.gate()));
    let routes = router(&kit.gate()).routes().unwrap();
    says(
        &said(|| drop(app.protects_all_but(&routes, OPEN))),
        &["never awaited", "sweep.rs"],
    );
}
