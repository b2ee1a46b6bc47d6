//! What the gate adds to a request under each framework: the smallest service bare, and behind the
//! gate with a token that was seen before.

use std::{cell::RefCell, env, process::ExitCode};

use ringwall_authn::jose::Algorithm;
use ringwall_benches::{
    allocations::{self, Counting},
    contenders::{
        adapters::{Framework, Guard, Serve, service},
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

/// What the gate may add to a request, in microseconds; and with three limits.
const GOALS: [f64; 2] = [3.0, 4.0];

struct Services {
    framework: Framework,
    bare: RefCell<Box<dyn Serve>>,
    guarded: RefCell<Box<dyn Serve>>,
    limited: RefCell<Box<dyn Serve>>,
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
    let all = Framework::ALL.map(|framework| {
        let service = |guard| RefCell::new(service(framework, guard, ours.verifier(), &token));
        Services {
            framework,
            bare: service(Guard::None),
            guarded: service(Guard::Gate),
            limited: service(Guard::Limits),
        }
    });

    let mut race = Race::new();
    for services in &all {
        let name = services.framework.name();
        for (what, service) in [
            ("bare", &services.bare),
            ("gate", &services.guarded),
            ("limits", &services.limited),
        ] {
            race.add(&format!("{what} {name}"), || service.borrow_mut().serve());
        }
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
    println!(
        "\n| framework | before it | bare µs | added µs | bare allocations | added allocations |"
    );
    println!("|---|---|--:|--:|--:|--:|");
    for services in &all {
        let name = services.framework.name();
        let bare = fastest(&times, &format!("bare {name}"));
        let before = allocations(&services.bare);
        for (what, limits, service, goal) in [
            ("gate", 0, &services.guarded, GOALS[0]),
            ("limits", 3, &services.limited, GOALS[1]),
        ] {
            let guarded = fastest(&times, &format!("{what} {name}"));
            let added = (guarded - bare) / 1e3;
            let after = allocations(service);
            println!(
                "| {name} | gate, {limits} limits | {:.3} | {added:.3} | {before} | {} |",
                bare / 1e3,
                after as f64 - before as f64
            );
            let mut case = format!("framework={name} access=authenticated cached=yes");
            if limits > 0 {
                case.push_str(&format!(" limits={limits}"));
            }
            report.compare(&case, guarded, &format!("bare-{name}"), bare);
            goals.at_most(&format!("{name}, {limits} limits, time"), goal, added, "µs");
        }
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
