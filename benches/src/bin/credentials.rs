//! Credentials other than tokens: what their stores cost.

use std::{env, process::ExitCode};

use ringwall_benches::{
    allocations::Counting, credentials, goals::Goals, race::Length, report::Report,
};

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
    credentials::api_keys::run(length, &mut report, &mut goals);
    credentials::dpop::measure(length, &mut report, &mut goals);
    credentials::replay::run(length, &mut report, &mut goals);
    credentials::events::run(length, &mut report, &mut goals);
    goals.print();
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
