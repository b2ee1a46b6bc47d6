//! Prometheus's own tool, which runs alert rules against made-up time series.

use std::{ffi::OsString, path::Path};

use super::debian;
use crate::{
    failure::{Failure, Result},
    program::Program,
};

/// Tells the tests which promtool to run.
pub(crate) const VARIABLE: &str = "RINGWALL_TEST_PROMTOOL";

const NAME: &str = "promtool";

/// The promtool to test with: the one the caller named, the one on the system, or Debian's, which is
/// installed first.
pub(crate) fn executable() -> Result<OsString> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        if works(Path::new(&named)) {
            return Ok(named);
        }
        return Err(Failure::new(format!(
            "{VARIABLE} names no promtool that runs"
        )));
    }
    if !works(Path::new(NAME)) {
        debian::install(&["prometheus"], "to test the alert rules")?;
    }
    if works(Path::new(NAME)) {
        Ok(NAME.into())
    } else {
        Err(Failure::new(
            "promtool does not run, though it was installed",
        ))
    }
}

fn works(executable: &Path) -> bool {
    Program::new(executable).arg("--version").succeeds()
}
