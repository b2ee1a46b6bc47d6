//! `cargo xtask test`: everything the tests need, then the tests.

use crate::{failure::Result, project::Project, setup};

/// The property tests' seed in `test` and `ci`. A fixed one makes a failure the change's own;
/// `soak` looks for new failures with seeds of its own.
pub(crate) const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "20260801");

/// Sets up and runs every test of the workspace, documentation examples included. `more` goes to
/// `cargo test` as it is.
pub(crate) fn run(project: Project, more: &[String]) -> Result<()> {
    let (name, seed) = SEED;
    let project = setup::for_tests(project)?.with_default(name, seed);
    project
        .cargo("test")
        .args(["--workspace", "--all-features", "--locked"])
        .args(more)
        .run()
}

/// The tests of the JSON reader again, as in a program of which some other crate switches this
/// feature of `serde_json` on. Features are the union of what all crates ask for, so it is not
/// ours to keep it off.
pub(crate) fn run_with_arbitrary_precision(project: &Project) -> Result<()> {
    let (name, seed) = SEED;
    project
        .cargo("test")
        .args(["--quiet", "--locked", "--package", "ringwall-jose"])
        .args(["--features", "serde_json/arbitrary_precision"])
        .env(name, seed)
        .run()
}
