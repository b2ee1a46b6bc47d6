//! Files, and the stores in them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ringwall_authn::api_key::ApiKeyStore;
use ringwall_authn::revocation::RevocationStore;
use ringwall_sqlite::{
    SqliteApiKeys, SqliteConfig, SqliteDatabase, SqliteDirectory, SqliteRevocations,
};
use tempfile::TempDir;

/// A migrated file, which goes with its folder.
pub(crate) struct Place {
    pub(crate) address: String,
    _folder: TempDir,
}

pub(crate) fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ringwall.sqlite");
    (folder, file)
}

pub(crate) async fn open(file: impl AsRef<Path>) -> SqliteDatabase {
    // Processors are few where tests run.
    let config = SqliteConfig::new(file.as_ref()).timeout(Duration::from_secs(30));
    SqliteDatabase::open(config).await.expect("it opens")
}

pub(crate) async fn fresh() -> Place {
    let (folder, file) = folder();
    let database = open(&file).await;
    database.migrations().migrate().await.expect("it migrates");
    database.close().await;
    Place {
        address: file.to_str().expect("text").to_owned(),
        _folder: folder,
    }
}

pub(crate) async fn keys(address: &str) -> Arc<dyn ApiKeyStore> {
    let store = SqliteApiKeys::open(&open(address).await).await;
    Arc::new(store.expect("it is migrated"))
}

pub(crate) async fn revocations(address: &str) -> Arc<dyn RevocationStore> {
    let store = SqliteRevocations::open(&open(address).await).await;
    Arc::new(store.expect("it is migrated"))
}

pub(crate) async fn directory(address: &str) -> Arc<SqliteDirectory> {
    let store = SqliteDirectory::open(&open(address).await).await;
    Arc::new(store.expect("it is migrated"))
}
