//! Named steps, timed one after another, with a closing table.

use std::time::Duration;

use crate::{failure::Result, stopwatch::Stopwatch};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
    NotRun,
}

/// A run of steps that stops at the first failure.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    rows: Vec<(&'static str, Duration, Outcome)>,
}

/// A step's name and its work.
pub(crate) type Step<'a> = (&'static str, Box<dyn Fn() -> Result<()> + 'a>);

impl Steps {
    /// Runs the steps in order. The table is printed in any case, and lists what a failure kept
    /// from running.
    pub(crate) fn run(steps: Vec<Step<'_>>) -> Result<()> {
        let mut done = Self::default();
        let mut result = Ok(());
        for (name, work) in steps {
            if result.is_err() {
                done.rows.push((name, Duration::ZERO, Outcome::NotRun));
                continue;
            }
            println!("\n==> {name}");
            let watch = Stopwatch::start();
            result = work();
            let outcome = if result.is_ok() {
                Outcome::Passed
            } else {
                Outcome::Failed
            };
            done.rows.push((name, watch.elapsed(), outcome));
        }
        println!("\n{}", done.table());
        result
    }

    fn table(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|(name, ..)| name.len())
            .max()
            .unwrap_or(0)
            .max(5);
        let mut table = format!("{:<width$}  seconds  result\n", "step");
        for (name, time, outcome) in &self.rows {
            let outcome = match outcome {
                Outcome::Passed => "passed",
                Outcome::Failed => "FAILED",
                Outcome::NotRun => "not run",
            };
            table.push_str(&format!(
                "{name:<width$}  {:>7.1}  {outcome}\n",
                time.as_secs_f64()
            ));
        }
        let total: Duration = self.rows.iter().map(|(_, time, _)| *time).sum();
        table.push_str(&format!(
            "{:<width$}  {:>7.1}",
            "total",
            total.as_secs_f64()
        ));
        table
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::failure::Failure;

    #[test]
    fn nothing_runs_after_a_failure() {
        let ran = Cell::new(0);
        let count = || {
            ran.set(ran.get() + 1);
            Ok(())
        };
        let result = Steps::run(vec![
            ("first", Box::new(count)),
            ("second", Box::new(|| Err(Failure::new("no")))),
            ("third", Box::new(count)),
        ]);
        assert_eq!(result, Err(Failure::new("no")));
        assert_eq!(ran.get(), 1);
    }

    #[test]
    fn the_table_lists_what_was_kept_from_running() {
        let steps = Steps {
            rows: vec![
                ("a long name", Duration::from_millis(1500), Outcome::Passed),
                ("b", Duration::from_millis(500), Outcome::Failed),
                ("c", Duration::ZERO, Outcome::NotRun),
            ],
        };
        let table = steps.table();
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[1], "a long name      1.5  passed");
        assert_eq!(lines[2], "b                0.5  FAILED");
        assert_eq!(lines[3], "c                0.0  not run");
        assert_eq!(lines[4], "total            2.0");
    }
}
