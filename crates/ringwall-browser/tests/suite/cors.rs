use std::time::Duration;

use ringwall_browser::{CorsPolicy, CorsPolicyBuilder, Error, Loosened};
use ringwall_core::profile::Profile;
use ringwall_core::request::RequestView;

const APP: &str = "https://app.example.com";

fn refusal(builder: CorsPolicyBuilder) -> Error {
    builder.build().expect_err("no policy")
}

#[test]
fn any_origin_excludes_credentials_and_a_list() {
    let any = || CorsPolicy::builder().with_defaults().any_origin();
    assert_eq!(
        refusal(any().allow_credentials()),
        Error::AnyOriginWithCredentials
    );
    assert_eq!(refusal(any().origin(APP)), Error::AnyOriginWithOrigins);
    let loopback = any().loopback_origin("http://localhost:3000");
    assert_eq!(refusal(loopback), Error::AnyOriginWithOrigins);
    assert!(any().build().is_ok());
}

#[test]
fn a_star_stands_for_nothing() {
    let builder = CorsPolicy::builder;
    assert_eq!(refusal(builder().origin("*")), Error::InvalidWildcard);
    assert_eq!(refusal(builder().origin_list("*")), Error::InvalidWildcard);
    assert_eq!(refusal(builder().methods(["*"])), Error::InvalidMethod);
    assert_eq!(
        refusal(builder().request_headers(["*"])),
        Error::InvalidHeaderName
    );
    assert_eq!(
        refusal(builder().exposed_headers(["*"])),
        Error::InvalidHeaderName
    );
}

#[test]
fn an_http_origin_needs_the_development_profile_or_to_be_named_as_loopback() {
    let builder = || CorsPolicy::builder().with_defaults();
    for origin in [
        "http://app.example.com",
        "http://localhost:3000",
        "http://*.example.com",
    ] {
        assert_eq!(
            refusal(builder().origin(origin)),
            Error::PlainOrigin,
            "{origin}"
        );
        let development = builder().profile(Profile::Development).origin(origin);
        assert!(development.build().is_ok(), "{origin}");
    }
    for origin in [
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "https://localhost",
    ] {
        assert!(
            builder().loopback_origin(origin).build().is_ok(),
            "{origin}"
        );
    }
    for origin in [
        "http://app.example.com",
        "https://app.example.com",
        "http://localhost.evil.test",
    ] {
        assert_eq!(
            refusal(builder().loopback_origin(origin)),
            Error::NotLoopback
        );
    }
    assert_eq!(
        refusal(builder().loopback_origin("localhost")),
        Error::InvalidOrigin
    );
}

#[test]
fn methods_are_tokens_in_capitals_that_scripts_may_use() {
    let long = "A".repeat(129);
    for method in [
        "", "get", "Get", "GET ", "GET,PUT", "GE\tT", "CONNECT", "TRACE", "TRACK", &long,
    ] {
        let builder = CorsPolicy::builder().methods([method]);
        assert_eq!(refusal(builder), Error::InvalidMethod, "{method:?}");
    }
    assert!(
        CorsPolicy::builder()
            .methods(["PROPFIND", "M-SEARCH"])
            .build()
            .is_ok()
    );
}

#[test]
fn names_of_fields_are_tokens() {
    let long = "a".repeat(129);
    for name in ["", "x y", "x,y", "x:y", "x\r\ny", "ü", "x;y", &long] {
        let asked = CorsPolicy::builder().request_headers([name]);
        assert_eq!(refusal(asked), Error::InvalidHeaderName, "{name:?}");
        let exposed = CorsPolicy::builder().exposed_headers([name]);
        assert_eq!(refusal(exposed), Error::InvalidHeaderName, "{name:?}");
    }
}

#[test]
fn lists_and_times_are_bounded() {
    let origins = |count: usize| {
        (0..count).fold(CorsPolicy::builder(), |builder, number| {
            builder.origin(&format!("https://a{number}.example.com"))
        })
    };
    assert!(origins(256).build().is_ok());
    assert_eq!(refusal(origins(257)), Error::TooMany);
    let with_loopback = origins(256).loopback_origin("http://localhost");
    assert_eq!(refusal(with_loopback), Error::TooMany);
    let names = |count: usize| {
        (0..count)
            .map(|number| format!("x-{number}"))
            .collect::<Vec<_>>()
    };
    assert!(
        CorsPolicy::builder()
            .request_headers(names(64))
            .build()
            .is_ok()
    );
    assert_eq!(
        refusal(CorsPolicy::builder().request_headers(names(65))),
        Error::TooMany
    );
    assert_eq!(
        refusal(CorsPolicy::builder().exposed_headers(names(65))),
        Error::TooMany
    );
    let methods = (0..65).map(|number| format!("M{number}"));
    assert_eq!(
        refusal(CorsPolicy::builder().methods(methods)),
        Error::TooMany
    );
    let age = |seconds| CorsPolicy::builder().max_age(Duration::from_secs(seconds));
    assert!(age(86_400).build().is_ok());
    assert_eq!(refusal(age(86_401)), Error::MaxAge);
}

#[test]
fn an_empty_list_adds_nobody() {
    for list in ["", " ", ",", " , ,"] {
        let policy = CorsPolicy::builder().with_defaults().origin_list(list);
        let policy = policy.build().expect("a policy");
        assert!(!permits(&policy, &[("origin", APP)]), "{list:?}");
        assert!(policy.loosened().is_empty());
    }
    let list = "https://app.example.com , not an origin";
    let builder = CorsPolicy::builder().origin_list(list);
    assert_eq!(refusal(builder), Error::InvalidOrigin);
}

fn permits(policy: &CorsPolicy, headers: &[(&str, &str)]) -> bool {
    policy.permits_origin(&RequestView {
        method: "GET",
        scheme: None,
        authority: None,
        raw_path: "/",
        raw_query: None,
        socket_peer: None,
        client_address: None,
        tls_peer: None,
        headers: &headers,
    })
}

#[test]
fn a_web_sockets_handshake_can_be_held_against_the_same_list() {
    let policy = CorsPolicy::builder().origin(APP).build().expect("a policy");
    assert!(permits(&policy, &[("origin", APP)]));
    assert!(!permits(&policy, &[]));
    assert!(!permits(&policy, &[("origin", APP), ("origin", APP)]));
    assert!(!permits(&policy, &[("origin", "null")]));
    assert!(!permits(&policy, &[("origin", "https://evil.test")]));
}

#[test]
fn what_is_loosened_is_told() {
    let strict = CorsPolicy::builder()
        .with_defaults()
        .origin(APP)
        .allow_credentials();
    assert!(strict.build().expect("a policy").loosened().is_empty());
    let loose = CorsPolicy::builder()
        .profile(Profile::Development)
        .origin("http://app.example.com")
        .origin("https://*.example.com")
        .loopback_origin("http://localhost:3000")
        .allow_credentials();
    let loose = loose.build().expect("a policy");
    let told: Vec<String> = loose.loosened().iter().map(ToString::to_string).collect();
    for word in [
        "http://app.example.com",
        "https://*.example.com",
        "http://localhost:3000",
    ] {
        assert!(
            told.iter().any(|line| line.contains(word)),
            "{word}: {told:?}"
        );
    }
    assert_eq!(told.len(), 3);
    let any = CorsPolicy::builder()
        .any_origin()
        .build()
        .expect("a policy");
    assert_eq!(any.loosened(), [Loosened::AnyOrigin]);
}

#[test]
fn shows_what_it_permits() {
    let shown = format!(
        "{:?}",
        CorsPolicy::builder().origin(APP).build().expect("a policy")
    );
    assert!(shown.contains(APP), "{shown}");
    let any = CorsPolicy::builder()
        .any_origin()
        .build()
        .expect("a policy");
    assert!(format!("{any:?}").contains("any"));
}
