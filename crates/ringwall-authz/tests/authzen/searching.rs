//! Who may, upon what, and what.

use std::sync::Arc;

use ringwall_authz::authzen::{
    ActionEntity, ActionSearchRequest, AuthzenError, DEFAULT_PAGE_RESULTS, EntityType, Evaluator,
    ListingError, MAX_SEARCHED_SUBJECTS, PageRequest, RequestFault, ResourceEntity,
    ResourceListing, ResourcePage, ResourceQuery, ResourceSearchRequest, SearchResponse,
    SubjectSearchRequest,
};
use ringwall_authz::{DirectorySubjects, MemoryDirectory, SubjectDirectory as _};
use ringwall_core::principal::PrincipalKind;
use ringwall_core::step::Step;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::world::{
    ALICE, BOB, Down, EVE, Fixed, MALLORY, decide, document, evaluator, handle, now, org, pep,
    pep_of, question, subject,
};

fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("a request")
}

fn who(action: &str, page: Value) -> SubjectSearchRequest {
    from(json!({
        "subject": {"type": "user"}, "action": {"name": action},
        "resource": {"type": "document", "id": "1"}, "page": page,
    }))
}

fn what(who: &str, page: Value) -> ResourceSearchRequest {
    from(json!({
        "subject": {"type": "user", "id": who}, "action": {"name": "can_read"},
        "resource": {"type": "account"}, "page": page,
    }))
}

fn which(who: &str, resource: ResourceEntity, page: Value) -> ActionSearchRequest {
    from(json!({"subject": {"type": "user", "id": who}, "resource": resource, "page": page}))
}

fn ids<T: serde::Serialize>(response: &SearchResponse<T>, key: &str) -> Vec<String> {
    let results = serde_json::to_value(&response.results).expect("it is written");
    let results = results.as_array().expect("an array");
    let id = |one: &Value| one[key].as_str().expect("a text").to_owned();
    results.iter().map(id).collect()
}

fn token<T>(response: &SearchResponse<T>) -> String {
    let page = response.page.as_ref().expect("a page");
    assert_eq!(page.count, u64::try_from(response.results.len()).ok());
    page.next_token.clone()
}

async fn crowd(number: usize, readers: impl Fn(usize) -> bool) -> Evaluator {
    let directory = Arc::new(MemoryDirectory::new());
    for place in 0..number {
        let role = if readers(place) { "reader" } else { "guest" };
        let name = subject(&format!("u{place:05}"));
        directory
            .grant_role(&org("o1"), &name, role)
            .await
            .expect("granted");
    }
    let foreign = subject("u00000-of-another");
    directory
        .grant_role(&org("o2"), &foreign, "reader")
        .await
        .expect("granted");
    let subjects = DirectorySubjects::of_issuer(directory.clone(), "https://login.example");
    Evaluator::new(handle(), Arc::new(subjects)).search_subjects_of(directory, PrincipalKind::User)
}

#[tokio::test]
async fn finds_the_subjects_whom_an_evaluation_permits() {
    let evaluator = evaluator().await;
    for (action, expected) in [
        ("read", vec![ALICE, BOB]),
        ("purge", vec![]),
        ("unknown", vec![]),
    ] {
        let found = evaluator
            .search_subjects(&pep(), &who(action, json!({})), now())
            .await;
        let found = found.expect("an answer");
        assert_eq!(ids(&found, "id"), expected, "{action}");
        assert_eq!(token(&found), "");
        for name in [ALICE, BOB, MALLORY, EVE] {
            let permitted = decide(&evaluator, &question(name, action, document("1"))).await;
            assert_eq!(permitted, expected.contains(&name), "{name}");
        }
    }
    // Of another organisation, its own people.
    let request = who("purge", json!({}));
    let found = evaluator
        .search_subjects(&pep_of(Some("o2"), None), &request, now())
        .await;
    assert_eq!(ids(&found.expect("an answer"), "id"), [EVE]);
    let found = evaluator
        .search_subjects(&pep_of(None, None), &request, now())
        .await;
    assert_eq!(ids(&found.expect("an answer"), "id"), [""; 0]);
}

#[tokio::test]
async fn finds_nobody_of_another_kind_or_for_what_is_not_there() {
    let evaluator = evaluator().await;
    let mut request = who("read", json!({}));
    for kind in ["service", "group", ""] {
        request.subject = EntityType::new(kind);
        let found = evaluator.search_subjects(&pep(), &request, now()).await;
        assert_eq!(ids(&found.expect("an answer"), "id"), [""; 0], "{kind}");
    }
    request.subject = EntityType::new("user");
    for resource in [
        ResourceEntity::new("unknown", "1"),
        ResourceEntity::new("file", "no uuid"),
        document("1").property("org_id", "o2"),
    ] {
        request.resource = resource;
        let found = evaluator.search_subjects(&pep(), &request, now()).await;
        assert_eq!(ids(&found.expect("an answer"), "id"), [""; 0]);
    }
    request.resource =
        document("1").property("owner", ringwall_authz::authzen::JsonValue::Integer(1));
    let error = evaluator
        .search_subjects(&pep(), &request, now())
        .await
        .expect_err("wrong");
    assert_eq!(error.http_status(), 400);
}

/// All pages, and how many there were.
async fn all_pages(evaluator: &Evaluator, limit: usize) -> (Vec<String>, usize) {
    let mut page = json!({"limit": limit});
    let mut names = Vec::new();
    let mut number: usize = 0;
    loop {
        number = number.saturating_add(1);
        let found = evaluator
            .search_subjects(&pep(), &who("read", page), now())
            .await;
        let found = found.expect("an answer");
        assert!(found.results.len() <= limit);
        names.extend(ids(&found, "id"));
        let token = token(&found);
        if token.is_empty() {
            return (names, number);
        }
        assert!(number < 100, "it ends");
        page = json!({"token": token});
    }
}

#[tokio::test]
async fn pages_hold_everybody_once() {
    let evaluator = crowd(150, |place| place % 3 == 0).await;
    let expected: Vec<String> = (0..150)
        .step_by(3)
        .map(|place| format!("u{place:05}"))
        .collect();
    for (limit, most) in [(1, 52), (7, 9), (49, 3), (50, 3), (51, 1), (1000, 1)] {
        let (names, pages) = all_pages(&evaluator, limit).await;
        assert_eq!(names, expected, "in pages of {limit}");
        assert!(pages <= most, "{pages} pages of {limit}");
    }
}

#[tokio::test]
async fn one_search_looks_at_a_bounded_number_of_subjects() {
    let evaluator = crowd(MAX_SEARCHED_SUBJECTS * 2 + 10, |place| {
        place == MAX_SEARCHED_SUBJECTS * 2
    })
    .await;
    let found = evaluator
        .search_subjects(&pep(), &who("read", json!({})), now())
        .await;
    let found = found.expect("an answer");
    assert!(found.results.is_empty() && !token(&found).is_empty());
    let (names, pages) = all_pages(&evaluator, 5).await;
    assert_eq!(
        (names, pages),
        (vec![format!("u{:05}", MAX_SEARCHED_SUBJECTS * 2)], 3)
    );
}

#[tokio::test]
async fn a_token_belongs_to_one_request_of_one_organisation() {
    let evaluator = crowd(10, |_| true).await;
    let first = evaluator
        .search_subjects(&pep(), &who("read", json!({"limit": 2})), now())
        .await;
    let token = token(&first.expect("an answer"));
    let with = |page: Value| who("read", page);
    let same = evaluator
        .search_subjects(&pep(), &with(json!({"token": token, "limit": 2})), now())
        .await;
    assert_eq!(ids(&same.expect("an answer"), "id"), ["u00002", "u00003"]);
    let mut other_context = with(json!({"token": token}));
    other_context
        .context
        .insert("channel".into(), "phone".into());
    let mut other_resource = with(json!({"token": token}));
    other_resource.resource = document("2");
    let part = |from: usize, to: usize| token.get(from..to).expect("it is ASCII");
    let digit = if part(20, 21) == "0" { "1" } else { "0" };
    let changed = format!("{}{digit}{}", part(0, 20), part(21, token.len()));
    for request in [
        who("inspect", json!({"token": token})),
        with(json!({"token": token, "limit": 3})),
        with(json!({"token": token, "properties": {"sort": "up"}})),
        with(json!({"token": ""})),
        with(json!({"token": "a3M9NDU2O3N6PTI="})),
        with(json!({"token": token.to_uppercase()})),
        with(json!({"token": part(1, token.len())})),
        with(json!({"token": part(0, 40)})),
        with(json!({"token": changed})),
        with(json!({"token": format!("00{}", part(2, token.len()))})),
        with(json!({"token": format!("{}ff", token)})),
        other_context,
        other_resource,
    ] {
        match evaluator.search_subjects(&pep(), &request, now()).await {
            Err(AuthzenError::Invalid(fault)) => {
                assert_eq!(
                    (fault.pointer(), fault.fault()),
                    ("/page/token", RequestFault::OtherToken)
                );
            }
            other => panic!("{request:?}: {other:?}"),
        }
    }
    let request = with(json!({"token": token}));
    assert!(
        evaluator
            .search_subjects(&pep_of(Some("o2"), None), &request, now())
            .await
            .is_err()
    );
    assert!(
        evaluator
            .search_subjects(&pep_of(Some("o1"), Some("p1")), &request, now())
            .await
            .is_err()
    );
    // A token of one search is none of another.
    let other: ResourceSearchRequest = what(ALICE, json!({"token": token}));
    let resources = evaluator.search_resources_of(Arc::new(Fixed(vec!["1"])));
    assert!(
        resources
            .search_resources(&pep(), &other, now())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_first_request_needs_no_page() {
    let evaluator = crowd(DEFAULT_PAGE_RESULTS + 1, |_| true).await;
    let mut request = who("read", json!({}));
    request.page = None;
    let found = evaluator
        .search_subjects(&pep(), &request, now())
        .await
        .expect("an answer");
    assert_eq!(found.results.len(), DEFAULT_PAGE_RESULTS);
    request.page = Some(PageRequest::next(token(&found)));
    let found = evaluator.search_subjects(&pep(), &request, now()).await;
    assert_eq!(ids(&found.expect("an answer"), "id"), ["u00100"]);
}

#[tokio::test]
async fn a_limit_of_nothing_is_nothing_and_goes_on_where_it_was() {
    let evaluator = evaluator().await;
    let found = evaluator
        .search_subjects(&pep(), &who("read", json!({"limit": 0})), now())
        .await;
    let found = found.expect("an answer");
    assert!(found.results.is_empty() && !token(&found).is_empty());
    let found = evaluator
        .search_resources(&pep(), &what(ALICE, json!({"limit": 0})), now())
        .await;
    assert!(found.expect("an answer").results.is_empty());
    let request = which(ALICE, document("1"), json!({"limit": 0}));
    assert!(
        evaluator
            .search_actions(&pep(), &request, now())
            .await
            .expect("an answer")
            .results
            .is_empty()
    );
}

#[tokio::test]
async fn resources_are_listed_in_pages_for_those_who_may() {
    let evaluator = evaluator()
        .await
        .search_resources_of(Arc::new(Fixed(vec!["1", "2", "3", "4", "5"])));
    let mut page = json!({"limit": 2});
    let mut found = Vec::new();
    loop {
        let answer = evaluator
            .search_resources(&pep(), &what(ALICE, page), now())
            .await
            .expect("an answer");
        found.push(ids(&answer, "id"));
        assert_eq!(ids(&answer, "type"), vec!["account"; answer.results.len()]);
        match token(&answer) {
            end if end.is_empty() => break,
            token => page = json!({"token": token}),
        }
    }
    assert_eq!(found, [vec!["1", "2"], vec!["3", "4"], vec!["5"]]);
    for nobody in [MALLORY, EVE, "", "nobody"] {
        let answer = evaluator
            .search_resources(&pep(), &what(nobody, json!({})), now())
            .await
            .expect("an answer");
        assert!(answer.results.is_empty(), "{nobody}");
    }
    let mut request = what(ALICE, json!({}));
    request.action = ActionEntity::new("can_close");
    assert!(
        evaluator
            .search_resources(&pep(), &request, now())
            .await
            .expect("an answer")
            .results
            .is_empty()
    );
    request.action = ActionEntity::new("unknown");
    assert!(
        evaluator
            .search_resources(&pep(), &request, now())
            .await
            .expect("an answer")
            .results
            .is_empty()
    );
    request.resource = EntityType::new("unknown");
    assert!(
        evaluator
            .search_resources(&pep(), &request, now())
            .await
            .expect("an answer")
            .results
            .is_empty()
    );
    let answer = evaluator
        .search_resources(&pep_of(None, None), &what(ALICE, json!({})), now())
        .await;
    assert!(answer.expect("an answer").results.is_empty());
    // What no database can answer is an error, never an empty list.
    request.resource = EntityType::new("document");
    request.action = ActionEntity::new("read");
    let error = evaluator
        .search_resources(&pep(), &request, now())
        .await
        .expect_err("no table");
    assert_eq!(error.http_status(), 500);
}

#[tokio::test]
async fn resources_under_an_obligation_are_listed_for_those_who_handle_it() {
    let evaluator = evaluator().await;
    let mut request = what(ALICE, json!({}));
    request.action = ActionEntity::new("can_export");
    for handled in [json!([]), json!(["redact", "reason_required"])] {
        request.context = from(json!({"handled_obligations": handled}));
        let found = evaluator
            .search_resources(&pep(), &request, now())
            .await
            .expect("an answer");
        assert!(found.results.is_empty() && found.context.is_empty());
    }
    request.context = from(json!({"handled_obligations": ["mask_above"]}));
    let found = evaluator
        .search_resources(&pep(), &request, now())
        .await
        .expect("an answer");
    assert_eq!(ids(&found, "id"), ["123", "456"]);
    let told = json!({"obligations": [{"type": "mask_above", "level": "internal"}]});
    assert_eq!(
        serde_json::to_value(&found.context).expect("it is written"),
        told
    );
    request.context = from(json!({"handled_obligations": "mask_above"}));
    let error = evaluator
        .search_resources(&pep(), &request, now())
        .await
        .expect_err("no list");
    assert_eq!(error.http_status(), 400);
}

#[derive(Debug)]
struct Broken(u8);

impl ResourceListing for Broken {
    fn resources(&self, query: ResourceQuery) -> Step<Result<ResourcePage, ListingError>> {
        let one = || "1".to_owned();
        Step::Done(Ok(match self.0 {
            0 => ResourcePage {
                ids: vec![one(); query.limit.saturating_add(1)],
                next: None,
            },
            1 => ResourcePage {
                ids: vec![one()],
                next: Some("x".repeat(1025)),
            },
            2 => ResourcePage {
                ids: vec!["x".repeat(1025)],
                next: None,
            },
            _ => {
                return Step::Done(Err(ListingError::Unavailable {
                    retry_after: std::time::Duration::from_secs(3),
                    source: None,
                }));
            }
        }))
    }
}

#[tokio::test]
async fn a_listing_that_breaks_its_contract_or_is_down_lists_nothing() {
    for (way, status) in [(0, 500), (1, 500), (2, 500), (3, 503)] {
        let evaluator = evaluator().await.search_resources_of(Arc::new(Broken(way)));
        let error = evaluator
            .search_resources(&pep(), &what(ALICE, json!({})), now())
            .await;
        assert_eq!(error.expect_err("broken").http_status(), status, "{way}");
    }
}

#[tokio::test]
async fn a_directory_that_does_not_answer_makes_no_shorter_list() {
    let people = crate::world::people().await;
    let subjects = DirectorySubjects::of_issuer(Arc::new(Down(BOB)), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects))
        .search_subjects_of(people, PrincipalKind::User);
    let error = evaluator
        .search_subjects(&pep(), &who("read", json!({})), now())
        .await;
    assert_eq!(error.expect_err("down").http_status(), 503);
}

#[tokio::test]
async fn a_search_that_is_not_offered_is_an_error() {
    let subjects =
        DirectorySubjects::of_issuer(crate::world::people().await, "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects));
    let error = evaluator
        .search_subjects(&pep(), &who("read", json!({})), now())
        .await;
    assert!(matches!(error, Err(AuthzenError::NotOffered)));
    let error = evaluator
        .search_resources(&pep(), &what(ALICE, json!({})), now())
        .await;
    assert!(matches!(error, Err(AuthzenError::NotOffered)));
}

#[tokio::test]
async fn finds_the_actions_that_an_evaluation_permits() {
    let evaluator = evaluator().await;
    let actions = [
        "read", "can_read", "can_edit", "publish", "export", "inspect", "call", "work", "purge",
    ];
    let handled = json!(["mask_above", "redact", "reason_required"]);
    for who in [ALICE, BOB, MALLORY, EVE] {
        for resource in [
            document("1"),
            document("2"),
            document("1")
                .property("owner", ALICE)
                .property("sensitivity", "internal"),
            document("1").property("org_id", "o2"),
        ] {
            for handles in [false, true] {
                let mut request = which(who, resource.clone(), json!({}));
                if handles {
                    request.context = from(json!({"handled_obligations": handled}));
                }
                let found = evaluator.search_actions(&pep(), &request, now()).await;
                let found = ids(&found.expect("an answer"), "name");
                let mut expected = Vec::new();
                for action in actions {
                    let mut one = question(who, action, resource.clone());
                    one.context = request.context.clone();
                    if decide(&evaluator, &one).await {
                        expected.push(action);
                    }
                }
                assert_eq!(found, expected, "{who} {resource:?}");
            }
        }
    }
}

#[tokio::test]
async fn actions_come_in_pages_too() {
    let evaluator = evaluator().await;
    let mut request = which(ALICE, document("1"), json!({"limit": 2}));
    let mut found = Vec::new();
    loop {
        let answer = evaluator
            .search_actions(&pep(), &request, now())
            .await
            .expect("an answer");
        assert!(answer.results.len() <= 2);
        found.extend(ids(&answer, "name"));
        match token(&answer) {
            end if end.is_empty() => break,
            token => request.page = Some(PageRequest::next(token)),
        }
    }
    let all = which(ALICE, document("1"), json!({}));
    let all = evaluator
        .search_actions(&pep(), &all, now())
        .await
        .expect("an answer");
    assert_eq!(found, ids(&all, "name"));
    assert_eq!(found, ["read", "can_read", "publish"]);
    for (who, resource) in [
        (ALICE, ResourceEntity::new("unknown", "1")),
        ("", document("1")),
    ] {
        let request = which(who, resource, json!({}));
        let answer = evaluator
            .search_actions(&pep(), &request, now())
            .await
            .expect("an answer");
        assert!(answer.results.is_empty());
    }
}
