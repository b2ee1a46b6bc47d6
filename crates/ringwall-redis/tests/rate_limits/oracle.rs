//! The scripts against a model, with the time as a value: it stands still, goes on, jumps, and goes back.

use std::collections::HashMap;

use crate::servers::redis;
use crate::world::Admin;

/// The scripts as the server runs them, but for the time and for when keys go: the last argument is the time,
/// and keys stay as long as the test.
fn script(name: &str) -> String {
    let source = include_str!("../../src/limits/script.rs");
    let start = format!("const {name}: &str = \"\\\n");
    let (_, text) = source.split_once(&start).expect("a script");
    let (text, _) = text.split_once("\";").expect("its end");
    for part in ["redis.call('TIME')", "math.ceil(debt / 1000) + 1000"] {
        assert!(text.contains(part), "{part}");
    }
    text.replace("redis.call('TIME')", "{0, ARGV[#ARGV]}")
        .replace("math.ceil(debt / 1000) + 1000", "10000000")
}

/// The next of a sequence of numbers that looks random, and is the same each time (SplitMix64).
struct Draws(u64);

impl Draws {
    fn below(&mut self, end: i128) -> i128 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i128::from(z ^ (z >> 31)).rem_euclid(end)
    }
}

/// What is asked of one bucket.
struct Asked {
    key: usize,
    interval: i128,
    burst: i128,
    cost: i128,
    denies: bool,
    advance: i128,
    back: i128,
}

impl Asked {
    fn capacity(&self) -> i128 {
        self.interval * self.burst
    }

    /// As the limiter says it: one more than the capacity where the cost is beyond the burst.
    fn need(&self) -> i128 {
        (self.interval * self.cost).min(self.capacity() + 1)
    }
}

const SECOND: i128 = 1_000_000;

/// The rules, in integers that nothing rounds.
#[derive(Default)]
struct Model {
    full_at: HashMap<usize, i128>,
}

impl Model {
    fn check(&mut self, now: i128, charge: bool, all: &[Asked]) -> Vec<i128> {
        let mut looks = Vec::new();
        for asked in all {
            let stored = self.full_at.get(&asked.key).copied();
            let mut debt = stored.map_or(0, |full_at| (full_at - now - asked.back).max(0));
            let mut is_changed = stored.is_some() && asked.back > 0;
            if debt > asked.capacity() + SECOND {
                debt = asked.capacity();
                is_changed = true;
            }
            let says = if asked.cost > asked.burst {
                2
            } else if debt + asked.need() > asked.capacity() {
                1
            } else {
                0
            };
            looks.push((debt, says, is_changed));
        }
        let allowed = looks
            .iter()
            .zip(all)
            .all(|((_, says, _), asked)| *says == 0 || !asked.denies);
        let mut answer = Vec::new();
        for ((debt, says, is_changed), asked) in looks.into_iter().zip(all) {
            let after = if says == 0 { debt + asked.need() } else { debt };
            let wait = if says == 1 {
                debt + asked.need() - asked.capacity()
            } else {
                0
            };
            let mut advance = 0;
            let mut new = debt;
            if charge && allowed && says == 0 {
                let half = (asked.capacity() - after) / asked.interval / 2;
                advance = asked.advance.min(half);
                new = after + advance * asked.interval;
            }
            if charge && (is_changed || (allowed && says == 0)) {
                self.put(asked.key, now, new);
            }
            let capped = |debt: i128| debt.min(asked.capacity());
            answer.extend([says, capped(debt), capped(after), wait, advance]);
        }
        answer
    }

    fn give_back(&mut self, now: i128, key: usize, micros: i128) {
        if let Some(full_at) = self.full_at.get(&key).copied() {
            self.put(key, now, full_at - now - micros);
        }
    }

    fn put(&mut self, key: usize, now: i128, debt: i128) {
        if debt > 0 {
            self.full_at.insert(key, now + debt);
        } else {
            self.full_at.remove(&key);
        }
    }
}

/// Intervals and bursts, up to the slowest that can be.
const QUOTAS: [(i128, i128); 6] = [
    (50_000, 40),
    (142_858, 7),
    (600_000, 100),
    (3_600 * SECOND, 10),
    (1, 4_294_967_295),
    (366 * 86_400 * SECOND, 10),
];

const KEYS: usize = 4;

fn draw(draws: &mut Draws) -> Vec<Asked> {
    let count = 1 + draws.below(3);
    let mut all: Vec<Asked> = Vec::new();
    for _ in 0..count {
        let key = usize::try_from(draws.below(4)).expect("small");
        if all.iter().any(|asked| asked.key == key) {
            continue;
        }
        // A bucket's quota is changed now and then.
        let turn = usize::from(draws.below(20) == 0);
        let (interval, burst) = QUOTAS[(key + turn * 2) % QUOTAS.len()];
        let most = burst + 1 - draws.below(2) * (burst / 2);
        let has_lease = draws.below(4) == 0;
        all.push(Asked {
            key,
            interval,
            burst,
            cost: 1 + draws.below(most),
            denies: draws.below(5) != 0,
            advance: if has_lease { 1 + draws.below(burst) } else { 0 },
            back: if draws.below(4) == 0 {
                interval * draws.below(3)
            } else {
                0
            },
        });
    }
    all
}

#[test]
fn property_the_scripts_and_a_model_agree_on_every_event() {
    let server = redis::start(&["appendonly no"]).expect("a server");
    let mut admin = Admin::of(&server);
    let (check, give_back) = (script("CHECK_TEXT"), script("GIVE_BACK_TEXT"));
    let mut says = [0_u32; 3];
    for seed in 0..4 {
        let _: String = admin.run(&["FLUSHALL"]);
        let (mut draws, mut model) = (Draws(seed), Model::default());
        // 2026, in microseconds.
        let mut now: i128 = 1_767_225_600 * SECOND;
        for event in 0..1500 {
            now += match draws.below(20) {
                0 => -draws.below(3 * SECOND),
                1 => -draws.below(40 * 86_400 * SECOND),
                2 => draws.below(40 * 86_400 * SECOND),
                3 => draws.below(3_600 * SECOND),
                4..8 => 0,
                _ => draws.below(SECOND),
            };
            let all = draw(&mut draws);
            let keys: Vec<String> = all
                .iter()
                .map(|asked| format!("{{t}}{}", asked.key))
                .collect();
            if draws.below(5) == 0 {
                let mut words = vec!["EVAL".to_owned(), give_back.clone(), keys.len().to_string()];
                words.extend(keys);
                for asked in &all {
                    let micros = asked.interval * asked.cost;
                    model.give_back(now, asked.key, micros);
                    words.push(micros.to_string());
                }
                words.push(now.to_string());
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let _: i64 = admin.run(&words);
            } else {
                let charge = draws.below(4) != 0;
                let mut words = vec!["EVAL".to_owned(), check.clone(), keys.len().to_string()];
                words.extend(keys);
                words.push(i128::from(charge).to_string());
                for asked in &all {
                    let denies = i128::from(asked.denies);
                    for number in [
                        asked.capacity(),
                        asked.need(),
                        denies,
                        asked.interval,
                        asked.advance,
                        asked.back,
                    ] {
                        words.push(number.to_string());
                    }
                }
                words.push(now.to_string());
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let answer: Vec<i64> = admin.run(&words);
                let answer: Vec<i128> = answer.into_iter().map(i128::from).collect();
                let expected = model.check(now, charge, &all);
                assert_eq!(answer, expected, "event {event} of {seed}");
                for one in expected.chunks(5) {
                    says[usize::try_from(one[0]).expect("small")] += 1;
                }
            }
            for key in 0..KEYS {
                let stored: Option<String> = admin.run(&["GET", &format!("{{t}}{key}")]);
                let expected = model.full_at.get(&key).map(i128::to_string);
                assert_eq!(stored, expected, "key {key} after event {event} of {seed}");
            }
        }
    }
    // Each answer was seen often, or nothing was tried.
    assert!(says.iter().all(|count| *count > 100), "{says:?}");
}
