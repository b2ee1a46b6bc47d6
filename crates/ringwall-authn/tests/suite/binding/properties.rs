//! What holds of every proof.

use std::sync::LazyLock;

use proptest::prelude::*;
use ringwall_authn::jose::Algorithm;
use serde_json::{Value, json};

use super::service::*;
use crate::support::*;

static SERVICE: LazyLock<Service> = LazyLock::new(Service::new);

static CLIENTS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Ps256]
        .into_iter()
        .map(|algorithm| Key::new("client", algorithm))
        .collect()
});

proptest! {
    #[test]
    fn property_a_good_proof_with_one_other_bit_is_refused_and_itself_is_good(
        client in 0..3_usize,
        place in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let client = &CLIENTS[client];
        let token = SERVICE.issuer.token(&bound_to(client));
        let proof = Draft::new(client, &token).sign(client);
        let mut bytes = proof.clone().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= 1 << bit;
        let authorization = format!("DPoP {token}");
        let headers: [(&str, &[u8]); 2] =
            [("authorization", authorization.as_bytes()), ("dpop", &bytes)];
        let request = Request::new(&[]);
        let view = ringwall_core::request::RequestView { headers: &headers, ..request.view() };
        let ringwall_core::step::Step::Done(answer) = SERVICE.authenticator.authenticate(&view) else {
            panic!("nothing to wait for")
        };
        let is_refused = answer.is_err();
        prop_assert!(is_refused, "bit {} of byte {}", bit, place);
        let is_good = SERVICE.send(&Request::dpop(&token, &proof)).is_ok();
        prop_assert!(is_good);
    }

    #[test]
    fn property_a_proof_whose_member_is_another_is_refused_although_it_is_signed(
        member in prop::sample::select(vec!["htm", "htu", "ath", "iat", "jti"]),
        value in prop_oneof![
            "\\PC{0,40}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            Just(json!([])),
            Just(json!({})),
        ],
    ) {
        let client = &CLIENTS[0];
        let token = SERVICE.issuer.token(&bound_to(client));
        let draft = Draft::new(client, &token).claim(member, value.clone());
        // Another id is as good, and so is another moment within the window.
        let is_as_good = match member {
            "jti" => value.as_str().is_some_and(|id| !id.is_empty()),
            "iat" => value.as_i64().is_some_and(|iat| (NOW - 60..=NOW + 5).contains(&iat)),
            _ => false,
        };
        prop_assume!(!is_as_good);
        let is_refused = SERVICE.send(&Request::dpop(&token, &draft.sign(client))).is_err();
        prop_assert!(is_refused, "{}: {}", member, value);
    }

    #[test]
    fn property_arbitrary_text_is_no_proof_and_no_panic(text in "\\PC{0,300}") {
        let token = SERVICE.issuer.token(&bound_to(&CLIENTS[0]));
        let is_refused = SERVICE.send(&Request::dpop(&token, &text)).is_err();
        prop_assert!(is_refused);
    }
}
