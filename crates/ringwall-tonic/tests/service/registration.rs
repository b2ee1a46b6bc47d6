//! Registrations that cannot be meant, and what an owner can see.

use std::time::Duration;

use ringwall_gate::rate_limit::LimitRules;
use ringwall_gate::{AuthenticationRequirement, Gate, RateLimits};
use ringwall_tonic::{
    Error, GuardedRoutes, MethodPolicy, authenticated, guard, optional, public, require_any_scope,
    require_scope,
};
use tonic::server::NamedService;

use crate::cases::Desk;
use crate::support::Bench;

fn fault(policies: &[(&str, MethodPolicy)]) -> Error {
    let bench = Bench::new();
    let mut server = guard(Desk::default().server());
    for (name, policy) in policies {
        server = server.method(name, policy.clone());
    }
    let routes = || GuardedRoutes::new(bench.gate.clone()).service(server.clone());
    let error = routes().into_routes().expect_err("a fault");
    assert_eq!(routes().methods().expect_err("a fault"), error);
    assert_eq!(routes().into_axum_router().expect_err("a fault"), error);
    let alone = server.into_service(&bench.gate);
    assert_eq!(alone.expect_err("a fault"), error);
    error
}

fn recently() -> AuthenticationRequirement {
    AuthenticationRequirement::max_age(Duration::from_secs(60)).expect("a requirement")
}

#[test]
fn a_method_that_contradicts_itself_is_refused() {
    for policy in [
        public().require_scope("a"),
        require_scope("a").public(),
        public().optional(),
        optional().public(),
        require_scope("a").require_any_scope(["b"]),
        require_any_scope(["b"]).require_scope("a"),
        public().step_up(recently()),
        optional().step_up(recently()),
        require_scope("a").step_up(recently()).step_up(
            AuthenticationRequirement::max_age(Duration::from_secs(61)).expect("a requirement"),
        ),
        public().tier("a").tier("b"),
        public().tier("a").without_limits(),
    ] {
        let method = "/test.v1.Cases/Read".to_owned();
        assert_eq!(fault(&[("Read", policy)]), Error::Contradiction { method });
    }
}

#[test]
fn a_method_of_a_tier_that_the_gate_does_not_have_is_refused() {
    let expected = Error::Limits {
        method: "/test.v1.Cases/Read".to_owned(),
        fault: ringwall_gate::Error::UnknownTier,
    };
    assert_eq!(fault(&[("Read", authenticated().tier("heavy"))]), expected);
    let rules = LimitRules::standard()
        .expect("quotas")
        .build()
        .expect("rules");
    let gate = Gate::builder("test")
        .without_authenticators()
        .without_audit();
    let gate = gate.rate_limits(RateLimits::in_memory(rules, 10));
    let gate = gate.build().expect("a gate");
    let server = guard(Desk::default().server())
        .method("Read", authenticated().tier("heavy"))
        .method("Watch", public().without_limits());
    let routes = GuardedRoutes::new(gate).service(server);
    let shown = routes.methods().expect("no faults").to_string();
    assert!(shown.contains("authenticated, limits: heavy\n"), "{shown}");
    assert!(shown.contains("public, no limits\n"), "{shown}");
    assert!(routes.into_routes().is_ok());
}

#[test]
fn a_scope_that_cannot_exist_is_refused_rather_than_never_granted() {
    for scope in ["", "a b", "a\"", "\u{e4}"] {
        for policy in [require_scope(scope), require_any_scope(["a", scope])] {
            let method = "/test.v1.Cases/Read".to_owned();
            assert_eq!(fault(&[("Read", policy)]), Error::InvalidScope { method });
        }
    }
}

#[test]
fn a_method_is_registered_once() {
    let method = "/test.v1.Cases/Read".to_owned();
    let twice = [("Read", authenticated()), ("Read", authenticated())];
    assert_eq!(fault(&twice), Error::Duplicate { method });

    let bench = Bench::new();
    let server = guard(Desk::default().server())
        .every_method(authenticated())
        .every_method(public());
    let method = "/test.v1.Cases/*".to_owned();
    let error = server.into_service(&bench.gate).expect_err("a fault");
    assert_eq!(error, Error::Duplicate { method });
}

#[test]
fn names_that_would_never_match_are_refused() {
    for name in [
        "",
        "/Read",
        "Read/",
        "test.v1.Cases/Read",
        "/test.v1.Cases/Read",
        "Re ad",
        "R%65ad",
        "Read?",
        "*",
        "{name}",
        "L\u{e4}sen",
    ] {
        let error = Error::InvalidMethod {
            name: name.to_owned(),
        };
        assert_eq!(fault(&[(name, authenticated())]), error);
    }
}

/// A service with a name that a router would read as a template.
#[derive(Clone, Debug)]
struct Template<S>(S);

impl<S> NamedService for Template<S> {
    const NAME: &'static str = "{*any}";
}

impl<S, B> tower::Service<http::Request<B>> for Template<S>
where
    S: tower::Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<B>) -> S::Future {
        self.0.call(request)
    }
}

#[test]
fn services_that_would_match_something_else_are_refused() {
    let bench = Bench::new();
    let server = guard(Template(Desk::default().server())).every_method(authenticated());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    let name = "{*any}".to_owned();
    assert_eq!(
        routes.into_routes().expect_err("a fault"),
        Error::InvalidService { name }
    );

    let twice = bench.routes().service(guard(Desk::default().server()));
    let service = "test.v1.Cases".to_owned();
    assert_eq!(
        twice.into_routes().expect_err("a fault"),
        Error::DuplicateService { service }
    );
    let merged = bench.routes().merge(bench.routes());
    assert!(matches!(
        merged.into_routes(),
        Err(Error::DuplicateService { .. })
    ));
}

#[test]
fn an_owner_can_see_what_is_open() {
    let bench = Bench::new();
    let (_, health) = tonic_health::server::health_reporter();
    let server = bench.desk.guarded().method(
        "Forgotten",
        require_scope("cases:purge").step_up(recently()),
    );
    let routes = GuardedRoutes::new(bench.gate.clone())
        .service(server)
        .public_service(health);
    let methods = routes.methods().expect("methods");
    let expected = "\
/test.v1.Cases/Version                  public
/test.v1.Cases/Greet                    optional
/test.v1.Cases/Whoami                   authenticated
/test.v1.Cases/Read                     all of cases:read
/test.v1.Cases/Write                    all of cases:read cases:write
/test.v1.Cases/Watch                    any of cases:admin cases:read
/test.v1.Cases/Upload                   all of cases:read, streams without a limit
/test.v1.Cases/Talk                     all of cases:read, streams without a limit
/test.v1.Cases/Forgotten                all of cases:purge, login: at most 60 s old
/test.v1.Cases/(unlisted method)        authenticated
/grpc.health.v1.Health/*                public
/grpc.health.v1.Health/(unlisted method) authenticated
(unknown path)                          authenticated
";
    // The longest path is one column wider than the rest is written here.
    let shown: Vec<String> = methods
        .to_string()
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let expected: Vec<String> = expected
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(shown, expected);
    let open: Vec<_> = methods
        .iter()
        .filter(|entry| entry.is_open())
        .map(|entry| &*entry.path)
        .collect();
    assert_eq!(
        open,
        [
            "/test.v1.Cases/Version",
            "/test.v1.Cases/Greet",
            "/grpc.health.v1.Health/*"
        ]
    );
    let upload = methods.iter().find(|entry| entry.path.ends_with("Upload"));
    assert_eq!(upload.expect("listed").body_limit, None);
    let read = methods.iter().find(|entry| entry.path.ends_with("/Read"));
    assert_eq!(read.expect("listed").body_limit, Some(1024 * 1024));
}
