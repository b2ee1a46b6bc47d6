//! A key server that rotates, stalls, lies or vanishes: what our client and the peers make of it.

use std::{env, process::ExitCode};

use ringwall_benches::{
    contenders::key_clients::Library,
    report::Report,
    scenarios::{Outcome, PACE, PATIENCE, Scenario, play},
};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinSet,
};

fn main() -> ExitCode {
    let is_smoke = env::args().any(|word| word == "--smoke");
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let rows = if is_smoke {
        all_at_once(&runtime)
    } else {
        one_by_one(&runtime)
    };
    print(&rows);
    let mut report = Report::new();
    for row in &rows {
        let [ours, peers @ ..] = &row.outcomes;
        let case = format!("op=slowest-good-lookup scenario={}", row.scenario.word());
        for (peer, library) in peers.iter().zip(&Library::ALL[1..]) {
            let nanos = |outcome: &Outcome| outcome.slowest.as_secs_f64() * 1e9;
            report.compare(&case, nanos(ours), library.name(), nanos(peer));
        }
    }
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

struct Row {
    scenario: Scenario,
    outcomes: [Outcome; 3],
}

/// Nobody is slowed down by what another one does.
fn one_by_one(runtime: &Runtime) -> Vec<Row> {
    let outcomes = |scenario: Scenario| {
        eprintln!("{}: {}", scenario.word(), scenario.text());
        Library::ALL.map(|library| {
            let played = runtime.spawn(play(scenario, library));
            runtime.block_on(played).expect("a scenario ends")
        })
    };
    let row = |scenario| Row {
        scenario,
        outcomes: outcomes(scenario),
    };
    Scenario::ALL.map(row).into()
}

/// A few scenarios, all clients side by side.
fn all_at_once(runtime: &Runtime) -> Vec<Row> {
    let row = |scenario| async move {
        let [ours, one, other] = Library::ALL.map(|library| tokio::spawn(play(scenario, library)));
        let end = "a scenario ends";
        let outcomes = [
            ours.await.expect(end),
            one.await.expect(end),
            other.await.expect(end),
        ];
        Row { scenario, outcomes }
    };
    runtime.block_on(async {
        let mut rows = JoinSet::new();
        for scenario in Scenario::FAST {
            rows.spawn(row(scenario));
        }
        rows.join_all().await
    })
}

fn print(rows: &[Row]) {
    println!(
        "\nfreshness {:?}, time-out {:?}, callers give up after {PATIENCE:?}",
        PACE.ttl, PACE.timeout
    );
    println!(
        "requests at the server · refused of all good look-ups · slowest good look-up in ms\n"
    );
    print!("| scenario |");
    for library in Library::ALL {
        print!(" {} |", library.name());
    }
    println!("\n|---|--:|--:|--:|");
    for row in rows {
        print!("| {} |", row.scenario.text());
        for outcome in &row.outcomes {
            let bad = match outcome.bad_key {
                Some(true) => " · bad key served",
                Some(false) | None => "",
            };
            print!(
                " {} · {} of {} · {:.2}{bad} |",
                outcome.fetches,
                outcome.refused,
                outcome.looked_up,
                outcome.slowest.as_secs_f64() * 1e3
            );
        }
        println!();
    }
}
