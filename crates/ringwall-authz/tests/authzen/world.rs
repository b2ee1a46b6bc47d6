//! One organisation with a few people, and an evaluator over it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ringwall_authz::authzen::{
    ActionEntity, AuthzenError, EvaluationRequest, EvaluationResponse, Evaluator, ListingError,
    RequestDocument as _, ResourceEntity, ResourceListing, ResourcePage, ResourceQuery,
    SubjectEntity,
};
use ringwall_authz::directory::DirectoryAnswer;
use ringwall_authz::{
    DirectoryError, DirectorySubjects, MemoryDirectory, NoObserver, Policy, PolicyHandle,
    PolicyInformationPoint, StoredAttribute, SubjectDirectory as _, SubjectFacts,
};
use ringwall_core::attest::Attest;
use ringwall_core::clock::Timestamp;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, ProjectId, Role, Scope,
    Subject, Tenant, VerifiedPrincipal,
};
use ringwall_core::step::Step;

pub(crate) const ALICE: &str = "alice@example.com";
pub(crate) const BOB: &str = "bob@example.com";
/// Holds no role.
pub(crate) const MALLORY: &str = "mallory@example.com";
/// Is an administrator of another organisation, and nobody here.
pub(crate) const EVE: &str = "eve@example.com";

pub(crate) fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a time")
}

pub(crate) fn policy() -> Policy {
    Policy::from_toml(include_str!("world.toml")).expect("a policy")
}

pub(crate) fn handle() -> PolicyHandle {
    PolicyHandle::new(policy(), Arc::new(NoObserver))
}

pub(crate) fn org(name: &str) -> OrgId {
    OrgId::new(name).expect("an organisation")
}

pub(crate) fn subject(name: &str) -> Subject {
    Subject::new(name).expect("a subject")
}

/// A policy enforcement point, which claims to be an administrator itself: that is nobody else's role.
pub(crate) fn pep_of(org: Option<&str>, project: Option<&str>) -> VerifiedPrincipal {
    let mut principal = Principal::new(
        PrincipalKind::Service,
        subject("pep"),
        Authentication::new(AuthenticationMethod::MutualTls),
    );
    principal.roles = vec![Role::new("admin").expect("a role")];
    principal.scopes = vec![Scope::new("*").expect("a scope")];
    principal.tenant = org.map(|org| Tenant {
        org: OrgId::new(org).expect("an organisation"),
        project: project.map(|project| ProjectId::new(project).expect("a project")),
    });
    VerifiedPrincipal::attest(principal, Attest::i_have_verified_this())
}

pub(crate) fn pep() -> VerifiedPrincipal {
    pep_of(Some("o1"), None)
}

pub(crate) async fn people() -> Arc<MemoryDirectory> {
    let directory = MemoryDirectory::new();
    for (of, name, role) in [
        ("o1", ALICE, "reader"),
        ("o1", BOB, "reader"),
        ("o1", MALLORY, "guest"),
        ("o2", EVE, "admin"),
    ] {
        directory
            .grant_role(&org(of), &subject(name), role)
            .await
            .expect("granted");
    }
    let internal = StoredAttribute::new("clearance", "internal", None);
    directory
        .grant_attribute(&org("o1"), &subject(ALICE), &internal)
        .await
        .expect("granted");
    Arc::new(directory)
}

/// Counts how often it is asked.
#[derive(Debug)]
pub(crate) struct Counted(pub(crate) Arc<MemoryDirectory>, pub(crate) AtomicUsize);

impl PolicyInformationPoint for Counted {
    fn facts(&self, org: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts> {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.facts(org, subject)
    }
}

/// Does not answer for one subject.
#[derive(Debug)]
pub(crate) struct Down(pub(crate) &'static str);

impl PolicyInformationPoint for Down {
    fn facts(&self, _: &OrgId, subject: &Subject) -> DirectoryAnswer<SubjectFacts> {
        if subject.as_str() == self.0 {
            return Step::wait(async {
                Err(DirectoryError::Unavailable {
                    retry_after: Duration::from_secs(7),
                    source: None,
                })
            });
        }
        let mut facts = SubjectFacts::new(1);
        facts.roles.push("reader".into());
        Step::wait(async { Ok(facts) })
    }
}

/// Lists these ids, whatever the filter: what a filter does is shown with a database.
#[derive(Debug)]
pub(crate) struct Fixed(pub(crate) Vec<&'static str>);

impl ResourceListing for Fixed {
    fn resources(&self, query: ResourceQuery) -> Step<Result<ResourcePage, ListingError>> {
        assert_eq!(query.rows.table(), "accounts");
        assert!(query.limit > 0);
        let from = match &query.after {
            None => 0,
            Some(after) => match after.parse::<usize>() {
                Ok(from) if from <= self.0.len() => from,
                Ok(_) | Err(_) => return Step::Done(Err(ListingError::UnknownCursor)),
            },
        };
        let ids = self.0.iter().skip(from).take(query.limit);
        let end = from.saturating_add(query.limit);
        let page = ResourcePage {
            ids: ids.map(|id| (*id).to_owned()).collect(),
            next: (end < self.0.len()).then(|| end.to_string()),
        };
        Step::wait(async { Ok(page) })
    }
}

pub(crate) async fn evaluator() -> Evaluator {
    let people = people().await;
    let subjects = DirectorySubjects::of_issuer(people.clone(), "https://login.example");
    Evaluator::new(handle(), Arc::new(subjects))
        .search_subjects_of(people, PrincipalKind::User)
        .search_resources_of(Arc::new(Fixed(vec!["123", "456"])))
}

pub(crate) fn user(id: &str) -> SubjectEntity {
    SubjectEntity::new("user", id)
}

pub(crate) fn question(who: &str, action: &str, resource: ResourceEntity) -> EvaluationRequest {
    EvaluationRequest::new(user(who), ActionEntity::new(action), resource)
}

pub(crate) fn document(id: &str) -> ResourceEntity {
    ResourceEntity::new("document", id)
}

/// What is answered to a body.
pub(crate) async fn ask(
    evaluator: &Evaluator,
    body: &str,
) -> Result<EvaluationResponse, AuthzenError> {
    let request = EvaluationRequest::from_json(body.as_bytes())?;
    evaluator.evaluate(&pep(), &request, now()).await
}

/// The decision alone.
pub(crate) async fn decide(evaluator: &Evaluator, request: &EvaluationRequest) -> bool {
    let answer = evaluator.evaluate(&pep(), request, now()).await;
    answer.expect("an answer").decision
}
