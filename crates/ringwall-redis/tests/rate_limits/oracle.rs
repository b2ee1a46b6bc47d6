//! The script against a model, with the time as a value: it stands still, goes on, jumps, and goes back.

use std::collections::HashMap;

use redis::Value;

use crate::servers;
use crate::world::Admin;

/// The script as the server runs it, but for the time and for when keys go: the last argument is the time, and
/// keys stay as long as the test.
fn script() -> String {
    let source = include_str!("../../src/limits/script.rs");
    let (_, text) = source
        .split_once("const CHECK: &str = \"\\\n")
        .expect("a script");
    let (text, _) = text.split_once("\";").expect("its end");
    for part in ["call('TIME')", "format('%d', debt / 1000 + 1001)"] {
        assert!(text.contains(part), "{part}");
    }
    text.replace("call('TIME')", "{0, ARGV[2]}")
        .replace("format('%d', debt / 1000 + 1001)", "10000000")
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

/// What is asked of buckets together.
struct Request {
    charge: bool,
    all: Vec<Asked>,
}

/// What is asked of one bucket.
struct Asked {
    key: usize,
    interval: i128,
    burst: i128,
    /// That a tenant's bucket can owe beyond its capacity.
    more: i128,
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

/// For how long processes may disagree on a quota.
const GRACE: i128 = 300 * SECOND;

/// How often something was seen.
#[derive(Debug, Default)]
struct Seen {
    /// What a bucket said: within, exceeded, and never.
    says: [u32; 3],
    /// A bucket that owes more than its quota holds and processes may disagree by, and may under its ceiling.
    beyond: u32,
}

/// The rules, in integers that nothing rounds.
#[derive(Default)]
struct Model {
    full_at: HashMap<usize, i128>,
}

impl Model {
    fn check(&mut self, now: i128, request: &Request, seen: &mut Seen) -> Vec<i128> {
        let mut looks = Vec::new();
        for asked in &request.all {
            let stored = self.full_at.get(&asked.key).copied();
            let mut debt = stored.map_or(0, |full_at| (full_at - now).max(0));
            let mut is_changed = false;
            if request.charge && debt > 0 && asked.back > 0 {
                debt = (debt - asked.back).max(0);
                is_changed = true;
            }
            let longest = asked.capacity() + asked.more;
            if debt > longest + GRACE {
                debt = longest;
                is_changed = true;
            }
            seen.beyond += u32::from(debt > asked.capacity() + GRACE);
            let says = if asked.need() > asked.capacity() {
                2
            } else {
                usize::from(debt + asked.need() > asked.capacity())
            };
            looks.push((debt, says, is_changed));
        }
        let mut looked = looks.iter().zip(&request.all);
        let passes = looked.all(|((_, says, _), asked)| *says == 0 || !asked.denies);
        let mut answer = Vec::new();
        for ((debt, said, is_changed), asked) in looks.into_iter().zip(&request.all) {
            seen.says[said] += 1;
            answer.push(debt);
            let is_charged = request.charge && passes && said == 0;
            let mut new = debt;
            let mut advance = 0;
            if is_charged {
                let half = (asked.capacity() - debt - asked.need()) / asked.interval / 2;
                advance = asked.advance.min(half);
                new = debt + asked.need() + advance * asked.interval;
            }
            if asked.advance > 0 {
                answer.push(advance);
            }
            if request.charge && (is_changed || is_charged) {
                self.put(asked.key, now, new);
            }
        }
        answer
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

fn draw(draws: &mut Draws) -> Request {
    let charge = draws.below(4) != 0;
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
        // Some give back, and ask for nothing.
        let only_back = draws.below(8) == 0;
        all.push(Asked {
            key,
            interval,
            burst,
            more: if key == 1 { 3_600 * SECOND } else { 0 },
            cost: if only_back { 0 } else { 1 + draws.below(most) },
            denies: draws.below(5) != 0,
            advance: if has_lease && charge && !only_back {
                1 + draws.below(burst)
            } else {
                0
            },
            back: if only_back || draws.below(4) == 0 {
                interval * draws.below(3)
            } else {
                0
            },
        });
    }
    Request { charge, all }
}

/// The requests as the limiter writes them, and the keys that they name, each once.
fn encoded(requests: &[Request]) -> (Vec<String>, Vec<u8>) {
    let (mut keys, mut bytes) = (Vec::new(), Vec::new());
    let byte = |number: usize| u8::try_from(number).expect("small");
    for request in requests {
        bytes.extend([u8::from(request.charge), byte(request.all.len())]);
        for asked in &request.all {
            let name = format!("{{t}}{}", asked.key);
            let place = keys.iter().position(|key| *key == name);
            let place = place.unwrap_or_else(|| {
                keys.push(name);
                keys.len() - 1
            });
            bytes.extend([0, byte(place + 1), u8::from(asked.denies)]);
            let longest = asked.capacity() + asked.more;
            for number in [
                asked.capacity(),
                longest,
                asked.need(),
                asked.back,
                asked.interval,
            ] {
                bytes.extend(u64::try_from(number).expect("a number").to_be_bytes());
            }
            let advance = u32::try_from(asked.advance).expect("a number");
            bytes.extend(advance.to_be_bytes());
        }
    }
    (keys, bytes)
}

#[test]
fn property_the_script_and_a_model_agree_on_every_event() {
    let server = servers::redis::start(&["appendonly no"]).expect("a server");
    let mut admin = Admin::of(&server);
    let script = script();
    let mut seen = Seen::default();
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
            // Most go alone, and some with others, for the same buckets too.
            let count = if draws.below(3) == 0 {
                1 + draws.below(9)
            } else {
                1
            };
            let requests: Vec<Request> = (0..count).map(|_| draw(&mut draws)).collect();
            let (keys, bytes) = encoded(&requests);
            let mut command = redis::cmd("EVAL");
            command.arg(&script).arg(keys.len()).arg(&keys).arg(bytes);
            let answer: Value = admin.query(command.arg(now.to_string()));
            // One number is answered as it is.
            let answer: Vec<i64> = if let Value::Int(number) = answer {
                vec![number]
            } else {
                redis::from_redis_value(answer).expect("numbers")
            };
            let answer: Vec<i128> = answer.into_iter().map(i128::from).collect();
            let each = requests
                .iter()
                .flat_map(|request| model.check(now, request, &mut seen));
            let expected: Vec<i128> = each.collect();
            assert_eq!(answer, expected, "event {event} of {seed}");
            for key in 0..KEYS {
                let stored: Option<String> = admin.run(&["GET", &format!("{{t}}{key}")]);
                let expected = model.full_at.get(&key).map(i128::to_string);
                assert_eq!(stored, expected, "key {key} after event {event} of {seed}");
            }
        }
    }
    // Each was seen often, or nothing was tried.
    let mut counts = seen.says.iter().chain([&seen.beyond]);
    assert!(counts.all(|count| *count > 100), "{seen:?}");
}
