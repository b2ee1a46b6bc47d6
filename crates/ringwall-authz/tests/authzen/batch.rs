//! Several questions at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use ringwall_authz::DirectorySubjects;
use ringwall_authz::authzen::{
    ActionEntity, AuthzenError, Evaluation, EvaluationRequest, EvaluationResponse,
    EvaluationsRequest, EvaluationsResponse, EvaluationsSemantic, Evaluator, JsonObject, JsonValue,
    RequestDocument as _, ResourceEntity, SubjectEntity,
};
use serde_json::json;

use crate::world::{
    ALICE, BOB, Counted, Down, EVE, MALLORY, evaluator, handle, now, people, pep, user,
};

async fn all(evaluator: &Evaluator, body: &serde_json::Value) -> Vec<EvaluationResponse> {
    let request = EvaluationsRequest::from_json(body.to_string().as_bytes()).expect("a request");
    let answer = evaluator.evaluate_all(&pep(), &request, now()).await;
    match answer.expect("an answer") {
        EvaluationsResponse::Batch { evaluations } => evaluations,
        EvaluationsResponse::Single(single) => panic!("{single:?}"),
    }
}

fn ids(semantic: &str, ids: &[&str]) -> serde_json::Value {
    let evaluations: Vec<_> = ids
        .iter()
        .map(|id| json!({"resource": {"type": "document", "id": id}}))
        .collect();
    json!({
        "subject": {"type": "user", "id": ALICE}, "action": {"name": "read"},
        "options": {"evaluations_semantic": semantic}, "evaluations": evaluations,
    })
}

fn decisions(answers: &[EvaluationResponse]) -> Vec<bool> {
    answers.iter().map(|answer| answer.decision).collect()
}

#[tokio::test]
async fn each_semantic_stops_where_it_says() {
    let evaluator = evaluator().await;
    for (semantic, asked, expected) in [
        (
            "execute_all",
            &["2", "1", "2"][..],
            &[false, true, false][..],
        ),
        (
            "deny_on_first_deny",
            &["1", "1", "2", "1"],
            &[true, true, false],
        ),
        ("deny_on_first_deny", &["1", "1"], &[true, true]),
        ("deny_on_first_deny", &["2", "1"], &[false]),
        (
            "permit_on_first_permit",
            &["2", "2", "1", "2"],
            &[false, false, true],
        ),
        ("permit_on_first_permit", &["2", "2"], &[false, false]),
    ] {
        let answers = all(&evaluator, &ids(semantic, asked)).await;
        assert_eq!(decisions(&answers), expected, "{semantic} {asked:?}");
    }
}

#[tokio::test]
async fn a_question_that_cannot_be_asked_is_a_denial_with_an_error_of_its_own() {
    let evaluator = evaluator().await;
    let evaluations = |semantic: &str| {
        json!({
            "subject": {"type": "user", "id": ALICE}, "action": {"name": "can_edit"},
            "options": {"evaluations_semantic": semantic},
            "evaluations": [
                {"resource": {"type": "document", "id": "1", "properties": {"owner": ALICE}}},
                {"resource": {"type": "document", "id": "1", "properties": {"owner": 7}}},
                {"resource": {"type": "document", "id": "1", "properties": {"owner": ALICE}}},
            ],
        })
    };
    let answers = all(&evaluator, &evaluations("execute_all")).await;
    assert_eq!(decisions(&answers), [true, false, true]);
    let message = "\"/resource/properties/owner\": it is of another type than the policy says";
    let error = json!({"error": {"status": 400, "message": message}});
    assert_eq!(
        serde_json::to_value(&answers[1].context).expect("written"),
        error
    );
    let answers = all(&evaluator, &evaluations("deny_on_first_deny")).await;
    assert_eq!(decisions(&answers), [true, false], "a failure is a denial");
}

#[tokio::test]
async fn what_a_question_says_itself_counts_and_nothing_of_the_default_is_left() {
    let evaluator = evaluator().await;
    let body = json!({
        "subject": {"type": "user", "id": ALICE}, "action": {"name": "can_edit"},
        "resource": {"type": "document", "id": "1", "properties": {"owner": ALICE}},
        "context": {"channel": "phone"},
        "evaluations": [
            {},
            {"resource": {"type": "document", "id": "1"}},
            {"subject": {"type": "user", "id": BOB}},
            {"action": {"name": "call"}},
            {"action": {"name": "call"}, "context": {}},
        ],
    });
    let answers = all(&evaluator, &body).await;
    assert_eq!(decisions(&answers), [true, false, false, true, false]);
}

#[tokio::test]
async fn without_evaluations_it_is_one_question() {
    let evaluator = evaluator().await;
    for evaluations in ["", r#","evaluations":[]"#] {
        let body = format!(
            r#"{{"subject":{{"type":"user","id":"{ALICE}"}},"action":{{"name":"read"}},"resource":{{"type":"document","id":"1"}}{evaluations}}}"#
        );
        let request = EvaluationsRequest::from_json(body.as_bytes()).expect("a request");
        let answer = evaluator
            .evaluate_all(&pep(), &request, now())
            .await
            .expect("an answer");
        let answer = serde_json::to_value(answer).expect("it is written");
        assert_eq!(answer, json!({"decision": true}));
    }
}

#[tokio::test]
async fn the_directory_is_asked_once_for_each_subject() {
    let counted = Arc::new(Counted(people().await, AtomicUsize::new(0)));
    let subjects = DirectorySubjects::of_issuer(counted.clone(), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects));
    let evaluations: Vec<_> = (0..200)
        .map(|number| json!({"subject": {"type": "user", "id": if number % 2 == 0 { ALICE } else { BOB }}}))
        .collect();
    let body = json!({
        "action": {"name": "read"}, "resource": {"type": "document", "id": "1"},
        "evaluations": evaluations,
    });
    let answers = all(&evaluator, &body).await;
    assert_eq!(decisions(&answers), [true; 200]);
    assert_eq!(counted.1.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_directory_that_does_not_answer_fails_the_whole_batch() {
    let subjects = DirectorySubjects::of_issuer(Arc::new(Down(BOB)), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects));
    let mut request = EvaluationsRequest::default();
    request.defaults.action = Some(ActionEntity::new("read"));
    request.defaults.resource = Some(ResourceEntity::new("document", "1"));
    for who in [ALICE, BOB] {
        let mut evaluation = Evaluation::default();
        evaluation.subject = Some(user(who));
        request.evaluations.push(evaluation);
    }
    let answer = evaluator.evaluate_all(&pep(), &request, now()).await;
    assert!(
        matches!(answer, Err(AuthzenError::Directory(_))),
        "{answer:?}"
    );
    // What is not reached is not asked.
    request.semantic = EvaluationsSemantic::PermitOnFirstPermit;
    assert!(
        evaluator
            .evaluate_all(&pep(), &request, now())
            .await
            .is_ok()
    );
}

fn subjects() -> impl Strategy<Value = SubjectEntity> {
    let ids = prop::sample::select(vec![ALICE, ALICE, ALICE, BOB, MALLORY, EVE, "nobody", ""]);
    let kinds = vec!["user", "user", "user", "user", "service", "robot"];
    let kinds = prop::sample::select(kinds);
    (kinds, ids).prop_map(|(kind, id)| SubjectEntity::new(kind, id))
}

fn actions() -> impl Strategy<Value = ActionEntity> {
    let names = [
        "read", "can_read", "can_edit", "publish", "export", "inspect", "call", "work", "purge",
        "x",
    ];
    prop::sample::select(names.to_vec()).prop_map(ActionEntity::new)
}

fn values() -> impl Strategy<Value = JsonValue> {
    prop_oneof![
        1 => Just(JsonValue::Null),
        1 => Just(JsonValue::Integer(7)),
        1 => Just(JsonValue::Boolean(true)),
        9 => prop::sample::select(vec![
            ALICE,
            BOB,
            "internal",
            "restricted",
            "o1",
            "o2",
            "phone"
        ])
        .prop_map(JsonValue::from),
    ]
}

fn objects(keys: Vec<&'static str>) -> impl Strategy<Value = JsonObject> {
    let keys = prop::sample::select(keys).prop_map(str::to_owned);
    prop::collection::btree_map(keys, values(), 0..3)
}

fn resources() -> impl Strategy<Value = ResourceEntity> {
    let kinds = prop::sample::select(vec![
        "document", "document", "document", "todo", "file", "x",
    ]);
    let ids = prop::sample::select(vec!["1", "1", "1", "2", ""]);
    let keys = vec!["owner", "owner", "owner", "org_id", "pages", "other"];
    (kinds, ids, objects(keys)).prop_map(|(kind, id, properties)| {
        let mut resource = ResourceEntity::new(kind, id);
        resource.properties = properties;
        resource
    })
}

fn contexts() -> impl Strategy<Value = JsonObject> {
    let handled = JsonValue::Array(
        ["mask_above", "redact", "reason_required"]
            .map(JsonValue::from)
            .to_vec(),
    );
    (
        objects(vec!["channel", "channel", "channel", "attempts", "time"]),
        any::<bool>(),
    )
        .prop_map(move |(mut context, handles)| {
            if handles {
                context.insert("handled_obligations".to_owned(), handled.clone());
            }
            context
        })
}

fn evaluations() -> impl Strategy<Value = Evaluation> {
    (
        prop::option::of(subjects()),
        prop::option::of(actions()),
        prop::option::of(resources()),
        prop::option::of(contexts()),
    )
        .prop_map(|(subject, action, resource, context)| {
            let mut evaluation = Evaluation::default();
            evaluation.subject = subject;
            evaluation.action = action;
            evaluation.resource = resource;
            evaluation.context = context;
            evaluation
        })
}

/// One of a batch, as a request of its own.
fn alone(defaults: &Evaluation, own: &Evaluation) -> EvaluationRequest {
    let mut request = EvaluationRequest::new(
        own.subject
            .clone()
            .or(defaults.subject.clone())
            .expect("given"),
        own.action
            .clone()
            .or(defaults.action.clone())
            .expect("given"),
        own.resource
            .clone()
            .or(defaults.resource.clone())
            .expect("given"),
    );
    request.context = own
        .context
        .clone()
        .or(defaults.context.clone())
        .unwrap_or_default();
    request
}

#[test]
fn property_a_batch_says_what_its_questions_say_one_by_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let evaluator = runtime.block_on(evaluator()).tells_reasons();
    let seen = core::cell::RefCell::new([0_usize; 3]);
    let count = |place: usize| {
        let mut seen = seen.borrow_mut();
        seen[place] = seen[place].saturating_add(1);
    };
    let defaults = (subjects(), actions(), resources(), contexts());
    let batches = (
        defaults,
        prop::collection::vec(evaluations(), 1..8),
        0_usize..3,
    );
    proptest!(|((defaults, evaluations, semantic) in batches)| {
        let mut request = EvaluationsRequest::default();
        request.defaults.subject = Some(defaults.0);
        request.defaults.action = Some(defaults.1);
        request.defaults.resource = Some(defaults.2);
        request.defaults.context = Some(defaults.3);
        request.evaluations = evaluations;
        request.semantic = [
            EvaluationsSemantic::ExecuteAll,
            EvaluationsSemantic::DenyOnFirstDeny,
            EvaluationsSemantic::PermitOnFirstPermit,
        ][semantic];
        let text = serde_json::to_vec(&request).expect("it is written");
        let again = EvaluationsRequest::from_json(&text);
        prop_assert_eq!(again.as_ref(), Ok(&request));
        let answer = runtime.block_on(evaluator.evaluate_all(&pep(), &request, now()));
        let Ok(EvaluationsResponse::Batch { evaluations: answers }) = answer else {
            panic!("{answer:?}");
        };
        let mut expected = Vec::new();
        for own in &request.evaluations {
            let one = alone(&request.defaults, own);
            let answer = runtime.block_on(evaluator.evaluate(&pep(), &one, now()));
            let decision = match answer {
                Ok(answer) => {
                    count(usize::from(answer.decision));
                    let decision = answer.decision;
                    expected.push(answer);
                    decision
                }
                Err(error) => {
                    prop_assert_eq!(error.http_status(), 400);
                    count(2);
                    let told = answers.get(expected.len()).cloned().expect("told");
                    prop_assert!(!told.decision && told.context.contains_key("error"));
                    expected.push(told);
                    false
                }
            };
            let is_last = match request.semantic {
                EvaluationsSemantic::ExecuteAll => false,
                EvaluationsSemantic::DenyOnFirstDeny => !decision,
                EvaluationsSemantic::PermitOnFirstPermit => decision,
            };
            if is_last {
                break;
            }
        }
        prop_assert_eq!(answers, expected);
    });
    let seen = seen.into_inner();
    assert!(
        seen.iter().all(|seen| *seen > 3),
        "denied, permitted, wrong: {seen:?}"
    );
}
