//! JWK Sets of Ed25519 keys.

use std::fmt::Write as _;

use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use ringwall_authn::jose::base64url;

/// A key in its JSON form.
#[derive(Clone, Debug)]
pub struct Jwk {
    pub id: String,
    pub json: String,
}

impl Jwk {
    /// Of a public key.
    #[must_use]
    pub fn of(id: &str, point: &[u8]) -> Self {
        let x = base64url::encode(point);
        let json = format!(
            r#"{{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"{id}","x":"{x}"}}"#
        );
        Self {
            id: id.to_owned(),
            json,
        }
    }

    /// A new key.
    ///
    /// # Panics
    ///
    /// When the system gives no random bytes.
    #[must_use]
    pub fn fresh(id: &str) -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("an Ed25519 key");
        Self::of(id, pair.public_key().as_ref())
    }
}

/// The document of these keys.
#[must_use]
pub fn document<'a>(keys: impl IntoIterator<Item = &'a Jwk>) -> String {
    let mut text = String::from(r#"{"keys":["#);
    for (place, key) in keys.into_iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        write!(text, "{comma}{}", key.json).expect("a string grows");
    }
    text.push_str("]}");
    text
}

/// Two sets that differ in their last key and share all others, `wanted` among them.
#[derive(Clone, Debug)]
pub struct Rotation {
    pub sets: [Vec<Jwk>; 2],
}

impl Rotation {
    /// Sets of `count` keys, with `wanted` in the middle: some look a key up by going through all
    /// of them. Of one key, the second set has another one more.
    #[must_use]
    pub fn new(count: usize, wanted: &Jwk) -> Self {
        let mut keys: Vec<Jwk> = (1..count)
            .map(|number| Jwk::fresh(&format!("k{number:04}")))
            .collect();
        keys.insert(keys.len() / 2, wanted.clone());
        let mut others = keys.clone();
        if count > 1 {
            others.pop();
        }
        others.push(Jwk::fresh("other"));
        Self {
            sets: [keys, others],
        }
    }

    /// Their documents.
    #[must_use]
    pub fn documents(&self) -> [String; 2] {
        [document(&self.sets[0]), document(&self.sets[1])]
    }
}
