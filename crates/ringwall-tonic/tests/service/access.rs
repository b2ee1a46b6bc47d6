//! Who is served.

use ringwall_core::event::EventKind;
use ringwall_core::profile::Profile;
use tonic::{Code, Request};

use crate::cases::text;
use crate::raw::Call;
use crate::support::{Bench, ask_text};

#[tokio::test]
async fn without_credentials_the_answer_is_unauthenticated_with_a_bare_challenge() {
    let bench = Bench::new();
    let site = bench.site().await;
    let answer = site.call(Call::of("Whoami")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.trailers_only, "{answer:?}");
    assert_eq!(answer.code(), Some(16));
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert_eq!(answer.header("grpc-message"), Some("Unauthorized"));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"test\"")
    );
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing]);
    assert!(bench.desk.reached().is_empty());

    let mut client = site.client().await;
    let status = client.whoami(text("")).await.expect_err("refused");
    assert_eq!(status.code(), Code::Unauthenticated);
    let challenge = status.metadata().get("www-authenticate");
    assert_eq!(
        challenge.expect("a challenge").to_str().ok(),
        Some("Bearer realm=\"test\"")
    );
}

#[tokio::test]
async fn good_credentials_are_served_at_once_and_after_a_wait() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    for name in ["stranger", "slow"] {
        let answer = client.whoami(ask_text(name, "")).await.expect("served");
        assert_eq!(answer.into_inner().text, name);
    }
    let status = client.write(ask_text("slow", "")).await.expect_err("no");
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(bench.outcomes(), ["grpc 0", "grpc 0", "denied 403"]);
}

#[tokio::test]
async fn wrong_credentials_are_refused_with_the_authenticators_own_challenge() {
    let bench = Bench::new();
    let site = bench.site().await;
    let answer = site.call(Call::of("Whoami").from("mallory")).await;
    assert_eq!(answer.code(), Some(16));
    assert_eq!(
        answer.header("www-authenticate"),
        Some("Bearer realm=\"test\", error=\"invalid_token\"")
    );
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn scopes_are_demanded_as_registered() {
    let bench = Bench::new();
    let site = bench.site().await;
    let mut client = site.client().await;
    for (name, read, write, watch) in [
        ("stranger", false, false, false),
        ("reader", true, false, true),
        ("writer", true, true, true),
    ] {
        let served = client.read(ask_text(name, "")).await.is_ok();
        assert_eq!(served, read, "{name} reads");
        let served = client.write(ask_text(name, "")).await.is_ok();
        assert_eq!(served, write, "{name} writes");
        let served = client.watch(ask_text(name, "count 1")).await.is_ok();
        assert_eq!(served, watch, "{name} watches");
    }
    let answer = site.call(Call::of("Write").from("reader")).await;
    assert_eq!(answer.code(), Some(7));
    assert_eq!(
        answer.header("www-authenticate"),
        Some(
            "Bearer realm=\"test\", error=\"insufficient_scope\", scope=\"cases:read cases:write\""
        )
    );
}

#[tokio::test]
async fn optional_is_nobody_only_when_credentials_are_absent() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let answer = client.greet(text("")).await.expect("served");
    assert_eq!(answer.into_inner().text, "nobody");
    let answer = client.greet(ask_text("reader", "")).await.expect("served");
    assert_eq!(answer.into_inner().text, "reader");
    let status = client.greet(ask_text("mallory", "")).await.expect_err("no");
    assert_eq!(status.code(), Code::Unauthenticated);
    let mut request = Request::new(text(""));
    let other = "Basic bWU6bWU=".parse().expect("a value");
    request.metadata_mut().insert("authorization", other);
    let status = client.greet(request).await.expect_err("no");
    assert_eq!(status.code(), Code::Unauthenticated);
    let status = client.greet(ask_text("down", "")).await.expect_err("no");
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn a_public_method_looks_at_no_credentials() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    for name in ["mallory", "down", "reader"] {
        let answer = client.version(ask_text(name, "7")).await.expect("served");
        assert_eq!(answer.into_inner().text, "version 7", "{name}");
    }
    assert!(bench.kinds().is_empty());
    let records = bench.audit.snapshot();
    assert!(
        records
            .iter()
            .all(|record| record.intent.principal.is_none())
    );
}

#[tokio::test]
async fn an_unchecked_principal_passes_in_development_alone() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let status = client.whoami(ask_text("unchecked", "")).await;
    assert_eq!(status.expect_err("no").code(), Code::Unauthenticated);
    let bench = Bench::with(|builder| builder.profile(Profile::Development));
    let mut client = bench.site().await.client().await;
    assert!(client.whoami(ask_text("unchecked", "")).await.is_ok());
}
