//! What counts as a refusal: held against answers that are wrong in one thing each.

use std::future::{Ready, ready};

use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{Request, Response};
use ringwall_core::event::{EventKind, SecurityEvent};
use ringwall_testkit::{App, Kit, Protocol, Reply, Transport};

use crate::support::{failure, run, says};

/// An application that answers whatever a test says.
struct Scripted {
    kit: Kit,
    script: Script,
    protocol: Protocol,
}

type Script = fn(&Kit, &Request<Bytes>) -> Response<Bytes>;

impl Transport for Scripted {
    type Future = Ready<Reply>;

    fn call(&self, request: Request<Bytes>) -> Ready<Reply> {
        ready((self.script)(&self.kit, &request).into())
    }

    fn protocol(&self) -> Protocol {
        self.protocol
    }
}

fn app(script: Script) -> App<Scripted> {
    speaking(Protocol::Http, script)
}

fn speaking(protocol: Protocol, script: Script) -> App<Scripted> {
    let kit = Kit::new();
    let scripted = Scripted {
        kit: kit.clone(),
        script,
        protocol,
    };
    kit.app(scripted)
}

fn answer(status: u16, challenge: &str) -> Response<Bytes> {
    let response = Response::builder().status(status);
    let response = match challenge {
        "" => response,
        _ => response.header(WWW_AUTHENTICATE, challenge),
    };
    response.body(Bytes::new()).unwrap()
}

fn report(kit: &Kit, kind: EventKind, cause: &'static str) {
    kit.event_sink().emit(SecurityEvent::new(kind, cause));
}

const BARE: &str = "Bearer realm=\"test\"";
const INVALID: &str = "Bearer realm=\"test\", error=\"invalid_token\"";
const INSUFFICIENT: &str = "Bearer realm=\"test\", error=\"insufficient_scope\", scope=\"a\"";
const STEP_UP: &str = "Bearer realm=\"test\", error=\"insufficient_user_authentication\", acr_values=\"gold\", max_age=\"300\"";

/// The token of a request, and why it is bad if it is. `None` when there is none.
fn token(kit: &Kit, request: &Request<Bytes>) -> Option<Result<(), &'static str>> {
    let mut values = request.headers().get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().unwrap();
    if values.next().is_some() {
        return Some(Err("two"));
    }
    let token = value.strip_prefix("Bearer ").unwrap_or("");
    let verified = kit.verifier().verify(token, kit.issuer().now());
    Some(
        verified
            .map(|_| ())
            .map_err(|error| error.refusal().as_str()),
    )
}

fn missing(kit: &Kit) -> Response<Bytes> {
    report(kit, EventKind::CredentialsMissing, "none");
    answer(401, BARE)
}

fn invalid(kit: &Kit, cause: &'static str) -> Response<Bytes> {
    report(kit, EventKind::AuthenticationFailed, cause);
    answer(401, INVALID)
}

/// An application that is right in everything, and then answers good tokens as `good` says.
fn right(
    kit: &Kit,
    request: &Request<Bytes>,
    good: impl Fn() -> Response<Bytes>,
) -> Response<Bytes> {
    match token(kit, request) {
        None => missing(kit),
        Some(Err(cause)) => invalid(kit, cause),
        Some(Ok(())) => {
            report(kit, EventKind::AuthenticationSucceeded, "good");
            good()
        }
    }
}

#[test]
fn an_application_that_is_right_in_everything_passes() {
    run(async {
        let app = app(|kit, request| right(kit, request, || answer(200, "")));
        app.get("/").refuses_strangers().await;
        app.get("/").needs_login().await;
    });
}

#[test]
fn a_stranger_without_credentials_gets_a_bare_challenge_and_an_event() {
    let wrong: [(Script, &str); 6] = [
        (
            |kit, _| {
                missing(kit);
                answer(401, INVALID)
            },
            "with an error",
        ),
        (
            |kit, _| {
                missing(kit);
                answer(401, "")
            },
            "without a challenge",
        ),
        (
            |kit, _| {
                missing(kit);
                answer(401, "Basic realm=\"a\"")
            },
            "with another challenge",
        ),
        (
            |kit, _| {
                missing(kit);
                answer(403, BARE)
            },
            "forbidden",
        ),
        (|_, _| answer(401, BARE), "without an event"),
        (
            |kit, _| {
                report(kit, EventKind::AuthenticationFailed, "none");
                answer(401, BARE)
            },
            "with another event",
        ),
    ];
    for (script, what) in wrong {
        let text = failure(app(script).get("/").refuses_strangers());
        assert!(text.contains("as it must: no credential"), "{what}: {text}");
    }
}

#[test]
fn a_bad_token_gets_invalid_token_and_an_event_with_the_cause() {
    let wrong: [(Script, &str); 5] = [
        (
            |kit, request| match token(kit, request) {
                Some(Err(cause)) => {
                    invalid(kit, cause);
                    answer(401, BARE)
                }
                _ => missing(kit),
            },
            "without the error",
        ),
        (
            |kit, request| match token(kit, request) {
                Some(Err(cause)) => {
                    invalid(kit, cause);
                    answer(403, INVALID)
                }
                _ => missing(kit),
            },
            "forbidden",
        ),
        (
            |kit, request| match token(kit, request) {
                Some(Err(cause)) => {
                    invalid(kit, cause);
                    answer(401, INSUFFICIENT)
                }
                _ => missing(kit),
            },
            "with another error",
        ),
        (
            |kit, request| match token(kit, request) {
                Some(_) => answer(401, INVALID),
                None => missing(kit),
            },
            "without an event",
        ),
        (
            |kit, request| match token(kit, request) {
                Some(_) => invalid(kit, "something"),
                None => missing(kit),
            },
            "with another cause",
        ),
    ];
    for (script, what) in wrong {
        let text = failure(app(script).get("/").refuses_strangers());
        assert!(text.contains("expired an hour ago"), "{what}: {text}");
    }
}

#[test]
fn nonsense_is_refused_by_400_or_401_and_an_event() {
    fn nonsense(kit: &Kit, request: &Request<Bytes>) -> bool {
        let said = "the token is not an acceptable signed token";
        let value = request.headers().get(AUTHORIZATION);
        let is_short = value.is_some_and(|value| value.len() < 40);
        is_short && token(kit, request) == Some(Err(said))
    }
    let wrong: [(Script, &str); 3] = [
        (
            |kit, request| match nonsense(kit, request) {
                true => answer(401, BARE),
                false => right(kit, request, || answer(200, "")),
            },
            "without an event",
        ),
        (
            |kit, request| match nonsense(kit, request) {
                true => {
                    missing(kit);
                    answer(403, BARE)
                }
                false => right(kit, request, || answer(200, "")),
            },
            "forbidden",
        ),
        (
            |kit, request| match nonsense(kit, request) {
                true => {
                    missing(kit);
                    answer(200, "")
                }
                false => right(kit, request, || answer(200, "")),
            },
            "let in",
        ),
    ];
    for (script, what) in wrong {
        let text = failure(app(script).get("/").refuses_strangers());
        assert!(text.contains("authorization: Bearer"), "{what}: {text}");
    }
    // Either status will do.
    run(async {
        let app = app(|kit, request| match nonsense(kit, request) {
            true => {
                report(kit, EventKind::CredentialsAmbiguous, "x");
                answer(400, BARE)
            }
            false => right(kit, request, || answer(200, "")),
        });
        app.get("/").refuses_strangers().await;
    });
}

#[test]
fn a_lacking_scope_gets_insufficient_scope_and_nothing_but_the_scope() {
    let wrong: [(Script, &str); 6] = [
        (
            |kit, request| right(kit, request, || answer(401, INSUFFICIENT)),
            "unauthenticated",
        ),
        (
            |kit, request| right(kit, request, || answer(403, INVALID)),
            "with another error",
        ),
        (
            |kit, request| right(kit, request, || answer(403, "")),
            "without a challenge",
        ),
        (
            |kit, request| {
                right(kit, request, || {
                    answer(403, "Bearer realm=\"test\", scope=\"a\"")
                })
            },
            "without an error",
        ),
        (
            |kit, request| {
                right(kit, request, || {
                    answer(
                        403,
                        "Bearer realm=\"test\", error=\"insufficient_scope\", scope=\"b\"",
                    )
                })
            },
            "naming another scope",
        ),
        (
            |kit, request| {
                right(kit, request, || {
                    answer(
                        403,
                        "Bearer realm=\"test\", error=\"insufficient_scope\", scope=\"a b\"",
                    )
                })
            },
            "naming another scope too",
        ),
    ];
    for (script, what) in wrong {
        let text = failure(app(script).get("/").needs_scope("a"));
        assert!(
            text.contains("as it must a caller without the scope a"),
            "{what}: {text}"
        );
    }
    // What the caller has beside it may be demanded too.
    let script: Script = |kit, request| {
        right(kit, request, || {
            answer(
                403,
                "Bearer realm=\"test\", error=\"insufficient_scope\", scope=\"a b\"",
            )
        })
    };
    let text = failure(
        app(script)
            .get("/")
            .as_user("alice", ["b"])
            .needs_scope("a"),
    );
    says(&text, &["does not let in whom it must"]);
}

#[test]
fn a_weak_or_old_login_gets_401_and_what_would_do() {
    let wrong: [(Script, &str); 3] = [
        (
            |kit, request| right(kit, request, || answer(403, STEP_UP)),
            "forbidden",
        ),
        (
            |kit, request| {
                right(kit, request, || {
                    answer(
                        401,
                        "Bearer realm=\"test\", error=\"invalid_token\", acr_values=\"gold\", max_age=\"300\"",
                    )
                })
            },
            "with another error",
        ),
        (
            |kit, request| {
                right(kit, request, || {
                    answer(
                        401,
                        "Bearer realm=\"test\", error=\"insufficient_user_authentication\"",
                    )
                })
            },
            "without what would do",
        ),
    ];
    for (script, what) in wrong {
        let text = failure(app(script).get("/").needs_acr("gold"));
        assert!(
            text.contains("as it must a caller who has a login of another class"),
            "{what}: {text}"
        );
        let max_age = std::time::Duration::from_secs(300);
        let text = failure(app(script).get("/").needs_login_within(max_age));
        assert!(
            text.contains("as it must a caller who logged in too long ago"),
            "{what}: {text}"
        );
    }
}

#[test]
fn an_age_that_is_not_known_is_not_a_fresh_one() {
    // It judges ages, and takes an unknown one for none.
    let script: Script = |kit, request| {
        right(kit, request, || {
            let value = request.headers()[AUTHORIZATION].to_str().unwrap();
            let verified = kit
                .verifier()
                .verify(value.strip_prefix("Bearer ").unwrap(), kit.issuer().now())
                .unwrap();
            let login = verified.principal().authentication.authenticated_at;
            let age = login.map(|at| kit.issuer().now().saturating_since(at).as_secs());
            match age {
                Some(301..) => answer(401, STEP_UP),
                Some(_) | None => answer(200, ""),
            }
        })
    };
    let max_age = std::time::Duration::from_secs(300);
    let text = failure(app(script).get("/").needs_login_within(max_age));
    says(
        &text,
        &["lets in a caller who logged in too long ago, or nobody knows when"],
    );
}

#[test]
fn a_class_that_is_not_said_is_not_the_right_one() {
    let script: Script = |kit, request| {
        right(kit, request, || {
            let value = request.headers()[AUTHORIZATION].to_str().unwrap();
            let verified = kit
                .verifier()
                .verify(value.strip_prefix("Bearer ").unwrap(), kit.issuer().now())
                .unwrap();
            match &verified.principal().authentication.context_class {
                Some(class) if class.as_str() != "gold" => answer(401, STEP_UP),
                Some(_) | None => answer(200, ""),
            }
        })
    };
    let text = failure(app(script).get("/").needs_acr("gold"));
    says(
        &text,
        &["lets in a caller who has a login of another class, or of none"],
    );
}

#[test]
fn a_refusal_of_tenants_by_hand_is_none() {
    let script: Script = |kit, request| right(kit, request, || answer(403, ""));
    let text = failure(app(script).get("/").in_org("acme").needs_tenant());
    says(
        &text,
        &["does not refuse as it must a caller who acts in no organisation"],
    );
}

#[test]
fn plain_http_is_refused_with_credentials_too_and_with_an_event() {
    let wrong: [(Script, &str); 3] = [
        (|_, _| answer(403, ""), "without an event"),
        (
            |kit, _| {
                report(kit, EventKind::RequestRefused, "over plain HTTP");
                answer(200, "")
            },
            "let in",
        ),
        (
            |kit, request| match token(kit, request) {
                None => {
                    report(kit, EventKind::RequestRefused, "over plain HTTP");
                    answer(403, "")
                }
                Some(_) => answer(200, ""),
            },
            "let in by a token",
        ),
    ];
    for (script, what) in wrong {
        let text = failure(app(script).get("/").refuses_plain_http());
        assert!(
            text.contains("a caller who speaks plain HTTP"),
            "{what}: {text}"
        );
    }
}

#[test]
fn an_outage_is_503_with_a_time_to_come_back() {
    fn is_down(kit: &Kit) -> bool {
        use ringwall_core::clock::WallClock as _;
        let health = kit.verifier().health();
        let keys = health
            .iter()
            .any(|(_, health)| *health != ringwall_authn::jose::Health::Fresh);
        keys || kit.clock().now().is_err()
    }
    let wrong: [(Script, &str); 2] = [
        (
            |kit, _| {
                if is_down(kit) {
                    answer(503, "")
                } else {
                    answer(200, "")
                }
            },
            "without Retry-After",
        ),
        (
            |kit, _| match is_down(kit) {
                true => {
                    let mut response = answer(500, "");
                    response.headers_mut().insert(RETRY_AFTER, 1.into());
                    response
                }
                false => answer(200, ""),
            },
            "by another status",
        ),
    ];
    for (script, what) in wrong {
        let text = failure(app(script).get("/").fails_closed());
        assert!(
            text.contains("without the keys of the issuer"),
            "{what}: {text}"
        );
    }
}

#[test]
fn tokens_that_a_cache_knows_fail_closed_too() {
    // Whatever was good once is good for ever.
    let script: Script = |kit, request| {
        let value = request.headers()[AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned();
        let is_known = kit
            .events()
            .all()
            .iter()
            .any(|event| event.about.as_deref() == Some(&value));
        if is_known {
            return answer(200, "");
        }
        use ringwall_core::clock::WallClock as _;
        let now = kit.clock().now().ok();
        match now.and_then(|now| {
            kit.verifier()
                .verify(value.strip_prefix("Bearer ").unwrap(), now)
                .ok()
        }) {
            Some(_) => {
                let mut event = SecurityEvent::new(EventKind::AuthenticationSucceeded, "good");
                event.about = Some(value.into());
                kit.event_sink().emit(event);
                answer(200, "")
            }
            None => {
                let mut response = answer(503, "");
                response.headers_mut().insert(RETRY_AFTER, 1.into());
                response
            }
        }
    };
    let text = failure(app(script).get("/").fails_closed());
    says(
        &text,
        &[
            "does not fail closed without the keys of the issuer",
            "200 OK",
        ],
    );
}

#[test]
fn an_answer_without_a_grpc_status_is_a_failure() {
    let text = failure(
        speaking(Protocol::Grpc, |_, _| answer(200, ""))
            .post("/a.B/C")
            .is_public(),
    );
    says(&text, &["POST /a.B/C fails"]);
    let text = failure(async {
        let app = speaking(Protocol::Grpc, |_, _| answer(200, ""));
        app.post("/a.B/C").await.assert_ok();
    });
    says(&text, &["does not go well"]);
    let text = failure(async {
        let app = speaking(Protocol::Grpc, |_, _| {
            let mut response = answer(500, "");
            response.headers_mut().insert("grpc-status", 0.into());
            response
        });
        app.post("/a.B/C").await.assert_ok();
    });
    says(&text, &["does not go well", "500"]);
}

#[test]
fn a_challenge_on_another_status_is_no_request_to_authenticate() {
    let text = failure(async {
        app(|_, _| answer(403, BARE))
            .get("/")
            .await
            .assert_unauthenticated();
    });
    says(&text, &["does not ask its caller to authenticate"]);
    let text = failure(async {
        let other = "Bearer realm=\"test\", error=\"invalid_request\", scope=\"a\"";
        assert!(other.contains("invalid_request"));
        app(|_, _| {
            answer(
                403,
                "Bearer realm=\"test\", error=\"invalid_request\", scope=\"a\"",
            )
        })
        .get("/")
        .await
        .assert_insufficient_scope("a");
    });
    says(&text, &["does not say that the scope a is lacking"]);
}

/// The scopes and the age of the login of a request with a good token.
fn caller(kit: &Kit, request: &Request<Bytes>) -> ringwall_core::principal::VerifiedPrincipal {
    let value = request.headers()[AUTHORIZATION].to_str().unwrap();
    let verified = kit
        .verifier()
        .verify(value.strip_prefix("Bearer ").unwrap(), kit.issuer().now());
    verified.unwrap().principal().clone()
}

const BOTH: &str = "Bearer realm=\"test\", error=\"insufficient_scope\", scope=\"a b\"";

#[test]
fn each_of_several_that_are_said_to_suffice_has_to() {
    for (script, only) in [
        (
            (|kit, request| {
                right(kit, request, || match caller(kit, request).has_scope("a") {
                    true => answer(200, ""),
                    false => answer(403, BOTH),
                })
            }) as Script,
            "a",
        ),
        (
            |kit, request| {
                right(kit, request, || match caller(kit, request).has_scope("b") {
                    true => answer(200, ""),
                    false => answer(403, BOTH),
                })
            },
            "b",
        ),
    ] {
        let text = failure(app(script).get("/").needs_any_scope(["a", "b"]));
        assert!(
            text.contains("does not let in whom it must"),
            "{only}: {text}"
        );
        // And each that is said to be needed has to be, in a sweep too.
        let text = failure(app(script).get("/").needs_scopes(["a", "b"]));
        assert!(
            text.contains("lets in a caller without the scope a b"),
            "{only}: {text}"
        );
        let access = ringwall_gate::Access::all_scopes(["a", "b"]).unwrap();
        let routes = vec![ringwall_testkit::ListedRoute::new("GET /cases", access)];
        let text = failure(app(script).protects_all_but(&routes, []));
        assert!(
            text.contains("lets in a caller without the scope a b"),
            "{only}: {text}"
        );
    }
}

#[test]
fn an_age_that_is_said_and_not_enforced_is_none() {
    let script: Script = |kit, request| {
        right(kit, request, || {
            let login = caller(kit, request).authentication.authenticated_at;
            let age = login.map(|at| kit.issuer().now().saturating_since(at).as_secs());
            match age {
                None | Some(302..) => answer(401, STEP_UP),
                Some(_) => answer(200, ""),
            }
        })
    };
    let max_age = std::time::Duration::from_secs(300);
    let text = failure(app(script).get("/").needs_login_within(max_age));
    says(&text, &["lets in a caller who logged in too long ago"]);
}

#[test]
fn a_page_that_looks_at_good_tokens_alone_is_neither_public_nor_optional() {
    let looks: Script = |kit, request| {
        if token(kit, request) == Some(Ok(())) {
            report(kit, EventKind::AuthenticationSucceeded, "good");
        }
        answer(200, "")
    };
    says(
        &failure(app(looks).get("/").is_public()),
        &["does not serve everybody alike"],
    );
    let does_not: Script = |kit, request| match token(kit, request) {
        Some(Err(cause)) => invalid(kit, cause),
        Some(Ok(())) | None => answer(200, ""),
    };
    says(
        &failure(app(does_not).get("/").is_optional()),
        &[
            "does not let in whom it must",
            "an event authentication_succeeded",
        ],
    );
}

#[test]
fn new_tokens_fail_closed_too() {
    // Whatever is not known yet is let in unchecked.
    let script: Script = |kit, request| {
        let value = request.headers()[AUTHORIZATION]
            .to_str()
            .unwrap()
            .to_owned();
        let is_known = kit
            .events()
            .all()
            .iter()
            .any(|event| event.about.as_deref() == Some(&value));
        let mut event = SecurityEvent::new(EventKind::AuthenticationSucceeded, "good");
        event.about = Some(value.into());
        kit.event_sink().emit(event);
        let health = kit.verifier().health();
        let is_up = health
            .iter()
            .all(|(_, health)| *health == ringwall_authn::jose::Health::Fresh);
        if is_up || !is_known {
            return answer(200, "");
        }
        let mut response = answer(503, "");
        response.headers_mut().insert(RETRY_AFTER, 1.into());
        response
    };
    let text = failure(app(script).get("/").fails_closed());
    says(
        &text,
        &[
            "does not fail closed without the keys of the issuer",
            "200 OK",
        ],
    );
}

#[test]
fn whoever_is_reported_as_refused_was_not_let_in() {
    let script: Script = |kit, request| {
        right(kit, request, || {
            report(kit, EventKind::AccessDenied, "no");
            answer(200, "")
        })
    };
    says(
        &failure(app(script).get("/").needs_login()),
        &["does not let in whom it must", "access_denied: no"],
    );
}
