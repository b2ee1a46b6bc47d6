//! A real browser, which shows what is made of header fields and of CORS.

use std::{ffi::OsString, path::Path};

use super::debian;
use crate::{
    failure::{Failure, Result},
    program::Program,
};

/// Tells the tests which browser to open.
pub(crate) const VARIABLE: &str = "RINGWALL_TEST_CHROMIUM";

/// What Chromium is called by those who package it.
const NAMES: [&str; 4] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// The browser to test with: the one the caller named, one that is on the system, or Debian's, which is
/// installed first.
pub(crate) fn executable() -> Result<OsString> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        if works(Path::new(&named)) {
            return Ok(named);
        }
        return Err(Failure::new(format!(
            "{VARIABLE} names no Chromium that runs"
        )));
    }
    if let Some(found) = installed() {
        return Ok(found);
    }
    debian::install(&["chromium"], "to test against a real browser")?;
    installed().ok_or_else(|| Failure::new("chromium does not run, though it was installed"))
}

fn installed() -> Option<OsString> {
    let name = NAMES.into_iter().find(|name| works(Path::new(name)))?;
    Some(name.into())
}

fn works(executable: &Path) -> bool {
    Program::new(executable).arg("--version").succeeds()
}
