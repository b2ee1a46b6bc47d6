//! What is sent is what was said.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Uri};
use ringwall_axum::{any, get};
use ringwall_core::principal::PrincipalKind;
use ringwall_gate::Admitted;
use ringwall_testkit::{FakeCertificate, Flaw, Kit};
use ringwall_transport::{Peer, TrustedProxies};

use crate::support::{app, behind, failure, run, said, says};

#[test]
fn method_path_fields_and_body_arrive_as_they_were_said() {
    run(async {
        let echo = async |method: Method, uri: Uri, headers: HeaderMap, body: String| {
            let fields = headers.get_all("x-field").iter().count();
            format!("{method} {uri} {fields} {body}")
        };
        let app = app(any(echo).public());
        let request = app.request(Method::PATCH, "/cases?a=%20b");
        let request = request
            .header("x-field", "1")
            .header("x-field", "2")
            .body("text");
        request.await.assert_text("PATCH /cases?a=%20b 2 text");
        for (request, method) in [
            (app.get("/cases"), "GET"),
            (app.post("/cases"), "POST"),
            (app.put("/cases"), "PUT"),
            (app.patch("/cases"), "PATCH"),
            (app.delete("/cases"), "DELETE"),
            (app.options("/cases"), "OPTIONS"),
        ] {
            request.await.assert_text(&format!("{method} /cases 0 "));
        }
        app.head("/cases").await.assert_ok().assert_text("");
        let json = app.post("/cases").json(&[1, 2]).await;
        json.assert_text("POST /cases 0 [1,2]");
    });
}

#[test]
fn a_request_comes_from_whom_it_says() {
    run(async {
        let whoami = async |admitted: axum::Extension<Admitted>| {
            let caller = admitted.principal().unwrap();
            let on_behalf = caller
                .on_behalf_of
                .as_ref()
                .map_or("", |subject| subject.as_str());
            let tenant = caller
                .tenant
                .as_ref()
                .map_or("", |tenant| tenant.org.as_str());
            let project = caller
                .tenant
                .as_ref()
                .and_then(|tenant| tenant.project.as_ref());
            let project = project.map_or("", |project| project.as_str());
            let kind = caller.kind.as_str();
            format!("{kind} {} {on_behalf} {tenant} {project}", caller.subject)
        };
        let app = app(get(whoami).require_scope("a"));
        let cases = || app.get("/cases");
        cases()
            .as_user("alice", ["a"])
            .await
            .assert_text("user alice   ");
        cases()
            .as_service("billing", ["a"])
            .await
            .assert_text("service billing   ");
        cases()
            .as_agent("bot", "alice", ["a"])
            .await
            .assert_text("agent bot alice  ");
        let in_tenant = cases()
            .as_user("alice", ["a"])
            .in_org("acme")
            .in_project("demo");
        in_tenant.await.assert_text("user alice  acme demo");
        let draft = app.kit().token("zoe").scope("a");
        cases().with(draft.clone()).await.assert_text("user zoe   ");
        cases().with(draft.issue()).await.assert_text("user zoe   ");
        cases()
            .with(draft.flawed(Flaw::Tampered))
            .await
            .assert_unauthenticated();
        cases().await.assert_unauthenticated();
        assert_eq!(PrincipalKind::Agent.as_str(), "agent");
    });
}

#[test]
fn a_request_comes_from_where_it_says() {
    run(async {
        let kit = Kit::new();
        let proxies = TrustedProxies::builder()
            .network("10.0.0.0/8")
            .build()
            .unwrap();
        let gate = kit.gate_builder().trusted_proxies(proxies).build().unwrap();
        let whence = async |admitted: axum::Extension<Admitted>, info: ConnectInfo<SocketAddr>| {
            let scheme = admitted.scheme().unwrap_or("?");
            format!(
                "{:?} {scheme} {}",
                admitted.client_address().unwrap(),
                info.0.ip()
            )
        };
        let app = behind(&kit, gate, get(whence).optional());
        let cases = || app.get("/cases");
        cases().await.assert_text("192.0.2.1 https 192.0.2.1");
        cases()
            .over_plain_http()
            .await
            .assert_text("192.0.2.1 http 192.0.2.1");
        cases()
            .from_address("198.51.100.7")
            .await
            .assert_text("198.51.100.7 https 198.51.100.7");
        let forged = cases().header("x-forwarded-for", "203.0.113.9");
        forged.await.assert_text("192.0.2.1 https 192.0.2.1");
        let proxied = cases()
            .from_address("10.1.2.3")
            .header("x-forwarded-for", "203.0.113.9");
        proxied.await.assert_text("203.0.113.9 https 10.1.2.3");
        let unknown = Peer::new("192.0.2.9:1".parse().unwrap());
        cases()
            .from_peer(unknown)
            .await
            .assert_text("192.0.2.9 ? 192.0.2.9");
    });
}

#[test]
fn a_certificate_opens_no_door_once_it_is_no_longer_trusted() {
    run(async {
        let app = app(get(async || "cases"));
        let certificate = FakeCertificate::from_der(vec![1, 2, 3]);
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
            &["certificate of given bytes, no longer trusted"],
        );
        certificate.trust();
        ask().await.assert_ok();
    });
}

#[test]
fn what_cannot_be_sent_fails_where_it_is_said() {
    let app = app(get(async || "cases"));
    says(
        &said(|| drop(app.get("/").header("a b", "c"))),
        &["the header field \"a b\""],
    );
    says(
        &said(|| drop(app.get("/").header("a", "b\n"))),
        &["its value"],
    );
    says(
        &said(|| drop(app.get("/").from_address("here"))),
        &["the address \"here\""],
    );
    for path in ["cases", "", "/ a", "https://api.test/cases"] {
        let text = failure(async { drop(app.get(path).await) });
        says(&text, &["is not a path"]);
    }
    let text = failure(async { drop(app.get("/cases").in_org("acme").await) });
    says(&text, &["comes from nobody"]);
    let token = app.kit().token("alice").issue();
    says(
        &said(|| drop(app.get("/").with(&token).in_org("acme"))),
        &["finished already"],
    );
}
