//! The store in memory against the contract, and against stores that break it.

use std::collections::HashSet;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringwall_core::clock::{ManualClock, Timestamp, WallClock as _};
use ringwall_core::step::{BoxFuture, Step};
use ringwall_replay::conformance::{self, Answer, Setting};
use ringwall_replay::{
    Claim, ClaimKey, ClaimRequest, MemoryReplay, ReplayStore, ReplayUnavailable, Restart,
};

const START: i64 = 1_800_000_000;

/// A store that answers at once, and a clock that is moved by hand.
struct World {
    store: Arc<dyn ReplayStore>,
    clock: Arc<ManualClock>,
}

impl World {
    fn of(store: impl ReplayStore + 'static) -> Self {
        Self {
            store: Arc::new(store),
            clock: Arc::new(ManualClock::new(at(START))),
        }
    }
}

impl Setting for World {
    fn store(&self) -> Arc<dyn ReplayStore> {
        Arc::clone(&self.store)
    }

    fn now(&self) -> Timestamp {
        self.clock.now().expect("it does not fail")
    }

    fn pass(&self, time: Duration) -> BoxFuture<()> {
        self.clock.advance(time);
        Box::pin(async {})
    }

    /// A thread each, all of which wait for the last.
    fn together(&self, claims: Vec<BoxFuture<Answer>>) -> BoxFuture<Vec<Answer>> {
        let barrier = Arc::new(Barrier::new(claims.len()));
        let threads: Vec<_> = claims
            .into_iter()
            .map(|claim| {
                let barrier = Arc::clone(&barrier);
                std::thread::spawn(move || {
                    barrier.wait();
                    now_or_never(claim)
                })
            })
            .collect();
        let join = |thread: std::thread::JoinHandle<Answer>| thread.join().expect("no panic");
        let answers = threads.into_iter().map(join).collect();
        Box::pin(async { answers })
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).expect("in range")
}

fn now_or_never<T>(future: impl Future<Output = T>) -> T {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a store in memory answers at once"),
    }
}

fn forgetful(capacity: usize) -> MemoryReplay {
    let builder = MemoryReplay::builder(Restart::Forgetful).capacity(capacity);
    builder.build().expect("valid")
}

#[test]
fn keeps_the_contract() {
    for store in [
        forgetful(1 << 20),
        forgetful(4000),
        MemoryReplay::strict(at(START - 1)),
    ] {
        now_or_never(conformance::all(&World::of(store))).expect("conforming");
    }
}

#[test]
fn a_full_store_refuses_and_knows_every_claim() {
    for (capacity, at_most) in [(1, 1), (100, 100), (10_000, 12_500), (100_000, 125_000)] {
        let store = World::of(forgetful(capacity));
        now_or_never(conformance::full(&store, at_most)).expect("conforming");
    }
}

#[test]
fn a_full_store_still_tells_what_was_used() {
    let store = forgetful(50);
    let claim = |number: u8| {
        let request = ClaimRequest {
            key: ClaimKey::new("test", &[&[number]]),
            valid_from: at(START),
            valid_until: at(START + 60),
            now: at(START),
        };
        now_or_never(store.claim(request).into_future())
    };
    for number in 0..50 {
        assert_eq!(claim(number), Ok(Claim::First));
    }
    for number in 0..50 {
        assert!(claim(50 + number).is_err());
        assert_eq!(claim(number), Ok(Claim::Repeated));
    }
}

#[test]
fn a_full_store_has_room_again_when_the_time_that_it_told_has_passed() {
    let world = World::of(forgetful(10));
    now_or_never(conformance::full(&world, 10)).expect("conforming");
    let claim = || {
        let now = world.now();
        now_or_never(
            world
                .store()
                .claim(ClaimRequest {
                    key: ClaimKey::new("test", &[b"another"]),
                    valid_from: now,
                    valid_until: now.checked_add(Duration::from_secs(60)).expect("in range"),
                    now,
                })
                .into_future(),
        )
    };
    let ReplayUnavailable { retry_after } = claim().expect_err("full");
    world.clock.advance(retry_after - Duration::from_micros(1));
    assert!(claim().is_err());
    world.clock.advance(Duration::from_micros(1));
    assert_eq!(claim(), Ok(Claim::First));
}

#[test]
fn remembers_for_the_longest_time_and_promises_no_more() {
    let limit = Duration::from_secs(600);
    let builder = MemoryReplay::builder(Restart::Forgetful).longest(limit);
    let world = World::of(builder.build().expect("valid"));
    now_or_never(conformance::longest(&world, limit)).expect("conforming");
}

#[test]
fn a_strict_store_refuses_what_may_have_been_used_before_it_was_there() {
    let world = World::of(MemoryReplay::strict(at(START)));
    now_or_never(conformance::lost_memory(&world, at(START))).expect("conforming");
}

#[test]
fn a_new_credential_passes_after_the_time_that_a_strict_store_told() {
    let world = World::of(MemoryReplay::strict(at(START)));
    let skew = Duration::from_secs(5);
    let claim = |number: u8| {
        let now = world.now();
        now_or_never(
            world
                .store()
                .claim(ClaimRequest {
                    key: ClaimKey::new("test", &[&[number]]),
                    valid_from: now.checked_sub(skew).expect("in range"),
                    valid_until: now.checked_add(Duration::from_secs(60)).expect("in range"),
                    now,
                })
                .into_future(),
        )
    };
    let ReplayUnavailable { retry_after } = claim(1).expect_err("perhaps used before");
    assert_eq!(retry_after, skew + Duration::from_micros(1));
    world.clock.advance(retry_after);
    assert_eq!(claim(2), Ok(Claim::First));
}

#[test]
fn bounds_out_of_range_build_nothing() {
    let builder = || MemoryReplay::builder(Restart::Forgetful);
    for capacity in [0, ringwall_replay::memory::MAX_CAPACITY + 1] {
        assert!(builder().capacity(capacity).build().is_err());
    }
    let too_long = ringwall_replay::memory::MAX_LONGEST + Duration::from_micros(1);
    for longest in [Duration::ZERO, too_long] {
        let error = builder()
            .longest(longest)
            .build()
            .expect_err("out of range");
        assert!(!error.is_retryable());
    }
}

#[test]
fn shows_neither_claims_nor_its_hash_key() {
    let store = forgetful(10);
    let shown = format!("{store:?}");
    assert_eq!(
        shown,
        "MemoryReplay { shards: 1, limit_per_shard: 10, longest: 900s, restart: Forgetful, .. }"
    );
}

#[test]
fn counts_what_it_holds() {
    let store = forgetful(5000);
    for number in 0..100_u8 {
        let answer = now_or_never(
            store
                .claim(ClaimRequest {
                    key: ClaimKey::new("test", &[&[number]]),
                    valid_from: at(START),
                    valid_until: at(START + 60),
                    now: at(START),
                })
                .into_future(),
        );
        assert_eq!(answer, Ok(Claim::First));
    }
    let usage = store.usage();
    assert_eq!(usage.claims, 100);
    assert!((5000..=6250).contains(&usage.capacity), "{usage:?}");
    assert!(usage.bytes > 1600, "{usage:?}");
}

/// A store that breaks the contract in one way: the suite must see each of them.
#[derive(Debug)]
struct Broken {
    fault: Fault,
    held: Mutex<HashSet<ClaimKey>>,
    calls: AtomicUsize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    AdmitsAll,
    AdmitsNone,
    LooksBeforeItClaims,
    ForgetsEarly,
    HoldsPrefixes,
    RemembersWhatIsOver,
    AdmitsWhatIsOver,
    DropsWhenFull,
}

impl ReplayStore for Broken {
    fn claim(&self, request: ClaimRequest) -> Step<Result<Claim, ReplayUnavailable>> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst);
        let lock = || self.held.lock().expect("no panic");
        if request.valid_until <= request.now {
            match self.fault {
                Fault::RemembersWhatIsOver => drop(lock().insert(request.key)),
                Fault::AdmitsWhatIsOver => return Step::Done(Ok(Claim::First)),
                Fault::AdmitsAll
                | Fault::AdmitsNone
                | Fault::LooksBeforeItClaims
                | Fault::ForgetsEarly
                | Fault::HoldsPrefixes
                | Fault::DropsWhenFull => {}
            }
            return Step::Done(Ok(Claim::Repeated));
        }
        let first = match self.fault {
            Fault::AdmitsAll => true,
            Fault::AdmitsNone => false,
            Fault::LooksBeforeItClaims => {
                let known = lock().contains(&request.key);
                // Long enough for the others to look too.
                std::thread::sleep(Duration::from_millis(2));
                lock().insert(request.key);
                !known
            }
            Fault::ForgetsEarly => {
                if calls.is_multiple_of(20) {
                    lock().clear();
                }
                lock().insert(request.key)
            }
            Fault::HoldsPrefixes => {
                let first_byte = &request.key.as_bytes()[..1];
                lock().insert(ClaimKey::new("prefix", &[first_byte]))
            }
            Fault::DropsWhenFull => {
                let mut held = lock();
                if held.len() >= 50 {
                    held.clear();
                    return Step::Done(Err(ReplayUnavailable {
                        retry_after: Duration::ZERO,
                    }));
                }
                held.insert(request.key)
            }
            Fault::RemembersWhatIsOver | Fault::AdmitsWhatIsOver => lock().insert(request.key),
        };
        Step::Done(Ok(if first { Claim::First } else { Claim::Repeated }))
    }
}

#[test]
fn the_suite_sees_stores_that_break_the_contract() {
    for fault in [
        Fault::AdmitsAll,
        Fault::AdmitsNone,
        Fault::LooksBeforeItClaims,
        Fault::ForgetsEarly,
        Fault::HoldsPrefixes,
        Fault::RemembersWhatIsOver,
        Fault::AdmitsWhatIsOver,
    ] {
        let world = World::of(broken(fault));
        now_or_never(conformance::all(&world)).expect_err(&format!("{fault:?}"));
    }
    let world = World::of(broken(Fault::DropsWhenFull));
    now_or_never(conformance::full(&world, 100)).expect_err("it drops");
    let world = World::of(broken(Fault::AdmitsAll));
    now_or_never(conformance::full(&world, 100)).expect_err("it is never full");
    now_or_never(conformance::down(&world)).expect_err("it is up");
    now_or_never(conformance::longest(&world, Duration::from_secs(1))).expect_err("no limit");
    now_or_never(conformance::lost_memory(&world, at(START))).expect_err("not strict");
}

fn broken(fault: Fault) -> Broken {
    Broken {
        fault,
        held: Mutex::default(),
        calls: AtomicUsize::new(1),
    }
}
