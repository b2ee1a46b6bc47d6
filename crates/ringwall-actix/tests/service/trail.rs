//! What is recorded, and what happens when it cannot be.

use std::future::ready;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ringwall_actix::{GuardedApp, get};
use ringwall_core::audit::{
    AuditIntent, AuditOutcome, AuditSink, AuditTicket, AuditUnavailable, MemoryAudit,
};
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;
use ringwall_gate::AuditScope;

use crate::support::{Bench, serve};

/// A sink that waits before every record, and can be broken.
#[derive(Debug)]
struct Slow {
    inner: Arc<MemoryAudit>,
    broken_intents: AtomicBool,
    broken_outcomes: AtomicBool,
    broken_denials: AtomicBool,
}

const BROKEN: AuditUnavailable = AuditUnavailable {
    retry_after: Duration::from_secs(9),
};

fn later<T: Send + Unpin + 'static>(
    broken: &AtomicBool,
    step: impl FnOnce() -> Step<Result<T, AuditUnavailable>>,
) -> Step<Result<T, AuditUnavailable>> {
    let broken = broken.load(Ordering::SeqCst);
    let step = if broken {
        Step::Done(Err(BROKEN))
    } else {
        step()
    };
    Step::wait(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        step.await
    })
}

impl AuditSink for Slow {
    fn intent(&self, intent: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        later(&self.broken_intents, || self.inner.intent(intent))
    }

    fn outcome(
        &self,
        ticket: AuditTicket,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        later(&self.broken_outcomes, || {
            self.inner.outcome(ticket, outcome)
        })
    }

    fn denied(
        &self,
        intent: AuditIntent,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        later(&self.broken_denials, || self.inner.denied(intent, outcome))
    }

    fn cancelled(&self, ticket: AuditTicket) {
        self.inner.cancelled(ticket);
    }
}

fn slow() -> (Bench, Arc<Slow>) {
    let inner = Arc::new(MemoryAudit::new(64));
    let slow = Arc::new(Slow {
        inner: inner.clone(),
        broken_intents: AtomicBool::new(false),
        broken_outcomes: AtomicBool::new(false),
        broken_denials: AtomicBool::new(false),
    });
    let mut bench = Bench::with(|builder| builder.audit(slow.clone()));
    bench.audit = inner;
    (bench, slow)
}

#[tokio::test]
async fn every_request_leaves_its_intent_and_outcome() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .route("/cases/{id}", get(async || "case"))
        .public_route(
            "/page",
            get(async || ("tea", actix_web::http::StatusCode::IM_A_TEAPOT)),
        );
    let site = serve(app.build().expect("an app")).await;
    site.get_as("reader", "/cases/7?secret=1").await;
    site.get("/cases/8").await;
    site.get("/page").await;
    site.get_as("reader", "/unknown").await;
    site.send_as("reader", "PUT", "/cases/9").await;
    let expected = [
        ("GET /cases/{id}", "/cases/7", "completed 200"),
        ("GET /cases/{id}", "/cases/8", "denied 401"),
        ("GET /page", "/page", "completed 418"),
        ("ANY (unknown path)", "/unknown", "completed 404"),
        ("OTHER /cases/{id}", "/cases/9", "completed 405"),
    ];
    let trail = bench.trail();
    let trail: Vec<_> = trail
        .iter()
        .map(|(a, t, o)| (a.as_str(), t.as_str(), o.as_str()))
        .collect();
    assert_eq!(trail, expected);
    let records = bench.audit.snapshot();
    let principal = records[0].intent.principal.as_ref().expect("somebody");
    assert_eq!(principal.subject.as_str(), "reader");
    assert!(records[1].intent.principal.is_none() && records[2].intent.principal.is_none());
    let local: IpAddr = [127, 0, 0, 1].into();
    assert!(
        records
            .iter()
            .all(|record| record.intent.source == Some(local))
    );
}

#[tokio::test]
async fn a_route_records_as_much_as_its_policy_says() {
    let bench = Bench::new();
    let app = GuardedApp::new(bench.gate.clone())
        .route("/denials", get(async || "").audit(AuditScope::DenialsOnly))
        .route("/off", get(async || "").audit(AuditScope::Off));
    let site = serve(app.build().expect("an app")).await;
    for path in ["/denials", "/off"] {
        assert_eq!(site.get_as("reader", path).await.status, 200);
        assert_eq!(site.get(path).await.status, 401);
    }
    let expected = (
        "GET /denials".to_owned(),
        "/denials".to_owned(),
        "denied 401".to_owned(),
    );
    assert_eq!(bench.trail(), [expected]);
    assert_eq!(bench.kinds(), [EventKind::CredentialsMissing; 2]);
}

#[tokio::test]
async fn a_sink_that_waits_is_waited_for() {
    let (bench, _) = slow();
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(async || "x"));
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get_as("slow", "/x").await.body, "x");
    assert_eq!(site.get("/x").await.status, 401);
    assert_eq!(bench.outcomes(), ["completed 200", "denied 401"]);
}

#[tokio::test]
async fn an_intent_that_cannot_be_stored_denies_before_the_handler() {
    let (bench, sink) = slow();
    let ran = Arc::new(AtomicUsize::new(0));
    let counter = ran.clone();
    let handler = move || {
        counter.fetch_add(1, Ordering::SeqCst);
        ready("")
    };
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(handler));
    let site = serve(app.build().expect("an app")).await;
    sink.broken_intents.store(true, Ordering::SeqCst);
    let answer = site.get_as("reader", "/x").await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("9"))
    );
    assert_eq!(ran.load(Ordering::SeqCst), 0);
    assert_eq!(bench.kinds(), [EventKind::AuditFailed]);
    sink.broken_intents.store(false, Ordering::SeqCst);
    assert_eq!(site.get_as("reader", "/x").await.status, 200);
    assert_eq!(ran.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_stored_leaves_the_answer_and_reports() {
    let (bench, sink) = slow();
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(async || "x"));
    let site = serve(app.build().expect("an app")).await;
    sink.broken_outcomes.store(true, Ordering::SeqCst);
    let answer = site.get_as("reader", "/x").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "x"));
    assert_eq!(bench.kinds(), [EventKind::AuditFailed]);
    assert_eq!(bench.outcomes(), ["unsettled"]);
}

#[tokio::test]
async fn a_denial_that_cannot_be_stored_still_denies_and_reports() {
    let (bench, sink) = slow();
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(async || "x"));
    let site = serve(app.build().expect("an app")).await;
    sink.broken_denials.store(true, Ordering::SeqCst);
    assert_eq!(site.get("/x").await.status, 401);
    assert_eq!(
        bench.kinds(),
        [EventKind::CredentialsMissing, EventKind::AuditFailed]
    );
}

#[tokio::test]
async fn without_a_trail_by_name_the_gate_works_and_says_so() {
    let bench = Bench::with(|builder| builder.without_audit());
    let says = "no audit trail is kept (without_audit)";
    assert!(bench.gate.loosened().contains(&says));
    let app = GuardedApp::new(bench.gate.clone()).route("/x", get(async || "x"));
    let site = serve(app.build().expect("an app")).await;
    assert_eq!(site.get_as("reader", "/x").await.status, 200);
    assert_eq!(site.get("/x").await.status, 401);
    assert!(bench.trail().is_empty());
}
