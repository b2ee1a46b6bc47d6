//! Proofs of possession: what is accepted is signed by the token's key, and for this request, token
//! and moment alone, and once. Nothing else reaches the store.

#![no_main]

use std::collections::HashSet;
use std::sync::{Arc, LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ringwall_authn::DpopPolicy;
use ringwall_authn::jose::{CompactJws, CompactLimits, PublicKey, base64url};
use ringwall_core::clock::Timestamp;
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_replay::{Claim, ClaimRequest, ReplayStore, ReplayUnavailable};
use serde_json::Value;

const TOKEN: &str = "an.access.token";
const NOW: i64 = 1_767_225_600;

/// Remembers everything, until it is told to forget.
#[derive(Debug, Default)]
struct Store(Mutex<HashSet<[u8; 32]>>);

impl ReplayStore for Store {
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        assert!(request.valid_from <= request.now && request.now < request.valid_until);
        let is_first = self.0.lock().unwrap().insert(*request.key.as_bytes());
        Step::Done(Ok(if is_first {
            Claim::First
        } else {
            Claim::Repeated
        }))
    }
}

struct Setup {
    pair: Ed25519KeyPair,
    jwk: String,
    thumbprint: [u8; 32],
    digest: String,
    store: Arc<Store>,
    policy: DpopPolicy,
}

static SETUP: LazyLock<Setup> = LazyLock::new(|| {
    // The seed is fixed, so that inputs can be repeated.
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = PublicKey::ed25519(pair.public_key().as_ref()).unwrap();
    let store = Arc::new(Store::default());
    let policy = DpopPolicy::builder(Arc::<Store>::clone(&store))
        .public_origin("https://api.example")
        .build()
        .unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, TOKEN.as_bytes());
    Setup {
        pair,
        jwk: public.required_members(),
        thumbprint: public.thumbprint(),
        digest: base64url::encode(digest),
        store,
        policy,
    }
});

impl Setup {
    /// Signs a header and claims; `KEY` and `ATH` in them stand for what a client would put there.
    fn sign(&self, header: &str, claims: &str) -> String {
        let header = header.replace("KEY", &self.jwk);
        let claims = claims.replace("ATH", &self.digest);
        let signed = format!(
            "{}.{}",
            base64url::encode(header),
            base64url::encode(claims)
        );
        let signature = base64url::encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    fn accepts(&self, proof: &str) -> bool {
        let headers = [("dpop", proof)];
        let view = RequestView {
            method: "GET",
            scheme: None,
            authority: None,
            raw_path: "/cases",
            raw_query: None,
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: &headers,
        };
        let now = Timestamp::from_unix_seconds(NOW).unwrap();
        match self.policy.verify(&view, TOKEN, &self.thumbprint, now) {
            Step::Done(answer) => answer.is_ok(),
            Step::Wait(_) => panic!("the store does not wait"),
        }
    }
}

fn json(segment: &str) -> Value {
    let bytes = base64url::decode(segment).expect("strict base64url");
    serde_json::from_slice(&bytes).expect("accepted parts are JSON")
}

/// The other reader leaves escapes of unreserved characters as they are.
fn decoded(path: &str) -> Vec<u8> {
    let mut parts = path.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

fuzz_target!(|input: &[u8]| {
    let Ok(text) = core::str::from_utf8(input) else {
        return;
    };
    let setup = &*SETUP;
    let proof = match text.split_once('\n') {
        Some((header, claims)) => setup.sign(header, claims),
        None => text.to_owned(),
    };
    let is_accepted = setup.accepts(&proof);
    let claimed = setup.store.0.lock().unwrap().len();
    assert_eq!(claimed, usize::from(is_accepted), "junk in the store");
    if !is_accepted {
        return;
    }
    assert!(
        CompactJws::parse(&proof, CompactLimits::default()).is_err(),
        "what brings its key is no token"
    );
    assert!(!setup.accepts(&proof), "a proof is good once");
    setup.store.0.lock().unwrap().clear();
    let parts: Vec<&str> = proof.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("three segments")
    };
    let signed = format!("{header}.{claims}");
    let made = setup.pair.sign(signed.as_bytes());
    assert_eq!(base64url::encode(made), signature, "signed by the key");
    let (header, claims) = (json(header), json(claims));
    assert_eq!(header["typ"], "dpop+jwt");
    assert!(header["jwk"].get("d").is_none());
    for extension in ["crit", "b64", "zip", "cty", "jku", "x5u", "x5c"] {
        assert!(header.get(extension).is_none());
    }
    assert_eq!(claims["htm"], "GET");
    assert_eq!(claims["ath"], setup.digest.as_str());
    let issued_at = claims["iat"].as_i64().expect("a whole number");
    assert!((NOW - 60..=NOW + 5).contains(&issued_at));
    assert!(!claims["jti"].as_str().expect("a text").is_empty());
    // Another reader of URLs finds the same target.
    let target = url::Url::parse(claims["htu"].as_str().expect("a text")).expect("a URL");
    assert_eq!(target.origin().ascii_serialization(), "https://api.example");
    assert_eq!(decoded(target.path()), b"/cases");
});
