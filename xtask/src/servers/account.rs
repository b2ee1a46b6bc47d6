//! The account that servers run under: PostgreSQL refuses root's.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Result, io};

/// Accounts without rights of their own, the best first.
const NAMES: [&str; 2] = ["postgres", "nobody"];

/// An account to change to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    user: u32,
    group: u32,
}

impl Account {
    /// The account for servers where this program is root; `None` where it is not, since others
    /// cannot change their account and need not.
    pub(crate) fn for_servers() -> Result<Option<Self>> {
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

    /// Gives a file to the account: the one behind the handle, whatever stands at its path by now.
    #[cfg(unix)]
    pub(super) fn owns(self, file: &File, path: &Path) -> Result<()> {
        std::os::unix::fs::fchown(file, Some(self.user), Some(self.group))
            .map_err(|error| io("give away", path, &error))
    }

    /// Gives a folder to the account. A link in its place would be given away itself, and not what it leads to.
    #[cfg(unix)]
    pub(super) fn owns_folder(self, path: &Path) -> Result<()> {
        std::os::unix::fs::lchown(path, Some(self.user), Some(self.group))
            .map_err(|error| io("give away", path, &error))
    }

    /// Lets the account pass through a folder that stays ours. It cannot look around there, nor put anything
    /// into it.
    #[cfg(unix)]
    pub(super) fn enters(self, path: &Path) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        std::os::unix::fs::lchown(path, None, Some(self.group))
            .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o710)))
            .map_err(|error| io("open", path, &error))
    }

    #[cfg(not(unix))]
    pub(super) fn of(self, _command: &mut Command) {}

    #[cfg(not(unix))]
    pub(super) fn owns(self, _file: &File, path: &Path) -> Result<()> {
        self.owns_folder(path)
    }

    #[cfg(not(unix))]
    pub(super) fn owns_folder(self, path: &Path) -> Result<()> {
        Err(format!(
            "cannot give {} away on this system",
            path.display()
        ))
    }

    #[cfg(not(unix))]
    pub(super) fn enters(self, path: &Path) -> Result<()> {
        self.owns_folder(path)
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
