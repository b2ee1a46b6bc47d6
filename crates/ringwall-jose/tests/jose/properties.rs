//! What holds of all inputs.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use ringwall_jose::{Algorithm, KeySet, VerificationKey};
use serde_json::json;

use crate::keys::{is_accepted, jwk, providers, sign, signed, valid, verification_key};

struct Subject {
    algorithm: Algorithm,
    token: String,
    /// Under each provider.
    keys: Vec<VerificationKey>,
}

static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    let subject = |algorithm| Subject {
        algorithm,
        token: valid(algorithm),
        keys: providers()
            .map(|provider| verification_key(algorithm, &provider))
            .collect(),
    };
    Algorithm::ALL.into_iter().map(subject).collect()
});

#[test]
fn no_token_survives_the_change_of_any_bit() {
    for subject in &*SUBJECTS {
        let bytes = subject.token.as_bytes();
        for index in 0..bytes.len() * 7 {
            let mut changed = bytes.to_vec();
            // The eighth bit would leave ASCII, and a token is text.
            changed[index / 7] ^= 1 << (index % 7);
            let changed = String::from_utf8(changed).unwrap();
            for key in &subject.keys {
                assert!(
                    !is_accepted(&changed, key),
                    "{} {changed}",
                    subject.algorithm
                );
            }
        }
    }
}

#[test]
fn no_signature_survives_the_change_of_any_bit() {
    for subject in &*SUBJECTS {
        let signature = sign(subject.algorithm, b"message");
        for index in 0..signature.len() * 8 {
            let mut changed = signature.clone();
            changed[index / 8] ^= 1 << (index % 8);
            for key in &subject.keys {
                assert!(
                    key.verify(b"message", &changed).is_err(),
                    "{}",
                    subject.algorithm
                );
            }
        }
    }
}

/// Texts that look like keys more often than chance would have it.
fn key_document() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        prop::sample::select(vec![
            "RSA", "EC", "OKP", "oct", "P-256", "P-384", "Ed25519", "sig", "enc", "verify",
            "RS256", "ES256", "EdDSA", "none", "AQAB", "",
        ])
        .prop_map(str::to_owned),
        "[A-Za-z0-9_=-]{0,90}",
        ".{0,8}",
    ];
    let value = prop_oneof![
        8 => text.clone().prop_map(Into::into),
        1 => any::<i64>().prop_map(Into::into),
        1 => Just(serde_json::Value::Null),
        1 => prop::collection::vec(text, 0..3).prop_map(Into::into),
    ];
    let name = prop::sample::select(vec![
        "kty", "crv", "x", "y", "n", "e", "d", "k", "alg", "use", "key_ops", "kid", "x5c",
    ]);
    let real = prop::sample::select(vec![Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa]);
    let changes = prop::collection::vec((name, value), 0..6);
    let key = (prop::option::of(real), changes).prop_map(|(real, changes)| {
        let mut key = real.map_or_else(|| json!({}), jwk);
        for (name, value) in changes {
            key[name] = value;
        }
        key
    });
    prop::collection::vec(key, 0..6).prop_map(|keys| json!({ "keys": keys }))
}

/// Every element of a document is either a key, or refused, or the same as another one.
fn holds_what_it_says(set: &KeySet, elements: usize) -> Result<(), TestCaseError> {
    prop_assert!(!set.is_empty());
    prop_assert!(set.len() + set.refused().len() <= elements);
    prop_assert!(set.refused().iter().all(|key| key.index < elements));
    Ok(())
}

proptest! {
    #[test]
    fn property_no_token_survives_the_change_of_any_character(
        index in any::<prop::sample::Index>(),
        other in any::<char>(),
        inserted in any::<bool>(),
        which in 0..Algorithm::ALL.len(),
    ) {
        let subject = &SUBJECTS[which];
        let mut characters: Vec<char> = subject.token.chars().collect();
        let index = index.index(characters.len());
        if inserted {
            characters.insert(index, other);
        } else {
            characters[index] = other;
        }
        let changed: String = characters.into_iter().collect();
        prop_assume!(changed != subject.token);
        for key in &subject.keys {
            prop_assert!(!is_accepted(&changed, key), "{}", changed);
        }
    }

    #[test]
    fn what_is_signed_verifies_and_nothing_else_does(
        payload in prop::collection::vec(any::<u8>(), 1..200),
        other in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        for subject in SUBJECTS.iter().filter(|subject| subject.algorithm != Algorithm::Rs512) {
            let header = json!({ "alg": subject.algorithm.name() }).to_string();
            let token = signed(subject.algorithm, &header, &payload);
            let swapped = signed(subject.algorithm, &header, &other);
            let signature = swapped.rsplit('.').next().unwrap();
            let (input, _) = token.rsplit_once('.').unwrap();
            for key in &subject.keys {
                prop_assert!(is_accepted(&token, key));
                let mixed = format!("{input}.{signature}");
                prop_assert_eq!(is_accepted(&mixed, key), payload == other);
            }
        }
    }

    #[test]
    fn property_both_providers_agree(
        message in prop::collection::vec(any::<u8>(), 0..100),
        noise in prop::collection::vec(any::<u8>(), 256),
        place in any::<prop::sample::Index>(),
        kind in 0..4,
    ) {
        for subject in &*SUBJECTS {
            let right = sign(subject.algorithm, &message);
            let signature = match kind {
                0 => right,
                1 => {
                    let mut changed = right;
                    let place = place.index(changed.len());
                    changed[place] ^= noise[0];
                    changed
                }
                2 => noise[..right.len()].to_vec(),
                _ => noise[..place.index(256)].to_vec(),
            };
            let verdicts: Vec<bool> =
                subject.keys.iter().map(|key| key.verify(&message, &signature).is_ok()).collect();
            prop_assert!(verdicts.iter().all(|verdict| *verdict == verdicts[0]));
            if kind == 0 {
                prop_assert!(verdicts[0]);
            }
        }
    }

    #[test]
    fn property_a_key_set_is_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(builder) = KeySet::builder().document(&bytes) {
            prop_assert!(builder.build().is_err(), "300 random bytes are no key");
        }
    }

    #[test]
    fn property_documents_that_resemble_key_sets_are_read_alike_by_both_providers(document in key_document()) {
        let text = document.to_string();
        let elements = document["keys"].as_array().unwrap().len();
        let mut sets = providers().map(|provider| {
            let builder = KeySet::builder().provider(Arc::clone(&provider)).document(text.as_bytes());
            builder.and_then(ringwall_jose::KeySetBuilder::build)
        });
        let first = sets.next().unwrap();
        if let Ok(set) = &first {
            holds_what_it_says(set, elements)?;
        }
        for other in sets {
            match (&first, &other) {
                (Ok(first), Ok(other)) => {
                    prop_assert!(first.has_same_keys(other));
                    prop_assert_eq!(first.refused(), other.refused());
                }
                (Err(first), Err(other)) => prop_assert_eq!(first.to_string(), other.to_string()),
                (first, other) => prop_assert!(false, "{:?} {:?}", first, other),
            }
        }
    }
}
