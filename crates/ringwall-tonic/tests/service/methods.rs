//! Methods with a policy, without one, and ones that do not exist.

use ringwall_core::event::EventKind;
use ringwall_tonic::{GuardedRoutes, authenticated, guard, public, require_scope};

use crate::raw::Call;
use crate::support::{Bench, Site, serve};

/// What strangers, somebody and somebody with every scope are answered.
async fn three(site: &Site, call: &Call) -> [Option<u32>; 3] {
    [
        site.call(call.clone()).await.code(),
        site.call(call.clone().from("stranger")).await.code(),
        site.call(call.clone().from("writer")).await.code(),
    ]
}

#[tokio::test]
async fn a_method_without_a_policy_is_refused_and_never_reached() {
    let bench = Bench::new();
    let site = bench.site().await;
    let refused = [Some(16), Some(12), Some(12)];
    assert_eq!(three(&site, &Call::of("Forgotten")).await, refused);
    assert_eq!(three(&site, &Call::of("Nonexistent")).await, refused);
    assert!(bench.desk.reached().is_empty());
    let trail = bench.trail();
    assert!(
        trail
            .iter()
            .all(|(action, _, _)| action == "/test.v1.Cases/(unlisted method)")
    );
    assert_eq!(
        bench.outcomes()[..3],
        ["denied 401", "grpc 12", "grpc 12"].map(str::to_owned)
    );
    assert_eq!(bench.kinds()[0], EventKind::CredentialsMissing);
}

#[tokio::test]
async fn a_mistyped_name_leaves_the_method_closed() {
    let bench = Bench::new();
    let server = guard(bench.desk.server()).method("version", public());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    let site = serve(routes.into_routes().expect("routes")).await;
    let refused = [Some(16), Some(12), Some(12)];
    assert_eq!(three(&site, &Call::of("Version")).await, refused);
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn services_that_do_not_exist_are_refused_the_same_way() {
    let bench = Bench::new();
    let site = bench.site().await;
    for path in [
        "/test.v1.Others/Read",
        "/test.v1.CasesX/Read",
        "/test.v1.Case/Read",
        "/Read",
        "/",
        "/test.v1.Cases",
        "/test.v1.Cases/",
        "/grpc.health.v1.Health/Check",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ] {
        let codes = three(&site, &Call::to(path)).await;
        assert_eq!(codes, [Some(16), Some(12), Some(12)], "{path}");
    }
    assert!(bench.desk.reached().is_empty());
    let (action, target, outcome) = bench.trail().swap_remove(1);
    assert_eq!(action, "(unknown path)");
    assert_eq!(target, "/test.v1.Others/Read");
    assert_eq!(outcome, "grpc 12");
}

#[tokio::test]
async fn one_policy_covers_every_method_that_has_none_of_its_own() {
    let bench = Bench::new();
    let server = guard(bench.desk.server())
        .every_method(require_scope("cases:read"))
        .method("Version", public())
        .method("Write", require_scope("cases:write"))
        .method("Whoami", authenticated());
    let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
    let site = serve(routes.into_routes().expect("routes")).await;
    for (method, expected) in [
        ("Version", [Some(0), Some(0), Some(0)]),
        ("Write", [Some(16), Some(7), Some(0)]),
        ("Whoami", [Some(16), Some(0), Some(0)]),
        ("Read", [Some(16), Some(7), Some(0)]),
        ("Forgotten", [Some(16), Some(7), Some(0)]),
        // tonic's own answer, behind the door.
        ("Nonexistent", [Some(16), Some(7), Some(12)]),
        // Not the name of a method: the service never sees it.
        ("Write/", [Some(16), Some(12), Some(12)]),
        ("Write/x", [Some(16), Some(12), Some(12)]),
        ("Wr%69te", [Some(16), Some(12), Some(12)]),
        ("Write;x", [Some(16), Some(12), Some(12)]),
        // Another name, and so under the policy of all others.
        ("write", [Some(16), Some(7), Some(12)]),
    ] {
        assert_eq!(three(&site, &Call::of(method)).await, expected, "{method}");
    }
    let actions: Vec<_> = bench
        .trail()
        .into_iter()
        .map(|(action, ..)| action)
        .collect();
    assert!(actions.contains(&"/test.v1.Cases/*".to_owned()));
}

#[tokio::test]
async fn methods_of_http_other_than_post_reach_no_handler() {
    let bench = Bench::new();
    let site = bench.site().await;
    for method in [
        "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "post", "BREW",
    ] {
        let call = Call::of("Read").by(method);
        let codes = three(&site, &call).await;
        assert_eq!(codes, [Some(16), Some(7), Some(12)], "{method}");
        let public = site.call(Call::of("Version").by(method)).await;
        assert_eq!(public.code(), Some(12), "{method}");
        assert_eq!(public.header("allow"), None, "gRPC has no such field");
    }
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn a_request_for_a_tunnel_has_no_path_and_reaches_nothing() {
    let bench = Bench::new();
    let site = bench.site().await;
    let connect = Call::of("Version").by("CONNECT").sending(Vec::new());
    let answer = site.call(connect.clone()).await;
    assert_eq!(answer.header("grpc-status"), Some("3"), "{answer:?}");
    let plain = connect.without("content-type").from("writer");
    assert_eq!(site.call(plain).await.status, 400);
    assert!(bench.desk.reached().is_empty());
}
