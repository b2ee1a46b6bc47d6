//! What holds for every token.

use proptest::prelude::*;
use ringwall_authn::jose::Algorithm;
use std::sync::LazyLock;

use crate::support::*;

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    Algorithm::ALL
        .into_iter()
        .map(|algorithm| Key::new("k1", algorithm))
        .collect()
});

proptest! {
    #[test]
    fn property_any_single_character_change_of_a_valid_token_is_refused(
        key in 0..Algorithm::ALL.len(),
        position in any::<prop::sample::Index>(),
        character in prop_oneof![
            8 => "[A-Za-z0-9_-]".prop_map(|text| text.chars().next().unwrap()),
            2 => any::<char>(),
        ],
    ) {
        let key = &KEYS[key];
        let verifier = verifier(&[key]);
        let token = key.token(&claims());
        accepted(&verifier, &token);
        let index = position.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(index..=index, &character.to_string());
        prop_assume!(changed != token);
        prop_assert!(verifier.verify(&changed, now()).is_err(), "{} at {index}", character);
        // One character more or less.
        let mut longer = token.clone();
        longer.insert(index, character);
        prop_assert!(verifier.verify(&longer, now()).is_err());
        let mut shorter = token.clone();
        shorter.remove(index);
        prop_assert!(verifier.verify(&shorter, now()).is_err());
    }

    #[test]
    fn property_arbitrary_text_is_refused_without_a_panic(text in ".{0,300}") {
        prop_assert!(verifier(&[&KEYS[11]]).verify(&text, now()).is_err());
    }

    #[test]
    fn property_arbitrary_signed_claims_never_panic_and_grant_nothing_by_accident(claims in "\\PC{0,200}") {
        let key = &KEYS[11];
        let token = key.raw_token(&key.header().to_string(), &claims);
        prop_assert!(verifier(&[key]).verify(&token, now()).is_err());
    }

    #[test]
    fn property_a_token_is_accepted_exactly_during_its_life(
        issued in 0..200_000_i64,
        life in 1..=86_400_i64,
        when in 0..400_000_i64,
        skew in 0..=300_u64,
    ) {
        let key = &KEYS[11];
        let policy = policy(&[key]).clock_skew(core::time::Duration::from_secs(skew));
        let verifier = verifier_of(policy);
        let skew = i64::try_from(skew).unwrap();
        let mut claims = claims();
        claims["iat"] = (NOW + issued).into();
        claims["exp"] = (NOW + issued + life).into();
        let within = when + skew >= issued && when < issued + life + skew;
        let verdict = verifier.verify(&key.token(&claims), at(NOW + when)).is_ok();
        prop_assert_eq!(verdict, within);
        // The second look, through the cache, says the same.
        let again = verifier.verify(&key.token(&claims), at(NOW + when)).is_ok();
        prop_assert_eq!(again, within);
    }
}
