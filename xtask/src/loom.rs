//! `cargo xtask loom`: lock-free code against every order of its steps that the memory model permits.

use crate::{failure::Result, project::Project};

/// Crates with tests that loom runs.
const CRATES: [&str; 1] = ["ringwall-rate-limit"];

/// Runs the model checker's tests. They are built apart, because each crate is another one under its flag.
pub(crate) fn run(project: &Project) -> Result<()> {
    for name in CRATES {
        project
            .cargo("test")
            .args(["--quiet", "--locked", "--package", name, "--lib"])
            .arg("--target-dir")
            .arg(project.target().join("loom"))
            .env("RUSTFLAGS", "--cfg loom")
            // It would win over the flags above.
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            // A model is run through thousands of times, and one at a time is shown best.
            .args(["--", "--test-threads", "1"])
            .run()?;
    }
    Ok(())
}
