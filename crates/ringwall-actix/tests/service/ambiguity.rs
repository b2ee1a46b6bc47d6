//! Two credentials at once (threat list, line 35).

use ringwall_actix::{GuardedApp, get};
use ringwall_core::event::EventKind;

use crate::support::{Bench, serve};

#[tokio::test]
async fn two_credentials_are_refused_as_malformed_whatever_they_are() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .route("/plain", get(async || "hello"))
        .route("/optional", get(async || "hello").optional());
    let site = serve(app.build().expect("an app")).await;
    let cases: [&[(&str, &str)]; 6] = [
        &[
            ("authorization", "Bearer writer"),
            ("authorization", "Bearer writer"),
        ],
        &[
            ("authorization", "Bearer writer"),
            ("Authorization", "Basic eDp5"),
        ],
        &[
            ("authorization", "Basic eDp5"),
            ("authorization", "Basic eDp5"),
        ],
        &[("authorization", "Bearer writer"), ("x-api-key", "writer")],
        &[("authorization", "Bearer mallory"), ("x-api-key", "writer")],
        &[("authorization", "Basic eDp5"), ("x-api-key", "writer")],
    ];
    for headers in cases {
        for path in ["/plain", "/optional", "/unknown"] {
            let answer = site.send("GET", path, headers, "").await;
            assert_eq!(answer.status, 400, "{headers:?}");
            assert_eq!(
                answer.header("www-authenticate"),
                Some(r#"Bearer realm="test", error="invalid_request""#)
            );
        }
    }
    assert!(
        bench
            .kinds()
            .iter()
            .all(|kind| *kind == EventKind::CredentialsAmbiguous)
    );
    assert_eq!(bench.kinds().len(), 18);
}

#[tokio::test]
async fn one_credential_of_either_kind_is_enough() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).route("/plain", get(async || "hello"));
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get_as("reader", "/plain").await.status, 200);
    assert_eq!(
        site.send("GET", "/plain", &[("x-api-key", "reader")], "")
            .await
            .status,
        200
    );
    let twice = [("x-api-key", "reader"), ("x-api-key", "reader")];
    assert_eq!(site.send("GET", "/plain", &twice, "").await.status, 401);
}

#[tokio::test]
async fn several_host_fields_are_refused_also_on_public_routes() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone()).public_route("/page", get(async || "hello"));
    let site = serve(app.build().expect("an app")).await;
    let answer = site.send("GET", "/page", &[("host", "other")], "").await;
    assert_eq!(answer.status, 400);
    // actix-http refuses the request before there is one.
    assert!(bench.kinds().is_empty());
}
