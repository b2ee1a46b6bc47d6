//! A service on a socket, its fake credentials, and a client that sends exactly what it is told.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::Request;
use actix_service::{IntoServiceFactory, Service, ServiceFactory};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response};
use actix_web::web::Bytes;
use actix_web::{App, Error, HttpServer};
use futures_core::Stream;
use ringwall_actix::{Guarded, on_connect};
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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Takes `Bearer NAME` for a handful of names.
#[derive(Debug)]
pub(crate) struct Names;

/// Takes `x-api-key: NAME` for the same names.
#[derive(Debug)]
pub(crate) struct Keys;

/// `reader` and `writer` act in a tenant; `stranger` has neither scope nor tenant.
pub(crate) fn principal(name: &str, method: AuthenticationMethod) -> Option<VerifiedPrincipal> {
    let scopes: &[&str] = match name {
        "reader" | "slow" => &["cases:read"],
        "writer" => &["cases:read", "cases:write"],
        "stranger" | "unchecked" => &[],
        _ => return None,
    };
    let authentication = Authentication::new(method);
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
        .ok_or_else(|| {
            let challenge = Challenge::new("test").error(BearerError::InvalidToken);
            Denial::Unauthenticated {
                challenge: Box::new(challenge),
            }
        });
    if name == "slow" {
        return Step::wait(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            answer
        });
    }
    Step::Done(answer)
}

impl Authenticator for Names {
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

    fn recheck(&self, _accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        Step::Done(Ok(()))
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
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

/// A gate whose every channel can be read.
pub(crate) struct Bench {
    pub(crate) gate: Gate,
    pub(crate) audit: Arc<MemoryAudit>,
    pub(crate) events: Arc<MemoryEvents>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(change: impl FnOnce(GateBuilder) -> GateBuilder) -> Self {
        let audit = Arc::new(MemoryAudit::new(4096));
        let events = Arc::new(MemoryEvents::new(4096));
        let start = Timestamp::from_unix_seconds(1_800_000_000).expect("in range");
        let clock = Arc::new(ManualClock::new(start));
        let builder = Gate::builder("test")
            .authenticator(Names)
            .authenticator(Keys)
            .audit(audit.clone())
            .events(events.clone())
            .clock(clock.clone());
        Self {
            gate: change(builder).build().expect("a gate"),
            audit,
            events,
            clock,
        }
    }

    /// Each record as `(action, target, outcome)`.
    pub(crate) fn trail(&self) -> Vec<(String, String, String)> {
        let outcome = |record: &AuditRecord| match record.outcome {
            None => "unsettled".to_owned(),
            Some(AuditOutcome::Completed { status, .. }) => format!("completed {status}"),
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
        for _ in 0..500 {
            if done(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it did not happen: {:?} {:?}", self.trail(), self.kinds());
    }
}

/// A service on a free port of this machine.
pub(crate) struct Site(pub(crate) SocketAddr);

pub(crate) async fn serve(guarded: Guarded) -> Site {
    start(move || App::new().configure(guarded.configure()))
}

/// Serves any app of actix-web, by actix-web's own server.
pub(crate) fn start<F, I, S, B>(factory: F) -> Site
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<Error> + 'static,
    S::InitError: core::fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = HttpServer::new(factory)
        .workers(1)
        .disable_signals()
        .h1_allow_half_closed(false)
        .on_connect(on_connect)
        .listen(listener)
        .expect("a server");
    tokio::spawn(server.run());
    Site(address)
}

/// A body of chunks that a function gives.
pub(crate) struct Polled<F>(pub(crate) F);

impl<F> Stream for Polled<F>
where
    F: FnMut(&mut Context<'_>) -> Poll<Option<Bytes>> + Unpin,
{
    type Item = Result<Bytes, Error>;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        (self.0)(context).map(|chunk| chunk.map(Ok))
    }
}

/// One response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(other, _)| other == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice");
        value
    }
}

impl Site {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn get_as(&self, name: &str, path: &str) -> Answer {
        self.send_as(name, "GET", path).await
    }

    pub(crate) async fn send_as(&self, name: &str, method: &str, path: &str) -> Answer {
        let value = format!("Bearer {name}");
        self.send(method, path, &[("authorization", &value)], "")
            .await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "transfer-encoding") {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        text.push_str("\r\n");
        text.push_str(body);
        self.raw(&text).await
    }

    pub(crate) async fn raw(&self, text: &str) -> Answer {
        let mut stream = TcpStream::connect(self.0).await.expect("a connection");
        // A server that refuses may close before it has read the whole body.
        stream.write_all(text.as_bytes()).await.ok();
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            bytes.extend_from_slice(&chunk[..count]);
        }
        parse(&String::from_utf8_lossy(&bytes))
    }

    /// A connection with the request sent and nothing read.
    pub(crate) async fn begin(&self, name: &str, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.0).await.expect("a connection");
        let text =
            format!("GET {path} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {name}\r\n\r\n");
        stream.write_all(text.as_bytes()).await.expect("sent");
        stream
    }
}

fn parse(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        headers: lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    }
}
