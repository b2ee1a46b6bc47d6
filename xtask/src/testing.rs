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
