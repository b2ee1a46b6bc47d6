//! Secrets: from files, from the environment, from the standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ringwall_core::secret::SecretString;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The longest secret in bytes, as in the configuration of a gate.
const MAX_BYTES: u64 = 8 * 1024;

/// The secret in the file, or else in the variable; `None` when neither is there. A variable that is set and
/// empty is an error: whoever set it wanted to say something.
pub(crate) fn from_file_or_variable(
    option: &'static str,
    file: Option<&Path>,
    variable: &'static str,
) -> Result<Option<SecretString>, Failure> {
    if let Some(path) = file {
        return from_file(option, path).map(Some);
    }
    match std::env::var(variable) {
        Ok(text) => checked(variable, SecretString::new(text)).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::Secret(format!("{variable} is not UTF-8")))
        }
    }
}

/// One line break at the end does not count: editors and `echo` write it. A gate reads its files in the
/// same way, so that a pepper is the same here and there.
fn from_file(option: &'static str, path: &Path) -> Result<SecretString, Failure> {
    let bytes = bounded(option, path, MAX_BYTES)?;
    let text = text(option, bytes)?;
    checked(option, text)
}

/// The content of a small regular file that not everybody may write.
pub(crate) fn bounded(
    option: &'static str,
    path: &Path,
    max_bytes: u64,
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let fault = |problem: String| Failure::File { option, problem };
    let unreadable = |error: io::Error| fault(format!("cannot be read ({})", error.kind()));
    // Asked before it is opened: to open a named pipe would wait for somebody to write into it.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(fault("is not a regular file".to_owned()));
    }
    let file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if !metadata.is_file() {
        return Err(fault("is not a regular file".to_owned()));
    }
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
        return Err(fault("can be written by everybody".to_owned()));
    }
    match read_bounded(file, max_bytes).map_err(unreadable)? {
        Some(bytes) => Ok(bytes),
        None => Err(fault(format!("is longer than {max_bytes} bytes"))),
    }
}

/// One line of the standard input.
pub(crate) fn from_standard_input(what: &'static str) -> Result<SecretString, Failure> {
    let bytes = read_bounded(io::stdin().lock(), MAX_BYTES).map_err(Failure::Input)?;
    let Some(bytes) = bytes else {
        return Err(Failure::Secret(format!("{what} is longer than 8 KiB")));
    };
    checked(what, text(what, bytes)?)
}

/// `None` when there is more than is permitted. The buffer has its full size from the beginning, so that it
/// leaves no copies behind when it grows.
fn read_bounded(from: impl Read, max_bytes: u64) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let limit = max_bytes.saturating_add(1);
    let capacity = usize::try_from(limit)
        .unwrap_or_default()
        .saturating_add(64);
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    from.take(limit).read_to_end(&mut bytes)?;
    let is_short = u64::try_from(bytes.len()).is_ok_and(|length| length <= max_bytes);
    Ok(is_short.then_some(bytes))
}

fn text(what: &str, mut bytes: Zeroizing<Vec<u8>>) -> Result<SecretString, Failure> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    match String::from_utf8(std::mem::take::<Vec<u8>>(&mut bytes)) {
        Ok(text) => Ok(SecretString::new(text)),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err(Failure::Secret(format!(
                "the secret of {what} is not UTF-8"
            )))
        }
    }
}

fn checked(what: &str, secret: SecretString) -> Result<SecretString, Failure> {
    if secret.is_empty() {
        return Err(Failure::Secret(format!("the secret of {what} is empty")));
    }
    if u64::try_from(secret.len()).map_or(true, |length| length > MAX_BYTES) {
        return Err(Failure::Secret(format!(
            "the secret of {what} is longer than 8 KiB"
        )));
    }
    Ok(secret)
}
