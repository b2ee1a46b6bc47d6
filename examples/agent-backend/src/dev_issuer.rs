//! The issuer of a development machine.
//!
//! Its private key lies in the data folder, so whoever reads that folder can sign in as anybody.
//! Everything of it is marked, and [`crate::keys`] refuses what is marked wherever something real
//! is guarded: the folder itself, the key by its id and by its value, and the issuer's name.

use core::time::Duration;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ringwall_authn::{SigningKey, SigningKeyError, TokenIssuer};
use ringwall_core::secret::SecretBytes;
use ringwall_jose::{Algorithm, KeyError, KeyId};

/// The issuer's name, which `.localhost` (RFC 6761 §6.3) keeps from ever being a real one.
pub(crate) const ISSUER: &str = "http://dev-issuer.agent-backend.localhost";

/// The audience of its tokens.
pub(crate) const AUDIENCE: &str = "http://agent-backend.localhost";

/// The id of its key: the same on every machine, so that a key set which holds it is known for
/// what it is.
pub(crate) const KEY_ID: &str = "development-only";

/// The longest life of its tokens.
pub(crate) const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A folder that marks its data folder as one of a development machine.
const FOLDER: &str = "dev-issuer";

const KEY_FILE: &str = "signing-key.pk8";

/// The public part, for whoever verifies: this service.
const JWKS_FILE: &str = "jwks.json";

/// An Ed25519 key with its public part is 83 bytes long; other tools write a few more.
const MAX_KEY_BYTES: u64 = 1024;

/// Why there is no development issuer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevIssuerError {
    #[error("{path:?} holds no development issuer: `agent-backend serve --dev` makes one")]
    Missing { path: PathBuf },
    #[error(
        "{path:?} can be read by others than its owner: chmod 600 it, or delete it for a new one"
    )]
    Exposed { path: PathBuf },
    #[error("{path:?} cannot be used")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the development key cannot be used")]
    Key(#[from] SigningKeyError),
    #[error("the id of the development key cannot be used")]
    KeyId(#[from] KeyError),
}

/// Whether `data_dir` belongs to a development machine.
pub(crate) fn marks(data_dir: &Path) -> bool {
    data_dir.join(FOLDER).exists()
}

/// The issuer of `data_dir`, which is made when there is none.
pub(crate) fn open_or_create(data_dir: &Path) -> Result<TokenIssuer, DevIssuerError> {
    let folder = data_dir.join(FOLDER);
    let path = folder.join(KEY_FILE);
    if !path.exists() {
        create(&folder, &path).map_err(|source| DevIssuerError::File {
            path: path.clone(),
            source,
        })?;
    }
    open(data_dir)
}

/// Where the public keys of the issuer of `data_dir` are, once they are published.
pub(crate) fn keys_path(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER).join(JWKS_FILE)
}

/// The issuer of `data_dir`, which is made when there is none, with its public keys in a file.
pub(crate) fn publish(data_dir: &Path) -> Result<TokenIssuer, DevIssuerError> {
    let path = keys_path(data_dir);
    let failed = |source| DevIssuerError::File {
        path: path.clone(),
        source,
    };
    private_folder(data_dir).map_err(failed)?;
    let issuer = open_or_create(data_dir)?;
    let folder = data_dir.join(FOLDER);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(issuer.jwks().as_bytes()).map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    Ok(issuer)
}

/// Makes the folder, which is its owner's alone: the database holds what tenants wrote.
pub(crate) fn private_folder(data_dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(data_dir)
}

/// The issuer of `data_dir`, which must be there.
pub(crate) fn open(data_dir: &Path) -> Result<TokenIssuer, DevIssuerError> {
    let pkcs8 = read_key(data_dir)?;
    let key = SigningKey::from_pkcs8(Algorithm::EdDsa, &pkcs8)?.with_id(KeyId::new(KEY_ID)?);
    Ok(TokenIssuer::new(ISSUER, key))
}

/// The private key of `data_dir` as PKCS#8.
pub(crate) fn read_key(data_dir: &Path) -> Result<SecretBytes, DevIssuerError> {
    let path = data_dir.join(FOLDER).join(KEY_FILE);
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::NotFound {
            return DevIssuerError::Missing {
                path: data_dir.to_owned(),
            };
        }
        DevIssuerError::File {
            path: path.clone(),
            source,
        }
    };
    let file = fs::File::open(&path).map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.permissions().mode() & 0o077 != 0 {
            return Err(DevIssuerError::Exposed { path });
        }
    }
    let mut content = Vec::with_capacity(128);
    file.take(MAX_KEY_BYTES)
        .read_to_end(&mut content)
        .map_err(failed)?;
    Ok(SecretBytes::new(content))
}

/// Written beside and then linked, so that two services which start at once on one folder agree on
/// one key, and a crash leaves none or a whole one.
fn create(folder: &Path, path: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let pkcs8 = SigningKey::generate_pkcs8(Algorithm::EdDsa).map_err(io::Error::other)?;
    // Temporary files are made with mode 0600.
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(pkcs8.expose())?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_folder_has_one_key_and_its_owner_alone_may_read_it() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(!marks(dir.path()));
        assert!(matches!(
            open(dir.path()),
            Err(DevIssuerError::Missing { .. })
        ));
        let first = open_or_create(dir.path()).expect("made").jwks();
        assert!(marks(dir.path()));
        assert!(first.contains(KEY_ID), "{first}");
        assert_eq!(open_or_create(dir.path()).expect("there").jwks(), first);
        assert_eq!(open(dir.path()).expect("there").jwks(), first);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_read_is_not_used() {
        use std::os::unix::fs::PermissionsExt as _;

        let dir = tempfile::tempdir().expect("a folder");
        open_or_create(dir.path()).expect("made");
        let path = dir.path().join(FOLDER).join(KEY_FILE);
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
        assert!(matches!(
            open(dir.path()),
            Err(DevIssuerError::Exposed { .. })
        ));
    }
}
