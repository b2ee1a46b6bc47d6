//! Answers that go on, and the end of the credential that opened them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody as _};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web::Bytes;
use actix_web::{App, HttpMessage as _, HttpRequest, HttpResponse};
use ringwall_actix::{Guarded, GuardedApp, get};
use ringwall_core::attest::Attest;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{AuthenticationMethod, VerifiedPrincipal};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{Access, Admitted, Authenticated, Authenticator, Gate, Presented, RoutePolicy};
use tokio::io::AsyncReadExt as _;

use crate::support::{Polled, Site, principal, serve};

/// Accepts everybody, until it is told not to accept them any longer.
#[derive(Debug)]
struct Revocable {
    is_revoked: Arc<AtomicBool>,
    expires_at: Timestamp,
}

impl Authenticator for Revocable {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("authorization") {
            HeaderValues::Absent => Presented::No,
            HeaderValues::One(_) | HeaderValues::Several(_) => Presented::InAuthorization,
        }
    }

    fn authenticate(&self, _view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let mut caller =
            (*principal("reader", AuthenticationMethod::Token).expect("known")).clone();
        caller.authentication.expires_at = Some(self.expires_at);
        let attest = Attest::i_have_verified_this();
        Step::Done(Ok(VerifiedPrincipal::attest(caller, attest).into()))
    }

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        let is_revoked = self.is_revoked.load(Ordering::SeqCst);
        Step::wait(async move {
            tokio::task::yield_now().await;
            match is_revoked {
                true => Err(Denial::unauthenticated("test")),
                false => Ok(()),
            }
        })
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

struct Stand {
    site: Site,
    is_revoked: Arc<AtomicBool>,
    events: Arc<MemoryEvents>,
}

/// A chunk at once, and another one every 20 ms, for ever.
async fn ticks() -> HttpResponse {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    let chunk = move |context: &mut Context<'_>| {
        let tick = || Some(Bytes::from_static(b"tick"));
        pause.poll_tick(context).map(|_| tick())
    };
    HttpResponse::Ok().streaming(Polled(chunk))
}

/// Two chunks, and then the end.
async fn short() -> HttpResponse {
    let mut parts = ["part", "part"].into_iter();
    let chunk = move |_: &mut Context<'_>| {
        let part = parts.next();
        Poll::Ready(part.map(|part| Bytes::from_static(part.as_bytes())))
    };
    HttpResponse::Ok().streaming(Polled(chunk))
}

/// A chunk, the end, and another chunk for whoever asks for what comes after the end.
async fn careless() -> HttpResponse {
    let mut parts = [Some("part"), None, Some("part")].into_iter();
    let chunk = move |_: &mut Context<'_>| {
        let part = parts.next().flatten();
        Poll::Ready(part.map(|part| Bytes::from_static(part.as_bytes())))
    };
    HttpResponse::Ok().streaming(Polled(chunk))
}

/// The proof of a request for which no credential could end.
fn public(gate: &Gate) -> Admitted {
    let headers: [(&str, &str); 0] = [];
    let view = RequestView {
        method: "GET",
        scheme: None,
        authority: None,
        raw_path: "/public",
        raw_query: None,
        socket_peer: None,
        client_address: None,
        tls_peer: None,
        headers: &headers,
    };
    let door = gate.door(RoutePolicy::new("another route", Access::Public));
    match door.enter(&view) {
        Step::Done(Ok((admitted, _))) => admitted,
        Step::Done(Err(_)) | Step::Wait(_) => panic!("it is refused"),
    }
}

/// The app, what revokes its credential, and its events.
fn build() -> (Guarded, Arc<AtomicBool>, Arc<MemoryEvents>) {
    let start = Timestamp::from_unix_seconds(1_800_000_000).expect("in range");
    let is_revoked = Arc::new(AtomicBool::new(false));
    let events = Arc::new(MemoryEvents::new(64));
    let gate = Gate::builder("test")
        .authenticator(Revocable {
            is_revoked: is_revoked.clone(),
            // The clock stands still: the credential is looked at again every 300 ms.
            expires_at: start
                .checked_add(Duration::from_millis(300))
                .expect("in range"),
        })
        .without_audit()
        .events(events.clone())
        .clock(Arc::new(ManualClock::new(start)))
        .build()
        .expect("a gate");
    let other = public(&gate);
    let forgets = move |request: HttpRequest| {
        request.extensions_mut().insert(other.clone());
        short()
    };
    let app = GuardedApp::new(gate)
        .route("/forgets", get(forgets))
        .route("/ticks", get(ticks))
        .route("/short", get(short))
        .route("/careless", get(careless))
        .route("/known", get(async || "known"))
        .public_route("/public", get(short))
        .route("/optional", get(short).optional());
    (app.build().expect("an app"), is_revoked, events)
}

async fn stand() -> Stand {
    let (guarded, is_revoked, events) = build();
    Stand {
        site: serve(guarded).await,
        is_revoked,
        events,
    }
}

impl Stand {
    fn ends(&self) -> usize {
        self.events.count(EventKind::StreamEnded)
    }
}

#[tokio::test]
async fn a_stream_goes_on_while_the_credential_holds_and_breaks_off_when_it_is_revoked() {
    let stand = stand().await;
    let mut connection = stand.site.begin("reader", "/ticks").await;
    let mut seen = Vec::new();
    let mut chunk = [0; 1024];
    // Longer than two looks at the credential.
    while count(&seen) < 40 {
        let count = connection.read(&mut chunk).await.expect("more");
        assert_ne!(count, 0, "it ended");
        seen.extend_from_slice(&chunk[..count]);
    }
    assert_eq!(stand.ends(), 0);
    stand.is_revoked.store(true, Ordering::SeqCst);
    let rest = tokio::time::timeout(Duration::from_secs(20), async {
        let mut rest = Vec::new();
        connection.read_to_end(&mut rest).await.ok();
        rest
    });
    let rest = rest.await.expect("it ends");
    // The client sees that something is missing: the last chunk, which says so, is not there.
    assert!(!rest.ends_with(b"0\r\n\r\n"));
    assert_eq!(stand.ends(), 1);
}

#[tokio::test]
async fn nothing_of_a_stream_is_sent_before_the_first_look() {
    let stand = stand().await;
    stand.is_revoked.store(true, Ordering::SeqCst);
    // The last one puts another proof in the place of its own.
    for path in ["/ticks", "/short", "/optional", "/forgets"] {
        let answer = stand.site.get_as("reader", path).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, ""), "{path}");
    }
    assert_eq!(stand.ends(), 4);
}

#[tokio::test]
async fn what_is_whole_or_for_nobody_in_particular_has_no_lease() {
    let stand = stand().await;
    stand.is_revoked.store(true, Ordering::SeqCst);
    assert_eq!(stand.site.get_as("reader", "/known").await.body, "known");
    for (name, path) in [("reader", "/public"), ("", "/public"), ("", "/optional")] {
        let answer = match name {
            "" => stand.site.get(path).await,
            name => stand.site.get_as(name, path).await,
        };
        assert!(
            answer.body.ends_with("0\r\n\r\n"),
            "{path}: {}",
            answer.body
        );
    }
    // HEAD has no body that could go on.
    let head = stand.site.send_as("reader", "HEAD", "/ticks").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(stand.ends(), 0);
}

#[tokio::test]
async fn a_stream_under_a_good_credential_is_whole() {
    let stand = stand().await;
    let answer = stand.site.get_as("reader", "/short").await;
    assert_eq!(answer.body.matches("part").count(), 2);
    assert!(answer.body.ends_with("0\r\n\r\n"), "{}", answer.body);
}

/// actix-http asks a body that has failed for nothing more; whoever wraps it may.
#[tokio::test]
async fn nothing_of_a_stream_comes_after_its_end_even_when_it_is_asked_for() {
    let (guarded, is_revoked, events) = build();
    let app = init_service(App::new().configure(guarded.configure())).await;
    let open = async |path: &str| {
        let request = TestRequest::with_uri(path).insert_header(("authorization", "Bearer reader"));
        let answer = call_service(&app, request.to_request()).await;
        assert_eq!(answer.status(), 200);
        answer.into_body()
    };
    let mut whole = open("/careless").await;
    let mut failed = open("/ticks").await;
    assert_eq!(next(&mut whole).await, Some(Ok(Bytes::from("part"))));
    assert_eq!(next(&mut whole).await, None);
    is_revoked.store(true, Ordering::SeqCst);
    let over = "the credential of the caller no longer holds".to_owned();
    let mut seen = next(&mut failed).await;
    while let Some(Ok(_)) = seen {
        seen = next(&mut failed).await;
    }
    assert_eq!(seen, Some(Err(over)));
    // Neither goes on when the credential is good again, nor is it looked at.
    is_revoked.store(false, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(next(&mut failed).await, None);
        assert_eq!(next(&mut whole).await, None);
    }
    assert_eq!(events.count(EventKind::StreamEnded), 1);
}

async fn next(body: &mut BoxBody) -> Option<Result<Bytes, String>> {
    let chunk = poll_fn(|context| Pin::new(&mut *body).poll_next(context));
    let chunk = tokio::time::timeout(Duration::from_secs(20), chunk).await;
    chunk
        .expect("an answer in time")
        .map(|chunk| chunk.map_err(|error| error.to_string()))
}

fn count(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).matches("tick").count()
}
