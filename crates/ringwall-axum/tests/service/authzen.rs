//! The Authorization API 1.0 of OpenID AuthZEN, over sockets.

use std::sync::Arc;

use ringwall_authz::authzen::{
    Evaluator, ListingError, PdpMetadata, ResourceListing, ResourcePage, ResourceQuery,
};
use ringwall_authz::directory::DirectoryAnswer;
use ringwall_authz::{
    DirectoryError, DirectorySubjects, MemoryDirectory, NoObserver, Policy, PolicyHandle,
    PolicyInformationPoint, SubjectDirectory as _, SubjectFacts,
};
use ringwall_axum::{AuthorizationOperation, Endpoint, GuardedRouter};
use ringwall_core::event::EventKind;
use ringwall_core::principal::{OrgId, PrincipalKind, Subject};
use ringwall_core::step::Step;
use serde_json::{Value, json};

use crate::support::{Answer, Bench, Site, serve};

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const METADATA: &str = "/.well-known/authzen-configuration";

const POLICY: &str = r#"
version = 1
name = "pdp"

[roles.reader]

[resources.case]
actions = ["read", "close"]
attributes.owner = "text"
table = { name = "cases" }

[resources.note]
actions = ["read"]

[[rules]]
id = "readers"
effect = "permit"
resource = "case"
actions = ["read"]
roles = ["reader"]

[[rules]]
id = "owner"
effect = "permit"
resource = "case"
actions = ["close"]
when = { eq = ["resource.owner", "subject.id"] }
"#;

#[derive(Debug)]
struct Cases;

impl ResourceListing for Cases {
    fn resources(&self, query: ResourceQuery) -> Step<Result<ResourcePage, ListingError>> {
        let page = match query.after.as_deref() {
            None => ResourcePage {
                ids: vec!["c1".into()],
                next: Some("c1".into()),
            },
            Some("c1") => ResourcePage {
                ids: vec!["c2".into()],
                next: None,
            },
            Some(_) => return Step::Done(Err(ListingError::UnknownCursor)),
        };
        Step::wait(async { Ok(page) })
    }
}

#[derive(Debug)]
struct Down;

impl PolicyInformationPoint for Down {
    fn facts(&self, _: &OrgId, _: &Subject) -> DirectoryAnswer<SubjectFacts> {
        Step::wait(async {
            Err(DirectoryError::Unavailable {
                retry_after: std::time::Duration::from_secs(7),
                source: None,
            })
        })
    }
}

fn handle() -> PolicyHandle {
    PolicyHandle::new(
        Policy::from_toml(POLICY).expect("a policy"),
        Arc::new(NoObserver),
    )
}

async fn evaluator() -> Evaluator {
    let directory = Arc::new(MemoryDirectory::new());
    for (org, name) in [("acme", "alice"), ("acme", "bob"), ("other", "eve")] {
        let org = OrgId::new(org).expect("an organisation");
        let subject = Subject::new(name).expect("a subject");
        directory
            .grant_role(&org, &subject, "reader")
            .await
            .expect("granted");
    }
    let subjects = DirectorySubjects::of_issuer(directory.clone(), "https://login.example");
    Evaluator::new(handle(), Arc::new(subjects))
        .search_subjects_of(directory, PrincipalKind::User)
        .search_resources_of(Arc::new(Cases))
}

/// Those with the scope may ask, and everybody may know where.
fn policy(operation: AuthorizationOperation, endpoint: Endpoint) -> Endpoint {
    match operation {
        AuthorizationOperation::Metadata => endpoint.public(),
        AuthorizationOperation::Evaluation
        | AuthorizationOperation::Evaluations
        | AuthorizationOperation::SearchSubject
        | AuthorizationOperation::SearchResource
        | AuthorizationOperation::SearchAction
        | _ => endpoint.require_scope("cases:write"),
    }
}

async fn site_of(bench: &Bench, evaluator: &Evaluator) -> Site {
    let metadata = PdpMetadata::new("https://pdp.example.com", evaluator).expect("metadata");
    let router =
        GuardedRouter::new(bench.gate.clone()).authorization_api(evaluator, metadata, policy);
    serve(router.into_router().expect("a router")).await
}

async fn site() -> Site {
    site_of(&Bench::new(), &evaluator().await).await
}

async fn post(site: &Site, path: &str, body: &str) -> Answer {
    let headers = [
        ("authorization", "Bearer writer"),
        ("content-type", "application/json"),
        ("x-request-id", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716"),
    ];
    site.send("POST", path, &headers, body).await
}

fn question(who: &str, action: &str, id: &str) -> String {
    json!({
        "subject": {"type": "user", "id": who}, "action": {"name": action},
        "resource": {"type": "case", "id": id, "properties": {"owner": "alice"}},
    })
    .to_string()
}

fn read(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let id = answer.header("x-request-id");
    assert_eq!(id, Some("bfe9eb29-ab87-4ca3-be83-a1d5d8305716"));
    serde_json::from_str(&answer.body).expect("JSON")
}

#[tokio::test]
async fn answers_with_decisions() {
    let bench = Bench::new();
    let site = site_of(&bench, &evaluator().await).await;
    let answer = post(&site, EVALUATION, &question("alice", "read", "c1")).await;
    assert_eq!(read(&answer), json!({"decision": true}));
    for denied in [
        question("mallory", "read", "c1"),
        question("bob", "close", "c1"),
        question("eve", "read", "c1"),
        // The caller's own rights are not its subjects'.
        question("writer", "read", "c1"),
        question("alice", "unknown", "c1"),
    ] {
        assert_eq!(
            read(&post(&site, EVALUATION, &denied).await),
            json!({"decision": false})
        );
    }
    let batch = json!({
        "subject": {"type": "user", "id": "alice"}, "action": {"name": "close"},
        "options": {"evaluations_semantic": "deny_on_first_deny"},
        "evaluations": [
            {"resource": {"type": "case", "id": "c1", "properties": {"owner": "alice"}}},
            {"resource": {"type": "case", "id": "c1", "properties": {"owner": "alice", "org_id": "other"}}},
            {"resource": {"type": "case", "id": "c1", "properties": {"owner": "alice"}}},
        ],
    });
    let answer = read(&post(&site, EVALUATIONS, &batch.to_string()).await);
    assert_eq!(
        answer,
        json!({"evaluations": [{"decision": true}, {"decision": false}]})
    );
    bench.until(|bench| bench.outcomes().len() == 7).await;
    assert_eq!(bench.outcomes(), ["completed 200"; 7]);
}

#[tokio::test]
async fn answers_searches() {
    let site = site().await;
    let user = json!({"type": "user", "id": "alice"});
    let case = json!({"type": "case", "id": "c1", "properties": {"owner": "alice"}});
    let body = json!({"subject": {"type": "user"}, "action": {"name": "read"}, "resource": case});
    let found = read(&post(&site, "/access/v1/search/subject", &body.to_string()).await);
    assert_eq!(
        found["results"],
        json!([{"type": "user", "id": "alice"}, {"type": "user", "id": "bob"}])
    );
    assert_eq!(found["page"], json!({"next_token": "", "count": 2}));
    let body = json!({"subject": user, "resource": case});
    let found = read(&post(&site, "/access/v1/search/action", &body.to_string()).await);
    assert_eq!(
        found["results"],
        json!([{"name": "read"}, {"name": "close"}])
    );
    let mut body =
        json!({"subject": user, "action": {"name": "read"}, "resource": {"type": "case"}});
    let found = read(&post(&site, "/access/v1/search/resource", &body.to_string()).await);
    assert_eq!(found["results"], json!([{"type": "case", "id": "c1"}]));
    body["page"] = json!({"token": found["page"]["next_token"]});
    let found = read(&post(&site, "/access/v1/search/resource", &body.to_string()).await);
    assert_eq!(found["results"], json!([{"type": "case", "id": "c2"}]));
    assert_eq!(found["page"]["next_token"], "");
    body["page"] = json!({"token": "abc"});
    let refused = post(&site, "/access/v1/search/resource", &body.to_string()).await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn tells_everybody_where_it_is_and_nobody_else_what_it_decides() {
    let site = site().await;
    let metadata = site.get(METADATA).await;
    assert_eq!(metadata.status, 200);
    assert_eq!(metadata.header("content-type"), Some("application/json"));
    assert_eq!(
        metadata.header("cache-control"),
        Some("private, max-age=3600")
    );
    assert_eq!(metadata.header("x-request-id"), None);
    let metadata: Value = serde_json::from_str(&metadata.body).expect("JSON");
    let endpoints: Vec<String> = metadata
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(key, _)| *key != "policy_decision_point")
        .map(|(_, url)| {
            url.as_str()
                .expect("a URL")
                .replace("https://pdp.example.com", "")
        })
        .collect();
    assert_eq!(endpoints.len(), 5);
    let body = question("alice", "read", "c1");
    for path in &endpoints {
        for (credentials, status) in [
            (None, 401),
            (Some("nobody"), 401),
            (Some("stranger"), 403),
            (Some("reader"), 403),
        ] {
            let bearer = credentials.map(|name| format!("Bearer {name}"));
            let mut headers = vec![
                ("content-type", "application/json"),
                ("x-request-id", "r-1"),
            ];
            headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
            let answer = site.send("POST", path, &headers, &body).await;
            assert_eq!(answer.status, status, "{path} {credentials:?}");
            assert_eq!(answer.header("x-request-id"), Some("r-1"));
            assert!(answer.header("www-authenticate").is_some());
            assert!(!answer.body.contains("decision"), "{}", answer.body);
        }
        assert_eq!(site.get_as("writer", path).await.status, 405);
        assert_eq!(post(&site, path, &body).await.status, 200);
    }
}

#[tokio::test]
async fn is_closed_to_strangers_unless_the_owner_says_otherwise() {
    let evaluator = evaluator().await;
    let metadata = PdpMetadata::new("https://pdp.example.com", &evaluator).expect("metadata");
    let router = GuardedRouter::<()>::new(Bench::new().gate).authorization_api(
        &evaluator,
        metadata,
        |_, endpoint| endpoint,
    );
    let site = serve(router.into_router().expect("a router")).await;
    assert_eq!(site.get(METADATA).await.status, 401);
    assert_eq!(site.get_as("stranger", METADATA).await.status, 200);
    let body = question("alice", "read", "c1");
    let json = ("content-type", "application/json");
    assert_eq!(
        site.send("POST", EVALUATION, &[json], &body).await.status,
        401
    );
    // Who acts in no organisation has nothing to ask about.
    let stranger = [json, ("authorization", "Bearer stranger")];
    let answer = site.send("POST", EVALUATION, &stranger, &body).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"decision":false}"#)
    );
}

#[tokio::test]
async fn a_route_that_asks_nobody_who_is_calling_decides_nothing() {
    let evaluator = evaluator().await;
    let metadata = PdpMetadata::new("https://pdp.example.com", &evaluator).expect("metadata");
    let bench = Bench::new();
    let router = GuardedRouter::<()>::new(bench.gate.clone()).authorization_api(
        &evaluator,
        metadata,
        |operation, endpoint| match operation {
            AuthorizationOperation::Evaluations => endpoint.optional(),
            AuthorizationOperation::Evaluation
            | AuthorizationOperation::SearchSubject
            | AuthorizationOperation::SearchResource
            | AuthorizationOperation::SearchAction
            | AuthorizationOperation::Metadata
            | _ => endpoint.public(),
        },
    );
    let site = serve(router.into_router().expect("a router")).await;
    let headers = [("content-type", "application/json")];
    let body = question("alice", "read", "c1");
    let answer = site.send("POST", EVALUATION, &headers, &body).await;
    assert_eq!((answer.status, answer.body.as_str()), (500, ""));
    assert_eq!(
        site.send("POST", EVALUATIONS, &headers, &body).await.status,
        401
    );
    assert_eq!(
        bench.kinds(),
        [EventKind::Misconfigured, EventKind::CredentialsMissing]
    );
}

#[tokio::test]
async fn says_what_is_wrong_with_a_request() {
    let site = site().await;
    let good = question("alice", "read", "c1");
    for (body, message) in [
        (good.replace("\"alice\",", ""), None),
        (
            good.replace("\"id\":\"c1\"", "\"id\":1"),
            Some("\"/resource/id\": it has to be a text"),
        ),
        (
            good.replace("\"owner\":\"alice\"", "\"owner\":1"),
            Some("\"/resource/properties/owner\": it is of another type than the policy says"),
        ),
        (
            good.replacen('{', "{\"subject\":{},", 1),
            Some("\"/subject\": the key stands twice in one object"),
        ),
        (String::new(), None),
        ("[]".to_owned(), Some("it has to be an object")),
        ("NaN".to_owned(), None),
        (
            format!("{}{}", "[".repeat(500_000), "]".repeat(500_000)),
            Some("nested deeper than 32"),
        ),
    ] {
        let answer = post(&site, EVALUATION, &body).await;
        assert_eq!(answer.status, 400, "{body:.100}");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert!(answer.header("x-request-id").is_some());
        if let Some(message) = message {
            assert!(answer.body.contains(message), "{}", answer.body);
        }
    }
    let many = format!("{{\"evaluations\":[{}{{}}]}}", "{},".repeat(100_000));
    let answer = post(&site, EVALUATIONS, &many).await;
    assert_eq!(answer.status, 400);
    // Nobody waits for the body.
    let headers = [
        ("authorization", "Bearer writer"),
        ("content-type", "application/json"),
        ("content-length", "10485760"),
        ("x-request-id", "r-1"),
    ];
    let answer = site.send("POST", EVALUATION, &headers, "").await;
    assert_eq!(answer.status, 413);
    assert!(answer.header("x-request-id").is_some());
}

#[tokio::test]
async fn takes_json_alone() {
    let site = site().await;
    let body = question("alice", "read", "c1");
    let bearer = ("authorization", "Bearer writer");
    for (kinds, status) in [
        (vec![], 400),
        (vec!["text/plain"], 400),
        (vec!["application/x-www-form-urlencoded"], 400),
        (vec!["application/jsonx"], 400),
        (vec!["application/json", "text/plain"], 400),
        (vec!["application/json"], 200),
        (vec!["Application/JSON; charset=utf-8"], 200),
    ] {
        let mut headers = vec![bearer];
        headers.extend(kinds.iter().map(|kind| ("content-type", *kind)));
        let answer = site.send("POST", EVALUATION, &headers, &body).await;
        assert_eq!(answer.status, status, "{kinds:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_no_decision() {
    let bench = Bench::new();
    let site = site_of(&bench, &evaluator().await).await;
    let body = json!({
        "subject": {"type": "user", "id": "alice"}, "action": {"name": "read"}, "resource": {"type": "note"},
    });
    let answer = post(&site, "/access/v1/search/resource", &body.to_string()).await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (500, "the question cannot be answered")
    );
    assert_eq!(bench.kinds(), [EventKind::Misconfigured]);

    let bench = Bench::new();
    let subjects = DirectorySubjects::of_issuer(Arc::new(Down), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects));
    let site = site_of(&bench, &evaluator).await;
    let answer = post(&site, EVALUATION, &question("alice", "read", "c1")).await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert!(!answer.body.contains("decision"));
    assert_eq!(bench.kinds(), [EventKind::SubjectsUnavailable]);
    // A search that is not offered has no route.
    let answer = post(&site, "/access/v1/search/subject", &body.to_string()).await;
    assert_eq!(answer.status, 404);
}

#[tokio::test]
async fn stands_below_a_prefix_with_its_metadata_at_the_root() {
    let evaluator = evaluator().await;
    let identifier = "https://api.example.com/pdp";
    let metadata = PdpMetadata::new(identifier, &evaluator).expect("metadata");
    let gate = Bench::new().gate;
    let pdp = GuardedRouter::new(gate.clone()).authorization_api(&evaluator, metadata, policy);
    let router = GuardedRouter::new(gate).nest("/pdp", pdp);
    let site = serve(router.into_router().expect("a router")).await;
    let found = site.get("/.well-known/authzen-configuration/pdp").await;
    let found: Value = serde_json::from_str(&found.body).expect("JSON");
    let endpoint = found["access_evaluation_endpoint"].as_str().expect("a URL");
    let path = endpoint
        .strip_prefix("https://api.example.com")
        .expect("its own host");
    let answer = post(&site, path, &question("alice", "read", "c1")).await;
    assert_eq!(read(&answer), json!({"decision": true}));
    assert_eq!(
        post(&site, EVALUATION, &question("alice", "read", "c1"))
            .await
            .status,
        404
    );
}
