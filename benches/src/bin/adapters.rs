//! What the gate adds to a request under each framework: the smallest service bare, and behind the
//! gate with a token that was seen before.

use std::{cell::RefCell, env, process::ExitCode};

use ringwall_authn::jose::Algorithm;
use ringwall_benches::{
    allocations::{self, Counting},
    contenders::{
        adapters::{Framework, Serve, service},
        ours::{Ours, Provider},
    },
    goals::Goals,
    materials::Materials,
    race::{Length, Race},
    report::{Report, fastest, print_times},
};

#[global_allocator]
static COUNTING: Counting = Counting;

const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// What the gate may add to a request, in microseconds.
const ADDED_MICROS_GOAL: f64 = 3.0;

struct Pair {
    framework: Framework,
    bare: RefCell<Box<dyn Serve>>,
    guarded: RefCell<Box<dyn Serve>>,
}

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
    let pairs = Framework::ALL.map(|framework| {
        let service = |is_guarded| service(framework, is_guarded, ours.verifier(), &token);
        Pair {
            framework,
            bare: RefCell::new(service(false)),
            guarded: RefCell::new(service(true)),
        }
    });

    let mut race = Race::new();
    for pair in &pairs {
        let name = pair.framework.name();
        race.add(&format!("bare {name}"), || pair.bare.borrow_mut().serve());
        race.add(&format!("gate {name}"), || {
            pair.guarded.borrow_mut().serve()
        });
    }
    let times = race.run(length);
    print_times("one request, a cached RS256 token", &times);

    let allocations = |service: &RefCell<Box<dyn Serve>>| {
        let mut service = service.borrow_mut();
        // Tables that grow once have grown.
        (0..5000).for_each(|_| service.serve());
        allocations::per_run(|| service.serve())
    };
    let mut report = Report::new();
    let mut goals = Goals::new();
    println!("\n| framework | bare µs | added µs | bare allocations | added allocations |");
    println!("|---|--:|--:|--:|--:|");
    for pair in &pairs {
        let name = pair.framework.name();
        let bare = fastest(&times, &format!("bare {name}"));
        let guarded = fastest(&times, &format!("gate {name}"));
        let added = (guarded - bare) / 1e3;
        let (before, after) = (allocations(&pair.bare), allocations(&pair.guarded));
        println!(
            "| {name} | {:.3} | {added:.3} | {before} | {} |",
            bare / 1e3,
            after as f64 - before as f64
        );
        report.compare(
            &format!("framework={name} access=authenticated cached=yes"),
            guarded,
            &format!("bare-{name}"),
            bare,
        );
        goals.at_most(&format!("{name}, time"), ADDED_MICROS_GOAL, added, "µs");
    }
    goals.print();
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
