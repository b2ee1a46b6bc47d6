//! Two threads at one bucket, and at many.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{BARE, Bare, GOVERNOR, OURS, Ours, governor};
use crate::{
    goals::Goals,
    race::{Length, Pairs, Race, Times},
    report::{Report, fastest, print_times},
};

/// # Panics
///
/// When a limiter denies what it has to allow.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let ours = Ours::generous(1000);
    let governor = governor();
    let bare = Bare::new();
    let key = 7_u64;

    let mut race = Race::new();
    race.add(OURS, || ours.check(&key.to_le_bytes()));
    race.add(GOVERNOR, || governor.check_key(&key).is_ok());
    race.add(BARE, || bare.check());
    let alone = race.run(length);
    print_times("one hot key, one thread", &alone);

    let mut pairs = Pairs::new();
    pairs.add(OURS, || ours.check(&key.to_le_bytes()));
    pairs.add(GOVERNOR, || governor.check_key(&key).is_ok());
    pairs.add(BARE, || bare.check());
    let together = pairs.run(length);
    print_times("one hot key, two threads (each)", &together);

    println!("\nOne hot key: checks a second, in millions, and what the second thread brings");
    println!("| contender | one thread | two threads | × |\n|---|--:|--:|--:|");
    for name in [OURS, GOVERNOR, BARE] {
        let (one, two) = (rate(&alone, name, 1.0), rate(&together, name, 2.0));
        println!("| {name} | {one:.2} | {two:.2} | {:.2} |", two / one);
    }
    let scaling = |name| rate(&together, name, 2.0) / rate(&alone, name, 1.0);
    goals.at_most(
        "scaling of the bare atomic over ours, one hot key",
        1.0 / 0.95,
        scaling(BARE) / scaling(OURS),
        "×",
    );
    for (threads, times) in [(1, &alone), (2, &together)] {
        let case = format!("op=hit keys=1 hot=yes threads={threads}");
        report.compare(
            &case,
            fastest(times, OURS),
            GOVERNOR,
            fastest(times, GOVERNOR),
        );
        report.compare(&case, fastest(times, OURS), BARE, fastest(times, BARE));
    }

    let keys = if length.is_smoke() { 1_000 } else { 1_000_000 };
    let next = AtomicU64::new(0);
    let step = || next.fetch_add(7_919, Ordering::Relaxed) % keys;
    let ours = Ours::generous(keys as usize);
    for key in 0..keys {
        assert!(ours.check(&key.to_le_bytes()));
        assert!(governor.check_key(&key).is_ok());
    }
    let mut pairs = Pairs::new();
    pairs.add(OURS, || ours.check(&step().to_le_bytes()));
    pairs.add(GOVERNOR, || governor.check_key(&step()).is_ok());
    let times = pairs.run(length);
    print_times("many keys, two threads (each)", &times);
    let case = format!("op=hit keys={keys} threads=2");
    report.compare(
        &case,
        fastest(&times, OURS),
        GOVERNOR,
        fastest(&times, GOVERNOR),
    );
}

/// Millions a second, of all threads together.
fn rate(times: &[Times], name: &str, threads: f64) -> f64 {
    threads * 1e3 / fastest(times, name)
}
