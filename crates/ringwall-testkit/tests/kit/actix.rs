//! The same assertions of actix-web applications.

use actix_web::web::Json;
use actix_web::{HttpRequest, HttpResponse};
use ringwall_actix::{CurrentPrincipal, CurrentTenant, Endpoints, GuardedApp, delete, get, post};
use ringwall_gate::HttpsOnly;
use ringwall_testkit::{Actix, App, FakeCertificate, Kit};
use serde_json::{Value, json};

use crate::support::{failure, run, said, says};

async fn app(endpoints: impl Into<Endpoints>) -> App<Actix> {
    let kit = Kit::new();
    let app = GuardedApp::new(kit.gate()).route("/cases", endpoints);
    served(&kit, app).await
}

async fn served(kit: &Kit, app: GuardedApp) -> App<Actix> {
    let guarded = app.build().expect("an app");
    kit.actix(actix_web::App::new().configure(guarded.configure()))
        .await
}

async fn cases() -> &'static str {
    "cases"
}

#[test]
fn good_routes_pass() {
    run(async {
        let scoped = app(get(cases).require_scope("cases:read")).await;
        scoped.get("/cases").needs_scope("cases:read").await;
        scoped
            .get("/cases")
            .as_user("alice", ["cases:read"])
            .fails_closed()
            .await;
        app(get(cases)).await.get("/cases").needs_login().await;
        app(get(cases).public())
            .await
            .get("/cases")
            .is_public()
            .await;
        app(get(cases).optional())
            .await
            .get("/cases")
            .is_optional()
            .await;
        let tenants = get(async |tenant: CurrentTenant| tenant.0.org.to_string());
        app(tenants)
            .await
            .get("/cases")
            .in_org("acme")
            .needs_tenant()
            .await;
    });
}

#[test]
fn bad_routes_fail() {
    let text = failure(async {
        app(get(cases).public())
            .await
            .get("/cases")
            .refuses_strangers()
            .await
    });
    says(
        &text,
        &["GET /cases lets a stranger in: no credential", "actix.rs"],
    );
    let text = failure(async {
        app(get(cases))
            .await
            .get("/cases")
            .needs_scope("cases:read")
            .await
    });
    says(
        &text,
        &["lets in a caller without the scope cases:read", "200 OK"],
    );
    let text = failure(async { app(get(cases)).await.get("/nowhere").needs_login().await });
    says(&text, &["GET /nowhere is not found"]);
    let text = failure(async {
        let open = actix_web::App::new().route("/cases", actix_web::web::get().to(cases));
        let app = Kit::new().actix(open).await;
        app.get("/cases").refuses_strangers().await;
    });
    says(&text, &["lets a stranger in", "no gate of this kit"]);
    let text = failure(async {
        app(get(cases).optional())
            .await
            .get("/cases")
            .is_public()
            .await
    });
    says(&text, &["expired an hour ago"]);
}

#[test]
fn what_is_sent_and_answered_is_what_was_said() {
    run(async {
        let create = async |caller: CurrentPrincipal, request: HttpRequest, body: Json<Value>| {
            let fields = request.headers().get_all("x-field").count();
            HttpResponse::Created()
                .insert_header(("x-answer", "yes"))
                .json(json!({"by": caller.0.subject.as_str(), "body": *body, "fields": fields, "uri": request.uri().to_string()}))
        };
        let app = app(post(create)).await;
        let answer = app
            .post("/cases?a=%20b")
            .as_user("alice", [])
            .header("x-field", "1")
            .header("x-field", "2")
            .json(&json!({"title": "first"}))
            .await;
        answer.assert_status(201).assert_header("x-answer", "yes");
        answer.assert_json(&json!({"by": "alice", "body": {"title": "first"}, "fields": 2, "uri": "/cases?a=%20b"}));
        app.kit()
            .audit()
            .last()
            .assert_completed(201)
            .assert_by("alice");
        let long = app
            .post("/cases")
            .as_user("alice", [])
            .body(vec![b'x'; 2 * 1024 * 1024])
            .await;
        long.assert_status(413);
    });
}

#[test]
fn a_handler_that_fails_fails() {
    let text = failure(async {
        let broken = async || Err::<&str, _>(actix_web::error::ErrorInternalServerError("broken"));
        app(get(broken)).await.get("/cases").needs_login().await;
    });
    says(&text, &["GET /cases fails", "500 Internal Server Error"]);
}

#[test]
fn the_connection_is_the_one_that_was_said() {
    run(async {
        let kit = Kit::new();
        let gate = kit
            .gate_builder()
            .https_only(HttpsOnly::refuse())
            .build()
            .unwrap();
        let app = served(&kit, GuardedApp::new(gate).route("/cases", get(cases))).await;
        app.get("/cases").refuses_plain_http().await;
        app.get("/cases")
            .from_address("198.51.100.7")
            .await
            .assert_unauthenticated();
        let source = app.kit().audit().last().record().intent.source;
        assert_eq!(source, Some("198.51.100.7".parse().unwrap()));
        let certificate = FakeCertificate::from_der([1]);
        let ask = || {
            app.get("/cases")
                .as_user("alice", [])
                .with_certificate(&certificate)
        };
        ask().await.assert_ok();
        certificate.distrust();
        let refused = ask().await;
        says(
            &said(|| {
                refused.assert_ok();
            }),
            &["no longer trusted"],
        );
    });
}

#[test]
fn a_body_that_breaks_off_is_no_body() {
    run(async {
        let broken = async || {
            let chunks = [
                Ok("half".into()),
                Err(actix_web::error::ErrorBadGateway("the wire was cut")),
            ];
            HttpResponse::Ok().streaming(tokio_stream::iter(chunks))
        };
        let answer = app(get(broken).public()).await.get("/cases").await;
        assert!(answer.broken().unwrap().contains("the wire was cut"));
        says(
            &said(|| {
                answer.assert_text("half");
            }),
            &["the body broke off", "half"],
        );
    });
}

#[test]
fn what_is_not_named_is_protected() {
    run(async {
        let kit = Kit::new();
        let make = || {
            let handler = async || -> &'static str { panic!("a sweep calls no handler") };
            let nested = GuardedApp::new(kit.gate()).route(
                "/{id}/notes/{rest}",
                get(handler)
                    .require_scope("a")
                    .and(delete(handler).require_any_scope(["b", "c"])),
            );
            GuardedApp::new(kit.gate())
                .nest("/cases", nested)
                .public_route("/healthz", get(handler))
        };
        let routes = make().routes().unwrap();
        let app = served(&kit, make()).await;
        app.protects_all_but(&routes, ["GET /healthz"]).await;
        says(
            &said(|| drop(app.protects_all_but(&routes, []))),
            &["GET /healthz is public"],
        );
    });
}
