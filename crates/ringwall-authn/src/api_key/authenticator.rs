//! From a request to the holder of a key.

use core::fmt;
use core::net::IpAddr;
use std::sync::Arc;

use ringwall_core::clock::{SystemClock, Timestamp, WallClock};
use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_core::event::{DiscardEvents, EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;

use super::error::{ApiKeyError, ApiKeyErrorKind, ApiKeyRefusal};
use super::id::ApiKeyId;
use super::keys::{ApiKeyUse, ApiKeys};

/// The header field of a key unless set.
pub const API_KEY_HEADER: &str = "x-api-key";

/// Authenticates requests by an API key in a header field: `X-API-Key` unless set.
///
/// | request | answer |
/// |---|---|
/// | no key | 401 |
/// | several fields, or an empty one | 400 |
/// | a key that is not acceptable, for whatever reason | 401 |
/// | the store, a pepper or the clock unavailable | 503 with `Retry-After` |
///
/// Each outcome is an event with its precise cause; the answer never holds it. A key in the query is
/// never looked at: it would end in logs, histories and `Referer` fields.
#[derive(Clone)]
pub struct ApiKeyAuthenticator(Arc<Inner>);

struct Inner {
    keys: ApiKeys,
    header: Box<str>,
    realm: Box<str>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

/// Collects the options of an [`ApiKeyAuthenticator`].
#[must_use = "nothing is authenticated until it is built"]
pub struct ApiKeyAuthenticatorBuilder(Inner);

/// The name of the field is none, or one that other credentials come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header field of API keys has no valid name, or is authorization, cookie or dpop")]
pub struct InvalidApiKeyHeader;

impl ApiKeyAuthenticatorBuilder {
    /// The header field that holds the key.
    ///
    /// # Errors
    ///
    /// [`InvalidApiKeyHeader`]; `Authorization` has schemes, which this does not read.
    pub fn header(mut self, name: &str) -> Result<Self, InvalidApiKeyHeader> {
        let name = name.to_ascii_lowercase();
        let is_token =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_taken = [
            "authorization",
            "proxy-authorization",
            "cookie",
            "dpop",
            "host",
            "origin",
        ]
        .contains(&name.as_str());
        if name.is_empty() || name.len() > 64 || !name.bytes().all(is_token) || is_taken {
            return Err(InvalidApiKeyHeader);
        }
        self.0.header = name.into();
        Ok(self)
    }

    /// The realm of the challenges; `api` unless set.
    pub fn realm(mut self, realm: &str) -> Self {
        self.0.realm = realm.into();
        self
    }

    /// The wall clock of the events; the machine's unless set. Keys are judged by the clock of
    /// [`ApiKeys`].
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// Where every success and failure is reported; nowhere unless set.
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.0.events = events;
        self
    }

    /// The authenticator.
    #[must_use]
    pub fn build(self) -> ApiKeyAuthenticator {
        ApiKeyAuthenticator(Arc::new(self.0))
    }
}

impl fmt::Debug for ApiKeyAuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyAuthenticatorBuilder")
            .field("keys", &self.0.keys)
            .field("header", &self.0.header)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
struct Report {
    at: Option<Timestamp>,
    source: Option<IpAddr>,
}

impl ApiKeyAuthenticator {
    /// Authenticates by `keys`.
    pub fn builder(keys: ApiKeys) -> ApiKeyAuthenticatorBuilder {
        ApiKeyAuthenticatorBuilder(Inner {
            keys,
            header: API_KEY_HEADER.into(),
            realm: "api".into(),
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        })
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &ApiKeys {
        &self.0.keys
    }

    /// The header field, in lower case.
    #[must_use]
    pub fn header_name(&self) -> &str {
        &self.0.header
    }

    /// Whether the request presents something as a key, good or bad.
    #[must_use]
    pub fn presented(&self, view: &RequestView<'_>) -> bool {
        view.header(&self.0.header) != HeaderValues::Absent
    }

    /// The challenge for requests without a key. HTTP has no registered scheme for API keys.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        Challenge::new(&self.0.realm)
    }

    /// Authenticates the request. With a key that is in memory the answer is there at once.
    pub fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<VerifiedPrincipal, Denial>> {
        let inner = &self.0;
        let report = Report {
            at: inner.clock.now().ok(),
            source: view.client_address,
        };
        let presented = match view.header(&inner.header) {
            HeaderValues::One(value) if !value.is_empty() => value,
            HeaderValues::Absent => {
                inner.report(
                    report,
                    EventKind::CredentialsMissing,
                    "no API key was presented",
                );
                return Step::Done(Err(Denial::unauthenticated(&inner.realm)));
            }
            HeaderValues::One(_) => {
                return Step::Done(Err(inner.malformed(report, "the API key is empty")));
            }
            HeaderValues::Several(_) => {
                return Step::Done(Err(
                    inner.malformed(report, "the request has several API keys")
                ));
            }
        };
        match inner.keys.verify(presented, ApiKeyUse::of(view)) {
            Step::Done(answer) => Step::Done(inner.answer(report, answer)),
            Step::Wait(answer) => {
                let inner = Arc::clone(inner);
                Step::wait(async move {
                    let answer = answer.await;
                    inner.answer(report, answer)
                })
            }
        }
    }

    /// Whether a key that was accepted would be accepted now too: for streams, whose connection, and so
    /// whose address and page, is the one they began on. A refusal is reported as an event.
    pub fn recheck(&self, accepted: &VerifiedPrincipal) -> Step<Result<(), Denial>> {
        let inner = &self.0;
        let report = Report {
            at: inner.clock.now().ok(),
            source: None,
        };
        let id = accepted.authentication.credential_id.as_deref();
        let Some(id) = id.and_then(|id| ApiKeyId::new(id).ok()) else {
            // It was not this authenticator that accepted it.
            return Step::Done(Err(Denial::unauthenticated(&inner.realm)));
        };
        match inner.keys.recheck(&id) {
            Step::Done(answer) => Step::Done(answer.map_err(|error| inner.refuse(report, &error))),
            Step::Wait(answer) => {
                let inner = Arc::clone(inner);
                Step::wait(async move {
                    let answer = answer.await;
                    answer.map_err(|error| inner.refuse(report, &error))
                })
            }
        }
    }
}

impl Inner {
    fn answer(
        &self,
        report: Report,
        answer: Result<VerifiedPrincipal, ApiKeyError>,
    ) -> Result<VerifiedPrincipal, Denial> {
        match answer {
            Ok(principal) => {
                let mut event = Self::event(
                    report,
                    EventKind::AuthenticationSucceeded,
                    "the API key was verified",
                );
                event.principal = Some(principal.clone());
                self.events.emit(event);
                Ok(principal)
            }
            Err(error) => Err(self.refuse(report, &error)),
        }
    }

    fn refuse(&self, report: Report, error: &ApiKeyError) -> Denial {
        let cause = error.refusal().as_str();
        match error.kind() {
            ApiKeyErrorKind::Rejected => {
                self.report(report, EventKind::AuthenticationFailed, cause);
                let challenge = Challenge::new(&self.realm).error(BearerError::InvalidToken);
                Denial::Unauthenticated {
                    challenge: Box::new(challenge),
                }
            }
            ApiKeyErrorKind::Unavailable { retry_after } => {
                let kind = if error.refusal() == ApiKeyRefusal::ClockUnavailable {
                    EventKind::ClockUnavailable
                } else if error.refusal() == ApiKeyRefusal::PepperUnknown {
                    EventKind::Misconfigured
                } else if error.refusal() == ApiKeyRefusal::TooManyLookups {
                    // Strangers can cause it, so it must not look like an outage.
                    EventKind::RequestRefused
                } else {
                    EventKind::ApiKeysUnavailable
                };
                self.report(report, kind, cause);
                Denial::Unavailable { retry_after }
            }
        }
    }

    fn malformed(&self, report: Report, cause: &'static str) -> Denial {
        self.report(report, EventKind::CredentialsAmbiguous, cause);
        let challenge = Challenge::new(&self.realm).error(BearerError::InvalidRequest);
        Denial::Malformed {
            challenge: Some(Box::new(challenge)),
        }
    }

    fn event(report: Report, kind: EventKind, cause: &'static str) -> SecurityEvent {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = report.at;
        event.source = report.source;
        event
    }

    fn report(&self, report: Report, kind: EventKind, cause: &'static str) {
        self.events.emit(Self::event(report, kind, cause));
    }
}

impl fmt::Debug for ApiKeyAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeyAuthenticator")
            .field("keys", &self.0.keys)
            .field("header", &self.0.header)
            .finish_non_exhaustive()
    }
}
