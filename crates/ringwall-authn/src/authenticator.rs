//! From a request to a verified token, or to the answer of RFC 6750.

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use ringwall_core::clock::{SystemClock, Timestamp, WallClock};
use ringwall_core::denial::{BearerError, Challenge, ChallengeScheme, Denial};
use ringwall_core::event::{DiscardEvents, EventKind, EventSink, SecurityEvent};
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;

use crate::bearer::{BearerSource, Presented};
use crate::confirmation::{
    BoundToken, CertificateBinding, CertificateFault, Confirmation, Possession, ShownCertificate,
};
use crate::dpop::{DpopError, DpopPolicy, Proof, ProofFault, ProvenKey};
use crate::error::{Refusal, TokenError, TokenErrorKind};
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

/// A token, what was shown for it, and the key of the proof that is being used up.
type Held = (
    BoundToken,
    Possession,
    Option<Step<Result<ProvenKey, DpopError>>>,
);

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

    /// Takes tokens that are bound to a key (RFC 9449): under `Authorization: DPoP`, with a proof in
    /// the field `DPoP`. Unless set, they are refused. Bearer tokens are taken as before, unless
    /// the policy is [`required`](crate::DpopPolicyBuilder::required).
    #[must_use]
    pub fn dpop(mut self, policy: DpopPolicy) -> Self {
        self.0.dpop = Some(Dpop {
            policy,
            source: BearerSource::dpop(),
        });
        self
    }

    /// Takes tokens that are bound to a client certificate (RFC 8705), on connections of that
    /// certificate. Unless set, they are refused.
    #[must_use]
    pub fn certificate_bound(mut self, binding: CertificateBinding) -> Self {
        self.0.certificates = Some(binding);
        self
    }

    /// The verifier.
    #[must_use]
    pub const fn verifier(&self) -> &TokenVerifier {
        &self.0.verifier
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
            dpop: None,
            certificates: None,
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
    /// is for one request, and a connection whose certificate is no longer trusted ends by itself.
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

/// What a request presents.
enum Credential<'a> {
    Nothing,
    Malformed,
    Token(ChallengeScheme, &'a str),
}

/// Why a token that was presented is refused.
enum Refused {
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
const CLOCK_RETRY_AFTER: Duration = Duration::from_secs(5);

const fn clock_unavailable() -> TokenError {
    TokenError::unavailable(Refusal::ClockUnavailable, CLOCK_RETRY_AFTER)
}

#[derive(Clone, Copy)]
struct Report {
    at: Option<Timestamp>,
    source: Option<core::net::IpAddr>,
}

impl Inner {
    fn challenge(&self) -> Challenge {
        let challenge = self.offer(Challenge::new(&self.realm));
        match &self.resource {
            Some(resource) => challenge.resource_metadata(resource.metadata_url()),
            None => challenge,
        }
    }

    fn offer(&self, challenge: Challenge) -> Challenge {
        match &self.dpop {
            Some(Dpop { policy, .. }) => {
                challenge.dpop(policy.algorithm_names(), policy.is_required())
            }
            None => challenge,
        }
    }

    /// The one token, and under which scheme it came.
    fn credential<'a>(&self, view: &RequestView<'a>) -> Credential<'a> {
        let bearer = self.source.presented(view);
        let dpop = match &self.dpop {
            Some(dpop) => dpop.source.presented(view),
            None => Presented::Nothing,
        };
        match (bearer, dpop) {
            // Two fields, if tokens are taken from another one than `Authorization`.
            (Presented::Malformed, _)
            | (_, Presented::Malformed)
            | (Presented::Token(_), Presented::Token(_)) => Credential::Malformed,
            (Presented::Token(token), _) => Credential::Token(ChallengeScheme::Bearer, token),
            (_, Presented::Token(token)) => Credential::Token(ChallengeScheme::Dpop, token),
            (
                Presented::Nothing | Presented::OtherScheme,
                Presented::Nothing | Presented::OtherScheme,
            ) => Credential::Nothing,
        }
    }

    /// The proof beside a token that came under `DPoP`. A proof beside a bearer token is not looked at:
    /// RFC 9449 §7.1 gives the field a meaning under its own scheme alone, and clients send it along to
    /// services that they do not know.
    fn read_proof<'a>(
        &self,
        scheme: ChallengeScheme,
        view: &RequestView<'a>,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Proof<'a>>, Refused> {
        match (&self.dpop, scheme) {
            (Some(dpop), ChallengeScheme::Dpop) => {
                let proof = dpop.policy.read(view, token, now);
                proof
                    .map(Some)
                    .map_err(|fault| DpopError::from(fault).into())
            }
            (Some(dpop), ChallengeScheme::Bearer) if dpop.policy.is_required() => {
                Err(Refusal::BearerScheme.into())
            }
            (None | Some(_), _) => Ok(None),
        }
    }

    /// The certificate behind the request. Without a policy there is none, whatever the connection has.
    fn shown_certificate(
        &self,
        view: &RequestView<'_>,
        now: Timestamp,
    ) -> Result<Option<ShownCertificate>, CertificateFault> {
        match &self.certificates {
            Some(binding) => binding.shown(view, now),
            None => Ok(None),
        }
    }

    /// Decides about a token that was verified. `shown` is asked only if the token, or the policy,
    /// demands a certificate.
    fn conclude(
        self: &Arc<Self>,
        report: Report,
        scheme: ChallengeScheme,
        proof: Option<Proof<'_>>,
        answer: Result<BoundToken, TokenError>,
        shown: impl FnOnce() -> Result<Option<ShownCertificate>, CertificateFault>,
    ) -> Step<Result<Arc<VerifiedToken>, Denial>> {
        match self.hold(report, proof, answer, shown) {
            Ok((token, possession, None)) => {
                Step::Done(self.confirm(report, scheme, token, possession))
            }
            Ok((token, possession, Some(proven))) => {
                let inner = Arc::clone(self);
                proven.map(move |proven| match proven {
                    Ok(key) => inner.confirm(report, scheme, token, possession.key(key)),
                    Err(error) => Err(inner.deny(report, scheme, error.into())),
                })
            }
            Err(refused) => Step::Done(Err(self.deny(report, scheme, refused))),
        }
    }

    /// Holds a token against what was shown for it, the use of the proof last.
    fn hold(
        &self,
        report: Report,
        proof: Option<Proof<'_>>,
        answer: Result<BoundToken, TokenError>,
        shown: impl FnOnce() -> Result<Option<ShownCertificate>, CertificateFault>,
    ) -> Result<Held, Refused> {
        let token = answer?;
        let key = token.confirmation().and_then(Confirmation::key_thumbprint);
        let certificate = token
            .confirmation()
            .and_then(Confirmation::certificate_thumbprint);
        let is_certificate_required = self
            .certificates
            .as_ref()
            .is_some_and(CertificateBinding::is_required);
        let mut possession = Possession::nothing();
        match certificate {
            Some(certificate) => {
                let shown = shown().map_err(Refused::Certificate)?;
                let shown = shown.ok_or(Refusal::SenderConstrained)?;
                // Before the proof is used up.
                shown.is(certificate)?;
                possession = possession.certificate(shown);
            }
            None if is_certificate_required => return Err(Refusal::NotBound.into()),
            None => {}
        }
        let proven = match (&self.dpop, proof, key) {
            (Some(dpop), Some(proof), Some(key)) => {
                let now = report.at.ok_or_else(clock_unavailable)?;
                Some(proof.prove(&dpop.policy, key, now))
            }
            // RFC 9449 §7.1: under this scheme a token is bound to the key of the proof.
            (_, Some(_), None) | (None, Some(_), Some(_)) => return Err(Refusal::NotBound.into()),
            // RFC 9449 §7.2: a bound token without a proof is a downgrade. It does not become a
            // verified one.
            (_, None, _) => None,
        };
        Ok((token, possession, proven))
    }

    fn confirm(
        &self,
        report: Report,
        scheme: ChallengeScheme,
        token: BoundToken,
        possession: Possession,
    ) -> Result<Arc<VerifiedToken>, Denial> {
        let verified = token
            .confirmed_by(possession)
            .map_err(|error| self.deny(report, scheme, error.into()))?;
        let mut event = Self::event(
            report,
            EventKind::AuthenticationSucceeded,
            "the token was verified",
        );
        event.principal = Some(verified.principal().clone());
        self.events.emit(event);
        Ok(verified)
    }

    fn deny(&self, report: Report, scheme: ChallengeScheme, refused: Refused) -> Denial {
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

    fn deny_token(&self, report: Report, scheme: ChallengeScheme, error: &TokenError) -> Denial {
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

    fn deny_proof(&self, report: Report, error: DpopError) -> Denial {
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
    fn unauthenticated(
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
