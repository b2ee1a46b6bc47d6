//! Keys of a remote issuer: what it costs to look one up, against the peers and the floor, and what
//! a refresh does to the verifications beside it.

use std::{env, process::ExitCode, time::Duration};

use ringwall_authn::jose::Algorithm;
use ringwall_benches::{
    at_once::at_once,
    contenders::{
        key_clients::{KeyClient, Library, Pace, SteadyServer},
        key_lookups::{
            Alternating, Clock, Floor, look_up, refresh_for_ever, runtime_beside, start_ours,
        },
    },
    goals::Goals,
    key_documents::{Jwk, Rotation},
    materials::{KEY_ID, Materials},
    race::{Length, Pairs, Race, Times},
    report::{Report, fastest, print_times},
    turns::{self, Distribution, Kind, Outcome, Plan},
};
use ringwall_core::clock::{MonotonicClock, SystemClock};

const KEY_COUNTS: [usize; 3] = [1, 10, 1000];

/// How many times the floor a look-up may take.
const LOOKUP_GOAL: f64 = 2.0;

/// What a refresh may add to a verification at most, in milliseconds.
const REFRESH_GOAL: f64 = 1.0;

const OURS: &str = "ours";
const OURS_STOPPED: &str = "ours clock=stopped";
const OURS_KEY: &str = "ours op=key";
const FLOOR: &str = "arcswap-map";
const OURS_EXACT: &str = "ours clock=exact";
const EXPIRING_FLOOR: &str = "arcswap-map-expiring";
const CLOCK: &str = "clock";
const COARSE_CLOCK: &str = "coarse-clock";
const PEERS: [Library; 2] = [Library::JwksClientRs, Library::JsonwebtokenJwksCache];

/// Long enough that nothing happens while somebody measures.
const IDLE: Pace = Pace {
    ttl: Duration::from_secs(24 * 3600),
    ahead: Duration::from_secs(60),
    timeout: Duration::from_secs(5),
    backoff: Duration::from_secs(1),
    max_backoff: Duration::from_secs(30),
    cool_down: Duration::from_secs(30),
    max_stale: Duration::from_secs(3600),
};

fn main() -> ExitCode {
    let length = if env::args().any(|word| word == "--smoke") {
        Length::SMOKE
    } else {
        Length::FULL
    };
    let mut report = Report::new();
    let mut goals = Goals::new();
    for keys in KEY_COUNTS {
        look_ups(keys, length, &mut report, &mut goals);
        look_ups_while_refreshing(keys, length, &mut report, &mut goals);
    }
    verifications(length, &mut report, &mut goals);
    goals.print();
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One number of a distribution.
type Statistic = fn(&Distribution) -> f64;

/// Nobody fetches.
fn look_ups(keys: usize, length: Length, report: &mut Report, goals: &mut Goals) {
    let rotation = Rotation::new(keys, &Jwk::fresh(KEY_ID));
    let runtime = runtime_beside();
    let fetcher = Alternating::new(&rotation, u64::MAX);
    let ours = start_ours(&runtime, &fetcher, Clock::Coarse);
    let exact = start_ours(&runtime, &fetcher, Clock::Exact);
    let stopped = start_ours(&runtime, &fetcher, Clock::Stopped);
    let floor = Floor::new(&rotation);
    let [clock, coarse_clock] = [Clock::Exact, Clock::Coarse].map(Clock::get);
    let [document, _] = rotation.documents();
    let server = runtime.block_on(SteadyServer::start(&document));
    let peers = PEERS.map(|library| {
        let _guard = runtime.enter();
        let peer = KeyClient::start(library, &server.url(), IDLE);
        assert!(
            runtime.block_on(peer.prefetch(KEY_ID)),
            "{}",
            library.name()
        );
        (library.name(), peer)
    });

    let mut race = Race::new();
    race.add(OURS, || look_up(&ours, KEY_ID));
    race.add(OURS_EXACT, || look_up(&exact, KEY_ID));
    race.add(OURS_STOPPED, || look_up(&stopped, KEY_ID));
    race.add(OURS_KEY, || at_once(ours.key(Some(KEY_ID))));
    race.add(FLOOR, || floor.look_up(KEY_ID));
    race.add(EXPIRING_FLOOR, || floor.look_up_unless_expired(KEY_ID));
    race.add(CLOCK, || clock.elapsed());
    race.add(COARSE_CLOCK, || coarse_clock.elapsed());
    for (name, peer) in &peers {
        race.add(name, || at_once(peer.has(KEY_ID)));
    }
    let one = race.run(length);

    let mut pairs = Pairs::new();
    pairs.add(OURS, || look_up(&ours, KEY_ID));
    pairs.add(OURS_EXACT, || look_up(&exact, KEY_ID));
    pairs.add(OURS_STOPPED, || look_up(&stopped, KEY_ID));
    pairs.add(OURS_KEY, || at_once(ours.key(Some(KEY_ID))));
    pairs.add(FLOOR, || floor.look_up(KEY_ID));
    pairs.add(EXPIRING_FLOOR, || floor.look_up_unless_expired(KEY_ID));
    pairs.add(CLOCK, || clock.elapsed());
    pairs.add(COARSE_CLOCK, || coarse_clock.elapsed());
    for (name, peer) in &peers {
        pairs.add(name, || at_once(peer.has(KEY_ID)));
    }
    let two = pairs.run(length);

    for (threads, times) in [(1, &one), (2, &two)] {
        print_times(
            &format!("a look-up among {keys} keys, threads: {threads}, idle"),
            times,
        );
        compare_with_floor(keys, threads, "no", times, report, goals);
        let case = |op: &str| format!("op={op} keys={keys} threads={threads} refreshing=no");
        for (op, ours) in [("lookup", OURS), ("key", OURS_KEY)] {
            for peer in PEERS.map(Library::name) {
                report.compare(&case(op), fastest(times, ours), peer, fastest(times, peer));
            }
        }
    }
}

/// One refresh follows the other, and the floor changes its keys with each.
fn look_ups_while_refreshing(keys: usize, length: Length, report: &mut Report, goals: &mut Goals) {
    let rotation = Rotation::new(keys, &Jwk::fresh(KEY_ID));
    let runtime = runtime_beside();
    let fetcher = Alternating::new(&rotation, 1);
    let ours = start_ours(&runtime, &fetcher, Clock::Coarse);
    let floor = Floor::new(&rotation);
    fetcher.also_changes(&floor);
    let refreshing = runtime.spawn(refresh_for_ever(ours.clone()));
    let clock = SystemClock::new();

    for threads in [1, 2] {
        let (start, before) = (clock.elapsed(), fetcher.fetches());
        let times = if threads == 1 {
            let mut race = Race::new();
            race.add(OURS, || look_up(&ours, KEY_ID));
            race.add(FLOOR, || floor.look_up(KEY_ID));
            race.add(EXPIRING_FLOOR, || floor.look_up_unless_expired(KEY_ID));
            race.run(length)
        } else {
            let mut pairs = Pairs::new();
            pairs.add(OURS, || look_up(&ours, KEY_ID));
            pairs.add(FLOOR, || floor.look_up(KEY_ID));
            pairs.add(EXPIRING_FLOOR, || floor.look_up_unless_expired(KEY_ID));
            pairs.run(length)
        };
        let seconds = (clock.elapsed() - start).as_secs_f64();
        let rate = (fetcher.fetches() - before) as f64 / seconds;
        print_times(
            &format!(
                "a look-up among {keys} keys, threads: {threads}, refreshed {rate:.0} times a second"
            ),
            &times,
        );
        compare_with_floor(keys, threads, "yes", &times, report, goals);
    }
    refreshing.abort();
}

fn compare_with_floor(
    keys: usize,
    threads: usize,
    refreshing: &str,
    times: &[Times],
    report: &mut Report,
    goals: &mut Goals,
) {
    let case = format!("op=lookup keys={keys} threads={threads} refreshing={refreshing}");
    let (ours, floor) = (fastest(times, OURS), fastest(times, FLOOR));
    report.compare(&case, ours, FLOOR, floor);
    let expiring = fastest(times, EXPIRING_FLOOR);
    report.compare(&case, ours, EXPIRING_FLOOR, expiring);
    goals.at_most(
        &format!("{case}: 2 × {FLOOR}"),
        LOOKUP_GOAL * floor,
        ours,
        "ns",
    );
    for clock in [OURS_EXACT, OURS_STOPPED] {
        if let Some(times) = times.iter().find(|times| times.name == clock) {
            let case = format!("{case}{}", clock.trim_start_matches(OURS));
            report.compare(&case, times.minimum, FLOOR, floor);
        }
    }
}

/// What refreshes do to verifications.
fn verifications(length: Length, report: &mut Report, goals: &mut Goals) {
    let materials = Materials::new(Algorithm::EdDsa);
    for workers in [1, 2] {
        for keys in [100, 1000] {
            let plan = Plan {
                workers,
                keys,
                phase: Duration::from_millis(if length.is_smoke() { 50 } else { 250 }),
                phases: if length.is_smoke() { 1 } else { 30 },
                pause: Duration::from_millis(if keys == 100 { 5 } else { 30 }),
            };
            let outcome = turns::run(&materials, plan);
            print_turns(plan, &outcome);
            compare_turns(plan, &outcome, report, goals);
        }
    }
}

fn print_turns(plan: Plan, outcome: &Outcome) {
    println!(
        "\nverifications of EdDSA tokens, keys: {}, workers: {}, {} refreshes; µs from the end of one to the end of the next",
        plan.keys, plan.workers, outcome.refreshes
    );
    println!("| when | by | number | median | p99 | p99.9 | longest | over 1 ms |");
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    for kind in Kind::ALL {
        for (by, times) in [
            ("the wall", outcome.wall(kind)),
            ("the processor", outcome.processor(kind)),
        ] {
            let Some(times) = times else { continue };
            println!(
                "| {} | {by} | {} | {:.1} | {:.1} | {:.1} | {:.1} | {} |",
                kind.name(),
                times.count,
                times.median / 1e3,
                times.p99 / 1e3,
                times.p999 / 1e3,
                times.maximum / 1e3,
                times.slow,
            );
        }
    }
}

fn compare_turns(plan: Plan, outcome: &Outcome, report: &mut Report, goals: &mut Goals) {
    let Plan { workers, keys, .. } = plan;
    let case = format!("op=verify keys={keys} workers={workers} refreshing=yes");
    let (Some(during), Some(without)) = (
        outcome.processor(Kind::During),
        outcome.processor(Kind::Without),
    ) else {
        return;
    };
    let statistics: [(&str, Statistic); 3] = [
        ("median", |times| times.median),
        ("p99", |times| times.p99),
        ("p999", |times| times.p999),
    ];
    for (name, statistic) in statistics {
        let case = format!("{case} time=processor statistic={name}");
        report.compare(
            &case,
            statistic(&during),
            "not-refreshing",
            statistic(&without),
        );
    }
    goals.at_most(
        &format!("{case}: longest, by the processor"),
        REFRESH_GOAL,
        during.maximum / 1e6,
        "ms",
    );
}
