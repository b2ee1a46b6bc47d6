//! `cargo xtask soak`: the long forms of what `ci` runs briefly, with new random seeds, and a record
//! of what ran.

use std::time::Duration;

use crate::{
    failure::{Failure, Result},
    fuzz, oracle,
    program::{Program, Stream},
    project::{self, Project},
    setup,
    stopwatch::{self, Stopwatch},
    testing,
};

/// Tells tests of kills, floods and the like to take their long form.
const VARIABLE: &str = "RINGWALL_SOAK";
/// Words in the names of the tests that have a long form: property tests have `property` in their
/// path, other long tests `soak`.
const NAMES: [&str; 2] = ["property", "soak"];
/// Cases per property test, unless the variable of this name says otherwise.
const CASES: (&str, &str) = ("PROPTEST_CASES", "200000");
/// Cases of each test that compares decisions of authorization, unless the variable of this name says otherwise.
const DECISIONS: (&str, &str) = ("RINGWALL_AUTHZ_CASES", "200000");
/// The seed of the one that asks databases; the other one takes that of property tests.
const DECISIONS_SEED: &str = "RINGWALL_AUTHZ_SEED";
/// The test that asks databases.
const AGREEMENT: &str = "property_the_process_two_dialects_and_row_level_security_agree";
/// Words in the names of the tests of the oracle.
const ORACLE: [&str; 1] = ["property"];
/// Tells property tests their seed.
const SEED: &str = testing::SEED.0;
/// The time shared by fuzzing and tours unless given, in minutes.
const DEFAULT_MINUTES: u64 = 60;
/// The part of the time that goes to fuzzing; the tours get the rest.
const FUZZ_PERCENT: u64 = 80;

/// A row of the record.
#[derive(Debug, Clone)]
struct Part {
    name: String,
    count: String,
    seconds: f64,
    failure: Option<String>,
}

/// The word for the comparisons of decisions alone.
const DECISIONS_ALONE: &str = "decisions";

/// The command: `[MINUTES]`, the time for fuzzing and tours together. The tests come on top: the
/// length of property tests is a number of cases, and the churn of key servers takes ten minutes.
/// `decisions` runs the comparisons of authorization, which take hours, and nothing else.
pub(crate) fn run(project: Project, words: &[String]) -> Result<()> {
    let are_decisions_alone = words == [DECISIONS_ALONE];
    let minutes = match words {
        [_] if are_decisions_alone => 0,
        [] => DEFAULT_MINUTES,
        [minutes] => minutes
            .parse()
            .ok()
            .filter(|minutes| *minutes > 0)
            .ok_or_else(|| Failure::new(format!("`{minutes}` is not a number of minutes")))?,
        [_, more, ..] => return Err(Failure::new(format!("unexpected argument `{more}`"))),
    };
    let seed = stopwatch::unix_seconds();
    let (project, _databases) = setup::for_tests(project)?;
    let time = Duration::from_secs(minutes.saturating_mul(60));

    // A failure in one part does not keep the others from running: a soak is for finding out.
    let mut parts = Vec::new();
    if !are_decisions_alone {
        parts.push(tests(&project, seed));
    }
    parts.push(agreement(&project, seed));
    parts.push(oracle(&project, seed));
    if !are_decisions_alone {
        parts.extend(fuzzing(&project, time, seed));
        parts.push(tours(&project, time));
    }

    let length = if are_decisions_alone {
        DECISIONS_ALONE.to_owned()
    } else {
        minutes.to_string()
    };
    record(&project, &length, seed, &parts)?;
    let failures: Vec<String> = parts
        .iter()
        .filter_map(|part| Some(format!("{}: {}", part.name, part.failure.as_ref()?)))
        .collect();
    match Failure::of_findings("the soak failed", &failures) {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

fn part(name: &str, work: impl FnOnce() -> Result<String>) -> Part {
    println!("\n==> {name}");
    let watch = Stopwatch::start();
    let result = work();
    let seconds = watch.elapsed().as_secs_f64();
    let (count, failure) = match result {
        Ok(count) => (count, None),
        Err(failure) => {
            println!("{failure}");
            (String::new(), Some(failure.to_string()))
        }
    };
    Part {
        name: name.to_owned(),
        count,
        seconds,
        failure,
    }
}

fn tests(project: &Project, seed: u64) -> Part {
    let (variable, default) = CASES;
    let cases = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    part("property and soak tests", || {
        let tests = project
            .cargo("test")
            .args([
                "--release",
                "--workspace",
                "--all-features",
                "--locked",
                "--tests",
                "--",
            ])
            .args(NAMES)
            .env(VARIABLE, "1")
            .env(variable, &cases)
            .env(SEED, seed.to_string())
            // It has a part of its own.
            .args(["--skip", AGREEMENT]);
        let passed = passed(tests, &NAMES)?;
        Ok(format!("{passed} tests, {cases} cases per property"))
    })
}

/// What the process decides, what a WHERE lists in PostgreSQL and SQLite, and what row-level security shows.
fn agreement(project: &Project, seed: u64) -> Part {
    let tests = project
        .cargo("test")
        .args(["--release", "--workspace", "--all-features", "--locked"])
        .args(["--test", "authz", "--", AGREEMENT])
        .env(DECISIONS_SEED, seed.to_string());
    decisions("authorization against databases", tests, &[AGREEMENT])
}

/// What another engine decides.
fn oracle(project: &Project, seed: u64) -> Part {
    let tests = oracle::test(project)
        .arg("--")
        .args(ORACLE)
        .env(SEED, seed.to_string());
    decisions("authorization against Cedar", tests, &ORACLE)
}

fn decisions(name: &str, tests: Program, names: &[&str]) -> Part {
    let (variable, default) = DECISIONS;
    let cases = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
    part(name, || {
        passed(tests.env(variable, &cases), names)?;
        Ok(format!("{cases} cases"))
    })
}

/// How many tests passed; none is a failure.
fn passed(tests: Program, names: &[&str]) -> Result<u64> {
    let observed = tests.follow(Stream::Output)?;
    if !observed.succeeded {
        return Err(Failure::new("a test failed; its output is above"));
    }
    match passed_in(&observed.text) {
        0 => Err(Failure::new(format!(
            "no test has {} in its name",
            names.join(" or ")
        ))),
        passed => Ok(passed),
    }
}

/// The sum of the `N passed` of every test program.
fn passed_in(text: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.strip_prefix("test result: "))
        .filter_map(|line| {
            line.split(". ")
                .nth(1)?
                .split(" passed")
                .next()?
                .parse::<u64>()
                .ok()
        })
        .sum()
}

fn fuzzing(project: &Project, time: Duration, seed: u64) -> Vec<Part> {
    let targets = match fuzz::build(project, None) {
        Ok(targets) => targets,
        Err(failure) => return vec![part("fuzz", || Err(failure))],
    };
    let count = u64::try_from(targets.len()).unwrap_or(u64::MAX).max(1);
    let share = time.as_secs().saturating_mul(FUZZ_PERCENT).div_euclid(100);
    let seconds = share.checked_div(count).unwrap_or(share).max(1);
    let length = fuzz::Length {
        seconds,
        runs: None,
    };
    // libFuzzer's seeds have 32 bits, and 0 stands for a random one.
    let seed = seed.rem_euclid(u64::from(u32::MAX)).max(1);
    targets
        .iter()
        .map(|target| {
            part(&format!("fuzz {}", target.name), || {
                let corpus = project
                    .root()
                    .join("fuzz")
                    .join("corpus")
                    .join(&target.name);
                let finished = target.run(project, length, &corpus, Some(seed), true)?;
                Ok(format!("{} inputs", finished.inputs))
            })
        })
        .collect()
}

fn tours(project: &Project, time: Duration) -> Part {
    let share = time
        .as_secs()
        .saturating_mul(100_u64.saturating_sub(FUZZ_PERCENT))
        .div_euclid(100);
    part("tours of the example back end", || {
        project
            .cargo("build")
            .args(["--release", "--locked", "--package", "agent-backend"])
            .run()?;
        let program = project.target().join("release").join("agent-backend");
        let watch = Stopwatch::start();
        let mut tours = 0_u64;
        while tours == 0 || watch.elapsed() < Duration::from_secs(share) {
            let tour = project.program(&program).arg("tour").observe()?;
            tours = tours.saturating_add(1);
            if !tour.succeeded {
                println!("{}", tour.text);
                return Err(Failure::new(format!(
                    "tour {tours} failed; its output is above"
                )));
            }
        }
        Ok(format!("{tours} tours"))
    })
}

/// Adds the results to the day's file, so that a second run of a day does not hide the first.
fn record(project: &Project, length: &str, seed: u64, parts: &[Part]) -> Result<()> {
    let commit = project
        .program("git")
        .args(["rev-parse", "--short", "HEAD"])
        .capture()?;
    let changed = !project
        .program("git")
        .args(["status", "--porcelain"])
        .capture()?
        .is_empty();
    let compiler = Program::new("rustc").arg("--version").capture()?;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let day = stopwatch::today();
    let path = project
        .root()
        .join("docs")
        .join("soak")
        .join(format!("{day}.md"));
    let earlier = project::read(&path).unwrap_or_else(|_| format!("# Soak, {day}\n"));
    let heading = format!(
        "\n`cargo xtask soak {length}`, seed {seed}, commit {}{}, {}, {cores} cores.\n\n",
        commit.trim(),
        if changed {
            " with uncommitted changes"
        } else {
            ""
        },
        compiler.trim(),
    );
    project::write(&path, &format!("{earlier}{heading}{}", table(parts)))?;
    println!("\nrecorded in docs/soak/{day}.md");
    Ok(())
}

fn table(parts: &[Part]) -> String {
    let rows = parts.iter().map(|part| {
        let result = if part.failure.is_none() {
            "passed"
        } else {
            "FAILED"
        };
        format!(
            "| {} | {} | {:.0} | {result} |\n",
            part.name, part.count, part.seconds
        )
    });
    let heading = "| what | count | seconds | result |\n|---|---|---:|---|\n".to_owned();
    std::iter::once(heading).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_passed_tests_of_all_programs_are_counted() {
        let text = "running 2 tests\ntest result: ok. 2 passed; 0 failed; 0 ignored\n\n\
                    test result: ok. 0 passed; 0 failed\ntest result: ok. 11 passed; 0 failed\n";
        assert_eq!(passed_in(text), 13);
    }

    #[test]
    fn the_record_says_what_ran_and_how_it_ended() {
        let passed = Part {
            name: "fuzz jws".into(),
            count: "9 inputs".into(),
            seconds: 2.4,
            failure: None,
        };
        let failed = Part {
            failure: Some("no".into()),
            ..passed.clone()
        };
        let table = table(&[passed, failed]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[2], "| fuzz jws | 9 inputs | 2 | passed |");
        assert_eq!(lines[3], "| fuzz jws | 9 inputs | 2 | FAILED |");
    }
}
