//! Authorization: what a decision costs, and how it grows with the policy.

use std::{env, process::ExitCode};

use ringwall_benches::{authz, goals::Goals, race::Length, report::Report};

fn main() -> ExitCode {
    let length = if env::args().any(|word| word == "--smoke") {
        Length::SMOKE
    } else {
        Length::FULL
    };
    let mut report = Report::new();
    let mut goals = Goals::new();
    authz::run(length, &mut report, &mut goals);
    goals.print();
    match report.write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the report cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
