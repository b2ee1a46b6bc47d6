//! One question: what is believed, what is false, and what is an error.

use std::sync::Arc;

use ringwall_authz::authzen::{
    AuthzenError, EvaluationRequest, Evaluator, HandledObligations, JsonValue,
    RequestDocument as _, RequestFault, ResourceEntity, SubjectEntity,
};
use ringwall_authz::{CredentialSubjects, DirectorySubjects};
use ringwall_core::principal::PrincipalKind;
use serde_json::json;

use crate::world::{
    ALICE, BOB, Down, EVE, MALLORY, ask, decide, document, evaluator, handle, now, people, pep,
    pep_of, question,
};

#[tokio::test]
async fn the_directory_says_who_holds_which_role() {
    let evaluator = evaluator().await;
    assert!(decide(&evaluator, &question(ALICE, "read", document("1"))).await);
    assert!(!decide(&evaluator, &question(MALLORY, "read", document("1"))).await);
    assert!(!decide(&evaluator, &question("nobody", "read", document("1"))).await);
    // A forbid wins.
    assert!(!decide(&evaluator, &question(ALICE, "read", document("2"))).await);
}

#[tokio::test]
async fn nothing_that_the_request_says_of_the_subject_counts() {
    let evaluator = evaluator().await;
    let claims = json!({
        "roles": ["admin", "reader"], "role": "admin", "scopes": ["*"], "clearance": "restricted",
        "org_id": "o2", "tenant": {"org": "o2"}, "department": "sales", "user_departments": ["sales"],
        "assignments": ["1"], "id": ALICE, "issuer": "https://login.example",
    });
    let ask = async |who: &str, action: &str, resource: serde_json::Value| {
        let body = json!({
            "subject": {"type": "user", "id": who, "properties": claims},
            "action": {"name": action, "properties": claims},
            "resource": resource,
            "context": claims,
        });
        let answer = ask(&evaluator, &body.to_string()).await.expect("an answer");
        answer.decision
    };
    let one = json!({"type": "document", "id": "1"});
    assert!(!ask(MALLORY, "purge", one.clone()).await);
    assert!(!ask(MALLORY, "read", one.clone()).await);
    assert!(!ask(MALLORY, "work", one.clone()).await);
    assert!(ask(ALICE, "read", one.clone()).await);
    // An administrator of another organisation is nobody in this one, whatever the request says.
    assert!(!ask(EVE, "purge", one.clone()).await);
    // The enforcement point's own roles are not its subjects'.
    assert!(!ask("pep", "purge", one).await);
    // The clearance is that of the directory: internal for Alice, none for Bob.
    let of =
        |level: &str| json!({"type": "document", "id": "1", "properties": {"sensitivity": level}});
    assert!(ask(ALICE, "inspect", of("internal")).await);
    assert!(!ask(ALICE, "inspect", of("restricted")).await);
    assert!(!ask(BOB, "inspect", of("public")).await);
}

#[tokio::test]
async fn the_organisation_is_that_of_whoever_asks() {
    let evaluator = evaluator().await;
    let purge = question(EVE, "purge", document("1"));
    let ask = async |org: Option<&str>, request: &EvaluationRequest| {
        let pep = pep_of(org, None);
        let answer = evaluator.evaluate(&pep, request, now()).await;
        answer.expect("an answer").decision
    };
    assert!(ask(Some("o2"), &purge).await);
    assert!(!ask(Some("o1"), &purge).await);
    // Who acts in no organisation has nothing to ask about.
    assert!(!ask(None, &purge).await);
    assert!(
        !ask(
            None,
            &question(ALICE, "can_read", ResourceEntity::new("todo", "1"))
        )
        .await
    );
    let endpoint = question(ALICE, "call", ResourceEntity::new("endpoint", "1"));
    assert!(ask(None, &endpoint).await, "it belongs to nobody");
}

#[tokio::test]
async fn what_is_of_another_organisation_is_not_permitted() {
    let evaluator = evaluator().await;
    let todo = |property: Option<JsonValue>| {
        let todo = ResourceEntity::new("todo", "1");
        match property {
            None => todo,
            Some(value) => todo.property("org_id", value),
        }
    };
    let ask = async |resource| decide(&evaluator, &question(ALICE, "can_read", resource)).await;
    assert!(ask(todo(None)).await);
    assert!(ask(todo(Some("o1".into()))).await);
    assert!(!ask(todo(Some("o2".into()))).await);
    assert!(!ask(todo(Some("O1".into()))).await);
    assert!(!ask(todo(Some("".into()))).await);
    assert!(
        !ask(todo(Some(JsonValue::Null))).await,
        "it belongs to nobody"
    );
    for wrong in [JsonValue::Integer(1), JsonValue::Array(vec!["o1".into()])] {
        let request = question(ALICE, "can_read", todo(Some(wrong)));
        let error = evaluator
            .evaluate(&pep(), &request, now())
            .await
            .expect_err("no text");
        assert_eq!(
            error.to_string(),
            "\"/resource/properties/org_id\": it is of another type than the policy says"
        );
    }
    // It is not an administrator of the other organisation who may, as long as this one asks.
    let foreign = document("1").property("org_id", "o2");
    assert!(!decide(&evaluator, &question(EVE, "purge", foreign)).await);
}

#[tokio::test]
async fn a_point_of_one_project_asks_about_that_project() {
    let evaluator = evaluator().await;
    let task = |project: Option<JsonValue>| match project {
        None => ResourceEntity::new("task", "1"),
        Some(project) => ResourceEntity::new("task", "1").property("project_id", project),
    };
    let ask = async |of: Option<&str>, resource| {
        let request = question(ALICE, "read", resource);
        let answer = evaluator
            .evaluate(&pep_of(Some("o1"), of), &request, now())
            .await;
        answer.expect("an answer").decision
    };
    assert!(ask(Some("p1"), task(None)).await);
    assert!(ask(Some("p1"), task(Some("p1".into()))).await);
    assert!(!ask(Some("p1"), task(Some("p2".into()))).await);
    assert!(!ask(Some("p1"), task(Some(JsonValue::Null))).await);
    assert!(ask(None, task(Some("p2".into()))).await);
}

#[tokio::test]
async fn what_the_policy_does_not_know_is_false_and_says_nothing() {
    let evaluator = evaluator().await;
    let mut requests = vec![
        question(ALICE, "unknown", document("1")),
        question(ALICE, "READ", document("1")),
        question(ALICE, "", document("1")),
        question(ALICE, "*", document("1")),
        question(ALICE, "read", ResourceEntity::new("unknown", "1")),
        question(ALICE, "read", ResourceEntity::new("", "1")),
        question(ALICE, "can_read", ResourceEntity::new("todo", "")),
        question(ALICE, "can_read", ResourceEntity::new("todo", "a\0b")),
        question(ALICE, "read", ResourceEntity::new("file", "no uuid")),
        question(ALICE, "read", ResourceEntity::new("page", "007")),
        question(ALICE, "read", ResourceEntity::new("page", "+7")),
        question(
            ALICE,
            "read",
            ResourceEntity::new("page", "9223372036854775808"),
        ),
        question("", "can_read", ResourceEntity::new("todo", "1")),
        question("a\nb", "can_read", ResourceEntity::new("todo", "1")),
        question(
            &"x".repeat(256),
            "can_read",
            ResourceEntity::new("todo", "1"),
        ),
    ];
    for kind in ["", "User", "admin", "unchecked"] {
        let todo = ResourceEntity::new("todo", "1");
        let mut request = question(ALICE, "can_read", todo);
        request.subject = SubjectEntity::new(kind, ALICE);
        requests.push(request);
    }
    for request in requests {
        let answer = evaluator
            .evaluate(&pep(), &request, now())
            .await
            .expect("an answer");
        let answer = serde_json::to_value(answer).expect("it is written");
        assert_eq!(answer, json!({"decision": false}), "{request:?}");
    }
    for (kind, id) in [
        ("file", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"),
        ("page", "-7"),
    ] {
        assert!(
            decide(
                &evaluator,
                &question(ALICE, "read", ResourceEntity::new(kind, id))
            )
            .await
        );
    }
    for kind in [
        PrincipalKind::Service,
        PrincipalKind::Agent,
        PrincipalKind::ApiKey,
    ] {
        let mut request = question(ALICE, "can_read", ResourceEntity::new("todo", "1"));
        request.subject = SubjectEntity::new(kind.as_str(), ALICE);
        assert!(decide(&evaluator, &request).await);
    }
}

#[tokio::test]
async fn properties_are_read_in_the_policys_types() {
    let evaluator = evaluator().await;
    let edit =
        |owner: JsonValue| question(ALICE, "can_edit", document("1").property("owner", owner));
    assert!(decide(&evaluator, &edit(ALICE.into())).await);
    assert!(!decide(&evaluator, &edit(BOB.into())).await);
    assert!(!decide(&evaluator, &edit(JsonValue::Null)).await);
    let call = |channel: &str| {
        let mut request = question(ALICE, "call", document("1"));
        request.context.insert("channel".into(), channel.into());
        request
    };
    assert!(decide(&evaluator, &call("phone")).await);
    assert!(!decide(&evaluator, &call("mail")).await);
    assert!(!decide(&evaluator, &question(ALICE, "call", document("1"))).await);
}

/// A permit may demand that something is not there. What is of another type is there.
#[tokio::test]
async fn a_typing_error_grants_nothing() {
    let evaluator = evaluator().await;
    assert!(decide(&evaluator, &question(ALICE, "publish", document("1"))).await);
    let null = document("1").property("embargo", JsonValue::Null);
    assert!(decide(&evaluator, &question(ALICE, "publish", null)).await);
    for (name, good) in [
        ("embargo", JsonValue::from("2026-01-01T00:00:00Z")),
        ("sensitivity", "public".into()),
        ("pages", JsonValue::Integer(1)),
        ("archived", JsonValue::Boolean(false)),
        ("batch", "f81d4fae-7dec-11d0-a765-00a0c91e6bf6".into()),
        ("owner", BOB.into()),
    ] {
        let set = document("1").property(name, good);
        assert!(
            !decide(&evaluator, &question(ALICE, "publish", set)).await,
            "{name}"
        );
    }
    for (name, wrong) in [
        ("embargo", JsonValue::from("tomorrow")),
        ("embargo", "1985-10-26T01:22-07:00".into()),
        ("embargo", JsonValue::Integer(1)),
        ("sensitivity", "Public".into()),
        ("sensitivity", JsonValue::Integer(0)),
        ("pages", "1".into()),
        ("pages", JsonValue::Number(1.5)),
        ("pages", JsonValue::Number(1.0)),
        ("pages", JsonValue::Array(vec![])),
        ("archived", "false".into()),
        ("archived", JsonValue::Integer(0)),
        ("batch", "f81d4fae".into()),
        ("owner", JsonValue::Object([].into())),
        ("owner", "a\0b".into()),
    ] {
        let request = question(ALICE, "publish", document("1").property(name, wrong));
        match evaluator.evaluate(&pep(), &request, now()).await {
            Err(AuthzenError::Invalid(fault)) => {
                assert_eq!(fault.fault(), RequestFault::AttributeType);
                assert_eq!(fault.pointer(), format!("/resource/properties/{name}"));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let mut request = question(ALICE, "publish", document("1"));
    request.context.insert("attempts".into(), "3".into());
    match evaluator.evaluate(&pep(), &request, now()).await {
        Err(AuthzenError::Invalid(fault)) => assert_eq!(fault.pointer(), "/context/attempts"),
        other => panic!("{other:?}"),
    }
    // The fault is told whoever is asked about, so it says nothing of the subject.
    request.subject = SubjectEntity::new("unknown", "nobody");
    assert!(evaluator.evaluate(&pep(), &request, now()).await.is_err());
}

#[tokio::test]
async fn a_relation_that_nobody_told_permits_nothing() {
    let evaluator = evaluator().await;
    assert!(!decide(&evaluator, &question(ALICE, "work", document("1"))).await);
}

#[tokio::test]
async fn obligations_are_told_to_those_who_handle_them_and_to_others_it_is_no() {
    let evaluator = evaluator().await;
    let export = |handled: serde_json::Value| {
        json!({
            "subject": {"type": "user", "id": ALICE}, "action": {"name": "export"},
            "resource": {"type": "document", "id": "1"}, "context": {"handled_obligations": handled},
        })
        .to_string()
    };
    let told = json!({"decision": true, "context": {"obligations": [
        {"type": "mask_above", "level": "internal"},
        {"type": "redact", "fields": ["/notes", "/ssn"]},
        {"type": "reason_required"},
    ]}});
    let answered = async |evaluator: &Evaluator, body: &str| {
        let answer = ask(evaluator, body).await.expect("an answer");
        serde_json::to_value(answer).expect("it is written")
    };
    let all = export(json!(["redact", "mask_above", "later", "reason_required"]));
    assert_eq!(answered(&evaluator, &all).await, told);
    for some in [
        json!([]),
        json!(["mask_above", "redact"]),
        json!(["mask_above", "reason_required"]),
        json!(["redact", "reason_required"]),
        json!(["MASK_ABOVE", "redact", "reason_required"]),
    ] {
        let answer = answered(&evaluator, &export(some)).await;
        assert_eq!(answer, json!({"decision": false}));
    }
    let silent = question(ALICE, "export", document("1"));
    assert!(!decide(&evaluator, &silent).await);
    for wrong in [json!("mask_above"), json!({}), json!([1]), json!(null)] {
        let error = ask(&evaluator, &export(wrong)).await.expect_err("no list");
        assert!(
            error
                .to_string()
                .starts_with("\"/context/handled_obligations"),
            "{error}"
        );
        assert_eq!(error.http_status(), 400);
    }
    let handled = HandledObligations::none()
        .mask_above()
        .redact()
        .reason_required();
    let trusting = evaluator.clone().every_pep_handles(handled);
    let silent = serde_json::to_string(&silent).expect("it is written");
    assert_eq!(answered(&trusting, &silent).await, told);
    let masking = evaluator.every_pep_handles(HandledObligations::none().mask_above());
    let rest = export(json!(["redact", "reason_required"]));
    assert_eq!(answered(&masking, &rest).await, told);
    assert_eq!(
        answered(&masking, &silent).await,
        json!({"decision": false})
    );
}

#[tokio::test]
async fn reasons_are_told_where_the_operator_wants_it() {
    let evaluator = evaluator().await.tells_reasons();
    let mut agent = question(ALICE, "can_read", ResourceEntity::new("todo", "1"));
    agent.subject = SubjectEntity::new("robot", "r1");
    for (request, expected) in [
        (
            question(ALICE, "read", document("1")),
            json!({"decision": true, "context": {"reason": "permitted", "rules": ["reader"]}}),
        ),
        (
            question(ALICE, "read", document("2")),
            json!({"decision": false, "context": {"reason": "forbidden_by_rule", "rules": ["not-two"]}}),
        ),
        (
            question(MALLORY, "read", document("1")),
            json!({"decision": false, "context": {"reason": "no_rule_applies"}}),
        ),
        (
            question(ALICE, "x", document("1")),
            json!({"decision": false, "context": {"reason": "unknown_action"}}),
        ),
        (
            question(ALICE, "read", ResourceEntity::new("x", "1")),
            json!({"decision": false, "context": {"reason": "unknown_resource_type"}}),
        ),
        (
            question(ALICE, "read", ResourceEntity::new("file", "x")),
            json!({"decision": false, "context": {"reason": "unknown_resource"}}),
        ),
        (
            question(ALICE, "read", document("1").property("org_id", "o2")),
            json!({"decision": false, "context": {"reason": "other_tenant"}}),
        ),
        (
            question(ALICE, "export", document("1")),
            json!({"decision": false, "context": {"reason": "obligation_not_handled", "rules": ["export-masked"]}}),
        ),
        (
            agent,
            json!({"decision": false, "context": {"reason": "unknown_subject"}}),
        ),
    ] {
        let answer = evaluator
            .evaluate(&pep(), &request, now())
            .await
            .expect("an answer");
        assert_eq!(serde_json::to_value(answer).expect("written"), expected);
    }
}

#[tokio::test]
async fn a_directory_that_does_not_answer_is_no_decision() {
    let subjects = DirectorySubjects::of_issuer(Arc::new(Down(ALICE)), "https://login.example");
    let evaluator = Evaluator::new(handle(), Arc::new(subjects));
    let request = question(ALICE, "read", document("1"));
    let error = evaluator
        .evaluate(&pep(), &request, now())
        .await
        .expect_err("it is down");
    assert_eq!(error.http_status(), 503);
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_secs(7)));
    assert!(decide(&evaluator, &question(BOB, "read", document("1"))).await);
}

#[tokio::test]
async fn a_resolver_that_believes_credentials_finds_none_to_believe() {
    let evaluator = Evaluator::new(handle(), Arc::new(CredentialSubjects::scopes_and_roles()));
    for who in [ALICE, "pep"] {
        assert!(!decide(&evaluator, &question(who, "read", document("1"))).await);
        assert!(!decide(&evaluator, &question(who, "purge", document("1"))).await);
    }
}

#[tokio::test]
async fn a_candidate_is_asked_too_and_counts_for_nothing() {
    use std::sync::Mutex;

    use ringwall_authz::{
        Decision, Policy, PolicyFaults, PolicyHandle, PolicyHash, PolicyObserver,
    };

    #[derive(Debug, Default)]
    struct Differences(Mutex<Vec<(bool, Option<bool>)>>);

    impl PolicyObserver for Differences {
        fn replaced(&self, _: PolicyHash, _: PolicyHash) {}
        fn refused(&self, _: &PolicyFaults) {}
        fn differs(&self, live: &Decision, candidate: Option<&Decision>) {
            let candidate = candidate.map(Decision::is_permit);
            self.0
                .lock()
                .expect("no panic")
                .push((live.is_permit(), candidate));
        }
    }

    let observer = Arc::new(Differences::default());
    let handle = PolicyHandle::new(crate::world::policy(), observer.clone());
    let stricter =
        include_str!("world.toml").replace("roles = [\"reader\"]", "roles = [\"admin\"]");
    handle.shadow(Some(Policy::from_toml(&stricter).expect("a policy")));
    let subjects = DirectorySubjects::of_issuer(people().await, "https://login.example");
    let evaluator = Evaluator::new(handle, Arc::new(subjects));
    assert!(decide(&evaluator, &question(ALICE, "read", document("1"))).await);
    assert!(!decide(&evaluator, &question(MALLORY, "read", document("1"))).await);
    assert_eq!(*observer.0.lock().expect("no panic"), [(true, Some(false))]);
}

#[test]
fn a_request_can_be_made_in_code_and_read_again() {
    let mut request = question(ALICE, "read", document("1").property("owner", BOB));
    request.context.insert("channel".into(), "phone".into());
    let text = serde_json::to_vec(&request).expect("it is written");
    assert_eq!(EvaluationRequest::from_json(&text), Ok(request));
}
