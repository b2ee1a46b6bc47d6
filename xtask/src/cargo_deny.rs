//! cargo-deny over the three lock files of the repository.

use std::path::Path;

use crate::{failure::Result, program::Program, project::Project, tools};

/// A lock file and the rules that hold for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lock {
    pub(crate) manifest: &'static str,
    config: &'static str,
    /// What is checked beside advisories.
    checks: &'static [&'static str],
}

/// The lock files. `benches/` has rules of its own, since a peer to measure against is not chosen
/// for its safety: what they let pass reaches no library.
pub(crate) const LOCKS: [Lock; 3] = [
    Lock {
        manifest: "Cargo.toml",
        config: "deny.toml",
        checks: &["bans", "licenses", "sources"],
    },
    Lock {
        manifest: "fuzz/Cargo.toml",
        config: "deny.toml",
        checks: &["bans", "licenses", "sources"],
    },
    Lock {
        manifest: "benches/Cargo.toml",
        config: "benches/deny.toml",
        checks: &["bans", "licenses", "sources"],
    },
];

/// Names the folder of the advisory databases in the configurations.
const DATABASES_VARIABLE: &str = "RINGWALL_DENY_DATABASES";

/// Bans, licences and sources.
pub(crate) fn check(project: &Project) -> Result<()> {
    for lock in LOCKS {
        program(project, &project.root().join(lock.manifest), lock.config)?
            .args(["--locked", "check"])
            .args(lock.checks)
            .run()?;
    }
    Ok(())
}

/// cargo-deny for one lock file. Options follow, then the subcommand.
pub(crate) fn program(project: &Project, manifest: &Path, config: &str) -> Result<Program> {
    Ok(project
        .program(tools::CARGO_DENY.path(project)?)
        .arg("--manifest-path")
        .arg(manifest)
        .arg("--config")
        .arg(project.root().join(config))
        .args(["--workspace", "--all-features"]))
}

/// The same with a folder of advisory databases.
pub(crate) fn with_databases(program: Program, folder: &Path) -> Program {
    program.env(DATABASES_VARIABLE, folder)
}

impl Lock {
    pub(crate) const fn config(self) -> &'static str {
        self.config
    }
}
