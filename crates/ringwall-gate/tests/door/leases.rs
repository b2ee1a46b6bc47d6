//! How long an answer may go on that outlives the decision about its request.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use ringwall_core::attest::Attest;
use ringwall_core::clock::{ManualClock, Timestamp};
use ringwall_core::denial::Denial;
use ringwall_core::event::{EventKind, MemoryEvents};
use ringwall_core::principal::VerifiedPrincipal;
use ringwall_core::request::RequestView;
use ringwall_core::step::Step;
use ringwall_gate::{
    Access, Authenticated, AuthenticationRequirement, Authenticator, Gate, LONGEST_PAUSE, Lease,
    OrganisationRule, OrganisationRules, Presented, RoutePolicy, Standing,
};

use crate::support::{done, principal, view, waited};

const START: i64 = 1_800_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).expect("in range")
}

/// What the second look says; `None` as long as the credential holds.
#[derive(Debug)]
struct Later {
    refusal: Mutex<Option<Denial>>,
    expires_at: Option<Timestamp>,
    waits: bool,
}

#[derive(Debug)]
struct Says(Arc<Later>);

impl Authenticator for Says {
    fn presented(&self, view: &RequestView<'_>) -> Presented {
        let mut presented = Presented::No;
        view.headers.visit("authorization", &mut |_| {
            presented = Presented::InAuthorization
        });
        presented
    }

    fn authenticate(&self, _view: &RequestView<'_>) -> Step<Result<Authenticated, Denial>> {
        let mut caller = (*principal(&[])).clone();
        caller.authentication.expires_at = self.0.expires_at;
        caller.authentication.authenticated_at = Some(at(START));
        let caller = VerifiedPrincipal::attest(caller, Attest::i_have_verified_this());
        Step::Done(Ok(caller.into()))
    }

    fn recheck(&self, accepted: &Authenticated, _now: Timestamp) -> Step<Result<(), Denial>> {
        assert_eq!(accepted.principal().subject.as_str(), "ada");
        let answer = match self.0.refusal.lock().expect("no panic").clone() {
            Some(denial) => Err(denial),
            None => Ok(()),
        };
        if self.0.waits {
            Step::wait(async { answer })
        } else {
            Step::Done(answer)
        }
    }

    fn proxy_headers(&self) -> Vec<Box<str>> {
        Vec::new()
    }
}

struct Site {
    later: Arc<Later>,
    clock: Arc<ManualClock>,
    events: Arc<MemoryEvents>,
    rules: OrganisationRules,
    gate: Gate,
}

impl Site {
    fn new(expires_at: Option<i64>, waits: bool) -> Self {
        let later = Arc::new(Later {
            refusal: Mutex::new(None),
            expires_at: expires_at.map(at),
            waits,
        });
        let clock = Arc::new(ManualClock::new(at(START)));
        let events = Arc::new(MemoryEvents::new(64));
        let rules = OrganisationRules::new();
        let gate = Gate::builder("test")
            .authenticator(Says(later.clone()))
            .without_audit()
            .organisation_rules(rules.clone())
            .clock(clock.clone())
            .events(events.clone())
            .build()
            .expect("a gate");
        Self {
            later,
            clock,
            events,
            rules,
            gate,
        }
    }

    fn lease_of(&self, access: Access, headers: &Vec<(&str, &str)>) -> Option<Lease> {
        let door = self.gate.door(RoutePolicy::new("the route", access));
        let Ok((admitted, exit)) = done(door.enter(&view(headers))) else {
            panic!("refused");
        };
        done(exit.finish(200, None));
        admitted.lease()
    }

    fn lease(&self) -> Lease {
        let headers = vec![("authorization", "x")];
        self.lease_of(Access::Authenticated, &headers)
            .expect("a lease")
    }

    fn refuse(&self, denial: Denial) {
        *self.later.refusal.lock().expect("no panic") = Some(denial);
    }
}

const fn good(again_in: Duration) -> Standing {
    Standing::Good { again_in }
}

#[test]
fn nobody_authenticated_has_no_lease() {
    let site = Site::new(None, false);
    let nothing = vec![];
    assert!(site.lease_of(Access::Public, &nothing).is_none());
    assert!(site.lease_of(Access::Optional, &nothing).is_none());
    let something = vec![("authorization", "x")];
    assert!(site.lease_of(Access::Optional, &something).is_some());
    assert!(site.lease_of(Access::Public, &something).is_none());
}

#[test]
fn a_credential_is_looked_at_again_at_its_end_and_every_half_minute() {
    assert_eq!(LONGEST_PAUSE, Duration::from_secs(30));
    let endless = Site::new(None, false);
    assert_eq!(done(endless.lease().check()), good(LONGEST_PAUSE));

    let site = Site::new(Some(START + 70), false);
    let lease = site.lease();
    assert_eq!(done(lease.check()), good(LONGEST_PAUSE));
    site.clock.advance(Duration::from_secs(50));
    assert_eq!(done(lease.check()), good(Duration::from_secs(20)));
    site.clock.advance(Duration::from_millis(19_999));
    assert_eq!(done(lease.check()), good(Duration::from_millis(100)));
    // Past its end, within the skew that the authenticator grants.
    site.clock.advance(Duration::from_secs(1));
    assert_eq!(done(lease.check()), good(Duration::from_secs(5)));
}

#[test]
fn an_answer_ends_as_soon_as_a_new_request_would_be_refused() {
    for denial in [
        Denial::unauthenticated("test"),
        Denial::Forbidden { challenge: None },
        Denial::Unavailable {
            retry_after: Duration::from_secs(1),
        },
    ] {
        let site = Site::new(None, false);
        let lease = site.lease();
        assert_eq!(done(lease.check()), good(LONGEST_PAUSE));
        site.refuse(denial);
        assert_eq!(done(lease.check()), Standing::Over);
        assert_eq!(site.events.count(EventKind::StreamEnded), 1);
        let event = site.events.snapshot().pop().expect("an event");
        assert_eq!(event.about.as_deref(), Some("the route"));
        assert!(event.principal.is_some());
    }
}

#[test]
fn an_answer_ends_when_its_organisation_demands_another_login() {
    let site = Site::new(None, false);
    let lease = site.lease();
    let demand = |methods| {
        let rule = OrganisationRule::new().methods(methods).expect("a rule");
        OrganisationRules::new().others(rule).expect("a rule")
    };
    assert_eq!(done(lease.check()), good(LONGEST_PAUSE));
    site.rules.replace(&demand(["hwk"]));
    assert_eq!(done(lease.check()), Standing::Over);
    site.rules.replace(&OrganisationRules::new());
    assert_eq!(done(lease.check()), good(LONGEST_PAUSE));
}

#[test]
fn an_answer_ends_when_the_login_is_longer_ago_than_the_route_permits() {
    let site = Site::new(None, false);
    let requirement = AuthenticationRequirement::max_age(Duration::from_secs(60)).expect("an age");
    let policy = RoutePolicy::new("the route", Access::Authenticated)
        .with_authentication(requirement)
        .expect("not public");
    let headers = vec![("authorization", "x")];
    let Ok((admitted, exit)) = done(site.gate.door(policy).enter(&view(&headers))) else {
        panic!("refused");
    };
    done(exit.finish(200, None));
    let lease = admitted.lease().expect("a lease");
    site.clock.advance(Duration::from_secs(60));
    assert_eq!(done(lease.check()), good(LONGEST_PAUSE));
    site.clock.advance(Duration::from_millis(1));
    assert_eq!(done(lease.check()), Standing::Over);
    assert_eq!(site.events.count(EventKind::StreamEnded), 1);
}

#[test]
fn an_answer_ends_when_the_clock_cannot_tell_the_time() {
    let site = Site::new(None, false);
    let lease = site.lease();
    site.clock.fail(true);
    assert_eq!(done(lease.check()), Standing::Over);
    assert_eq!(site.events.count(EventKind::ClockUnavailable), 1);
}

#[test]
fn a_look_that_waits_says_the_same() {
    let site = Site::new(None, true);
    let lease = site.lease();
    assert_eq!(waited(lease.check()), good(LONGEST_PAUSE));
    site.refuse(Denial::unauthenticated("test"));
    assert_eq!(waited(lease.check()), Standing::Over);
}
