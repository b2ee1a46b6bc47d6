//! The checkout this program works on: its root, its build folder, and its cargo.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    failure::{Failure, Result},
    metadata::Metadata,
    program::Program,
};

/// Where things are, and what every started program finds in its environment.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    root: PathBuf,
    target: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Project {
    /// Finds the checkout through the environment that `cargo run` provides. The path is not baked
    /// in at compile time, because a checkout that was moved keeps its build folder.
    pub(crate) fn find() -> Result<Self> {
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .ok_or_else(|| Failure::new("start this program with `cargo xtask`"))?;
        let root = Path::new(&manifest_dir)
            .parent()
            .ok_or_else(|| Failure::new("the package xtask has no parent folder"))?
            .to_owned();
        let metadata = Metadata::of_members(&root.join("Cargo.toml"))?;
        Ok(Self {
            root,
            target: metadata.target_directory,
            environment: Vec::new(),
        })
    }

    /// The same project, whose programs find `value` under `name`. What the caller of `cargo xtask`
    /// has set stands: a run is reproduced by setting the variables that the failed run had.
    pub(crate) fn with_default(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        if std::env::var_os(name).is_none() {
            self.environment.push((name, value.into()));
        }
        self
    }

    /// The same project, whose programs find `value` under `name` in any case.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A program that runs at the root.
    pub(crate) fn program(&self, name: impl AsRef<std::ffi::OsStr>) -> Program {
        self.environment.iter().fold(
            Program::new(name).current_dir(&self.root),
            |program, (name, value)| program.env(name, value),
        )
    }

    /// The cargo that runs this program, at the root.
    pub(crate) fn cargo(&self, subcommand: &str) -> Program {
        self.program(cargo()).arg(subcommand)
    }

    /// A file of the checkout, as text.
    pub(crate) fn read(&self, path: &str) -> Result<String> {
        read(&self.root.join(path))
    }
}

/// The cargo that runs this program, so that one toolchain does everything.
pub(crate) fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// A text file whose absence is a failure that names it.
pub(crate) fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))
}

/// Writes a text file and the folders above it.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    fs::write(path, text).map_err(|error| Failure::io("write", path, &error))
}

pub(crate) fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Failure::io("create", path, &error))
}

/// Removes a folder with all it holds; one that does not exist is already removed.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::io("remove", path, &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Every file below `folder`, sorted, so that reports do not depend on the
/// order in which the file system lists them.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries =
            fs::read_dir(&folder).map_err(|error| Failure::io("list", &folder, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::io("list", &folder, &error))?;
            let kind = entry
                .file_type()
                .map_err(|error| Failure::io("look at", &folder, &error))?;
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

pub(crate) fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}
