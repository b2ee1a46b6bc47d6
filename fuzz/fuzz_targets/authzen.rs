//! A request of the Authorization API of whatever text: what is accepted is JSON to another reader too, says the same when
//! it is written down again, and is answered the same whatever it says of its subject; what is refused says where, within
//! bounds. Nothing of another organisation is permitted.

#![no_main]

use std::pin::pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use ringwall_authz::authzen::{
    ActionSearchRequest, AuthzenError, EvaluationRequest, EvaluationResponse, EvaluationsRequest,
    EvaluationsResponse, Evaluator, JsonObject, MAX_EVALUATIONS, ORG_PROPERTY, RequestDocument,
    ResourceSearchRequest, SubjectSearchRequest,
};
use ringwall_authz::{
    DirectorySubjects, MemoryDirectory, NoObserver, PolicyHandle, StoredAttribute,
    SubjectDirectory as _, ready,
};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Subject, Tenant,
    VerifiedPrincipal,
};
use serde::Serialize;

/// What never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => unreachable!("a directory in memory answers at once"),
    }
}

struct World {
    evaluator: Evaluator,
    pep: VerifiedPrincipal,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let directory = Arc::new(MemoryDirectory::new());
    let org = OrgId::new("o1").expect("an organisation");
    for (name, role) in [("u1", "analyst"), ("u2", "admin"), ("u3", "manager")] {
        let subject = Subject::new(name).expect("a subject");
        now(directory.grant_role(&org, &subject, role).into_future()).expect("granted");
        for (key, value) in [("clearance", "internal"), ("regions", "eu")] {
            let attribute = StoredAttribute::new(key, value, None);
            let granted = directory.grant_attribute(&org, &subject, &attribute);
            now(granted.into_future()).expect("granted");
        }
    }
    let policy = ready::rows_and_clearance().expect("a policy");
    let handle = PolicyHandle::new(policy, Arc::new(NoObserver));
    let subjects = DirectorySubjects::of_issuer(directory.clone(), "https://login.example");
    let mut pep = Principal::new(
        PrincipalKind::Service,
        Subject::new("pep").expect("a subject"),
        Authentication::new(AuthenticationMethod::MutualTls),
    );
    pep.tenant = Some(Tenant { org, project: None });
    World {
        evaluator: Evaluator::new(handle, Arc::new(subjects))
            .search_subjects_of(directory, PrincipalKind::User)
            .tells_reasons(),
        pep: VerifiedPrincipal::attest(pep, Attest::i_have_verified_this()),
    }
});

/// Reads a request, and holds it against what must be true of each.
fn read<T>(data: &[u8]) -> Option<T>
where
    T: RequestDocument + Serialize + PartialEq + std::fmt::Debug,
{
    match T::from_json(data) {
        Ok(request) => {
            serde_json::from_slice::<serde_json::Value>(data).expect("JSON to everybody");
            let written = serde_json::to_vec(&request).expect("it has a text");
            assert_eq!(T::from_json(&written).as_ref(), Ok(&request));
            Some(request)
        }
        Err(fault) => {
            assert!(fault.pointer().len() <= 256);
            assert!(!fault.to_string().chars().any(char::is_control));
            None
        }
    }
}

fn evaluate(request: &EvaluationRequest) -> Option<EvaluationResponse> {
    let answer = WORLD
        .evaluator
        .evaluate(&WORLD.pep, request, Timestamp::UNIX_EPOCH);
    match now(answer) {
        Ok(answer) => Some(answer),
        Err(AuthzenError::Invalid(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

fuzz_target!(|data: &[u8]| {
    if let Some(request) = read::<EvaluationRequest>(data) {
        let answer = evaluate(&request);
        let mut silent = request.clone();
        silent.subject.properties = JsonObject::new();
        silent.action.properties = JsonObject::new();
        assert_eq!(
            evaluate(&silent),
            answer,
            "what is said of the subject counts"
        );
        let foreign = request.resource.clone().property(ORG_PROPERTY, "o2");
        silent.resource = foreign;
        assert!(
            evaluate(&silent).is_none_or(|answer| !answer.decision),
            "another tenant's"
        );
    }
    if let Some(request) = read::<EvaluationsRequest>(data) {
        assert!(request.evaluations.len() <= MAX_EVALUATIONS);
        let answer = WORLD
            .evaluator
            .evaluate_all(&WORLD.pep, &request, Timestamp::UNIX_EPOCH);
        match now(answer) {
            Ok(EvaluationsResponse::Batch { evaluations }) => {
                assert!(!evaluations.is_empty());
                assert!(evaluations.len() <= request.evaluations.len());
            }
            Ok(EvaluationsResponse::Single(_)) => assert!(request.evaluations.is_empty()),
            Err(AuthzenError::Invalid(_)) => assert!(request.evaluations.is_empty()),
            Err(error) => panic!("{error}"),
        }
    }
    let at = Timestamp::UNIX_EPOCH;
    if let Some(request) = read::<SubjectSearchRequest>(data)
        && let Ok(found) = now(WORLD.evaluator.search_subjects(&WORLD.pep, &request, at))
    {
        for subject in found.results {
            let one =
                EvaluationRequest::new(subject, request.action.clone(), request.resource.clone());
            let mut one = one;
            one.context = request.context.clone();
            assert!(
                evaluate(&one).is_some_and(|answer| answer.decision),
                "found and denied"
            );
        }
    }
    if let Some(request) = read::<ActionSearchRequest>(data)
        && let Ok(found) = now(WORLD.evaluator.search_actions(&WORLD.pep, &request, at))
    {
        for action in found.results {
            let (subject, resource) = (request.subject.clone(), request.resource.clone());
            let mut one = EvaluationRequest::new(subject, action, resource);
            one.context = request.context.clone();
            assert!(
                evaluate(&one).is_some_and(|answer| answer.decision),
                "found and denied"
            );
        }
    }
    let _request = read::<ResourceSearchRequest>(data);
});
