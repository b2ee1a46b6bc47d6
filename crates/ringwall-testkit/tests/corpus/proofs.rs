//! Tokens that are bound to a key, and proofs of it (RFC 9449), good ones and others.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use ringwall_authn::jose::{Curve, PublicKey, base64url};
use ringwall_authn::{DpopNonces, DpopPolicy};
use ringwall_core::secret::SecretBytes;
use ringwall_replay::MemoryReplay;
use serde_json::{Value, json};

use crate::credentials;

/// What clients know the service by.
const ORIGIN: &str = "http://corpus.example";

/// A client's key, and the key of somebody else.
#[derive(Debug)]
pub(crate) struct Holder {
    own: Key,
    other: Key,
    /// Proofs are good once.
    made: AtomicU64,
}

#[derive(Debug)]
struct Key {
    pair: EcdsaKeyPair,
    public: PublicKey,
}

impl Key {
    fn new() -> Self {
        let random = SystemRandom::new();
        let parameters = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(parameters, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(parameters, pkcs8.as_ref(), &random).expect("a key");
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..).expect("a point").split_at(32);
        Self {
            public: PublicKey::ec(Curve::P256, x, y).expect("a point"),
            pair,
        }
    }

    fn jwk(&self) -> Value {
        serde_json::from_str(&self.public.required_members().to_string()).expect("JSON")
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| base64url::encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = base64url::encode(signature.expect("a signature"));
        format!("{signed}.{signature}")
    }
}

impl Holder {
    pub(crate) fn new() -> Self {
        Self {
            own: Key::new(),
            other: Key::new(),
            made: AtomicU64::new(0),
        }
    }

    /// What its tokens are bound to.
    pub(crate) fn thumbprint(&self) -> [u8; 32] {
        self.own.public.thumbprint()
    }

    /// A proof for a request with this token; what is wrong with it is its name.
    pub(crate) fn prove(
        &self,
        name: &str,
        token: &str,
        method: &str,
        target: &str,
        nonce: Option<&str>,
    ) -> Option<String> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let path = target.split('?').next().unwrap_or_default();
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        let now = credentials::now().unix_seconds();
        let mut header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.own.jwk() });
        let mut claims = json!({
            "jti": format!("proof-{number}"),
            "htm": method,
            "htu": format!("{ORIGIN}{path}"),
            "iat": now,
            "ath": base64url::encode(digest),
        });
        let mut set = |member: &str, value: Value| {
            if let Some(claims) = claims.as_object_mut() {
                claims.insert(member.to_owned(), value);
            }
        };
        if let Some(nonce) = nonce {
            set("nonce", nonce.into());
        }
        match name {
            "good" => {}
            "method" => set("htm", "PUT".into()),
            "lower_case" => set("htm", method.to_ascii_lowercase().into()),
            "path" => set("htu", format!("{ORIGIN}{path}/other").into()),
            "host" => set("htu", format!("http://other.example{path}").into()),
            "https" => set("htu", format!("https://corpus.example{path}").into()),
            "old" => set("iat", now.saturating_sub(61).into()),
            "early" => set("iat", now.saturating_add(6).into()),
            "other_token" => set("ath", base64url::encode([7; 32]).into()),
            "no_token" => set("ath", Value::Null),
            "other_key" => {
                let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.other.jwk() });
                return Some(self.other.sign(&header, &claims));
            }
            "forged" => return Some(self.other.sign(&header, &claims)),
            "type" => set_in(&mut header, "typ", "JWT".into()),
            "unsigned" => {
                set_in(&mut header, "alg", "none".into());
                let signed = self.own.sign(&header, &claims);
                let (signed, _) = signed.rsplit_once('.')?;
                return Some(format!("{signed}."));
            }
            "private" => {
                let mut jwk = self.own.jwk();
                set_in(&mut jwk, "d", base64url::encode([7; 32]).into());
                set_in(&mut header, "jwk", jwk);
            }
            _ => return None,
        }
        Some(self.own.sign(&header, &claims))
    }
}

fn set_in(object: &mut Value, member: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(member.to_owned(), value);
    }
}

/// The nonces of all services: none of them is told more than what the others tell.
pub(crate) fn nonces() -> DpopNonces {
    shared(b"the secret of every service here")
}

fn shared(secret: &[u8]) -> DpopNonces {
    let nonces = DpopNonces::shared(&SecretBytes::new(secret.to_vec()));
    nonces
        .and_then(|nonces| nonces.step(STEP))
        .expect("a secret")
}

/// How long a nonce is given out.
const STEP: Duration = Duration::from_secs(60);

/// A nonce by its name; `None` for a name that is none. `answered` is the one of the answer before.
pub(crate) fn nonce(name: &str, answered: Option<&str>) -> Option<String> {
    let now = credentials::now();
    let ago = |steps| {
        let at = now.checked_sub(STEP.saturating_mul(steps));
        nonces().issue(at.expect("in range"))
    };
    Some(match name {
        "answered" => answered?.to_owned(),
        "current" => ago(0),
        "older" => ago(1),
        "stale" => ago(2),
        "elsewhere" => shared(b"the secret of some other service").issue(now),
        "empty" => String::new(),
        _ => return None,
    })
}

/// What the gate demands of proofs.
pub(crate) fn policy(nonces: Option<DpopNonces>) -> DpopPolicy {
    // What was claimed before is unknown, and there was nothing before.
    let start = credentials::now().checked_sub(Duration::from_secs(3600));
    let store = MemoryReplay::strict(start.expect("in range"));
    let policy = DpopPolicy::builder(Arc::new(store)).public_origin(ORIGIN);
    let policy = match nonces {
        Some(nonces) => policy.nonces(nonces),
        None => policy,
    };
    policy.build().expect("a policy")
}
