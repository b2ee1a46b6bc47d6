//! Where certificates, keys, roots and revocation lists come from.

use core::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringwall_core::secret::SecretBytes;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use super::error::{TlsFault, TlsProblem};

/// A certificate chain, a key, roots or a revocation list as PEM: a file that is watched, or a text in
/// memory. Revocation lists may be DER as well, which is how authorities publish them.
///
/// Whatever turns into a path (`&str`, `String`, `PathBuf`) turns into a file here; a text in memory
/// takes [`Pem::text`].
#[derive(Clone)]
pub struct Pem(Source);

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Text(Content),
}

/// The bytes of a source. A private key can be among them.
pub(crate) type Content = Arc<SecretBytes>;

/// What the files of chains, keys and roots are held to: a chain has a few KiB, and a thousand roots
/// two MiB.
pub(crate) const MAX_PEM_BYTES: usize = 4 * 1024 * 1024;

/// What a file of revocation lists is held to: about a million revoked certificates.
pub(crate) const MAX_LIST_BYTES: usize = 64 * 1024 * 1024;

/// Certificates in one chain. Real chains have two or three.
pub(crate) const MAX_CHAIN: usize = 16;

/// Certificates in all files of roots together. The web's store has about 150.
pub(crate) const MAX_ROOTS: usize = 1024;

/// Revocation lists in all files together: one per authority.
pub(crate) const MAX_LISTS: usize = 1024;

impl Pem {
    /// The content of the file at `path`, read again whenever it is looked at.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// This text. It never changes.
    #[must_use]
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self(Source::Text(Arc::new(SecretBytes::new(text.into()))))
    }

    /// The name for errors and events.
    pub(crate) fn name(&self) -> Arc<str> {
        match &self.0 {
            Source::File(path) => path.to_string_lossy().into(),
            Source::Text(_) => "a text in memory".into(),
        }
    }

    /// The content now, of at most `limit` bytes.
    pub(crate) fn read(&self, limit: usize) -> Result<Content, TlsProblem> {
        match &self.0 {
            Source::File(path) => read(path, limit)
                .map(|bytes| Arc::new(SecretBytes::new(bytes)))
                .map_err(|fault| match fault {
                    Fault::Named(fault) => TlsProblem::new(self.name(), fault),
                    Fault::System(error) => TlsProblem::unreadable(self.name(), error),
                }),
            Source::Text(text) if text.len() > limit => {
                Err(TlsProblem::new(self.name(), TlsFault::TooLong))
            }
            Source::Text(text) => Ok(Arc::clone(text)),
        }
    }

    /// Whether every user of the machine may read the file.
    pub(crate) fn is_readable_by_all(&self) -> bool {
        match &self.0 {
            #[cfg(unix)]
            Source::File(path) => std::fs::metadata(path).is_ok_and(|metadata| {
                std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o004 != 0
            }),
            #[cfg(not(unix))]
            Source::File(_) => false,
            Source::Text(_) => false,
        }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::File(path) => f.debug_tuple("Pem").field(path).finish(),
            Source::Text(_) => f.write_str("Pem([redacted])"),
        }
    }
}

impl From<&str> for Pem {
    fn from(path: &str) -> Self {
        Self::file(path)
    }
}

impl From<String> for Pem {
    fn from(path: String) -> Self {
        Self::file(path)
    }
}

impl From<&Path> for Pem {
    fn from(path: &Path) -> Self {
        Self::file(path)
    }
}

impl From<PathBuf> for Pem {
    fn from(path: PathBuf) -> Self {
        Self::file(path)
    }
}

enum Fault {
    Named(TlsFault),
    System(std::io::Error),
}

fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Fault> {
    let regular = |metadata: std::fs::Metadata| {
        if metadata.is_file() {
            Ok(metadata)
        } else {
            Err(Fault::Named(TlsFault::NotAFile))
        }
    };
    // Opening a pipe waits for its writer, so look first; what counts is the file that was opened.
    regular(std::fs::metadata(path).map_err(Fault::System)?)?;
    let file = File::open(path).map_err(Fault::System)?;
    let metadata = regular(file.metadata().map_err(Fault::System)?)?;
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o002 != 0 {
        return Err(Fault::Named(TlsFault::WritableByAll));
    }
    // With its capacity at once: a vector that grows leaves unwiped copies of a key behind.
    let announced = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let mut content = Vec::with_capacity(announced.min(limit).saturating_add(1));
    let bound = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(bound)
        .read_to_end(&mut content)
        .map_err(Fault::System)?;
    if content.len() > limit {
        return Err(Fault::Named(TlsFault::TooLong));
    }
    Ok(content)
}

/// The certificates of a text, at least one and at most `limit`.
pub(crate) fn certificates(
    text: &[u8],
    limit: usize,
) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let found = sections(text, limit)?;
    if found.is_empty() {
        return Err(TlsFault::NoCertificate);
    }
    Ok(found)
}

/// The one private key of a text.
pub(crate) fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsFault> {
    let mut keys = PrivateKeyDer::pem_slice_iter(text);
    let key = keys.next().ok_or(TlsFault::NoKey)?;
    let key = key.map_err(|_| TlsFault::NotPem)?;
    match keys.next() {
        None => Ok(key),
        Some(Ok(_)) => Err(TlsFault::SeveralKeys),
        Some(Err(_)) => Err(TlsFault::NotPem),
    }
}

/// The revocation lists of a text, at least one and at most `limit`.
pub(crate) fn revocation_lists(
    text: &[u8],
    limit: usize,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsFault> {
    // The first byte of every DER list is that of a sequence; PEM text has a dash or a comment there.
    if text.first() == Some(&0x30) {
        return Ok(vec![CertificateRevocationListDer::from(text.to_vec())]);
    }
    let found = sections(text, limit)?;
    if found.is_empty() {
        return Err(TlsFault::NoRevocationList);
    }
    Ok(found)
}

fn sections<T: PemObject>(text: &[u8], limit: usize) -> Result<Vec<T>, TlsFault> {
    let mut found = Vec::new();
    for section in T::pem_slice_iter(text) {
        if found.len() >= limit {
            return Err(TlsFault::TooMany);
        }
        // One broken section makes the whole text doubtful: it may be half of what somebody meant.
        found.push(section.map_err(|_| TlsFault::NotPem)?);
    }
    Ok(found)
}
