//! A service on a socket, its fake credentials, and what it leaves behind.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringwall_core::attest::Attest;
use ringwall_core::audit::{AuditOutcome, AuditRecord, MemoryAudit};
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::{
    Authentication, AuthenticationMethod, OrgId, Principal, PrincipalKind, Scope, Subject, Tenant,
    VerifiedPrincipal,
};
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_gate::{Authenticated, Authenticator, Gate, GateBuilder, Presented};
use ringwall_tonic::GuardedRoutes;
use tokio::net::TcpListener;
use tonic::Request;
use tonic::service::Routes;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};

use crate::cases::{Desk, text};
use crate::generated::Text;
use crate::generated::cases_client::CasesClient;

/// Takes `Bearer NAME` for a handful of names, as long as they are not revoked. Credentials of
/// `brief` and `slow-brief` end at [`BRIEF_END`].
#[derive(Debug, Default)]
pub(crate) struct Names {
    revoked: Mutex<BTreeSet<String>>,
}

/// Takes `x-api-key: NAME` for the same names.
#[derive(Debug)]
pub(crate) struct Keys;

pub(crate) const START: i64 = 1_800_000_000;

/// When the credential of `brief` ends.
pub(crate) const BRIEF_END: i64 = START + 3_600;

/// `reader` and `writer` act in a tenant; `stranger` has neither scope nor tenant.
pub(crate) fn principal(name: &str, method: AuthenticationMethod) -> Option<VerifiedPrincipal> {
    let scopes: &[&str] = match name {
        "reader" | "slow" | "brief" | "slow-brief" => &["cases:read"],
        "writer" => &["cases:read", "cases:write"],
        "stranger" | "unchecked" => &[],
        _ => return None,
    };
    let mut authentication = Authentication::new(method);
    if name.ends_with("brief") {
        authentication.expires_at = Timestamp::from_unix_seconds(BRIEF_END);
    }
    let subject = Subject::new(name).expect("a subject");
    let mut principal = Principal::new(PrincipalKind::User, subject, authentication);
    principal.scopes = scopes
        .iter()
        .map(|scope| Scope::new(*scope).expect("a scope"))
        .collect();
    if !scopes.is_empty() {
        principal.tenant = Some(Tenant {
            org: OrgId::new("acme").expect("an id"),
            project: None,
        });
    }
    Some(VerifiedPrincipal::attest(
        principal,
        Attest::i_have_verified_this(),
    ))
}

fn invalid() -> Denial {
    Denial::Unauthenticated {
        challenge: Box::new(Challenge::new("test").error(BearerError::InvalidToken)),
    }
}

fn later<T: Send + Unpin + 'static>(name: &str, answer: T) -> Step<T> {
    if !name.starts_with("slow") {
        return Step::Done(answer);
    }
    Step::wait(async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer
    })
}

fn check(name: &str) -> Step<Result<Authenticated, Denial>> {
    if name == "down" {
        return Step::Done(Err(Denial::Unavailable {
            retry_after: Duration::from_secs(7),
        }));
    }
    let method = match name {
        "unchecked" => AuthenticationMethod::Unchecked,
        _ => AuthenticationMethod::Token,
    };
    let answer = principal(name, method)
        .map(Authenticated::from)
        .ok_or_else(invalid);
    later(name, answer)
}

impl Names {
    pub(crate) fn revoke(&self, name: &str) {
        self.revoked
            .lock()
            .expect("no panic")
            .insert(name.to_owned());
    }
}

#[derive(Debug)]
struct Shared(Arc<Names>);

impl Authenticator for Shared {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("authorization") {
            HeaderValues::One(value) if value.starts_with(b"Bearer ") => Presented::InAuthorization,
            HeaderValues::Absent | HeaderValues::One(_) => Presented::No,
            HeaderValues::Several(_) => Presented::InAuthorization,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        match view.header("authorization") {
            HeaderValues::One(value) => check(core::str::from_utf8(&value[7..]).unwrap_or("")),
            // A careless authenticator: the gate must not let it see two of them.
            HeaderValues::Absent | HeaderValues::Several(_) => check("writer"),
        }
    }

    fn recheck(&self, accepted: &Authenticated, now: Timestamp) -> Step<Result<(), Denial>> {
        let principal = accepted.principal();
        let name = principal.subject.as_str();
        let is_revoked = self.0.revoked.lock().expect("no panic").contains(name);
        let expires_at = principal.authentication.expires_at;
        let is_over = is_revoked || expires_at.is_some_and(|end| now >= end);
        later(name, if is_over { Err(invalid()) } else { Ok(()) })
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        vec!["x-auth-request-user".into()]
    }
}

impl Authenticator for Keys {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        match view.header("x-api-key") {
            HeaderValues::Absent => Presented::No,
            HeaderValues::One(_) | HeaderValues::Several(_) => Presented::Elsewhere,
        }
    }

    fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        match view.header("x-api-key") {
            HeaderValues::One(value) => check(core::str::from_utf8(value).unwrap_or("")),
            HeaderValues::Absent | HeaderValues::Several(_) => check(""),
        }
    }

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

/// A gate whose every channel can be read, and the service behind it.
pub(crate) struct Bench {
    pub(crate) gate: Gate,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) events: Arc<MemoryEvents>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) names: Arc<Names>,
    pub(crate) desk: Desk,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(change: impl FnOnce(GateBuilder) -> GateBuilder) -> Self {
        let audit = Arc::new(MemoryAudit::new(4096));
        let events = Arc::new(MemoryEvents::new(4096));
        let names = Arc::new(Names::default());
        let start = Timestamp::from_unix_seconds(START).expect("in range");
        let clock = Arc::new(ManualClock::new(start));
        let builder = Gate::builder("test")
            .authenticator(Shared(names.clone()))
            .authenticator(Keys)
            .audit(audit.clone())
            .events(events.clone())
            .clock(clock.clone());
        Self {
            gate: change(builder).build().expect("a gate"),
            audit,
            events,
            clock,
            names,
            desk: Desk::default(),
        }
    }

    /// The routes that most tests use.
    pub(crate) fn routes(&self) -> GuardedRoutes {
        GuardedRoutes::new(self.gate.clone()).service(self.desk.guarded())
    }

    pub(crate) async fn site(&self) -> Site {
        serve(self.routes().into_routes().expect("routes")).await
    }

    /// Each record as `(action, target, outcome)`.
    pub(crate) fn trail(&self) -> Vec<(String, String, String)> {
        let outcome = |record: &AuditRecord| match record.outcome {
            None => "unsettled".to_owned(),
            Some(AuditOutcome::Completed {
                status,
                grpc: Some(code),
            }) => {
                assert_eq!(status, 200, "gRPC answers 200");
                format!("grpc {code}")
            }
            Some(AuditOutcome::Completed { status, grpc: None }) => format!("http {status}"),
            Some(AuditOutcome::Denied { status, .. }) => format!("denied {status}"),
            Some(AuditOutcome::Cancelled) => "cancelled".to_owned(),
        };
        let records = self.audit.snapshot();
        records
            .iter()
            .map(|record| {
                (
                    record.intent.action.to_string(),
                    record.intent.target.to_string(),
                    outcome(record),
                )
            })
            .collect()
    }

    /// The outcomes alone.
    pub(crate) fn outcomes(&self) -> Vec<String> {
        self.trail()
            .into_iter()
            .map(|(_, _, outcome)| outcome)
            .collect()
    }

    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        self.events
            .snapshot()
            .iter()
            .map(|event| event.kind)
            .collect()
    }

    /// Waits until `done`, since what a client sees last is not what a server does last.
    pub(crate) async fn until(&self, done: impl Fn(&Self) -> bool) {
        for _ in 0..1000 {
            if done(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not happen: {:?} {:?}", self.trail(), self.kinds());
    }

    /// So that the credential of `brief` is looked at again a moment after its stream began.
    pub(crate) fn shortly_before_the_end(&self) {
        self.clock.advance(Duration::from_millis(3_599_800));
    }

    pub(crate) fn past_the_end(&self) {
        self.clock.advance(Duration::from_secs(3_600));
    }
}

/// A service on a free port of this machine.
pub(crate) struct Site(pub(crate) SocketAddr);

pub(crate) async fn serve(routes: Routes) -> Site {
    serve_by(Server::builder(), routes).await
}

pub(crate) async fn serve_by(mut server: Server, routes: Routes) -> Site {
    let (incoming, site) = listen().await;
    let server = server.add_routes(routes);
    tokio::spawn(async move { server.serve_with_incoming(incoming).await });
    site
}

pub(crate) async fn listen() -> (TcpIncoming, Site) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (TcpIncoming::from(listener), Site(address))
}

impl Site {
    pub(crate) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.0)).expect("an address");
        endpoint
            .timeout(Duration::from_secs(60))
            .connect()
            .await
            .expect("a connection")
    }

    pub(crate) async fn client(&self) -> CasesClient<Channel> {
        CasesClient::new(self.channel().await)
    }
}

/// A message with the credential of `name`.
pub(crate) fn ask<T>(name: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let value = format!("Bearer {name}").parse().expect("a value");
    request.metadata_mut().insert("authorization", value);
    request
}

pub(crate) fn ask_text(name: &str, said: &str) -> Request<Text> {
    ask(name, text(said))
}

/// Longer than anything takes here: a test that hangs must fail and not stay.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), future)
        .await
        .expect("it takes too long")
}
