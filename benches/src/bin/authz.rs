//! Authorization: what a decision costs, and how it grows with the policy; what lists cost in PostgreSQL.

use std::{env, process::ExitCode};

use ringwall_benches::{authz, goals::Goals, race::Length, report::Report};

type Part = fn(Length, &mut Report, &mut Goals);

const PARTS: [(&str, Part); 2] = [("decisions", authz::run), ("lists", authz::lists::run)];

fn main() -> ExitCode {
    let length = if env::args().any(|word| word == "--smoke") {
        Length::SMOKE
    } else {
        Length::FULL
    };
    let mut report = Report::new();
    let mut goals = Goals::new();
    // By name, those that are wanted; all of them otherwise.
    let wanted: Vec<String> = env::args()
        .skip(1)
        .filter(|word| word != "--smoke")
        .collect();
    for (name, run) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            run(length, &mut report, &mut goals);
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
