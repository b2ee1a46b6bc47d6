//! What a request presents.

use ringwall_core::clock::Timestamp;
use ringwall_core::denial::ChallengeScheme;
use ringwall_core::request::RequestView;

use super::Inner;
use super::denial::Refused;
use crate::bearer::Presented;
use crate::confirmation::{CertificateFault, ShownCertificate};
use crate::dpop::{DpopError, Proof};
use crate::error::Refusal;

/// What a request presents.
pub(super) enum Credential<'a> {
    Nothing,
    Malformed,
    Token(ChallengeScheme, &'a str),
}

impl Inner {
    /// The one token, and under which scheme it came.
    pub(super) fn credential<'a>(&self, view: &RequestView<'a>) -> Credential<'a> {
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
    pub(super) fn read_proof<'a>(
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
    pub(super) fn shown_certificate(
        &self,
        view: &RequestView<'_>,
        now: Timestamp,
    ) -> Result<Option<ShownCertificate>, CertificateFault> {
        match &self.certificates {
            Some(binding) => binding.shown(view, now),
            None => Ok(None),
        }
    }
}
