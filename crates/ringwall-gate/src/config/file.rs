//! Files that a configuration consists of, or names.

use core::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Why a file is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFault {
    Unreadable(io::ErrorKind),
    NotAFile,
    WritableByEverybody,
    TooLong,
    NotUtf8,
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(kind) => write!(f, "cannot be read ({kind})"),
            Self::NotAFile => f.write_str("is not a regular file"),
            Self::WritableByEverybody => f.write_str("can be written by everybody"),
            Self::TooLong => f.write_str("is longer than is permitted"),
            Self::NotUtf8 => f.write_str("is not UTF-8"),
        }
    }
}

/// The text of the file at `path`, of at most `max_bytes`.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<String, FileFault> {
    String::from_utf8(read_bytes(path, max_bytes)?).map_err(|_| FileFault::NotUtf8)
}

/// The content of the file at `path`, of at most `max_bytes`.
pub(super) fn read_bytes(path: &Path, max_bytes: u64) -> Result<Vec<u8>, FileFault> {
    let failed = |error: io::Error| FileFault::Unreadable(error.kind());
    // Asked before it is opened: to open a named pipe would wait for somebody to write into it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FileFault::NotAFile);
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(FileFault::NotAFile);
    }
    // Whoever writes it chooses whose credentials are accepted.
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
        return Err(FileFault::WritableByEverybody);
    }
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > max_bytes) {
        return Err(FileFault::TooLong);
    }
    Ok(bytes)
}
