//! What a request is answered that is refused, and what is reported of it.

use core::net::IpAddr;
use core::time::Duration;

use ringwall_core::clock::Timestamp;
use ringwall_core::denial::{BearerError, Challenge, ChallengeScheme, Denial};
use ringwall_core::event::{EventKind, SecurityEvent};

use super::{Dpop, Inner};
use crate::confirmation::CertificateFault;
use crate::dpop::{DpopError, ProofFault};
use crate::error::{Refusal, TokenError, TokenErrorKind};

/// Why a token that was presented is refused.
pub(super) enum Refused {
    Token(TokenError),
    Proof(DpopError),
    Certificate(CertificateFault),
}

impl From<TokenError> for Refused {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Token(refusal.into())
    }
}

impl From<DpopError> for Refused {
    fn from(error: DpopError) -> Self {
        Self::Proof(error)
    }
}

/// How long to wait when the clock cannot tell the time.
pub(super) const CLOCK_RETRY_AFTER: Duration = Duration::from_secs(5);

pub(super) const fn clock_unavailable() -> TokenError {
    TokenError::unavailable(Refusal::ClockUnavailable, CLOCK_RETRY_AFTER)
}

#[derive(Clone, Copy)]
pub(super) struct Report {
    pub(super) at: Option<Timestamp>,
    pub(super) source: Option<IpAddr>,
}

impl Inner {
    pub(super) fn challenge(&self) -> Challenge {
        let challenge = self.offer(Challenge::new(&self.realm));
        match &self.resource {
            Some(resource) => challenge.resource_metadata(resource.metadata_url()),
            None => challenge,
        }
    }

    pub(super) fn offer(&self, challenge: Challenge) -> Challenge {
        match &self.dpop {
            Some(Dpop { policy, .. }) => {
                challenge.dpop(policy.algorithm_names(), policy.is_required())
            }
            None => challenge,
        }
    }

    pub(super) fn deny(&self, report: Report, scheme: ChallengeScheme, refused: Refused) -> Denial {
        match refused {
            Refused::Token(error) => self.deny_token(report, scheme, &error),
            Refused::Proof(error) => self.deny_proof(report, error),
            Refused::Certificate(fault) if fault.is_malformed() => {
                self.report(report, EventKind::CredentialsAmbiguous, fault.as_str());
                Denial::Malformed { challenge: None }
            }
            Refused::Certificate(fault) => {
                self.report(report, EventKind::AuthenticationFailed, fault.as_str());
                self.unauthenticated(report, scheme, BearerError::InvalidToken)
            }
        }
    }

    pub(super) fn deny_token(
        &self,
        report: Report,
        scheme: ChallengeScheme,
        error: &TokenError,
    ) -> Denial {
        let cause = error.refusal().as_str();
        match error.kind() {
            TokenErrorKind::Expired | TokenErrorKind::Rejected => {
                self.report(report, EventKind::AuthenticationFailed, cause);
                self.unauthenticated(report, scheme, BearerError::InvalidToken)
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

    pub(super) fn deny_proof(&self, report: Report, error: DpopError) -> Denial {
        let (kind, cause, code) = match error {
            DpopError::Rejected(ProofFault::KeyMismatch) => (
                EventKind::AuthenticationFailed,
                ProofFault::KeyMismatch.as_str(),
                // RFC 9449 §7.1: what is wrong is the binding of the token.
                BearerError::InvalidToken,
            ),
            DpopError::Rejected(ProofFault::Repeated) => (
                EventKind::CredentialReplayed,
                ProofFault::Repeated.as_str(),
                BearerError::InvalidDpopProof,
            ),
            DpopError::Rejected(fault) => (
                EventKind::AuthenticationFailed,
                fault.as_str(),
                BearerError::InvalidDpopProof,
            ),
            DpopError::NonceDemanded => (
                EventKind::AuthenticationFailed,
                ProofFault::NonceMissing.as_str(),
                BearerError::UseDpopNonce,
            ),
            DpopError::Unavailable { retry_after } => {
                self.report(
                    report,
                    EventKind::ReplayStoreUnavailable,
                    "whether the proof was used before cannot be told",
                );
                return Denial::Unavailable { retry_after };
            }
        };
        self.report(report, kind, cause);
        self.unauthenticated(report, ChallengeScheme::Dpop, code)
    }

    /// A 401 in the scheme that the client used, with the nonce that its next proof has to contain.
    pub(super) fn unauthenticated(
        &self,
        report: Report,
        scheme: ChallengeScheme,
        error: BearerError,
    ) -> Denial {
        let mut challenge = self.challenge().scheme(scheme).error(error);
        let nonce = self.dpop.as_ref().zip(report.at);
        if let Some(nonce) = nonce.and_then(|(dpop, now)| dpop.policy.nonce(now)) {
            challenge = challenge.dpop_nonce(&nonce);
        }
        Denial::Unauthenticated {
            challenge: Box::new(challenge),
        }
    }

    pub(super) fn event(report: Report, kind: EventKind, cause: &'static str) -> SecurityEvent {
        let mut event = SecurityEvent::new(kind, cause);
        event.at = report.at;
        event.source = report.source;
        event
    }

    pub(super) fn report(&self, report: Report, kind: EventKind, cause: &'static str) {
        self.events.emit(Self::event(report, kind, cause));
    }
}
