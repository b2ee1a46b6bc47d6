//! The metadata of a protected resource (RFC 9728), and the challenges that name it.

use std::sync::Arc;

use ringwall_authn::jose::Algorithm;
use ringwall_authn::{
    ProtectedResource, ProtectedResourceBuilder, ProtectedResourceError, TokenAuthenticator,
    UrlFault,
};
use ringwall_core::clock::ManualClock;
use ringwall_core::denial::Challenge;
use ringwall_core::principal::Scope;
use ringwall_core::profile::Profile;
use ringwall_core::step::Step;
use serde_json::{Value, json};

use crate::support::*;

const RESOURCE: &str = "https://resource.example.com";
const SERVER: &str = "https://as1.example.com";

fn builder() -> ProtectedResourceBuilder {
    ProtectedResource::builder(RESOURCE, SERVER)
}

fn scopes(names: &[&str]) -> Vec<Scope> {
    names
        .iter()
        .map(|name| Scope::new(*name).unwrap())
        .collect()
}

fn document(resource: &ProtectedResource) -> Value {
    serde_json::from_str(resource.document()).unwrap()
}

/// What is wrong with `url` as the identifier of a resource.
#[track_caller]
fn fault(url: &str, profile: Profile) -> Option<UrlFault> {
    let built = ProtectedResource::builder(url, SERVER).profile(profile);
    match built.build() {
        Ok(_) => None,
        Err(ProtectedResourceError::Url { member, fault }) => {
            assert_eq!(member, "resource");
            Some(fault)
        }
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn rfc_9728_section_3_1_the_well_known_part_goes_between_host_and_path() {
    let vectors = include_str!("../vectors/rfc9728-3-1-paths.json");
    let vectors: Vec<[String; 3]> = serde_json::from_str(vectors).unwrap();
    assert_eq!(vectors.len(), 5);
    for [identifier, path, url] in vectors {
        let resource = ProtectedResource::builder(&identifier, SERVER)
            .build()
            .unwrap();
        assert_eq!(resource.path(), path);
        assert_eq!(resource.metadata_url(), url);
        // RFC 9728 §3.3: what is returned is what was asked about, its slash included.
        assert_eq!(resource.resource(), identifier);
        assert_eq!(document(&resource)["resource"], identifier.as_str());
    }
}

#[test]
fn rfc_9728_section_3_2_the_example_is_rendered_but_for_tokens_in_the_body() {
    let expected = include_str!("../vectors/rfc9728-3-2-response.json");
    let mut expected: Value = serde_json::from_str(expected).unwrap();
    // A token in the body (RFC 6750 §2.2) is never looked at.
    expected["bearer_methods_supported"] = json!(["header"]);
    let resource = builder()
        .authorization_server("https://as2.example.net")
        .scopes_supported(scopes(&["profile", "email", "phone"]))
        .resource_documentation("https://resource.example.com/resource_documentation.html")
        .build()
        .unwrap();
    assert_eq!(document(&resource), expected);
    assert_eq!(ProtectedResource::MEDIA_TYPE, "application/json");
}

#[test]
fn rfc_9728_section_5_1_the_challenge_names_the_url() {
    let expected = include_str!("../vectors/rfc9728-5-1-challenge.txt").trim_end();
    let parameter = expected.strip_prefix("Bearer ").unwrap();
    let resource = builder().build().unwrap();
    let challenge = Challenge::new("api").resource_metadata(resource.metadata_url());
    // The realm, which RFC 9110 §11.5 permits anywhere, stands before it.
    assert_eq!(
        challenge.to_string(),
        format!(r#"Bearer realm="api", {parameter}"#)
    );
}

#[test]
fn every_member_is_rendered_and_those_without_a_value_are_left_out() {
    let bare = document(&builder().build().unwrap());
    assert_eq!(
        bare,
        json!({
            "resource": RESOURCE,
            "authorization_servers": [SERVER],
            "bearer_methods_supported": ["header"],
        })
    );
    let full = builder()
        .scopes_supported(scopes(&["cases:read"]))
        .resource_name("Fälle \"α\"")
        .resource_documentation("https://docs.example.com/a%20b?c=d#e")
        .resource_policy_uri("https://docs.example.com/policy")
        .resource_tos_uri("https://docs.example.com/terms")
        .jwks_uri("https://resource.example.com/jwks.json")
        .resource_signing_algorithms([Algorithm::Es256, Algorithm::EdDsa])
        .authorization_details_types_supported(["payment_initiation"])
        .tls_client_certificate_bound_access_tokens()
        .dpop_signing_algorithms([Algorithm::Es256])
        .dpop_bound_access_tokens_required()
        .build()
        .unwrap();
    assert_eq!(
        document(&full),
        json!({
            "resource": RESOURCE,
            "authorization_servers": [SERVER],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["cases:read"],
            "resource_name": "Fälle \"α\"",
            "resource_documentation": "https://docs.example.com/a%20b?c=d#e",
            "resource_policy_uri": "https://docs.example.com/policy",
            "resource_tos_uri": "https://docs.example.com/terms",
            "jwks_uri": "https://resource.example.com/jwks.json",
            "resource_signing_alg_values_supported": ["ES256", "EdDSA"],
            "authorization_details_types_supported": ["payment_initiation"],
            "tls_client_certificate_bound_access_tokens": true,
            "dpop_signing_alg_values_supported": ["ES256"],
            "dpop_bound_access_tokens_required": true,
        })
    );
}

#[test]
fn a_resource_has_one_spelling_and_it_is_an_https_url() {
    let long = format!("https://a.example/{}", "x".repeat(2048));
    let long_label = format!("https://{}.example", "x".repeat(64));
    let long_host = format!("https://{}example", "x.".repeat(124));
    let cases = [
        (long_label.as_str(), UrlFault::Host),
        (long_host.as_str(), UrlFault::Host),
        ("", UrlFault::Length),
        (long.as_str(), UrlFault::Length),
        ("resource.example.com", UrlFault::Scheme),
        ("//resource.example.com", UrlFault::Scheme),
        ("HTTPS://resource.example.com", UrlFault::Scheme),
        ("http://resource.example.com", UrlFault::Scheme),
        ("http://localhost:3000", UrlFault::Scheme),
        ("ftp://resource.example.com", UrlFault::Scheme),
        ("https:/resource.example.com", UrlFault::Scheme),
        ("https://", UrlFault::Host),
        ("https:///path", UrlFault::Host),
        ("https://:8443", UrlFault::Host),
        ("https://Resource.example.com", UrlFault::Host),
        ("https://resource..example.com", UrlFault::Host),
        ("https://resource.example.com.", UrlFault::Host),
        ("https://-a.example.com", UrlFault::Host),
        ("https://a-.example.com", UrlFault::Host),
        ("https://a_b.example.com", UrlFault::Host),
        ("https://a%2eb.example.com", UrlFault::Host),
        ("https://127.1", UrlFault::Host),
        ("https://2130706433", UrlFault::Host),
        ("https://0x7f000001", UrlFault::Host),
        ("https://127.0.0.01", UrlFault::Host),
        ("https://[::1", UrlFault::Host),
        ("https://[0:0::1]", UrlFault::Host),
        ("https://[::1%25eth0]", UrlFault::Host),
        ("https://a.example:", UrlFault::Port),
        ("https://a.example:443", UrlFault::Port),
        ("https://a.example:0", UrlFault::Port),
        ("https://a.example:08443", UrlFault::Port),
        ("https://a.example:+8443", UrlFault::Port),
        ("https://a.example:65536", UrlFault::Port),
        ("https://a.example:8443:8444", UrlFault::Port),
        ("https://[::1]8443", UrlFault::Port),
        ("https://good.example@evil.example", UrlFault::User),
        ("https://user:secret@a.example", UrlFault::User),
        ("https://a.example/path?query", UrlFault::Query),
        ("https://a.example?", UrlFault::Query),
        ("https://a.example/path#fragment", UrlFault::Fragment),
        ("https://a.example#", UrlFault::Fragment),
        ("https://a.example//path", UrlFault::Path),
        ("https://a.example/path//", UrlFault::Path),
        ("https://a.example//", UrlFault::Path),
        ("https://a.example/./path", UrlFault::Path),
        ("https://a.example/a/../b", UrlFault::Path),
        ("https://a.example/..", UrlFault::Path),
        ("https://a.example/a%2fb", UrlFault::Path),
        ("https://a.example/%61", UrlFault::Path),
        ("https://a.example/%6", UrlFault::Character),
        ("https://a.example/%zz", UrlFault::Character),
        ("https://a.example/a b", UrlFault::Character),
        ("https://a.example/{id}", UrlFault::Character),
        ("https://a.example/\"", UrlFault::Character),
        ("https://a.example/\\", UrlFault::Character),
        ("https://a.example\\@evil.example", UrlFault::Character),
        ("https://a.example/\r\nSet-Cookie: a=b", UrlFault::Character),
        ("https://ä.example", UrlFault::Character),
        (" https://a.example", UrlFault::Character),
    ];
    for (url, expected) in cases {
        assert_eq!(fault(url, Profile::Production), Some(expected), "{url:?}");
    }
    for url in [
        "https://a.example",
        "https://a.example/",
        "https://a.example:8443/v1/mcp",
        "https://xn--4ca.example/a;b=c/~d/e@f:g",
        "https://api",
        "https://192.0.2.1",
        "https://[2001:db8::1]:8443/x",
    ] {
        assert_eq!(fault(url, Profile::Production), None, "{url:?}");
    }
}

#[test]
fn plain_http_is_for_loopback_in_development() {
    for url in [
        "http://localhost",
        "http://localhost:3000/mcp",
        "http://127.0.0.1:3000",
        "http://127.8.9.10",
        "http://[::1]:3000",
    ] {
        assert_eq!(fault(url, Profile::Development), None, "{url}");
        assert_eq!(
            fault(url, Profile::Production),
            Some(UrlFault::Scheme),
            "{url}"
        );
    }
    for url in [
        "http://a.example",
        "http://192.0.2.1",
        "http://localhost.example",
        "http://localhost.evil.example",
        "http://[2001:db8::1]",
        "http://[::ffff:127.0.0.1]",
        "http://0.0.0.0",
    ] {
        assert_eq!(
            fault(url, Profile::Development),
            Some(UrlFault::Scheme),
            "{url}"
        );
    }
    assert_eq!(
        fault("http://localhost:80", Profile::Development),
        Some(UrlFault::Port)
    );
    let built = ProtectedResource::builder("http://localhost:3000", "http://localhost:4000")
        .profile(Profile::Development)
        .build()
        .unwrap();
    assert_eq!(built.profile(), Profile::Development);
}

#[test]
fn what_is_wrong_is_said_with_the_member_that_is_wrong() {
    let url = |member, fault| ProtectedResourceError::Url { member, fault };
    let many = |member| ProtectedResourceError::TooMany { member };
    let text = |member| ProtectedResourceError::Text { member };
    let plain = "http://a.example";
    let many_scopes = vec![Scope::new("a").unwrap(); 129];
    let long = "x".repeat(257);
    let cases = [
        (
            ProtectedResource::builder(RESOURCE, plain),
            url("authorization_servers", UrlFault::Scheme),
        ),
        (
            builder().authorization_server("https://a.example?x"),
            url("authorization_servers", UrlFault::Query),
        ),
        (
            builder().authorization_server("https://a.example#x"),
            url("authorization_servers", UrlFault::Fragment),
        ),
        (
            builder().resource_documentation(plain),
            url("resource_documentation", UrlFault::Scheme),
        ),
        (
            builder().resource_policy_uri("javascript:alert(1)"),
            url("resource_policy_uri", UrlFault::Scheme),
        ),
        (
            builder().resource_tos_uri("https://a@b.example"),
            url("resource_tos_uri", UrlFault::User),
        ),
        (builder().jwks_uri(plain), url("jwks_uri", UrlFault::Scheme)),
        (
            builder().scopes_supported(many_scopes),
            many("scopes_supported"),
        ),
        (
            builder().authorization_details_types_supported(vec!["a"; 129]),
            many("authorization_details_types_supported"),
        ),
        (
            builder().authorization_details_types_supported([""]),
            text("authorization_details_types_supported"),
        ),
        (builder().resource_name(""), text("resource_name")),
        (builder().resource_name(&long), text("resource_name")),
        (builder().resource_name("a\nb"), text("resource_name")),
        (
            builder().dpop_signing_algorithms([Algorithm::Es256, Algorithm::Hs256]),
            ProtectedResourceError::SymmetricProof,
        ),
    ];
    for (builder, expected) in cases {
        assert_eq!(builder.build().unwrap_err(), expected);
    }
    let shown = builder().jwks_uri(plain).build().unwrap_err().to_string();
    assert!(shown.starts_with("jwks_uri is not acceptable"), "{shown}");
}

#[test]
fn every_challenge_of_an_authenticator_names_the_metadata() {
    let key = Key::new("k1", Algorithm::EdDsa);
    let authenticator = TokenAuthenticator::builder(verifier(&[&key]))
        .protected_resource(builder().build().unwrap())
        .clock(Arc::new(ManualClock::new(now())))
        .build();
    let bad = format!("Bearer {}", key.token(&with("aud", "other")));
    let parameter =
        r#"resource_metadata="https://resource.example.com/.well-known/oauth-protected-resource""#;
    let cases = [
        (None, 401, ""),
        (Some("Basic YTpi"), 401, ""),
        (Some(bad.as_str()), 401, r#"error="invalid_token", "#),
        (Some("Bearer"), 400, r#"error="invalid_request", "#),
    ];
    for (value, status, error) in cases {
        let headers: Vec<_> = value
            .map(|value| ("authorization", value))
            .into_iter()
            .collect();
        let view = ringwall_core::request::RequestView {
            method: "GET",
            scheme: None,
            authority: None,
            raw_path: "/",
            raw_query: None,
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: &headers,
        };
        let Step::Done(Err(denial)) = authenticator.authenticate(&view) else {
            panic!("accepted, or nothing to wait for")
        };
        let mut shown = Vec::new();
        denial.headers(|_, value| shown.push(value));
        assert_eq!(
            (denial.http_status(), shown),
            (
                status,
                vec![format!(r#"Bearer realm="api", {error}{parameter}"#)]
            )
        );
    }
}
