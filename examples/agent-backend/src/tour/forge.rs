//! Tokens, good ones and others.

use core::time::Duration;
use std::cell::RefCell;
use std::error::Error;
use std::path::Path;

use ring::hmac;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ringwall_authn::{SigningKey, TokenIssuer, TokenRequest};
use ringwall_core::clock::{SystemClock, Timestamp, WallClock as _};
use ringwall_core::principal::{OrgId, ProjectId, Role, Scope, Subject, Tenant};
use ringwall_jose::{Algorithm, base64url};
use serde_json::{Value, json};

use crate::dev_issuer;

/// Who a token is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) subject: &'static str,
    pub(crate) tenant: Option<(&'static str, Option<&'static str>)>,
    pub(crate) scopes: &'static [&'static str],
    /// What the token says that it is. A development issuer is believed.
    pub(crate) roles: &'static [&'static str],
    /// How many seconds ago the login was (`auth_time`), if the token says so.
    pub(crate) login_age: Option<i64>,
    /// How well the person was authenticated (`acr`), if the token says so.
    pub(crate) acr: Option<&'static str>,
}

/// Works in the project alpha of acme, has just logged in, and may do everything there.
pub(crate) const ALPHA: Who = Who {
    subject: "alpha-writer",
    tenant: Some(("acme", Some("alpha"))),
    scopes: &["cases:read", "cases:write", "audit:read"],
    roles: &[],
    login_age: Some(0),
    acr: None,
};

/// Whoever holds the private key of the development issuer, as a thief would: tokens with anything
/// in them, rightly signed. The issuer's own methods make good tokens only.
pub(crate) struct Forge {
    issuer: TokenIssuer,
    pair: Ed25519KeyPair,
    /// A key that the service does not know.
    foreign: Ed25519KeyPair,
    now: i64,
    /// Every token that was made, to look for in the logs.
    made: RefCell<Vec<String>>,
}

impl Forge {
    pub(crate) fn new(data_dir: &Path) -> Result<Self, Box<dyn Error>> {
        let pkcs8 = dev_issuer::read_key(data_dir)?;
        let foreign = SigningKey::generate_pkcs8(Algorithm::EdDsa)?;
        let pair = |pkcs8: &[u8]| Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8);
        Ok(Self {
            issuer: dev_issuer::open(data_dir)?,
            pair: pair(pkcs8.expose()).map_err(|_| "the development key is malformed")?,
            foreign: pair(foreign.expose()).map_err(|_| "the foreign key is malformed")?,
            now: SystemClock::new().now()?.unix_seconds(),
            made: RefCell::default(),
        })
    }

    /// A good token.
    pub(crate) fn good(&self, who: &Who) -> String {
        self.issue(&self.issuer, who, dev_issuer::AUDIENCE)
    }

    /// A good token of another issuer.
    pub(crate) fn issue(&self, issuer: &TokenIssuer, who: &Who, audience: &str) -> String {
        let issue = || {
            let subject = Subject::new(who.subject).ok()?;
            let scopes: Result<Vec<_>, _> =
                who.scopes.iter().map(|text| Scope::new(*text)).collect();
            let roles: Result<Vec<_>, _> = who.roles.iter().map(|text| Role::new(*text)).collect();
            let mut request = TokenRequest::new(subject, audience)
                .lifetime(Duration::from_secs(600))
                .scopes(scopes.ok()?)
                .roles(roles.ok()?);
            if let Some((org, project)) = who.tenant {
                request = request.tenant(Tenant {
                    org: OrgId::new(org).ok()?,
                    project: project.map(ProjectId::new).transpose().ok()?,
                });
            }
            let now = SystemClock::new().now().ok()?;
            if let Some(age) = who.login_age {
                let login = now.unix_seconds().saturating_sub(age);
                request = request.claim("auth_time", login.into());
            }
            if let Some(acr) = who.acr {
                request = request.claim("acr", acr.into());
            }
            let issued = issuer.issue(&request, now).ok()?;
            Some(issued.token.expose().to_owned())
        };
        // Without a token the step fails, and says so.
        self.keep(issue().unwrap_or_default())
    }

    /// The header of a good token.
    pub(crate) fn header() -> Value {
        json!({ "alg": "EdDSA", "kid": dev_issuer::KEY_ID, "typ": "at+jwt" })
    }

    /// The claims of a good token.
    pub(crate) fn claims(&self) -> Value {
        json!({
            "iss": dev_issuer::ISSUER,
            "aud": dev_issuer::AUDIENCE,
            "sub": ALPHA.subject,
            "client_id": "agent-backend-tour",
            "jti": "tour",
            "iat": self.now,
            "exp": self.now.saturating_add(600),
            "scope": "cases:read cases:write audit:read",
            "org_id": "acme",
            "project_id": "alpha",
        })
    }

    /// The time in seconds, this much later or earlier.
    pub(crate) const fn at(&self, seconds: i64) -> i64 {
        self.now.saturating_add(seconds)
    }

    /// The date in so many days, as RFC 3339 has it.
    pub(crate) fn date(&self, days: i64) -> String {
        let seconds = self.at(days.saturating_mul(24 * 3600));
        let at = Timestamp::from_unix_seconds(seconds);
        at.unwrap_or(Timestamp::UNIX_EPOCH).to_string()
    }

    /// Good claims but for one.
    pub(crate) fn with_claim(&self, name: &str, value: impl Into<Value>) -> String {
        let claims = with(self.claims(), name, value.into());
        self.sign(&Self::header().to_string(), &claims.to_string())
    }

    /// Good claims but for these.
    pub(crate) fn with_claims<const N: usize>(&self, other: [(&str, &str); N]) -> String {
        let claims = other
            .into_iter()
            .fold(self.claims(), |claims, (name, value)| {
                with(claims, name, value.into())
            });
        self.sign(&Self::header().to_string(), &claims.to_string())
    }

    /// Good claims without one.
    pub(crate) fn without_claim(&self, name: &str) -> String {
        let mut claims = self.claims();
        if let Some(claims) = claims.as_object_mut() {
            claims.remove(name);
        }
        self.sign(&Self::header().to_string(), &claims.to_string())
    }

    /// A good header but for one parameter.
    pub(crate) fn with_header(&self, name: &str, value: impl Into<Value>) -> String {
        let header = with(Self::header(), name, value.into());
        self.sign(&header.to_string(), &self.claims().to_string())
    }

    /// These texts, rightly signed.
    pub(crate) fn sign(&self, header: &str, claims: &str) -> String {
        self.seal(header, claims, |message| {
            self.pair.sign(message).as_ref().to_vec()
        })
    }

    /// These texts, signed with a key that the service does not know.
    pub(crate) fn sign_foreign(&self, header: &str, claims: &str) -> String {
        self.seal(header, claims, |message| {
            self.foreign.sign(message).as_ref().to_vec()
        })
    }

    /// The public part of that key, as a JSON Web Key.
    pub(crate) fn foreign_jwk(&self) -> Value {
        let point = base64url::encode(self.foreign.public_key());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": point })
    }

    /// Unsigned (RFC 7519 §6), under one of the names of `none`.
    pub(crate) fn unsigned(&self, alg: &str) -> String {
        let header = with(Self::header(), "alg", alg.into());
        self.seal(&header.to_string(), &self.claims().to_string(), |_| {
            Vec::new()
        })
    }

    /// HMAC keyed with the public key (RFC 8725 §2.1).
    pub(crate) fn confused(&self) -> String {
        let header = with(Self::header(), "alg", "HS256".into());
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.pair.public_key().as_ref());
        self.seal(&header.to_string(), &self.claims().to_string(), |message| {
            hmac::sign(&key, message).as_ref().to_vec()
        })
    }

    /// Other claims under the signature of a good token.
    pub(crate) fn with_other_payload(&self) -> String {
        let good = self.good(&ALPHA);
        let claims = with(self.claims(), "org_id", "globex".into());
        let mut parts = good.split('.');
        let (header, _, signature) = (parts.next(), parts.next(), parts.next());
        let payload = base64url::encode(claims.to_string());
        let (header, signature) = (header.unwrap_or_default(), signature.unwrap_or_default());
        self.keep(format!("{header}.{payload}.{signature}"))
    }

    /// A good token, one character of its signature changed.
    pub(crate) fn with_other_signature(&self) -> String {
        let good = self.good(&ALPHA);
        let (message, signature) = good.rsplit_once('.').unwrap_or_default();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        let rest: String = signature.chars().skip(1).collect();
        self.keep(format!("{message}.{first}{rest}"))
    }

    /// Remembers a token that was made elsewhere.
    pub(crate) fn keep(&self, token: String) -> String {
        self.made.borrow_mut().push(token.clone());
        token
    }

    pub(crate) fn made(&self) -> Vec<String> {
        self.made.borrow().clone()
    }

    fn seal(&self, header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
        let message = format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(claims)
        );
        let signature = base64url::encode(sign(message.as_bytes()));
        self.keep(format!("{message}.{signature}"))
    }
}

/// An object with one member set.
pub(crate) fn with(mut object: Value, name: &str, value: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}
