//! What is recorded, and what happens when it cannot be.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringwall_core::audit::{
    AuditIntent, AuditOutcome, AuditSink, AuditTicket, AuditUnavailable, MemoryAudit,
};
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;
use ringwall_gate::AuditScope;
use ringwall_tonic::{GuardedRoutes, authenticated, guard};
use tonic::Code;

use crate::cases::text;
use crate::raw::Call;
use crate::support::{Bench, ask_text, serve, soon};

/// A sink that waits before every record, and can be broken or held.
#[derive(Debug)]
struct Slow {
    inner: Arc<MemoryAudit>,
    broken_intents: AtomicBool,
    broken_outcomes: AtomicBool,
    broken_denials: AtomicBool,
    held_outcomes: Arc<AtomicBool>,
}

const BROKEN: AuditUnavailable = AuditUnavailable {
    retry_after: Duration::from_secs(9),
};

fn later<T: Send + Unpin + 'static>(
    broken: &AtomicBool,
    held: &Arc<AtomicBool>,
    step: impl FnOnce() -> Step<Result<T, AuditUnavailable>>,
) -> Step<Result<T, AuditUnavailable>> {
    let step = if broken.load(Ordering::SeqCst) {
        Step::Done(Err(BROKEN))
    } else {
        step()
    };
    let held = held.clone();
    Step::wait(async move {
        tokio::time::sleep(Duration::from_millis(5)).await;
        while held.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        step.await
    })
}

impl AuditSink for Slow {
    fn intent(&self, intent: AuditIntent) -> Step<Result<AuditTicket, AuditUnavailable>> {
        let held = Arc::default();
        later(&self.broken_intents, &held, || self.inner.intent(intent))
    }

    fn outcome(
        &self,
        ticket: AuditTicket,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        later(&self.broken_outcomes, &self.held_outcomes, || {
            self.inner.outcome(ticket, outcome)
        })
    }

    fn denied(
        &self,
        intent: AuditIntent,
        outcome: AuditOutcome,
    ) -> Step<Result<(), AuditUnavailable>> {
        let held = Arc::default();
        later(&self.broken_denials, &held, || {
            self.inner.denied(intent, outcome)
        })
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
        held_outcomes: Arc::default(),
    });
    let mut bench = Bench::with(|builder| builder.audit(slow.clone()));
    bench.audit = inner;
    (bench, slow)
}

#[tokio::test]
async fn every_call_leaves_its_intent_and_its_code() {
    let bench = Bench::new();
    let site = bench.site().await;
    let mut client = site.client().await;
    client.read(ask_text("reader", "7")).await.expect("served");
    client.read(text("8")).await.expect_err("refused");
    let status = client.read(ask_text("reader", "absent")).await;
    assert_eq!(status.expect_err("no").code(), Code::NotFound);
    client.version(text("")).await.expect("served");
    let stream = client.watch(ask_text("reader", "fail")).await;
    let mut stream = stream.expect("served").into_inner();
    soon(stream.message()).await.expect("one");
    let status = soon(stream.message()).await.expect_err("lost");
    assert_eq!(status.code(), Code::DataLoss);
    let expected = [
        ("/test.v1.Cases/Read", "grpc 0"),
        ("/test.v1.Cases/Read", "denied 401"),
        ("/test.v1.Cases/Read", "grpc 5"),
        ("/test.v1.Cases/Version", "grpc 0"),
        ("/test.v1.Cases/Watch", "grpc 15"),
    ];
    let trail = bench.trail();
    let shown: Vec<_> = trail
        .iter()
        .map(|(action, _, outcome)| (action.as_str(), outcome.as_str()))
        .collect();
    assert_eq!(shown, expected);
    assert!(trail.iter().all(|(action, target, _)| action == target));
    let records = bench.audit.snapshot();
    let principal = records[0].intent.principal.as_ref().expect("somebody");
    assert_eq!(principal.subject.as_str(), "reader");
    assert!(records[1].intent.principal.is_none());
}

#[tokio::test]
async fn a_stream_is_recorded_at_its_end() {
    let bench = Bench::new();
    let mut client = bench.site().await.client().await;
    let stream = client.watch(ask_text("reader", "first")).await;
    let mut stream = stream.expect("served").into_inner();
    soon(stream.message()).await.expect("one");
    assert_eq!(bench.outcomes(), ["unsettled"]);
    drop(stream);
    bench.until(|bench| bench.outcomes() == ["cancelled"]).await;
}

#[tokio::test]
async fn a_method_records_as_much_as_its_policy_says() {
    for (audit, expected) in [
        (AuditScope::All, &["grpc 0", "denied 401"][..]),
        (AuditScope::DenialsOnly, &["denied 401"]),
        (AuditScope::Off, &[]),
    ] {
        let bench = Bench::new();
        let server = guard(bench.desk.server()).method("Read", authenticated().audit(audit));
        let routes = GuardedRoutes::new(bench.gate.clone()).service(server);
        let site = serve(routes.into_routes().expect("routes")).await;
        site.call(Call::of("Read").from("reader")).await;
        site.call(Call::of("Read")).await;
        assert_eq!(bench.outcomes(), expected, "{audit:?}");
        assert_eq!(bench.kinds(), [EventKind::CredentialsMissing]);
    }
}

#[tokio::test]
async fn a_sink_that_waits_is_waited_for_before_the_end_is_sent() {
    let (bench, slow) = slow();
    let site = bench.site().await;
    let mut client = site.client().await;
    client.read(ask_text("reader", "")).await.expect("served");
    client.read(text("")).await.expect_err("refused");
    client
        .read(ask_text("reader", "absent"))
        .await
        .expect_err("absent");
    assert_eq!(bench.outcomes(), ["grpc 0", "denied 401", "grpc 5"]);

    // The message is sent, and its end is not until the outcome is stored.
    slow.held_outcomes.store(true, Ordering::SeqCst);
    let stream = client.watch(ask_text("reader", "count 1")).await;
    let mut stream = stream.expect("served").into_inner();
    assert!(soon(stream.message()).await.expect("no error").is_some());
    let end = tokio::time::timeout(Duration::from_millis(300), stream.message()).await;
    assert!(end.is_err(), "the end was sent: {end:?}");
    slow.held_outcomes.store(false, Ordering::SeqCst);
    assert!(soon(stream.message()).await.expect("no error").is_none());
}

#[tokio::test]
async fn an_intent_that_cannot_be_stored_denies_before_the_handler() {
    let (bench, slow) = slow();
    slow.broken_intents.store(true, Ordering::SeqCst);
    let site = bench.site().await;
    for method in ["Read", "Watch", "Upload", "Talk"] {
        let answer = site.call(Call::of(method).from("reader")).await;
        assert_eq!(answer.code(), Some(14), "{method}");
        assert_eq!(answer.header("retry-after"), Some("9"));
    }
    assert!(bench.desk.reached().is_empty());
    assert_eq!(bench.events.count(EventKind::AuditFailed), 4);
}

#[tokio::test]
async fn an_outcome_that_cannot_be_stored_leaves_the_answer_and_reports() {
    let (bench, slow) = slow();
    slow.broken_outcomes.store(true, Ordering::SeqCst);
    let site = bench.site().await;
    let answer = site.call(Call::of("Read").from("reader")).await;
    assert_eq!(answer.code(), Some(0));
    let answer = site
        .call(Call::of("Read").from("reader").saying("absent"))
        .await;
    assert_eq!(answer.code(), Some(5));
    assert_eq!(bench.events.count(EventKind::AuditFailed), 2);
    assert_eq!(bench.outcomes(), ["unsettled", "unsettled"]);
}

#[tokio::test]
async fn a_denial_that_cannot_be_stored_still_denies_and_reports() {
    let (bench, slow) = slow();
    slow.broken_denials.store(true, Ordering::SeqCst);
    let site = bench.site().await;
    assert_eq!(site.call(Call::of("Read")).await.code(), Some(16));
    assert_eq!(bench.events.count(EventKind::AuditFailed), 1);
}

#[tokio::test]
async fn a_caller_that_leaves_while_its_end_is_being_stored_is_reported() {
    let (bench, slow) = slow();
    slow.held_outcomes.store(true, Ordering::SeqCst);
    let mut client = bench.site().await.client().await;
    let stream = client.watch(ask_text("reader", "count 1")).await;
    let mut stream = stream.expect("served").into_inner();
    soon(stream.message()).await.expect("one");
    drop(stream);
    drop(client);
    bench
        .until(|bench| bench.events.count(EventKind::AuditFailed) == 1)
        .await;
}
