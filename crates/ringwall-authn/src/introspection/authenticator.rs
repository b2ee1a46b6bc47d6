//! From a request with an opaque token to a principal.

use core::fmt;
use core::net::IpAddr;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::attest::Attest;
use ringwall_core::clock::{MonotonicClock, Timestamp, WallClock};
use ringwall_core::denial::{BearerError, Challenge, Denial};
use ringwall_core::event::{EventKind, EventSink, SecurityEvent};
use ringwall_core::principal::{OrgId, VerifiedPrincipal};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use zeroize::Zeroizing;

use super::answer::{self, Demands, Good, Refused};
use super::cache::{AnswerCache, Kept};
use super::policy::IntrospectionAuthenticatorBuilder;
use super::{IntrospectionTransport, IntrospectionUnavailable};
use crate::allowed_grants::{AllowedGrants, GRANTS_LEFT_OUT};
use crate::bearer::{BearerSource, Presented};
use crate::revocation::{Revocations, TokenFacts};

/// The longest token in bytes, as for tokens that we read ourselves.
const MAX_TOKEN: usize = 8 * 1024;

/// How long to wait when the clock cannot tell the time, or too many questions are being asked.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Authenticates requests by tokens that only their issuer can read: it is asked about each
/// (RFC 7662), and its answer is believed for a while.
///
/// Where the issuer also signs its tokens (RFC 9068), verify them yourself: that needs nobody on the way
/// of a request, and is a thousand times faster.
///
/// | request | answer |
/// |---|---|
/// | no token | 401 with a bare challenge |
/// | several, empty or ill-formed credentials | 400 `invalid_request` |
/// | the issuer says that it is not active, or it is for somebody else | 401 `invalid_token` |
/// | the issuer does not answer, answers what cannot be read, or too many are being asked | 503 |
///
/// The answer has to name our audience and the end of the token; a token that is bound to a key, or was
/// delegated, is refused. Nothing of the answers' other members is believed.
#[derive(Clone)]
pub struct IntrospectionAuthenticator(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) transport: Arc<dyn IntrospectionTransport>,
    pub(super) issuer: Arc<str>,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) org: Option<OrgId>,
    pub(super) org_member: Option<Box<str>>,
    pub(super) allowed: AllowedGrants,
    pub(super) source: BearerSource,
    pub(super) lifetime: Duration,
    pub(super) cache: AnswerCache,
    pub(super) asking: Arc<AtomicUsize>,
    pub(super) questions: usize,
    pub(super) revocations: Arc<dyn Revocations>,
    pub(super) realm: Box<str>,
    pub(super) clock: Arc<dyn WallClock>,
    pub(super) monotonic: Arc<dyn MonotonicClock>,
    pub(super) events: Arc<dyn EventSink>,
}

#[derive(Clone, Copy)]
struct Report {
    at: Option<Timestamp>,
    source: Option<IpAddr>,
}

impl IntrospectionAuthenticator {
    /// Asks by `transport`, about tokens of `issuer` for `audience`.
    pub fn builder(
        transport: Arc<dyn IntrospectionTransport>,
        issuer: &str,
        audience: &str,
    ) -> IntrospectionAuthenticatorBuilder {
        IntrospectionAuthenticatorBuilder::new(transport, issuer, audience)
    }

    /// Whether the request presents something that is meant for this authenticator, good or bad.
    #[must_use]
    pub fn presented(&self, view: &RequestView<'_>) -> bool {
        self.0.source.is_claimed(view)
    }

    /// The challenge for requests without a token.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        Challenge::new(&self.0.realm)
    }

    /// Authenticates the request. With an answer that is kept, this is there at once.
    pub fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<VerifiedPrincipal, Denial>> {
        let inner = &self.0;
        let report = Report {
            at: inner.clock.now().ok(),
            source: view.client_address,
        };
        let token = match inner.source.presented(view) {
            Presented::Token(token) if token.len() <= MAX_TOKEN => token,
            Presented::Token(_) => {
                return Step::Done(Err(inner.bad(report, "the token is too long")));
            }
            Presented::Nothing | Presented::OtherScheme => {
                let cause = "no bearer token was presented";
                inner.report(report, EventKind::CredentialsMissing, cause);
                return Step::Done(Err(Denial::unauthenticated(&inner.realm)));
            }
            Presented::Malformed => {
                let cause = "the credentials are not one bearer token";
                inner.report(report, EventKind::CredentialsAmbiguous, cause);
                let challenge = self.challenge().error(BearerError::InvalidRequest);
                return Step::Done(Err(Denial::Malformed {
                    challenge: Some(Box::new(challenge)),
                }));
            }
        };
        let key = inner.cache.key(token);
        let asked_at = inner.monotonic.elapsed();
        if let Some(kept) = inner.cache.get(&key, asked_at) {
            return Step::Done(inner.admit(report, &kept.principal, &kept.good));
        }
        let Some(place) = Place::take(&inner.asking, inner.questions) else {
            let cause = "too many tokens are being asked about";
            return Step::Done(Err(inner.unavailable(report, cause, RETRY_AFTER)));
        };
        let answer = inner.transport.ask(form(token));
        let inner = Arc::clone(inner);
        Step::wait(async move {
            let answer = answer.await;
            drop(place);
            inner.judge(report, key, answer, asked_at)
        })
    }

    /// Whether a principal that was accepted still is: for streams. The token is not kept, so its issuer
    /// cannot be asked again; the principal ends with the answer, and a revocation of our own ends it sooner.
    ///
    /// # Errors
    ///
    /// As [`authenticate`](Self::authenticate).
    pub fn recheck(&self, accepted: &VerifiedPrincipal, now: Timestamp) -> Result<(), Denial> {
        let inner = &self.0;
        let report = Report {
            at: Some(now),
            source: None,
        };
        let end = accepted.authentication.expires_at;
        if end.is_none_or(|end| now >= end) {
            return Err(inner.bad(report, "the answer about the token is too old"));
        }
        // When it was issued is not known any more: what was issued at any time is concerned.
        inner.check_revocation(report, accepted, None)
    }
}

/// The form of §2.1. The token has the form of one, so nothing of it has to be escaped but `+`, `/` and `=`.
fn form(token: &str) -> Zeroizing<String> {
    let mut form = Zeroizing::new(String::with_capacity(
        token.len().saturating_mul(3).saturating_add(64),
    ));
    form.push_str("token=");
    for character in token.chars() {
        match character {
            '+' => form.push_str("%2B"),
            '/' => form.push_str("%2F"),
            '=' => form.push_str("%3D"),
            '~' => form.push_str("%7E"),
            other => form.push(other),
        }
    }
    form.push_str("&token_type_hint=access_token");
    form
}

impl Inner {
    fn judge(
        &self,
        report: Report,
        key: [u8; 32],
        answer: Result<Vec<u8>, IntrospectionUnavailable>,
        asked_at: Duration,
    ) -> Result<VerifiedPrincipal, Denial> {
        let body = answer.map_err(|error| {
            let cause = "the introspection endpoint is not available";
            self.unavailable(report, cause, error.retry_after)
        })?;
        // The time after the answer came: the question may have taken a while.
        let Ok(now) = self.clock.now() else {
            self.report(
                report,
                EventKind::ClockUnavailable,
                "the wall clock is not available",
            );
            return Err(Denial::Unavailable {
                retry_after: RETRY_AFTER,
            });
        };
        let report = Report {
            at: Some(now),
            ..report
        };
        let demands = Demands {
            issuer: &self.issuer,
            audiences: &self.audiences,
            org: self.org.as_ref(),
            org_member: self.org_member.as_deref(),
            believed_until: now.checked_add(self.lifetime).unwrap_or(now),
            now,
        };
        let (mut principal, mut good) = match answer::read(&body, &demands) {
            Ok(read) => read,
            Err(Refused::Answer) => {
                return Err(self.unavailable(report, Refused::Answer.cause(), RETRY_AFTER));
            }
            Err(refused) => return Err(self.bad(report, refused.cause())),
        };
        good.is_narrowed = self.allowed.narrow(&mut principal);
        let principal = VerifiedPrincipal::attest(principal, Attest::i_have_verified_this());
        // Counted from the question: what the issuer took back after it was asked may be missing.
        let until = asked_at.saturating_add(self.lifetime);
        let admitted = self.admit(report, &principal, &good)?;
        self.cache.insert(
            key,
            Kept {
                principal,
                good,
                until,
            },
        );
        Ok(admitted)
    }

    /// What may have changed since the answer came.
    fn admit(
        &self,
        report: Report,
        principal: &VerifiedPrincipal,
        good: &Good,
    ) -> Result<VerifiedPrincipal, Denial> {
        let Some(now) = report.at else {
            self.report(
                report,
                EventKind::ClockUnavailable,
                "the wall clock is not available",
            );
            return Err(Denial::Unavailable {
                retry_after: RETRY_AFTER,
            });
        };
        if now >= good.expires_at {
            return Err(self.bad(report, "the token has expired"));
        }
        self.check_revocation(report, principal, good.issued_at)?;
        if good.is_narrowed {
            let mut event = Self::event(report, EventKind::GrantsLeftOut, GRANTS_LEFT_OUT);
            event.principal = Some(principal.clone());
            event.about = Some(Arc::clone(&self.issuer));
            self.events.emit(event);
        }
        let mut event = Self::event(
            report,
            EventKind::AuthenticationSucceeded,
            "the issuer says that the token is active",
        );
        event.principal = Some(principal.clone());
        self.events.emit(event);
        Ok(principal.clone())
    }

    fn check_revocation(
        &self,
        report: Report,
        principal: &VerifiedPrincipal,
        issued_at: Option<Timestamp>,
    ) -> Result<(), Denial> {
        let facts = TokenFacts {
            issuer: &self.issuer,
            subject: principal.subject.as_str(),
            on_behalf_of: None,
            token_id: principal.authentication.credential_id.as_deref(),
            key_id: None,
            issued_at,
            tenant: principal.tenant.as_ref(),
        };
        match self.revocations.is_revoked(&facts) {
            Ok(false) => Ok(()),
            Ok(true) => Err(self.bad(report, "the token was revoked")),
            Err(error) => {
                let cause = "the revocations are not available";
                Err(self.unavailable(report, cause, error.retry_after))
            }
        }
    }

    fn bad(&self, report: Report, cause: &'static str) -> Denial {
        self.report(report, EventKind::AuthenticationFailed, cause);
        let challenge = Challenge::new(&self.realm).error(BearerError::InvalidToken);
        Denial::Unauthenticated {
            challenge: Box::new(challenge),
        }
    }

    fn unavailable(&self, report: Report, cause: &'static str, retry_after: Duration) -> Denial {
        self.report(report, EventKind::RevocationUnavailable, cause);
        Denial::Unavailable { retry_after }
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

/// One of the places for questions, given back when it is dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let before = taken.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(taken));
        (before < most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for IntrospectionAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectionAuthenticator")
            .field("transport", &self.0.transport)
            .field("issuer", &self.0.issuer)
            .field("cache", &self.0.cache)
            .finish_non_exhaustive()
    }
}
