//! For services that decode with jsonwebtoken.

use ::jsonwebtoken::{Algorithm, EncodingKey, Header, decode, decode_header, encode};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use ringwall_jose::base64url;
use ringwall_jwks_client::DecodingKeyError;
use serde_json::{Value, json};

use crate::support::*;

fn pair(id: &str) -> (EncodingKey, String) {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let x = base64url::encode(public.public_key().as_ref());
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"{x}"}}"#);
    (EncodingKey::from_ed_der(pkcs8.as_ref()), jwk)
}

fn token(key: &EncodingKey, id: &str, claims: &Value) -> String {
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some(id.to_owned());
    encode(&header, claims, key).unwrap()
}

#[tokio::test(start_paused = true)]
async fn decodes_with_the_keys_of_the_client_and_finds_rotated_ones() {
    let ((old, old_jwk), (new, new_jwk)) = (pair("old"), pair("new"));
    let fetcher = Scripted::serving(&format!(r#"{{"keys":[{old_jwk}]}}"#));
    let bench = Bench::ready(&fetcher).await;
    fetcher.serve(&format!(r#"{{"keys":[{old_jwk},{new_jwk}]}}"#));
    let good = json!({ "iss": ISSUER, "aud": "api", "exp": 32_503_680_000_u64 });
    for (key, id) in [(&old, "old"), (&new, "new")] {
        let token = token(key, id, &good);
        let pinned = bench
            .client
            .decoding_key(&decode_header(&token).unwrap())
            .await
            .unwrap();
        let validation = pinned.validation(ISSUER, "api");
        let decoded = decode::<Value>(&token, &pinned.key, &validation).unwrap();
        assert_eq!(decoded.claims, good);
    }
    assert_eq!(fetcher.calls(), 2);
    // What jsonwebtoken by itself lets pass.
    let header = decode_header(token(&old, "old", &good)).unwrap();
    let pinned = bench.client.decoding_key(&header).await.unwrap();
    let validation = pinned.validation(ISSUER, "api");
    for (claim, value) in [
        ("iss", None),
        ("aud", None),
        ("exp", None),
        ("iss", Some(json!("https://other.example"))),
        ("aud", Some(json!("other"))),
        ("exp", Some(json!(1_000_000_000))),
        ("nbf", Some(json!(32_503_680_000_u64))),
    ] {
        let mut claims = good.clone();
        let members = claims.as_object_mut().unwrap();
        members.remove(claim);
        members.extend(value.map(|value| (claim.to_owned(), value)));
        let token = token(&old, "old", &claims);
        assert!(
            decode::<Value>(&token, &pinned.key, &validation).is_err(),
            "{claims}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_that_names_another_algorithm_or_key_gets_none() {
    let fetcher = Scripted::serving(&set(&["a", "b"]));
    let bench = Bench::ready(&fetcher).await;
    let mut header = Header::new(Algorithm::EdDSA);
    header.kid = Some("a".to_owned());
    assert!(bench.client.decoding_key(&header).await.is_ok());
    for (algorithm, id) in [
        (Algorithm::HS256, Some("a")),
        (Algorithm::RS256, Some("a")),
        (Algorithm::EdDSA, Some("x")),
        (Algorithm::EdDSA, None),
    ] {
        header = Header::new(algorithm);
        header.kid = id.map(str::to_owned);
        let refused = bench.client.decoding_key(&header).await.map(drop);
        assert_eq!(refused, Err(DecodingKeyError::Rejected), "{header:?}");
    }
    // RFC 7515 §4.1.11: what must be understood and is not. jsonwebtoken reads it and goes on.
    header = Header::new(Algorithm::EdDSA);
    header.kid = Some("a".to_owned());
    header.crit = Some(vec!["b64".to_owned()]);
    let refused = bench.client.decoding_key(&header).await.map(drop);
    assert_eq!(refused, Err(DecodingKeyError::Rejected));
    fetcher.fail();
    pass(seconds(4000)).await;
    header = Header::new(Algorithm::EdDSA);
    header.kid = Some("a".to_owned());
    assert!(matches!(
        bench.client.decoding_key(&header).await,
        Err(DecodingKeyError::Unavailable(_))
    ));
}
