//! One request, and several limits.

use super::{OURS, Ours, Steps};
use crate::{
    goals::Goals,
    race::{Length, Race},
    report::{Report, fastest, print_times},
};

const THREE: &str = "three limits";

/// # Panics
///
/// When the limiter denies what it has to allow.
pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let most = if length.is_smoke() { 10_000 } else { 1_000_000 };
    for keys in [1, 1_000, most] {
        let ours = Ours::generous(keys * 3);
        let three = |key: usize| {
            let key = key.to_le_bytes();
            [0, 1, 2].map(|place| ours.dimension(place, &key))
        };
        for key in 0..keys {
            assert!(ours.check_all(ours.now(), &three(key)));
        }
        let steps: [Steps; 2] = core::array::from_fn(|_| Steps::new(keys));
        let mut race = Race::new();
        race.add(OURS, || {
            let key = steps[0].next().to_le_bytes();
            ours.check_all(ours.now(), &[ours.dimension(0, &key)])
        });
        race.add(THREE, || {
            ours.check_all(ours.now(), &three(steps[1].next()))
        });
        let times = race.run(length);
        let case = format!("op=dimensions count=3 keys={keys}");
        print_times(&case, &times);
        let (one, three) = (fastest(&times, OURS), fastest(&times, THREE));
        report.compare(&case, three, "one-limit", one);
        let goal = format!("three limits against one, {keys} keys");
        goals.at_most(&goal, 2.5, three / one, "×");
    }
}
