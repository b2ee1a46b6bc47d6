//! What the tests need beside a Rust toolchain, put in place by the command that needs it.
//!
//! Each need is a module that reuses what is there, installs what is missing where it may, and
//! otherwise fails with the name of what to install. Nothing is skipped: a test that did not run
//! must not look like one that passed.

mod chromium;
pub(crate) mod compiler;
mod databases;
mod debian;
mod promtool;
mod python;

use crate::{failure::Result, project::Project};

pub(crate) use databases::{BenchPostgres, BenchRedis, Databases};

/// Prepares everything `cargo test` needs and returns the project with the variables through which
/// the tests find it. The databases run until they are dropped.
pub(crate) fn for_tests(project: Project) -> Result<(Project, Databases)> {
    compiler::c()?;
    let interpreter = python::interpreter(&project)?;
    let browser = chromium::executable()?;
    let promtool = promtool::executable()?;
    let databases = Databases::start()?;
    let project = project
        .with(python::VARIABLE, interpreter)
        .with(chromium::VARIABLE, browser)
        .with(promtool::VARIABLE, promtool);
    Ok((databases.told_to(project), databases))
}

/// A Redis to measure against, which stores nothing.
pub(crate) fn bench_redis() -> Result<BenchRedis> {
    BenchRedis::start()
}

/// A PostgreSQL to measure against, with room for a large table.
pub(crate) fn bench_postgres() -> Result<BenchPostgres> {
    BenchPostgres::start()
}
