//! Every example of the specification.

use ringwall_authz::authzen::{
    ActionEntity, ActionSearchRequest, EvaluationRequest, EvaluationResponse, EvaluationsRequest,
    EvaluationsResponse, Evaluator, InvalidRequest, JsonObject, RequestDocument, ResourceEntity,
    ResourceSearchRequest, SearchResponse, SubjectEntity, SubjectSearchRequest,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::world::{evaluator, now, pep};

const FILES: [(&str, usize); 4] = [
    (
        include_str!("../vectors/authzen/information_model.json"),
        13,
    ),
    (include_str!("../vectors/authzen/evaluation.json"), 3),
    (include_str!("../vectors/authzen/evaluations.json"), 14),
    (include_str!("../vectors/authzen/search.json"), 17),
];

fn examples() -> Vec<Value> {
    FILES
        .iter()
        .flat_map(|(file, number)| {
            let file: Value = serde_json::from_str(file).expect("a file");
            let examples = file["examples"].as_array().expect("examples").clone();
            assert_eq!(examples.len(), *number);
            examples
        })
        .collect()
}

/// Reads it, and writes what was read.
fn again<T: Serialize + DeserializeOwned>(document: &Value) -> Value {
    let read: T = serde_json::from_value(document.clone()).expect("it is read");
    serde_json::to_value(read).expect("it is written")
}

/// A request that is read from its text, and from what it is written as.
fn request<T>(document: &Value) -> Result<T, InvalidRequest>
where
    T: RequestDocument + Serialize + DeserializeOwned + PartialEq + core::fmt::Debug,
{
    let read = T::from_json(document.to_string().as_bytes())?;
    let written = serde_json::to_vec(&read).expect("it is written");
    assert_eq!(T::from_json(&written).as_ref(), Ok(&read));
    Ok(read)
}

fn without(mut document: Value, pointers: &Value) -> Value {
    for pointer in pointers.as_array().into_iter().flatten() {
        let (parent, key) = pointer
            .as_str()
            .and_then(|p| p.rsplit_once('/'))
            .expect("a pointer");
        let parent = document.pointer_mut(parent).expect("it is there");
        parent.as_object_mut().expect("an object").remove(key);
    }
    document
}

async fn answer(
    evaluator: &Evaluator,
    kind: &str,
    document: &Value,
) -> Result<Value, InvalidRequest> {
    let pep = pep();
    Ok(match kind {
        "evaluation" => {
            let request = request::<EvaluationRequest>(document)?;
            let answer = evaluator.evaluate(&pep, &request, now()).await;
            serde_json::to_value(answer.expect("an answer"))
        }
        "evaluations" => {
            let request = request::<EvaluationsRequest>(document)?;
            let answer = evaluator.evaluate_all(&pep, &request, now()).await;
            serde_json::to_value(answer.expect("an answer"))
        }
        "subject_search" => {
            let request = request::<SubjectSearchRequest>(document)?;
            let answer = evaluator.search_subjects(&pep, &request, now()).await;
            serde_json::to_value(answer.expect("an answer"))
        }
        "resource_search" => {
            let mut request = request::<ResourceSearchRequest>(document)?;
            if let Some(page) = &mut request.page {
                // A token of another decision point.
                page.token = None;
            }
            let answer = evaluator.search_resources(&pep, &request, now()).await;
            serde_json::to_value(answer.expect("an answer"))
        }
        "action_search" => {
            let request = request::<ActionSearchRequest>(document)?;
            let answer = evaluator.search_actions(&pep, &request, now()).await;
            serde_json::to_value(answer.expect("an answer"))
        }
        other => panic!("{other}"),
    }
    .expect("it is written"))
}

#[tokio::test]
async fn every_example_of_the_specification_is_read() {
    let evaluator = evaluator().await;
    let mut answered = 0;
    for example in examples() {
        let title = format!("§{} {}", example["section"], example["title"]);
        let document = &example["document"];
        let kind = example["kind"].as_str().expect("a kind");
        let read = match kind {
            "subject" => again::<SubjectEntity>(document),
            "resource" => again::<ResourceEntity>(document),
            "action" => again::<ActionEntity>(document),
            "context" => again::<JsonObject>(document),
            "decision" => again::<EvaluationResponse>(document),
            "decisions" => again::<EvaluationsResponse>(document),
            "subjects" => again::<SearchResponse<SubjectEntity>>(document),
            "resources" => again::<SearchResponse<ResourceEntity>>(document),
            "actions" => again::<SearchResponse<ActionEntity>>(document),
            _ => {
                let found = answer(&evaluator, kind, document).await;
                match example["fault"].as_str() {
                    Some(fault) => {
                        assert_eq!(found.expect_err(&title).pointer(), fault, "{title}");
                    }
                    None => {
                        let found = found.expect(&title);
                        answered += check(&title, &found, &example["answer"]);
                    }
                }
                continue;
            }
        };
        let ignored = &example["ignored"];
        let expected = without(document.clone(), ignored);
        assert_eq!(without_defaults(read, ignored), expected, "{title}");
    }
    assert_eq!(answered, 10);
}

/// What was left out is not compared, however it is written.
fn without_defaults(mut read: Value, ignored: &Value) -> Value {
    if ignored
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one == "/page"))
    {
        read.as_object_mut().expect("an object").remove("page");
    }
    read
}

/// The decisions and the results are those of the specification; contexts are examples there.
fn check(title: &str, found: &Value, expected: &Value) -> usize {
    if expected.is_null() {
        return 0;
    }
    let decisions = |answer: &Value| -> Vec<Value> {
        let all = answer["evaluations"].as_array();
        all.into_iter()
            .flatten()
            .map(|one| one["decision"].clone())
            .collect()
    };
    assert_eq!(found.get("decision"), expected.get("decision"), "{title}");
    assert_eq!(decisions(found), decisions(expected), "{title}");
    assert_eq!(found.get("results"), expected.get("results"), "{title}");
    1
}
