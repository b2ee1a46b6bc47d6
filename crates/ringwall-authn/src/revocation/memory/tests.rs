use ringwall_core::clock::ManualClock;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).expect("in range")
}

/// Revocations whose monotonic clock stands at zero, and that clock.
fn timed(capacity: usize) -> (MemoryRevocations, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(at(0)));
    let revocations = MemoryRevocations::new(capacity).monotonic_clock(clock.clone());
    (revocations, clock)
}

/// Lets the time pass until then on both clocks.
fn go(clock: &ManualClock, seconds: i64) -> Timestamp {
    let since = at(seconds).saturating_since(at(0));
    clock.advance(since.checked_sub(clock.elapsed()).expect("time goes on"));
    at(seconds)
}

fn facts<'a>(
    subject: &'a str,
    token_id: Option<&'a str>,
    issued_at: Option<i64>,
) -> TokenFacts<'a> {
    TokenFacts {
        issuer: "https://issuer.example",
        subject,
        on_behalf_of: None,
        token_id,
        key_id: None,
        issued_at: issued_at.map(at),
        tenant: None,
    }
}

#[test]
fn revokes_one_token_of_one_issuer() {
    let revocations = MemoryRevocations::new(8);
    revocations
        .revoke_token("https://issuer.example", "t1", at(100), at(0))
        .unwrap();
    assert_eq!(
        revocations.is_revoked(&facts("u", Some("t1"), None)),
        Ok(true)
    );
    assert_eq!(
        revocations.is_revoked(&facts("u", Some("t2"), None)),
        Ok(false)
    );
    assert_eq!(revocations.is_revoked(&facts("u", None, None)), Ok(false));
    let other = TokenFacts {
        issuer: "https://other.example",
        ..facts("u", Some("t1"), None)
    };
    assert_eq!(revocations.is_revoked(&other), Ok(false));
}

#[test]
fn revokes_what_a_subject_was_given_so_far_and_nothing_later() {
    let revocations = MemoryRevocations::new(8);
    revocations
        .revoke_subject("https://issuer.example", "u", at(50), at(500), at(50))
        .unwrap();
    revocations
        .revoke_subject("https://issuer.example", "u", at(40), at(400), at(51))
        .unwrap();
    for (issued_at, revoked) in [
        (Some(49), true),
        (Some(50), true),
        (Some(51), false),
        (None, true),
    ] {
        assert_eq!(
            revocations.is_revoked(&facts("u", None, issued_at)),
            Ok(revoked),
            "{issued_at:?}"
        );
    }
    assert_eq!(revocations.is_revoked(&facts("v", None, None)), Ok(false));
}

#[test]
fn revokes_what_others_do_on_behalf_of_a_subject() {
    let revocations = MemoryRevocations::new(8);
    revocations
        .revoke_subject("https://issuer.example", "u", at(50), at(500), at(50))
        .unwrap();
    for (issued_at, revoked) in [(Some(50), true), (Some(51), false), (None, true)] {
        let delegated = TokenFacts {
            on_behalf_of: Some("u"),
            ..facts("agent", None, issued_at)
        };
        assert_eq!(revocations.is_revoked(&delegated), Ok(revoked));
    }
    assert_eq!(
        revocations.is_revoked(&facts("agent", None, None)),
        Ok(false)
    );
}

#[test]
fn a_later_call_never_takes_an_earlier_one_back_and_needs_no_room() {
    let (revocations, clock) = timed(2);
    revocations.revoke_token("i", "a", at(5000), at(0)).unwrap();
    revocations
        .revoke_subject("i", "u", at(10), at(5000), at(0))
        .unwrap();
    revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
    revocations
        .revoke_subject("i", "u", at(20), at(100), at(0))
        .unwrap();
    // Both are still live long after the shorter expiry, so there is no room for a third.
    assert_eq!(
        revocations.revoke_token("i", "b", at(5000), go(&clock, 1000)),
        Err(RevocationsFull)
    );
    assert_eq!(
        revocations.revoke_subject("i", "v", at(10), at(5000), go(&clock, 1000)),
        Err(RevocationsFull)
    );
    let of = |token_id, issued_at| TokenFacts {
        issuer: "i",
        ..facts("u", token_id, Some(issued_at))
    };
    assert_eq!(revocations.is_revoked(&of(Some("a"), 21)), Ok(true));
    assert_eq!(revocations.is_revoked(&of(None, 20)), Ok(true));
    assert_eq!(revocations.is_revoked(&of(None, 21)), Ok(false));
}

#[test]
fn revokes_an_organisation_whoever_issued_the_token() {
    let revocations = MemoryRevocations::new(8);
    revocations
        .revoke_org("acme", at(50), at(500), at(50))
        .unwrap();
    let tenant = |org| ringwall_core::principal::Tenant {
        org: ringwall_core::principal::OrgId::new(org).unwrap(),
        project: Some(ringwall_core::principal::ProjectId::new("p").unwrap()),
    };
    let (acme, other) = (tenant("acme"), tenant("other"));
    for (tenant, issued_at, revoked) in [
        (Some(&acme), Some(50), true),
        (Some(&acme), Some(51), false),
        (Some(&acme), None, true),
        (Some(&other), Some(50), false),
        (None, Some(50), false),
    ] {
        for issuer in ["https://one.example", "https://two.example"] {
            let facts = TokenFacts {
                issuer,
                tenant,
                ..facts("u", None, issued_at)
            };
            assert_eq!(revocations.is_revoked(&facts), Ok(revoked), "{facts:?}");
        }
    }
}

#[test]
fn revokes_what_a_stolen_key_signed_and_nothing_of_another_issuer() {
    let revocations = MemoryRevocations::new(8);
    let issuer = "https://issuer.example";
    revocations
        .revoke_key(issuer, "k1", at(500), at(50))
        .unwrap();
    let signed_by = |key_id| TokenFacts {
        key_id,
        ..facts("u", Some("t"), Some(60))
    };
    assert_eq!(revocations.is_revoked(&signed_by(Some("k1"))), Ok(true));
    assert_eq!(revocations.is_revoked(&signed_by(Some("k2"))), Ok(false));
    assert_eq!(revocations.is_revoked(&signed_by(None)), Ok(false));
    let other = TokenFacts {
        issuer: "https://other.example",
        ..signed_by(Some("k1"))
    };
    assert_eq!(revocations.is_revoked(&other), Ok(false));
}

#[test]
fn organisations_and_keys_count_and_end_too() {
    let (revocations, clock) = timed(2);
    revocations
        .revoke_org("acme", at(10), at(100), at(0))
        .unwrap();
    revocations.revoke_key("i", "k", at(100), at(0)).unwrap();
    assert_eq!(
        revocations.revoke_org("acme", at(20), at(100), at(0)),
        Ok(())
    );
    assert_eq!(revocations.revoke_key("i", "k", at(100), at(0)), Ok(()));
    assert_eq!(
        revocations.revoke_org("b", at(10), at(900), at(0)),
        Err(RevocationsFull)
    );
    assert_eq!(
        revocations.revoke_key("i", "l", at(900), at(0)),
        Err(RevocationsFull)
    );
    assert_eq!(
        revocations.revoke_org("b", at(10), at(900), go(&clock, 401)),
        Ok(())
    );
    assert_eq!(
        revocations.revoke_key("i", "l", at(900), go(&clock, 401)),
        Ok(())
    );
    assert_eq!(
        revocations.revoke_token("i", "t", at(900), go(&clock, 401)),
        Err(RevocationsFull)
    );
}

#[test]
fn a_full_one_is_searched_only_when_something_can_be_over() {
    let (revocations, clock) = timed(2);
    let earliest = || revocations.state.read().unwrap().earliest;
    revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
    revocations
        .revoke_org("acme", at(0), at(5000), at(0))
        .unwrap();
    assert_eq!(earliest(), Some(at(100)));
    // It ends later than was thought.
    revocations.revoke_token("i", "a", at(9000), at(0)).unwrap();
    for (now, answer, then) in [
        (399, Err(RevocationsFull), 100),
        (400, Err(RevocationsFull), 100),
        // The search finds out.
        (401, Err(RevocationsFull), 5000),
        (5300, Err(RevocationsFull), 5000),
        (5301, Ok(()), 8000),
    ] {
        let revoked = revocations.revoke_token("i", "b", at(8000), go(&clock, now));
        assert_eq!(revoked, answer, "{now}");
        assert_eq!(earliest(), Some(at(then)), "{now}");
    }
}

#[test]
fn is_bounded_and_never_drops_a_live_revocation() {
    let (revocations, clock) = timed(2);
    revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
    revocations.revoke_token("i", "b", at(5000), at(0)).unwrap();
    assert_eq!(
        revocations.revoke_token("i", "c", at(100), go(&clock, 399)),
        Err(RevocationsFull)
    );
    // 300 s after its expiry the first is over, whatever the skew.
    assert_eq!(
        revocations.revoke_token("i", "c", at(5000), go(&clock, 401)),
        Ok(())
    );
    assert_eq!(
        revocations.revoke_token("j", "c", at(9000), go(&clock, 5301)),
        Ok(())
    );
    assert_eq!(
        revocations.state.read().unwrap().issuers.len(),
        1,
        "an issuer without revocations takes no room"
    );
    let (revocations, clock) = timed(2);
    revocations.revoke_token("i", "b", at(5000), at(0)).unwrap();
    revocations.revoke_token("i", "c", at(5000), at(0)).unwrap();
    assert_eq!(
        revocations.revoke_token("i", "d", at(5000), go(&clock, 401)),
        Err(RevocationsFull)
    );
}

#[test]
fn a_wall_clock_that_jumps_ahead_brings_no_revoked_token_back() {
    let (revocations, clock) = timed(2);
    revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
    revocations
        .revoke_org("acme", at(0), at(5000), at(0))
        .unwrap();
    for ahead in [401, 5301, 1_000_000_000] {
        let refused = revocations.revoke_token("i", "b", at(ahead + 100), at(ahead));
        assert_eq!(refused, Err(RevocationsFull), "{ahead}");
    }
    let of = TokenFacts {
        issuer: "i",
        ..facts("u", Some("a"), Some(0))
    };
    assert_eq!(revocations.is_revoked(&of), Ok(true));
    // As soon as the time has passed on both clocks, the first is over.
    let refused = revocations.revoke_token("i", "b", at(900), go(&clock, 400));
    assert_eq!(refused, Err(RevocationsFull));
    assert_eq!(
        revocations.revoke_token("i", "b", at(900), go(&clock, 401)),
        Ok(())
    );
}

#[test]
fn a_jump_is_noticed_also_if_there_was_room_before() {
    let (revocations, _clock) = timed(1);
    revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
    assert_eq!(
        revocations.revoke_token("i", "b", at(9000), at(8000)),
        Err(RevocationsFull)
    );
}

#[test]
fn without_a_wall_clock_nothing_is_over_and_no_jump_is_seen() {
    let (revocations, clock) = timed(1);
    revocations.revoke_token("i", "a", at(100), at(0)).unwrap();
    let token = |id: &str, end| {
        let revoked = Revoked::Token {
            issuer: "i".into(),
            token_id: id.into(),
        };
        Revocation::new(revoked, at(end)).unwrap()
    };
    let later = go(&clock, 401);
    let refused = revocations.apply_at(&token("b", 900), None);
    assert_eq!(refused, Err(RevocationsFull));
    assert_eq!(revocations.drops(None), 0);
    assert_eq!(revocations.drops(Some(later)), 1);
    assert_eq!(revocations.apply(&token("b", 900), later), Ok(()));
}

#[test]
fn one_that_is_over_needs_no_room() {
    let (revocations, clock) = timed(1);
    revocations.revoke_token("i", "a", at(900), at(0)).unwrap();
    let later = go(&clock, 401);
    let old = |end| revocations.revoke_token("i", "old", at(end), later);
    assert_eq!((old(100), old(101)), (Ok(()), Err(RevocationsFull)));
    let of = TokenFacts {
        issuer: "i",
        ..facts("u", Some("old"), None)
    };
    assert_eq!(revocations.is_revoked(&of), Ok(false));
}
