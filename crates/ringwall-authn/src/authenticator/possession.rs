//! Whether the sender of a verified token may use it.

use std::sync::Arc;

use ringwall_core::denial::{ChallengeScheme, Denial};
use ringwall_core::event::EventKind;
use ringwall_core::step::Step;

use super::Inner;
use super::denial::{Refused, Report, clock_unavailable};
use crate::allowed_grants::GRANTS_LEFT_OUT;
use crate::confirmation::{
    BoundToken, CertificateBinding, CertificateFault, Confirmation, Possession, ShownCertificate,
};
use crate::dpop::{DpopError, Proof, ProvenKey};
use crate::error::{Refusal, TokenError};
use crate::token::VerifiedToken;

/// A token, what was shown for it, and the key of the proof that is being used up.
type Held = (
    BoundToken,
    Possession,
    Option<Step<Result<ProvenKey, DpopError>>>,
);

impl Inner {
    /// Decides about a token that was verified. `shown` is asked only if the token, or the policy,
    /// demands a certificate.
    pub(super) fn conclude(
        self: &Arc<Self>,
        report: Report,
        scheme: ChallengeScheme,
        proof: Option<Proof<'_>>,
        answer: Result<BoundToken, TokenError>,
        shown: impl FnOnce() -> Result<Option<ShownCertificate>, CertificateFault>,
    ) -> Step<Result<Arc<VerifiedToken>, Denial>> {
        match self.hold(report, proof, answer, shown) {
            Ok((token, possession, None)) => {
                let confirmed = token.confirmed_by(possession);
                Step::Done(self.admit(report, scheme, confirmed.map_err(Refused::Token)))
            }
            Ok((token, possession, Some(Step::Done(proven)))) => {
                let confirmed = confirm(token, possession, proven);
                Step::Done(self.admit(report, scheme, confirmed))
            }
            Ok((token, possession, Some(Step::Wait(proven)))) => {
                let inner = Arc::clone(self);
                Step::wait(async move {
                    let confirmed = confirm(token, possession, proven.await);
                    let at = inner.clock.now().ok();
                    let report = Report { at, ..report };
                    let held = confirmed.and_then(|token| inner.hold_still(report, token));
                    inner.admit(report, scheme, held)
                })
            }
            Err(refused) => Step::Done(Err(self.deny(report, scheme, refused))),
        }
    }

    /// The store of used proofs took its time, in which the token can have been revoked or have expired.
    fn hold_still(
        &self,
        report: Report,
        token: Arc<VerifiedToken>,
    ) -> Result<Arc<VerifiedToken>, Refused> {
        let now = report.at.ok_or_else(clock_unavailable)?;
        self.verifier.recheck(&token, now)?;
        Ok(token)
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

    fn admit(
        &self,
        report: Report,
        scheme: ChallengeScheme,
        held: Result<Arc<VerifiedToken>, Refused>,
    ) -> Result<Arc<VerifiedToken>, Denial> {
        let verified = held.map_err(|refused| self.deny(report, scheme, refused))?;
        if verified.is_narrowed() {
            let mut event = Self::event(report, EventKind::GrantsLeftOut, GRANTS_LEFT_OUT);
            event.principal = Some(verified.principal().clone());
            event.about = Some(Arc::from(verified.issuer()));
            self.events.emit(event);
        }
        let mut event = Self::event(
            report,
            EventKind::AuthenticationSucceeded,
            "the token was verified",
        );
        event.principal = Some(verified.principal().clone());
        self.events.emit(event);
        Ok(verified)
    }
}

fn confirm(
    token: BoundToken,
    possession: Possession,
    proven: Result<ProvenKey, DpopError>,
) -> Result<Arc<VerifiedToken>, Refused> {
    let verified = token.confirmed_by(possession.key(proven?))?;
    Ok(verified)
}
