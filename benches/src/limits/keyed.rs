//! One limit, and many keys.

use std::{cell::Cell, hint::black_box};

use ringwall_core::clock::{MonotonicClock as _, SystemClock};
use ringwall_rate_limit::Quota;

use super::{BARE, Bare, GOVERNOR, OURS, OURS_AT_A_TIME, Ours, Steps, governor, texts};
use crate::{
    goals::Goals,
    race::{Length, Race, Times},
    report::{Report, fastest, print_times},
};

const CLOCK: &str = "clock alone";

/// # Panics
///
/// When a limiter denies what it has to allow.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let most = if length.is_smoke() { 10_000 } else { 1_000_000 };
    for keys in [1, 1_000, most] {
        let times = hits_of_numbers(length, keys);
        compare(report, &times, &format!("op=hit key=u64 keys={keys}"));
        if keys == most {
            goal(goals, "u64 keys", 0.5, &times);
        }
        let times = hits_of_texts(length, keys);
        compare(report, &times, &format!("op=hit key=uuid keys={keys}"));
        if keys == most {
            goal(goals, "UUID keys", 0.25, &times);
        }
        let times = denied(length, keys);
        compare(report, &times, &format!("op=denied key=u64 keys={keys}"));
        let times = new_keys(length, keys);
        compare(report, &times, &format!("op=new key=u64 keys={keys}"));
    }
}

fn compare(report: &mut Report, times: &[Times], case: &str) {
    print_times(case, times);
    report.compare(
        case,
        fastest(times, OURS),
        GOVERNOR,
        fastest(times, GOVERNOR),
    );
}

fn goal(goals: &mut Goals, what: &str, share: f64, times: &[Times]) {
    let (ours, governor) = (fastest(times, OURS), fastest(times, GOVERNOR));
    let what = format!("a check among the most {what}, against governor");
    goals.at_most(&what, share, ours / governor, "×");
}

fn hits_of_numbers(length: Length, keys: usize) -> Vec<Times> {
    let ours = Ours::generous(keys);
    let governor = governor();
    for key in 0..keys as u64 {
        assert!(ours.check(&key.to_le_bytes()));
        assert!(governor.check_key(&key).is_ok());
    }
    let (bare, clock) = (Bare::new(), SystemClock::new());
    let steps: [Steps; 3] = core::array::from_fn(|_| Steps::new(keys));
    let number = |steps: &Steps| steps.next() as u64;
    let now = ours.now();
    let mut race = Race::new();
    race.add(OURS, || ours.check(&number(&steps[0]).to_le_bytes()));
    race.add(GOVERNOR, || governor.check_key(&number(&steps[1])).is_ok());
    race.add(OURS_AT_A_TIME, || {
        ours.check_at(now, &number(&steps[2]).to_le_bytes())
    });
    race.add(BARE, || bare.check());
    race.add(CLOCK, || clock.elapsed());
    race.run(length)
}

fn hits_of_texts(length: Length, keys: usize) -> Vec<Times> {
    let texts = texts(keys);
    let ours = Ours::generous(keys);
    let governor = governor();
    for text in &texts {
        assert!(ours.check(text.as_bytes()));
        assert!(governor.check_key(text).is_ok());
    }
    let steps: [Steps; 3] = core::array::from_fn(|_| Steps::new(keys));
    let now = ours.now();
    let mut race = Race::new();
    race.add(OURS, || ours.check(texts[steps[0].next()].as_bytes()));
    race.add(GOVERNOR, || {
        governor.check_key(&texts[steps[1].next()]).is_ok()
    });
    race.add(OURS_AT_A_TIME, || {
        ours.check_at(now, texts[steps[2].next()].as_bytes())
    });
    race.run(length)
}

/// Every bucket is empty.
fn denied(length: Length, keys: usize) -> Vec<Times> {
    let ours = Ours::new(keys, Quota::per_hour(1).expect("a quota"));
    let one = core::num::NonZeroU32::MIN;
    let governor = governor::RateLimiter::dashmap(governor::Quota::per_hour(one));
    for key in 0..keys as u64 {
        assert!(ours.check(&key.to_le_bytes()));
        assert!(governor.check_key(&key).is_ok());
    }
    let steps: [Steps; 2] = core::array::from_fn(|_| Steps::new(keys));
    let number = |steps: &Steps| steps.next() as u64;
    let mut race = Race::new();
    race.add(OURS, || {
        assert!(!ours.check(&number(&steps[0]).to_le_bytes()))
    });
    race.add(GOVERNOR, || {
        assert!(governor.check_key(&number(&steps[1])).is_err())
    });
    race.run(length)
}

/// Keys that were never seen, in a table as full as it may be. The peer grows meanwhile; ours takes the places of
/// keys whose buckets are full again, which is what a table is full of after a while.
fn new_keys(length: Length, keys: usize) -> Vec<Times> {
    // Full again after a microsecond.
    let quota = Quota::per_second(1_000_000).expect("a quota").burst(1);
    let ours = Ours::new(keys, quota.expect("a quota"));
    let governor = governor();
    for key in 0..2 * keys as u64 {
        black_box(ours.check(&key.to_le_bytes()));
        black_box(governor.check_key(&key).is_ok());
    }
    let next: [Cell<u64>; 2] = core::array::from_fn(|_| Cell::new(2 * keys as u64));
    let number = |next: &Cell<u64>| next.replace(next.get() + 1);
    let mut race = Race::new();
    race.add(OURS, || ours.check(&number(&next[0]).to_le_bytes()));
    race.add(GOVERNOR, || governor.check_key(&number(&next[1])).is_ok());
    race.run(length)
}
