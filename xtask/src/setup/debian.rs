//! Debian packages, where this program may install them.

use crate::{
    failure::{Failure, Result},
    program::{Program, on_path},
};

/// Installs packages, or fails with what a person should install. `purpose` ends the sentence
/// "needed ...".
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result<()> {
    let list = packages.join(" ");
    if on_path("apt-get").is_none() {
        return Err(Failure::new(format!(
            "missing on this system, needed {purpose}: install what Debian calls {list}"
        )));
    }
    if !is_root() {
        return Err(Failure::new(format!(
            "missing on this system, needed {purpose}: run `sudo apt-get install {list}`"
        )));
    }
    println!("installing {list}, needed {purpose}");
    // A fresh image carries no package lists, or old ones.
    Program::new("apt-get").args(["update", "--quiet"]).run()?;
    Program::new("apt-get")
        .args(["install", "--yes", "--quiet", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

fn is_root() -> bool {
    Program::new("id")
        .arg("-u")
        .capture()
        .is_ok_and(|id| id.trim() == "0")
}
