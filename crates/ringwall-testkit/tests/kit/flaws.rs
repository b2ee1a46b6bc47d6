//! Bad tokens are bad in one way.

use std::collections::HashSet;

use ringwall_core::event::EventKind;
use ringwall_testkit::{Flaw, Kit};

#[test]
fn each_flaw_is_refused_for_its_own_reason() {
    let kit = Kit::new();
    let draft = kit.token("alice").scope("cases:read").org("acme");
    for flaw in Flaw::ALL {
        let token = draft.flawed(flaw);
        let refused = kit.verifier().verify(token.as_str(), kit.issuer().now());
        assert_eq!(refused.unwrap_err().refusal(), flaw.cause(), "{flaw:?}");
    }
}

#[test]
fn the_same_token_without_a_flaw_is_good() {
    let kit = Kit::new();
    let token = kit.token("alice").scope("cases:read").issue();
    kit.verifier()
        .verify(token.as_str(), kit.issuer().now())
        .unwrap();
}

#[test]
fn flaws_are_told_apart_in_words() {
    let words: HashSet<_> = Flaw::ALL.iter().map(|flaw| flaw.as_str()).collect();
    assert_eq!(words.len(), Flaw::ALL.len());
}

#[test]
fn a_flawed_token_is_good_again_for_nobody_when_time_passes() {
    let kit = Kit::new();
    let token = kit.token("alice").flawed(Flaw::Expired);
    kit.advance(std::time::Duration::from_secs(3600));
    assert!(
        kit.verifier()
            .verify(token.as_str(), kit.issuer().now())
            .is_err()
    );
}

#[test]
fn a_token_says_what_it_is_and_not_what_it_is_made_of() {
    let kit = Kit::new();
    let token = kit
        .token("alice")
        .scope("cases:read")
        .flawed(Flaw::AnotherKey);
    let shown = format!("{token:?}");
    assert!(
        shown.contains("alice, scopes: cases:read") && shown.contains("another key"),
        "{shown}"
    );
    for part in token.as_str().split('.') {
        assert!(!shown.contains(part), "{shown}");
    }
    assert_eq!(kit.events().count(EventKind::AuthenticationFailed), 0);
}
