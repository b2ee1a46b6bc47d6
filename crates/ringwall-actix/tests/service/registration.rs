//! Faults found at start, and the list of what is registered.

use actix_web::middleware::DefaultHeaders;
use ringwall_actix::{Error, GuardedApp, any, any_config, get, post};
use ringwall_gate::rate_limit::LimitRules;
use ringwall_gate::{Access, AuditScope, AuthenticationRequirement, Gate, RateLimits};

use crate::support::Bench;

async fn hello() -> &'static str {
    "hello"
}

fn app() -> GuardedApp {
    GuardedApp::new(Bench::new().gate)
}

fn recently(seconds: u64) -> AuthenticationRequirement {
    AuthenticationRequirement::max_age(std::time::Duration::from_secs(seconds)).expect("an age")
}

fn fault(app: GuardedApp) -> Error {
    app.build().expect_err("a fault")
}

#[test]
fn a_route_that_contradicts_itself_is_refused() {
    let contradictions = [
        get(hello).public().require_scope("a"),
        get(hello).require_scope("a").public(),
        get(hello).optional().require_any_scope(["a"]),
        get(hello).require_any_scope(["a"]).require_scope("a"),
        get(hello).require_any_scope(["a"]).require_any_scope(["b"]),
        get(hello).optional().public(),
        get(hello).public().step_up(recently(5)),
        get(hello).step_up(recently(5)).public(),
        get(hello).optional().step_up(recently(5)),
        get(hello).step_up(recently(5)).step_up(recently(6)),
        get(hello).tier("a").tier("b"),
        get(hello).tier("a").without_limits(),
    ];
    for endpoint in contradictions {
        let text = format!("{endpoint:?}");
        let error = fault(app().route("/x", endpoint));
        let route = "GET /x".to_owned();
        assert_eq!(error, Error::Contradiction { route }, "{text}");
    }
    let error = fault(app().public_route("/x", get(hello).require_scope("a")));
    assert!(matches!(error, Error::Contradiction { .. }));
}

#[test]
fn a_scope_that_cannot_exist_is_refused_rather_than_never_granted() {
    for scope in ["", "two words", "quoted\""] {
        let route = "GET /x".to_owned();
        let one = fault(app().route("/x", get(hello).require_scope(scope)));
        assert_eq!(
            one,
            Error::InvalidScope {
                route: route.clone()
            }
        );
        let any = fault(app().route("/x", get(hello).require_any_scope(["a", scope])));
        assert_eq!(any, Error::InvalidScope { route });
    }
}

#[test]
fn a_method_and_path_are_registered_once() {
    let twice = [
        app().route("/x", get(hello).and(get(hello).public())),
        app().route("/x", get(hello)).route("/x", get(hello)),
        app()
            .route("/a/x", get(hello))
            .nest("/a", app().route("/x", get(hello))),
    ];
    for app in twice {
        assert!(matches!(fault(app), Error::Duplicate { .. }));
    }
    assert!(
        app()
            .route("/x", get(hello))
            .route("/x", post(hello))
            .build()
            .is_ok()
    );
    let any_twice = app().route("/x", any(hello).and(any(hello)));
    assert!(matches!(fault(any_twice), Error::Duplicate { .. }));
}

#[test]
fn templates_that_would_match_something_else_are_refused() {
    for path in ["", "x", "/:id", "/*rest"] {
        let error = fault(app().route(path, get(hello)));
        assert_eq!(
            error,
            Error::InvalidPath {
                path: path.to_owned()
            }
        );
    }
    for prefix in ["", "/", "x"] {
        assert!(matches!(
            fault(app().nest(prefix, app())),
            Error::InvalidPath { .. }
        ));
        let mount = app().nest_service(prefix, any(hello));
        assert!(matches!(fault(mount), Error::InvalidPath { .. }));
    }
    let nested = app().nest("/a", app().route("x", get(hello)));
    assert!(matches!(fault(nested), Error::InvalidPath { .. }));
}

#[test]
fn an_owner_can_see_what_is_open() {
    let app = app()
        .public_route("/health", get(hello).audit(AuditScope::Off))
        .route("/greet", get(hello).optional())
        .nest(
            "/api",
            GuardedApp::new(Bench::new().gate).route(
                "/cases",
                get(hello).require_scope("cases:read").and(
                    post(hello)
                        .require_any_scope(["a", "b"])
                        .body_limit(7)
                        .step_up(recently(5)),
                ),
            ),
        )
        .nest_service("/files", any_config(|_| {}));
    let routes = app.routes().expect("no fault");
    assert_eq!(
        routes.to_string(),
        "GET     /health        public\n\
         GET     /greet         optional\n\
         GET     /api/cases     all of cases:read\n\
         POST    /api/cases     any of a b, login: at most 5 s old\n\
         ANY     /files/*       authenticated\n\
         ANY     (unknown path) authenticated\n"
    );
    let open: Vec<_> = routes
        .iter()
        .filter(|route| route.is_open())
        .map(|route| &route.path)
        .collect();
    assert_eq!(open, ["/health", "/greet"]);
    let post = routes
        .iter()
        .find(|route| route.method == "POST")
        .expect("listed");
    assert_eq!(post.body_limit, 7);
    assert_eq!(post.authentication, Some(recently(5)));
    assert_eq!(post.access, Access::any_scope(["a", "b"]).expect("scopes"));
    assert_eq!(routes.iter().next().expect("listed").audit, AuditScope::Off);
}

#[test]
fn templates_that_match_the_same_paths_are_refused() {
    for (path, other) in [
        ("/cases/{id}", "/cases/{name}"),
        ("/{*all}", "/{*rest}"),
        ("/{a}/x", "/{b}/x"),
    ] {
        let twice = app().route(path, get(hello)).route(other, post(hello));
        assert_eq!(
            fault(twice),
            Error::Collision {
                path: path.to_owned(),
                other: other.to_owned()
            }
        );
    }
    let nested = app()
        .route("/cases/{id}", get(hello))
        .nest("/cases", app().route("/{name}", get(hello)));
    assert!(matches!(fault(nested), Error::Collision { .. }));
    let twice = app()
        .nest_service("/files", any(hello))
        .nest_service("/files", any(hello));
    let route = "ANY /files/*".to_owned();
    assert_eq!(fault(twice), Error::Duplicate { route });
    // One goes before the other, and hides nothing of it.
    let different = app()
        .route("/cases/{id}", get(hello))
        .route("/cases/new", get(hello))
        .route("/{*rest}", get(hello))
        .nest_service("/cases", any(hello));
    assert!(different.build().is_ok());
}

#[test]
fn a_parameter_that_a_prefix_names_too_is_refused() {
    let nested = app().nest("/{id}", app().route("/{id}", get(hello)));
    let path = "/{id}/{id}".to_owned();
    assert_eq!(fault(nested), Error::InvalidPath { path });
}

#[test]
fn a_configuration_is_refused_where_it_would_not_be_registered() {
    let misplaced = [
        app().route("/x", any_config(|_| {})),
        app().fallback(any_config(|_| {})),
        app().nest_service("/x", any_config(|_| {}).wrap(DefaultHeaders::new)),
    ];
    for app in misplaced {
        assert!(matches!(fault(app), Error::Misplaced { .. }));
    }
}

/// A gate with the default limits.
fn limited() -> Gate {
    let rules = LimitRules::standard()
        .expect("quotas")
        .build()
        .expect("rules");
    let gate = Gate::builder("test")
        .without_authenticators()
        .without_audit();
    let gate = gate.rate_limits(RateLimits::in_memory(rules, 10));
    gate.build().expect("a gate")
}

#[test]
fn a_route_of_a_tier_that_the_gate_does_not_have_is_refused() {
    for (gate, tier) in [(limited(), "heavvy"), (Bench::new().gate, "heavy")] {
        let app = || GuardedApp::new(gate.clone());
        for faulty in [
            app().route("/x", get(hello).tier(tier)),
            app().fallback(any(hello).tier(tier)),
        ] {
            let listed = faulty.routes().expect_err("a fault");
            let Error::Limits { fault, .. } = &listed else {
                panic!("{listed:?}");
            };
            assert_eq!(*fault, ringwall_gate::Error::UnknownTier);
            assert_eq!(faulty.build().map(drop), Err(listed));
        }
    }
    let app = GuardedApp::new(limited())
        .route("/x", get(hello).tier("heavy"))
        .route("/y", get(hello).public().without_limits());
    let shown = app.routes().expect("no faults").to_string();
    assert!(
        shown.contains("GET     /x             authenticated, limits: heavy\n"),
        "{shown}"
    );
    assert!(
        shown.contains("GET     /y             public, no limits\n"),
        "{shown}"
    );
    assert!(app.build().is_ok());
}
