//! Strangers are refused, each for the right reason.

use std::sync::Arc;

use axum::Router;
use axum::routing;
use ringwall_axum::get;
use ringwall_core::clock::Timestamp;
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, SecurityEvent};
use ringwall_core::profile::Profile;
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{Authenticated, Authenticator, Gate, Presented};
use ringwall_testkit::{Flaw, Kit, principal};

use crate::support::{app, behind, failure, run, said, says};

#[test]
fn a_protected_route_refuses_strangers() {
    run(async {
        let handler = async || -> &'static str { panic!("the handler of a stranger") };
        app(get(handler)).get("/cases").refuses_strangers().await;
        app(get(handler).require_scope("a"))
            .get("/cases")
            .refuses_strangers()
            .await;
    });
}

#[test]
fn an_unknown_path_refuses_them_too() {
    run(async {
        let app = app(get(async || "cases"));
        app.get("/nowhere").refuses_strangers().await;
        app.delete("/cases").refuses_strangers().await;
    });
}

#[test]
fn an_open_route_fails_at_the_first_stranger() {
    for endpoint in [
        get(async || "cases").public(),
        get(async || "cases").optional(),
    ] {
        let text = failure(app(endpoint).get("/cases").refuses_strangers());
        says(
            &text,
            &[
                "GET /cases lets a stranger in: no credential",
                "asserted at",
                "strangers.rs",
                "expected     401",
                "got          200 OK",
                "is_optional()",
            ],
        );
    }
}

#[test]
fn a_route_without_a_gate_fails_and_the_failure_says_so() {
    let kit = Kit::new();
    let app = kit.axum(Router::new().route("/cases", routing::get(async || "cases")));
    let text = failure(app.get("/cases").refuses_strangers());
    says(
        &text,
        &[
            "lets a stranger in",
            "kit saw      nothing",
            "no gate of this kit",
        ],
    );
}

#[test]
fn a_gate_of_another_kit_fails_although_it_refuses_everybody() {
    let kit = Kit::new();
    let app = behind(&kit, Kit::new().gate(), get(async || "cases"));
    let text = failure(app.get("/cases").refuses_strangers());
    says(
        &text,
        &[
            "does not refuse a stranger as it must",
            "no gate of this kit",
        ],
    );
}

#[test]
fn a_gate_that_refuses_every_token_for_one_reason_fails() {
    let kit = Kit::new();
    let issuer =
        ringwall_testkit::FakeIssuer::new("https://other.test", "https://api.test", kit.clock());
    let gate = Gate::builder("test")
        .profile(Profile::Development)
        .tokens(issuer.verifier())
        .events(kit.event_sink())
        .clock(kit.clock())
        .without_audit()
        .build()
        .unwrap();
    let text = failure(
        behind(&kit, gate, get(async || "cases"))
            .get("/cases")
            .refuses_strangers(),
    );
    says(
        &text,
        &[
            "does not refuse a stranger as it must",
            "expired an hour ago",
            "an event that says: the token has expired",
            "authentication_failed: the issuer is not configured",
        ],
    );
}

#[test]
fn a_refusal_by_hand_is_none() {
    let kit = Kit::new();
    let refuse = async || (http::StatusCode::UNAUTHORIZED, "no");
    let app = kit.axum(Router::new().route("/cases", routing::get(refuse)));
    let text = failure(app.get("/cases").refuses_strangers());
    says(
        &text,
        &[
            "does not refuse a stranger as it must: no credential",
            "401 Unauthorized",
        ],
    );
}

/// What a careless authenticator believes.
#[derive(Clone, Copy, Debug)]
enum Belief {
    /// Tokens that have this flaw.
    Flawed(Flaw),
    /// Any `Authorization` of these bytes.
    Authorization(&'static str),
    /// An `Authorization` that contains this.
    Containing(&'static str),
    /// That this field is there.
    Field(&'static str),
    /// Whatever is in the query.
    Query,
}

/// An authenticator that is right about everything but one thing.
#[derive(Debug)]
struct Careless {
    kit: Kit,
    belief: Belief,
}

impl Careless {
    fn believes(&self, view: &RequestView<'_>) -> bool {
        let authorization = match view.header("authorization") {
            HeaderValues::One(value) => core::str::from_utf8(value).unwrap(),
            HeaderValues::Absent | HeaderValues::Several(_) => "",
        };
        match self.belief {
            Belief::Flawed(flaw) => authorization
                .strip_prefix("Bearer ")
                .and_then(|token| {
                    self.kit
                        .verifier()
                        .verify(token, self.kit.issuer().now())
                        .err()
                })
                .is_some_and(|error| error.refusal() == flaw.cause()),
            Belief::Authorization(text) => authorization == text,
            Belief::Containing(text) => authorization.contains(text),
            Belief::Field(name) => view.header(name) != HeaderValues::Absent,
            Belief::Query => view
                .raw_query
                .is_some_and(|query| query.contains("access_token=")),
        }
    }

    fn report(&self, kind: EventKind, cause: &'static str) {
        self.kit.event_sink().emit(SecurityEvent::new(kind, cause));
    }
}

impl Authenticator for Careless {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("authorization") {
            HeaderValues::One(value) if !value.starts_with(b"Bearer ") && !self.believes(view) => {
                Presented::No
            }
            HeaderValues::One(_) => Presented::InAuthorization,
            HeaderValues::Absent if self.believes(view) => Presented::Elsewhere,
            HeaderValues::Absent | HeaderValues::Several(_) => Presented::No,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        if self.believes(view) {
            self.report(EventKind::AuthenticationSucceeded, "believed");
            return Step::Done(Ok(principal::user("mallory").verified().into()));
        }
        let HeaderValues::One(value) = view.header("authorization") else {
            return Step::Done(Err(Denial::unauthenticated("test")));
        };
        let token = core::str::from_utf8(value)
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap();
        match self.kit.verifier().verify(token, self.kit.issuer().now()) {
            Ok(token) => Step::Done(Ok(token.into())),
            Err(error) => {
                self.report(EventKind::AuthenticationFailed, error.refusal().as_str());
                let challenge = ringwall_core::denial::Challenge::new("test")
                    .error(ringwall_core::denial::BearerError::InvalidToken);
                Step::Done(Err(Denial::Unauthenticated {
                    challenge: Box::new(challenge),
                }))
            }
        }
    }

    fn recheck(&self, _: &Authenticated, _: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

fn careless(belief: Belief) -> ringwall_testkit::App<ringwall_testkit::Axum> {
    let kit = Kit::new();
    let gate = Gate::builder("test")
        .authenticator(Arc::new(Careless {
            kit: kit.clone(),
            belief,
        }))
        .events(kit.event_sink())
        .clock(kit.clock())
        .without_audit()
        .build()
        .unwrap();
    behind(&kit, gate, get(async || "cases"))
}

#[test]
fn the_careless_authenticator_is_right_about_everything_else() {
    run(async {
        careless(Belief::Field("x-nobody-sends-this"))
            .get("/cases")
            .needs_login()
            .await;
    });
}

#[test]
fn whoever_takes_a_token_with_a_flaw_fails_for_each_of_them() {
    for flaw in Flaw::ALL {
        let text = failure(
            careless(Belief::Flawed(flaw))
                .get("/cases")
                .refuses_strangers(),
        );
        says(
            &text,
            &["lets a stranger in: authorization: Bearer (token of alice, no scopes, "],
        );
        // A signature is the same to whoever does not look at it.
        let of_one_cause = Flaw::ALL
            .into_iter()
            .filter(|other| other.cause() == flaw.cause());
        let named = of_one_cause.filter(|other| text.contains(other.as_str()));
        assert_eq!(named.count(), 1, "{flaw:?} {text}");
    }
}

#[test]
fn whoever_takes_anything_else_for_a_credential_fails() {
    for (belief, said) in [
        (Belief::Authorization("Bearer"), "authorization: Bearer"),
        (Belief::Authorization("Bearer "), "authorization: Bearer"),
        (
            Belief::Authorization("Bearer not.a.token"),
            "Bearer not.a.token",
        ),
        (Belief::Containing("Basic "), "authorization: Basic"),
        (
            Belief::Containing(", Bearer "),
            "two good tokens in one authorization field",
        ),
        (Belief::Field("cookie"), "a good token in a cookie"),
        (
            Belief::Field("x-access-token"),
            "x-access-token: (a good token)",
        ),
        (Belief::Query, "?access_token=(a good token)"),
        (
            Belief::Field("x-forwarded-user"),
            "a proxy would say that the caller is admin",
        ),
        (Belief::Field("x-remote-user"), "a proxy would say"),
        (Belief::Field("x-auth-request-user"), "a proxy would say"),
        (Belief::Field("x-ssl-client-subject"), "a proxy would say"),
        (Belief::Field("x-ssl-client-verify"), "a proxy would say"),
        (
            Belief::Field("x-forwarded-client-cert"),
            "a proxy would say",
        ),
    ] {
        let text = failure(careless(belief).get("/cases").refuses_strangers());
        says(&text, &["lets a stranger in", said]);
        let is_token_shown = text.contains("eyJ");
        assert!(!is_token_shown, "{text}");
    }
}

#[test]
fn fields_of_a_proxy_may_be_believed_of_one() {
    run(async {
        let app = careless(Belief::Field("x-forwarded-user"));
        app.get("/cases")
            .from_address("192.0.2.7")
            .refuses_strangers()
            .await;
    });
}

#[test]
fn credentials_beside_those_of_the_assertion_are_refused_at_once() {
    let app = app(get(async || "cases"));
    let text = said(|| {
        drop(
            app.get("/cases")
                .header("authorization", "Bearer x")
                .refuses_strangers(),
        )
    });
    says(&text, &["`refuses_strangers` sends credentials of its own"]);
    let token = app.kit().token("alice").issue();
    let text = said(|| drop(app.get("/cases").with(&token).refuses_strangers()));
    says(&text, &["give the request a draft"]);
}

#[test]
fn an_assertion_that_is_never_awaited_fails() {
    let app = app(get(async || "cases"));
    let text = said(|| drop(app.get("/cases").refuses_strangers()));
    says(
        &text,
        &["was never awaited", "strangers.rs", "add `.await`"],
    );
}
