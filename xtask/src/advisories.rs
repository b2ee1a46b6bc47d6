//! Known vulnerabilities in the dependency tree, from the RustSec database, with or without a
//! network.

use std::path::{Path, PathBuf};

use crate::{
    cargo_deny::{self, LOCKS},
    failure::{Failure, Result},
    project::{self, Project},
};

/// Names a folder with a snapshot of the RustSec database, for machines that cannot fetch it.
const VARIABLE: &str = "RINGWALL_ADVISORY_DB";

/// The folder in which cargo-deny 0.20 looks for the RustSec database: the repository's name and a
/// hash of its address.
const REPOSITORY: &str = "advisory-db-3157b0e258782691";

/// A vulnerability that can never be repaired in the version named, by which the check proves that
/// it sees anything at all.
const KNOWN: (&str, &str, &str) = ("rsa", "=0.9.8", "RUSTSEC-2023-0071");

/// Where the advisories come from.
#[derive(Debug)]
enum Source {
    /// A snapshot, laid out as the repository that cargo-deny expects.
    Snapshot(PathBuf),
    /// Fetched by cargo-deny into this folder.
    Fetched(PathBuf),
}

/// Fails if a lock file holds a version with an advisory, and if the check itself is blind.
pub(crate) fn check(project: &Project) -> Result<()> {
    let source = source(project)?;
    prove_sight(project, &source)?;
    for lock in LOCKS {
        // cargo-deny looks at the crates of all platforms, and may not fetch them when offline.
        let manifest = project.root().join(lock.manifest);
        project
            .cargo("fetch")
            .args(["--quiet", "--locked", "--manifest-path"])
            .arg(&manifest)
            .run()?;
        source
            .program(project, &manifest, lock.config())?
            .args(["check", "advisories"])
            .run()?;
    }
    Ok(())
}

impl Source {
    fn program(
        &self,
        project: &Project,
        manifest: &Path,
        config: &str,
    ) -> Result<crate::program::Program> {
        let program = cargo_deny::program(project, manifest, config)?.arg("--locked");
        Ok(match self {
            Self::Snapshot(folder) => cargo_deny::with_databases(program.arg("--offline"), folder),
            Self::Fetched(folder) => cargo_deny::with_databases(program, folder),
        })
    }
}

fn source(project: &Project) -> Result<Source> {
    let work = project.target().join("advisories");
    match std::env::var_os(VARIABLE) {
        None => {
            println!("advisories: fetched from the RustSec database ({VARIABLE} is not set)");
            Ok(Source::Fetched(work.join("fetched")))
        }
        Some(snapshot) => {
            let databases = work.join("snapshot");
            lay_out(project, Path::new(&snapshot), &databases.join(REPOSITORY))?;
            Ok(Source::Snapshot(databases))
        }
    }
}

/// Copies a snapshot and makes a git repository of the copy, as cargo-deny reads no other form. The
/// date of that commit says nothing about the snapshot's age; the newest advisory does.
fn lay_out(project: &Project, snapshot: &Path, repository: &Path) -> Result<()> {
    let crates = snapshot.join("crates");
    if !crates.is_dir() {
        return Err(Failure::new(format!(
            "{VARIABLE} names {}, which has no folder `crates` with advisories",
            snapshot.display()
        )));
    }
    project::remove_folder(repository)?;
    let mut count = 0_usize;
    let mut newest = String::new();
    for file in project::files_below(&crates)? {
        if !project::has_extension(&file, "md") {
            continue;
        }
        let text = project::read(&file)?;
        let relative = file.strip_prefix(snapshot).unwrap_or(&file);
        project::write(&repository.join(relative), &text)?;
        count = count.saturating_add(1);
        newest = newest.max(date_of(&text).unwrap_or_default().to_owned());
    }
    if count == 0 {
        return Err(Failure::new(format!(
            "{VARIABLE} names {}, which holds no advisory",
            snapshot.display()
        )));
    }
    println!("advisories: {count} from the snapshot that {VARIABLE} names, the newest of {newest}");
    // Inside a git hook these variables name the repository that the hook runs in, and the commit
    // would go there.
    let hook_variables = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"];
    let git = || {
        let git = project.program("git").arg("-C").arg(repository);
        hook_variables
            .iter()
            .fold(git, |git, variable| git.env_remove(variable))
            .args([
                "-c",
                "user.name=snapshot",
                "-c",
                "user.email=snapshot@localhost",
            ])
            .args(["-c", "commit.gpgsign=false", "-c", "core.hooksPath="])
    };
    git()
        .args(["init", "--quiet", "--initial-branch=main"])
        .capture()?;
    git().args(["add", "--all"]).capture()?;
    git()
        .args(["commit", "--quiet", "--message", "snapshot"])
        .capture()?;
    Ok(())
}

/// The day on which an advisory was published, from its front matter.
fn date_of(advisory: &str) -> Option<&str> {
    advisory
        .lines()
        .find_map(|line| line.strip_prefix("date = \""))
        .and_then(|rest| rest.strip_suffix('"'))
}

/// Runs the check over a package with a known vulnerability and demands that it be reported. An
/// empty database, a moved folder or a changed format would otherwise pass everything.
fn prove_sight(project: &Project, source: &Source) -> Result<()> {
    let (name, version, id) = KNOWN;
    let package = project.target().join("advisories").join("known-vulnerable");
    let manifest = package.join("Cargo.toml");
    project::write(
        &manifest,
        &format!(
            "[package]\nname = \"known-vulnerable\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
             license = \"MIT\"\npublish = false\n\n[dependencies]\n{name} = \"{version}\"\n\n\
             [workspace]\n"
        ),
    )?;
    project::write(&package.join("src").join("lib.rs"), "")?;
    project
        .cargo("fetch")
        .args(["--quiet", "--manifest-path"])
        .arg(&manifest)
        .run()?;
    let seen = source
        .program(project, &manifest, "deny.toml")?
        .args(["check", "advisories"])
        .observe()?;
    if !seen.succeeded && seen.text.contains(id) {
        println!("advisories: {id} is reported for {name} {version}, so the check sees");
        return Ok(());
    }
    Err(Failure::new(format!(
        "the advisory check is blind: it did not report {id} for {name} {version}. It said:\n{}",
        seen.text
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_read_from_the_front_matter() {
        let text = "```toml\n[advisory]\nid = \"RUSTSEC-2023-0071\"\ndate = \"2023-11-22\"\n```\n";
        assert_eq!(date_of(text), Some("2023-11-22"));
        assert_eq!(date_of("# no front matter"), None);
    }
}
