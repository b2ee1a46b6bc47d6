//! The account that servers run under: PostgreSQL refuses root's.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Result, io};

/// Accounts without rights of their own, the best first.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// An account to change to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// The account for servers where this program is root; `None` where it is not, since others
    /// cannot change their account and need not.
    pub(super) fn for_servers() -> Result<Option<Self>> {
        if id(&["-u"]) != Some(0) {
            return Ok(None);
        }
        NAMES
            .iter()
            .find_map(|name| {
                Some(Self {
                    user: id(&["-u", name])?,
                    group: id(&["-g", name])?,
                })
            })
            .map(Some)
            .ok_or_else(|| format!("no account to run servers under: {}", NAMES.join(", ")))
    }

    /// Lets a program run under the account, without the groups of root's.
    #[cfg(unix)]
    pub(super) fn of(self, command: &mut Command) {
        use std::os::unix::process::CommandExt as _;
        command.uid(self.user).gid(self.group);
    }

    /// The same as options of `setpriv`.
    pub(super) fn as_options(self) -> [String; 3] {
        [
            format!("--reuid={}", self.user),
            format!("--regid={}", self.group),
            "--clear-groups".to_owned(),
        ]
    }

    /// Gives a file or folder to the account.
    #[cfg(unix)]
    pub(super) fn owns(self, path: &Path) -> Result<()> {
        std::os::unix::fs::chown(path, Some(self.user), Some(self.group))
            .map_err(|error| io("give away", path, &error))
    }

    #[cfg(not(unix))]
    pub(super) fn of(self, _command: &mut Command) {}

    #[cfg(not(unix))]
    pub(super) fn owns(self, path: &Path) -> Result<()> {
        Err(format!(
            "cannot give {} away on this system",
            path.display()
        ))
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id")
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
