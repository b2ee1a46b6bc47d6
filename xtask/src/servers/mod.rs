//! PostgreSQL and Redis of one's own: on a free loopback port, in a folder that goes with them, with a
//! password that nobody else knows, and ended by their process id.
//!
//! `cargo xtask test` starts one of each for all tests. A test that stops, kills or starves its server
//! starts one for itself: test programs include this module by its path, so it uses the standard
//! library alone and nothing else of this program.

pub(crate) mod account;
pub(crate) mod folder;
pub(crate) mod postgres;
mod process;
pub(crate) mod redis;

use std::path::{Path, PathBuf};

pub(crate) use process::Server;

/// A sentence about what did not work.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// Where a program of this name would be found, or `None`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// An input or output error with the deed and the path.
fn io(deed: &str, path: &Path, error: &std::io::Error) -> String {
    format!("could not {deed} {}: {error}", path.display())
}

/// Text that nobody can guess: the keys of a `RandomState` come from the operating system.
fn random_text() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let word = |salt: u8| RandomState::new().hash_one(salt);
    format!("{:016x}{:016x}", word(0), word(1))
}
