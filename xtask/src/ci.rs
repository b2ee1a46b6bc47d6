//! `cargo xtask ci`: everything a change must pass, cheap checks first.
//!
//! All steps share one build folder and, for the main workspace, one set of compiler flags, so what
//! one step compiled the next one finds. Only the fuzz targets are built apart, with flags of their
//! own.

use crate::{
    advisories, bench, cargo_deny, deps,
    failure::{Failure, Result},
    features, fuzz, loom, manifest, oracle,
    project::Project,
    publish, setup,
    steps::{Step, Steps},
    testing,
};

/// Runs all steps, or the ones named, in this order; the first failure ends the run.
pub(crate) fn run(project: Project, words: &[String]) -> Result<()> {
    // Incremental artefacts cost time and space, and nothing here is built twice.
    let project = project
        .with("CARGO_INCREMENTAL", "0")
        .with(testing::SEED.0, testing::SEED.1)
        .with_default("CARGO_TERM_COLOR", "never");
    let project = &project;
    let steps: Vec<Step<'_>> = vec![
        ("deps", Box::new(|| deps::check(project))),
        ("format", Box::new(|| format(project))),
        ("clippy", Box::new(|| clippy(project))),
        ("test", Box::new(|| testing::run(project.clone(), &[]))),
        ("loom", Box::new(|| loom::run(project))),
        ("docs", Box::new(|| docs(project))),
        (
            "features",
            Box::new(|| {
                features::check(project)?;
                testing::run_with_arbitrary_precision(project)
            }),
        ),
        ("deny", Box::new(|| cargo_deny::check(project))),
        ("advisories", Box::new(|| advisories::check(project))),
        ("publish", Box::new(|| publish::dry_run(project))),
        ("fuzz", Box::new(|| fuzz::smoke(project))),
        ("bench", Box::new(|| bench::smoke(project))),
        ("oracle", Box::new(|| oracle::run(project))),
    ];
    Steps::run(chosen(steps, words)?)
}

fn chosen<'a>(mut steps: Vec<Step<'a>>, words: &[String]) -> Result<Vec<Step<'a>>> {
    let names: Vec<&str> = steps.iter().map(|(name, _)| *name).collect();
    if let Some(unknown) = words.iter().find(|word| !names.contains(&word.as_str())) {
        return Err(Failure::new(format!(
            "no step `{unknown}`; there are: {}",
            names.join(", ")
        )));
    }
    if !words.is_empty() {
        steps.retain(|(name, _)| words.iter().any(|word| word == name));
    }
    Ok(steps)
}

/// The manifests of all workspaces, the main one first.
fn manifests() -> impl Iterator<Item = String> {
    std::iter::once("Cargo.toml".to_owned()).chain(
        manifest::APART
            .iter()
            .map(|folder| format!("{folder}/Cargo.toml")),
    )
}

fn format(project: &Project) -> Result<()> {
    for manifest in manifests() {
        project
            .cargo("fmt")
            .args(["--all", "--manifest-path", &manifest, "--", "--check"])
            .run()?;
    }
    Ok(())
}

fn clippy(project: &Project) -> Result<()> {
    // The lints of the fuzz targets build libFuzzer.
    setup::compiler::c()?;
    setup::compiler::cpp()?;
    for manifest in manifests() {
        project
            .cargo("clippy")
            .args([
                "--manifest-path",
                &manifest,
                "--workspace",
                "--all-targets",
                "--all-features",
            ])
            .args(["--locked", "--target-dir"])
            .arg(project.target())
            .args(["--", "-D", "warnings"])
            .run()?;
    }
    Ok(())
}

fn docs(project: &Project) -> Result<()> {
    project
        .cargo("doc")
        .args(["--workspace", "--no-deps", "--all-features", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps() -> Vec<Step<'static>> {
        vec![
            ("format", Box::new(|| Ok(()))),
            ("test", Box::new(|| Ok(()))),
        ]
    }

    #[test]
    fn all_steps_run_unless_some_are_named() {
        assert_eq!(chosen(steps(), &[]).unwrap().len(), 2);
        let named = chosen(steps(), &["test".to_owned()]).unwrap();
        assert_eq!(named.len(), 1);
        assert_eq!(named[0].0, "test");
    }

    #[test]
    fn an_unknown_step_is_refused() {
        assert!(chosen(steps(), &["tests".to_owned()]).is_err());
    }
}
