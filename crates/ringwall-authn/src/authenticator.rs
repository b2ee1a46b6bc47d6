//! From a request to a verified token, or to the answer of RFC 6750.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::{SystemClock, Timestamp, WallClock};
use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_core::event::{DiscardEvents, EventKind, EventSink, SecurityEvent};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;

use crate::bearer::{BearerSource, Presented};
use crate::error::{Refusal, TokenError, TokenErrorKind};
use crate::protected_resource::ProtectedResource;
use crate::token::VerifiedToken;
use crate::verifier::TokenVerifier;

/// Authenticates requests by their bearer token.
///
/// | request | answer |
/// |---|---|
/// | no credentials, or another scheme | 401 with a bare `Bearer realm=` |
/// | several, empty or ill-formed credentials | 400 `invalid_request` |
/// | a token that is not acceptable, or expired | 401 `invalid_token` |
/// | keys, revocations or the clock unavailable | 503 with `Retry-After` |
///
/// Given the metadata of the resource, each challenge names its URL (RFC 9728 §5.1).
///
/// Each outcome is an event with its precise cause; the answer never holds it.
#[derive(Clone)]
pub struct TokenAuthenticator(Arc<Inner>);

struct Inner {
    verifier: TokenVerifier,
    source: BearerSource,
    realm: Box<str>,
    resource: Option<ProtectedResource>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

/// Collects the options of a [`TokenAuthenticator`].
pub struct TokenAuthenticatorBuilder(Inner);

impl fmt::Debug for TokenAuthenticatorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAuthenticatorBuilder")
            .field("verifier", &self.0.verifier)
            .finish_non_exhaustive()
    }
}

impl TokenAuthenticatorBuilder {
    /// Where requests carry the token; `Authorization: Bearer` unless set.
    #[must_use]
    pub fn source(mut self, source: BearerSource) -> Self {
        self.0.source = source;
        self
    }

    /// The realm of the challenges; `api` unless set.
    #[must_use]
    pub fn realm(mut self, realm: &str) -> Self {
        self.0.realm = realm.into();
        self
    }

    /// The metadata of what is protected. Challenges name its URL, so that a client finds the
    /// authorization server; none is named unless set.
    #[must_use]
    pub fn protected_resource(mut self, resource: ProtectedResource) -> Self {
        self.0.resource = Some(resource);
        self
    }

    /// The wall clock; the machine's unless set.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn WallClock>) -> Self {
        self.0.clock = clock;
        self
    }

    /// Where every success and failure is reported; nowhere unless set.
    #[must_use]
    pub fn events(mut self, events: Arc<dyn EventSink>) -> Self {
        self.0.events = events;
        self
    }

    /// The authenticator.
    #[must_use]
    pub fn build(self) -> TokenAuthenticator {
        TokenAuthenticator(Arc::new(self.0))
    }
}

impl TokenAuthenticator {
    /// Authenticates with `verifier`.
    #[must_use]
    pub fn builder(verifier: TokenVerifier) -> TokenAuthenticatorBuilder {
        TokenAuthenticatorBuilder(Inner {
            verifier,
            source: BearerSource::default(),
            realm: "api".into(),
            resource: None,
            clock: Arc::new(SystemClock::new()),
            events: Arc::new(DiscardEvents),
        })
    }

    /// The verifier.
    #[must_use]
    pub fn verifier(&self) -> &TokenVerifier {
        &self.0.verifier
    }

    /// Whether the request presents something that is meant for this authenticator, good or bad.
    #[must_use]
    pub fn presented(&self, view: &RequestView<'_>) -> bool {
        self.0.source.is_claimed(view)
    }

    /// The challenge for requests without credentials.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        self.0.challenge()
    }

    /// Authenticates the request. With a cached token, and with any other whose key is there, the
    /// answer is there at once.
    pub fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Arc<VerifiedToken>, Denial>> {
        let inner = &self.0;
        let at = inner.clock.now();
        let source = view.client_address;
        let report = Report {
            at: at.ok(),
            source,
        };
        let token = match inner.source.presented(view) {
            Presented::Token(token) => token,
            Presented::Nothing | Presented::OtherScheme => {
                inner.report(
                    report,
                    EventKind::CredentialsMissing,
                    "no bearer token was presented",
                );
                return Step::Done(Err(Denial::Unauthenticated {
                    challenge: Box::new(inner.challenge()),
                }));
            }
            Presented::Malformed => {
                inner.report(
                    report,
                    EventKind::CredentialsAmbiguous,
                    "the credentials are not one bearer token",
                );
                let challenge = self.challenge().error(BearerError::InvalidRequest);
                return Step::Done(Err(Denial::Malformed {
                    challenge: Some(Box::new(challenge)),
                }));
            }
        };
        let Ok(now) = at else {
            inner.report(
                report,
                EventKind::ClockUnavailable,
                Refusal::ClockUnavailable.as_str(),
            );
            return Step::Done(Err(Denial::Unavailable {
                retry_after: CLOCK_RETRY_AFTER,
            }));
        };
        let verified = inner
            .verifier
            .verify_refreshing_from(token, now, &inner.clock);
        match verified {
            Step::Done(answer) => Step::Done(inner.answer(report, answer)),
            Step::Wait(answer) => {
                let inner = Arc::clone(inner);
                Step::wait(async move {
                    let answer = answer.await;
                    let at = inner.clock.now().ok();
                    inner.answer(Report { at, ..report }, answer)
                })
            }
        }
    }
}

impl TokenAuthenticator {
    /// Whether a token that this authenticator accepted would be accepted at `now` too: for streams,
    /// which outlive the request that began them. A refusal is reported as an event.
    ///
    /// # Errors
    ///
    /// As [`authenticate`](Self::authenticate).
    pub fn recheck(&self, verified: &VerifiedToken, now: Timestamp) -> Result<(), Denial> {
        let report = Report {
            at: Some(now),
            source: None,
        };
        let inner = &self.0;
        match inner.verifier.recheck(verified, now) {
            Ok(()) => Ok(()),
            Err(error) => Err(inner.refuse(report, &error)),
        }
    }
}

/// How long to wait when the clock cannot tell the time.
const CLOCK_RETRY_AFTER: Duration = Duration::from_secs(5);

#[derive(Clone, Copy)]
struct Report {
    at: Option<Timestamp>,
    source: Option<core::net::IpAddr>,
}

impl Inner {
    fn challenge(&self) -> Challenge {
        let challenge = Challenge::new(&self.realm);
        match &self.resource {
            Some(resource) => challenge.resource_metadata(resource.metadata_url()),
            None => challenge,
        }
    }

    fn answer(
        &self,
        report: Report,
        answer: Result<Arc<VerifiedToken>, TokenError>,
    ) -> Result<Arc<VerifiedToken>, Denial> {
        let error = match answer {
            Ok(verified) => {
                let mut event = Self::event(
                    report,
                    EventKind::AuthenticationSucceeded,
                    "the token was verified",
                );
                event.principal = Some(verified.principal().clone());
                self.events.emit(event);
                return Ok(verified);
            }
            Err(error) => error,
        };
        Err(self.refuse(report, &error))
    }

    fn refuse(&self, report: Report, error: &TokenError) -> Denial {
        let cause = error.refusal().as_str();
        match error.kind() {
            TokenErrorKind::Expired | TokenErrorKind::Rejected => {
                self.report(report, EventKind::AuthenticationFailed, cause);
                let challenge = self.challenge().error(BearerError::InvalidToken);
                Denial::Unauthenticated {
                    challenge: Box::new(challenge),
                }
            }
            TokenErrorKind::Unavailable { retry_after } => {
                let kind = if error.refusal() == Refusal::KeysUnavailable {
                    EventKind::KeysUnavailable
                } else if error.refusal() == Refusal::RevocationsUnavailable {
                    EventKind::RevocationUnavailable
                } else {
                    EventKind::ClockUnavailable
                };
                self.report(report, kind, cause);
                Denial::Unavailable { retry_after }
            }
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

impl fmt::Debug for TokenAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenAuthenticator")
            .field("verifier", &self.0.verifier)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}
