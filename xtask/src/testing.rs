//! `cargo xtask test`: everything the tests need, then the tests.

use crate::{failure::Result, project::Project, setup};

/// The property tests' seed in `test` and `ci`. A fixed one makes a failure the change's own;
/// `soak` looks for new failures with seeds of its own.
pub(crate) const SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "20260801");

/// Sets up and runs every test of the workspace, documentation examples included, or of the packages
/// that are named with `-p`. `more` goes to `cargo test` as it is.
pub(crate) fn run(project: Project, more: &[String]) -> Result<()> {
    let (name, seed) = SEED;
    let (project, databases) = setup::for_tests(project)?;
    let test = project.with_default(name, seed).cargo("test");
    let test = if names_packages(more) {
        test
    } else {
        test.arg("--workspace")
    };
    let result = test.args(["--all-features", "--locked"]).args(more).run();
    drop(databases);
    result
}

/// Whether the arguments for cargo, which end at `--`, choose packages. With `--workspace` beside
/// them, cargo would ignore the choice.
fn names_packages(words: &[String]) -> bool {
    words
        .iter()
        .take_while(|word| *word != "--")
        .any(|word| word.starts_with("-p") || word.starts_with("--package"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_chosen_before_the_arguments_of_the_tests() {
        let named = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            names_packages(&words)
        };
        assert!(named(&["-p", "ringwall-core"]));
        assert!(named(&["-pringwall-core"]));
        assert!(named(&["--lib", "--package=ringwall-core"]));
        assert!(!named(&["--lib"]));
        assert!(!named(&["--", "-p"]));
    }
}
