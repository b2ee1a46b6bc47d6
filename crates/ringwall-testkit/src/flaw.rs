//! Bad tokens, each bad in one way.

use core::time::Duration;

use ring::hmac;
use ringwall_authn::Refusal;
use ringwall_core::clock::Timestamp;
use ringwall_jose::{CompactError, base64url};
use serde_json::{Map, Value, json};

use crate::failure::{fail, must};
use crate::issuer::{Signer, stranger};
use crate::token::{Token, TokenDraft};

/// How far beyond every permitted clock skew a bad time is.
const FAR: Duration = Duration::from_secs(3600);

/// One way in which a token is bad. Everything else about it is good, so that nothing but the check
/// for this flaw can refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flaw {
    /// It expired an hour ago.
    Expired,
    /// It holds from an hour from now on (`nbf`).
    NotYetValid,
    /// It will be issued an hour from now (`iat`).
    IssuedInFuture,
    /// It never ends.
    NoExpiry,
    /// It is for another service.
    AnotherAudience,
    /// It says that another issuer issued it.
    AnotherIssuer,
    /// It is signed by another key, under the id of the issuer's own.
    AnotherKey,
    /// It is signed by another key, under that key's id.
    UnknownKey,
    /// Its claims were changed after it was signed: it grants the scope `*`.
    Tampered,
    /// It has no signature (`"alg": "none"`, RFC 8725 §2.1).
    Unsigned,
    /// It is "signed" with the issuer's public key as a shared secret (RFC 8725 §2.1).
    PublicKeyAsSecret,
    /// It is of another type: `JWT`, as ID tokens are (RFC 8725 §3.11).
    AnotherType,
    /// It is bound to a key of its holder (`cnf`, RFC 7800), and nobody shows that key.
    Bound,
    /// It was revoked.
    Revoked,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 14] = [
        Self::Expired,
        Self::NotYetValid,
        Self::IssuedInFuture,
        Self::NoExpiry,
        Self::AnotherAudience,
        Self::AnotherIssuer,
        Self::AnotherKey,
        Self::UnknownKey,
        Self::Tampered,
        Self::Unsigned,
        Self::PublicKeyAsSecret,
        Self::AnotherType,
        Self::Bound,
        Self::Revoked,
    ];

    /// What is wrong, in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired an hour ago",
            Self::NotYetValid => "not valid for another hour",
            Self::IssuedInFuture => "issued an hour from now",
            Self::NoExpiry => "without an end",
            Self::AnotherAudience => "for another audience",
            Self::AnotherIssuer => "of another issuer",
            Self::AnotherKey => "signed by another key under the issuer's key id",
            Self::UnknownKey => "signed by a key that the issuer does not have",
            Self::Tampered => "changed after it was signed",
            Self::Unsigned => "without a signature",
            Self::PublicKeyAsSecret => "signed with the public key as a secret",
            Self::AnotherType => "of another type",
            Self::Bound => "bound to a key that nobody shows",
            Self::Revoked => "revoked",
        }
    }

    /// The precise cause for which such a token is refused, as the event names it.
    #[must_use]
    pub const fn cause(self) -> Refusal {
        match self {
            Self::Expired => Refusal::Expired,
            Self::NotYetValid => Refusal::NotYetValid,
            Self::IssuedInFuture => Refusal::IssuedInFuture,
            Self::NoExpiry => Refusal::ExpiryMalformed,
            Self::AnotherAudience => Refusal::AudienceMismatch,
            Self::AnotherIssuer => Refusal::IssuerUnknown,
            Self::AnotherKey | Self::Tampered => Refusal::Signature,
            Self::UnknownKey => Refusal::KeyUnknown,
            Self::Unsigned => Refusal::Form(CompactError::Segments),
            Self::PublicKeyAsSecret => Refusal::AlgorithmMismatch,
            Self::AnotherType => Refusal::TokenType,
            Self::Bound => Refusal::SenderConstrained,
            Self::Revoked => Refusal::Revoked,
        }
    }
}

/// The token that `draft` describes, with one flaw.
#[track_caller]
pub(crate) fn make(draft: &TokenDraft, flaw: Flaw) -> Token {
    let issuer = draft.issuer();
    let now = issuer.now();
    let (past, future) = (now.checked_sub(FAR), now.checked_add(FAR));
    let mut token = draft.issue_at(now);
    let signer = issuer.signer();
    let claims =
        |change: &dyn Fn(&mut Map<String, Value>)| resign(&token, Some(&signer), &|_| {}, change);
    let text = match flaw {
        Flaw::Expired => claims(&|claims| {
            claims.insert("exp".to_owned(), seconds(past));
        }),
        Flaw::NotYetValid => claims(&|claims| {
            claims.insert("nbf".to_owned(), seconds(future));
        }),
        Flaw::IssuedInFuture => claims(&|claims| {
            claims.insert("iat".to_owned(), seconds(future));
            claims.insert(
                "exp".to_owned(),
                seconds(future.and_then(|at| at.checked_add(FAR))),
            );
        }),
        Flaw::NoExpiry => claims(&|claims| {
            claims.remove("exp");
        }),
        Flaw::AnotherAudience => claims(&|claims| {
            claims.insert("aud".to_owned(), json!("https://another-service.example"));
        }),
        Flaw::AnotherIssuer => claims(&|claims| {
            claims.insert("iss".to_owned(), json!("https://another-issuer.example"));
        }),
        Flaw::Bound => claims(&|claims| {
            claims.insert(
                "cnf".to_owned(),
                json!({ "jkt": base64url::encode([7; 32]) }),
            );
        }),
        Flaw::AnotherKey => {
            // The header keeps the issuer's key id.
            resign(&token, Some(&stranger()), &|_| {}, &|_| {})
        }
        Flaw::UnknownKey => {
            let stranger = stranger();
            let rename = |header: &mut Map<String, Value>| {
                header.insert("kid".to_owned(), json!(stranger.id));
            };
            resign(&token, Some(&stranger), &rename, &|_| {})
        }
        Flaw::Tampered => tamper(&token),
        Flaw::Unsigned => {
            let none = |header: &mut Map<String, Value>| {
                header.insert("alg".to_owned(), json!("none"));
            };
            resign(&token, None, &none, &|_| {})
        }
        Flaw::PublicKeyAsSecret => sign_with_public_key(&token, &signer),
        Flaw::AnotherType => {
            let id_token = |header: &mut Map<String, Value>| {
                header.insert("typ".to_owned(), json!("JWT"));
            };
            resign(&token, Some(&signer), &id_token, &|_| {})
        }
        Flaw::Revoked => {
            issuer.revoke(&token);
            token.as_str().to_owned()
        }
    };
    token.text = text.into();
    token.about = format!("{}, {}", token.about, flaw.as_str()).into();
    token
}

fn seconds(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, |at| at.unix_seconds().into())
}

/// Changes what a token says, and signs it again with `signer`, or not at all.
#[track_caller]
fn resign(
    token: &Token,
    signer: Option<&Signer>,
    change_header: &dyn Fn(&mut Map<String, Value>),
    change_claims: &dyn Fn(&mut Map<String, Value>),
) -> String {
    let (mut header, mut claims, _) = open(token);
    change_header(&mut header);
    change_claims(&mut claims);
    let message = join(header, claims);
    let signature = signer.map(|signer| signer.sign(message.as_bytes()));
    format!(
        "{message}.{}",
        base64url::encode(signature.unwrap_or_default())
    )
}

/// Keeps the signature and grants more.
#[track_caller]
fn tamper(token: &Token) -> String {
    let (header, mut claims, signature) = open(token);
    claims.insert("scope".to_owned(), json!("*"));
    format!("{}.{signature}", join(header, claims))
}

/// The confusion of algorithms: what everybody knows is taken for a secret.
#[track_caller]
fn sign_with_public_key(token: &Token, signer: &Signer) -> String {
    let (mut header, claims, _) = open(token);
    header.insert("alg".to_owned(), json!("HS256"));
    let message = join(header, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, signer.public_key());
    let signature = hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64url::encode(signature))
}

fn join(header: Map<String, Value>, claims: Map<String, Value>) -> String {
    let encode = |object| base64url::encode(Value::Object(object).to_string());
    format!("{}.{}", encode(header), encode(claims))
}

/// The header, the claims and the signature as it stands.
#[track_caller]
fn open(token: &Token) -> (Map<String, Value>, Map<String, Value>, &str) {
    let mut segments = token.as_str().split('.');
    let mut object = || {
        let decoded = segments.next().and_then(base64url::decode);
        let parsed = serde_json::from_slice(&decoded.unwrap_or_default());
        must(parsed, "a token of the issuer cannot be read")
    };
    let (header, claims) = (object(), object());
    match segments.next() {
        Some(signature) => (header, claims, signature),
        None => fail("a token of the issuer has no signature"),
    }
}
