//! What an enforcement point says of the scopes of a subject's credential.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringwall_authz::authzen::{
    ActionSearchRequest, EvaluationRequest, EvaluationsRequest, EvaluationsResponse, Evaluator,
    MAX_CREDENTIAL_SCOPES, RequestDocument as _, ResourceSearchRequest, SearchResponse,
    SubjectSearchRequest,
};
use ringwall_authz::{
    CredentialScopes, DirectoryError, DirectorySubjects, KnownSubject, MemoryDirectory, NoObserver,
    Policy, PolicyHandle, SubjectDirectory as _, SubjectResolver,
};
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{PrincipalKind, VerifiedPrincipal};
use ringwall_core::step::Step;
use serde_json::{Value, json};

use crate::world::{Counted, Fixed, now, org, pep, subject};

const POLICY: &str = r#"
version = 1
name = "limits"
[roles.admin]
scopes = ["notes:read", "notes:write"]
[roles.reader]
scopes = ["notes:read"]
[roles.leaver]
scopes = ["frozen"]
[resources.note]
actions = ["read", "write", "delete", "export"]
table = { name = "accounts" }
[[rules]]
id = "read"
effect = "permit"
resource = "note"
actions = ["read"]
scopes = ["notes:read"]
[[rules]]
id = "write"
effect = "permit"
resource = "note"
actions = ["write"]
scopes = ["notes:write"]
[[rules]]
id = "delete"
effect = "permit"
resource = "note"
actions = ["delete"]
roles = ["admin"]
[[rules]]
id = "export"
effect = "permit"
resource = "note"
actions = ["export"]
scopes = ["notes:read"]
[[rules]]
id = "export-masked"
effect = "permit"
resource = "note"
actions = ["export"]
roles = ["admin"]
obligations = { mask_above = "internal" }
[[rules]]
id = "frozen"
effect = "forbid"
resource = "note"
actions = ["*"]
scopes = ["frozen"]
"#;

async fn people() -> Arc<MemoryDirectory> {
    let directory = MemoryDirectory::new();
    for (name, role) in [
        ("ada", "admin"),
        ("bob", "reader"),
        ("lea", "reader"),
        ("lea", "leaver"),
    ] {
        let granted = directory.grant_role(&org("o1"), &subject(name), role).await;
        granted.expect("granted");
    }
    Arc::new(directory)
}

fn handle() -> PolicyHandle {
    let policy = Policy::from_toml(POLICY).expect("a policy");
    PolicyHandle::new(policy, Arc::new(NoObserver))
}

async fn evaluator() -> Evaluator {
    let people = people().await;
    let subjects = DirectorySubjects::of_issuer(people.clone(), "https://login.example");
    Evaluator::new(handle(), Arc::new(subjects))
        .search_subjects_of(people, PrincipalKind::User)
        .search_resources_of(Arc::new(Fixed(vec!["1", "2"])))
}

/// A question with these scopes; without a word of them when there are none.
fn question(kind: &str, who: &str, action: &str, scopes: Option<Value>) -> Value {
    let mut body = json!({
        "subject": {"type": kind, "id": who}, "action": {"name": action},
        "resource": {"type": "note", "id": "1"}, "context": {},
    });
    if let Some(scopes) = scopes {
        body["context"]["credential_scopes"] = scopes;
    }
    body
}

async fn ask(evaluator: &Evaluator, body: Value) -> Result<Value, String> {
    let request = EvaluationRequest::from_json(body.to_string().as_bytes());
    let request = request.map_err(|error| error.to_string())?;
    match evaluator.evaluate(&pep(), &request, now()).await {
        Ok(answer) => Ok(serde_json::to_value(answer).expect("it is written")),
        Err(error) => {
            assert_eq!(error.http_status(), 400);
            Err(error.to_string())
        }
    }
}

/// Which actions are permitted.
async fn may(
    evaluator: &Evaluator,
    kind: &str,
    who: &str,
    scopes: Option<Value>,
) -> Vec<&'static str> {
    let mut permitted = Vec::new();
    for action in ["read", "write", "delete"] {
        let answer = ask(evaluator, question(kind, who, action, scopes.clone())).await;
        if answer.expect("an answer")["decision"] == json!(true) {
            permitted.push(action);
        }
    }
    permitted
}

#[tokio::test]
async fn the_scopes_of_a_credential_limit_what_its_subject_may() {
    let evaluator = evaluator().await;
    let all = vec!["read", "write", "delete"];
    for (who, scopes, expected) in [
        ("ada", None, all.clone()),
        // A login names no right.
        ("ada", Some(json!([])), all.clone()),
        ("ada", Some(json!(["openid", "profile"])), all),
        ("ada", Some(json!(["notes:read"])), vec!["read"]),
        (
            "ada",
            Some(json!(["notes:read", "notes:write"])),
            vec!["read", "write"],
        ),
        ("ada", Some(json!(["notes:gone"])), vec![]),
        ("ada", Some(json!(["*"])), vec![]),
        // And give nothing.
        (
            "bob",
            Some(json!(["notes:read", "notes:write"])),
            vec!["read"],
        ),
        ("eve", Some(json!(["notes:read"])), vec![]),
        // What forbids goes on to do so, by a scope of a role or of the credential.
        ("lea", None, vec![]),
        ("lea", Some(json!(["notes:read"])), vec![]),
        ("bob", Some(json!(["notes:read", "frozen"])), vec![]),
    ] {
        let told = format!("{who} {scopes:?}");
        assert_eq!(
            may(&evaluator, "user", who, scopes).await,
            expected,
            "{told}"
        );
    }
}

/// A service whose machines have what their scopes name.
#[derive(Debug)]
struct Machines;

impl SubjectResolver for Machines {
    fn resolve(
        &self,
        principal: &VerifiedPrincipal,
        _: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        let known = KnownSubject::new(principal.clone());
        Step::Done(Ok(known.with_credential_scopes(CredentialScopes::Grant)))
    }
}

#[tokio::test]
async fn what_is_said_of_scopes_is_no_right_of_a_machine() {
    let by_directory = evaluator().await;
    let by_scopes = Evaluator::new(handle(), Arc::new(Machines));
    let scopes = || Some(json!(["notes:read", "notes:write"]));
    for kind in ["service", "agent", "api_key", "user"] {
        for evaluator in [&by_directory, &by_scopes] {
            let permitted = may(evaluator, kind, "robot", scopes()).await;
            assert_eq!(permitted, [""; 0], "{kind}");
        }
        let permitted = may(&by_directory, kind, "ada", Some(json!(["notes:read"]))).await;
        assert_eq!(permitted, ["read"], "{kind}");
    }
}

#[tokio::test]
async fn a_credential_that_opens_less_owes_no_less() {
    let evaluator = evaluator().await;
    for scopes in [None, Some(json!(["notes:read"]))] {
        let silent = ask(
            &evaluator,
            question("user", "ada", "export", scopes.clone()),
        )
        .await;
        assert_eq!(silent, Ok(json!({"decision": false})), "{scopes:?}");
        let mut body = question("user", "ada", "export", scopes);
        body["context"]["handled_obligations"] = json!(["mask_above"]);
        let masked = json!({"decision": true, "context": {
            "obligations": [{"type": "mask_above", "level": "internal"}]}});
        assert_eq!(ask(&evaluator, body).await, Ok(masked));
    }
    let reader = ask(&evaluator, question("user", "bob", "export", None)).await;
    assert_eq!(
        reader,
        Ok(json!({"decision": true})),
        "no role of his owes it"
    );
}

#[tokio::test]
async fn scopes_that_are_none_are_a_fault_and_no_limit_that_nobody_meant() {
    let evaluator = evaluator().await;
    let many = vec!["notes:read"; MAX_CREDENTIAL_SCOPES + 1];
    for (wrong, at) in [
        (json!("notes:read"), ""),
        (json!(null), ""),
        (json!({}), ""),
        (json!(["openid", 1]), "/1"),
        (json!([["notes:read"]]), "/0"),
        (json!(["notes:read notes:write"]), "/0"),
        (json!([""]), "/0"),
        (json!(many), "/256"),
    ] {
        let place = format!("\"/context/credential_scopes{at}\": ");
        // Whoever it is about, and whether or not there is such a resource.
        for who in ["ada", "eve"] {
            let asked = question("user", who, "read", Some(wrong.clone()));
            let error = ask(&evaluator, asked).await.expect_err("a fault");
            assert!(error.starts_with(&place), "{error}");
        }
        let mut asked = question("user", "ada", "read", Some(wrong));
        asked["resource"]["type"] = json!("unknown");
        let error = ask(&evaluator, asked).await.expect_err("a fault");
        assert!(error.starts_with(&place), "{error}");
    }
    let most = vec!["notes:read"; MAX_CREDENTIAL_SCOPES];
    let asked = question("user", "ada", "read", Some(json!(most)));
    assert_eq!(ask(&evaluator, asked).await, Ok(json!({"decision": true})));
}

#[tokio::test]
async fn each_question_of_a_batch_has_the_scopes_that_it_says_or_those_of_the_defaults() {
    let counted = Arc::new(Counted(people().await, AtomicUsize::new(0)));
    let subjects = DirectorySubjects::of_issuer(counted.clone(), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects));
    let body = json!({
        "subject": {"type": "user", "id": "ada"}, "action": {"name": "write"},
        "resource": {"type": "note", "id": "1"}, "context": {"credential_scopes": ["notes:read"]},
        "evaluations": [
            {},
            {"context": {}},
            {"context": {"credential_scopes": ["notes:write"]}},
            {"action": {"name": "read"}},
            {"context": {"credential_scopes": "notes:write"}},
            {},
        ],
    });
    let request = EvaluationsRequest::from_json(body.to_string().as_bytes()).expect("a request");
    let answer = evaluator.evaluate_all(&pep(), &request, now()).await;
    let EvaluationsResponse::Batch { evaluations } = answer.expect("an answer") else {
        panic!("several questions");
    };
    let decisions: Vec<bool> = evaluations.iter().map(|answer| answer.decision).collect();
    // A context of its own that says nothing of scopes lifts no limit.
    assert_eq!(decisions, [false, false, true, true, false, false]);
    assert!(evaluations[4].context.contains_key("error"));
    assert_eq!(
        counted.1.load(Ordering::SeqCst),
        1,
        "one subject, asked about once"
    );
}

fn count<T>(found: Result<SearchResponse<T>, ringwall_authz::authzen::AuthzenError>) -> usize {
    found.expect("an answer").results.len()
}

#[tokio::test]
async fn searches_find_what_an_evaluation_with_the_same_scopes_permits() {
    let evaluator = evaluator().await;
    for (scopes, subjects, resources, actions) in [
        (json!([]), 1, 2, 4),
        (json!(["notes:write"]), 1, 2, 1),
        (json!(["notes:read"]), 0, 0, 2),
    ] {
        let context = json!({"credential_scopes": scopes, "handled_obligations": ["mask_above"]});
        let (ada, write) = (
            json!({"type": "user", "id": "ada"}),
            json!({"name": "write"}),
        );
        let note = json!({"type": "note", "id": "1"});
        let request: SubjectSearchRequest = serde_json::from_value(json!({
            "subject": {"type": "user"}, "action": write, "resource": note, "context": context,
        }))
        .expect("a request");
        let found = evaluator.search_subjects(&pep(), &request, now()).await;
        assert_eq!(count(found), subjects, "{scopes}");
        let request: ResourceSearchRequest = serde_json::from_value(json!({
            "subject": ada, "action": write, "resource": {"type": "note"}, "context": context,
        }))
        .expect("a request");
        let found = evaluator.search_resources(&pep(), &request, now()).await;
        assert_eq!(count(found), resources, "{scopes}");
        let request: ActionSearchRequest = serde_json::from_value(json!({
            "subject": ada, "resource": note, "context": context,
        }))
        .expect("a request");
        let found = evaluator.search_actions(&pep(), &request, now()).await;
        assert_eq!(count(found), actions, "{scopes}");
    }
    let wrong: ActionSearchRequest = serde_json::from_value(json!({
        "subject": {"type": "user", "id": "ada"}, "resource": {"type": "unknown", "id": "1"},
        "context": {"credential_scopes": [1]},
    }))
    .expect("a request");
    let error = evaluator.search_actions(&pep(), &wrong, now()).await;
    assert_eq!(error.expect_err("a fault").http_status(), 400);
}
