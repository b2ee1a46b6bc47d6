//! Another policy engine as an oracle for authorization: the tests `oracle` of `benches/`, which is a workspace of its
//! own, so that the engine stays out of the libraries' lock file.

use crate::{bench, failure::Result, program::Program, project::Project};

/// With the variables that the project was given, and as many cases as the tests take by themselves.
pub(crate) fn run(project: &Project) -> Result<()> {
    test(project).run()
}

/// The call. In the profile of `bench --smoke`, whose artefacts it shares.
pub(crate) fn test(project: &Project) -> Program {
    project
        .cargo("test")
        .args(["--manifest-path", bench::MANIFEST, "--locked"])
        .args(["--test", "oracle", "--target-dir"])
        .arg(project.target())
}
