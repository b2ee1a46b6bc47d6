//! Metadata that must not reach a handler, and metadata that may.

use ringwall_gate::TrustedProxies;
use ringwall_tonic::{GuardedRoutes, guard, public};

use crate::raw::{Call, framed};
use crate::support::{Bench, Site, serve};

/// What the handler reads of the field `name`.
async fn read(site: &Site, name: &str, call: Call) -> (Option<u32>, String) {
    let answer = site.call(call.saying(&format!("metadata {name}"))).await;
    let text = if answer.code() == Some(0) {
        answer.text()
    } else {
        String::new()
    };
    (answer.code(), text)
}

fn local() -> TrustedProxies {
    TrustedProxies::builder()
        .network("127.0.0.0/8")
        .build()
        .expect("proxies")
}

#[tokio::test]
async fn what_only_a_proxy_may_set_is_taken_out() {
    let bench = Bench::new();
    let site = bench.site().await;
    let call = Call::of("Version").with("x-auth-request-user", "root");
    assert_eq!(
        read(&site, "x-auth-request-user", call.clone()).await,
        (Some(0), String::new())
    );
    let other = call.with("x-other", "kept");
    assert_eq!(
        read(&site, "x-other", other).await,
        (Some(0), "kept".to_owned())
    );
    let underscore = Call::of("Version").with("x_auth_request_user", "root");
    let (code, _) = read(&site, "x_auth_request_user", underscore).await;
    assert_eq!(code, Some(3), "another spelling of the name is refused");
}

#[tokio::test]
async fn what_a_trusted_proxy_sets_is_kept() {
    let bench = Bench::with(|builder| builder.trusted_proxies(local()));
    let site = bench.site().await;
    let call = Call::of("Version")
        .with("x-auth-request-user", "ada")
        .with("x-forwarded-for", "192.0.2.7");
    assert_eq!(
        read(&site, "x-auth-request-user", call).await,
        (Some(0), "ada".to_owned())
    );
    let source = bench.audit.snapshot()[0].intent.source;
    assert_eq!(source, Some([192, 0, 2, 7].into()));
}

#[tokio::test]
async fn trailers_of_a_request_reach_no_handler_whoever_sent_them() {
    for trusting in [false, true] {
        let bench = Bench::with(|builder| match trusting {
            true => builder.trusted_proxies(local()),
            false => builder,
        });
        let site = bench.site().await;
        for name in ["x-auth-request-user", "authorization", "x-other"] {
            let call = Call::of("Version").ending(name, "Bearer writer");
            assert_eq!(
                read(&site, name, call).await,
                (Some(0), String::new()),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_credential_in_the_trailers_is_none() {
    let bench = Bench::new();
    let site = bench.site().await;
    let call = Call::of("Greet").ending("authorization", "Bearer writer");
    let answer = site.call(call.clone()).await;
    assert_eq!(answer.text(), "nobody");
    let answer = site
        .call(call.from("reader").ending("authorization", "Bearer writer"))
        .await;
    assert_eq!(answer.text(), "reader");
    let call = Call::of("Talk").from("reader");
    let call = call.sending(vec![framed("a"), framed("b")]);
    let answer = site.call(call.ending("grpc-status", "9")).await;
    assert_eq!(answer.code(), Some(0));
}

#[tokio::test]
async fn big_metadata_is_refused_by_the_transport_and_never_served() {
    let bench = Bench::new();
    let site = bench.site().await;
    let call = Call::of("Version").with("x-big", &"x".repeat(15_000));
    assert_eq!(site.call(call).await.code(), Some(0));
    let call = Call::of("Version").with("x-big", &"x".repeat(80_000));
    match site.raw().await.call(call).await {
        Ok(answer) => assert_eq!(answer.status, 431, "{answer:?}"),
        Err(error) => assert!(error.is_reset() || error.is_go_away(), "{error}"),
    }
    assert_eq!(bench.desk.reached(), ["Version"]);
}

#[tokio::test]
async fn a_big_credential_is_refused_and_not_copied_into_anything() {
    let bench = Bench::new();
    let site = bench.site().await;
    let answer = site.call(Call::of("Read").from(&"x".repeat(10_000))).await;
    assert_eq!(answer.code(), Some(16));
    let shown = format!("{answer:?} {:?} {:?}", bench.trail(), bench.events);
    assert!(!shown.contains("xxxx"));
}

#[tokio::test]
async fn the_proof_of_another_door_is_replaced() {
    // Two guards, the outer of them public: the handler sees the proof of the inner one.
    let outer = Bench::new();
    let inner = Bench::new();
    let server = inner.desk.guarded().into_service(&inner.gate);
    let server = guard(server.expect("a service")).every_method(public());
    let routes = GuardedRoutes::new(outer.gate.clone()).service(server);
    let site = serve(routes.into_routes().expect("routes")).await;
    let answer = site.call(Call::of("Whoami").from("reader")).await;
    assert_eq!(answer.text(), "reader");
    assert_eq!(site.call(Call::of("Whoami")).await.code(), Some(16));
    assert_eq!(outer.outcomes(), ["grpc 0", "grpc 16"]);
    assert_eq!(inner.outcomes(), ["grpc 0", "denied 401"]);
}
