//! What routes and handlers ask of an authorization policy.

use std::sync::Arc;

use ringwall_axum::{CurrentSubject, Endpoint, GuardedRouter, Rejection, get};
use ringwall_core::principal::{OrgId, Subject};
use ringwall_gate::authz::{
    Action, DirectorySubjects, Duties, MemoryDirectory, NoObserver, Policy, PolicyHandle, Resource,
    SubjectDirectory as _, ToResource, UnknownResourceType, ready,
};
use ringwall_gate::{Authorization, Gate};
use ringwall_testkit::{App, Axum, Kit, principal};

use crate::support::{behind, failure, run, says};

struct ReadCase;

impl Action for ReadCase {
    const RESOURCE: &'static str = "case";
    const NAME: &'static str = "read";
}

/// A gate whose directory knows that `boss` of `acme` is an administrator, of people whom the kit vouches for.
pub(crate) fn gate(kit: &Kit) -> Gate {
    let directory = MemoryDirectory::new();
    run(async {
        let org = OrgId::new("acme").expect("an organisation");
        let boss = Subject::new("boss").expect("a subject");
        let granted = directory.grant_role(&org, &boss, "admin").await;
        granted.expect("granted");
    });
    let subjects = DirectorySubjects::of_issuer(Arc::new(directory), "https://issuer.test");
    let policy = PolicyHandle::new(ready::rows().expect("a policy"), Arc::new(NoObserver));
    let authorization = Authorization::new(policy, Arc::new(subjects));
    let builder = kit.gate_builder().authorization(authorization);
    builder.build().expect("a gate")
}

fn app(endpoint: Endpoint) -> App<Axum> {
    let kit = Kit::new();
    let gate = gate(&kit);
    behind(&kit, gate, endpoint)
}

fn cases() -> Endpoint {
    get(async || "cases")
}

struct Case;

impl ToResource for Case {
    fn to_resource<'a>(&'a self, policy: &Policy) -> Result<Resource<'a>, UnknownResourceType> {
        Ok(policy.resource("case")?.id("c1").org("acme"))
    }
}

/// A route of which the handler asks the policy.
fn row() -> Endpoint {
    get(
        async |CurrentSubject(subject): CurrentSubject| -> Result<&'static str, Rejection> {
            let permit = subject.authorize::<ReadCase>(&Case, &Duties::none());
            permit.map(|_| "the case").map_err(Rejection::from)
        },
    )
}

#[test]
fn whoever_has_the_role_is_let_in_and_nobody_else() {
    let guarded = app(cases().require_scope("a").require_role("admin"));
    run(async {
        let boss = || {
            let token = guarded.kit().token("boss").scopes(["a"]);
            guarded.get("/cases").with(token)
        };
        boss().in_org("acme").needs_rights().await;
        let vouched = principal::user("boss").scopes(["a"]);
        guarded
            .get("/cases")
            .with(vouched)
            .in_org("acme")
            .needs_rights()
            .await;
    });
    let app = app(row());
    run(async {
        let boss = app.get("/cases").with(app.kit().token("boss"));
        boss.in_org("acme").needs_rights().await;
    });
}

#[test]
fn a_route_that_lets_in_whoever_logged_in_fails() {
    let app = app(cases());
    let boss = app.get("/cases").with(app.kit().token("boss"));
    says(
        &failure(boss.in_org("acme").needs_rights()),
        &["lets in a caller without the role of nobody"],
    );
}

#[test]
fn a_route_that_refuses_everybody_fails() {
    for demanded in [cases().require_role("admin"), cases().require_scope("b")] {
        let app = app(demanded);
        let clerk = app.get("/cases").with(app.kit().token("clerk"));
        let text = failure(clerk.in_org("acme").needs_rights());
        assert!(
            text.contains("does not let in whom it must")
                || text.contains("does not refuse as it must"),
            "{text}"
        );
    }
}

#[test]
fn a_sweep_finds_a_route_that_forgot_the_role_that_its_list_says() {
    let router = |gate: &Gate, endpoint: Endpoint| {
        GuardedRouter::<()>::new(gate.clone()).route("/cases", endpoint)
    };
    let demanding = || cases().require_scope("a").require_role("viewer");
    let kit = Kit::new();
    let gate = gate(&kit);
    let listed = router(&gate, demanding()).routes().expect("routes");
    let text = listed.to_string();
    says(&text, &["all of a, role: viewer"]);
    let app = |endpoint| kit.axum(router(&gate, endpoint).into_router().expect("a router"));
    run(async { app(demanding()).protects_all_but(&listed, []).await });
    says(
        &failure(app(cases().require_scope("a")).protects_all_but(&listed, [])),
        &["lets in a caller without the role viewer"],
    );
}

#[test]
fn lists_of_routes_say_what_each_demands() {
    let kit = Kit::new();
    let both = || {
        cases()
            .require_role("manager")
            .require_permission("read", "case")
    };
    let axum = GuardedRouter::<()>::new(gate(&kit)).route("/cases", both());
    let axum = axum.routes().expect("routes").to_string();
    says(
        &axum,
        &["authenticated, role: manager, permission: read case\n"],
    );
}

#[cfg(feature = "actix")]
#[test]
fn lists_of_routes_in_actix_say_what_each_demands() {
    let kit = Kit::new();
    let case = ringwall_actix::get(async || "cases");
    let app = ringwall_actix::GuardedApp::new(gate(&kit))
        .route("/cases", case.require_permission("read", "case"));
    let routes = app.routes().expect("routes").to_string();
    says(&routes, &["authenticated, permission: read case\n"]);
}
