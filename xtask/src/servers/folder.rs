//! A folder that is removed with its server.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::{Result, io, random_text};

/// A fresh folder, and in it one for the server.
///
/// The outer one belongs to this program, and the server's account may pass through it alone. So where this
/// program is root, nobody else can put a link where it writes, and have it overwrite or give away a file of
/// the system.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    data: PathBuf,
}

impl Folder {
    /// Outside the checkout: a private one cannot be entered by another account, and neither can
    /// root's own folder for temporary files, if it has one.
    pub(crate) fn create(name: &str, owner: Option<Account>) -> Result<Self> {
        let parent = match owner {
            Some(_) => PathBuf::from("/tmp"),
            None => std::env::temp_dir(),
        };
        let path = parent.join(format!("ringwall-test-{name}-{}", random_text()));
        private(&path)?;
        let data = path.join("data");
        let folder = Self { path, data };
        private(&folder.data)?;
        if let Some(account) = owner {
            account.owns_folder(&folder.data)?;
            account.enters(&folder.path)?;
        }
        Ok(folder)
    }

    /// Ours, in which the server can read what was written for it, and nothing else.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The server's.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Writes a file for the owner alone, once.
    pub(crate) fn write(&self, name: &str, text: &str, owner: Option<Account>) -> Result<PathBuf> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        // Fails if something is there already, a link too.
        options.write(true).create_new(true);
        // PostgreSQL refuses a key that others may read.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .open(&path)
            .map_err(|error| io("create", &path, &error))?;
        file.write_all(text.as_bytes())
            .map_err(|error| io("write", &path, &error))?;
        if let Some(account) = owner {
            account.owns(&file, &path)?;
        }
        Ok(path)
    }
}

/// Makes a folder for its owner alone. Fails if something is there already, so nobody can put a link in its
/// way.
fn private(path: &Path) -> Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(path)
        .map_err(|error| io("create", path, &error))
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies among temporary files.
        fs::remove_dir_all(&self.path).ok();
    }
}
