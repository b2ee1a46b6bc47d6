//! From a request to a verified token, or to the answer of RFC 6750.

mod builder;
mod denial;
mod possession;
mod presented;

pub use builder::TokenAuthenticatorBuilder;

use core::fmt;
use std::sync::Arc;

use ringwall_core::clock::{Timestamp, WallClock};
use ringwall_core::denial::{BearerError, Challenge, ChallengeScheme, Denial};
use ringwall_core::event::{EventKind, EventSink};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;

use self::denial::{CLOCK_RETRY_AFTER, Report};
use self::presented::Credential;
use crate::bearer::BearerSource;
use crate::confirmation::{CertificateBinding, Confirmation};
use crate::dpop::{DpopPolicy, Proof};
use crate::error::Refusal;
use crate::evaluate::BoundTokens;
use crate::protected_resource::ProtectedResource;
use crate::token::VerifiedToken;
use crate::verifier::TokenVerifier;

/// Authenticates requests by their token: a bearer token, or one that is bound to a key
/// ([`dpop`](TokenAuthenticatorBuilder::dpop)) or to a client certificate
/// ([`certificate_bound`](TokenAuthenticatorBuilder::certificate_bound)), whose possession each
/// request has to show.
///
/// | request | answer |
/// |---|---|
/// | no credentials, or another scheme | 401 with a bare `Bearer realm=` |
/// | several, empty or ill-formed credentials | 400 `invalid_request` |
/// | a token that is not acceptable, or expired | 401 `invalid_token` |
/// | a bound token without, or with another's, key or certificate; a bound token as a bearer token | 401 `invalid_token` |
/// | a proof that is missing, not good, or was used before | 401 `invalid_dpop_proof` |
/// | a proof without the nonce that is demanded | 401 `use_dpop_nonce`, with `DPoP-Nonce` |
/// | keys, revocations, the store of used proofs or the clock unavailable | 503 with `Retry-After` |
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
    dpop: Option<Dpop>,
    certificates: Option<CertificateBinding>,
    clock: Arc<dyn WallClock>,
    events: Arc<dyn EventSink>,
}

/// Tokens with proofs.
struct Dpop {
    policy: DpopPolicy,
    source: BearerSource,
}

impl TokenAuthenticator {
    /// The verifier.
    #[must_use]
    pub fn verifier(&self) -> &TokenVerifier {
        &self.0.verifier
    }

    /// Whether the request presents something that is meant for this authenticator, good or bad.
    #[must_use]
    pub fn presented(&self, view: &RequestView<'_>) -> bool {
        let inner = &self.0;
        let is_claimed = |source: &BearerSource| source.is_claimed(view);
        is_claimed(&inner.source)
            || inner
                .dpop
                .as_ref()
                .is_some_and(|dpop| is_claimed(&dpop.source))
    }

    /// The challenge for requests without credentials.
    #[must_use]
    pub fn challenge(&self) -> Challenge {
        self.0.challenge()
    }

    /// Adds to somebody else's challenge that proofs are taken, or needed.
    #[must_use]
    pub fn offer(&self, challenge: Challenge) -> Challenge {
        self.0.offer(challenge)
    }

    /// The header fields, in lower case, that are believed from trusted proxies: they have to be
    /// removed from everybody else's requests before a handler sees them. None without
    /// [`certificate_bound`](TokenAuthenticatorBuilder::certificate_bound) tokens.
    #[must_use]
    pub fn header_names(&self) -> Vec<Box<str>> {
        let binding = self.0.certificates.as_ref();
        binding
            .map(CertificateBinding::header_names)
            .unwrap_or_default()
    }

    /// The nonce that the next DPoP proof has to contain, for the field `DPoP-Nonce` of a good answer
    /// (RFC 9449 §8.2): it saves clients a refusal when the nonces change. `None` when no nonce is
    /// demanded. Refusals have the field already.
    #[must_use]
    pub fn dpop_nonce(&self, now: Timestamp) -> Option<String> {
        self.0.dpop.as_ref()?.policy.nonce(now)
    }

    /// Authenticates the request. With a cached token, and with any other whose key is there, the
    /// answer is there at once, unless a store of used proofs has to be waited for.
    pub fn authenticate(&self, view: &RequestView<'_>) -> Step<Result<Arc<VerifiedToken>, Denial>> {
        let inner = &self.0;
        let at = inner.clock.now();
        let report = Report {
            at: at.ok(),
            source: view.client_address,
        };
        let (scheme, token) = match inner.credential(view) {
            Credential::Token(scheme, token) => (scheme, token),
            Credential::Nothing => {
                inner.report(
                    report,
                    EventKind::CredentialsMissing,
                    "no bearer token was presented",
                );
                return Step::Done(Err(Denial::Unauthenticated {
                    challenge: Box::new(inner.challenge()),
                }));
            }
            Credential::Malformed => {
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
        // All of the proof that is cheap comes before the token, which may have to be waited for while
        // the request is only lent.
        let proof = match inner.read_proof(scheme, view, token, now) {
            Ok(proof) => proof,
            Err(refused) => return Step::Done(Err(inner.deny(report, scheme, refused))),
        };
        let bound = if inner.dpop.is_some() || inner.certificates.is_some() {
            BoundTokens::Unconfirmed
        } else {
            BoundTokens::Refused
        };
        let verified = inner
            .verifier
            .verify_bound_refreshing_from(token, now, &inner.clock, bound);
        match verified {
            Step::Done(answer) => {
                let shown = || inner.shown_certificate(view, now);
                inner.conclude(report, scheme, proof, answer, shown)
            }
            Step::Wait(answer) => {
                let inner = Arc::clone(inner);
                let proof = proof.map(Proof::into_owned);
                let shown = inner.shown_certificate(view, now);
                Step::wait(async move {
                    let answer = answer.await;
                    let at = inner.clock.now().ok();
                    let report = Report { at, ..report };
                    // What `conclude` borrows ends before the next wait: a step owns its future.
                    let step = inner.conclude(report, scheme, proof, answer, move || shown);
                    step.await
                })
            }
        }
    }
}

impl TokenAuthenticator {
    /// Whether a token that this authenticator accepted would be accepted at `now` too: for streams,
    /// which outlive the request that began them. A refusal is reported as an event.
    ///
    /// Possession was shown for the request that began the stream, and is not asked for again: a proof
    /// is for one request, and for certificates see
    /// [`CertificateBinding`](CertificateBinding#answers-that-go-on).
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
        let scheme = match verified
            .confirmation()
            .and_then(Confirmation::key_thumbprint)
        {
            Some(_) => ChallengeScheme::Dpop,
            None => ChallengeScheme::Bearer,
        };
        match inner.verifier.recheck(verified, now) {
            Ok(()) => Ok(()),
            Err(error) => Err(inner.deny(report, scheme, error.into())),
        }
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
