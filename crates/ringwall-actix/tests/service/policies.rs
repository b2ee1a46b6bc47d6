//! Handlers that ask the authorization policy by their signature, in a way that would swallow its refusal.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{Error, web};
use ringwall_actix::{CurrentSubject, Endpoint, GuardedApp, PermittedRows, any, any_config, get};
use ringwall_core::clock::Timestamp;
use ringwall_core::event::EventKind;
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::step::Step;
use ringwall_gate::Authorization;
use ringwall_gate::authz::{
    Action, CredentialSubjects, DirectoryError, KnownSubject, NoObserver, Policy, PolicyHandle,
    SubjectResolver,
};

use crate::support::{Bench, Site, serve};

const POLICY: &str = r#"
version = 1
name = "cases"
[resources.case]
actions = ["read", "export"]
table = { name = "cases" }
[[rules]]
id = "read"
effect = "permit"
resource = "case"
actions = ["read"]
scopes = ["cases:read"]
[[rules]]
id = "export"
effect = "permit"
resource = "case"
actions = ["export"]
scopes = ["cases:read"]
obligations = { mask_above = "internal" }
"#;

#[derive(Debug)]
struct Read;

impl Action for Read {
    const RESOURCE: &'static str = "case";
    const NAME: &'static str = "read";
}

#[derive(Debug)]
struct Export;

impl Action for Export {
    const RESOURCE: &'static str = "case";
    const NAME: &'static str = "export";
}

/// Knows nobody, and says so at once or after a wait.
#[derive(Debug)]
struct Down(bool);

impl SubjectResolver for Down {
    fn resolve(
        &self,
        _: &VerifiedPrincipal,
        _: Timestamp,
    ) -> Step<Result<KnownSubject, DirectoryError>> {
        let down = DirectoryError::Unavailable {
            retry_after: Duration::from_secs(3),
            source: None,
        };
        if self.0 {
            Step::wait(async { Err(down) })
        } else {
            Step::Done(Err(down))
        }
    }
}

fn bench(subjects: impl SubjectResolver + 'static) -> Bench {
    let policy = Policy::from_toml(POLICY).expect("a policy");
    let handle = PolicyHandle::new(policy, Arc::new(NoObserver));
    Bench::with(|gate| gate.authorization(Authorization::new(handle, Arc::new(subjects))))
}

async fn site(bench: &Bench, endpoint: Endpoint) -> Site {
    let app = GuardedApp::new(bench.gate.clone()).route("/x", endpoint);
    serve(app.build().expect("an app")).await
}

#[tokio::test]
async fn a_handler_runs_where_the_policy_can_be_asked_about_its_caller() {
    async fn both(
        subject: Option<CurrentSubject>,
        rows: Option<PermittedRows<Read>>,
        result: Result<CurrentSubject, Error>,
    ) -> String {
        format!(
            "{} {} {}",
            subject.is_some(),
            rows.is_some(),
            result.is_ok()
        )
    }
    let bench = bench(CredentialSubjects::scopes());
    let site = site(&bench, any(both).optional()).await;
    assert_eq!(site.get_as("reader", "/x").await.body, "true true true");
    assert_eq!(site.get("/x").await.body, "false false false");
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing; 0]);
}

#[tokio::test]
async fn an_option_of_a_subject_that_nobody_can_tell_of_denies_and_nothing_runs() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    async fn option(subject: Option<CurrentSubject>) -> String {
        RUNS.fetch_add(1, Ordering::SeqCst);
        format!("{}", subject.is_some())
    }
    async fn result(subject: Result<CurrentSubject, Error>) -> String {
        RUNS.fetch_add(1, Ordering::SeqCst);
        format!("{}", subject.is_ok())
    }
    for endpoint in [|| any(option), || any(result)] {
        for waits in [false, true] {
            let bench = bench(Down(waits));
            let site = site(&bench, endpoint()).await;
            for method in ["GET", "POST", "HEAD"] {
                let answer = site.send_as("reader", method, "/x").await;
                assert_eq!(answer.status, 503);
                assert_eq!(answer.header("retry-after"), Some("3"));
                assert_eq!(answer.body.is_empty(), method == "HEAD", "{method}");
            }
            assert_eq!(bench.kinds(), [EventKind::SubjectsUnavailable; 3]);
            assert_eq!(bench.outcomes(), ["completed 503"; 3]);
        }
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn an_option_of_rows_that_the_policy_refuses_denies_and_nothing_runs() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    async fn option(rows: Option<PermittedRows<Export>>) -> String {
        RUNS.fetch_add(1, Ordering::SeqCst);
        format!("{}", rows.is_some())
    }
    async fn result(rows: Result<PermittedRows<Export>, Error>) -> String {
        RUNS.fetch_add(1, Ordering::SeqCst);
        format!("{}", rows.is_ok())
    }
    for endpoint in [|| get(option), || get(result)] {
        // An obligation that an extractor cannot meet, and nobody who tells of the caller.
        let obliged = bench(CredentialSubjects::scopes());
        let answer = site(&obliged, endpoint())
            .await
            .get_as("reader", "/x")
            .await;
        assert_eq!(answer.status, 403);
        assert_eq!(obliged.kinds(), [EventKind::AccessDenied]);
        assert_eq!(obliged.outcomes(), ["completed 403"]);
        let down = bench(Down(true));
        let answer = site(&down, endpoint()).await.get_as("reader", "/x").await;
        assert_eq!(answer.status, 503);
        assert_eq!(down.kinds(), [EventKind::SubjectsUnavailable]);
    }
    assert_eq!(RUNS.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_answer_of_a_foreign_handler_without_a_policy_is_replaced() {
    async fn option(subject: Option<CurrentSubject>) -> String {
        format!("{}", subject.is_some())
    }
    let bench = bench(Down(false));
    let foreign = any_config(|config| {
        config.route("/x", web::get().to(option));
    });
    let app = GuardedApp::new(bench.gate.clone()).nest_service("/in", foreign);
    let site = serve(app.build().expect("an app")).await;
    let answer = site.get_as("reader", "/in/x").await;
    assert_eq!(answer.status, 503);
    assert!(!answer.body.contains("false"), "{}", answer.body);
}
