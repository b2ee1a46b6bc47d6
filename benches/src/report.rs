//! The table for people and the rows for machines.

use std::{env, fs, io};

use serde::Serialize;

use crate::race::Times;

/// Names the file that the rows go to.
const OUT_VARIABLE: &str = "RINGWALL_BENCH_OUT";

/// One comparison: nanoseconds per operation, each contender's fastest stretch.
#[derive(Debug, Serialize)]
struct Row {
    case: String,
    ours_ns: f64,
    peer: String,
    peer_ns: f64,
    ratio: f64,
}

/// All comparisons of an area.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one comparison.
    pub fn compare(&mut self, case: &str, ours_ns: f64, peer: &str, peer_ns: f64) {
        self.rows.push(Row {
            case: case.to_owned(),
            ours_ns,
            peer: peer.to_owned(),
            peer_ns,
            ratio: ours_ns / peer_ns,
        });
    }

    /// Writes the rows to the file that the caller named, if one is named.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self) -> io::Result<()> {
        let Some(path) = env::var_os(OUT_VARIABLE) else {
            return Ok(());
        };
        fs::write(path, serde_json::to_string_pretty(&self.rows)?)
    }
}

/// Prints what one race gave.
pub fn print_times(title: &str, times: &[Times]) {
    println!("\n{title}");
    println!("| contender | fastest µs | median µs |");
    println!("|---|--:|--:|");
    for times in times {
        println!(
            "| {} | {:.3} | {:.3} |",
            times.name,
            times.minimum / 1e3,
            times.median / 1e3
        );
    }
}

/// The fastest stretch of the contender of this name.
///
/// # Panics
///
/// When there is none: the area asks for a name that it did not enter.
#[must_use]
pub fn fastest(times: &[Times], name: &str) -> f64 {
    times
        .iter()
        .find(|times| times.name == name)
        .unwrap_or_else(|| panic!("no contender {name}"))
        .minimum
}
