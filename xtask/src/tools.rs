//! Pinned tools that install themselves, each under its own version, so that two checkouts with
//! different pins can share one folder.

use std::path::PathBuf;

use crate::{
    failure::{Failure, Result},
    program::Program,
    project::Project,
};

/// Where tools are kept instead of the build folder, for instance in a cache that outlives it.
const FOLDER_VARIABLE: &str = "RINGWALL_TOOLS_DIR";

/// A program from the registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// Bans, licences, sources and advisories of the dependency tree.
pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};

impl Tool {
    /// The path of the program, after it was installed where it was missing.
    pub(crate) fn path(self, project: &Project) -> Result<PathBuf> {
        let folder = std::env::var_os(FOLDER_VARIABLE)
            .map_or_else(|| project.target().join("tools"), PathBuf::from);
        let root = folder.join(format!("{}-{}", self.name, self.version));
        let program = root.join("bin").join(self.name);
        if self.is_at(&program) {
            return Ok(program);
        }
        println!(
            "installing {} {}; it takes some minutes once",
            self.name, self.version
        );
        project
            .cargo("install")
            // In the development profile: it is built once for each new machine, and runs for seconds.
            .args([
                "--debug",
                "--locked",
                "--force",
                "--version",
                self.version,
                "--root",
            ])
            .arg(&root)
            // Artefacts of its own: nothing of the workspace is rebuilt, and `cargo clean` of one
            // does not undo the other.
            .arg("--target-dir")
            .arg(folder.join("build"))
            .arg(self.name)
            .run()?;
        if self.is_at(&program) {
            return Ok(program);
        }
        Err(Failure::new(format!(
            "{} was installed, and is not version {}",
            self.name, self.version
        )))
    }

    fn is_at(self, program: &std::path::Path) -> bool {
        Program::new(program)
            .arg("--version")
            .observe()
            .is_ok_and(|said| said.succeeded && said.text.trim().ends_with(self.version))
    }
}
