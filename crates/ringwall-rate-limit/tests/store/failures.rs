//! What a limit says while its store does not answer.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use ringwall_core::step::Step;
use ringwall_rate_limit::{
    Decision, Dimension, Enforcement, FallbackBuilder, FallbackEvent, FallbackLimiter,
    FallbackObserver, LimitError, LimitRules, LimitStore, MemoryLimiter, OnFailure, Origin,
    Policies, PolicyError, Quota, RuleFault, Verdict,
};

use crate::at_once::at_once;

/// A store that can be taken away.
#[derive(Debug)]
struct Fragile {
    store: MemoryLimiter,
    is_down: AtomicBool,
    waits: bool,
    asked: AtomicU32,
}

impl Fragile {
    fn answer<T: Send + 'static>(
        &self,
        answer: impl FnOnce() -> Result<T, LimitError>,
    ) -> Step<Result<T, LimitError>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let answer = if self.is_down.load(Ordering::Relaxed) {
            Err(LimitError::Unavailable {
                source: Box::from("it is down"),
            })
        } else {
            answer()
        };
        if self.waits {
            Step::wait(async { answer })
        } else {
            Step::Done(answer)
        }
    }

    fn asked(&self) -> u32 {
        self.asked.swap(0, Ordering::Relaxed)
    }
}

impl LimitStore for Fragile {
    fn policies(&self) -> &Policies {
        LimitStore::policies(&self.store)
    }

    fn check(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.answer(|| self.store.check(now, dimensions, cost))
    }

    fn peek(
        &self,
        now: Duration,
        dimensions: &[Dimension],
        cost: NonZeroU32,
    ) -> Step<Result<Decision, LimitError>> {
        self.answer(|| self.store.peek(now, dimensions, cost))
    }

    fn refund(&self, now: Duration, decision: Decision) -> Step<Result<(), LimitError>> {
        self.answer(|| {
            self.store.refund(now, decision);
            Ok(())
        })
    }
}

#[derive(Debug, Default)]
struct Events(Mutex<Vec<FallbackEvent>>);

impl FallbackObserver for Events {
    fn observe(&self, event: FallbackEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Events {
    fn take(&self) -> Vec<FallbackEvent> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

const NODES: OnFailure = OnFailure::Local {
    divisor: NonZeroU32::new(4).unwrap(),
};

struct World {
    limiter: FallbackLimiter,
    store: Arc<Fragile>,
    events: Arc<Events>,
}

/// Three limits of 20 an hour, each with another word for failures, and one with none.
fn world_with(waits: bool, more: impl FnOnce(FallbackBuilder) -> FallbackBuilder) -> World {
    let quota = Quota::per_hour(20).unwrap();
    let mut policies = Policies::builder();
    for name in ["closed", "open", "local", "unsaid"] {
        policies = policies.add(name, quota).unwrap();
    }
    let store = Arc::new(Fragile {
        store: MemoryLimiter::new(policies.build(), 100),
        is_down: AtomicBool::new(false),
        waits,
        asked: AtomicU32::new(0),
    });
    let events = Arc::new(Events::default());
    let builder = FallbackLimiter::builder(Arc::clone(&store) as Arc<dyn LimitStore>)
        .on_failure("closed", OnFailure::Closed)
        .unwrap()
        .on_failure("open", OnFailure::Open)
        .unwrap()
        .on_failure("local", NODES)
        .unwrap()
        .observer(Arc::clone(&events) as Arc<dyn FallbackObserver>);
    World {
        limiter: more(builder).build(),
        store,
        events,
    }
}

fn world() -> World {
    world_with(false, |builder| builder)
}

impl World {
    fn bucket(&self, name: &str) -> Dimension {
        let policies = self.limiter.policies();
        let policy = policies.find(name).unwrap();
        policies.dimension(policy, [&b"a"[..]]).unwrap()
    }

    fn check(&self, at: Duration, names: &[&str]) -> Result<Decision, LimitError> {
        let buckets: Vec<_> = names.iter().map(|name| self.bucket(name)).collect();
        at_once(self.limiter.check(at, &buckets, NonZeroU32::MIN))
    }

    fn down(&self, is_down: bool) {
        self.store.is_down.store(is_down, Ordering::Relaxed);
    }
}

const START: Duration = Duration::ZERO;

#[test]
fn a_store_that_answers_is_the_one_that_decides() {
    for waits in [false, true] {
        let world = world_with(waits, |builder| builder);
        for n in 0..30 {
            let decision = world.check(START, &["open", "local", "closed"]).unwrap();
            assert_eq!(decision.is_allowed(), n < 20);
            assert_eq!(decision.origin(), Origin::Store);
        }
        assert!(world.events.take().is_empty());
        assert!(world.limiter.asks_store());
        let peeked = at_once(
            world
                .limiter
                .peek(START, &[world.bucket("open")], NonZeroU32::MIN),
        );
        assert!(!peeked.unwrap().is_allowed());
    }
}

#[test]
fn a_limit_of_which_nothing_was_said_is_closed() {
    for waits in [false, true] {
        let world = world_with(waits, |builder| builder);
        world.down(true);
        for name in ["closed", "unsaid"] {
            let refused = world.check(START, &[name]);
            assert!(
                matches!(refused, Err(LimitError::Unavailable { .. })),
                "{refused:?}"
            );
        }
        assert!(world.events.take().contains(&FallbackEvent::Denied));
    }
}

#[test]
fn an_open_limit_admits_unchecked_and_says_so() {
    let world = world();
    world.down(true);
    for _ in 0..100 {
        let decision = world.check(START, &["open"]).unwrap();
        assert!(decision.is_allowed());
        assert_eq!(decision.origin(), Origin::Unchecked);
        assert_eq!(decision.charged().count(), 0);
        at_once(world.limiter.refund(START, decision)).unwrap();
    }
    let events = world.events.take();
    let unchecked = |event: &&FallbackEvent| **event == FallbackEvent::Unchecked;
    assert_eq!(events.iter().filter(unchecked).count(), 100);
}

#[test]
fn a_local_limit_allows_this_processs_share() {
    for waits in [false, true] {
        let world = world_with(waits, |builder| builder);
        world.down(true);
        let mut passed = 0;
        for _ in 0..100 {
            let decision = world.check(START, &["local"]).unwrap();
            assert_eq!(decision.origin(), Origin::Local);
            passed += u32::from(decision.is_allowed());
        }
        assert_eq!(passed, 5, "a quarter of 20");
        // And a quarter of the rate: a token each twelve minutes instead of each three.
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        assert!(!world.check(minutes(11), &["local"]).unwrap().is_allowed());
        assert!(world.check(minutes(12), &["local"]).unwrap().is_allowed());
        assert!(world.events.take().contains(&FallbackEvent::CountedLocally));
    }
}

#[test]
fn a_live_change_holds_for_the_local_share_too() {
    let world = world();
    world.down(true);
    let policy = world.bucket("local").policy();
    let policies = world.limiter.policies();
    policies
        .set_quota(policy, Quota::per_hour(8).unwrap())
        .unwrap();
    let passed = (0..100).filter(|_| world.check(START, &["local"]).unwrap().is_allowed());
    assert_eq!(passed.count(), 2);
    // A share that cannot be counted is closed.
    let year = Quota::new(1, Quota::MAX_PERIOD).unwrap();
    policies.set_quota(policy, year).unwrap();
    assert!(world.check(START, &["local"]).is_err());
}

#[test]
fn a_request_with_several_limits_is_treated_as_the_strictest_says() {
    let world = world();
    world.down(true);
    assert!(world.check(START, &["open", "closed"]).is_err());
    assert!(world.check(START, &["closed", "open"]).is_err());
    assert!(world.check(START, &["local", "closed"]).is_err());
    assert!(world.check(START, &["open", "unsaid", "local"]).is_err());
    let passed = (0..100).filter(|_| {
        let decision = world.check(START, &["open", "local"]).unwrap();
        assert_eq!(decision.origin(), Origin::Local);
        decision.is_allowed()
    });
    assert_eq!(passed.count(), 5);
}

#[test]
fn a_limit_that_is_tried_out_closes_nothing() {
    let world = world();
    let policies = world.limiter.policies();
    for name in ["closed", "local"] {
        let policy = policies.find(name).unwrap();
        policies
            .set_enforcement(policy, Enforcement::Shadow)
            .unwrap();
    }
    world.down(true);
    for _ in 0..20 {
        assert!(
            world
                .check(START, &["open", "closed"])
                .unwrap()
                .is_allowed()
        );
        assert!(world.check(START, &["closed"]).unwrap().is_allowed());
        assert!(world.check(START, &["local", "open"]).unwrap().is_allowed());
    }
    assert!(world.check(START, &["closed", "unsaid"]).is_err());
}

#[test]
fn a_dead_store_is_asked_three_times_and_then_once_a_pause() {
    for waits in [false, true] {
        let world = world_with(waits, |builder| builder.pause(Duration::from_secs(2)));
        world.down(true);
        for _ in 0..100 {
            assert!(world.check(START, &["closed"]).is_err());
        }
        assert_eq!(world.store.asked(), 3);
        assert!(!world.limiter.asks_store());
        for second in 1..=10 {
            for _ in 0..100 {
                assert!(
                    world
                        .check(Duration::from_secs(second), &["closed"])
                        .is_err()
                );
            }
        }
        // At 2, and after each probe a pause from the next request on: 4, 6, 8, 10.
        assert_eq!(world.store.asked(), 5);
        world.down(false);
        let back = Duration::from_secs(12);
        let decision = world.check(back, &["closed"]).unwrap();
        assert_eq!(decision.origin(), Origin::Store);
        for _ in 0..10 {
            assert!(world.check(back, &["closed"]).unwrap().is_allowed());
        }
        assert!(world.limiter.asks_store());
        let changes: Vec<_> = world
            .events
            .take()
            .into_iter()
            .filter(|event| *event != FallbackEvent::Denied)
            .collect();
        assert_eq!(
            changes,
            [FallbackEvent::StoreLost, FallbackEvent::StoreBack]
        );
    }
}

#[test]
fn a_cancelled_probe_makes_way_for_the_next() {
    let world = world_with(true, |builder| builder);
    world.down(true);
    for _ in 0..4 {
        assert!(world.check(START, &["closed"]).is_err());
    }
    world.down(false);
    let later = Duration::from_secs(5);
    let bucket = [world.bucket("closed")];
    drop(world.limiter.check(later, &bucket, NonZeroU32::MIN));
    assert!(world.check(later, &["closed"]).unwrap().is_allowed());
}

#[test]
fn errors_of_the_caller_are_no_failures_of_the_store() {
    let world = world();
    for _ in 0..10 {
        assert!(matches!(
            world.check(START, &[]),
            Err(LimitError::NoDimensions)
        ));
        let never = Duration::MAX;
        assert!(matches!(
            world.check(never, &["open"]),
            Err(LimitError::Time)
        ));
    }
    assert!(world.limiter.asks_store());
    world.down(true);
    for _ in 0..10 {
        assert!(world.check(START, &["closed"]).is_err());
        assert!(matches!(
            world.check(START, &[]),
            Err(LimitError::NoDimensions)
        ));
    }
}

#[test]
fn a_refund_goes_where_the_decision_was_made() {
    for waits in [false, true] {
        let world = world_with(waits, |builder| builder);
        let five = NonZeroU32::new(5).unwrap();
        let bucket = [world.bucket("local")];
        let by_store = at_once(world.limiter.check(START, &bucket, five)).unwrap();
        world.down(true);
        let here = at_once(world.limiter.check(START, &bucket, five)).unwrap();
        assert_eq!((here.is_allowed(), here.origin()), (true, Origin::Local));
        at_once(world.limiter.refund(START, here)).unwrap();
        let again = at_once(world.limiter.check(START, &bucket, five)).unwrap();
        assert!(again.is_allowed());
        // The store cannot be told now.
        let lost = at_once(world.limiter.refund(START, by_store));
        assert!(matches!(lost, Err(LimitError::Unavailable { .. })));
        let denied = at_once(world.limiter.check(START, &bucket, five)).unwrap();
        assert!(matches!(denied.verdict(), Verdict::Denied { .. }));
    }
}

#[test]
fn what_was_loosened_is_listed_and_unknown_names_are_refused() {
    let world = world();
    let loosened: Vec<_> = world.limiter.loosened().collect();
    assert_eq!(loosened, [("open", OnFailure::Open), ("local", NODES)]);
    let policies = world.limiter.policies();
    let policy = policies.find("unsaid").unwrap();
    assert_eq!(world.limiter.on_failure(policy), OnFailure::Closed);
    let builder = FallbackLimiter::builder(Arc::clone(&world.store) as Arc<dyn LimitStore>);
    let refused = builder.on_failure("opne", OnFailure::Open);
    assert!(matches!(refused, Err(PolicyError::Unknown)));
}

#[test]
fn a_limit_that_bounds_guessing_is_never_open() {
    let quota = Quota::per_minute(5).unwrap();
    let policies = Policies::builder().add("login", quota).unwrap();
    let refused = policies.clone().guard("logni");
    assert!(matches!(refused, Err(PolicyError::Unknown)));
    let policies = policies.guard("login").unwrap().build();
    let store = || Arc::new(MemoryLimiter::new(policies.clone(), 10));
    let refused = FallbackLimiter::builder(store()).on_failure("login", OnFailure::Open);
    assert!(matches!(refused, Err(PolicyError::Guard)));
    for rule in [OnFailure::Closed, NODES] {
        let builder = FallbackLimiter::builder(store()).on_failure("login", rule);
        assert!(builder.is_ok());
    }
    // And so it is with the rules of a service: by its tier, by its kind, and by its own word.
    let standard = || LimitRules::standard().unwrap();
    let changed = |name: &str, rule| standard().find(name).cloned().unwrap().on_failure(rule);
    for name in ["auth_address", "auth_account"] {
        let faults = standard().limit(changed(name, OnFailure::Open)).build();
        let expected = RuleFault::OpenGuard { limit: name.into() };
        assert!(faults.unwrap_err().iter().eq([&expected]));
        assert!(standard().limit(changed(name, NODES)).build().is_ok());
    }
    let failed = standard().failed().cloned().unwrap();
    let faults = standard().failed_credentials(failed.on_failure(OnFailure::Open));
    assert!(faults.build().is_err());
    let user = changed("user", OnFailure::Open);
    assert!(standard().limit(user.clone()).build().is_ok());
    assert!(standard().limit(user.guard()).build().is_err());
    let rules = standard().build().unwrap();
    let policies = rules.policies();
    let guards = policies.ids().filter(|policy| policies.is_guard(*policy));
    let guards: Vec<&str> = guards.map(|policy| policies.name(policy)).collect();
    assert_eq!(
        guards,
        ["auth_address", "auth_account", "failed_credentials"]
    );
}

#[test]
fn the_rules_of_a_service_say_what_holds_without_the_store() {
    let standard = LimitRules::standard().unwrap();
    let user = standard.find("user").cloned().unwrap().on_failure(NODES);
    let tenant = standard.find("tenant").cloned().unwrap();
    let rules = standard
        .limit(user)
        .limit(tenant.on_failure(OnFailure::Open))
        .build()
        .unwrap();
    let store = Arc::new(MemoryLimiter::new(rules.policies().clone(), 10));
    let limiter = FallbackLimiter::of_rules(&rules, store).unwrap().build();
    let loosened: Vec<_> = limiter.loosened().collect();
    assert_eq!(loosened, [("tenant", OnFailure::Open), ("user", NODES)]);
    let other = LimitRules::standard().unwrap().build().unwrap();
    let other = Arc::new(MemoryLimiter::new(other.policies().clone(), 10));
    assert!(FallbackLimiter::of_rules(&rules, other).is_err());
}
