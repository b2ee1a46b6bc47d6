//! The project's chores, as one program: `cargo xtask COMMAND`.
//!
//! Every command waits for this program to build, so it has few and light dependencies, and it
//! sets up what it needs by itself: a fresh machine with a Rust toolchain is enough.
#![expect(clippy::print_stdout, reason = "a program for people at a terminal")]
#![expect(clippy::print_stderr, reason = "a program for people at a terminal")]

mod advisories;
mod bench;
mod bench_report;
mod cargo_deny;
mod ci;
mod deps;
mod failure;
mod features;
mod floors;
mod fuzz;
mod imports;
mod loom;
mod manifest;
mod metadata;
mod oracle;
mod program;
mod project;
mod publish;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "tests of the stores include it too, and use more of it"
    )
)]
mod servers;
mod setup;
mod soak;
mod source;
mod source_rules;
mod steps;
mod stopwatch;
mod testing;
mod tools;

use std::process::ExitCode;

use failure::{Failure, Result};
use project::Project;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [ARGS...]          set up what the tests need, then run them all
  ci [STEP...]            everything a change must pass, in order, or some of it
  deps                    the floors, the manifests and the source rules
  demo [ARGS...]          start the example back end and drive it through every control
  bench [AREA] [--smoke]  measure against peers; all areas unless one is named
  fuzz [TARGET] [SECONDS] fuzz one target or all, 60 seconds each unless given
  loom                    lock-free code, in every order of its steps
  soak [MINUTES]          the long forms; results go to docs/soak/
  soak decisions          of them, the comparisons of authorization alone";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&words) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = words.split_first() else {
        return Err(Failure::new(USAGE));
    };
    match command.as_str() {
        "test" => testing::run(Project::find()?, rest)?,
        "ci" => ci::run(Project::find()?, rest)?,
        "deps" => deps::run(&Project::find()?, rest)?,
        "demo" => return demo(&Project::find()?, rest),
        "bench" => bench::run(&Project::find()?, rest)?,
        "loom" => {
            no_more(rest)?;
            loom::run(&Project::find()?)?;
        }
        "fuzz" => fuzz::run(&Project::find()?, rest)?,
        "soak" => soak::run(Project::find()?, rest)?,
        "help" | "--help" | "-h" => println!("{USAGE}"),
        unknown => {
            return Err(Failure::new(format!(
                "unknown command `{unknown}`\n{USAGE}"
            )));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the tour of the example back end; its exit code is this program's, so that a script sees
/// what a person sees.
fn demo(project: &Project, more: &[String]) -> Result<ExitCode> {
    println!(
        "Building the example back end: 10 to 15 minutes on two cores the first time, nothing after that."
    );
    let tour = project
        .cargo("run")
        .args(["--quiet", "--package", "agent-backend", "--", "tour"]);
    Ok(ExitCode::from(tour.args(more).exit_code()?))
}

/// For commands without arguments: a misspelt option must not run the full form in silence.
fn no_more(words: &[String]) -> Result<()> {
    match words.first() {
        None => Ok(()),
        Some(word) => Err(Failure::new(format!(
            "unexpected argument `{word}`\n{USAGE}"
        ))),
    }
}
