//! Keys set by hand.

use ringwall_core::step::Step;
use ringwall_jose::{Algorithm, Health, KeySource, StaticKeys};
use serde_json::json;

use crate::key_sets::set;
use crate::keys::{jwk, with};

fn one(id: &str) -> ringwall_jose::KeySet {
    let key = with(jwk(Algorithm::Es256), &json!({ "kid": id }));
    set(&json!({ "keys": [key] })).unwrap()
}

#[test]
fn a_replacement_is_a_new_generation_and_the_old_key_is_gone() {
    let keys = StaticKeys::new(one("old"));
    let before = keys.generation().unwrap();
    let held = keys.keys().unwrap();
    assert_eq!(held.generation(), before);
    assert_eq!(keys.health(), Health::Fresh);

    keys.replace(one("new"));
    let after = keys.keys().unwrap();
    assert_ne!(keys.generation().unwrap(), before);
    assert_eq!(keys.generation().unwrap(), after.generation());
    assert!(after.find(Some("old")).is_none());
    assert!(after.find(Some("new")).is_some());
    // Whoever holds a set verifies to the end with what it holds.
    assert!(held.find(Some("old")).is_some());
}

#[test]
fn an_unknown_key_id_leads_nowhere() {
    let keys = StaticKeys::new(one("x"));
    assert!(matches!(keys.refresh("y"), Step::Done(Ok(false))));
}

#[test]
fn a_set_lists_its_keys_whether_they_have_an_id_or_not() {
    let named = one("x");
    assert_eq!(named.iter().count(), named.len());
    let found = named.iter().next().unwrap();
    assert_eq!(found.id().unwrap().as_str(), "x");
    let unnamed = set(&json!({ "keys": [jwk(Algorithm::Es256)] })).unwrap();
    assert_eq!(unnamed.iter().count(), 1);
    assert_eq!(
        unnamed.iter().next().unwrap().thumbprint(),
        found.thumbprint()
    );
}

#[test]
fn a_lent_set_can_be_kept_and_a_shared_one_lent() {
    let keys = StaticKeys::new(one("x"));
    let kept = keys.keys().unwrap().into_shared();
    keys.replace(one("y"));
    assert!(kept.find(Some("x")).is_some());
    let lent = ringwall_jose::KeySetRef::from(kept);
    assert!(lent.find(Some("x")).is_some());
    assert!(lent.into_shared().find(Some("x")).is_some());
}

#[test]
fn a_key_gives_its_public_part_back_and_a_secret_never() {
    let keys = one("x");
    let key = keys.find(Some("x")).unwrap();
    assert_eq!(key.public_key().unwrap().thumbprint(), *key.thumbprint());
    let secret = ringwall_jose::HmacSecret::new(
        b"a development secret of 32 bytes".to_vec(),
        ringwall_core::profile::Profile::Development,
    )
    .unwrap();
    let key = ringwall_jose::VerificationKey::symmetric(
        None,
        Algorithm::Hs256,
        &secret,
        &ringwall_jose::RingProvider,
    );
    assert!(key.unwrap().public_key().is_none());
}
