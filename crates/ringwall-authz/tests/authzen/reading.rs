//! Bodies that somebody made to do harm.

use ringwall_authz::authzen::{
    ActionSearchRequest, EvaluationRequest, EvaluationsRequest, EvaluationsSemantic,
    InvalidRequest, JsonValue, MAX_DEPTH, MAX_EVALUATIONS, MAX_MEMBERS, MAX_NAME_BYTES,
    MAX_REQUEST_BYTES, MAX_TOKEN_BYTES, MAX_VALUES, RequestDocument, RequestFault,
    ResourceSearchRequest, SubjectSearchRequest,
};

const GOOD: &str = r#"{"subject":{"type":"user","id":"u1"},"action":{"name":"read"},"resource":{"type":"document","id":"1"}}"#;

fn refused<T: RequestDocument>(body: &str) -> InvalidRequest {
    match T::from_json(body.as_bytes()) {
        Ok(_) => panic!("accepted: {body:.200}"),
        Err(fault) => fault,
    }
}

fn evaluation(body: &str) -> (String, RequestFault) {
    let fault = refused::<EvaluationRequest>(body);
    (fault.pointer().to_owned(), fault.fault())
}

/// The good request with a context.
fn with_context(context: &str) -> String {
    GOOD.replacen('{', &format!("{{\"context\":{context},"), 1)
}

fn nested(depth: usize) -> String {
    format!("{}0{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn tells_where_a_value_has_the_wrong_type_or_is_missing() {
    for (from, to, pointer, expected) in [
        (r#""id":"u1""#, r#""id":1"#, "/subject/id", "a text"),
        (r#""id":"u1""#, r#""id":null"#, "/subject/id", "a text"),
        (
            r#""type":"user""#,
            r#""type":["user"]"#,
            "/subject/type",
            "a text",
        ),
        (r#"{"name":"read"}"#, r#""read""#, "/action", "an object"),
        (r#"{"name":"read"}"#, "null", "/action", "an object"),
        (
            r#"{"name":"read"}"#,
            r#"{"name":true}"#,
            "/action/name",
            "a text",
        ),
        (
            r#""id":"1""#,
            r#""id":"1","properties":[]"#,
            "/resource/properties",
            "an object",
        ),
        (
            r#""id":"1""#,
            r#""id":"1","properties":null"#,
            "/resource/properties",
            "an object",
        ),
        (
            r#"{"subject""#,
            r#"{"context":"x","subject""#,
            "/context",
            "an object",
        ),
    ] {
        let body = GOOD.replace(from, to);
        assert_ne!(body, GOOD);
        let told = evaluation(&body);
        assert_eq!(
            told,
            (pointer.to_owned(), RequestFault::WrongType(expected)),
            "{body}"
        );
    }
    for (from, pointer) in [
        (r#""subject":{"type":"user","id":"u1"},"#, "/subject"),
        (r#""action":{"name":"read"},"#, "/action"),
        (r#","resource":{"type":"document","id":"1"}"#, "/resource"),
        (r#","id":"1""#, "/resource/id"),
        (r#""type":"user","#, "/subject/type"),
        (r#""name":"read""#, "/action/name"),
    ] {
        let body = GOOD.replace(from, "");
        assert_ne!(body, GOOD);
        assert_eq!(
            evaluation(&body),
            (pointer.to_owned(), RequestFault::Missing),
            "{body}"
        );
    }
    for body in ["[]", "\"x\"", "1", "null", "true"] {
        assert_eq!(
            evaluation(body),
            (String::new(), RequestFault::WrongType("an object"))
        );
    }
}

#[test]
fn ignores_what_it_does_not_know() {
    let plain = EvaluationRequest::from_json(GOOD.as_bytes()).expect("good");
    let more = GOOD
        .replacen('{', r#"{"evaluation":1,"#, 1)
        .replace(r#""name":"read""#, r#""name":"read","verb":{"x":[]}"#)
        .replace(r#""id":"u1""#, r#""id":"u1","roles":["admin"],"org":"o2""#);
    assert_eq!(EvaluationRequest::from_json(more.as_bytes()), Ok(plain));
}

#[test]
fn refuses_what_is_no_json() {
    for body in [
        "",
        " ",
        "{",
        GOOD.strip_suffix('}').expect("an object"),
        &format!("{GOOD}{GOOD}"),
        &format!("{GOOD},"),
        &with_context(r#"{"x":NaN}"#),
        &with_context(r#"{"x":Infinity}"#),
        &with_context(r#"{"x":-Infinity}"#),
        &with_context(r#"{"x":1e999}"#),
        &with_context(r#"{"x":+1}"#),
        &with_context(r#"{"x":01}"#),
        &with_context(r#"{"x":1,}"#),
        &with_context(r#"{x:1}"#),
        &with_context("{'x':1}"),
        &with_context(r#"{"x":"\ud800"}"#),
        &with_context(r#"{"\udc00":1}"#),
        &with_context("{\"x\":\"\u{0}\"}"),
        &GOOD.replace("user", "us\ner"),
        &format!("\u{feff}{GOOD}"),
        &format!("/* */{GOOD}"),
    ] {
        let (pointer, fault) = evaluation(body);
        assert_eq!(pointer, "");
        assert!(
            matches!(fault, RequestFault::Syntax { .. }),
            "{body} {fault:?}"
        );
    }
    let mut bytes = GOOD.as_bytes().to_vec();
    let place = GOOD.find("u1").expect("it is there");
    bytes[place] = 0xff;
    let fault = EvaluationRequest::from_json(&bytes)
        .expect_err("no UTF-8")
        .fault();
    assert!(
        matches!(fault, RequestFault::Syntax { line: 1, .. }),
        "{fault:?}"
    );
}

#[test]
fn refuses_a_key_that_stands_twice_wherever_and_however_it_is_written() {
    let twice = |pointer: &str| (pointer.to_owned(), RequestFault::DuplicateKey);
    let body = GOOD.replacen('{', r#"{"subject":{"type":"user","id":"admin"},"#, 1);
    assert_eq!(evaluation(&body), twice("/subject"));
    let body = GOOD.replace(r#""id":"u1""#, r#""id":"admin","id":"u1""#);
    assert_eq!(evaluation(&body), twice("/subject/id"));
    let body = GOOD.replace(r#""id":"u1""#, r#""id":"admin","\u0069d":"u1""#);
    assert_eq!(evaluation(&body), twice("/subject/id"));
    let body = with_context(r#"{"x":[0,{"a/b~c":1,"a/b~c":1}]}"#);
    assert_eq!(evaluation(&body), twice("/context/x/1/a~1b~0c"));
    // In what is ignored too.
    let body = GOOD.replacen('{', r#"{"ignored":{"a":1,"a":1},"#, 1);
    assert_eq!(evaluation(&body), twice("/ignored/a"));
}

#[test]
fn refuses_what_is_nested_too_deep() {
    // The context is one deep, its member another.
    let body = with_context(&format!("{{\"x\":{}}}", nested(MAX_DEPTH - 2)));
    EvaluationRequest::from_json(body.as_bytes()).expect("as deep as may be");
    for depth in [MAX_DEPTH - 1, 200, 100_000] {
        let body = with_context(&format!("{{\"x\":{}}}", nested(depth)));
        let (pointer, fault) = evaluation(&body);
        assert_eq!(fault, RequestFault::TooDeep(MAX_DEPTH));
        assert!(pointer.starts_with("/context/x/0/0/0"), "{pointer}");
    }
    let body = with_context(&format!("{}1{}", r#"{"x":"#.repeat(100), "}".repeat(100)));
    assert_eq!(evaluation(&body).1, RequestFault::TooDeep(MAX_DEPTH));
}

#[test]
fn refuses_too_many_properties_and_too_many_values() {
    let members = |number: usize| {
        let members: Vec<String> = (0..number).map(|n| format!("\"k{n}\":0")).collect();
        format!("{{{}}}", members.join(","))
    };
    EvaluationRequest::from_json(with_context(&members(MAX_MEMBERS)).as_bytes()).expect("as many");
    let told = evaluation(&with_context(&members(MAX_MEMBERS + 1)));
    assert_eq!(
        told,
        ("/context".to_owned(), RequestFault::TooMany(MAX_MEMBERS))
    );
    // Elements of arrays are values too.
    let body = with_context(&format!("{{\"x\":[{}0]}}", "0,".repeat(MAX_VALUES - 20)));
    EvaluationRequest::from_json(body.as_bytes()).expect("as many");
    let body = with_context(&format!("{{\"x\":[{}0]}}", "0,".repeat(MAX_VALUES)));
    assert_eq!(evaluation(&body).1, RequestFault::TooMany(MAX_VALUES));
}

#[test]
fn refuses_what_is_too_long() {
    let padded = format!("{GOOD}{}", " ".repeat(MAX_REQUEST_BYTES - GOOD.len()));
    EvaluationRequest::from_json(padded.as_bytes()).expect("as long as may be");
    for length in [MAX_REQUEST_BYTES + 1, 10 * 1024 * 1024] {
        let body = format!("{GOOD}{}", " ".repeat(length - GOOD.len()));
        let told = evaluation(&body);
        assert_eq!(
            told,
            (String::new(), RequestFault::TooLong(MAX_REQUEST_BYTES))
        );
    }
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    for (from, pointer) in [
        ("\"user\"", "/subject/type"),
        ("\"u1\"", "/subject/id"),
        ("\"read\"", "/action/name"),
        ("\"document\"", "/resource/type"),
        ("\"1\"", "/resource/id"),
    ] {
        let body = GOOD.replace(from, &format!("\"{long}\""));
        let told = evaluation(&body);
        assert_eq!(
            told,
            (pointer.to_owned(), RequestFault::TooLong(MAX_NAME_BYTES))
        );
    }
}

#[test]
fn a_message_is_bounded_and_escaped_and_holds_no_values() {
    let key = format!("\\n\\u202e{}", "é".repeat(500));
    let fault =
        refused::<EvaluationRequest>(&with_context(&format!("{{\"{key}\":0,\"{key}\":0}}")));
    assert!(fault.pointer().len() <= 256, "{}", fault.pointer().len());
    let message = fault.to_string();
    assert!(
        message.chars().all(|c| !c.is_control() && c != '\u{202e}'),
        "{message}"
    );
    let fault = refused::<EvaluationRequest>(&GOOD.replace("\"u1\"", "[\"secret\"]"));
    assert_eq!(fault.to_string(), "\"/subject/id\": it has to be a text");
}

#[test]
fn a_batch_is_bounded_and_each_of_its_questions_is_whole() {
    let batch = |number: usize| {
        let one = r#"{"resource":{"type":"document","id":"1"}}"#;
        let all = vec![one; number].join(",");
        GOOD.replacen('{', &format!("{{\"evaluations\":[{all}],"), 1)
    };
    let read = EvaluationsRequest::from_json(batch(MAX_EVALUATIONS).as_bytes()).expect("as many");
    assert_eq!(read.evaluations.len(), MAX_EVALUATIONS);
    let fault = refused::<EvaluationsRequest>(&batch(MAX_EVALUATIONS + 1));
    assert_eq!(fault.pointer(), "/evaluations");
    assert_eq!(fault.fault(), RequestFault::TooMany(MAX_EVALUATIONS));
    // Many more, within the length.
    let body = format!("{{\"evaluations\":[{}{{}}]}}", "{},".repeat(30_000));
    let fault = refused::<EvaluationsRequest>(&body);
    assert_eq!(fault.fault(), RequestFault::TooMany(MAX_EVALUATIONS));
    for (body, pointer) in [
        (r#"{}"#, "/subject"),
        (r#"{"evaluations":[]}"#, "/subject"),
        (r#"{"evaluations":[{}]}"#, "/evaluations/0/subject"),
        (
            r#"{"subject":{"type":"user","id":"u"},"evaluations":[{"action":{"name":"x"}}]}"#,
            "/evaluations/0/resource",
        ),
        (r#"{"evaluations":{}}"#, "/evaluations"),
        (r#"{"evaluations":null}"#, "/evaluations"),
        (r#"{"evaluations":[{},1]}"#, "/evaluations/1"),
        (
            r#"{"evaluations":[{"subject":null}]}"#,
            "/evaluations/0/subject",
        ),
        (
            r#"{"evaluations":[{"resource":{"type":"x","id":{}}}]}"#,
            "/evaluations/0/resource/id",
        ),
        (r#"{"options":[]}"#, "/options"),
        (
            r#"{"options":{"evaluations_semantic":1}}"#,
            "/options/evaluations_semantic",
        ),
        (
            r#"{"options":{"evaluations_semantic":"EXECUTE_ALL"}}"#,
            "/options/evaluations_semantic",
        ),
        (
            r#"{"options":{"evaluations_semantic":""}}"#,
            "/options/evaluations_semantic",
        ),
    ] {
        assert_eq!(
            refused::<EvaluationsRequest>(body).pointer(),
            pointer,
            "{body}"
        );
    }
    let body = GOOD.replacen(
        '{',
        r#"{"options":{"evaluations_semantic":"deny_on_first_deny"},"#,
        1,
    );
    let read = EvaluationsRequest::from_json(body.as_bytes()).expect("a batch of one");
    assert_eq!(read.semantic, EvaluationsSemantic::DenyOnFirstDeny);
}

#[test]
fn pages_are_read_within_bounds() {
    let with_page = |page: &str| GOOD.replacen('{', &format!("{{\"page\":{page},"), 1);
    for (page, pointer) in [
        ("1", "/page"),
        ("null", "/page"),
        (r#"{"limit":-1}"#, "/page/limit"),
        (r#"{"limit":1.5}"#, "/page/limit"),
        (r#"{"limit":"1"}"#, "/page/limit"),
        (r#"{"limit":18446744073709551615}"#, "/page/limit"),
        (r#"{"token":1}"#, "/page/token"),
        (
            &format!(r#"{{"token":"{}"}}"#, "0".repeat(MAX_TOKEN_BYTES + 1)),
            "/page/token",
        ),
        (r#"{"properties":1}"#, "/page/properties"),
    ] {
        let body = with_page(page);
        assert_eq!(
            refused::<SubjectSearchRequest>(&body).pointer(),
            pointer,
            "{page:.80}"
        );
        assert_eq!(
            refused::<ResourceSearchRequest>(&body).pointer(),
            pointer,
            "{page:.80}"
        );
        assert_eq!(
            refused::<ActionSearchRequest>(&body).pointer(),
            pointer,
            "{page:.80}"
        );
    }
    let read = ActionSearchRequest::from_json(with_page(r#"{"limit":0,"sort":"x"}"#).as_bytes());
    let page = read.expect("a page").page.expect("a page");
    assert_eq!((page.limit, page.token), (Some(0), None));
}

#[test]
fn a_search_ignores_the_id_of_what_is_searched_for() {
    let read = SubjectSearchRequest::from_json(GOOD.as_bytes()).expect("an id is ignored");
    assert_eq!(read.subject.kind, "user");
    let odd = GOOD.replace("\"u1\"", "17");
    SubjectSearchRequest::from_json(odd.as_bytes()).expect("whatever it is");
    let odd = GOOD.replace("\"id\":\"1\"", "\"id\":{}");
    ResourceSearchRequest::from_json(odd.as_bytes()).expect("whatever it is");
}

#[test]
fn any_deserializer_holds_the_bounds() {
    let deep = with_context(&format!("{{\"x\":{}}}", nested(60)));
    let error = serde_json::from_str::<EvaluationRequest>(&deep).expect_err("too deep");
    assert!(
        error.to_string().contains("nested deeper than 32"),
        "{error}"
    );
    let twice = with_context(r#"{"x":1,"x":2}"#);
    let error = serde_json::from_str::<EvaluationRequest>(&twice).expect_err("twice");
    assert!(error.to_string().contains("stands twice"), "{error}");
    let wrong = GOOD.replace("\"u1\"", "1");
    let error = serde_json::from_str::<EvaluationRequest>(&wrong).expect_err("no text");
    assert!(error.to_string().contains("/subject/id"), "{error}");
    let read: JsonValue = serde_json::from_str("[1,-1,1.5,18446744073709551615]").expect("numbers");
    let numbers = [
        JsonValue::Integer(1),
        JsonValue::Integer(-1),
        JsonValue::Number(1.5),
        JsonValue::Number(18_446_744_073_709_551_615.0),
    ];
    assert_eq!(read, JsonValue::Array(numbers.to_vec()));
}
