//! Claims that are granted once, with a million that count: the store in memory against a set behind a lock,
//! without expiry, and with the queue that expiry needs.

use std::{
    cell::{Cell, RefCell},
    collections::{HashSet, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ringwall_core::{clock::Timestamp, step::Step};
use ringwall_replay::{
    Claim, ClaimKey, ClaimRequest, MemoryReplay, ReplayStore as _, Restart, memory::Usage,
};

use crate::{
    goals::Goals,
    race::{Length, Pairs, Race},
    report::{Report, fastest, print_times},
};

/// Claims that count at the same time.
const LIVE: usize = 1_000_000;
const LIVE_IN_SMOKE: usize = 1_000;

/// Bytes of a bucket of the standard set: a key and a byte of control.
const BUCKET: usize = 33;

/// No pause that a request notices.
const LONGEST_GOAL_MICROS: f64 = 2_000.0;
const BYTES_GOAL: f64 = 66.0;

const OURS: &str = "ours";
const SET: &str = "mutex-hashset";
const EXPIRING_SET: &str = "mutex-hashset-expiring";

type Key = [u8; 32];

/// One claim follows the other by a microsecond, and counts for as many as count at once.
struct World {
    live: usize,
    /// Four lifetimes of keys, which come around when nobody remembers them.
    keys: Vec<ClaimKey>,
}

/// The floor: it never forgets.
#[derive(Default)]
struct Expiring {
    held: HashSet<Key>,
    order: VecDeque<Key>,
}

pub fn run(length: Length, report: &mut Report, goals: &mut Goals) {
    let live = if length.is_smoke() {
        LIVE_IN_SMOKE
    } else {
        LIVE
    };
    let world = World::new(live);
    let case = |rest: &str| format!("kind=replay entries={live} {rest}");

    let store = world.store();
    let mut longest_ours = Duration::ZERO;
    for index in 0..live {
        longest_ours = longest_ours.max(processor_time(|| {
            assert_eq!(world.claim(&store, index), Claim::First);
        }));
    }
    let set = Mutex::new(HashSet::new());
    let mut longest_set = Duration::ZERO;
    for index in 0..live {
        longest_set = longest_set.max(processor_time(|| {
            assert!(claim_of_set(&set, world.key(index)));
        }));
    }
    let expiring = RefCell::new(Mutex::new(Expiring::default()));
    for index in 0..live {
        world.claim_of_expiring(&expiring.borrow(), index);
    }

    print_memory(live, store.usage(), &set, &expiring.borrow(), goals);
    println!("\nThe longest of {live} claims while the tables grew, in µs of processor time");
    println!("| {OURS} | {SET} |\n|--:|--:|");
    println!(
        "| {:.1} | {:.1} |",
        micros(longest_ours),
        micros(longest_set)
    );
    goals.at_most(
        "replay, longest claim while tables grow",
        LONGEST_GOAL_MICROS,
        micros(longest_ours),
        "µs",
    );

    // What was used, shown again: a look-up far from every cache.
    let step = |index: &Cell<usize>| {
        // Coprime to the number of keys, so that neighbours do not help.
        let next = (index.get() + 7_919) % live;
        index.set(next);
        next
    };
    let (ours_at, set_at) = (Cell::new(0), Cell::new(0));
    let mut race = Race::new();
    race.add(OURS, || world.claim_at(&store, step(&ours_at), live));
    race.add(SET, || claim_of_set(&set, world.key(step(&set_at))));
    let times = race.run(length);
    print_times("a claim that is repeated", &times);
    let (ours_ns, set_ns) = (fastest(&times, OURS), fastest(&times, SET));
    report.compare(&case("op=repeated threads=1"), ours_ns, SET, set_ns);

    let next = AtomicUsize::new(0);
    let step = || next.fetch_add(7_919, Ordering::Relaxed) % live;
    let mut pairs = Pairs::new();
    pairs.add(OURS, || world.claim_at(&store, step(), live));
    pairs.add(SET, || claim_of_set(&set, world.key(step())));
    let times = pairs.run(length);
    print_times("a claim that is repeated, by two threads at once", &times);
    let (ours_ns, set_ns) = (fastest(&times, OURS), fastest(&times, SET));
    report.compare(&case("op=repeated threads=2"), ours_ns, SET, set_ns);

    // New ones, while as many end.
    let (ours_at, expiring_at) = (Cell::new(live), Cell::new(live));
    let mut race = Race::new();
    race.add(OURS, || {
        let index = ours_at.replace(ours_at.get() + 1);
        assert_eq!(world.claim(&store, index), Claim::First);
    });
    race.add(EXPIRING_SET, || {
        let index = expiring_at.replace(expiring_at.get() + 1);
        assert!(world.claim_of_expiring(&expiring.borrow(), index));
    });
    let times = race.run(length);
    print_times("a first claim, while another ends", &times);
    let (ours_ns, set_ns) = (fastest(&times, OURS), fastest(&times, EXPIRING_SET));
    report.compare(&case("op=first threads=1"), ours_ns, EXPIRING_SET, set_ns);
    let usage = store.usage();
    println!(
        "\nafter {} claims: {} held, {:.1} bytes for each that counts",
        ours_at.get(),
        usage.claims,
        usage.bytes as f64 / live as f64
    );
}

fn print_memory(
    live: usize,
    usage: Usage,
    set: &Mutex<HashSet<Key>>,
    expiring: &Mutex<Expiring>,
    goals: &mut Goals,
) {
    let each = |bytes: usize| bytes as f64 / live as f64;
    let set = bytes_of(&set.lock().expect("no panic"));
    let expiring = expiring.lock().expect("no panic");
    let queue = expiring.order.capacity() * size_of::<Key>();
    println!("\nBytes for each of {live} claims");
    println!("| {OURS} | {SET} | {EXPIRING_SET} |\n|--:|--:|--:|");
    println!(
        "| {:.1} | {:.1} | {:.1} |",
        each(usage.bytes),
        each(set),
        each(bytes_of(&expiring.held) + queue)
    );
    goals.at_most(
        "replay, memory",
        BYTES_GOAL,
        each(usage.bytes),
        "bytes each",
    );
}

/// Of a standard set, which fills its buckets to 7/8.
fn bytes_of(set: &HashSet<Key>) -> usize {
    set.capacity() / 7 * 8 * BUCKET
}

impl World {
    fn new(live: usize) -> Self {
        let keys = (0..4 * live as u64)
            .map(|number| ClaimKey::new("dpop", &[b"thumbprint", &number.to_be_bytes()]))
            .collect();
        Self { live, keys }
    }

    fn store(&self) -> MemoryReplay {
        // Two lifetimes, and the pause before a generation is forgotten.
        MemoryReplay::builder(Restart::Forgetful)
            .capacity(self.live * 5)
            .build()
            .expect("valid")
    }

    fn key(&self, index: usize) -> Key {
        *self.keys[index % self.keys.len()].as_bytes()
    }

    /// The claim of this number, at its time.
    fn claim(&self, store: &MemoryReplay, index: usize) -> Claim {
        self.claim_at(store, index, index)
    }

    /// The claim of this number at the time of another one.
    fn claim_at(&self, store: &MemoryReplay, index: usize, now: usize) -> Claim {
        // A lifetime is ten seconds, so that the pause before a generation is forgotten stays small.
        let at = |number: usize| {
            let micros = number as u64 * 10_000_000 / self.live as u64;
            Timestamp::from_unix_micros(micros as i64)
        };
        let request = ClaimRequest {
            key: self.keys[index % self.keys.len()],
            valid_from: at(now),
            valid_until: at(now + self.live),
            now: at(now),
        };
        match store.claim(request) {
            Step::Done(answer) => answer.expect("it has room"),
            Step::Wait(_) => panic!("a store in memory answers at once"),
        }
    }

    fn claim_of_expiring(&self, expiring: &Mutex<Expiring>, index: usize) -> bool {
        let key = self.key(index);
        let mut expiring = expiring.lock().expect("no panic");
        if expiring.order.len() == self.live
            && let Some(oldest) = expiring.order.pop_front()
        {
            expiring.held.remove(&oldest);
        }
        expiring.order.push_back(key);
        expiring.held.insert(key)
    }
}

fn claim_of_set(set: &Mutex<HashSet<Key>>, key: Key) -> bool {
    set.lock().expect("no panic").insert(key)
}

/// Of this thread, as other programs use the processor too.
fn processor_time(work: impl FnOnce()) -> Duration {
    let read = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    };
    let start = read();
    work();
    read() - start
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
