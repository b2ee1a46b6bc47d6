//! Faults found at start, and the list of what is registered.

use ringwall_axum::{Error, GuardedRouter, any, any_service, get, post};
use ringwall_gate::rate_limit::LimitRules;
use ringwall_gate::{Access, AuditScope, AuthenticationRequirement, Gate, RateLimits};

use crate::support::Bench;

async fn hello() -> &'static str {
    "hello"
}

fn router() -> GuardedRouter {
    GuardedRouter::new(Bench::new().gate)
}

fn recently(seconds: u64) -> AuthenticationRequirement {
    AuthenticationRequirement::max_age(std::time::Duration::from_secs(seconds)).expect("an age")
}

fn fault(router: GuardedRouter) -> Error {
    router.into_router().expect_err("a fault")
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
        let error = fault(router().route("/x", endpoint));
        let route = "GET /x".to_owned();
        assert_eq!(error, Error::Contradiction { route }, "{text}");
    }
    let error = fault(router().public_route("/x", get(hello).require_scope("a")));
    assert!(matches!(error, Error::Contradiction { .. }));
}

#[test]
fn a_state_changes_no_policy() {
    let router = || {
        let endpoint = post(hello).require_scope("a").step_up(recently(5));
        let endpoint = endpoint.body_limit(7).audit(AuditScope::DenialsOnly);
        GuardedRouter::<u32>::new(limited())
            .route("/x", endpoint.permit_plain_http().tier("heavy"))
            .route("/y", get(hello).optional().without_limits())
            .fallback(any(hello).public())
    };
    let before = router().routes().expect("no faults");
    let after = router().with_state::<()>(7).routes();
    assert_eq!(after, Ok(before));
}

#[test]
fn a_scope_that_cannot_exist_is_refused_rather_than_never_granted() {
    for scope in ["", "two words", "quoted\""] {
        let route = "GET /x".to_owned();
        let one = fault(router().route("/x", get(hello).require_scope(scope)));
        assert_eq!(
            one,
            Error::InvalidScope {
                route: route.clone()
            }
        );
        let any = fault(router().route("/x", get(hello).require_any_scope(["a", scope])));
        assert_eq!(any, Error::InvalidScope { route });
    }
}

#[test]
fn a_method_and_path_are_registered_once() {
    let twice = [
        router().route("/x", get(hello).and(get(hello).public())),
        router().route("/x", get(hello)).route("/x", get(hello)),
        router()
            .route("/a/x", get(hello))
            .nest("/a", router().route("/x", get(hello))),
    ];
    for router in twice {
        assert!(matches!(fault(router), Error::Duplicate { .. }));
    }
    assert!(
        router()
            .route("/x", get(hello))
            .route("/x", post(hello))
            .into_router()
            .is_ok()
    );
    let any_twice = router().route("/x", any(hello).and(any(hello)));
    assert!(matches!(fault(any_twice), Error::Duplicate { .. }));
}

#[test]
fn templates_that_would_match_something_else_are_refused() {
    for path in ["", "x", "/:id", "/*rest"] {
        let error = fault(router().route(path, get(hello)));
        assert_eq!(
            error,
            Error::InvalidPath {
                path: path.to_owned()
            }
        );
    }
    for prefix in ["", "/", "x"] {
        assert!(matches!(
            fault(router().nest(prefix, router())),
            Error::InvalidPath { .. }
        ));
        let mount = router().nest_service(prefix, any(hello));
        assert!(matches!(fault(mount), Error::InvalidPath { .. }));
    }
    let nested = router().nest("/a", router().route("x", get(hello)));
    assert!(matches!(fault(nested), Error::InvalidPath { .. }));
}

#[test]
fn an_owner_can_see_what_is_open() {
    let router = router()
        .public_route("/health", get(hello).audit(AuditScope::Off))
        .route("/greet", get(hello).optional())
        .nest(
            "/api",
            GuardedRouter::new(Bench::new().gate).route(
                "/cases",
                get(hello).require_scope("cases:read").and(
                    post(hello)
                        .require_any_scope(["a", "b"])
                        .body_limit(7)
                        .step_up(recently(5)),
                ),
            ),
        )
        .nest_service("/files", any_service(axum::Router::new()));
    let routes = router.routes().expect("no fault");
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
        let router = || GuardedRouter::<()>::new(gate.clone());
        for faulty in [
            router().route("/x", get(hello).tier(tier)),
            router().fallback(any(hello).tier(tier)),
        ] {
            let listed = faulty.routes().expect_err("a fault");
            let Error::Limits { fault, .. } = &listed else {
                panic!("{listed:?}");
            };
            assert_eq!(*fault, ringwall_gate::Error::UnknownTier);
            assert_eq!(faulty.into_router().map(drop), Err(listed));
        }
    }
    let router = GuardedRouter::<()>::new(limited())
        .route("/x", get(hello).tier("heavy"))
        .route("/y", get(hello).public().without_limits());
    let shown = router.routes().expect("no faults").to_string();
    assert!(
        shown.contains("GET     /x             authenticated, limits: heavy\n"),
        "{shown}"
    );
    assert!(
        shown.contains("GET     /y             public, no limits\n"),
        "{shown}"
    );
    assert!(router.into_router().is_ok());
}
