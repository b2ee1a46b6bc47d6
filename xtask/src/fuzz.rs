//! `cargo xtask fuzz`: the targets of `fuzz/`, built on the stable toolchain.
//!
//! libFuzzer needs coverage counters in the code it drives. The compiler adds them through stable
//! flags, so neither cargo-fuzz nor a nightly toolchain is needed; what is missing in return is
//! AddressSanitizer, which code without `unsafe` can do without.

use std::{collections::BTreeSet, path::PathBuf};

use crate::{
    failure::{Failure, Result},
    metadata::Metadata,
    program::{Program, Stream},
    project::{self, Project},
    setup,
    stopwatch::Stopwatch,
};

/// The manifest of the targets' workspace.
const MANIFEST: &str = "fuzz/Cargo.toml";

/// Counters per edge, a table of their places, and the operands of comparisons, by which libFuzzer
/// finds magic values. Arithmetic overflow and debug assertions count as findings.
const FLAGS: [&str; 9] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
];

/// Inputs of more bytes than any parser here accepts are refused by length alone.
const MAX_LEN: u32 = 65_536;
/// One input that takes longer, in seconds, is a denial of service.
const TIMEOUT: u32 = 5;
/// The memory that a target may reach, in MiB, its corpus included.
const RSS_LIMIT: u32 = 2_048;
/// The length of an unlimited `fuzz` run, in seconds.
const DEFAULT_SECONDS: u64 = 60;
/// The length of the short form: whichever bound is reached first.
const SMOKE: Length = Length {
    seconds: 6,
    runs: Some(200_000),
};

/// How long a target runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length {
    pub(crate) seconds: u64,
    pub(crate) runs: Option<u64>,
}

/// A target that was built.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) name: String,
    program: PathBuf,
}

/// What a target that found nothing did.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finished {
    pub(crate) inputs: u64,
    pub(crate) seconds: f64,
}

/// The command: `[TARGET] [SECONDS]`, in that order.
pub(crate) fn run(project: &Project, words: &[String]) -> Result<()> {
    let (name, seconds) = parse(words)?;
    let targets = build(project, name)?;
    for target in &targets {
        let length = Length {
            seconds,
            runs: None,
        };
        let corpus = project
            .root()
            .join("fuzz")
            .join("corpus")
            .join(&target.name);
        let finished = target.run(project, length, &corpus, None, true)?;
        println!("{}: {} inputs, nothing found", target.name, finished.inputs);
    }
    Ok(())
}

fn parse(words: &[String]) -> Result<(Option<&str>, u64)> {
    let seconds = |word: &String| {
        word.parse::<u64>()
            .ok()
            .filter(|seconds| *seconds > 0)
            .ok_or_else(|| Failure::new(format!("`{word}` is not a number of seconds")))
    };
    match words {
        [] => Ok((None, DEFAULT_SECONDS)),
        [only] => match only.parse::<u64>() {
            Ok(_) => Ok((None, seconds(only)?)),
            Err(_) => Ok((Some(only), DEFAULT_SECONDS)),
        },
        [name, time] => Ok((Some(name), seconds(time)?)),
        [_, _, more, ..] => Err(Failure::new(format!("unexpected argument `{more}`"))),
    }
}

/// A few seconds of every target, from the committed seeds and a fixed random seed, so that the
/// same tree does the same work everywhere.
pub(crate) fn smoke(project: &Project) -> Result<()> {
    for target in &build(project, None)? {
        let corpus = project.target().join("fuzz-smoke").join(&target.name);
        project::remove_folder(&corpus)?;
        let finished = target.run(project, SMOKE, &corpus, Some(1), false)?;
        println!(
            "{}: {} inputs in {:.1} s",
            target.name, finished.inputs, finished.seconds
        );
    }
    Ok(())
}

/// Builds all targets, or the one named.
pub(crate) fn build(project: &Project, only: Option<&str>) -> Result<Vec<Target>> {
    let names = names(project)?;
    let chosen: Vec<String> = names
        .iter()
        .filter(|name| only.is_none_or(|only| only == *name))
        .cloned()
        .collect();
    if chosen.is_empty() {
        return Err(Failure::new(format!(
            "no fuzz target {}; there are: {}",
            only.unwrap_or_default(),
            names.into_iter().collect::<Vec<_>>().join(", ")
        )));
    }
    setup::compiler::cpp()?;
    let host = host()?;
    let folder = project.root().join("fuzz").join("target");
    let build = project
        .cargo("build")
        // With an explicit target, build scripts and macros are built without the counters.
        .args([
            "--release",
            "--locked",
            "--manifest-path",
            MANIFEST,
            "--target",
            &host,
        ])
        .arg("--target-dir")
        .arg(&folder)
        .env("RUSTFLAGS", FLAGS.join(" "))
        // It would take precedence over the flags.
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    match only {
        Some(name) => build.args(["--bin", name]).run()?,
        None => build.arg("--bins").run()?,
    }
    let programs = folder.join(&host).join("release");
    Ok(chosen
        .into_iter()
        .map(|name| Target {
            program: programs.join(&name),
            name,
        })
        .collect())
}

/// The names of the targets: one file of `fuzz/fuzz_targets/` and one `[[bin]]` each, with at least
/// one seed.
fn names(project: &Project) -> Result<BTreeSet<String>> {
    let fuzz = project.root().join("fuzz");
    let targets = fuzz.join("fuzz_targets");
    let files: BTreeSet<String> = if targets.is_dir() {
        project::files_below(&targets)?
            .iter()
            .filter(|file| project::has_extension(file, "rs"))
            .filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned()))
            .collect()
    } else {
        BTreeSet::new()
    };
    if files.is_empty() {
        return Err(Failure::new(
            "no fuzz targets: fuzz/fuzz_targets/ holds none",
        ));
    }
    let metadata = Metadata::of_members(&project.root().join(MANIFEST))?;
    let declared: BTreeSet<String> = metadata
        .packages
        .iter()
        .flat_map(|package| package.programs())
        .map(|program| program.name.clone())
        .collect();
    let mut findings: Vec<String> = files
        .symmetric_difference(&declared)
        .map(|name| format!("{name} has a file or a [[bin]] in {MANIFEST}, and not the other"))
        .collect();
    for name in &files {
        let seeds = fuzz.join("seeds").join(name);
        if !seeds.is_dir() || project::files_below(&seeds)?.is_empty() {
            findings.push(format!("fuzz/seeds/{name}/ holds no seed"));
        }
    }
    match Failure::of_findings("the fuzz targets are incomplete", &findings) {
        Some(failure) => Err(failure),
        None => Ok(files),
    }
}

impl Target {
    /// Runs the target. New inputs that reach new code are kept in `corpus`; seeds are only read.
    pub(crate) fn run(
        &self,
        project: &Project,
        length: Length,
        corpus: &std::path::Path,
        seed: Option<u64>,
        shown: bool,
    ) -> Result<Finished> {
        let fuzz = project.root().join("fuzz");
        let artifacts = fuzz.join("artifacts").join(&self.name);
        project::create_folder(corpus)?;
        project::create_folder(&artifacts)?;
        let before = project::files_below(&artifacts)?;

        let mut program = project
            .program(&self.program)
            .arg(format!("-max_total_time={}", length.seconds))
            .arg(format!("-max_len={MAX_LEN}"))
            .arg(format!("-timeout={TIMEOUT}"))
            .arg(format!("-rss_limit_mb={RSS_LIMIT}"))
            // The folder's closing slash matters: it is a prefix.
            .arg(format!("-artifact_prefix={}/", artifacts.display()));
        if let Some(runs) = length.runs {
            program = program.arg(format!("-runs={runs}"));
        }
        if let Some(seed) = seed {
            program = program.arg(format!("-seed={seed}"));
        }
        let dictionary = fuzz
            .join("dictionaries")
            .join(format!("{}.dict", self.name));
        if dictionary.is_file() {
            program = program.arg(format!("-dict={}", dictionary.display()));
        }
        let program = program.arg(corpus).arg(fuzz.join("seeds").join(&self.name));
        let watch = Stopwatch::start();
        let observed = if shown {
            program.follow(Stream::Error)?
        } else {
            program.observe()?
        };
        let seconds = watch.elapsed().as_secs_f64();

        if observed.succeeded {
            let inputs = inputs_of(&observed.text).ok_or_else(|| {
                Failure::new(format!("{} ended without its closing line", self.name))
            })?;
            return Ok(Finished { inputs, seconds });
        }
        if !shown {
            println!("{}", observed.text);
        }
        let new: Vec<String> = project::files_below(&artifacts)?
            .iter()
            .filter(|file| !before.contains(file))
            .map(|file| {
                file.strip_prefix(project.root())
                    .unwrap_or(file)
                    .display()
                    .to_string()
            })
            .collect();
        Err(Failure::new(format!(
            "the fuzz target {} failed; the input that did it: {}",
            self.name,
            if new.is_empty() {
                "none was written".to_owned()
            } else {
                new.join(", ")
            }
        )))
    }
}

/// The number in libFuzzer's `Done N runs in S second(s)`.
fn inputs_of(text: &str) -> Option<u64> {
    text.lines()
        .rev()
        .find_map(|line| line.trim().strip_prefix("Done "))
        .and_then(|rest| rest.split(' ').next())
        .and_then(|number| number.parse().ok())
}

fn host() -> Result<String> {
    Program::new("rustc")
        .arg("-vV")
        .capture()?
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new("rustc does not name its host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn target_and_seconds_are_both_optional() {
        assert_eq!(parse(&[]), Ok((None, 60)));
        assert_eq!(parse(&words(&["5"])), Ok((None, 5)));
        assert_eq!(parse(&words(&["jws"])), Ok((Some("jws"), 60)));
        assert_eq!(parse(&words(&["jws", "5"])), Ok((Some("jws"), 5)));
    }

    #[test]
    fn a_length_that_is_none_is_refused() {
        assert!(parse(&words(&["jws", "soon"])).is_err());
        assert!(parse(&words(&["0"])).is_err());
        assert!(parse(&words(&["jws", "5", "more"])).is_err());
    }

    #[test]
    fn the_count_of_inputs_is_read_from_the_closing_line() {
        assert_eq!(
            inputs_of("INFO: Seed: 1\nDone 2000000 runs in 1 second(s)\n"),
            Some(2_000_000)
        );
        assert_eq!(inputs_of("==12== ERROR: libFuzzer: deadly signal"), None);
    }
}
