//! Rate limits: what a check costs, in time and in memory.

use std::{env, process::ExitCode};

use ringwall_benches::{allocations::Counting, goals::Goals, limits, race::Length, report::Report};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let length = if env::args().any(|word| word == "--smoke") {
        Length::SMOKE
    } else {
        Length::FULL
    };
    let mut report = Report::new();
    let mut goals = Goals::new();
    limits::memory::run(length, &mut report, &mut goals);
    limits::keyed::run(length, &mut report, &mut goals);
    limits::dimensions::run(length, &mut report, &mut goals);
    limits::threads::run(length, &mut report, &mut goals);
    limits::redis::run(length, &mut report, &mut goals);
    goals.print();
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
