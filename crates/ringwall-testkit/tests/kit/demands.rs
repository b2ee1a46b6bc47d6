//! Logins, tenants, TLS and outages.

use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::{NoRevocations, TokenVerifier};
use ringwall_axum::{Endpoint, get};
use ringwall_core::clock::ManualClock;
use ringwall_core::profile::Profile;
use ringwall_gate::{AuthenticationRequirement as Requirement, Gate, HttpsOnly};
use ringwall_testkit::{Kit, principal};

use crate::support::{app, behind, failure, of_tenants, run, said, says};

fn cases() -> Endpoint {
    get(async || "cases")
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_login_is_enough_where_no_more_is_demanded() {
    run(async { app(cases()).get("/cases").needs_login().await });
}

#[test]
fn a_login_is_not_enough_where_more_is_demanded() {
    let text = failure(app(cases().require_scope("a")).get("/cases").needs_login());
    says(
        &text,
        &["does not let in whom it must", "the route demands: a"],
    );
    let gold = cases().step_up(Requirement::acr_values(["gold"]).unwrap());
    let text = failure(app(gold).get("/cases").needs_login());
    says(
        &text,
        &["the route demands something of the login", ".acr(…)"],
    );
    let text = failure(app(cases()).get("/nowhere").needs_login());
    says(
        &text,
        &["GET /nowhere is not found", "there is no such route"],
    );
    let text = failure(app(cases()).delete("/cases").needs_login());
    says(&text, &["DELETE /cases is not found", "405"]);
    let text = failure(app(cases().public()).get("/cases").needs_login());
    says(&text, &["lets a stranger in"]);
}

#[test]
fn a_class_of_login_that_is_demanded_is_needed() {
    let gold = || cases().step_up(Requirement::acr_values(["gold"]).unwrap());
    run(async {
        app(gold()).get("/cases").needs_acr("gold").await;
        let mfa = cases().step_up(Requirement::acr_values(["urn:example:mfa"]).unwrap());
        app(mfa).get("/cases").needs_acr("urn:example:mfa").await;
        app(gold())
            .get("/cases")
            .with(principal::user("a"))
            .needs_acr("gold")
            .await;
    });
    says(
        &failure(app(gold()).get("/cases").needs_acr("silver")),
        &["does not refuse as it must", "naming acr silver"],
    );
    says(
        &failure(app(cases()).get("/cases").needs_acr("gold")),
        &["lets in a caller who has a login of another class"],
    );
    let either = cases().step_up(Requirement::acr_values(["gold", "GOLD"]).unwrap());
    says(
        &failure(app(either).get("/cases").needs_acr("gold")),
        &["lets in a caller"],
    );
    let more = cases().step_up(
        Requirement::acr_values(["gold"])
            .unwrap()
            .with_max_age(secs(9))
            .unwrap(),
    );
    says(
        &failure(app(more).get("/cases").needs_acr("gold")),
        &[
            "does not let in whom it must",
            "the route demands something of the login",
        ],
    );
}

#[test]
fn an_age_of_login_that_is_demanded_is_needed_to_the_second() {
    let within = |seconds| cases().step_up(Requirement::max_age(secs(seconds)).unwrap());
    run(async {
        app(within(300))
            .get("/cases")
            .needs_login_within(secs(300))
            .await;
        app(within(300))
            .get("/cases")
            .with(principal::user("a"))
            .needs_login_within(secs(300))
            .await;
    });
    for other in [298, 299, 301, 302] {
        let text = failure(
            app(within(other))
                .get("/cases")
                .needs_login_within(secs(300)),
        );
        says(&text, &["does not refuse as it must", "max_age 300"]);
    }
    let text = failure(app(cases()).get("/cases").needs_login_within(secs(300)));
    says(
        &text,
        &["lets in a caller who logged in too long ago, or nobody knows when"],
    );
}

#[test]
fn a_tenant_that_is_demanded_is_needed() {
    run(async {
        app(of_tenants())
            .get("/cases")
            .in_org("acme")
            .needs_tenant()
            .await;
        let key = principal::api_key("k").org("acme");
        app(of_tenants())
            .get("/cases")
            .with(key)
            .needs_tenant()
            .await;
    });
    let text = failure(app(cases()).get("/cases").in_org("acme").needs_tenant());
    says(&text, &["lets in a caller who acts in no organisation"]);
    let text = failure(
        app(of_tenants().require_scope("a"))
            .get("/cases")
            .in_org("acme")
            .needs_tenant(),
    );
    says(
        &text,
        &["does not let in whom it must", "the route demands: a"],
    );
    let app = app(cases());
    says(
        &said(|| drop(app.get("/cases").needs_tenant())),
        &["say `.in_org(…)` before it"],
    );
}

#[test]
fn plain_http_is_refused_where_the_gate_says_so() {
    let kit = Kit::new();
    let strict = |https| kit.gate_builder().https_only(https).build().unwrap();
    run(async {
        let refuse = behind(&kit, strict(HttpsOnly::refuse()), cases());
        refuse.get("/cases").refuses_plain_http().await;
        let hosts = HttpsOnly::redirect_to(["api.test"]).unwrap();
        let redirect = behind(&kit, strict(hosts), cases());
        redirect
            .get("/cases")
            .header("host", "api.test")
            .refuses_plain_http()
            .await;
        redirect.get("/cases").refuses_strangers().await;
    });
    let text = failure(app(cases()).get("/cases").refuses_plain_http());
    says(
        &text,
        &[
            "does not refuse as it must a caller who speaks plain HTTP",
            "over plain HTTP",
        ],
    );
    let text = failure(app(cases().public()).get("/cases").refuses_plain_http());
    says(&text, &["lets in a caller who speaks plain HTTP"]);
    let forbid = get(async || http::StatusCode::FORBIDDEN).public();
    let text = failure(app(forbid).get("/cases").refuses_plain_http());
    says(&text, &["does not refuse as it must"]);
    let excepted = behind(
        &kit,
        strict(HttpsOnly::refuse()),
        cases().permit_plain_http(),
    );
    says(
        &failure(excepted.get("/cases").refuses_plain_http()),
        &["caller who speaks plain HTTP"],
    );
    // A request that is itself over plain HTTP shows nothing.
    let refuse = behind(&kit, strict(HttpsOnly::refuse()), cases());
    let text = failure(refuse.get("/cases").over_plain_http().refuses_plain_http());
    says(
        &text,
        &[
            "does not let in whom it must",
            "no complaint about the connection",
        ],
    );
}

#[test]
fn a_service_fails_closed() {
    run(async {
        app(cases()).get("/cases").fails_closed().await;
        let app = app(cases().require_scope("a"));
        app.get("/cases")
            .as_user("alice", ["a"])
            .fails_closed()
            .await;
    });
}

#[test]
fn a_service_that_does_not_fail_closed_is_found_out() {
    // Nobody asks the list of revocations.
    let kit = Kit::new();
    let verifier = TokenVerifier::builder()
        .profile(Profile::Development)
        .revocations(Arc::new(NoRevocations))
        .issuer(kit.issuer().policy().build().unwrap())
        .build()
        .unwrap();
    let gate = Gate::builder("test")
        .profile(Profile::Development)
        .tokens(verifier)
        .events(kit.event_sink())
        .clock(kit.clock())
        .without_audit()
        .build()
        .unwrap();
    let text = failure(behind(&kit, gate, cases()).get("/cases").fails_closed());
    says(
        &text,
        &[
            "does not fail closed without the list of revocations",
            "200 OK",
        ],
    );

    // A gate that reads another clock does not notice.
    let kit = Kit::new();
    let other = Arc::new(ManualClock::new(kit.issuer().now()));
    let gate = kit.gate_builder().clock(other).build().unwrap();
    let text = failure(behind(&kit, gate, cases()).get("/cases").fails_closed());
    says(
        &text,
        &["does not fail closed without the wall clock", "200 OK"],
    );

    let text = failure(app(cases().public()).get("/cases").fails_closed());
    says(
        &text,
        &["does not fail closed without the keys of the issuer"],
    );

    let text = failure(app(cases().require_scope("a")).get("/cases").fails_closed());
    says(
        &text,
        &["does not let in whom it must", "the route demands: a"],
    );

    let app = app(cases());
    let text = said(|| drop(app.get("/cases").with(principal::user("a")).fails_closed()));
    says(&text, &["is about tokens"]);
}
