//! Clients that do not speak gRPC over HTTP/2.

use ringwall_browser::CorsPolicy;
use ringwall_tonic::GuardedRoutes;
use ringwall_tower::CorsPolicyLayer;
use tonic::transport::Server;
use tonic_web::GrpcWebLayer;

use crate::raw::{Call, framed};
use crate::support::{Bench, Site, listen, serve_by};

const PROBLEM: Option<&str> = Some("application/problem+json");

fn asking(content_type: &str, call: Call) -> Call {
    call.without("content-type")
        .with("content-type", content_type)
}

#[tokio::test]
async fn who_does_not_say_grpc_is_refused_in_http() {
    let bench = Bench::new();
    let site = bench.site().await;
    for content_type in [
        "application/json",
        "text/plain",
        "application/grpcx",
        "application/grpc-web+proto",
        "application/grpc-web-text",
        "application",
        "",
    ] {
        let call = asking(content_type, Call::of("Read"));
        let answer = site.call(call.clone()).await;
        assert_eq!(answer.status, 401, "{content_type}");
        assert_eq!(answer.header("content-type"), PROBLEM);
        assert_eq!(answer.header("grpc-status"), None);
        assert_eq!(
            answer.header("www-authenticate"),
            Some("Bearer realm=\"test\"")
        );
        assert_eq!(
            String::from_utf8_lossy(&answer.body),
            r#"{"type":"about:blank","title":"Unauthorized","status":401}"#
        );

        let answer = site.call(call.clone().from("stranger")).await;
        assert_eq!(answer.status, 403, "{content_type}");

        let answer = site.call(call.from("reader")).await;
        assert_eq!(answer.status, 415, "{content_type}");
        assert_eq!(answer.header("content-type"), PROBLEM);
        assert_eq!(answer.header("accept-post"), Some("application/grpc"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let document: serde_json::Value = serde_json::from_slice(&answer.body).expect("a document");
        assert_eq!(document["status"], 415);
    }
    let none = Call::of("Version").without("content-type");
    assert_eq!(site.call(none).await.status, 415);
    let two = Call::of("Version").with("content-type", "application/grpc");
    assert_eq!(site.call(two).await.status, 415, "which of them counts?");
    assert!(bench.desk.reached().is_empty());
    assert!(bench.outcomes().contains(&"http 415".to_owned()));
}

#[tokio::test]
async fn what_says_grpc_is_served() {
    let bench = Bench::new();
    let site = bench.site().await;
    for content_type in [
        "application/grpc",
        "application/grpc+proto",
        "Application/GRPC",
        "application/grpc;charset=utf-8",
        "application/grpc ; a=b",
    ] {
        let answer = site.call(asking(content_type, Call::of("Version"))).await;
        assert_eq!(answer.code(), Some(0), "{content_type}");
    }
}

#[tokio::test]
async fn in_http_unknown_methods_and_paths_are_not_found() {
    let bench = Bench::new();
    let site = bench.site().await;
    for path in ["/test.v1.Cases/Forgotten", "/index.html"] {
        let call = Call::to(path).by("GET").without("content-type");
        assert_eq!(site.call(call.clone()).await.status, 401);
        let answer = site.call(call.from("reader")).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.header("content-type"), PROBLEM);
    }
    let call = Call::of("Read").by("GET").without("content-type");
    let answer = site.call(call.clone().from("reader")).await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = site.call(call.by("HEAD").from("reader")).await;
    assert_eq!((answer.status, answer.body.len()), (405, 0));
    assert!(bench.desk.reached().is_empty());
}

fn http1(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{headers}\r\n")
}

#[tokio::test]
async fn http1_is_no_way_in() {
    let bench = Bench::new();
    let site = bench.site().await;
    let text = http1("GET", "/test.v1.Cases/Version", "");
    let answer = site.http1(&text).await;
    assert!(!answer.contains("HTTP/1.1 2"), "{answer}");
    assert!(bench.desk.reached().is_empty());
}

async fn both(bench: &Bench) -> Site {
    let routes = bench.routes().into_routes().expect("routes");
    serve_by(Server::builder().accept_http1(true), routes).await
}

#[tokio::test]
async fn where_http1_is_accepted_it_is_judged_the_same_way() {
    let bench = Bench::new();
    let site = both(&bench).await;
    for (method, headers, status) in [
        ("POST", "content-type: application/json\r\n", "401"),
        ("GET", "", "401"),
        ("GET", "authorization: Bearer mallory\r\n", "401"),
        ("GET", "authorization: Bearer stranger\r\n", "403"),
        ("GET", "authorization: Bearer reader\r\n", "405"),
        ("POST", "authorization: Bearer reader\r\n", "415"),
        (
            "POST",
            "authorization: Bearer reader\r\nauthorization: Bearer reader\r\n",
            "400",
        ),
        ("POST", "connection: authorization\r\n", "400"),
    ] {
        let text = http1(method, "/test.v1.Cases/Read", headers);
        let answer = site.http1(&text).await;
        let line = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&line), "{method} {headers}: {answer}");
    }
    let grpc = "content-type: application/grpc\r\n";
    let answer = site
        .http1(&http1("POST", "/test.v1.Cases/Read", grpc))
        .await;
    assert!(answer.contains("grpc-status: 16"), "{answer}");
    assert!(bench.desk.reached().is_empty());
    for (target, status) in [
        ("/test.v1.Cases/../Read", "400"),
        ("//test.v1.Cases/Read", "400"),
        ("http://test/test.v1.Cases/Read", "401"),
        ("*", "400"),
    ] {
        let answer = site.http1(&http1("GET", target, "")).await;
        let line = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&line), "{target}: {answer}");
    }
}

/// What a browser sends: gRPC-Web over HTTP/1.1, and an answer whose trailers are in its body.
fn web(headers: &str) -> String {
    let length = framed("it").len();
    let headers = format!(
        "content-type: application/grpc-web+proto\r\ncontent-length: {length}\r\n{headers}"
    );
    let head = http1("POST", "/test.v1.Cases/Read", &headers);
    head + core::str::from_utf8(&framed("it")).expect("ASCII")
}

#[tokio::test]
async fn grpc_web_is_served_where_its_layer_is_around_the_routes() {
    let bench = Bench::new();
    let (incoming, site) = listen().await;
    let routes = bench.routes().into_routes().expect("routes");
    let server = Server::builder()
        .accept_http1(true)
        .layer(GrpcWebLayer::new())
        .add_routes(routes);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });

    let answer = site.http1(&web("authorization: Bearer reader\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("read it"), "{answer}");
    assert!(answer.contains("grpc-status:0"), "{answer}");
    let answer = site.http1(&web("")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("grpc-status: 16"), "{answer}");
    assert_eq!(bench.desk.reached(), ["Read"]);
    bench
        .until(|bench| bench.outcomes() == ["grpc 0", "denied 401"])
        .await;
}

#[tokio::test]
async fn pages_of_other_origins_call_grpc_web_where_a_policy_says_so() {
    let bench = Bench::new();
    let (incoming, site) = listen().await;
    let routes = bench.routes().into_routes().expect("routes");
    let cors = CorsPolicy::builder()
        .with_defaults()
        .request_headers(["x-grpc-web", "x-user-agent", "grpc-timeout"])
        .exposed_headers(["grpc-status", "grpc-message", "grpc-status-details-bin"])
        .origin("https://app.example.com")
        .build()
        .expect("a policy");
    let server = Server::builder()
        .accept_http1(true)
        .layer(CorsPolicyLayer::new(cors))
        .layer(GrpcWebLayer::new())
        .add_routes(routes);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });

    let asks = |origin: &str| {
        let headers = format!(
            "origin: {origin}\r\naccess-control-request-method: POST\r\n\
             access-control-request-headers: authorization,content-type,x-grpc-web\r\n"
        );
        http1("OPTIONS", "/test.v1.Cases/Read", &headers)
    };
    let answer = site.http1(&asks("https://app.example.com")).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let allowed = "access-control-allow-origin: https://app.example.com";
    assert!(answer.contains(allowed), "{answer}");
    let answer = site.http1(&asks("https://evilexample.com")).await;
    assert!(!answer.contains("access-control-allow"), "{answer}");

    // The refusal can be read too.
    let answer = site
        .http1(&web("origin: https://app.example.com\r\n"))
        .await;
    assert!(answer.contains(allowed), "{answer}");
    assert!(answer.contains("grpc-status: 16"), "{answer}");
    assert!(
        answer.contains("access-control-expose-headers: grpc-status"),
        "{answer}"
    );
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn grpc_web_is_refused_in_http_where_no_layer_translates_it() {
    let bench = Bench::new();
    let site = both(&bench).await;
    let answer = site.http1(&web("")).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let answer = site.http1(&web("authorization: Bearer reader\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 415"), "{answer}");
    assert!(bench.desk.reached().is_empty());
}

#[tokio::test]
async fn a_gate_without_a_service_refuses_everything() {
    let bench = Bench::new();
    let routes = GuardedRoutes::new(bench.gate.clone()).into_routes();
    let site = serve_by(Server::builder(), routes.expect("routes")).await;
    assert_eq!(site.call(Call::of("Version")).await.code(), Some(16));
}
