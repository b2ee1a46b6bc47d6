//! The configuration file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use crate::config::fault::Faults;

/// The longest configuration file: many times what all settings need.
const MAX_BYTES: u64 = 64 * 1024;

/// The longest file of certificates: the whole set of an operating system fits.
const MAX_CERTIFICATE_BYTES: u64 = 1024 * 1024;

const FIELD: &str = "--config";

/// The settings of the file at `path`; none when it cannot be used.
pub(crate) fn read(path: &Path, faults: &mut Faults) -> toml::Table {
    let text = match content(path, faults) {
        Ok(Some(text)) => text,
        Ok(None) => return toml::Table::new(),
        Err(error) => {
            let problem = format!("{path:?} cannot be read ({})", error.kind());
            faults.add(FIELD, problem, "name a file that the service may read");
            return toml::Table::new();
        }
    };
    match text.parse() {
        Ok(table) => table,
        Err(error) => {
            // The error's own text would quote the line, and the line might hold a secret.
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.lines().count().max(1));
            let problem = format!("{path:?} is not TOML near line {line}: {}", error.message());
            faults.add(FIELD, problem, "correct the line");
            toml::Table::new()
        }
    }
}

fn content(path: &Path, faults: &mut Faults) -> io::Result<Option<String>> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let mut fault = |problem: &str, remedy: &str| {
        faults.add(FIELD, format!("{path:?} {problem}"), remedy);
        Ok(None)
    };
    if !metadata.is_file() {
        return fault("is not a file", "name a file that the service may read");
    }
    // Whoever writes this file chooses whose tokens are accepted.
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
        return fault("can be written by everybody", "chmod o-w it");
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).map_or(true, |length| length > MAX_BYTES) {
        return fault(
            "is longer than 64 KiB",
            "name a configuration of this service",
        );
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => fault("is not UTF-8", "name a configuration of this service"),
    }
}

/// The certificates of authorities at `path`, or what is wrong with them.
pub(crate) fn certificates(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: io::Error| format!("cannot be read ({})", error.kind());
    let file = File::open(path).map_err(failed)?;
    // Whoever writes this file chooses who may pass for the issuer.
    #[cfg(unix)]
    {
        let metadata = file.metadata().map_err(failed)?;
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
            return Err("can be written by everybody".to_owned());
        }
    }
    let mut bytes = Vec::new();
    file.take(MAX_CERTIFICATE_BYTES)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}
