//! `cargo xtask bench`: the areas of `benches/`, each a program that measures ours and its peers in
//! one run.

use crate::{
    bench_report,
    failure::{Failure, Result},
    metadata::Metadata,
    project::{self, Project},
    setup,
};

/// The manifest of the benches' workspace.
pub(crate) const MANIFEST: &str = "benches/Cargo.toml";
/// Tells a bench where to write its report.
const OUT_VARIABLE: &str = "RINGWALL_BENCH_OUT";
/// Areas that measure against a Redis.
const NEEDS_REDIS: [&str; 1] = ["ratelimit"];
/// Areas that measure against a PostgreSQL.
const NEEDS_POSTGRES: [&str; 1] = ["authz"];
/// Asks a bench for one quick pass over every case. Its times mean nothing.
const SMOKE_FLAG: &str = "--smoke";

/// The command: `[AREA] [--smoke]`.
pub(crate) fn run(project: &Project, words: &[String]) -> Result<()> {
    let smoke = words.iter().any(|word| word == SMOKE_FLAG);
    let mut names = words.iter().filter(|word| *word != SMOKE_FLAG);
    let only = names.next().map(String::as_str);
    if let Some(more) = names.next() {
        return Err(Failure::new(format!("unexpected argument `{more}`")));
    }
    run_areas(project, only, smoke)
}

/// One quick pass over every case of every area.
pub(crate) fn smoke(project: &Project) -> Result<()> {
    run_areas(project, None, true)
}

fn run_areas(project: &Project, only: Option<&str>, smoke: bool) -> Result<()> {
    let areas = areas(project)?;
    let chosen: Vec<&String> = areas
        .iter()
        .filter(|area| only.is_none_or(|only| only == *area))
        .collect();
    if chosen.is_empty() {
        return Err(Failure::new(format!(
            "no bench area {}; there are: {}",
            only.unwrap_or_default(),
            areas.join(", ")
        )));
    }
    for area in chosen {
        run_area(project, area, smoke)?;
    }
    Ok(())
}

/// The programs under `benches/src/bin/`.
fn areas(project: &Project) -> Result<Vec<String>> {
    let manifest = project.root().join(MANIFEST);
    if !manifest.is_file() {
        return Err(Failure::new(format!(
            "no bench areas: {MANIFEST} is missing"
        )));
    }
    let areas: Vec<String> = Metadata::of_members(&manifest)?
        .packages
        .iter()
        .flat_map(|package| package.programs())
        .filter(|program| {
            program
                .src_path
                .starts_with(project.root().join("benches").join("src").join("bin"))
        })
        .map(|program| program.name.clone())
        .collect();
    if areas.is_empty() {
        return Err(Failure::new("no bench areas: benches/src/bin/ holds none"));
    }
    Ok(areas)
}

fn run_area(project: &Project, area: &str, smoke: bool) -> Result<()> {
    let report = project.target().join("bench").join(format!("{area}.json"));
    // An old report must not stand in for one that was not written.
    project::write(&report, "")?;
    let mut program = project
        .cargo("run")
        .args([
            "--locked",
            "--manifest-path",
            MANIFEST,
            "--bin",
            area,
            "--target-dir",
        ])
        .arg(project.target());
    // Held until the area has run.
    let redis = NEEDS_REDIS
        .contains(&area)
        .then(setup::bench_redis)
        .transpose()?;
    if let Some(redis) = &redis {
        program = redis.told_to(program);
    }
    let postgres = NEEDS_POSTGRES
        .contains(&area)
        .then(setup::bench_postgres)
        .transpose()?;
    if let Some(postgres) = &postgres {
        program = postgres.told_to(program);
    }
    // The quick pass looks at what runs, not at how fast: it uses the artefacts of the tests
    // instead of a second, optimised build of every dependency.
    if smoke {
        program = program.args(["--", SMOKE_FLAG]);
    } else {
        program = program.arg("--release");
    }
    program.env(OUT_VARIABLE, &report).run()?;
    let rows = bench_report::check(&project::read(&report)?)
        .map_err(|failure| Failure::new(format!("bench {area}: {failure}")))?;
    let shown = report.strip_prefix(project.root()).unwrap_or(&report);
    println!("bench {area}: {rows} comparisons in {}", shown.display());
    Ok(())
}
