//! Tokens that are bound to something their holder has to show (RFC 7800).

mod certificate;

pub use certificate::{CertificateBinding, CertificateBindingBuilder, CertificateFault};

use core::fmt;
use std::sync::Arc;

use constant_time_eq::constant_time_eq_32;
use ringwall_jose::base64url;
use ringwall_jose::json::Value;

use crate::dpop::ProvenKey;
use crate::error::{Refusal, TokenError};
use crate::token::VerifiedToken;

/// What the holder of a token has to show: the claim `cnf` (RFC 7800 §3.1).
///
/// | member | what it names | source |
/// |---|---|---|
/// | `jkt` | the SHA-256 thumbprint of a public key, whose private part signs a proof for each request | RFC 9449 §6.1 |
/// | `x5t#S256` | the SHA-256 digest of the client certificate of the connection | RFC 8705 §3.1 |
///
/// At least one is there; if both are, both have to be shown. RFC 7800 §3.1 lets a recipient ignore
/// members that it does not understand. Here they refuse the token: what its issuer demanded and
/// nobody checked would otherwise count as shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    key: Option<[u8; 32]>,
    certificate: Option<[u8; 32]>,
}

impl Confirmation {
    /// Reads the claim.
    pub(crate) fn parse(claim: Value<'_>) -> Result<Self, Refusal> {
        let mut confirmation = Self {
            key: None,
            certificate: None,
        };
        for (name, value) in claim.as_object().ok_or(Refusal::ConfirmationMalformed)? {
            let place = match name {
                "jkt" => &mut confirmation.key,
                "x5t#S256" => &mut confirmation.certificate,
                _ => return Err(Refusal::ConfirmationUnknown),
            };
            *place = Some(digest(value).ok_or(Refusal::ConfirmationMalformed)?);
        }
        match confirmation {
            Self {
                key: None,
                certificate: None,
            } => Err(Refusal::ConfirmationMalformed),
            Self { .. } => Ok(confirmation),
        }
    }

    /// The SHA-256 thumbprint (RFC 7638) of the key that signs proofs.
    #[must_use]
    pub const fn key_thumbprint(&self) -> Option<&[u8; 32]> {
        self.key.as_ref()
    }

    /// The SHA-256 digest of the client certificate in DER.
    #[must_use]
    pub const fn certificate_thumbprint(&self) -> Option<&[u8; 32]> {
        self.certificate.as_ref()
    }
}

/// The methods alone: a thumbprint links what one client does.
impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmation")
            .field("jkt", &self.key.is_some())
            .field("x5t#S256", &self.certificate.is_some())
            .finish()
    }
}

/// Exactly 43 characters of strict base64url: one text for each digest.
fn digest(value: Value<'_>) -> Option<[u8; 32]> {
    let mut buffer = [0; 32];
    let text = value.as_str()?;
    let length = base64url::decode_into(text, &mut buffer)?.len();
    (length == buffer.len()).then_some(buffer)
}

/// What the sender of one request showed to hold. Nothing, unless a check says otherwise: its parts
/// are made by [`DpopPolicy`](crate::DpopPolicy) and [`CertificateBinding`] alone.
///
/// It is for one token of one request, and used up by it ([`BoundToken::confirmed_by`]):
///
/// ```compile_fail,E0382
/// # use ringwall_authn::{BoundToken, Possession};
/// # fn example(one: BoundToken, other: BoundToken, possession: Possession) {
/// one.confirmed_by(possession).ok();
/// other.confirmed_by(possession).ok(); // it was used up
/// # }
/// ```
#[derive(Debug, Default)]
pub struct Possession {
    key: Option<ProvenKey>,
    certificate: Option<ShownCertificate>,
}

impl Possession {
    /// Nothing was shown.
    #[must_use]
    pub const fn nothing() -> Self {
        Self {
            key: None,
            certificate: None,
        }
    }

    /// And a key, by a proof for this very request and token.
    #[must_use]
    pub const fn key(mut self, key: ProvenKey) -> Self {
        self.key = Some(key);
        self
    }

    /// And a certificate, by the connection.
    #[must_use]
    pub const fn certificate(mut self, certificate: ShownCertificate) -> Self {
        self.certificate = Some(certificate);
        self
    }
}

/// The client certificate behind a request, which a handshake verified.
///
/// It was trusted when it was shown, which may not be so later. There is one of it for each look at the
/// connection:
///
/// ```compile_fail,E0382
/// # fn take(possession: ringwall_authn::Possession) {}
/// # fn example(shown: ringwall_authn::ShownCertificate) {
/// use ringwall_authn::Possession;
///
/// take(Possession::nothing().certificate(shown));
/// take(Possession::nothing().certificate(shown)); // it was given away
/// # }
/// ```
pub struct ShownCertificate {
    digest: [u8; 32],
}

impl ShownCertificate {
    /// Whether it is the one that is demanded.
    pub(crate) fn is(&self, demanded: &[u8; 32]) -> Result<(), Refusal> {
        matches(Some(demanded), Some(&self.digest))
    }
}

impl fmt::Debug for ShownCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShownCertificate")
    }
}

/// A token that was verified, and of which nobody has checked yet whether its sender may use it.
///
/// It yields the [`VerifiedToken`] only against what its `cnf` demands. A token without `cnf` demands
/// nothing: it is a bearer token.
pub struct BoundToken(Arc<VerifiedToken>);

impl BoundToken {
    pub(crate) const fn new(token: Arc<VerifiedToken>) -> Self {
        Self(token)
    }

    /// What has to be shown; `None` for a bearer token.
    #[must_use]
    pub fn confirmation(&self) -> Option<&Confirmation> {
        self.0.confirmation()
    }

    /// The token, if all that it demands was shown. What was shown beyond that changes nothing.
    ///
    /// # Errors
    ///
    /// [`Refusal::SenderConstrained`] when something was not shown, [`Refusal::PossessionMismatch`]
    /// when another key or certificate was shown, as the cause of a
    /// [`TokenErrorKind::Rejected`](crate::TokenErrorKind::Rejected).
    pub fn confirmed_by(self, possession: Possession) -> Result<Arc<VerifiedToken>, TokenError> {
        if let Some(confirmation) = self.0.confirmation() {
            let key = possession.key.as_ref().map(ProvenKey::thumbprint);
            matches(confirmation.key_thumbprint(), key)?;
            let certificate = possession.certificate.as_ref().map(|shown| &shown.digest);
            matches(confirmation.certificate_thumbprint(), certificate)?;
        }
        Ok(self.0)
    }
}

/// Compares in constant time: a digest is no secret, and its comparison need not be a question.
pub(crate) fn matches(
    demanded: Option<&[u8; 32]>,
    shown: Option<&[u8; 32]>,
) -> Result<(), Refusal> {
    match (demanded, shown) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(Refusal::SenderConstrained),
        (Some(demanded), Some(shown)) if constant_time_eq_32(demanded, shown) => Ok(()),
        (Some(_), Some(_)) => Err(Refusal::PossessionMismatch),
    }
}

impl fmt::Debug for BoundToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundToken")
            .field("token", &self.0)
            .field("confirmation", &self.confirmation())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringwall_jose::json::{Document, Limits};

    const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    const X5T: &str = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2";

    fn parse(json: &str) -> Result<Confirmation, Refusal> {
        let document = Document::parse(json.as_bytes().to_vec(), Limits::TOKEN).unwrap();
        Confirmation::parse(document.root())
    }

    #[test]
    fn reads_the_two_methods_alone_and_together() {
        let key = parse(&format!(r#"{{"jkt":"{JKT}"}}"#)).unwrap();
        assert!(key.key_thumbprint().is_some() && key.certificate_thumbprint().is_none());
        let digest = base64url::encode(key.key_thumbprint().unwrap());
        assert_eq!(digest, JKT);
        let certificate = parse(&format!(
            r#"{{"x5t#S256":"{}"}}"#,
            base64url::encode([7; 32])
        ));
        let certificate = certificate.unwrap();
        assert_eq!(certificate.certificate_thumbprint(), Some(&[7; 32]));
        assert_eq!(certificate.key_thumbprint(), None);
        let both = parse(&format!(r#"{{"jkt":"{JKT}","x5t#S256":"{JKT}"}}"#)).unwrap();
        assert_eq!(both.key_thumbprint(), both.certificate_thumbprint());
        assert!(both.key_thumbprint().is_some());
        let shown = format!("{both:?}");
        assert!(!shown.contains(JKT) && !shown.contains("209"), "{shown}");
    }

    #[test]
    fn refuses_what_it_does_not_understand_whole() {
        for json in [
            format!(r#"{{"jkt":"{JKT}","kid":"1"}}"#),
            format!(r#"{{"jkt":"{JKT}","jwk":{{"kty":"EC"}}}}"#),
            format!(r#"{{"x5t":"{JKT}"}}"#),
            format!(r#"{{"x5t#s256":"{JKT}"}}"#),
            format!(r#"{{"JKT":"{JKT}"}}"#),
            r#"{"jku":"https://a.example"}"#.to_owned(),
        ] {
            assert_eq!(parse(&json), Err(Refusal::ConfirmationUnknown), "{json}");
        }
        for json in [
            "{}".to_owned(),
            "null".to_owned(),
            "[]".to_owned(),
            format!(r#""{JKT}""#),
            r#"{"jkt":null}"#.to_owned(),
            r#"{"jkt":""}"#.to_owned(),
            format!(r#"{{"jkt":["{JKT}"]}}"#),
            format!(r#"{{"jkt":"{JKT}="}}"#),
            format!(r#"{{"jkt":"{}"}}"#, JKT.split_at(1).1),
            format!(r#"{{"jkt":"{JKT}A"}}"#),
            // The same digest for a reader that drops the last two bits, as in RFC 8705 §3.1.
            format!(r#"{{"x5t#S256":"{X5T}"}}"#),
            format!(r#"{{"jkt":"{}"}}"#, base64url::encode([7; 31])),
            format!(r#"{{"jkt":"{}"}}"#, base64url::encode([7; 33])),
            format!(r#"{{"jkt":"{}"}}"#, JKT.replace('-', "+")),
        ] {
            assert_eq!(parse(&json), Err(Refusal::ConfirmationMalformed), "{json}");
        }
    }

    #[test]
    fn nothing_replaces_what_is_demanded() {
        assert_eq!(matches(None, None), Ok(()));
        assert_eq!(matches(None, Some(&[1; 32])), Ok(()));
        assert_eq!(matches(Some(&[1; 32]), Some(&[1; 32])), Ok(()));
        assert_eq!(
            matches(Some(&[1; 32]), None),
            Err(Refusal::SenderConstrained)
        );
        for place in [0, 15, 31] {
            let mut other = [1; 32];
            other[place] ^= 1;
            let answer = matches(Some(&[1; 32]), Some(&other));
            assert_eq!(answer, Err(Refusal::PossessionMismatch));
        }
    }
}
