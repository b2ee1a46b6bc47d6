//! The same assertions of gRPC methods.

use std::pin::Pin;
use std::time::Duration;

use ringwall_gate::{AuthenticationRequirement, Gate, HttpsOnly};
use ringwall_testkit::{App, Kit, Tonic};
use ringwall_tonic::{
    CurrentPrincipal, CurrentTenant, GuardedRoutes, MethodPolicy, authenticated, guard, optional,
    public, require_scope,
};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::support::{failure, run, said, says};

const CHECK: &str = "/grpc.health.v1.Health/Check";
const WATCH: &str = "/grpc.health.v1.Health/Watch";

/// A generated service that everybody has: it is asked by a name, and answers a number.
#[derive(Clone, Copy, Debug)]
struct Cases;

type Stati = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Cases {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let status = match request.get_ref().service.as_str() {
            "whoami" => {
                let caller = CurrentPrincipal::from_request(&request)?.0;
                i32::try_from(caller.subject.as_str().len()).unwrap()
            }
            "tenant" => {
                CurrentTenant::from_request(&request)?;
                1
            }
            "absent" => return Err(Status::not_found("no such case")),
            "broken" => return Err(Status::internal("broken")),
            _ => 2,
        };
        Ok(Response::new(HealthCheckResponse { status }))
    }

    type WatchStream = Stati;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Stati>, Status> {
        let answers = [1, 2].map(|status| Ok(HealthCheckResponse { status }));
        let cut = Err(Status::data_loss("the wire was cut"));
        let stream = tokio_stream::iter(answers.into_iter().chain([cut]));
        Ok(Response::new(Box::pin(stream)))
    }
}

fn routes(gate: Gate, policy: MethodPolicy) -> GuardedRoutes {
    let watch = require_scope("a").require_scope("b");
    let server = guard(HealthServer::new(Cases))
        .method("Check", policy)
        .method("Watch", watch);
    GuardedRoutes::new(gate).service(server)
}

fn app(policy: MethodPolicy) -> App<Tonic> {
    let kit = Kit::new();
    let gate = kit.gate();
    kit.tonic(routes(gate, policy).into_routes().expect("routes"))
}

fn asked(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[test]
fn good_methods_pass() {
    run(async {
        app(require_scope("cases:read"))
            .call(CHECK)
            .needs_scope("cases:read")
            .await;
        app(authenticated()).call(CHECK).needs_login().await;
        app(authenticated()).call(CHECK).fails_closed().await;
        app(authenticated()).call(WATCH).refuses_strangers().await;
        app(public()).call(CHECK).is_public().await;
        app(optional()).call(CHECK).is_optional().await;
        let tenant = app(authenticated());
        tenant
            .call(CHECK)
            .message(&asked("tenant"))
            .in_org("acme")
            .needs_tenant()
            .await;
        let gold = AuthenticationRequirement::acr_values(["gold"]).unwrap();
        app(authenticated().step_up(gold))
            .call(CHECK)
            .needs_acr("gold")
            .await;
        let recently = AuthenticationRequirement::max_age(Duration::from_secs(300)).unwrap();
        let app = app(authenticated().step_up(recently));
        app.call(CHECK)
            .needs_login_within(Duration::from_secs(300))
            .await;
    });
}

#[test]
fn bad_methods_fail() {
    let text = failure(app(public()).call(CHECK).refuses_strangers());
    says(
        &text,
        &[
            "POST /grpc.health.v1.Health/Check lets a stranger in: no credential",
            "grpc-status: 0",
        ],
    );
    let text = failure(app(authenticated()).call(CHECK).needs_scope("cases:read"));
    says(
        &text,
        &[
            "lets in a caller without the scope cases:read",
            "PERMISSION_DENIED insufficient_scope",
            "grpc-status: 0",
        ],
    );
    let text = failure(app(require_scope("b")).call(CHECK).needs_scope("a"));
    says(&text, &["grpc-status: 7", "the route demands: b"]);
    let text = failure(app(optional()).call(CHECK).is_public());
    says(&text, &["expired an hour ago", "grpc-status: 16"]);
    let text = failure(app(public()).call(CHECK).is_optional());
    says(&text, &["lets a stranger in"]);
    let text = failure(
        app(authenticated())
            .call("/grpc.health.v1.Health/Forgotten")
            .needs_login(),
    );
    says(&text, &["is not found", "grpc-status: 12"]);
    let text = failure(
        app(authenticated())
            .call(CHECK)
            .message(&asked("broken"))
            .needs_login(),
    );
    says(&text, &["fails", "grpc-status: 13"]);
    let text = failure(
        app(authenticated())
            .call(CHECK)
            .message(&asked("absent"))
            .needs_login(),
    );
    says(&text, &["is not found", "grpc-status: 5"]);
    let text = failure(app(public()).call(CHECK).fails_closed());
    says(&text, &["does not fail closed without the keys"]);
    let kit = Kit::new();
    let open = tonic::service::Routes::new(HealthServer::new(Cases));
    let text = failure(kit.tonic(open).call(CHECK).refuses_strangers());
    says(&text, &["lets a stranger in", "no gate of this kit"]);
}

#[test]
fn messages_arrive_and_come_back() {
    run(async {
        let app = app(authenticated());
        let answer = app
            .call(CHECK)
            .as_user("alice", [])
            .message(&asked("whoami"))
            .await;
        let message: HealthCheckResponse = answer.assert_ok().assert_grpc(0).message();
        assert_eq!(message.status, 5);
        app.kit()
            .audit()
            .last()
            .assert_completed(200)
            .assert_grpc(0)
            .assert_by("alice");
        let absent = app
            .call(CHECK)
            .as_user("alice", [])
            .message(&asked("absent"))
            .await;
        absent.assert_grpc(5);
        says(
            &said(|| {
                absent.assert_ok();
            }),
            &["does not go well", "grpc-status: 5"],
        );
        says(
            &said(|| {
                absent.assert_grpc(0);
            }),
            &["another status", "grpc-status 0"],
        );
        says(
            &said(|| _ = absent.message::<HealthCheckResponse>()),
            &["not one message"],
        );
        let nobody = app.call(CHECK).await;
        nobody.assert_unauthenticated().assert_grpc(16);
        app.call(WATCH)
            .as_user("a", ["a"])
            .await
            .assert_insufficient_scope("b");
    });
}

#[test]
fn a_stream_is_read_as_far_as_it_comes() {
    run(async {
        let app = app(authenticated());
        let answer = app.call(WATCH).as_user("alice", ["a", "b"]).await;
        let messages: Vec<HealthCheckResponse> = answer.messages();
        assert_eq!(
            messages
                .iter()
                .map(|message| message.status)
                .collect::<Vec<_>>(),
            [1, 2]
        );
        answer.assert_grpc(15);
        says(
            &said(|| _ = answer.message::<HealthCheckResponse>()),
            &["not one message"],
        );
        says(
            &said(|| drop(answer.messages::<Text>())),
            &["a message of the answer"],
        );
    });
}

/// Another message, whose first field is a text.
#[derive(Clone, PartialEq, prost::Message)]
struct Text {
    #[prost(string, tag = "1")]
    text: String,
}

#[test]
fn plain_http_is_refused_where_the_gate_says_so() {
    run(async {
        let kit = Kit::new();
        let gate = kit
            .gate_builder()
            .https_only(HttpsOnly::refuse())
            .build()
            .unwrap();
        let app = kit.tonic(routes(gate, authenticated()).into_routes().unwrap());
        app.call(CHECK).refuses_plain_http().await;
    });
    let text = failure(app(authenticated()).call(CHECK).refuses_plain_http());
    says(
        &text,
        &[
            "does not refuse as it must a caller who speaks plain HTTP",
            "FAILED_PRECONDITION",
        ],
    );
}

#[test]
fn what_is_not_named_is_protected() {
    run(async {
        let kit = Kit::new();
        let methods = routes(kit.gate(), public()).methods().unwrap();
        let app = kit.tonic(routes(kit.gate(), public()).into_routes().unwrap());
        app.protects_all_but(&methods, [CHECK]).await;
        says(
            &said(|| drop(app.protects_all_but(&methods, []))),
            &["Check is public", "does not name"],
        );

        let every = || {
            let server = guard(HealthServer::new(Cases)).every_method(require_scope("a"));
            GuardedRoutes::new(kit.gate()).service(server)
        };
        let methods = every().methods().unwrap();
        let app = kit.tonic(every().into_routes().unwrap());
        app.protects_all_but(&methods, []).await;
    });
    let kit = Kit::new();
    let promised = routes(kit.gate(), require_scope("a")).methods().unwrap();
    let app = kit.tonic(routes(kit.gate(), authenticated()).into_routes().unwrap());
    let text = failure(app.protects_all_but(&promised, []));
    says(&text, &["a caller without the scope a"]);
}

#[test]
fn a_list_of_methods_says_what_each_demands() {
    let kit = Kit::new();
    let routes = routes(
        crate::rights::gate(&kit),
        authenticated().require_role("viewer"),
    );
    let methods = routes.methods().expect("methods").to_string();
    says(&methods, &["authenticated, role: viewer"]);
}
