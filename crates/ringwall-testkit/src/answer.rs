//! What an application answered.

use core::fmt;

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::{Protocol, Reply};
use crate::challenge::BearerChallenge;
use crate::exchange::{Seen, Sent};
use crate::failure::{fail, must};
use crate::report::{NEXT_LINE, Report};

/// How much of a body a report shows, in characters.
const SHOWN_BODY: usize = 400;

/// The code of a gRPC call that went well, and those by which one is refused or fails (gRPC status
/// codes).
mod grpc {
    pub(super) const OK: u32 = 0;
    pub(super) const UNKNOWN: u32 = 2;
    pub(super) const NOT_FOUND: u32 = 5;
    pub(super) const PERMISSION_DENIED: u32 = 7;
    pub(super) const UNIMPLEMENTED: u32 = 12;
    pub(super) const INTERNAL: u32 = 13;
    pub(super) const UNAVAILABLE: u32 = 14;
    pub(super) const DATA_LOSS: u32 = 15;
    pub(super) const UNAUTHENTICATED: u32 = 16;
}

/// What came back. Methods that begin with `assert_` fail the test when it is something else, say what
/// was sent and what the kit saw of it, and answer the answer, so that they chain.
#[derive(Clone)]
pub struct Answer {
    sent: Sent,
    reply: Reply,
    seen: Seen,
}

/// What an answer comes to, whatever its protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// 401, `UNAUTHENTICATED`.
    Unauthenticated,
    /// 403, `PERMISSION_DENIED`.
    Forbidden,
    /// 404, `NOT_FOUND`.
    NotFound,
    /// 405, `UNIMPLEMENTED`.
    NoSuchMethod,
    /// 503, `UNAVAILABLE`.
    Unavailable,
    /// Any other 5xx, and what gRPC has for it.
    Failed,
    /// Anything else.
    Other,
}

impl Answer {
    pub(crate) const fn new(sent: Sent, reply: Reply, seen: Seen) -> Self {
        Self { sent, reply, seen }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.reply.response.status().as_u16()
    }

    /// The gRPC status code, from the trailers or the header fields. `None` when there is none that is
    /// a number.
    #[must_use]
    pub fn grpc_status(&self) -> Option<u32> {
        let said = |fields: &HeaderMap| fields.get("grpc-status")?.to_str().ok()?.parse().ok();
        said(&self.reply.trailers).or_else(|| said(self.headers()))
    }

    /// The header fields.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        self.reply.response.headers()
    }

    /// What came after the body.
    #[must_use]
    pub fn trailers(&self) -> &HeaderMap {
        &self.reply.trailers
    }

    /// The value of a header field; `None` when it is absent or no text. Fails the test when it is there
    /// twice.
    #[track_caller]
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers().get_all(name).iter();
        let value = values.next();
        if values.next().is_some() {
            fail(&format!("the answer has several fields {name}\n\n{self:?}"));
        }
        value?.to_str().ok()
    }

    /// The body. Fails the test when it broke off.
    #[track_caller]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        if let Some(error) = &self.reply.broken {
            fail(&format!("the body broke off: {error}\n\n{self:?}"));
        }
        self.reply.response.body()
    }

    /// The body as far as it came.
    #[cfg(feature = "tonic")]
    pub(crate) fn bytes_so_far(&self) -> &[u8] {
        self.reply.response.body()
    }

    /// Why the body broke off, as it does when the caller's credential ends while it is sent. `None`
    /// when it came whole.
    #[must_use]
    pub fn broken(&self) -> Option<&str> {
        self.reply.broken.as_deref()
    }

    /// The body as text. Fails the test when it is none.
    #[track_caller]
    #[must_use]
    pub fn text(&self) -> &str {
        must(core::str::from_utf8(self.bytes()), "the body is no text")
    }

    /// The body, read as JSON. Fails the test when it does not fit.
    #[track_caller]
    #[must_use]
    pub fn json<V: DeserializeOwned>(&self) -> V {
        match serde_json::from_slice(self.bytes()) {
            Ok(value) => value,
            Err(error) => fail(&format!(
                "the body is not the JSON that was expected: {error}\n\n{self:?}"
            )),
        }
    }

    /// The `Bearer` challenge, also where a `DPoP` one stands beside it. `None` when there is none, several, or
    /// one that Ringwall does not write.
    #[must_use]
    pub fn challenge(&self) -> Option<BearerChallenge> {
        let values = self.headers().get_all(WWW_AUTHENTICATE).iter();
        let lines: Option<Vec<&str>> = values.map(|value| value.to_str().ok()).collect();
        BearerChallenge::read(lines?)
    }

    /// Fails unless the HTTP status is this one.
    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        self.check(
            self.status() == status,
            "answers another status",
            &words(status),
        )
    }

    /// Fails unless it went well: 200, and of a gRPC call also status 0.
    #[track_caller]
    pub fn assert_ok(&self) -> &Self {
        let holds = match self.sent.protocol {
            Protocol::Http => self.status() == 200,
            Protocol::Grpc => self.status() == 200 && self.grpc_status() == Some(grpc::OK),
        };
        self.check(holds, "does not go well", "200 OK")
    }

    /// Fails unless the gRPC status is this one, such as `5` for `NOT_FOUND`.
    #[track_caller]
    pub fn assert_grpc(&self, status: u32) -> &Self {
        self.check(
            self.grpc_status() == Some(status),
            "answers another status",
            &format!("grpc-status {status}"),
        )
    }

    /// Fails unless the caller is told to authenticate: 401 or `UNAUTHENTICATED`, with a challenge.
    #[track_caller]
    pub fn assert_unauthenticated(&self) -> &Self {
        self.check(
            self.class() == Class::Unauthenticated && self.challenge().is_some(),
            "does not ask its caller to authenticate",
            "401 with a Bearer challenge",
        )
    }

    /// Fails unless the caller is told that it may not do this: 403 or `PERMISSION_DENIED`.
    #[track_caller]
    pub fn assert_forbidden(&self) -> &Self {
        self.check(
            self.class() == Class::Forbidden,
            "is not forbidden",
            "403 Forbidden",
        )
    }

    /// Fails unless the caller is told that it lacks this scope: 403 or `PERMISSION_DENIED`, with
    /// `insufficient_scope` and the scope in the challenge.
    #[track_caller]
    pub fn assert_insufficient_scope(&self, scope: &str) -> &Self {
        let told = |challenge: BearerChallenge| {
            challenge.is_error("insufficient_scope") && challenge.names_scope(scope)
        };
        self.check(
            self.class() == Class::Forbidden && self.challenge().is_some_and(told),
            &format!("does not say that the scope {scope} is lacking"),
            &format!("403 insufficient_scope, naming {scope}"),
        )
    }

    /// Fails unless the caller is told to come back: 503 or `UNAVAILABLE`.
    #[track_caller]
    pub fn assert_unavailable(&self) -> &Self {
        self.check(
            self.class() == Class::Unavailable,
            "is not unavailable",
            "503 Service Unavailable",
        )
    }

    /// Fails unless the header field stands there once, with this value.
    #[track_caller]
    pub fn assert_header(&self, name: &str, value: &str) -> &Self {
        self.check(
            self.header(name) == Some(value),
            &format!("answers another {name}"),
            &format!("{name}: {value}"),
        )
    }

    /// Fails when the header field is there.
    #[track_caller]
    pub fn assert_no_header(&self, name: &str) -> &Self {
        self.check(
            !self.headers().contains_key(name),
            &format!("answers a {name}"),
            &format!("no {name}"),
        )
    }

    /// Fails unless the body is this text.
    #[track_caller]
    pub fn assert_text(&self, text: &str) -> &Self {
        self.check(self.text() == text, "answers another text", text)
    }

    /// Fails unless the body is this value as JSON, whatever the order of its members.
    #[track_caller]
    pub fn assert_json(&self, value: &(impl Serialize + ?Sized)) -> &Self {
        let expected: Value = must(serde_json::to_value(value), "the expected value is no JSON");
        let found: Value = self.json();
        self.check(
            found == expected,
            "answers another document",
            &expected.to_string(),
        )
    }

    #[track_caller]
    fn check(&self, holds: bool, headline: &str, expected: &str) -> &Self {
        if !holds {
            Report {
                headline: format!("{} {headline}", self.sent.line),
                asked_at: None,
                expected: expected.to_owned(),
                answer: self,
                hint: None,
            }
            .fail();
        }
        self
    }

    pub(crate) fn class(&self) -> Class {
        match (self.sent.protocol, self.grpc_status()) {
            (Protocol::Grpc, Some(status)) => match status {
                grpc::UNAUTHENTICATED => Class::Unauthenticated,
                grpc::PERMISSION_DENIED => Class::Forbidden,
                grpc::NOT_FOUND => Class::NotFound,
                grpc::UNIMPLEMENTED => Class::NoSuchMethod,
                grpc::UNAVAILABLE => Class::Unavailable,
                grpc::UNKNOWN | grpc::INTERNAL | grpc::DATA_LOSS => Class::Failed,
                _ => Class::Other,
            },
            // A gRPC client takes an answer without a status for a failure.
            (Protocol::Grpc, None) if self.status() == 200 => Class::Failed,
            (Protocol::Grpc, None) | (Protocol::Http, _) => match self.status() {
                401 => Class::Unauthenticated,
                403 => Class::Forbidden,
                404 => Class::NotFound,
                405 => Class::NoSuchMethod,
                503 => Class::Unavailable,
                500..=599 => Class::Failed,
                _ => Class::Other,
            },
        }
    }

    /// Whether the request reached the handler, which did not fail.
    pub(crate) fn is_let_in(&self) -> bool {
        let is_no_refusal = match self.class() {
            Class::NotFound | Class::NoSuchMethod | Class::Other => true,
            Class::Unauthenticated | Class::Forbidden | Class::Unavailable | Class::Failed => false,
        };
        is_no_refusal && !self.seen.is_refused()
    }

    /// Whether the request reached the handler of a route that exists.
    pub(crate) fn is_served(&self) -> bool {
        self.is_let_in() && !matches!(self.class(), Class::NotFound | Class::NoSuchMethod)
    }

    /// Says something else about what was asked for.
    pub(crate) fn set_line(&mut self, line: String) {
        self.sent.line = line;
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.sent.protocol
    }

    pub(crate) const fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Such as `GET /cases`, and what else was sent in further lines.
    pub(crate) fn sent_in_words(&self) -> String {
        let lines: Vec<&str> = core::iter::once(self.sent.line.as_str())
            .chain(self.sent.about.iter().map(String::as_str))
            .collect();
        lines.join(NEXT_LINE)
    }

    /// The status, the telling header fields and the beginning of the body.
    pub(crate) fn in_words(&self) -> String {
        let mut lines = vec![words(self.status())];
        if let Some(status) = self.grpc_status() {
            lines.push(format!("grpc-status: {status}"));
        }
        for name in [
            "www-authenticate",
            "retry-after",
            "allow",
            "location",
            "content-type",
        ] {
            for value in self.headers().get_all(name) {
                let value = String::from_utf8_lossy(value.as_bytes());
                lines.push(format!("{name}: {value}"));
            }
        }
        let body = String::from_utf8_lossy(self.reply.response.body());
        if !body.is_empty() {
            let is_shown = |c: &char| !c.is_control();
            let mut shown: String = body.chars().filter(is_shown).take(SHOWN_BODY).collect();
            if shown.len() < body.len() {
                shown.push('…');
            }
            lines.push(shown);
        }
        if let Some(error) = &self.reply.broken {
            lines.push(format!("(the body broke off: {error})"));
        }
        lines.join(NEXT_LINE)
    }
}

/// Such as `404 Not Found`.
fn words(status: u16) -> String {
    StatusCode::from_u16(status).map_or_else(|_| status.to_string(), |status| status.to_string())
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  sent         {}", self.sent_in_words())?;
        writeln!(f, "  got          {}", self.in_words())?;
        writeln!(f, "  kit saw      {}", self.seen)
    }
}
