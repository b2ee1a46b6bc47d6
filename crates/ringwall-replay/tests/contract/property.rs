//! The store in memory against a list that never forgets.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a test that overflows fails"
)]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use ringwall_core::clock::Timestamp;
use ringwall_core::step::Step;
use ringwall_replay::{
    Claim, ClaimKey, ClaimRequest, MemoryReplay, ReplayStore as _, ReplayUnavailable, Restart,
};

/// One call: milliseconds since the one before (negative: the clock is set back), which key, and
/// how long it is valid.
type Call = (i64, u8, i64);

const LONGEST: i64 = 20_000;

fn millis(count: i64) -> Timestamp {
    Timestamp::from_unix_micros(1_800_000_000_000_000 + count * 1000)
}

fn store(capacity: usize, restart: Restart) -> MemoryReplay {
    let longest = Duration::from_millis(u64::try_from(LONGEST).expect("positive"));
    let builder = MemoryReplay::builder(restart)
        .capacity(capacity)
        .longest(longest);
    builder.build().expect("valid")
}

fn claim(store: &MemoryReplay, request: ClaimRequest) -> Result<Claim, ReplayUnavailable> {
    match store.claim(request) {
        Step::Done(answer) => answer,
        Step::Wait(_) => panic!("a store in memory answers at once"),
    }
}

fn request(key: u8, from: i64, until: i64, now: i64) -> ClaimRequest {
    ClaimRequest {
        key: ClaimKey::new("property", &[&[key]]),
        valid_from: millis(from),
        valid_until: millis(until),
        now: millis(now),
    }
}

fn calls(steps: impl Strategy<Value = i64>) -> impl Strategy<Value = Vec<Call>> {
    // Few keys, so that they meet; lives around the lengths of the steps.
    let call = (steps, 0..24_u8, -10..=LONGEST + 10);
    prop::collection::vec(call, 0..300)
}

proptest! {
    /// Whatever the clock does, and however full it is: nothing that counts is admitted twice, and
    /// nothing is refused as repeated that was never claimed.
    #[test]
    fn admits_nothing_twice_and_calls_nothing_repeated_that_is_new(
        calls in calls(prop_oneof![3 => 0..2000_i64, 1 => -5000..5000_i64, 1 => -100_000..100_000_i64]),
        capacity in prop_oneof![1..30_usize, Just(5000)],
    ) {
        let store = store(capacity, Restart::Forgetful);
        let mut claimed: HashMap<u8, i64> = HashMap::new();
        let mut now = 0;
        for (step, key, life) in calls {
            now += step;
            // A key's end follows from the credential: the same for all who show it.
            let until = claimed.get(&key).copied().filter(|until| *until > now).unwrap_or(now + life);
            match claim(&store, request(key, now, until, now)) {
                Ok(Claim::First) => {
                    prop_assert!(until > now);
                    let before = claimed.insert(key, until);
                    prop_assert!(before.is_none_or(|before| before <= now), "{before:?} at {now}");
                }
                Ok(Claim::Repeated) => prop_assert!(until <= now || claimed.contains_key(&key)),
                Err(ReplayUnavailable { retry_after }) => prop_assert!(!retry_after.is_zero()),
            }
        }
    }

    /// With a clock that goes forward and room enough, every call is decided, and exactly as the
    /// list decides it: as the first unless the key counts.
    #[test]
    fn decides_as_the_list_does(calls in calls(0..4000_i64)) {
        // One shard: a shard forgets when it is asked.
        let store = store(2000, Restart::Forgetful);
        let mut claimed: HashMap<u8, i64> = HashMap::new();
        let mut now = 0;
        for (step, key, life) in calls {
            now += step;
            let until = claimed.get(&key).copied().filter(|until| *until > now).unwrap_or(now + life);
            let answer = claim(&store, request(key, now, until, now));
            let counts = claimed.get(&key).is_some_and(|until| *until > now);
            if until > now + LONGEST {
                prop_assert!(answer.is_err());
            } else if until <= now || counts {
                prop_assert_eq!(answer, Ok(Claim::Repeated));
            } else if !claimed.contains_key(&key) {
                prop_assert_eq!(answer, Ok(Claim::First));
            } else {
                // It was claimed and is over: it may be remembered, but not for ever.
                prop_assert!(answer.is_ok());
            }
            if answer == Ok(Claim::First) {
                claimed.insert(key, until);
            }
        }
        // Two lifetimes later everything is forgotten.
        for later in [1, 2, 3] {
            let now = now + later * (LONGEST + 2010);
            let key = 100 + u8::try_from(later).expect("small");
            prop_assert_eq!(claim(&store, request(key, now, now + 1, now)), Ok(Claim::First));
        }
        prop_assert!(store.usage().claims <= 2, "{:?}", store.usage());
    }

    /// It never holds more than its capacity, and refuses only when it holds that many.
    #[test]
    fn refuses_only_when_it_is_full(calls in calls(0..500_i64), capacity in 1..30_usize) {
        let store = store(capacity, Restart::Forgetful);
        let mut now = 0;
        for (step, key, life) in calls {
            now += step;
            let life = life.clamp(1, LONGEST);
            let answer = claim(&store, request(key, now, now + life, now));
            let held = store.usage().claims;
            prop_assert!(held <= capacity);
            prop_assert!(answer.is_ok() || held == capacity);
        }
    }

    /// After a restart, a strict store admits nothing that the one before it admitted.
    #[test]
    fn a_strict_store_admits_nothing_of_the_life_before(
        calls in calls(0..500_i64),
        restarts in prop::collection::vec(0..300_usize, 0..4),
    ) {
        let skew = 1000;
        let mut store = store(5000, Restart::Strict { started_at: millis(-1_000_000) });
        let mut admitted: HashMap<(u8, i64), i64> = HashMap::new();
        let mut now = 0;
        for (index, (step, key, age)) in calls.into_iter().enumerate() {
            now += step;
            if restarts.contains(&index) {
                store = self::store(5000, Restart::Strict { started_at: millis(now) });
            }
            // Made a while ago, at a time of the grid so that it is met again.
            let made = (now - age.rem_euclid(3000)).div_euclid(500) * 500;
            let until = made + 4000;
            let request = ClaimRequest {
                key: ClaimKey::new("property", &[&[key], &made.to_be_bytes()]),
                valid_from: millis(made - skew),
                valid_until: millis(until),
                now: millis(now),
            };
            if claim(&store, request) == Ok(Claim::First) {
                prop_assert_eq!(admitted.insert((key, made), until), None);
            }
        }
    }
}

/// Threads that claim the same keys in other orders, while generations end under them.
#[test]
fn property_of_many_threads_each_key_is_admitted_once() {
    const KEYS: u32 = 2000;
    let store = store(1 << 17, Restart::Forgetful);
    let admitted: Vec<AtomicUsize> = (0..KEYS).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..16_u32 {
            let (store, admitted) = (&store, &admitted);
            scope.spawn(move || {
                for turn in 0..KEYS {
                    let number = (turn * 7 + thread * 131) % KEYS;
                    let answer = claim(
                        store,
                        ClaimRequest {
                            key: ClaimKey::new("threads", &[&number.to_be_bytes()]),
                            valid_from: millis(0),
                            valid_until: millis(19_000),
                            now: millis(i64::from(turn)),
                        },
                    );
                    if answer == Ok(Claim::First) {
                        admitted[usize::try_from(number).expect("small")]
                            .fetch_add(1, Ordering::SeqCst);
                    }
                    // Short ones beside them make generations end.
                    let short = claim(
                        store,
                        ClaimRequest {
                            key: ClaimKey::new(
                                "short",
                                &[&thread.to_be_bytes(), &turn.to_be_bytes()],
                            ),
                            valid_from: millis(0),
                            valid_until: millis(i64::from(turn) + 1),
                            now: millis(i64::from(turn)),
                        },
                    );
                    assert_eq!(short, Ok(Claim::First));
                }
            });
        }
    });
    for (number, count) in admitted.iter().enumerate() {
        assert_eq!(count.load(Ordering::SeqCst), 1, "{number}");
    }
}
