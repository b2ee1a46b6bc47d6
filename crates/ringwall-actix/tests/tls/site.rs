//! An app over TLS on a free port of this machine.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload, ReqData};
use actix_web::{App, HttpResponse};
use ringwall_actix::{GuardedApp, get, post, serve};
use ringwall_core::attest::Attest;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::DiscardEvents;
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, Principal, PrincipalKind, Subject, VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{
    Admitted, AuditScope, Authenticated, Authenticator, Gate, HttpsOnly, Presented,
};
use ringwall_transport::{ClientTrust, HandshakeAcceptor, ServerTls};
use tokio::sync::Notify;

use crate::authority::Authority;
use crate::client::PATIENCE;

/// The server's own limits of time. They are longer than any test waits: on a machine that stalls, no
/// client is answered 408, and what ends a connection is what the test is about.
const FOREVER: Duration = Duration::from_secs(PATIENCE.as_secs() * 10);

/// Accepts whoever shows a client certificate, or says `Bearer ada`, until it is told not to accept
/// them any longer.
#[derive(Debug)]
struct Shown {
    is_revoked: Arc<AtomicBool>,
    expires_at: Timestamp,
}

impl Authenticator for Shown {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match (view.header("authorization"), view.tls_peer) {
            (HeaderValues::One(_) | HeaderValues::Several(_), _) => Presented::InAuthorization,
            (HeaderValues::Absent, Some(_)) => Presented::Elsewhere,
            (HeaderValues::Absent, None) => Presented::No,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let subject = match (view.header("authorization"), view.tls_peer) {
            (HeaderValues::One(b"Bearer ada"), _) => "ada",
            (HeaderValues::Absent, Some(peer)) if peer.chain().len() == 1 => "certificate",
            (HeaderValues::Absent | HeaderValues::One(_) | HeaderValues::Several(_), _) => {
                return Step::Done(Err(Denial::unauthenticated("test")));
            }
        };
        let mut authentication = Authentication::new(AuthenticationMethod::Token);
        authentication.expires_at = Some(self.expires_at);
        let subject = Subject::new(subject).expect("a subject");
        let principal = Principal::new(PrincipalKind::Service, subject, authentication);
        let attest = Attest::i_have_verified_this();
        Step::Done(Ok(VerifiedPrincipal::attest(principal, attest).into()))
    }

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(match self.is_revoked.load(Ordering::SeqCst) {
            true => Err(Denial::unauthenticated("test")),
            false => Ok(()),
        })
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) tls: ServerTls,
    pub(crate) acceptor: HandshakeAcceptor,
    pub(crate) is_revoked: Arc<AtomicBool>,
    pub(crate) patient: Arc<Patient>,
    pub(crate) server: ServerHandle,
}

/// What becomes of the handler that takes its time.
#[derive(Debug, Default)]
pub(crate) struct Patient {
    pub(crate) started: Notify,
    pub(crate) dropped: Notify,
    /// Lets it answer.
    pub(crate) done: Notify,
}

async fn whoami(admitted: ReqData<Admitted>) -> String {
    let principal = admitted.principal().expect("a route that asks");
    let address = admitted.client_address().expect("a socket");
    format!("{} {address} {:?}", principal.subject, admitted.scheme())
}

async fn count(body: Bytes) -> String {
    body.len().to_string()
}

/// Reads the body without actix-web's extractors and their own limit.
async fn drain(body: Payload) -> HttpResponse {
    match body.to_bytes().await {
        Ok(bytes) => HttpResponse::Ok().body(bytes.len().to_string()),
        Err(_) => HttpResponse::new(StatusCode::IM_A_TEAPOT),
    }
}

async fn ticks() -> HttpResponse {
    let mut pause = tokio::time::interval(Duration::from_millis(20));
    HttpResponse::Ok().streaming(Ticks(move |context: &mut Context<'_>| {
        let tick = || Some(Ok::<_, actix_web::Error>(Bytes::from_static(b"tick")));
        pause.poll_tick(context).map(|_| tick())
    }))
}

/// Reads nothing, and takes its time.
async fn idle() -> &'static str {
    tokio::time::sleep(Duration::from_secs(600)).await;
    ""
}

/// Answers when it is told to, and tells when it is dropped.
async fn wait(patient: Arc<Patient>) -> &'static str {
    struct Told(Arc<Patient>);
    impl Drop for Told {
        fn drop(&mut self) {
            self.0.dropped.notify_one();
        }
    }
    let patient = Told(patient);
    patient.0.started.notify_one();
    patient.0.done.notified().await;
    "done"
}

struct Ticks<F>(F);

impl<F, T> futures_core::Stream for Ticks<F>
where
    F: FnMut(&mut Context<'_>) -> Poll<Option<T>> + Unpin,
{
    type Item = T;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        (self.0)(context)
    }
}

impl Site {
    pub(crate) fn new(authority: &Authority, trust: ClientTrust) -> Self {
        let issued = authority.server();
        let tls = ServerTls::builder(issued.chain(), issued.key()).client_trust(trust);
        let tls = tls.load().expect("a configuration");
        let acceptor = HandshakeAcceptor::builder(&tls).time_limit(FOREVER).build();
        let start = Timestamp::from_unix_seconds(1_800_000_000).expect("in range");
        let is_revoked = Arc::new(AtomicBool::new(false));
        let gate = Gate::builder("test")
            .authenticator(Shown {
                is_revoked: is_revoked.clone(),
                // The clock stands still: the credential is looked at again every 300 ms.
                expires_at: start
                    .checked_add(Duration::from_millis(300))
                    .expect("in range"),
            })
            .without_audit()
            .events(Arc::new(DiscardEvents))
            .clock(Arc::new(ManualClock::new(start)))
            .https_only(HttpsOnly::refuse())
            .build()
            .expect("a gate");
        let patient = Arc::new(Patient::default());
        let waiting = patient.clone();
        let app = GuardedApp::new(gate)
            .route("/wait", get(move || wait(waiting.clone())))
            .route("/whoami", get(whoami))
            .route("/count", post(count).body_limit(10))
            .route("/drain", post(drain).body_limit(10))
            .route("/ticks", get(ticks))
            .route("/idle", post(idle))
            .public_route("/health", get(async || "ok").audit(AuditScope::Off));
        let guarded = app.build().expect("an app");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = serve(listener, acceptor.clone(), move || {
            App::new().configure(guarded.configure())
        });
        let server = server
            .workers(NonZeroUsize::MIN)
            .client_request_timeout(FOREVER)
            .keep_alive(FOREVER)
            .disable_signals()
            .run()
            .expect("a server");
        let handle = server.handle();
        tokio::spawn(server);
        Self {
            address,
            tls,
            acceptor,
            is_revoked,
            patient,
            server: handle,
        }
    }
}
