//! Ids that are UUIDs, in another case of letters (RFC 9562 §4).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ringwall_authz::authzen::{
    EvaluationsRequest, EvaluationsResponse, Evaluator, RequestDocument as _,
    ResourceSearchRequest, SubjectSearchRequest,
};
use ringwall_authz::{
    DirectorySubjects, MemoryDirectory, NoObserver, Policy, PolicyHandle, SubjectDirectory as _,
};
use ringwall_core::principal::PrincipalKind;
use serde_json::json;

use crate::world::{Counted, Fixed, now, org, pep_of, subject};

const ORG: &str = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
const ADA: &str = "00000000-0000-4000-8000-00000000abcd";
const BOB: &str = "00000000-0000-4000-8000-00000000beef";

/// Whoever owns a note deletes it, unless it is suspended.
const POLICY: &str = r#"
version = 1
name = "spelling"
subject = { id = "uuid", tenant = "uuid" }
[roles.reader]
[roles.suspended]
[resources.note]
actions = ["read", "delete"]
attributes.owner = "uuid"
table = { name = "accounts" }
[[rules]]
id = "read"
effect = "permit"
resource = "note"
actions = ["read"]
roles = ["reader"]
[[rules]]
id = "own"
effect = "permit"
resource = "note"
actions = ["delete"]
when = { eq = ["resource.owner", "subject.id"] }
[[rules]]
id = "suspended"
effect = "forbid"
resource = "note"
actions = ["*"]
roles = ["suspended"]
"#;

async fn people() -> Arc<MemoryDirectory> {
    let directory = MemoryDirectory::new();
    for (name, role) in [(ADA, "reader"), (BOB, "reader"), (BOB, "suspended")] {
        let granted = directory.grant_role(&org(ORG), &subject(name), role).await;
        granted.expect("granted");
    }
    Arc::new(directory)
}

fn handle() -> PolicyHandle {
    let policy = Policy::from_toml(POLICY).expect("a policy");
    PolicyHandle::new(policy, Arc::new(NoObserver))
}

fn spellings(id: &str) -> [String; 2] {
    [id.to_owned(), id.to_uppercase()]
}

#[tokio::test]
async fn nobody_is_somebody_else_by_the_case_of_a_letter() {
    let counted = Arc::new(Counted(people().await, AtomicUsize::new(0)));
    let subjects = DirectorySubjects::of_issuer(counted.clone(), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects));
    for org in spellings(ORG) {
        for (who, expected) in [(ADA, true), (BOB, false)] {
            let before = counted.1.load(Ordering::SeqCst);
            let note = json!({"type": "note", "id": "1", "properties": {"owner": who}});
            let questions = spellings(who).into_iter().flat_map(|id| {
                ["read", "delete"].map(|action| {
                    json!({"subject": {"type": "user", "id": id}, "action": {"name": action}})
                })
            });
            let body = json!({"resource": note, "evaluations": questions.collect::<Vec<_>>()});
            let request = EvaluationsRequest::from_json(body.to_string().as_bytes());
            let request = request.expect("a request");
            let pep = pep_of(Some(&org), None);
            let answer = evaluator.evaluate_all(&pep, &request, now());
            let EvaluationsResponse::Batch { evaluations } = answer.await.expect("an answer")
            else {
                panic!("several questions");
            };
            let decisions: Vec<bool> = evaluations.iter().map(|one| one.decision).collect();
            assert_eq!(decisions, [expected; 4], "{org} {who}");
            let asked = counted.1.load(Ordering::SeqCst).saturating_sub(before);
            assert_eq!(asked, 1, "it is one subject");
        }
    }
}

#[tokio::test]
async fn an_organisation_lists_the_same_in_either_spelling() {
    let people = people().await;
    let subjects = DirectorySubjects::of_issuer(people.clone(), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects))
        .search_subjects_of(people, PrincipalKind::User)
        .search_resources_of(Arc::new(Fixed(vec!["1"])));
    let mut token = None;
    for org in spellings(ORG) {
        let pep = pep_of(Some(&org), None);
        let request: SubjectSearchRequest = serde_json::from_value(json!({
            "subject": {"type": "user"}, "action": {"name": "read"},
            "resource": {"type": "note", "id": "1"}, "page": {"limit": 1},
        }))
        .expect("a request");
        let found = evaluator.search_subjects(&pep, &request, now()).await;
        let found = found.expect("an answer");
        let names: Vec<_> = found.results.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(names, [ADA], "{org}");
        // And the pages of one are those of the other.
        let page = found.page.expect("a page").next_token;
        assert_eq!(*token.get_or_insert(page.clone()), page);
        for (who, expected) in [(ADA, 1), (BOB, 0)] {
            for id in spellings(who) {
                let request: ResourceSearchRequest = serde_json::from_value(json!({
                    "subject": {"type": "user", "id": id}, "action": {"name": "read"},
                    "resource": {"type": "note"},
                }))
                .expect("a request");
                let found = evaluator.search_resources(&pep, &request, now()).await;
                assert_eq!(
                    found.expect("an answer").results.len(),
                    expected,
                    "{org} {id}"
                );
            }
        }
    }
}
