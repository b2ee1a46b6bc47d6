//! What the gate adds to a request: axum's hello behind `GuardedRouter`, with a token that was seen
//! before, against the same hello without.

use std::{cell::RefCell, env, process::ExitCode};

use ringwall_authn::jose::Algorithm;
use ringwall_benches::{
    allocations::{self, Counting},
    contenders::{
        ours::{Ours, Provider},
        services::{HelloService, Registration},
    },
    goals::Goals,
    materials::Materials,
    race::{Length, Race},
    report::{Report, fastest, print_times},
};

#[global_allocator]
static COUNTING: Counting = Counting;

const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// What the gate may add to a request, in microseconds and in allocations.
const ADDED_MICROS_GOAL: f64 = 3.0;
const ADDED_ALLOCATIONS_GOAL: f64 = 3.0;

fn main() -> ExitCode {
    let length = if env::args().any(|word| word == "--smoke") {
        Length::SMOKE
    } else {
        Length::FULL
    };
    let materials = Materials::new(Algorithm::Rs256);
    let token = materials.token().text;
    let ours = Ours::new(&materials, Provider::Ring, CACHE_BYTES);
    drop(ours.verify(&token));
    let service = |registration| {
        let service = HelloService::new(registration, ours.verifier(), &token);
        (registration, RefCell::new(service))
    };
    let bare = service(Registration::Bare);
    let guarded = Registration::GUARDED.map(service);

    let mut race = Race::new();
    for (registration, service) in std::iter::once(&bare).chain(&guarded) {
        race.add(registration.name(), || service.borrow_mut().serve());
    }
    let times = race.run(length);
    print_times(
        &format!("hello, an RS256 token of {} bytes, cached", token.len()),
        &times,
    );

    let allocations = |service: &RefCell<HelloService>| {
        let mut service = service.borrow_mut();
        // Tables that grow once have grown.
        (0..5000).for_each(|_| service.serve());
        allocations::per_run(|| service.serve())
    };
    let bare_nanos = fastest(&times, Registration::Bare.name());
    let bare_allocations = allocations(&bare.1);
    let mut report = Report::new();
    let mut goals = Goals::new();
    println!("\n| route | added µs | added allocations |");
    println!("|---|--:|--:|");
    for (registration, service) in &guarded {
        let name = registration.name();
        let nanos = fastest(&times, name);
        let added_micros = (nanos - bare_nanos) / 1e3;
        let added_allocations = allocations(service) as f64 - bare_allocations as f64;
        println!("| {name} | {added_micros:.3} | {added_allocations} |");
        report.compare(name, nanos, Registration::Bare.name(), bare_nanos);
        goals.at_most(
            &format!("{name}, time"),
            ADDED_MICROS_GOAL,
            added_micros,
            "µs",
        );
        goals.at_most(
            &format!("{name}, allocations"),
            ADDED_ALLOCATIONS_GOAL,
            added_allocations,
            "allocations",
        );
    }
    println!("\nwithout the gate: {bare_allocations} allocations");
    goals.print();
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
