//! A folder that is removed with its server.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::account::Account;
use super::{Result, io, random_text};

/// A fresh folder that only its owner may enter.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Outside the checkout: a private one cannot be entered by another account, and neither can
    /// root's own folder for temporary files, if it has one.
    pub(super) fn create(name: &str, owner: Option<Account>) -> Result<Self> {
        let parent = match owner {
            Some(_) => PathBuf::from("/tmp"),
            None => std::env::temp_dir(),
        };
        let path = parent.join(format!("ringwall-test-{name}-{}", random_text()));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        // Fails if something is there already, so nobody can put a link in its way.
        builder
            .create(&path)
            .map_err(|error| io("create", &path, &error))?;
        let folder = Self(path);
        if let Some(account) = owner {
            account.owns(&folder.0)?;
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file for the owner, who alone may enter.
    pub(super) fn write(&self, name: &str, text: &str, owner: Option<Account>) -> Result<PathBuf> {
        let path = self.0.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // PostgreSQL refuses a key that others may read.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options
            .open(&path)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| io("write", &path, &error))?;
        if let Some(account) = owner {
            account.owns(&path)?;
        }
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies among temporary files.
        fs::remove_dir_all(&self.0).ok();
    }
}
