//! Who else on the machine may use the file.

use std::fs::File;
use std::path::Path;

use crate::Error;

/// Whether others may read the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Its owner and its group.
    Few,
    /// Everybody whom the folder lets in.
    All,
}

/// Refuses a file that others may write, or a folder in which everybody may put another one in its place.
///
/// The file is looked at through its handle, so that it is the one that was opened.
#[cfg(unix)]
pub(crate) fn check(path: &Path, file: &File, group_writes: bool) -> Result<Readers, Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let unavailable = |error| Error::Unavailable(Box::new(error));
    let mode = file.metadata().map_err(unavailable)?.permissions().mode();
    let mut all = mode;
    // SQLite gives those beside it the same mode when it makes them, and believes what stands in them.
    for ending in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(ending);
        match std::fs::metadata(&beside) {
            Ok(found) => all |= found.permissions().mode(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unavailable(error)),
        }
    }
    if all & EVERYBODY_WRITES != 0 {
        return Err(Error::Exposed("everybody may write it: chmod 600"));
    }
    if all & GROUP_WRITES != 0 && !group_writes {
        return Err(Error::Exposed(
            "its group may write it: chmod 600, or permit that by name",
        ));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    let folder = std::fs::metadata(folder).map_err(unavailable)?;
    let folder = folder.permissions().mode();
    if folder & EVERYBODY_WRITES != 0 && folder & STICKY == 0 {
        return Err(Error::Exposed(
            "everybody may replace it: chmod 700 its folder",
        ));
    }
    Ok(if all & EVERYBODY_READS == 0 {
        Readers::Few
    } else {
        Readers::All
    })
}

#[cfg(unix)]
const EVERYBODY_WRITES: u32 = 0o002;
#[cfg(unix)]
const EVERYBODY_READS: u32 = 0o004;
#[cfg(unix)]
const GROUP_WRITES: u32 = 0o020;
/// Only the owner of a file may replace it.
#[cfg(unix)]
const STICKY: u32 = 0o1000;

/// What other systems permit is theirs to say.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
pub(crate) fn check(_path: &Path, _file: &File, _group_writes: bool) -> Result<Readers, Error> {
    Ok(Readers::Few)
}
