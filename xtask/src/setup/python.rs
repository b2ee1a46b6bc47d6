//! A Python with PyJWT, an independent implementation that signs and verifies tokens in the tests.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::debian;
use crate::{
    failure::{Failure, Result},
    program::Program,
    project::{self, Project},
};

/// Tells the tests which interpreter has PyJWT.
pub(crate) const VARIABLE: &str = "RINGWALL_TEST_PYTHON";

/// The pinned packages. A peer that changes under the tests would prove nothing about a change of
/// ours.
const REQUIREMENTS: &str = "xtask/python-requirements.txt";

/// Fails unless the packages work, also in a virtual environment whose base was upgraded.
const PROBE: &str = "import jwt; from cryptography.hazmat.primitives.asymmetric import ed25519; \
                     assert 'EdDSA' in jwt.algorithms.get_default_algorithms()";

/// The interpreter to test with: the one the caller named, or that of a virtual environment in the
/// build folder, made at the first call and after each change of the pins.
pub(crate) fn interpreter(project: &Project) -> Result<OsString> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        if has_packages(Path::new(&named)) {
            return Ok(named);
        }
        return Err(Failure::new(format!(
            "{VARIABLE} names an interpreter without the packages of {REQUIREMENTS}"
        )));
    }
    let environment = project.target().join("test-python");
    let interpreter = environment.join("bin").join("python");
    let stamp = environment.join("requirements-installed.txt");
    let wanted = project.read(REQUIREMENTS)?;
    let current = project::read(&stamp).is_ok_and(|installed| installed == wanted);
    if !current || !has_packages(&interpreter) {
        create(project, &environment, &interpreter)?;
        project::write(&stamp, &wanted)?;
    }
    Ok(interpreter.into_os_string())
}

fn create(project: &Project, environment: &Path, interpreter: &Path) -> Result<()> {
    let base = base_python()?;
    project::remove_folder(environment)?;
    Program::new(base)
        .args(["-m", "venv"])
        .arg(environment)
        .run()?;
    Program::new(interpreter)
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ])
        // A wheel runs no code at installation and needs no compiler.
        .args(["--only-binary", ":all:", "--requirement"])
        .arg(project.root().join(REQUIREMENTS))
        .run()?;
    if has_packages(interpreter) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the packages of {REQUIREMENTS} were installed and cannot be imported"
    )))
}

/// A Python that can make virtual environments. Debian splits that ability off its python3.
fn base_python() -> Result<PathBuf> {
    let usable = || {
        ["python3", "/usr/bin/python3"]
            .map(PathBuf::from)
            .into_iter()
            .find(|python| {
                Program::new(python)
                    .args(["-c", "import venv, ensurepip"])
                    .succeeds()
            })
    };
    if let Some(python) = usable() {
        return Ok(python);
    }
    debian::install(&["python3", "python3-venv"], "to test against PyJWT")?;
    usable().ok_or_else(|| {
        Failure::new("python3 cannot make virtual environments, though python3-venv was installed")
    })
}

fn has_packages(interpreter: &Path) -> bool {
    Program::new(interpreter).args(["-c", PROBE]).succeeds()
}
