//! Proofs of possession, for the area `credentials`: a whole request with a bound token that was
//! verified before, a fresh proof, and the claim in a store, against the signature of the proof alone.

use std::{hint::black_box, sync::Arc};

use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
        UnparsedPublicKey,
    },
};
use ringwall_authn::{
    DpopNonces, DpopPolicy, IssuerPolicy, SigningKey, TokenAuthenticator, TokenIssuer,
    TokenRequest, TokenVerifier,
    jose::{Algorithm, Curve, PublicKey, StaticKeys, base64url},
};
use ringwall_core::{
    clock::{ManualClock, Timestamp},
    principal::{Scope, Subject},
    request::RequestView,
    step::Step,
};
use ringwall_replay::MemoryReplay;

use crate::{
    goals::Goals,
    race::{Length, Race},
    report::{Report, fastest, print_times},
};

/// What a request may take beyond the signature of its proof, in nanoseconds.
const OVERHEAD_GOAL: f64 = 5000.0;

/// The time of all of them.
const NOW: i64 = 1_785_000_000;

const PEER: &str = "primitive-ring";

/// A proof, ready to be sent and ready to be verified.
struct Made {
    text: String,
    signature: Vec<u8>,
}

impl Made {
    fn signed(&self) -> &[u8] {
        let (signed, _) = self.text.rsplit_once('.').expect("three segments");
        signed.as_bytes()
    }
}

/// A client, its token, and its proofs.
struct Client {
    authorization: String,
    point: Vec<u8>,
    proofs: Vec<Made>,
    authenticator: TokenAuthenticator,
}

impl Client {
    fn new(proofs: usize, nonces: Option<DpopNonces>) -> Self {
        let random = SystemRandom::new();
        let parameters = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(parameters, &random).expect("a key");
        let pair = EcdsaKeyPair::from_pkcs8(parameters, pkcs8.as_ref(), &random).expect("a key");
        let point = pair.public_key().as_ref().to_vec();
        let (x, y) = point[1..].split_at(32);
        let public = PublicKey::ec(Curve::P256, x, y).expect("a point");
        let now = Timestamp::from_unix_seconds(NOW).expect("in range");
        let nonce = nonces.as_ref().map(|nonces| nonces.issue(now));

        let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).expect("a key");
        let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8).expect("a key");
        let issuer = TokenIssuer::new("https://id.example.com", key);
        let request = TokenRequest::new(Subject::new("user-1").expect("a subject"), "api")
            .scopes([Scope::new("cases:read").expect("a scope")])
            .bound_to_key(&public.thumbprint());
        let token = issuer.issue(&request, now).expect("a token");
        let token = token.token.expose();

        let keys = Arc::new(StaticKeys::new(issuer.key_set().expect("keys")));
        let policy = IssuerPolicy::builder(issuer.issuer(), "api", keys).build();
        let verifier = TokenVerifier::builder()
            .issuer(policy.expect("a policy"))
            .build()
            .expect("a verifier");
        let start = Timestamp::from_unix_seconds(NOW - 3600).expect("in range");
        let mut policy = DpopPolicy::builder(Arc::new(MemoryReplay::strict(start)))
            .public_origin("https://api.example.com");
        if let Some(nonces) = nonces {
            policy = policy.nonces(nonces);
        }
        let authenticator = TokenAuthenticator::builder(verifier)
            .clock(Arc::new(ManualClock::new(now)))
            .dpop(policy.build().expect("a policy"))
            .build();

        let header = base64url::encode(format!(
            r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{}}}"#,
            public.required_members()
        ));
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        let digest = base64url::encode(digest);
        let nonce = nonce.map_or_else(String::new, |nonce| format!(r#","nonce":"{nonce}""#));
        let make = |number: usize| {
            let claims = format!(
                r#"{{"jti":"proof-{number:016}","htm":"GET","htu":"https://api.example.com/v1/cases","iat":{NOW},"ath":"{digest}"{nonce}}}"#
            );
            let signed = format!("{header}.{}", base64url::encode(claims));
            let signature = pair.sign(&random, signed.as_bytes()).expect("a signature");
            let signature = signature.as_ref().to_vec();
            let text = format!("{signed}.{}", base64url::encode(&signature));
            Made { text, signature }
        };
        Self {
            authorization: format!("DPoP {token}"),
            point,
            proofs: (0..proofs).map(make).collect(),
            authenticator,
        }
    }

    /// The next request.
    fn send(&self, number: usize) {
        let proof = &self.proofs[number % self.proofs.len()];
        let headers = [
            ("authorization", self.authorization.as_str()),
            ("dpop", proof.text.as_str()),
        ];
        let view = RequestView {
            method: "GET",
            scheme: Some("https"),
            authority: Some("api.example.com"),
            raw_path: "/v1/cases",
            raw_query: None,
            socket_peer: None,
            client_address: None,
            tls_peer: None,
            headers: &headers,
        };
        let Step::Done(answer) = self.authenticator.authenticate(black_box(&view)) else {
            panic!("nothing to wait for")
        };
        // Were there more requests than proofs, the later ones are refused, after the same work.
        assert!(answer.is_ok() || number >= self.proofs.len());
        drop(black_box(answer));
    }
}

/// Runs the cases and adds them to the report.
pub fn measure(length: Length, report: &mut Report, goals: &mut Goals) {
    let proofs = if length.is_smoke() { 64 } else { 1 << 16 };
    let nonces = DpopNonces::of_this_process().expect("random bytes");
    let plain = Client::new(proofs, None);
    let with_nonce = Client::new(proofs, Some(nonces));
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, plain.point.clone());

    let (mut first, mut second, mut third) = (0, 0, 0);
    let mut race = Race::new();
    race.add("ours nonce=no", || {
        plain.send(first);
        first += 1;
    });
    race.add("ours nonce=yes", || {
        with_nonce.send(second);
        second += 1;
    });
    race.add(PEER, || {
        let proof = &plain.proofs[third % plain.proofs.len()];
        third += 1;
        key.verify(black_box(proof.signed()), &proof.signature)
            .expect("a good signature");
    });
    let times = race.run(length);
    print_times("DPoP, ES256, with a token that was verified before", &times);
    let peer = fastest(&times, PEER);
    for nonce in ["no", "yes"] {
        let ours = fastest(&times, &format!("ours nonce={nonce}"));
        let case = format!("kind=dpop alg=ES256 nonce={nonce}");
        report.compare(&case, ours, PEER, peer);
        goals.at_most(
            &format!("DPoP ES256, nonce={nonce}: beyond the signature"),
            OVERHEAD_GOAL,
            ours - peer,
            "ns",
        );
    }
}
