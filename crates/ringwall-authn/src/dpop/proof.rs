//! One proof.

use core::fmt;
use core::time::Duration;

use constant_time_eq::constant_time_eq_32;
use ringwall_core::clock::Timestamp;
use ringwall_core::request::{HeaderValues, RequestView};
use ringwall_core::step::Step;
use ringwall_jose::json::{Document, Limits, Value};
use ringwall_jose::{
    CompactLimits, ProofJws, PublicKeyParts, SignatureProvider, SignatureValid, base64url,
};
use ringwall_replay::{Claim, ClaimKey, ClaimRequest, ReplayUnavailable};

use super::{DpopError, DpopPolicy, ProofFault};

/// RFC 9449 §4.1, in the form in which header fields are looked up.
const FIELD: &str = "dpop";

/// RFC 9449 §4.2.
const TYPE: &str = "dpop+jwt";

/// What keeps claims on proofs apart from those on other things.
const PURPOSE: &str = "dpop";

/// Proofs are short. The largest, with an RSA key of 4096 bits in its header and a signature as long,
/// has some 2.5 KiB.
const LIMITS: CompactLimits = CompactLimits {
    token_bytes: 6 * 1024,
    header_bytes: 1536,
};

const CLAIM_LIMITS: Limits = Limits {
    bytes: 3 * 1024,
    depth: 8,
    members: 32,
    nodes: 256,
};

/// The largest modulus: each proof brings its key, and the price of a verification grows with the square of
/// its length.
const MAX_MODULUS_BYTES: usize = 512;

/// The longest `jti` in bytes (RFC 9449 §11.1 asks for a bound).
const MAX_ID_BYTES: usize = 256;

/// 9999-12-31T23:59:59Z: what is later is not a date but an attempt.
const LAST_SECOND: u64 = 253_402_300_799;

/// The key whose possession a proof showed, for one request and one token. Only a
/// [`DpopPolicy`] makes it.
///
/// It is what came of one check, and there is one of it: it can be given away, and not kept for the next
/// request.
///
/// ```compile_fail,E0382
/// # fn take(possession: ringwall_authn::Possession) {}
/// # fn example(key: ringwall_authn::ProvenKey) {
/// use ringwall_authn::Possession;
///
/// take(Possession::nothing().key(key));
/// take(Possession::nothing().key(key)); // it was given away
/// # }
/// ```
pub struct ProvenKey {
    thumbprint: [u8; 32],
}

impl ProvenKey {
    /// The SHA-256 thumbprint of the key (RFC 7638).
    #[must_use]
    pub const fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }
}

impl fmt::Debug for ProvenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProvenKey")
    }
}

/// A proof that fits the request and the token, and whose signature was **not** verified.
pub(crate) struct Proof<'t> {
    jws: ProofJws<'t>,
    id: Box<str>,
    target: Box<str>,
    issued_at: Timestamp,
}

impl<'t> Proof<'t> {
    /// RFC 9449 §4.3, numbers 1 to 6, 8 to 10 and 12 a. The time is judged when the proof is used:
    /// somebody may have to be waited for until then.
    pub(super) fn read(
        policy: &DpopPolicy,
        view: &RequestView<'t>,
        token_digest: &[u8; 32],
        now: Timestamp,
    ) -> Result<Self, ProofFault> {
        let value = match view.header(FIELD) {
            HeaderValues::Absent => return Err(ProofFault::Missing),
            HeaderValues::One(value) => value,
            HeaderValues::Several(_) => return Err(ProofFault::Several),
        };
        let text = core::str::from_utf8(value)
            .map_err(|_| ProofFault::Form(ringwall_jose::CompactError::Encoding))?;
        let jws = ProofJws::parse(text, LIMITS)?;
        if !policy.accepts(jws.algorithm()) {
            return Err(ProofFault::Algorithm);
        }
        if jws.token_type() != Some(TYPE) {
            return Err(ProofFault::Type);
        }
        if let PublicKeyParts::Rsa { modulus, .. } = jws.key().parts()
            && modulus.len() > MAX_MODULUS_BYTES
        {
            return Err(ProofFault::KeyTooLarge);
        }
        let claims = Document::parse(jws.unverified_payload()?, CLAIM_LIMITS)?;
        let claims = claims.root();
        claims.as_object().ok_or(ProofFault::NotClaims)?;
        let text = |name| claims.get(name).and_then(Value::as_str);
        let id = text("jti")
            .filter(|id| is_id(id))
            .ok_or(ProofFault::IdMalformed)?;
        // RFC 9110 §9.1: methods are compared with case.
        if text("htm") != Some(view.method) {
            return Err(ProofFault::MethodMismatch);
        }
        let target = text("htu").ok_or(ProofFault::TargetMalformed)?;
        policy.origins().check(target, view)?;
        if !text("ath").is_some_and(|digest| is_digest(digest, token_digest)) {
            return Err(ProofFault::TokenMismatch);
        }
        let issued_at = claims
            .get("iat")
            .and_then(timestamp)
            .ok_or(ProofFault::IssuedAtMalformed)?;
        if let Some(nonces) = policy.nonces()
            && !text("nonce").is_some_and(|nonce| nonces.accepts(nonce, now, policy.lead()))
        {
            return Err(ProofFault::NonceMissing);
        }
        Ok(Self {
            id: id.into(),
            target: target.into(),
            issued_at,
            jws,
        })
    }

    /// The same, for whoever has to wait before it is proved.
    pub(crate) fn into_owned(self) -> Proof<'static> {
        Proof {
            jws: self.jws.into_owned(),
            id: self.id,
            target: self.target,
            issued_at: self.issued_at,
        }
    }

    /// RFC 9449 §4.3, number 11.
    fn check_time(&self, policy: &DpopPolicy, now: Timestamp) -> Result<(), ProofFault> {
        if now.saturating_since(self.issued_at) > policy.age() {
            Err(ProofFault::TooOld)
        } else if self.issued_at.saturating_since(now) > policy.lead() {
            Err(ProofFault::IssuedInFuture)
        } else {
            Ok(())
        }
    }

    /// Verifies that the proof is one of the key of this thumbprint, and uses it up.
    ///
    /// `now` is the time of this call: with what was waited for since the proof was read, it can have
    /// become too old, and nobody remembers it then.
    pub(crate) fn prove(
        self,
        policy: &DpopPolicy,
        thumbprint: &[u8; 32],
        now: Timestamp,
    ) -> Step<Result<ProvenKey, DpopError>> {
        match self.verify(policy, thumbprint, now) {
            Ok(signature) => {
                let request = self.claim_request(policy, now, &signature);
                let key = ProvenKey {
                    thumbprint: *thumbprint,
                };
                policy
                    .store()
                    .claim(request)
                    .map(move |answer| judge(key, answer))
            }
            Err(fault) => Step::Done(Err(fault.into())),
        }
    }

    /// RFC 9449 §4.3, number 7, and number 12 b.
    fn verify(
        &self,
        policy: &DpopPolicy,
        thumbprint: &[u8; 32],
        now: Timestamp,
    ) -> Result<SignatureValid, ProofFault> {
        if !constant_time_eq_32(self.jws.thumbprint(), thumbprint) {
            return Err(ProofFault::KeyMismatch);
        }
        self.check_time(policy, now)?;
        let provider: &dyn SignatureProvider = policy.provider();
        self.jws.verify(provider).map_err(|_| ProofFault::Signature)
    }

    /// RFC 9449 §11.1. The signature comes first, as a proof: nobody without the key can fill the store,
    /// or use up a proof of somebody else.
    fn claim_request(
        &self,
        policy: &DpopPolicy,
        now: Timestamp,
        _signature: &SignatureValid,
    ) -> ClaimRequest {
        let parts: [&[u8]; 3] = [
            self.jws.thumbprint(),
            self.id.as_bytes(),
            self.target.as_bytes(),
        ];
        // Servers' clocks are as far apart as clients' may be, so another one accepts it for that
        // much longer, and may have accepted it that much sooner. And a second more, because the last
        // moment of the age counts too.
        let remembered = policy
            .age()
            .saturating_add(policy.lead())
            .saturating_add(Duration::from_secs(1));
        ClaimRequest {
            key: ClaimKey::new(PURPOSE, &parts),
            valid_from: self.issued_at.checked_sub(policy.lead()).unwrap_or(now),
            valid_until: self.issued_at.checked_add(remembered).unwrap_or(now),
            now,
        }
    }
}

/// Shows nothing of the proof, which is a credential until it was used.
impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proof")
            .field("jws", &self.jws)
            .finish_non_exhaustive()
    }
}

fn judge(key: ProvenKey, answer: Result<Claim, ReplayUnavailable>) -> Result<ProvenKey, DpopError> {
    match answer {
        Ok(Claim::First) => Ok(key),
        Ok(Claim::Repeated) => Err(ProofFault::Repeated.into()),
        Err(ReplayUnavailable { retry_after }) => Err(DpopError::Unavailable { retry_after }),
    }
}

fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_ID_BYTES && !text.chars().any(char::is_control)
}

fn is_digest(text: &str, digest: &[u8; 32]) -> bool {
    let mut buffer = [0; 32];
    let decoded = base64url::decode_into(text, &mut buffer);
    decoded.is_some_and(|bytes| bytes.len() == digest.len()) && constant_time_eq_32(&buffer, digest)
}

/// Whole seconds: clients send nothing else, and a verifier that rounds differs from the next one.
fn timestamp(value: Value<'_>) -> Option<Timestamp> {
    let seconds = value.as_u64().filter(|seconds| *seconds <= LAST_SECOND)?;
    Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_its_own_text_alone_even_if_it_ends_in_zeros() {
        let mut digest = [7; 32];
        digest[28..].fill(0);
        let text = base64url::encode(digest);
        assert!(is_digest(&text, &digest));
        let longer = base64url::encode([0; 33]);
        for other in [
            "",
            &base64url::encode(&digest[..28]),
            text.split_at(42).0,
            &longer,
        ] {
            assert!(!is_digest(other, &digest), "{other}");
        }
        assert!(!is_digest("", &[0; 32]));
    }
}
