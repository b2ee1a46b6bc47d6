//! The C and C++ compilers: the cryptography's assembly and the fuzzer's engine are built from
//! source.

use super::debian;
use crate::{
    failure::{Failure, Result},
    program::Program,
};

/// Makes sure that `cc` works. A Rust toolchain links through it, so it is hardly ever missing.
pub(crate) fn c() -> Result<()> {
    ensure(
        "cc",
        &["build-essential"],
        "to build C sources of dependencies",
    )
}

/// Makes sure that `c++` works.
pub(crate) fn cpp() -> Result<()> {
    ensure("c++", &["g++"], "to build libFuzzer")
}

fn ensure(name: &str, packages: &[&str], purpose: &str) -> Result<()> {
    let works = || Program::new(name).arg("--version").succeeds();
    if works() {
        return Ok(());
    }
    debian::install(packages, purpose)?;
    if works() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "`{name}` does not run, though {} was installed",
        packages.join(" ")
    )))
}
