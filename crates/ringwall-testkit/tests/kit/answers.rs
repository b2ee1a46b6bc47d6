//! Assertions about one answer.

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use ringwall_axum::{get, post};
use ringwall_testkit::{Answer, Kit, Part};
use serde_json::json;

use crate::support::{app, failure, run, said, says};

/// The answer of a public route.
async fn answer<R>(response: R) -> Answer
where
    R: axum::response::IntoResponse + Clone + Send + Sync + 'static,
{
    let handler = async move || response.clone();
    app(get(handler).public()).get("/cases").await
}

#[test]
fn a_status_is_the_one_or_fails() {
    run(async {
        let created = answer((StatusCode::CREATED, "made")).await;
        created.assert_status(201).assert_text("made");
        let text = said(|| {
            created.assert_status(200);
        });
        says(
            &text,
            &[
                "GET /cases answers another status",
                "expected     200 OK",
                "201 Created",
                "made",
            ],
        );
        says(
            &said(|| {
                created.assert_ok();
            }),
            &["does not go well"],
        );
        answer("fine").await.assert_ok();
    });
}

#[test]
fn a_refusal_is_the_one_or_fails() {
    run(async {
        let app = app(get(async || "cases").require_scope("a"));
        let nobody = app.get("/cases").await;
        nobody.assert_unauthenticated();
        says(
            &said(|| {
                nobody.assert_forbidden();
            }),
            &["is not forbidden"],
        );
        let somebody = app.get("/cases").as_user("alice", ["b"]).await;
        somebody.assert_forbidden().assert_insufficient_scope("a");
        says(
            &said(|| {
                somebody.assert_unauthenticated();
            }),
            &["does not ask"],
        );
        says(
            &said(|| {
                somebody.assert_insufficient_scope("b");
            }),
            &["the scope b is lacking", "scope=\"a\"", "alice, scopes: b"],
        );
        app.get("/cases").as_user("alice", ["a"]).await.assert_ok();
    });
}

#[test]
fn a_401_offers_proofs_beside_bearer_tokens_in_one_line_or_in_two() {
    run(async {
        let bearer = r#"Bearer realm="api", error="invalid_token""#;
        let dpop = r#"DPoP realm="api", algs="ES256""#;
        let both = format!("{bearer}, {dpop}");
        let refusal = |lines: &[&str]| {
            let fields = lines
                .iter()
                .map(|line| (WWW_AUTHENTICATE, line.parse().expect("a value")));
            let fields: HeaderMap = fields.collect();
            answer((StatusCode::UNAUTHORIZED, fields))
        };
        for lines in [&[&*both][..], &[bearer, dpop], &[dpop, bearer]] {
            let refused = refusal(lines).await;
            let challenge = refused.assert_unauthenticated().challenge();
            let error = challenge.and_then(|challenge| challenge.error);
            assert_eq!(error.as_deref(), Some("invalid_token"), "{lines:?}");
        }
        for lines in [
            &[&*both, dpop][..],
            &[bearer, "Basic realm=\"api\""],
            &[dpop],
        ] {
            let refused = refusal(lines).await;
            assert_eq!(refused.challenge(), None, "{lines:?}");
        }
    });
}

#[test]
fn a_401_without_a_challenge_is_no_refusal_of_the_gate() {
    run(async {
        let bare = answer(StatusCode::UNAUTHORIZED).await;
        says(
            &said(|| {
                bare.assert_unauthenticated();
            }),
            &["does not ask its caller"],
        );
        let forbidden = answer(StatusCode::FORBIDDEN).await;
        forbidden.assert_forbidden();
        says(
            &said(|| {
                forbidden.assert_insufficient_scope("a");
            }),
            &["does not say"],
        );
    });
}

#[test]
fn an_outage_is_unavailable_or_fails() {
    run(async {
        let app = app(get(async || "cases"));
        app.kit().take_down(Part::Audit);
        let answer = app.get("/cases").as_user("alice", []).await;
        answer
            .assert_unavailable()
            .assert_header("retry-after", "7");
        app.kit().bring_up(Part::Audit);
        let answer = app.get("/cases").as_user("alice", []).await;
        says(
            &said(|| {
                answer.assert_unavailable();
            }),
            &["is not unavailable"],
        );
    });
}

#[test]
fn header_fields_are_the_ones_or_fail() {
    run(async {
        let answer = answer(([("x-one", "1")], "cases")).await;
        answer.assert_header("x-one", "1").assert_no_header("x-two");
        says(
            &said(|| {
                answer.assert_header("x-one", "2");
            }),
            &["another x-one", "x-one: 2"],
        );
        says(
            &said(|| {
                answer.assert_header("x-two", "2");
            }),
            &["another x-two"],
        );
        says(
            &said(|| {
                answer.assert_no_header("x-one");
            }),
            &["answers a x-one"],
        );
    });
    let twice = axum::response::AppendHeaders([("x-one", "1"), ("x-one", "2")]);
    let text = failure(async move {
        answer((twice, "cases")).await.assert_header("x-one", "1");
    });
    says(&text, &["several fields x-one"]);
}

#[test]
fn a_body_is_the_one_or_fails() {
    run(async {
        let answer = answer(axum::Json(json!({"a": 1, "b": [2]}))).await;
        answer.assert_json(&json!({"b": [2], "a": 1}));
        assert_eq!(answer.json::<serde_json::Value>()["a"], 1);
        says(
            &said(|| {
                answer.assert_json(&json!({"a": 1}));
            }),
            &["another document", "{\"a\":1}"],
        );
        says(
            &said(|| {
                answer.assert_text("x");
            }),
            &["another text"],
        );
        says(
            &said(|| drop(answer.json::<Vec<u8>>())),
            &["not the JSON that was expected"],
        );
    });
    let binary = failure(async {
        let _text = answer(vec![0xff_u8, 0xfe]).await.text().len();
    });
    says(&binary, &["the body is no text"]);
}

#[test]
fn a_body_that_breaks_off_is_no_body() {
    let text = failure(async {
        let broken = async || {
            let chunks = [Ok("half"), Err(std::io::Error::other("the wire was cut"))];
            axum::body::Body::from_stream(Chunks(chunks.into_iter().collect()))
        };
        let answer = app(get(broken).public()).get("/cases").await;
        assert!(answer.broken().unwrap().contains("the wire was cut"));
        answer.assert_text("half");
    });
    says(&text, &["the body broke off: the wire was cut", "half"]);
}

/// Chunks one after the other.
struct Chunks(std::collections::VecDeque<Result<&'static str, std::io::Error>>);

impl futures_core::Stream for Chunks {
    type Item = Result<&'static str, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

#[test]
fn no_report_shows_a_token() {
    run(async {
        let app = app(post(async || "cases").and(get(async || "cases")));
        let token = app.kit().token("alice").issue();
        let answer = app.get("/cases").with(&token).await;
        let text = said(|| {
            answer.assert_status(500);
        });
        says(
            &text,
            &["authorization: Bearer (token of alice, no scopes)"],
        );
        let own = app
            .get("/cases")
            .header("authorization", &token.authorization())
            .await;
        let own = said(|| {
            own.assert_status(500);
        });
        says(&own, &["authorization: (a value of the test's own)"]);
        for part in token.as_str().split('.').filter(|part| !part.is_empty()) {
            assert!(!text.contains(part) && !own.contains(part), "{text} {own}");
        }
    });
}

#[test]
fn a_long_body_is_shown_in_part_and_nothing_in_it_moves_the_cursor() {
    run(async {
        let answer = answer(format!("\u{1b}[2J{}", "x".repeat(10_000))).await;
        let text = said(|| {
            answer.assert_status(500);
        });
        assert!(text.len() < 2_000 && !text.contains('\u{1b}'), "{text}");
        says(&text, &["xxx…"]);
    });
}

#[test]
fn a_failure_reads_as_the_readme_shows_it() {
    let text = failure(async {
        let kit = Kit::new();
        let cases = get(async || "the cases of alice");
        let router = ringwall_axum::GuardedRouter::new(kit.gate()).route("/cases", cases);
        let app = kit.axum(router.into_router().unwrap());
        app.get("/cases").needs_scope("cases:read").await;
    });
    let place = text
        .lines()
        .find_map(|line| line.strip_prefix("  asserted at  "))
        .expect("a place");
    let shown = text.replace(place, "tests/cases.rs:9:23");
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("```text\n{shown}```")), "{shown}");
}
