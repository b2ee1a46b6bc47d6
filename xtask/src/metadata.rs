//! The part of `cargo metadata` that the checks read.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{
    failure::{Failure, Result},
    program::Program,
    project,
};

/// A workspace: its members, without the crates it takes from elsewhere.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) target_directory: PathBuf,
}

/// A member of a workspace.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) description: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) readme: Option<PathBuf>,
    /// Registries the package may go to: `None` is any, an empty list (`publish = false`) is none.
    pub(crate) publish: Option<Vec<String>>,
    pub(crate) features: std::collections::BTreeMap<String, Vec<String>>,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// One line of a dependency table.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// `None` for a normal dependency, else `dev` or `build`.
    pub(crate) kind: Option<String>,
    /// The version requirement; `*` when only a path was given.
    pub(crate) req: String,
    /// The folder of a path dependency.
    pub(crate) path: Option<PathBuf>,
}

/// Something a package builds: a library, a program, a test.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

impl Metadata {
    /// The members of the workspace whose manifest this is.
    pub(crate) fn of_members(manifest: &Path) -> Result<Self> {
        let text = Program::new(project::cargo())
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--manifest-path",
            ])
            .arg(manifest)
            .capture()?;
        serde_json::from_str(&text)
            .map_err(|error| Failure::new(format!("cargo metadata was not understood: {error}")))
    }
}

impl Package {
    pub(crate) fn is_published(&self) -> bool {
        self.publish
            .as_ref()
            .is_none_or(|registries| !registries.is_empty())
    }

    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    /// The package's programs, sorted by name.
    pub(crate) fn programs(&self) -> Vec<&Target> {
        let mut programs: Vec<&Target> = self
            .targets
            .iter()
            .filter(|target| target.kind.iter().any(|kind| kind == "bin"))
            .collect();
        programs.sort_by(|left, right| left.name.cmp(&right.name));
        programs
    }
}
